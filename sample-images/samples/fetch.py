"""Download one file and let it into place only if it is what the manifest says.

A machine without network must not be kept waiting, and name resolution takes no time limit of its own. So the transfer
runs in a daemon thread, and the caller leaves as soon as nothing has arrived for a while.
"""

import hashlib
import os
import threading
import time
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from urllib.error import HTTPError

from samples import NoSample

PIECE = 256 * 1024


class Transfer(threading.Thread):
    """One download on its way to a file."""

    def __init__(self, url: str, target: Path, patience: float) -> None:
        super().__init__(daemon=True, name="fetch-sample-image")
        self.moved_at = time.monotonic()
        self.problem: Exception | None = None
        self._url = url
        self._target = target
        self._patience = patience
        self.abandoned = False

    def run(self) -> None:
        """Copy the body, noting each time that something arrives."""
        try:
            with urllib.request.urlopen(self._url, timeout=self._patience) as answer, self._target.open("wb") as out:
                self.moved_at = time.monotonic()
                while not self.abandoned and (piece := answer.read1(PIECE)):
                    out.write(piece)
                    self.moved_at = time.monotonic()
        except HTTPError as problem:
            problem.close()
            self.problem = problem
        except Exception as problem:
            self.problem = problem


def fetch(
    url: str,
    target: Path,
    digests: Mapping[str, str],
    size: int | None,
    *,
    patience: float = 6.0,
    limit: float = 600.0,
) -> None:
    """Bring `url` to `target`, or raise NoSample and leave no file there.

    `patience` is how long nothing may arrive, the connection's set-up included; `limit` bounds the whole transfer.
    """
    part = target.with_name(f"{target.name}.{os.getpid()}.part")
    transfer = Transfer(url, part, patience)
    started = time.monotonic()
    transfer.start()
    try:
        while transfer.is_alive():
            transfer.join(0.1)
            now = time.monotonic()
            if now - transfer.moved_at > patience or now - started > limit:
                transfer.abandoned = True
                raise NoSample(f"{url} did not answer in time")
        if transfer.problem is not None:
            raise NoSample(f"{url} cannot be fetched ({_reason(transfer.problem)})")
        verify(part, digests, size)
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)


def verify(path: Path, digests: Mapping[str, str], size: int | None) -> None:
    """Raise NoSample unless the file has this size and all of these digests."""
    if not digests:
        raise NoSample(f"{path.name} has no published digest to verify")
    found = path.stat().st_size
    if size is not None and found != size:
        raise NoSample(f"{path.name} has {found} bytes where {size} were published")
    for algorithm, expected in digests.items():
        if digest(path, algorithm) != expected:
            raise NoSample(f"{path.name} does not have the published {algorithm}")


def digest(path: Path, algorithm: str) -> str:
    """The file's digest in hexadecimal."""
    with path.open("rb") as source:
        return hashlib.file_digest(source, algorithm).hexdigest()


def _reason(problem: Exception) -> str:
    reason = getattr(problem, "reason", None) or problem
    return str(getattr(reason, "strerror", None) or reason)

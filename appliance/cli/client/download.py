"""Fetching an image's data: into a file by way of a part that a later try goes on with, or straight to a pipe."""

import hashlib
import http.client
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, Protocol
from urllib.parse import quote

from appliance.blobs.durable import Disk
from appliance.cli.client.calls import USER_AGENT, Unreachable, finish, target, unreachable
from appliance.cli.client.session import Session
from appliance.cli.output import note
from appliance.cli.progress import Progress
from appliance.errors import Fatal
from appliance.values import MIB

_BLOCK = MIB
_TRIES = 5
_SECONDS = 120
_PAUSE = 0.2


class _Digest(Protocol):
    def update(self, data: bytes, /) -> None: ...

    def hexdigest(self) -> str: ...


def save(session: Session, image: dict[str, Any], file: Path) -> None:
    """Put the image's data into `file`, which appears only once it is whole and its digest is right."""
    part = file.with_name(f"{file.name}.{image['id'][:8]}.part")
    with open(part, "a+b") as output:
        digest = new_digest(image)
        done = _ingest(output, digest)
        if done:
            note(f"Going on with {part} after {done} bytes.")
        _fetch(session, image, output, digest, done)
        output.flush()
        disk = Disk()
        disk.sync(output.fileno())
    if not matches(image, digest):
        part.unlink()
        raise Fatal(f"the data of {image['name'] or image['id']} does not match its digest; it was thrown away")
    disk.rename(part, file)


def stream(session: Session, image: dict[str, Any], output: BinaryIO) -> None:
    """Write the image's data to a pipe or a device. That it came out wrong can be told only at the end."""
    digest = new_digest(image)
    _fetch(session, image, output, digest, 0)
    output.flush()
    if not matches(image, digest):
        raise Fatal(f"the data of {image['name'] or image['id']} does not match its digest: don't use it")


def new_digest(image: dict[str, Any]) -> _Digest:
    """A digest of the strongest kind that the image has one of."""
    kind = image.get("os_hash_algo") or ""
    if kind in hashlib.algorithms_available and not kind.startswith("shake"):
        return hashlib.new(kind, usedforsecurity=False)
    return hashlib.new("md5", usedforsecurity=False)


def matches(image: dict[str, Any], digest: _Digest) -> bool:
    """Whether the image's own digest is this one; it is also right if the image has none."""
    kind = getattr(digest, "name", "")
    expected = image.get("os_hash_value") if image.get("os_hash_algo") == kind else image.get("checksum")
    return not expected or digest.hexdigest() == expected


def _ingest(part: BinaryIO, digest: _Digest) -> int:
    """Digest what an earlier try has left, and say how much that is."""
    part.seek(0)
    done = 0
    while block := part.read(_BLOCK):
        digest.update(block)
        done += len(block)
    return done


def _fetch(session: Session, image: dict[str, Any], output: BinaryIO, digest: _Digest, done: int) -> None:
    """All bytes from `done` on. A connection that breaks is made anew, until several in a row have brought nothing."""
    size = image.get("size")
    tries = 0
    with Progress(image["name"] or image["id"], size, done) as progress:
        while size is None or done < size:
            before = done
            try:
                for block in blocks(session, image["id"], done):
                    output.write(block)
                    digest.update(block)
                    done += len(block)
                    progress.add(len(block))
                if size is None or done >= size:
                    return
                raise Unreachable(f"the server broke off after {done} of {size} bytes")
            except Unreachable:
                tries = 1 if done > before else tries + 1
                if tries >= _TRIES:
                    raise
                time.sleep(_PAUSE * tries)


def blocks(session: Session, image_id: str, start: int) -> Iterator[bytes]:
    """The blocks of one answer, from byte `start` on."""
    url = f"{session.address('image')}/v2/images/{quote(image_id, safe='')}/file"
    headers = {"User-Agent": USER_AGENT, "X-Auth-Token": session.token_id(), "Accept": "application/json, */*"}
    if start:
        headers["Range"] = f"bytes={start}-"
    connection = session.http.connect(url, _SECONDS)
    try:
        connection.request("GET", target(url), headers=headers)
        response = connection.getresponse()
        if response.status >= 400:
            finish(response, url)
        if response.status == 204:
            raise Fatal("the image has no data yet")
        if start and response.status != 206:
            raise Fatal("the server does not send the rest of the data alone: remove the .part file and try again")
        while block := response.read(_BLOCK):
            yield block
    except (OSError, http.client.HTTPException) as error:
        raise unreachable(url, error) from error
    finally:
        connection.close()

"""What a store in a bucket gets out of it, next to the plain client library on the same SeaweedFS, in the same rounds.

    python -m bench.remote [--rounds 5] [--size-mib 1024]

Up: new bytes, hashed, cut, staged, put, checked and committed; the library puts files of a segment's size that are
there already. Down: cold, from the bucket; warm, from the cache; and the same bytes in a directory. The library reads
ranges of 4 MiB with four threads. The number of requests comes from a pass through a proxy that counts.
"""

import argparse
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, cast

import obstore
from obstore.store import S3Store

from appliance.blobs.backends.base import Backend
from appliance.blobs.backends.local import LocalBackend
from appliance.blobs.backends.registry import Location, connect
from appliance.blobs.store import BlobStore
from appliance.values import GIB, MIB, FileRange
from bench.store import Bed, seconds, show
from tests.blobs.backends.fault_proxy import fault_proxy
from tests.blobs.backends.seaweed import KEY, SECRET, seaweed

_SEGMENT = 128 * MIB
_RANGE = 4 * MIB
_THREADS = 4


class RemoteBed(Bed):
    """A store on the backend that this gives."""

    def __init__(self, directory: Path, backend: Callable[[], Backend]) -> None:
        directory.mkdir(exist_ok=True)
        super().__init__(directory, backend())
        self._directory = directory
        self._backend = backend

    def chill(self) -> None:
        """Start anew with an empty cache."""
        self.store.close()
        shutil.rmtree(self._directory / "far" / "cache")
        self.store = BlobStore(self._backend(), self.index)
        self.store.open()

    def read(self, content: int) -> None:
        """All of it, as a download does."""
        with self.store.open_content(content) as opened:
            for piece in opened.pieces():
                if isinstance(piece, FileRange):
                    os.pread(piece.fd, piece.length, piece.offset)


class Bucket:
    """A bucket, plainly and as a backend."""

    def __init__(self, endpoint: str, name: str) -> None:
        self._endpoint, self._name = endpoint, name
        config = {"endpoint": endpoint, "region": "x", "access_key_id": KEY, "secret_access_key": SECRET}
        self.plain = S3Store(name, config=cast(Any, config), client_options={"allow_http": True})

    def backend(self, directory: Path, endpoint: str = "") -> Callable[[], Backend]:
        options = {"endpoint": endpoint or self._endpoint, "access_key": KEY, "secret_key": SECRET, "timeout": "120"}
        location = Location("deep", "s3", f"{self._name}/{os.urandom(6).hex()}", directory / "far", options)
        return lambda: connect(location)

    def put(self, file: Path, count: int) -> None:
        for number in range(count):
            chunked = {"use_multipart": True, "chunk_size": 8 * MIB, "max_concurrency": 2}
            obstore.put(self.plain, f"plain/{number}", file, **cast(Any, chunked))

    def get(self, count: int, size: int) -> None:
        ranges = [(f"plain/{number}", start) for number in range(count) for start in range(0, size, _RANGE)]
        with ThreadPoolExecutor(_THREADS) as pool:
            list(pool.map(lambda at: obstore.get_range(self.plain, at[0], start=at[1], length=_RANGE), ranges))


@contextmanager
def remote(directory: Path, backend: Callable[[], Backend]) -> Iterator[RemoteBed]:
    made = RemoteBed(directory, backend)
    try:
        yield made
    finally:
        made.close()
        shutil.rmtree(directory)


def measure(bucket: Bucket, directory: Path, size: int, found: dict[str, list[float]]) -> None:
    """One round."""
    count, length = max(1, size // _SEGMENT), min(size, _SEGMENT)
    file = directory / "plain"
    file.write_bytes(os.urandom(length))
    data = memoryview(os.urandom(size))
    plain_up = seconds(lambda: bucket.put(file, count))
    plain_down = seconds(lambda: bucket.get(count, length))
    with remote(directory / "near", lambda: LocalBackend(directory / "blobs")) as near:
        content, _, near_up = near.put(data)
        near_down = seconds(lambda: near.read(content))
    shutil.rmtree(directory / "blobs")
    with remote(directory / "bed", bucket.backend(directory / "bed")) as far:
        content, _, up = far.put(data)
        warm = seconds(lambda: far.read(content))
        far.chill()
        cold = seconds(lambda: far.read(content))
    for name, value in (
        ("library up, MiB/s", size / MIB / plain_up),
        ("library down, MiB/s", size / MIB / plain_down),
        ("up, share of the library's", plain_up / up),
        ("up, share of a directory's", near_up / up),
        ("down cold, share of the library's", plain_down / cold),
        ("down warm, share of a directory's", near_down / warm),
    ):
        found.setdefault(name, []).append(value)


def requests(bucket: Bucket, endpoint: str, directory: Path, size: int) -> tuple[float, float]:
    """Requests a GiB: up, and down cold."""
    with fault_proxy(endpoint) as (address, plan), remote(directory, bucket.backend(directory, address)) as far:
        plan.requests.clear()
        content, _, _ = far.put(memoryview(os.urandom(size)))
        up = len(plan.requests)
        far.chill()
        plan.requests.clear()
        far.read(content)
        return up * GIB / size, len(plan.requests) * GIB / size


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--size-mib", type=int, default=1024)
    options = parser.parse_args()
    found: dict[str, list[float]] = {}
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=os.environ.get("BENCH_DIR"))))
        (directory / "seaweed").mkdir()
        server = stack.enter_context(seaweed(directory / "seaweed"))
        bucket = Bucket(server.endpoint, server.bucket())
        bucket.put(Path(__file__), 1)
        for _ in range(options.rounds):
            measure(bucket, directory, options.size_mib * MIB, found)
        up, down = requests(bucket, server.endpoint, directory / "counted", min(512, options.size_mib) * MIB)
    goals = {"up, share of the library's": "0.8", "down cold, share of the library's": "0.8"}
    for name, values in found.items():
        show(name, values, goal=goals.get(name, ""))
    show("requests a GiB, up", [up])
    show("requests a GiB, down cold", [down], goal="at most 300")


if __name__ == "__main__":
    main()

"""How fast and how small the blob store is by itself. Prints ratios, medians of several rounds.

    python -m bench.store [--rounds 5] [--size-mib 512] [--only ingest,read,index,digest] [--index-gib 10,1024]

What is compared runs in the same round, one after the other, so that a noisy machine hurts both.
"""

import argparse
import hashlib
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import lz4.block
from blake3 import blake3

from appliance.blobs.backends.base import Backend
from appliance.blobs.backends.local import LocalBackend
from appliance.blobs.block_writer import SCRATCH, BlockWriter, Limits
from appliance.blobs.garbage_collection import GarbageCollector
from appliance.blobs.store import BlobStore
from appliance.db.blocks.index import BlockIndex
from appliance.db.engine.base import Tx
from appliance.db.engine.registry import open_database
from appliance.values import GIB, KIB, MIB, FileRange

_CHUNK = MIB
_BLOCK = 64 * KIB
_WORDS = b"server volume network image router token project compute the of and in 0123456789 \n".split(b" ")


class Bed:
    """A store and its database in a temporary directory."""

    def __init__(self, directory: Path, backend: Backend | None = None) -> None:
        self.path = directory / "appliance.db"
        self.db = open_database(self.path)
        self.index = BlockIndex(self.db)
        self.store = BlobStore(backend or LocalBackend(directory / "blobs"), self.index)
        self.store.open()

    def put(self, data: memoryview) -> tuple[int, float, float]:
        """The content, the seconds until all was hashed and stored, and those until it was committed."""
        began = time.perf_counter()
        with self.store.begin(readable_by_caller=lambda content: True, expected_size=len(data)) as ingest:
            for start in range(0, len(data), _CHUNK):
                ingest.write(data[start : start + _CHUNK])
            ingest.flush()
            stored = time.perf_counter() - began
            sealed = ingest.seal()
            content = self.db.transact(lambda tx: self.index.commit(tx, sealed))
        return content, stored, time.perf_counter() - began

    def drop(self, content: int) -> None:
        self.db.transact(lambda tx: self.index.release(tx, content))
        GarbageCollector(self.store, grace=0).run()

    def close(self) -> None:
        self.store.close()
        self.db.close()


@contextmanager
def bed() -> Iterator[Bed]:
    directory = Path(tempfile.mkdtemp(prefix="bench-store-", dir=os.environ.get("BENCH_DIR")))
    made = Bed(directory)
    try:
        yield made
    finally:
        made.close()
        shutil.rmtree(directory)


def seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def show(what: str, values: list[float], unit: str = "", goal: str = "") -> None:
    spread = f"{min(values):.2f} to {max(values):.2f}"
    print(
        f"{what:<58} {statistics.median(values):8.2f}{unit:<6} ({spread}){'   goal ' + goal if goal else ''}",
        flush=True,
    )


def words(length: int) -> bytes:
    """Text that lz4 packs to about half."""
    picked = os.urandom(length // 3)
    return b" ".join([_WORDS[byte % len(_WORDS)] for byte in picked])[:length]


def ingest(rounds: int, size: int) -> None:
    """Uploads of bytes that don't compress, new and again, against md5 of the same buffer."""
    fresh, durable, again, again_durable, share, cpu = [], [], [], [], [], []
    with bed() as it:
        for _ in range(rounds):
            data = memoryview(os.urandom(size))
            md5 = seconds(partial(hashlib.md5, data))
            used = time.process_time()
            first, stored, committed = it.put(data)
            cpu.append((time.process_time() - used) / md5)
            fresh.append(md5 / stored)
            durable.append(md5 / committed)
            second, stored, committed = it.put(data)
            again.append(md5 / stored)
            again_durable.append(md5 / committed)
            before = it.store.content(second)
            share.append(100 * before.new_stored / size + 100 * manifest(it, second) / size)
            it.drop(first)
            it.drop(second)
    show("ingest, new bytes, store only, in md5s", fresh, goal="0.85")
    show("ingest, new bytes, durable and committed, in md5s", durable, goal="0.6")
    show("ingest, same bytes again, store only, in md5s", again, goal="0.85")
    show("ingest, same bytes again, durable and committed, in md5s", again_durable)
    show("the same bytes again cost, % of their size", share, goal="under 0.1")
    show("processor time of an ingest, in md5s", cpu)


def manifest(it: Bed, content: int) -> int:
    """Bytes of the segments that hold nothing but maps of this content."""
    rows = it.db.rows(
        "SELECT s.size, s.payload FROM stretches t JOIN segments s ON s.id = t.segment WHERE content = ?", (content,)
    )
    return sum(row["size"] for row in rows if row["payload"] == 0)


def stages(rounds: int, size: int) -> None:
    """What one core needs for each part of an upload, in shares of md5."""
    with bed() as it:
        slabs = [bytearray(SCRATCH) + os.urandom(2 * MIB) for _ in range(size // (2 * MIB))]

        def hashing(name: str) -> None:
            algorithm = hashlib.new(name)
            for slab in slabs:
                algorithm.update(memoryview(slab)[SCRATCH:])

        def storing() -> None:
            writer = BlockWriter(it.store.backend, it.index, it.store.uuid, it.store.clock, it.store.gc_guard, Limits())
            for slab in slabs:
                writer.feed(slab, SCRATCH, len(slab))
            writer.finish()
            writer.discard()

        def processor(work: Callable[[], object]) -> float:
            began = time.process_time()
            work()
            return time.process_time() - began

        sha512, store = [], []
        for _ in range(rounds):
            md5 = processor(lambda: hashing("md5"))
            sha512.append(processor(lambda: hashing("sha512")) / md5)
            store.append(processor(storing) / md5)
    show("processor time of sha512, in md5s", sha512)
    show("processor time of cutting, naming and appending, in md5s", store)


def read(rounds: int, size: int) -> None:
    """Reading back: raw runs as file ranges, each checked and then sent; lz4 blocks against lz4 alone."""
    raw, sent, packed = [], [], []
    null = os.open(os.devnull, os.O_WRONLY)
    with bed() as it:
        content, _, _ = it.put(memoryview(os.urandom(size)))
        text = words(min(size, 256 * MIB))
        compressed, _, _ = it.put(memoryview(text))
        blocks = [lz4.block.compress(text[at : at + _BLOCK], store_size=False) for at in range(0, len(text), _BLOCK)]
        for _ in range(rounds):
            raw.append(size / GIB / seconds(lambda: drain(it, content, None)))
            sent.append(size / GIB / seconds(lambda: drain(it, content, null)))
            alone = seconds(lambda: [lz4.block.decompress(block, uncompressed_size=_BLOCK) for block in blocks])
            packed.append(alone / seconds(lambda: drain(it, compressed, None)))
    os.close(null)
    show("reading raw runs as checked file ranges", raw, " GiB/s", "1.5")
    show("the same, with sendfile to /dev/null", sent, " GiB/s")
    show("reading lz4 blocks, checked, in lz4.block.decompress alone", packed, goal="0.7")


def drain(it: Bed, content: int, target: int | None) -> None:
    with it.store.open_content(content) as reader:
        for piece in reader.pieces():
            if target is not None and isinstance(piece, FileRange):
                os.sendfile(target, piece.fd, piece.offset, piece.length)


def digest(rounds: int, size: int) -> None:
    """SHA-256 and BLAKE3 on blocks of 64 KiB, with and without the processor's SHA instructions."""
    for name, mask in (("as it is", None), ("without SHA instructions", ":~0x20000000")):
        environment = dict(os.environ)
        if mask:
            environment["OPENSSL_ia32cap"] = mask
        run = [sys.executable, "-m", "bench.store", "--digest-only", str(min(size, 128 * MIB)), str(rounds)]
        print(f"block digests, {name}:")
        subprocess.run(run, env=environment, check=True)


def digest_only(size: int, rounds: int) -> None:
    data = memoryview(os.urandom(size))
    blocks = [data[at : at + _BLOCK] for at in range(0, size, _BLOCK)]
    for name, make in (("SHA-256", hashlib.sha256), ("BLAKE3", blake3)):
        rates = []
        for _ in range(rounds):
            began = time.process_time()
            for block in blocks:
                make(block).digest()
            rates.append(size / GIB / (time.process_time() - began))
        show(f"  {name}", rates, " GiB/s")


def index(sizes: list[int]) -> None:
    """What the index costs, and whether a request slows down as it grows. The blocks are made up, the rows are real."""
    for gib in sizes:
        with bed() as it:
            images = fill(it, gib)
            it.db.row("PRAGMA wal_checkpoint(TRUNCATE)")
            space = it.path.stat().st_size / MIB / gib
            print(f"an index of {gib} GiB in {images} contents: {space:.2f} MiB a GiB   goal 1.5")
            some = [row.id for row in it.index.maintenance.contents(images // 2, 50)]
            show("  show a content", [1000 * seconds(partial(it.index.content, i)) for i in some], " ms")
            show(
                "  list 50 contents",
                [1000 * seconds(lambda: it.index.maintenance.contents(9, 50)) for _ in some],
                " ms",
            )
            show(
                "  open at its middle",
                [1000 * seconds(partial(it.index.spans, i, GIB // 2, 64)) for i in some],
                " ms",
            )
            show(
                "  look 32 digests up",
                [1000 * seconds(lambda: it.index.find([os.urandom(32)] * 32)) for _ in some],
                " ms",
            )
            show("  delete a content", [1000 * seconds(partial(release, it, i)) for i in some], " ms")
            show("  one step of the collection", [1000 * each for each in paced(it)], " ms")


def release(it: Bed, content: int) -> None:
    it.db.transact(lambda tx: it.index.release(tx, content))


def paced(it: Bed) -> list[float]:
    times, steps = [], GarbageCollector(it.store, grace=0).steps()
    for _ in range(50):
        times.append(seconds(partial(next, steps, None)))
    del steps
    return times


def _gib(tx: Tx, store: int, number: int, blocks: int, length: int) -> None:
    first = number * blocks + 1
    tx.execute(
        "INSERT INTO segments VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, 0, 0, 0)",
        (number + 1, store, os.urandom(16).hex(), GIB, GIB, first, first + blocks - 1, blocks, GIB, GIB),
    )
    noise = os.urandom(32 * blocks)
    tx.executemany(
        "INSERT INTO blocks VALUES (?, ?, ?, ?, ?, ?, ?, ?, 0, 0, NULL, NULL)",
        (
            (
                first + each,
                store,
                int.from_bytes(noise[32 * each : 32 * each + 8], "little", signed=True),
                noise[32 * each + 8 : 32 * each + 32],
                number + 1,
                each * length,
                length,
                length,
            )
            for each in range(blocks)
        ),
    )
    tx.execute(
        "INSERT INTO contents (id, store, upload, state, size, created_at) VALUES (?, ?, ?, 1, ?, 0)",
        (number + 1, store, os.urandom(16), blocks * length),
    )
    tx.executemany(
        "INSERT INTO extents VALUES (?, ?, ?, ?, ?)",
        (
            (number + 1, each * length, first + each, min(256, blocks - each), min(256, blocks - each) * length)
            for each in range(0, blocks, 256)
        ),
    )
    tx.execute("INSERT INTO stretches VALUES (?, 0, ?, 0, ?)", (number + 1, number + 1, blocks * length))


def fill(it: Bed, gib: int) -> int:
    """Contents of 1 GiB, each of 13,500 blocks that no other has, written as the index itself would write them."""
    blocks, length = 13_500, GIB // 13_500
    store = it.db.rows("SELECT id FROM stores")[0]["id"]
    for number in range(gib):
        it.db.transact(partial(_gib, store=store, number=number, blocks=blocks, length=length))
    return gib


def main() -> None:
    if sys.argv[1:2] == ["--digest-only"]:
        digest_only(int(sys.argv[2]), int(sys.argv[3]))
        return
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--size-mib", type=int, default=512)
    parser.add_argument("--only", default="digest,stages,ingest,read,index")
    parser.add_argument("--index-gib", default="10,100", help="sizes of the made-up indexes; 1024 takes minutes")
    asked = parser.parse_args()
    parts: dict[str, Callable[[], None]] = {
        "digest": lambda: digest(asked.rounds, asked.size_mib * MIB),
        "stages": lambda: stages(asked.rounds, min(asked.size_mib, 256) * MIB),
        "ingest": lambda: ingest(asked.rounds, asked.size_mib * MIB),
        "read": lambda: read(asked.rounds, asked.size_mib * MIB),
        "index": lambda: index([int(gib) for gib in asked.index_gib.split(",")]),
    }
    for name in asked.only.split(","):
        parts[name]()


if __name__ == "__main__":
    main()

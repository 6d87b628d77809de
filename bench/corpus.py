"""How much the store saves on disk images: a base, a snapshot of it, and the next release built from scratch.

    python -m bench.corpus [--tree-mib 400] [--disk-mib 2048]

The files are those of Debian packages installed on this machine. Needs mke2fs, debugfs and qemu-img. `saved` is the
share of the pair's non-zero bytes that were not stored because the store had them; half of it is the ceiling.
`recompressed` is what the files take after the collection has compressed with zstd what nobody reads, to before, with
the processor time of that and of reading it.
"""

import argparse
import os
import random
import shutil
import subprocess
import tempfile
import time
from itertools import accumulate
from pathlib import Path

from appliance.blobs.backends.local import LocalBackend
from appliance.blobs.garbage_collection import GarbageCollector
from appliance.blobs.store import BlobStore
from appliance.db.blocks.index import BlockIndex
from appliance.db.engine.registry import open_database
from appliance.values import GIB, MIB

_TOOLS = ("mke2fs", "debugfs", "qemu-img")
_PATH = {**os.environ, "PATH": os.environ.get("PATH", "") + ":/usr/sbin:/sbin"}
_LARGEST = 20 * MIB
_CHANGED_PERCENT = 8


def run(*command: str) -> None:
    subprocess.run(command, check=True, env=_PATH, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def package_files(most: int) -> list[Path]:
    """Regular files of installed packages, in a fixed order, up to so many bytes."""
    found: list[Path] = []
    total = 0
    names = sorted(Path("/var/lib/dpkg/info").glob("*.list"))
    random.Random(1).shuffle(names)
    for listing in names:
        for line in listing.read_text().splitlines():
            path = Path(line)
            if path.is_symlink() or not path.is_file() or not 0 < path.stat().st_size < _LARGEST:
                continue
            found.append(path)
            total += path.stat().st_size
            if total >= most:
                return found
    return found


class Corpus:
    """Builds the three disks."""

    def __init__(self, directory: Path, tree_length: int, disk_length: int) -> None:
        self.directory = directory
        self._disk_length = disk_length
        files = package_files(tree_length + 30 * MIB)
        sizes = accumulate(path.stat().st_size for path in files)
        count = sum(size < tree_length for size in sizes)
        self._files, self._spare = files[:count], files[count:]
        self.tree = directory / "tree"
        for path in self._files:
            self._copy(path)

    def _copy(self, path: Path) -> Path:
        target = self.tree / path.relative_to("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
        return target

    def _format(self, name: str) -> Path:
        disk = self.directory / f"{name}.raw"
        with disk.open("wb") as file:
            file.truncate(self._disk_length)
        run("mke2fs", "-q", "-F", "-t", "ext4", "-d", str(self.tree), str(disk))
        return disk

    def base(self) -> Path:
        return self._format("base")

    def snap(self, base: Path) -> Path:
        """The same disk after 40 files were deleted and 60 added."""
        disk = self.directory / "snap.raw"
        run("cp", "--sparse=always", str(base), str(disk))
        gone = random.Random(2).sample(self._files, 40)
        commands = [f"rm {path}" for path in gone]
        commands += [f"write {path} /added-{number}" for number, path in enumerate(self._spare[:60])]
        script = self.directory / "commands"
        script.write_text("\n".join(commands) + "\n")
        run("debugfs", "-w", "-f", str(script), str(disk))
        return disk

    def rebuild(self) -> Path:
        """The next release: some files changed, on a fresh file system."""
        luck = random.Random(3)
        for path in luck.sample(self._files, len(self._files) * _CHANGED_PERCENT // 100):
            target = self.tree / path.relative_to("/")
            data = bytearray(target.read_bytes())
            at = luck.randrange(len(data))
            data[at:at] = luck.randbytes(max(1, len(data) // 4))
            target.write_bytes(data)
        return self._format("rebuild")


def convert(disk: Path, form: str) -> Path:
    """The disk in another form, beside it."""
    if form == "raw":
        return disk
    target = disk.with_suffix(f".{form}")
    options = {"qcow2": ["-O", "qcow2"], "qcow2c": ["-c", "-O", "qcow2"]}
    options["vmdk"] = ["-O", "vmdk", "-o", "subformat=streamOptimized"]
    run("qemu-img", "convert", "-f", "raw", *options[form], str(disk), str(target))
    return target


class Bed:
    """A fresh store."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        directory.mkdir()
        self.db = open_database(directory / "appliance.db")
        self.index = BlockIndex(self.db)
        self.store = BlobStore(LocalBackend(directory / "blobs"), self.index)
        self.store.open()

    def put(self, path: Path) -> int:
        with self.store.begin() as ingest, path.open("rb") as file:
            while data := file.read(MIB):
                ingest.write(data)
            sealed = ingest.seal()
            return self.db.transact(lambda tx: self.index.commit(tx, sealed))

    def reading(self, contents: list[int]) -> float:
        """The processor time of reading each content once."""
        began = time.process_time()
        for content_id in contents:
            with self.store.open_content(content_id) as content:
                for _ in content.pieces():
                    pass
        return time.process_time() - began

    def close(self) -> None:
        self.store.close()
        self.db.close()
        shutil.rmtree(self.directory)


def pair(directory: Path, first: Path, second: Path) -> str:
    bed = Bed(directory / "pair")
    rows = [bed.store.content(bed.put(path)) for path in (first, second)]
    bed.close()
    data = sum(row.size - row.hole_length for row in rows)
    new = sum(row.new_length for row in rows)
    return f"{100 * (1 - new / data):5.1f} %"


def recompressed(directory: Path, disks: list[Path]) -> str:
    bed = Bed(directory / "recompressed")
    contents = [bed.put(disk) for disk in disks]
    before, read = bed.index.maintenance.totals(), bed.reading(contents)
    began = time.process_time()
    while any(
        step.what == "blocks recompressed" for step in GarbageCollector(bed.store, grace=0, recompress_after=-1).run()
    ):
        pass
    spent = time.process_time() - began
    after, read_again = bed.index.maintenance.totals(), bed.reading(contents)
    bed.close()
    gib = before.unique / GIB
    return (
        f"{after.file / before.file:.2f} of {before.file / MIB:.0f} MiB, {spent / gib:.1f} s a GiB for it; "
        f"{read / gib:.2f} s a GiB to read before, {read_again / gib:.2f} after   goal 0.8"
    )


def together(directory: Path, disks: list[Path]) -> str:
    bed = Bed(directory / "all")
    for disk in disks:
        bed.put(disk)
    totals = bed.index.maintenance.totals()
    bed.close()
    saved = (
        f"holes {totals.holes / MIB:.0f}, dedup {totals.saved_by_dedup / MIB:.0f}, lz4 {totals.saved_by_lz4 / MIB:.0f}"
    )
    share = totals.logical / totals.file
    return f"{totals.logical / MIB:.0f} MiB in {totals.file / MIB:.0f}: 1/{share:.1f} (saved: {saved} MiB)   goal 1/4"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tree-mib", type=int, default=400)
    parser.add_argument("--disk-mib", type=int, default=2048)
    asked = parser.parse_args()
    missing = [tool for tool in _TOOLS if not shutil.which(tool, path=_PATH["PATH"])]
    if missing:
        raise SystemExit(f"this bench needs {', '.join(missing)}")
    directory = Path(tempfile.mkdtemp(prefix="bench-corpus-", dir=os.environ.get("BENCH_DIR")))
    try:
        corpus = Corpus(directory, asked.tree_mib * MIB, asked.disk_mib * MIB)
        base = corpus.base()
        snap = corpus.snap(base)
        rebuild = corpus.rebuild()
        print(together(directory, [base, snap, rebuild]), flush=True)
        print("recompressed:", recompressed(directory, [base]), flush=True)
        forms = [convert(disk, "qcow2") for disk in (base, snap, rebuild)]
        print("with the same as qcow2:", together(directory, [base, snap, rebuild, *forms]), flush=True)
        for form in ("raw", "qcow2", "qcow2c", "vmdk"):
            a, b, c = (convert(disk, form) for disk in (base, snap, rebuild))
            print(
                f"{form:<8} base + snap: saved {pair(directory, a, b)}   base + rebuild: saved {pair(directory, a, c)}",
                flush=True,
            )
    finally:
        shutil.rmtree(directory)


if __name__ == "__main__":
    main()

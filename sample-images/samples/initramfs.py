"""The RAM disk of tiny-linux: BusyBox, the guest's few files, and the kernel modules it loads, as one archive.

The archive is the kernel's "newc" cpio format, written here so that owners, times, order and inode numbers are ours and
no privilege is needed.
"""

import lzma
import re
import stat
import subprocess
from dataclasses import dataclass
from pathlib import Path

from samples import NoSample

FOLDERS = ("bin", "dev", "etc", "home", "lib", "lib/modules", "mnt", "proc", "root", "run", "sys", "tmp", "var")
USER_ID = 1000
DICTIONARY = 8 * 1024 * 1024
DEPENDS = re.compile(rb"\0depends=([^\0]*)\0")


@dataclass(frozen=True)
class Entry:
    """One file of the archive."""

    path: str
    mode: int
    data: bytes = b""
    owner: int = 0
    device: tuple[int, int] = (0, 0)


class Archive:
    """A cpio archive that grows entry by entry."""

    def __init__(self, epoch: int) -> None:
        self._epoch = epoch
        self._parts: list[bytes] = []
        self._count = 0

    def add(self, entry: Entry) -> None:
        """Append a file, folder, link or device."""
        self._count += 1
        self._append(entry, number=self._count, links=2 if stat.S_ISDIR(entry.mode) else 1, time=self._epoch)

    def finish(self) -> bytes:
        """The whole archive."""
        self._append(Entry("TRAILER!!!", 0), number=0, links=1, time=0)
        whole = b"".join(self._parts)
        return whole.ljust(-(-len(whole) // 512) * 512, b"\0")

    def _append(self, entry: Entry, *, number: int, links: int, time: int) -> None:
        name = entry.path.encode() + b"\0"
        fields = (
            *(number, entry.mode, entry.owner, entry.owner, links, time, len(entry.data)),
            *(0, 0, *entry.device, len(name), 0),
        )
        head = b"070701" + b"".join(b"%08X" % field for field in fields) + name
        self._parts += [_to_words(head), _to_words(entry.data)]


def build(packages: Path, release: str, guest: Path, modules: tuple[str, ...], user: str, epoch: int) -> bytes:
    """The compressed RAM disk, from the unpacked packages and the guest's own files."""
    archive = Archive(epoch)
    for folder in FOLDERS:
        archive.add(Entry(folder, stat.S_IFDIR | (0o1777 if folder == "tmp" else 0o755)))
    archive.add(Entry(f"home/{user}", stat.S_IFDIR | 0o755, owner=USER_ID))
    archive.add(Entry("dev/console", stat.S_IFCHR | 0o600, device=(5, 1)))
    archive.add(Entry("dev/null", stat.S_IFCHR | 0o666, device=(1, 3)))
    _add_busybox(archive, packages / "bin" / "busybox")
    loaded = _add_modules(archive, packages / "lib" / "modules" / release, modules)
    archive.add(Entry("etc/modules", stat.S_IFREG | 0o644, "".join(f"{path}\n" for path in loaded).encode()))
    for path in sorted(path for path in guest.rglob("*") if path.is_file()):
        data = path.read_bytes()
        allowed = 0o755 if data.startswith(b"#!") else 0o600 if path.name == "shadow" else 0o644
        archive.add(Entry(str(path.relative_to(guest)), stat.S_IFREG | allowed, data))
    # The kernel sets the dictionary aside in memory before it unpacks: a large one would not fit into a small guest.
    lzma2 = {"id": lzma.FILTER_LZMA2, "preset": 9 | lzma.PRESET_EXTREME, "dict_size": DICTIONARY}
    return lzma.compress(archive.finish(), check=lzma.CHECK_CRC32, filters=[lzma2])


def _add_busybox(archive: Archive, busybox: Path) -> None:
    archive.add(Entry("bin/busybox", stat.S_IFREG | 0o755, busybox.read_bytes()))
    listed = subprocess.run([str(busybox), "--list"], check=True, capture_output=True, text=True).stdout
    for applet in sorted(set(listed.split()) - {"busybox"}):
        archive.add(Entry(f"bin/{applet}", stat.S_IFLNK | 0o777, b"busybox"))


def _add_modules(archive: Archive, tree: Path, wanted: tuple[str, ...]) -> list[str]:
    """Add the modules and what they depend on; the paths in the order in which to load them."""
    known = {_plain(path.name.partition(".ko")[0]): path for path in tree.rglob("*.ko")}
    if not known:
        raise NoSample(f"no plain kernel modules under {tree.name}")
    order: dict[str, Path] = {}

    def visit(name: str) -> None:
        path = known.get(_plain(name))
        if path is None or _plain(name) in order:  # built into the kernel, or seen
            return
        for needed in _dependencies(path):
            visit(needed)
        order[_plain(name)] = path

    for name in wanted:
        visit(name)
    loaded = []
    for name, path in order.items():
        inside = f"lib/modules/{name}.ko"
        archive.add(Entry(inside, stat.S_IFREG | 0o644, path.read_bytes()))
        loaded.append(f"/{inside}")
    return loaded


def _dependencies(module: Path) -> list[str]:
    found = DEPENDS.search(module.read_bytes())
    return [name for name in found.group(1).decode().split(",") if name] if found else []


def _plain(name: str) -> str:
    return name.replace("-", "_")


def _to_words(data: bytes) -> bytes:
    return data.ljust(-(-len(data) // 4) * 4, b"\0")

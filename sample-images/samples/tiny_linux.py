"""Build tiny-linux, the stand-in for CirrOS, from Debian packages: no privilege, no mounts, always the same bytes."""

import shutil
from pathlib import Path

from samples import debian, disk, initramfs, qcow2
from samples.manifest import FOLDER, TinyLinux

FILE = "tiny-linux.qcow2"


def build(recipe: TinyLinux, work: Path, target: Path) -> list[str]:
    """Write the disk image to `target`; the packages it was built from, each with its version."""
    archive = debian.Archive(work / "packages")
    (meta,) = archive.download([recipe.kernel])
    packages = archive.download([archive.kernel_behind(meta), *recipe.packages])
    tree = work / "tree"
    for folder in (tree, work / "disk"):
        shutil.rmtree(folder, ignore_errors=True)
    debian.unpack(packages, tree)
    (kernel,) = (tree / "boot").glob("vmlinuz-*")
    release = kernel.name.removeprefix("vmlinuz-")
    ramdisk = initramfs.build(tree, release, FOLDER / "guest", recipe.modules, recipe.user, recipe.epoch)
    raw = work / "disk.raw"
    tools = disk.Tools(tree, recipe.epoch, recipe.disk_serial)
    disk.build(tools, kernel.read_bytes(), ramdisk, work / "disk", raw)
    qcow2.convert(raw, target)
    for folder in (tree, work / "disk"):
        shutil.rmtree(folder)
    return [f"{package.name} {package.version}" for package in packages]

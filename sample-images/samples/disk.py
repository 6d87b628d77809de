"""A bootable disk: one FAT partition with SYSLINUX, a kernel and a RAM disk, for BIOS and for UEFI machines."""

import os
import struct
import subprocess
from dataclasses import dataclass
from pathlib import Path

SECTOR = 512
START = 1024 * 1024
HEADS, SECTORS = 64, 32
CYLINDER = HEADS * SECTORS * SECTOR
FAT_LBA, BOOTABLE = 0x0C, 0x80
CONFIG = """\
SERIAL 0 115200
DEFAULT linux
PROMPT 0
TIMEOUT 1
LABEL linux
  LINUX /vmlinuz
  INITRD /initrd
  APPEND console=tty0 console=ttyS0,115200n8 quiet panic=10
"""


@dataclass(frozen=True)
class Tools:
    """The unpacked mtools and SYSLINUX, and what makes their output the same every time."""

    root: Path
    epoch: int
    serial: int

    def run(self, *command: str) -> None:
        """Run one of the tools from where it was unpacked."""
        environment = {
            **os.environ,
            "PATH": f"{self.root / 'usr' / 'bin'}:{os.environ['PATH']}",
            "SOURCE_DATE_EPOCH": str(self.epoch),
            "MTOOLSRC": os.devnull,
            "MTOOLS_SKIP_CHECK": "1",
            "TZ": "UTC",
            "LC_ALL": "C",
        }
        subprocess.run(command, check=True, env=environment, stdin=subprocess.DEVNULL, capture_output=True)


def build(tools: Tools, kernel: bytes, ramdisk: bytes, scratch: Path, target: Path) -> None:
    """Write the raw disk to `target`, laying out its files under `scratch` on the way."""
    top = _lay_out(tools, kernel, ramdisk, scratch)
    content = len(kernel) + len(ramdisk) + 1024 * 1024
    partition = -(-content // CYLINDER) * CYLINDER
    with target.open("wb") as disk:
        disk.truncate(START + partition)
    place = f"{target}@@{START}"
    geometry = ("-T", str(partition // SECTOR), "-h", str(HEADS), "-s", str(SECTORS), "-H", str(START // SECTOR))
    tools.run("mformat", "-i", place, *geometry, "-N", f"{tools.serial:08x}", "::")
    tools.run("syslinux", "--install", "--offset", str(START), str(target))
    files = [str(top / name) for name in sorted(os.listdir(top))]
    tools.run("mcopy", "-i", place, "-s", "-m", "-p", "-Q", *files, "::")
    boot_code = (tools.root / "usr/lib/syslinux/mbr/mbr.bin").read_bytes()
    with target.open("r+b") as disk:
        disk.write(_boot_sector(boot_code, tools.serial, partition // SECTOR))


def _lay_out(tools: Tools, kernel: bytes, ramdisk: bytes, top: Path) -> Path:
    uefi = tools.root / "usr/lib/SYSLINUX.EFI/efi64/syslinux.efi"
    uefi_core = tools.root / "usr/lib/syslinux/modules/efi64/ldlinux.e64"
    files = {
        "vmlinuz": kernel,
        "initrd": ramdisk,
        "syslinux.cfg": CONFIG.encode(),
        "EFI/BOOT/BOOTX64.EFI": uefi.read_bytes(),
        "EFI/BOOT/ldlinux.e64": uefi_core.read_bytes(),
        "EFI/BOOT/syslinux.cfg": CONFIG.encode(),
    }
    for name, data in files.items():
        path = top / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    for path in (*top.rglob("*"), top):
        os.utime(path, (tools.epoch, tools.epoch))
    return top


def _boot_sector(code: bytes, serial: int, sectors: int) -> bytes:
    """The first sector: boot code, the disk's identity, and a table with one bootable partition, addressed by LBA."""
    unaddressable = b"\xfe\xff\xff"
    entry = struct.pack("<B3sB3sII", BOOTABLE, unaddressable, FAT_LBA, unaddressable, START // SECTOR, sectors)
    sector = code[:440].ljust(440, b"\0") + struct.pack("<IH", serial, 0) + entry.ljust(64, b"\0")
    return sector + b"\x55\xaa"

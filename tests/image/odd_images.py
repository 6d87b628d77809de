"""Small images of every format that the inspection knows, made field by field so that a test can make them lie."""

import struct
import uuid
from collections.abc import Callable

from appliance.values import KIB, MIB


def qcow2(size: int) -> bytes:
    header = struct.pack(">4sIQIIQ", b"QFI\xfb", 3, 0, 0, 16, size)
    return header.ljust(100, b"\0").ljust(64 * KIB, b"\0")


def vhd(size: int) -> bytes:
    footer = bytearray(b"conectix".ljust(512, b"\0"))
    struct.pack_into(">Q", footer, 40, size)
    return bytes(footer) + bytes(4 * KIB)


def vdi(size: int) -> bytes:
    header = bytearray(b"<<< Oracle VM VirtualBox Disk Image >>>\n".ljust(64, b"\0") + bytes(448))
    struct.pack_into("<I", header, 0x40, 0xBEDA107F)
    struct.pack_into("<Q", header, 0x170, size)
    return bytes(header) + bytes(4 * KIB)


def vmdk(size: int) -> bytes:
    header = struct.pack("<4sIIQQQQIQQ", b"KDMV", 1, 3, size // 512, 128, 1, 20, 512, 0, 21)
    descriptor = (
        b'# Disk DescriptorFile\nversion=1\nCID=fffffffe\nparentCID=ffffffff\ncreateType="monolithicSparse"\n'
        b'RW 8192 SPARSE "disk.vmdk"\n'
    )
    return header.ljust(512, b"\0") + descriptor.ljust(20 * 512, b"\0") + bytes(64 * KIB)


def vhdx(size: int) -> bytes:
    data = bytearray(MIB)
    data[:8] = b"vhdxfile"
    struct.pack_into("<4sIII", data, 192 * KIB, b"regi", 0, 1, 0)
    region = uuid.UUID("8B7CA206-4790-4B9A-B8FE-575F050F886E").bytes_le
    struct.pack_into("<16sQII", data, 192 * KIB + 16, region, 512 * KIB, 64 * KIB, 1)
    struct.pack_into("<8sHH", data, 512 * KIB, b"metadata", 0, 1)
    item = uuid.UUID("2FA54224-CD1B-4876-B211-5DBED83BF4B8").bytes_le
    struct.pack_into("<16sIII", data, 512 * KIB + 32, item, 64 * KIB, 8, 0)
    struct.pack_into("<Q", data, 576 * KIB, size)
    return bytes(data)


def iso(_: int) -> bytes:
    data = bytearray(64 * KIB)
    descriptor = bytearray(2048)
    descriptor[:7] = b"\x01CD001\x01"
    struct.pack_into("<I", descriptor, 80, 32)
    struct.pack_into("<H", descriptor, 128, 2048)
    data[32 * KIB : 34 * KIB] = descriptor
    return bytes(data)


def gpt(_: int) -> bytes:
    data = bytearray(64 * KIB)
    data[446:462] = struct.pack("<B3sB3sII", 0, b"\0\2\0", 0xEE, b"\xff\xff\xff", 1, 127)
    data[510:512] = b"\x55\xaa"
    data[512:520] = b"EFI PART"
    return bytes(data)


def luks() -> bytes:
    header = bytearray(64 * KIB)
    header[:8] = struct.pack(">6sH", b"LUKS\xba\xbe", 1)
    header[8:40] = b"aes".ljust(32, b"\0")
    header[40:72] = b"xts-plain64".ljust(32, b"\0")
    header[72:104] = b"sha256".ljust(32, b"\0")
    struct.pack_into(">I", header, 104, 8)
    return bytes(header)


IMAGES: dict[str, Callable[[int], tuple[bytes, int]]] = {
    "raw": lambda size: (bytes(64 * KIB), 64 * KIB),
    "qcow2": lambda size: (qcow2(size), size),
    "vhd": lambda size: (vhd(size), size),
    "vdi": lambda size: (vdi(size), size),
    "vmdk": lambda size: (vmdk(size), size),
    "vhdx": lambda size: (vhdx(size), size),
    "iso": lambda size: (iso(size), 64 * KIB),
}
"""By disk format: the data of an image whose disk has a size, and the virtual size to be found in it."""

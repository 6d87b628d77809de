"""What the inspection says of images that are odd, lying or broken: taken, refused or of unknown size, and no crash."""

import random
import struct
from collections.abc import Callable

import pytest
from oslo_utils.imageutils import format_inspector

from appliance.errors import UnsupportedFormat
from appliance.image.ingest import Inspection
from appliance.values import KIB, MIB
from tests.image.odd_images import IMAGES, gpt, iso, luks, qcow2, vdi, vhd, vhdx, vmdk

FORMATS = ("raw", "qcow2", "vhd", "vhdx", "vmdk", "vdi", "iso", "ami", "aki", "ploop")
LARGEST = 2**63 - 1


def verdict(data: bytes, declared: str = "raw", *, chunk: int = MIB, must_match: bool = True) -> int | str | None:
    """The virtual size, or the sentence that refuses."""
    inspection = Inspection(declared, must_match=must_match)
    for start in range(0, len(data), chunk):
        inspection.write(data[start : start + chunk])
    try:
        return inspection.verdict()
    except UnsupportedFormat as error:
        return str(error)


@pytest.mark.parametrize("name", IMAGES)
def test_a_sound_image_has_its_virtual_size(name: str) -> None:
    data, size = IMAGES[name](5 * MIB)
    assert verdict(data, name) == size


@pytest.mark.parametrize(
    "data",
    [
        b" " * 512 + b"\x80",
        b"#!/bin/sh\n" * 60 + b"\x80\xff" * 700,
        b'<?xml version="1.0"?>\n' * 40 + "é".encode(),
        b"#cloud-config\n" * 100 + bytes(5000),
        b"\n" * 4096,
        b"plain text " * 100_000 + b"\xff",
    ],
)
def test_text_with_other_bytes_behind_it_is_raw(data: bytes) -> None:
    assert verdict(data) == len(data)
    assert verdict(data, "ami") is None


def test_a_descriptor_is_no_text_whatever_follows() -> None:
    descriptor = b'# Disk DescriptorFile\nversion=1\ncreateType="monolithicFlat"\nRW 9 FLAT "/etc/passwd" 0\n'
    for data in (descriptor, descriptor.ljust(600), descriptor.ljust(600) + b"\x80", descriptor + b"\x80"):
        for declared in ("raw", "vmdk", "ami"):
            assert isinstance(verdict(data, declared), str), (data, declared)


@pytest.mark.parametrize("make", [qcow2, vdi, vhd, vhdx])
@pytest.mark.parametrize("size", [2**31, 2**53, LARGEST, 2**63, 2**64 - 1])
def test_a_virtual_size_is_what_a_disk_can_have(make: Callable[[int], bytes], size: int) -> None:
    found = verdict(make(size), make.__name__)
    assert found == size if size <= LARGEST else "can't be" in str(found)


@pytest.mark.parametrize("sectors", [2**22, 2**53 // 512, 2**54 - 1, 2**54, 2**63, 2**64 - 1])
def test_a_size_in_sectors_is_what_a_disk_can_have(sectors: int) -> None:
    found = verdict(vmdk(sectors * 512), "vmdk")
    assert found == sectors * 512 if sectors * 512 <= LARGEST else "can't be" in str(found)


def test_an_image_in_two_formats_is_refused_but_an_iso_may_boot_from_a_disk() -> None:
    hybrid = bytearray(iso(0))
    hybrid[:512] = gpt(0)[:512]
    assert verdict(bytes(hybrid), "iso") == len(hybrid)
    for declared in ("raw", "qcow2", "ami"):
        assert isinstance(verdict(bytes(hybrid), declared), str)


def test_a_kernel_may_look_like_a_broken_partition_table() -> None:
    broken = bytearray(gpt(0))
    broken[446:510] = bytes(64)
    broken[446] = 0x11
    assert isinstance(verdict(bytes(broken), "raw"), str)
    assert verdict(bytes(broken), "raw", must_match=False) == "Image failed safety checks"
    assert Inspection("aki", must_match=False).verdict() is None
    assert verdict(bytes(broken), "aki", must_match=False) is None


def test_an_inspector_that_breaks_is_no_failure_of_the_service(monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken(format_inspector.QcowInspector):
        @property
        def virtual_size(self) -> int:
            raise ZeroDivisionError

    monkeypatch.setitem(format_inspector.ALL_FORMATS, "qcow2", Broken)
    assert verdict(qcow2(MIB), "qcow2") == "Image format inspection failed"
    assert verdict(qcow2(MIB), "qcow2", must_match=False) is None


def test_chunks_may_be_cut_anywhere() -> None:
    for name, make in IMAGES.items():
        data, size = make(3 * MIB)
        assert {verdict(data, name, chunk=chunk) for chunk in (1 * KIB, 4095, 64 * KIB)} == {size}, name


def mutated(rounds: int, seed: int) -> None:
    """Sound images of every format with a few bytes changed, cut off or put over one another, declared as anything."""
    source = random.Random(seed)
    makers: list[Callable[[int], tuple[bytes, int]]] = [
        *IMAGES.values(),
        lambda _: (luks(), 0),
        lambda _: (b"text\n" * 400, 0),
    ]
    edges = (0, 1, 0x7F, 0x80, 0xFF)
    for _ in range(rounds):
        data = bytearray(source.choice(makers)(source.choice([0, 512, MIB, 2**40]))[0])
        for _ in range(source.randrange(1, 12)):
            width = source.choice([1, 2, 4, 8])
            at = source.randrange(0, min(len(data), source.choice([64, 512, 4096, len(data)])))
            value = bytes(source.choice(edges) for _ in range(width))
            data[at : at + width] = value if source.random() < 0.7 else source.randbytes(width)
        if source.random() < 0.3:
            other = source.choice(makers)(512)[0]
            data[: min(len(other), 4096)] = other[:4096]
        if source.random() < 0.3:
            del data[source.randrange(1, len(data)) :]
        found = verdict(bytes(data), source.choice(FORMATS), chunk=source.choice([512, 4096, MIB]))
        assert found is None or isinstance(found, str) or 0 < found <= LARGEST


def test_no_header_breaks_the_inspection() -> None:
    mutated(150, 1)


@pytest.mark.slow
def test_no_header_breaks_the_inspection_for_long() -> None:
    mutated(20_000, 2)


def test_a_luks_header_that_reaches_past_the_end_has_no_size_below_zero() -> None:
    data = bytearray(luks())
    struct.pack_into(">I", data, 104, 2**31)
    assert isinstance(verdict(bytes(data), "luks"), str)

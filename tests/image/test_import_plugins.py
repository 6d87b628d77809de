"""What imported bytes go through on their way in."""

import bz2
import gzip
import io
import lzma
import random
import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest

from appliance.errors import Invalid, UnsupportedFormat
from appliance.image.import_plugins import Decompressed, Plugins
from appliance.image.import_sources import Offer
from appliance.settings import Settings
from appliance.values import Caller

DATA = random.Random(3).randbytes(100_000) + bytes(5_000_000)


def zipped(data: bytes, names: tuple[str, ...] = ("disk.raw",)) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in names:
            archive.writestr(name, data)
    return file.getvalue()


def everything(source: object) -> bytes:
    parts = []
    while part := source.read(70_000):  # type: ignore[attr-defined]
        assert len(part) <= 70_000
        parts.append(part)
    return b"".join(parts)


@pytest.mark.parametrize("compress", [gzip.compress, bz2.compress, lzma.compress])
def test_a_compressed_stream_is_undone(compress: object) -> None:
    packed = compress(DATA)  # type: ignore[operator]
    assert everything(Decompressed(io.BytesIO(packed))) == DATA
    assert everything(Decompressed(io.BytesIO(packed + packed))) == DATA + DATA, "members follow each other"


@pytest.mark.parametrize("data", [b"", b"x", b"\x1f", b"plain bytes", bytes(100)])
def test_what_is_not_compressed_passes(data: bytes) -> None:
    assert everything(Decompressed(io.BytesIO(data))) == data


@pytest.mark.parametrize("compress", [gzip.compress, bz2.compress, lzma.compress])
@pytest.mark.parametrize("harm", ["cut", "flip"])
def test_damaged_streams_are_refused(compress: object, harm: str) -> None:
    packed = bytearray(compress(DATA))  # type: ignore[operator]
    if harm == "cut":
        del packed[-20:]
    else:
        packed[len(packed) // 2] ^= 0xFF
    with pytest.raises(UnsupportedFormat):
        everything(Decompressed(io.BytesIO(bytes(packed))))


def plugins(directory: Path, *names: str, **more: object) -> Plugins:
    return Plugins(Settings(data_dir=directory, image_import_plugins=names, **more))  # type: ignore[arg-type]


def test_a_zip_archive_of_one_file_is_unpacked(tmp_path: Path) -> None:
    packed = zipped(DATA)
    with plugins(tmp_path, "image_decompression").applied(Offer(io.BytesIO(packed), len(packed)), "raw") as (made, _):
        assert everything(made.source) == DATA and made.size is None
    assert list((tmp_path / "tmp").iterdir()) == []


@pytest.mark.parametrize("packed", [zipped(DATA, ("a", "b")), zipped(DATA)[:5000]])
def test_other_archives_are_refused(tmp_path: Path, packed: bytes) -> None:
    with pytest.raises(UnsupportedFormat):
        with plugins(tmp_path, "image_decompression").applied(Offer(io.BytesIO(packed), None), "raw") as (made, _):
            everything(made.source)


def test_without_plugins_the_offer_stays_what_it_is(tmp_path: Path) -> None:
    offer = Offer(io.BytesIO(b"x"), 1, ("main", 5))
    with plugins(tmp_path, "no_op").applied(offer, "qcow2") as made:
        assert made == (offer, "qcow2")


@pytest.mark.skipif(shutil.which("qemu-img") is None, reason="qemu-img is not installed")
def test_an_image_is_converted(tmp_path: Path) -> None:
    raw = tmp_path / "disk.raw"
    raw.write_bytes(DATA[: len(DATA) // 512 * 512])
    subprocess.run(["qemu-img", "convert", "-O", "qcow2", raw, tmp_path / "disk.qcow2"], check=True)
    with (tmp_path / "disk.qcow2").open("rb") as file:
        with plugins(tmp_path, "image_conversion").applied(Offer(file, None), "qcow2") as (made, disk_format):
            assert disk_format == "raw" and everything(made.source) == raw.read_bytes()


def test_what_is_to_be_converted_is_checked_first(tmp_path: Path) -> None:
    if shutil.which("qemu-img") is None:
        pytest.skip("qemu-img is not installed")
    with pytest.raises(UnsupportedFormat):
        with plugins(tmp_path, "image_conversion").applied(Offer(io.BytesIO(DATA), None), "qcow2"):
            raise AssertionError("it was taken")


def test_properties_are_injected_but_not_for_some_roles(tmp_path: Path) -> None:
    injecting = plugins(
        tmp_path, "inject_image_metadata", inject_properties=("a:b", "c:d:e"), inject_ignore_user_roles=("Admin",)
    )
    assert injecting.injected(Caller("u", roles=frozenset({"member"}))) == {"a": "b", "c": "d:e"}
    assert injecting.injected(Caller("u", roles=frozenset({"member", "admin"}))) == {}


def test_an_unknown_plugin_is_refused_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(Invalid):
        plugins(tmp_path, "image_polishing")

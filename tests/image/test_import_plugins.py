"""What imported bytes go through on their way in."""

import bz2
import gzip
import io
import lzma
import random
import shutil
import struct
import subprocess
import tracemalloc
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from appliance.errors import Invalid, LimitExceeded, StorageFull, Unavailable, UnsupportedFormat
from appliance.image.conversion import Workspace
from appliance.image.decompression import Decompressed
from appliance.image.imports.plugins import Plugins
from appliance.image.imports.sources import Offer
from appliance.image.ingest import Limits
from appliance.settings import Settings
from appliance.values import GIB, KIB, MIB, Caller

CAP = Limits(None, GIB)

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


def plugins(directory: Path, *names: str, check: Callable[[], None] = lambda: None, **more: object) -> Plugins:
    settings = Settings(data_dir=directory, image_import_plugins=names, **more)  # type: ignore[arg-type]
    return Plugins(settings, Workspace(settings), check)


def test_a_zip_archive_of_one_file_is_unpacked(tmp_path: Path) -> None:
    packed = zipped(DATA)
    with plugins(tmp_path, "image_decompression").applied(Offer(io.BytesIO(packed), len(packed)), "raw", CAP) as (
        made,
        _,
    ):
        assert everything(made.source) == DATA and made.size is None
    assert list((tmp_path / "tmp").iterdir()) == []


@pytest.mark.parametrize("packed", [zipped(DATA, ("a", "b")), zipped(DATA)[:5000]])
def test_other_archives_are_refused(tmp_path: Path, packed: bytes) -> None:
    with pytest.raises(UnsupportedFormat):
        with plugins(tmp_path, "image_decompression").applied(Offer(io.BytesIO(packed), None), "raw", CAP) as (made, _):
            everything(made.source)


def test_without_plugins_the_offer_stays_what_it_is(tmp_path: Path) -> None:
    offer = Offer(io.BytesIO(b"x"), 1, ("main", 5))
    with plugins(tmp_path, "no_op").applied(offer, "qcow2", CAP) as made:
        assert made == (offer, "qcow2")


def test_a_dictionary_of_gigabytes_is_refused() -> None:
    filters = [{"id": lzma.FILTER_LZMA2, "preset": 0, "dict_size": 1 << 20}]
    packed = bytearray(lzma.compress(DATA, filters=filters))
    at = packed.index(b"\x21\x01", 12)
    packed[at + 2] = 39  # 3 GiB
    header = slice(12, 12 + (packed[12] + 1) * 4)
    packed[header.stop - 4 : header.stop] = struct.pack("<I", zlib.crc32(packed[header.start : header.stop - 4]))
    tracemalloc.start()
    with pytest.raises(UnsupportedFormat, match="[Mm]emory"):
        everything(Decompressed(io.BytesIO(bytes(packed))))
    assert tracemalloc.get_traced_memory()[1] < 16 * MIB
    tracemalloc.stop()


@pytest.mark.parametrize("compress", [gzip.compress, bz2.compress, lzma.compress, zipped])
def test_a_bomb_swells_a_step_at_a_time(tmp_path: Path, compress: Callable[[bytes], bytes]) -> None:
    packed = compress(bytes(24 * MIB))
    tracemalloc.start()
    with plugins(tmp_path, "image_decompression").applied(Offer(io.BytesIO(packed), None), "raw", CAP) as (made, _):
        got = sum(len(made.source.read(MIB)) for _ in range(20))
    assert 0 < got <= 20 * MIB and tracemalloc.get_traced_memory()[1] < 12 * MIB
    tracemalloc.stop()


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_an_archive_that_unpacks_without_bounds_is_refused(tmp_path: Path, method: int) -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        archive.writestr("disk.raw", DATA)
    file.seek(0)
    with pytest.raises(UnsupportedFormat, match="deflate"):
        with plugins(tmp_path, "image_decompression").applied(Offer(file, None), "raw", CAP) as (_, _):
            raise AssertionError("it was taken")


def test_an_archive_that_is_all_directory_is_refused(tmp_path: Path) -> None:
    packed = zipped(b"", tuple(f"{number:0200}" for number in range(6000)))
    with pytest.raises(UnsupportedFormat, match="too long"):
        with plugins(tmp_path, "image_decompression").applied(Offer(io.BytesIO(packed), None), "raw", CAP) as (_, _):
            raise AssertionError("it was taken")


def test_what_is_spooled_keeps_the_cap(tmp_path: Path) -> None:
    packed = zipped(random.Random(1).randbytes(100_000))
    limits = Limits(None, 10_000)
    with pytest.raises(LimitExceeded):
        with plugins(tmp_path, "image_decompression").applied(Offer(io.BytesIO(packed), None), "raw", limits):
            raise AssertionError("it was taken")
    assert list((tmp_path / "tmp").iterdir()) == []


def test_the_files_of_all_imports_have_one_bound(tmp_path: Path) -> None:
    bounded = plugins(tmp_path, "image_decompression", import_workspace_size=100 * KIB)
    (tmp_path / "tmp" / "import-other").mkdir(parents=True)
    (tmp_path / "tmp" / "import-other" / "source").write_bytes(random.Random(1).randbytes(120 * KIB))
    with pytest.raises(StorageFull):
        with bounded.applied(Offer(io.BytesIO(zipped(DATA)), None), "raw", CAP):
            raise AssertionError("it was taken")


def test_what_a_killed_import_has_left_is_removed_at_the_start(tmp_path: Path) -> None:
    left = tmp_path / "tmp" / "import-abc"
    left.mkdir(parents=True)
    (left / "source").write_bytes(b"x")
    (tmp_path / "tmp" / "other").mkdir()
    Workspace(Settings(data_dir=tmp_path)).clear()
    assert [entry.name for entry in (tmp_path / "tmp").iterdir()] == ["other"]


def test_a_decompression_can_be_called_off_while_nothing_comes_of_it(tmp_path: Path) -> None:
    stopped = iter([None] * 3)

    def check() -> None:
        if next(stopped, 0) == 0:
            raise Unavailable("The service is stopping.")

    endless = io.BytesIO(gzip.compress(b"") * 100_000)
    stoppable = plugins(tmp_path, "image_decompression", check=check)
    with pytest.raises(Unavailable):
        with stoppable.applied(Offer(endless, None), "raw", CAP) as (made, _):
            made.source.read(1)


@pytest.mark.skipif(shutil.which("qemu-img") is None, reason="qemu-img is not installed")
def test_an_image_is_converted(tmp_path: Path) -> None:
    raw = tmp_path / "disk.raw"
    raw.write_bytes(DATA[: len(DATA) // 512 * 512])
    subprocess.run(["qemu-img", "convert", "-O", "qcow2", raw, tmp_path / "disk.qcow2"], check=True)
    with (tmp_path / "disk.qcow2").open("rb") as file:
        with plugins(tmp_path, "image_conversion").applied(Offer(file, None), "qcow2", CAP) as (made, disk_format):
            assert disk_format == "raw" and everything(made.source) == raw.read_bytes()


def test_what_is_to_be_converted_is_checked_first(tmp_path: Path) -> None:
    if shutil.which("qemu-img") is None:
        pytest.skip("qemu-img is not installed")
    with pytest.raises(UnsupportedFormat):
        with plugins(tmp_path, "image_conversion").applied(Offer(io.BytesIO(DATA), None), "qcow2", CAP):
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

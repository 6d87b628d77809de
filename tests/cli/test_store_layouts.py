"""Whatever stores `serve` had, verbs that know only the directory find all of them; an empty copy is no success."""

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.conftest import Program
from tests.e2e.conftest import Appliance

LAYOUTS = {
    "one": (),
    "named": ("--enabled-backends", "fast:file"),
    "several": ("--enabled-backends", "main:file,slow:file"),
    "outside": ("--enabled-backends", "main:file,far:file:{outside}", "--default-backend", "far"),
    "web": ("--enabled-backends", "fast:file,web:http"),
    "cache": ("--enabled-backends", "fast:file", "--image-cache-dir", "{outside}"),
}


def create(program: Program, directory: Path, data: bytes) -> str:
    made = program(
        "image", "create", "x", "--data-dir", directory, "--disk-format", "raw", "--file", "-", "-f", "json", stdin=data
    )  # fmt: skip
    image: str = made.json["id"]
    return image


@pytest.fixture(params=LAYOUTS)
def stopped(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Path, str, bytes]]:
    """A directory that `serve` used with these stores, the id of an image in it, and the image's data."""
    (tmp_path / "outside").mkdir()
    flags = [flag.format(outside=tmp_path / "outside" / "place") for flag in LAYOUTS[request.param]]
    served = Appliance(tmp_path / "data", *flags)
    data = os.urandom(300_000)
    try:
        image = create(Program(tmp_path), tmp_path / "data", data)
    finally:
        assert served.stop() == 0
    yield tmp_path / "data", image, data


def test_a_backup_is_restored_byte_for_byte(stopped: tuple[Path, str, bytes], tmp_path: Path) -> None:
    directory, image, data = stopped
    program = Program(tmp_path)
    told = program("backup", "--data-dir", directory, tmp_path / "backup").text
    assert not told.startswith("0 segments copied")
    shutil.rmtree(directory)
    shutil.rmtree(tmp_path / "outside")
    (tmp_path / "outside").mkdir()
    told = program("restore", "--data-dir", tmp_path / "new", tmp_path / "backup").text
    assert "every byte was read back" in told
    record = json.loads((tmp_path / "new" / "stores.json").read_text())
    flags = ["--enabled-backends", ",".join(record["enabled_backends"])] if record["enabled_backends"] else []
    served = Appliance(tmp_path / "new", *flags)
    try:
        program("image", "save", image, "--data-dir", tmp_path / "new", "--file", tmp_path / "again")
    finally:
        assert served.stop() == 0
    assert (tmp_path / "again").read_bytes() == data


def test_other_verbs_find_the_stores_too(stopped: tuple[Path, str, bytes], tmp_path: Path) -> None:
    directory, image, _ = stopped
    program = Program(tmp_path)
    stats = program("store", "stats", "--data-dir", directory, "-f", "json").json
    assert sum(store["contents"] for store in stats) == 1
    assert "nothing is wrong" in program("doctor", "--data-dir", directory).text
    for path in directory.glob("appliance.db*"):
        path.unlink()
    told = program("doctor", "--rebuild", "--data-dir", directory).text
    assert "1 images are back" in told


def test_settings_that_lack_a_store_are_refused(tmp_path: Path) -> None:
    served = Appliance(tmp_path / "data", "--enabled-backends", "fast:file")
    assert served.stop() == 0
    program = Program(tmp_path)
    ended = program(
        "backup", "--data-dir", tmp_path / "data", "--enabled-backends", "other:file", tmp_path / "backup", code=1
    )
    assert "has the store fast too" in ended.sentence()


def test_a_store_whose_disk_is_not_there_is_told_and_not_made_anew(tmp_path: Path) -> None:
    place = tmp_path / "outside"
    flags = ("--enabled-backends", f"far:file:{place}")
    served = Appliance(tmp_path / "data", *flags)
    program = Program(tmp_path)
    try:
        create(program, tmp_path / "data", os.urandom(100_000))
    finally:
        assert served.stop() == 0
    shutil.move(place, tmp_path / "moved")
    said = program("backup", "--data-dir", tmp_path / "data", tmp_path / "backup", code=1).sentence()
    assert "is its disk mounted?" in said
    said = program("doctor", "--data-dir", tmp_path / "data", code=1).sentence()
    assert "is its disk mounted?" in said


def test_a_rebuild_without_one_of_the_stores_is_refused(tmp_path: Path) -> None:
    place = tmp_path / "outside"
    served = Appliance(tmp_path / "data", "--enabled-backends", f"main:file,far:file:{place}")
    assert served.stop() == 0
    shutil.move(place, tmp_path / "moved")
    for path in (tmp_path / "data").glob("appliance.db*"):
        path.unlink()
    program = Program(tmp_path)
    said = program("doctor", "--rebuild", "--data-dir", tmp_path / "data", code=1).sentence()
    assert said.startswith(f"{place}, the directory of the store far, is not there: mount its disk")
    place.mkdir()
    program("doctor", "--rebuild", "--data-dir", tmp_path / "data")


def test_a_rebuild_of_a_directory_without_stored_data_is_refused_and_makes_nothing(tmp_path: Path) -> None:
    said = Program(tmp_path)("doctor", "--rebuild", "--data-dir", tmp_path / "mistyped", code=1).sentence()
    assert "has no stored data to make a database from" in said
    assert not (tmp_path / "mistyped").exists()


def test_a_restore_of_what_is_no_backup_makes_nothing(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    said = Program(tmp_path)("restore", "--data-dir", tmp_path / "new", tmp_path / "other", code=1).sentence()
    assert said.endswith("is not a backup: it has no database")
    assert not (tmp_path / "new").exists()


def test_a_store_in_a_place_that_is_not_there_is_told_by_its_path(tmp_path: Path) -> None:
    flags = ("--image-port", "0", "--identity-port", "0", "--enabled-backends", f"far:file:{tmp_path}/disk/far")
    said = Program(tmp_path)("serve", "--data-dir", tmp_path / "data", *flags, code=1).sentence()
    assert said == f"{tmp_path}/disk, where the store far is to be, is not there: make it first, or mount its disk"
    assert not (tmp_path / "data").exists()


def test_a_rebuild_counts_an_image_in_two_stores_once(tmp_path: Path) -> None:
    program = Program(tmp_path)
    served = Appliance(tmp_path / "data", "--enabled-backends", "main:file,slow:file")
    try:
        image = create(program, tmp_path / "data", os.urandom(300_000))
        program("image", "import", image, "--data-dir", tmp_path / "data", "--copy", "--store", "slow", "--wait")
    finally:
        assert served.stop() == 0
    for path in (tmp_path / "data").glob("appliance.db*"):
        path.unlink()
    told = program("doctor", "--rebuild", "--data-dir", tmp_path / "data").text
    assert told.startswith("1 images are back\n1 of them are private and active")

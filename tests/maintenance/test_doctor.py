"""The doctor finds what does not fit, gives back what nothing names, and brings images back without a database."""

import os
import sqlite3
from pathlib import Path

import pytest

from appliance.blobs.garbage_collection import GarbageCollector
from appliance.db.engine.base import Tx
from appliance.db.engine.files import salvage
from appliance.errors import ApplianceError
from appliance.image.changes import Change
from appliance.maintenance.doctor import Doctor
from appliance.values import now
from tests.data_directory import ADMIN, Opened, data, opened


def kinds(it: Opened, *, deep: bool = False) -> set[str]:
    return {finding.kind for finding in Doctor(it.db, it.stores, now).examine(deep=deep)}


def test_a_sound_directory_has_no_findings(tmp_path: Path) -> None:
    with opened(tmp_path) as it:
        it.add(data())
        assert kinds(it, deep=True) == set()


def test_a_content_that_no_image_names_is_found_and_given_back(tmp_path: Path) -> None:
    with opened(tmp_path) as it:
        it.add(data())
        with it.blobs.begin() as ingest:
            ingest.write(data())
            it.db.transact(lambda tx: it.blobs.index.commit(tx, ingest.seal()))
        assert kinds(it) == {"content-unnamed"}
        assert Doctor(it.db, it.stores, now).repair() == ["released 1 contents of the store main that no image named"]
        assert kinds(it) == set()


def test_an_image_whose_content_is_gone_is_found(tmp_path: Path) -> None:
    with opened(tmp_path) as it:
        image = it.images.finder.get(ADMIN, it.add(data()))

        def change(tx: Tx) -> None:
            assert image.locations[0].content_id is not None
            it.blobs.index.release(tx, image.locations[0].content_id)

        it.db.transact(change)
        assert "image-lost" in kinds(it)


def test_a_missing_segment_and_a_file_that_nobody_names_are_found(tmp_path: Path) -> None:
    with opened(tmp_path) as it:
        it.add(data())
        for name in it.segments():
            path = it.segment_file(name)
            path.rename(path.with_name("00000000000000000000000000000000.seg"))
        assert {"segment-missing", "segment-orphan"} <= kinds(it)


def test_a_flipped_bit_names_the_images_that_suffer_and_an_upload_heals_them(tmp_path: Path) -> None:
    with opened(tmp_path) as it:
        stored = data()
        image = it.add(stored)
        path = it.segment_file(next(iter(it.segments())))
        rotten = bytearray(path.read_bytes())
        rotten[1000] ^= 0x10
        path.write_bytes(rotten)
        found = [finding for finding in Doctor(it.db, it.stores, now).examine(deep=True)]
        assert any(finding.kind == "image-damaged" and image in finding.text for finding in found)
        with pytest.raises(ApplianceError):
            it.read(image)
        it.add(stored)
        assert it.read(image) == stored
        assert "image-damaged" not in kinds(it, deep=True)


def test_a_lost_database_is_rebuilt_from_the_segments(tmp_path: Path) -> None:
    first, second, gone = data(), data(), data()
    with opened(tmp_path) as it:
        one, two = it.add(first, "one"), it.add(first + second, "two")
        it.images.delete(ADMIN, deleted := it.add(gone, "deleted"))
        GarbageCollector(it.blobs, grace=0).run()
    for path in tmp_path.glob("appliance.db*"):
        path.unlink()
    with opened(tmp_path, lost_index=True) as it:
        recovery = Doctor(it.db, it.stores, now).rebuild()
        assert (sorted(recovery.images), recovery.damage) == (sorted([one, two]), [])
        assert (it.read(one), it.read(two)) == (first, first + second)
        image = it.images.finder.get(ADMIN, one)
        assert (image.name, image.visibility, image.owner, image.tags) == ("one", "private", "p", ["t"])
        assert (image.properties, image.status) == ({"k": "v"}, "active")
        assert deleted not in recovery.images
        assert kinds(it, deep=True) == set()


def test_a_rebuild_can_be_run_again(tmp_path: Path) -> None:
    with opened(tmp_path) as it:
        one = it.add(data())
    for path in tmp_path.glob("appliance.db*"):
        path.unlink()
    with opened(tmp_path, lost_index=True) as it:
        doctor = Doctor(it.db, it.stores, now)
        assert doctor.rebuild().images == [one]
        assert doctor.rebuild().images == [one]


def test_what_a_damaged_database_still_tells_of_images_is_taken_over(tmp_path: Path) -> None:
    with opened(tmp_path) as it:
        bad, kept, plain = it.add(data(), "bad"), it.add(data(), "kept"), it.add(data(), "plain", "private")
        it.images.deactivate(ADMIN, bad)
        it.images.update(ADMIN, kept, [Change("replace", ("protected",), True)])
    aside = tmp_path / "aside"
    (tmp_path / "appliance.db").rename(aside)
    with open(aside, "r+b") as file:
        file.seek(aside.stat().st_size - 4096)
        file.write(os.urandom(4096))
    with opened(tmp_path, lost_index=True) as it:
        recovery = Doctor(it.db, it.stores, now).rebuild(salvage(aside))
        assert (len(recovery.images), recovery.as_before) == (3, 3)
        images = {image: it.images.finder.get(ADMIN, image) for image in (bad, kept, plain)}
        assert images[bad].status == "deactivated"
        assert (images[kept].protected, images[kept].visibility) == (True, "public")
        assert (images[plain].status, images[plain].visibility) == ("active", "private")


def test_nothing_can_be_taken_over_from_what_is_no_database(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(os.urandom(9000))
    assert salvage(tmp_path / "x") == {}
    assert salvage(tmp_path / "nothing") == {}


def test_damage_to_the_database_is_told(tmp_path: Path) -> None:
    with opened(tmp_path) as it:
        for number in range(9):
            it.add(data(20_000), f"image {number}")
    database = tmp_path / "appliance.db"
    with sqlite3.connect(database) as connection:
        (page,) = connection.execute(
            "SELECT rootpage FROM sqlite_master WHERE name = 'image_locations_by_image'"
        ).fetchone()
    connection.close()
    with open(database, "r+b") as file:
        file.seek((page - 1) * 4096)
        file.write(os.urandom(4096))
    with opened(tmp_path) as it:
        assert "database-damaged" in kinds(it)

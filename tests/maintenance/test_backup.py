"""A backup of a live directory is a directory that works; a second one copies what is new; restoring verifies."""

import os
import threading
from pathlib import Path

import pytest

from appliance.blobs.backends.base import Backend
from appliance.blobs.backends.local import LocalBackend
from appliance.blobs.garbage_collection import GarbageCollector
from appliance.datadir import DataDir
from appliance.errors import Fatal
from appliance.maintenance.backup import back_up, restore
from appliance.maintenance.doctor import Doctor
from appliance.values import now
from tests.data_directory import ADMIN, data, opened


def stores_of(path: Path) -> dict[str, Backend]:
    return {"main": LocalBackend(DataDir(path).blobs)}


def test_a_backup_of_a_live_directory_reads_back(tmp_path: Path) -> None:
    first, second = data(), data()
    with opened(tmp_path / "live") as live:
        one, two = live.add(first), live.add(second)
        report = back_up(live.directory, tmp_path / "backup", stores_of(tmp_path / "live"))
        assert (report.copied, report.kept, report.missing) == (2, 0, [])
    with opened(tmp_path / "backup") as backup:
        assert (backup.read(one), backup.read(two)) == (first, second)
        assert list(Doctor(backup.db, backup.stores, now).examine(deep=True)) == []


def test_a_second_backup_copies_what_is_new_and_drops_what_is_gone(tmp_path: Path) -> None:
    with opened(tmp_path / "live") as live:
        # Nothing in common, so that the old segment goes as a whole.
        old = live.add(os.urandom(300_000))
        back_up(live.directory, tmp_path / "backup", stores_of(tmp_path / "live"))
        kept = os.urandom(300_000)
        new = live.add(kept)
        live.images.delete(ADMIN, old)
        GarbageCollector(live.blobs, grace=0).run()
        report = back_up(live.directory, tmp_path / "backup", stores_of(tmp_path / "live"))
        assert (report.copied, report.removed) == (1, 1)
    with opened(tmp_path / "backup") as backup:
        assert backup.read(new) == kept
        assert len(backup.segments()) == 1


def test_what_is_stored_during_a_backup_does_no_harm(tmp_path: Path) -> None:
    contents: dict[str, bytes] = {}
    stop = threading.Event()
    with opened(tmp_path / "live") as live:

        def add() -> None:
            while not stop.is_set():
                fresh = data(50_000)
                contents[live.add(fresh)] = fresh

        thread = threading.Thread(target=add)
        thread.start()
        try:
            for _ in range(3):
                assert back_up(live.directory, tmp_path / "backup", stores_of(tmp_path / "live")).missing == []
        finally:
            stop.set()
            thread.join()
    with opened(tmp_path / "backup") as backup:
        assert list(Doctor(backup.db, backup.stores, now).examine(deep=True)) == []


def test_segments_are_not_removed_while_another_process_holds_them(tmp_path: Path) -> None:
    directory = DataDir(tmp_path)
    with directory.removing_segments() as allowed:
        assert allowed
    with DataDir(tmp_path).hold_segments(), directory.removing_segments() as allowed:
        assert not allowed
    with directory.removing_segments() as allowed:
        assert allowed


def test_what_a_killed_backup_left_half_way_is_cleared_away(tmp_path: Path) -> None:
    stored = data()
    with opened(tmp_path / "live") as live:
        image = live.add(stored)
        back_up(live.directory, tmp_path / "backup", stores_of(tmp_path / "live"))
        for name in live.segments():
            (tmp_path / "backup/blobs/segments" / f"{name}.seg").unlink()
            (tmp_path / "backup/blobs/staging" / f"{name}.seg").write_bytes(b"half")
        (tmp_path / "backup/appliance.db.staged").write_bytes(b"half")
        (tmp_path / "backup/appliance.db.copy").write_bytes(b"half")
        assert back_up(live.directory, tmp_path / "backup", stores_of(tmp_path / "live")).copied == 1
    assert list((tmp_path / "backup/blobs/staging").iterdir()) == []
    with opened(tmp_path / "backup") as backup:
        assert backup.read(image) == stored


def test_the_collection_waits_for_a_backup_that_another_process_makes(tmp_path: Path) -> None:
    with opened(tmp_path) as live:
        live.images.delete(ADMIN, live.add(os.urandom(300_000)))
        with DataDir(tmp_path).hold_segments():
            GarbageCollector(live.blobs, grace=0).run()
            assert len(live.segments()) == 1
        GarbageCollector(live.blobs, grace=0).run()
        assert live.segments() == set()


def test_a_restored_directory_is_the_one_that_was_backed_up(tmp_path: Path) -> None:
    stored = data()
    with opened(tmp_path / "live") as live:
        image = live.add(stored)
        back_up(live.directory, tmp_path / "backup", stores_of(tmp_path / "live"))
    target = DataDir(tmp_path / "restored")
    target.acquire("restore")
    report = restore(tmp_path / "backup", target, stores_of(tmp_path / "restored"))
    target.release()
    assert report.missing == []
    with opened(tmp_path / "restored") as restored:
        assert restored.read(image) == stored


def test_a_damaged_backup_is_found_out(tmp_path: Path) -> None:
    with opened(tmp_path / "live") as live:
        live.add(data())
        back_up(live.directory, tmp_path / "backup", stores_of(tmp_path / "live"))
    segment = next((tmp_path / "backup" / "blobs" / "segments").iterdir())
    rotten = bytearray(segment.read_bytes())
    rotten[len(rotten) // 2] ^= 1
    segment.write_bytes(rotten)
    with opened(tmp_path / "backup") as backup:
        kinds = {finding.kind for finding in Doctor(backup.db, backup.stores, now).examine(deep=True)}
        assert "image-damaged" in kinds


def test_a_missing_segment_is_reported_and_the_rest_is_copied(tmp_path: Path) -> None:
    with opened(tmp_path / "live") as live:
        live.add(data())
        lost = live.segments()
        live.add(data())
        for name in lost:
            live.blobs.backend.delete(name)
        report = back_up(live.directory, tmp_path / "backup", stores_of(tmp_path / "live"))
        assert (report.missing, report.copied) == (sorted(lost), 1)


def test_targets_that_are_no_backup_are_refused(tmp_path: Path) -> None:
    with opened(tmp_path / "live") as live:
        (tmp_path / "docs").mkdir()
        (tmp_path / "docs" / "letter").write_text("dear")
        with pytest.raises(Fatal, match="neither empty nor a backup"):
            back_up(live.directory, tmp_path / "docs", stores_of(tmp_path / "live"))
        with pytest.raises(Fatal, match="must not lie in one another"):
            back_up(live.directory, tmp_path / "live" / "backup", stores_of(tmp_path / "live"))
    with pytest.raises(Fatal, match="has no database"):
        back_up(DataDir(tmp_path / "docs"), tmp_path / "backup", {})
    with pytest.raises(Fatal, match="has a database already"):
        restore(tmp_path / "live", DataDir(tmp_path / "live"), {})

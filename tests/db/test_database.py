"""The database: visible transactions, one writer, readers that never wait, refusal of a newer file."""

import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance.db.database import Database, IntegrityError, copy_database
from appliance.errors import Corrupt, Fatal, Unavailable


@pytest.fixture
def db(tmp_path: Path) -> Iterator[Database]:
    database = Database(tmp_path / "appliance.db")
    yield database
    database.close()


def put(db: Database, key: str, value: str) -> None:
    with db.write() as tx:
        tx.execute("INSERT INTO notes VALUES (?, ?)", (key, value))


def test_a_committed_write_is_read_by_other_threads(db: Database) -> None:
    put(db, "a", "1")
    seen: list[str] = []
    thread = threading.Thread(target=lambda: seen.extend(row["value"] for row in db.rows("SELECT value FROM notes")))
    thread.start()
    thread.join()
    assert seen == ["1"]


def test_a_write_that_raises_leaves_nothing(db: Database) -> None:
    with pytest.raises(RuntimeError, match="half way"):
        with db.write() as tx:
            tx.execute("INSERT INTO notes VALUES ('a', '1')")
            raise RuntimeError("half way")
    assert db.row("SELECT * FROM notes") is None
    put(db, "a", "2")


def test_a_reader_sees_no_uncommitted_row(db: Database) -> None:
    with db.write() as tx:
        tx.execute("INSERT INTO notes VALUES ('a', '1')")
        assert db.row("SELECT * FROM notes") is None
    assert db.row("SELECT * FROM notes") is not None


def test_a_nested_write_is_a_mistake_and_not_a_deadlock(db: Database) -> None:
    with db.write():
        with pytest.raises(RuntimeError, match="already open"):
            with db.write():
                pass


def test_a_constraint_error_passes_through(db: Database) -> None:
    put(db, "a", "1")
    with pytest.raises(IntegrityError):
        put(db, "a", "2")


def test_a_read_connection_cannot_write(db: Database) -> None:
    with pytest.raises(Exception, match="readonly|attempt to write|can't be used"):
        db.rows("INSERT INTO notes VALUES ('x', 'y')")


def test_a_snapshot_does_not_move_while_others_write(db: Database) -> None:
    put(db, "a", "1")
    with db.snapshot():
        assert len(db.rows("SELECT * FROM notes")) == 1
        put(db, "b", "2")
        assert len(db.rows("SELECT * FROM notes")) == 1
    assert len(db.rows("SELECT * FROM notes")) == 2


def test_commits_are_durable_by_setting(db: Database) -> None:
    with db.write() as tx:
        assert tx.row("PRAGMA synchronous")[0] == 2
        assert tx.row("PRAGMA journal_mode")[0] == "wal"
        assert tx.row("PRAGMA foreign_keys")[0] == 1


def test_a_thread_that_ends_gives_its_connection_back(db: Database) -> None:
    thread = threading.Thread(target=lambda: db.rows("SELECT 1"))
    thread.start()
    thread.join()
    del thread
    assert len(db._open) == 0


def test_a_file_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "appliance.db"
    Database(path).close()
    connection = sqlite3.connect(path)
    connection.execute(
        "INSERT INTO _sqlite_migrations (migration_set, name, applied_at) VALUES ('appliance', '9999_wings', 'later')"
    )
    connection.commit()
    connection.close()
    with pytest.raises(Fatal, match="newer version.*9999_wings"):
        Database(path)


def test_a_file_that_is_no_database_is_refused_as_damaged(tmp_path: Path) -> None:
    path = tmp_path / "appliance.db"
    path.write_bytes(b"not a database, but long enough to be looked at" * 100)
    with pytest.raises(Corrupt, match="damaged"):
        Database(path)


def test_a_copy_of_the_live_database_is_whole(db: Database, tmp_path: Path) -> None:
    put(db, "a", "1")
    copy_database(tmp_path / "appliance.db", tmp_path / "copy.db")
    copy = Database(tmp_path / "copy.db")
    assert [row["key"] for row in copy.rows("SELECT key FROM notes")] == ["a"]
    copy.close()


def test_a_close_waits_for_readers_and_refuses_those_that_come_later(tmp_path: Path) -> None:
    """To close a connection while it is at a statement would crash the process."""
    for _ in range(20):
        db = Database(tmp_path / "appliance.db")
        refused: list[Unavailable] = []
        reading = threading.Barrier(4)

        def read(db: Database = db, refused: list[Unavailable] = refused, reading: threading.Barrier = reading) -> None:
            many = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000) SELECT i FROM n"
            db.rows(many)
            reading.wait()
            try:
                while True:
                    assert len(db.rows(many)) == 2000
                    assert sum(1 for _ in db.stream(many)) == 2000
            except Unavailable as error:
                refused.append(error)

        threads = [threading.Thread(target=read) for _ in range(3)]
        for thread in threads:
            thread.start()
        reading.wait()
        db.close()
        for thread in threads:
            thread.join()
        assert len(refused) == 3
        with pytest.raises(Unavailable):
            db.row("SELECT 1")

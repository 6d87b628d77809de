"""The embedded engine: how durable it is, what it does with its connections, refusal of what it can't use."""

import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance.db.engine.base import Database
from appliance.db.engine.registry import open_database
from appliance.db.engine.sqlite import SqliteDatabase, copy_database
from appliance.errors import Corrupt, Fatal, Unavailable


@pytest.fixture
def db(tmp_path: Path) -> Iterator[SqliteDatabase]:
    database = SqliteDatabase(tmp_path / "appliance.db")
    yield database
    database.close()


def put(db: Database, key: str, value: str) -> None:
    db.transact(lambda tx: tx.execute("INSERT INTO notes VALUES (?, ?)", (key, value)))


@pytest.mark.parametrize(("pragma", "value"), [("synchronous", 2), ("journal_mode", "wal"), ("foreign_keys", 1)])
def test_commits_are_durable_by_setting(db: SqliteDatabase, pragma: str, value: object) -> None:
    assert db.transact(lambda tx: tx.rows(f"PRAGMA {pragma}")[0][0]) == value


def test_a_thread_that_ends_gives_its_connection_back(db: SqliteDatabase) -> None:
    thread = threading.Thread(target=lambda: db.rows("SELECT 1"))
    thread.start()
    thread.join()
    del thread
    assert len(db._open) == 0


def test_a_file_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "appliance.db"
    open_database(path).close()
    connection = sqlite3.connect(path)
    connection.execute(
        "INSERT INTO _sqlite_migrations (migration_set, name, applied_at) VALUES ('appliance', '9999_wings', 'later')"
    )
    connection.commit()
    connection.close()
    with pytest.raises(Fatal, match="newer version.*9999_wings"):
        open_database(path)


def test_a_file_that_is_no_database_is_refused_as_damaged(tmp_path: Path) -> None:
    path = tmp_path / "appliance.db"
    path.write_bytes(b"not a database, but long enough to be looked at" * 100)
    with pytest.raises(Corrupt, match="damaged"):
        open_database(path)


def test_a_copy_of_the_live_database_is_whole(db: Database, tmp_path: Path) -> None:
    put(db, "a", "1")
    copy_database(tmp_path / "appliance.db", tmp_path / "copy.db")
    copy = open_database(tmp_path / "copy.db")
    assert [row["key"] for row in copy.rows("SELECT key FROM notes")] == ["a"]
    copy.close()


def test_a_statement_of_a_client_does_not_stay_in_memory(db: Database) -> None:
    """Five hundred different ones would take more than fifty MiB if they were kept compiled."""

    def resident() -> int:
        return int(Path("/proc/self/statm").read_text().split()[1]) * 4096

    db.rows(statement("key = 'x'"))
    before = resident()
    for n in range(500):
        db.rows(statement(f"key = 'x{n}'"))
    assert resident() - before < 16 << 20


def test_a_close_waits_for_readers_and_refuses_those_that_come_later(tmp_path: Path) -> None:
    """To close a connection while it is at a statement would crash the process."""
    for _ in range(20):
        db = open_database(tmp_path / "appliance.db")
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


def statement(condition: str) -> str:
    """One of the kind that is not kept compiled."""
    return f"SELECT value FROM notes WHERE {condition} OR " + " OR ".join(f"key = 'none-{n}'" for n in range(500))

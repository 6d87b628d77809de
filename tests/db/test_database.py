"""The database: visible transactions, one writer, readers that never wait, refusal of a newer file."""

import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance.db.engine.sqlite import Database, IntegrityError, Tx, copy_database
from appliance.errors import Corrupt, Fatal, Invalid, Unavailable


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


def test_a_transaction_gives_what_its_function_gave(db: Database) -> None:
    assert db.transact(lambda tx: tx.execute("INSERT INTO notes VALUES ('a', '1')").rowcount) == 1
    assert db.row("SELECT * FROM notes") is not None


def test_a_transaction_whose_function_raises_leaves_nothing(db: Database) -> None:
    def half_way(tx: Tx) -> None:
        tx.execute("INSERT INTO notes VALUES ('a', '1')")
        raise RuntimeError("half way")

    with pytest.raises(RuntimeError, match="half way"):
        db.transact(half_way)
    assert db.row("SELECT * FROM notes") is None


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


def large(condition: str) -> str:
    """A statement of the kind that is not kept compiled."""
    return f"SELECT value FROM notes WHERE {condition} OR " + " OR ".join(f"key = 'none-{n}'" for n in range(500))


def test_a_large_statement_sees_what_a_small_one_sees(db: Database) -> None:
    put(db, "a", "1")
    for condition, found in (("key = 'a'", ["1"]), ("key = 'b'", [])):
        assert [row["value"] for row in db.rows(large(condition))] == found
    put(db, "b", "2")
    row = db.row(large("key = 'b'"))
    assert row is not None and row["value"] == "2"


def test_a_large_statement_stays_in_the_snapshot(db: Database) -> None:
    put(db, "a", "1")
    with db.snapshot():
        assert len(db.rows("SELECT * FROM notes")) == 1
        put(db, "b", "2")
        assert db.rows(large("key = 'b'")) == []
    assert len(db.rows(large("key = 'b'"))) == 1


def test_large_statements_of_many_threads_do_not_meet(db: Database) -> None:
    for n in range(8):
        put(db, f"k{n}", str(n))
    found: dict[int, list[str]] = {}

    def ask(n: int) -> None:
        for _ in range(20):
            found[n] = [row["value"] for row in db.rows(large(f"key = 'k{n}'"))]

    threads = [threading.Thread(target=ask, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {n: [str(n)] for n in range(8)}


def test_a_statement_of_a_client_does_not_stay_in_memory(db: Database) -> None:
    """Five hundred different ones would take more than fifty MiB if they were kept compiled."""

    def resident() -> int:
        return int(Path("/proc/self/statm").read_text().split()[1]) * 4096

    db.rows(large("key = 'x'"))
    before = resident()
    for n in range(500):
        db.rows(large(f"key = 'x{n}'"))
    assert resident() - before < 16 << 20


def test_a_number_that_no_column_holds_is_the_clients_mistake(db: Database) -> None:
    with pytest.raises(Invalid, match="too large"):
        db.row("SELECT * FROM notes WHERE value = ?", (2**64,))
    with pytest.raises(Invalid, match="too large"):
        with db.write() as tx:
            tx.execute("INSERT INTO notes VALUES ('a', ?)", (2**64,))

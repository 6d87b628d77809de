"""What every engine promises: visible transactions, readers that see what is committed, snapshots."""

import threading

import pytest

from appliance.db.engine.base import Database, IntegrityError, Row, Tx
from appliance.errors import Invalid


def put(db: Database, key: str, value: str) -> None:
    db.transact(lambda tx: tx.execute("INSERT INTO notes VALUES (?, ?)", (key, value)))


def test_a_committed_write_is_read_by_other_threads(db: Database) -> None:
    put(db, "a", "1")
    seen: list[str] = []
    thread = threading.Thread(target=lambda: seen.extend(row["value"] for row in db.rows("SELECT value FROM notes")))
    thread.start()
    thread.join()
    assert seen == ["1"]


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
    put(db, "a", "2")


def test_a_reader_sees_no_uncommitted_row(db: Database) -> None:
    def insert(tx: Tx) -> Row | None:
        tx.execute("INSERT INTO notes VALUES ('a', '1')")
        return db.row("SELECT * FROM notes")

    assert db.transact(insert) is None
    assert db.row("SELECT * FROM notes") is not None


def test_a_nested_transaction_is_a_mistake_and_not_a_deadlock(db: Database) -> None:
    with pytest.raises(RuntimeError, match="already open"):
        db.transact(lambda _: db.transact(lambda _: None))


def test_a_constraint_error_passes_through(db: Database) -> None:
    put(db, "a", "1")
    with pytest.raises(IntegrityError):
        put(db, "a", "2")


def test_a_read_connection_cannot_write(db: Database) -> None:
    with pytest.raises(Exception, match="readonly|read-only|can't be used"):
        db.rows("INSERT INTO notes VALUES ('x', 'y')")


def test_a_snapshot_does_not_move_while_others_write(db: Database) -> None:
    put(db, "a", "1")
    with db.snapshot():
        assert len(db.rows("SELECT * FROM notes")) == 1
        put(db, "b", "2")
        assert len(db.rows("SELECT * FROM notes")) == 1
    assert len(db.rows("SELECT * FROM notes")) == 2


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


def test_a_number_that_no_column_holds_is_the_clients_mistake_where_it_is_read(db: Database) -> None:
    with pytest.raises(Invalid, match="too large"):
        db.row("SELECT * FROM image_members WHERE created_at = ?", (2**64,))


def test_a_number_that_no_column_holds_is_the_clients_mistake_where_it_is_written(db: Database) -> None:
    with pytest.raises(Invalid, match="too large"):
        db.transact(lambda tx: tx.execute("INSERT INTO image_tombstones (id, deleted_at) VALUES ('a', ?)", (2**64,)))

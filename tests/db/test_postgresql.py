"""The engine for a server: what is tried again, what is not, and what is told of it."""

import itertools
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import psycopg
import pytest

from appliance.db.engine.base import Database, Tx
from appliance.db.engine.registry import open_database
from appliance.errors import Fatal, Invalid, Unavailable
from tests.databases import server


@pytest.fixture
def url() -> str:
    return server().create_current()


@pytest.fixture
def db(url: str) -> Iterator[Database]:
    database = open_database(url)
    yield database
    database.close()


def cut(url: str, name: str = "glance-appliance") -> None:
    """End the connections of that name."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() "
            "AND application_name = %s",
            (name,),
        )


def cut_from_outside(name: str) -> None:
    server().administer(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'")


def eventually(done: Callable[[], bool], seconds: float = 20) -> None:
    """Wait until it is so; what is not available yet is not."""
    end = time.monotonic() + seconds
    while True:
        with suppress(Unavailable):
            if done():
                return
        assert time.monotonic() < end
        time.sleep(0.05)


def test_a_read_is_tried_again_on_a_new_connection(db: Database, url: str) -> None:
    db.row("SELECT 1")
    cut(url)
    assert [row["two"] for row in db.rows("SELECT 2 AS two")] == [2]


def test_a_transaction_whose_connection_is_lost_runs_again_from_its_beginning(db: Database, url: str) -> None:
    calls = []

    def insert(tx: Tx) -> None:
        calls.append(1)
        if len(calls) == 1:
            cut(url)
        tx.execute("INSERT INTO notes VALUES ('a', '1')")

    db.transact(insert)
    assert (len(calls), len(db.rows("SELECT * FROM notes"))) == (2, 1)


def test_writers_never_pass_a_limit_together(db: Database) -> None:
    """What is counted in a transaction can't change before it commits."""

    numbers = itertools.count()

    def add(tx: Tx) -> None:
        if len(tx.rows("SELECT key FROM notes")) < 5:
            tx.execute("INSERT INTO notes VALUES (?, '')", (str(next(numbers)),))

    def several() -> None:
        for _ in range(5):
            db.transact(add)

    threads = [threading.Thread(target=several) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(db.rows("SELECT * FROM notes")) == 5


def test_a_database_of_a_newer_version_is_refused(db: Database, url: str) -> None:
    db.transact(lambda tx: tx.execute("INSERT INTO schema_steps (name) VALUES ('9999_wings')"))
    db.close()
    with pytest.raises(Fatal, match="newer version.*9999_wings"):
        open_database(url)


def test_a_server_that_does_not_answer_is_told_in_its_words(tmp_path: Path) -> None:
    with pytest.raises(Fatal, match=r"does not answer[^\n]*No such file[^\n]*\Z"):
        open_database(f"postgresql://nobody:sesame@/none?host={tmp_path}")


def test_a_url_that_can_not_be_read_is_not_shown(tmp_path: Path) -> None:
    with pytest.raises(Fatal, match="URL can't be read") as refused:
        open_database("postgresql://me:open sesame@127.0.0.1/x")
    assert "sesame" not in str(refused.value)


def test_that_the_server_is_away_is_logged_once_and_so_is_its_return(
    url: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("appliance.db.engine.postgresql._WAIT_SECONDS", 0.5)
    db = open_database(url)
    name = url.split("/")[3].split("?")[0]
    server().administer(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
    cut_from_outside(name)
    with caplog.at_level("INFO", "appliance.db.engine.postgresql"):
        for _ in range(2):
            with pytest.raises(Unavailable):
                db.row("SELECT 1")
        server().administer(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
        eventually(lambda: db.row("SELECT 1") is not None)
    db.close()
    told = [record.message for record in caplog.records if record.name.endswith("postgresql")]
    assert len(told) == 2 and "does not answer" in told[0] and "answers again" in told[1]


def test_a_snapshot_begins_anew_when_its_connection_was_lost_before(db: Database, url: str) -> None:
    db.row("SELECT 1")
    cut(url)
    with db.snapshot():
        assert [row["two"] for row in db.rows("SELECT 2 AS two")] == [2]


def test_a_connection_that_is_lost_inside_of_a_snapshot_is_told(db: Database, url: str) -> None:
    with pytest.raises(Unavailable, match="does not answer"), db.snapshot():
        db.row("SELECT 1")
        cut(url)
        db.row("SELECT 1")
    assert db.row("SELECT 1") is not None


def test_a_connection_that_is_lost_between_rows_is_told(db: Database, url: str) -> None:
    rows = db.stream("SELECT n FROM generate_series(1, 100000) AS n")
    next(rows)
    cut(url)
    with pytest.raises(Unavailable, match="does not answer"):
        list(rows)


def add_column(url: str, name: str) -> None:
    """What a node of a later version does when it starts."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"ALTER TABLE notes ADD COLUMN {name} TEXT".encode())


def test_a_table_may_get_a_column_while_others_use_it(db: Database, url: str) -> None:
    """Every connection of the pool has prepared the statement, as the table was."""
    question = "SELECT * FROM notes WHERE key = ?"
    db.transact(lambda tx: tx.execute("INSERT INTO notes VALUES ('a', '1')"))
    held = threading.Barrier(8)

    def ask_often() -> None:
        with db.snapshot():
            for _ in range(10):
                db.rows(question, ("a",))
            held.wait(30)

    threads = [threading.Thread(target=ask_often) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    add_column(url, "later")
    assert [db.rows(question, ("a",))[0]["value"] for _ in range(20)] == ["1"] * 20


def test_a_transaction_goes_on_with_the_table_as_it_is_now(db: Database, url: str) -> None:
    numbers = itertools.count()

    def ask_and_note(tx: Tx) -> int:
        found = len(tx.rows("SELECT * FROM notes WHERE key = ?", ("a",)))
        tx.execute("INSERT INTO notes (key, value) VALUES (?, '1')", (str(next(numbers)),))
        return found

    for _ in range(10):
        db.transact(ask_and_note)
    add_column(url, "later")
    assert db.transact(ask_and_note) == 0


@pytest.mark.parametrize("name", ["a\0", "\0", "a"])
def test_whoever_asks_for_a_text_that_can_not_be_stored_finds_nothing(db: Database, name: str) -> None:
    db.transact(lambda tx: tx.execute("INSERT INTO notes VALUES ('a', '1')"))
    wanted = int(name == "a")
    question = "SELECT count(*) AS found FROM notes WHERE key = ?"
    named = "SELECT count(*) AS found FROM notes WHERE key = :key"
    found = [db.rows(question, (name,))[0]["found"], db.rows(named, {"key": name})[0]["found"]]
    inside = db.transact(lambda tx: [row["found"] for row in tx.rows(question, (name,))])
    assert [*found, *inside] == [wanted] * 3


def test_a_text_that_can_not_be_stored_is_refused(db: Database) -> None:
    with pytest.raises(Invalid, match="can't be stored"):
        db.transact(lambda tx: tx.execute("INSERT INTO notes VALUES (?, '1')", ("a\0",)))

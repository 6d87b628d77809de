"""All rows moved from one engine to the other and back: whole, resumable, and never two databases in use."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from appliance.db import transfer
from appliance.db.engine.base import Database, Tx
from appliance.db.engine.registry import open_database
from appliance.db.transfer import Transfer, shapes
from appliance.errors import Corrupt, Fatal
from tests.databases import server

NOTE = "INSERT INTO notes (key, value) VALUES (?, '')"


@pytest.fixture
def url() -> str:
    return server().create_current()


@pytest.fixture
def open_(url: str, tmp_path: Path) -> Iterator[Callable[[str], Database]]:
    """Opens an empty database of an engine, a new one each time."""
    with ExitStack() as held:

        def make(engine: str) -> Database:
            number = len(list(tmp_path.iterdir()))
            (tmp_path / f"{number}").mkdir()
            db = open_database(server().create_current() if engine == "postgresql" else tmp_path / f"{number}" / "a.db")
            held.callback(db.close)
            return db

        yield make


def add(db: Database, *keys: str) -> None:
    db.transact(lambda tx: tx.executemany(NOTE, [(key,) for key in keys]))


ENGINES = ("sqlite", "postgresql")
PAIRS = [(one, other) for one in ENGINES for other in ENGINES]


def test_every_table_of_this_version_is_copied_or_said_not_to_be(url: str) -> None:
    named = {shape.name for shape in shapes()} | transfer._NOT_COPIED
    db = open_database(url)
    there = {row[0] for row in db.rows("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")}
    db.close()
    assert there - named == {"schema_steps"}


@pytest.mark.parametrize(("before", "after"), PAIRS)
def test_ids_that_were_given_out_are_not_given_out_again(
    open_: Callable[[str], Database], before: str, after: str
) -> None:
    old, new = open_(before), open_(after)
    insert = "INSERT INTO contents (store, upload, state, created_at) VALUES (1, ?, 0, 0) RETURNING id"

    def fill(tx: Tx) -> int:
        tx.execute("INSERT INTO stores (id, name, uuid) VALUES (1, 'main', ?)", (b"u",))
        for number in range(3):
            last = tx.insert(insert, (bytes([number]),))
        tx.execute("DELETE FROM contents WHERE id = ?", (last,))
        return last

    given = old.transact(fill)
    Transfer(old, new).run()
    assert new.transact(lambda tx: tx.insert(insert, (b"x",))) == given + 1


@pytest.mark.parametrize(("before", "after"), PAIRS)
def test_one_that_was_broken_off_goes_on(
    open_: Callable[[str], Database], monkeypatch: pytest.MonkeyPatch, before: str, after: str
) -> None:
    monkeypatch.setattr(transfer, "_BATCH", 2)
    old, new = open_(before), open_(after)
    add(old, "a", "b", "c", "d", "e")
    copied: list[int] = []

    def stop(rows: int) -> None:
        copied.append(rows)
        if new.row("SELECT 1 FROM notes"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Transfer(old, new).run(stop)
    assert len(new.rows("SELECT * FROM notes")) == 2
    assert Transfer(old, new).run().resumed
    assert [row["key"] for row in new.rows("SELECT key FROM notes ORDER BY key")] == ["a", "b", "c", "d", "e"]


def test_one_whose_source_was_used_since_begins_anew(
    open_: Callable[[str], Database], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transfer, "_BATCH", 2)
    old, new = open_("sqlite"), open_("postgresql")
    add(old, "b", "c", "d")

    def stop(rows: int) -> None:
        if new.row("SELECT 1 FROM notes"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Transfer(old, new).run(stop)
    add(old, "a")
    assert not Transfer(old, new).run().resumed
    assert len(new.rows("SELECT * FROM notes")) == 4


def test_rows_that_are_in_use_are_not_written_over(open_: Callable[[str], Database]) -> None:
    old, new = open_("sqlite"), open_("postgresql")
    add(new, "mine")
    with pytest.raises(Fatal, match="rows of its own"):
        Transfer(old, new).run()
    assert len(new.rows("SELECT * FROM notes")) == 1


def test_a_row_that_did_not_arrive_as_it_was_is_found(open_: Callable[[str], Database]) -> None:
    old, new = open_("sqlite"), open_("postgresql")
    add(old, "a")

    def spoil(rows: int) -> None:
        new.transact(lambda tx: tx.execute("UPDATE notes SET value = 'other'"))

    with pytest.raises(Corrupt, match="notes.*goes on being the one to use"):
        Transfer(old, new).run(spoil)

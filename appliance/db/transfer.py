"""All rows of one database in another, of whichever engines: copied in batches, compared by number and digest.

What has been copied is noted in the target, so that a copy that was broken off goes on, as long as the source is what
it was then. Nothing is written to the source but, in the end, where its rows have gone.
"""

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from appliance.db.engine.base import Database, Row, Tx
from appliance.db.engine.catalog import declared_tables, has_table, last_ids, set_last_id
from appliance.db.key_values import KeyValues
from appliance.errors import Corrupt, Fatal, Invalid

MOVED = "database:moved"
"""The note in a database whose rows have gone elsewhere: where to. Nobody is to write there any more."""
_BATCH = 1000
_NOT_COPIED = frozenset({"_sqlite_migrations", "sqlite_sequence", "nodes", "job_leases", "site_keys", "wrong_secrets"})
"""What belongs to an engine, or to those who run at present."""
_MADE_WITH_ROWS = frozenset({"block_counter", "counters"})
_PROGRESS_TABLE = "transfer_progress"
_PROGRESS = f"CREATE TABLE {_PROGRESS_TABLE} (name TEXT PRIMARY KEY, source TEXT NOT NULL, last TEXT)"


@dataclass(frozen=True, slots=True)
class TableShape:
    """A table, and in which order its rows are copied and compared."""

    name: str
    columns: tuple[str, ...]
    key: tuple[str, ...]
    at_once: bool
    """Whether its rows name each other, or have no key: they go in one batch."""
    numbered: bool
    """Whether the database gives out its ids."""

    @property
    def order(self) -> str:
        if self.key:
            return ", ".join(f'"{column}"' for column in self.key)
        # Where nulls go is the engine's own idea.
        return ", ".join(f"coalesce(\"{column}\", '')" for column in self.columns)

    def batch(self, db: Database, after: Sequence[object] | None) -> list[Row]:
        """The rows after a key."""
        listed = ", ".join(f'"{column}"' for column in self.columns)
        sql = f"SELECT {listed} FROM {self.name}"
        if self.at_once:
            return db.rows(f"{sql} ORDER BY {self.order}")
        if after is None:
            return db.rows(f"{sql} ORDER BY {self.order} LIMIT {_BATCH}")
        marks = ", ".join("?" * len(self.key))
        return db.rows(f"{sql} WHERE ({self.order}) > ({marks}) ORDER BY {self.order} LIMIT {_BATCH}", after)

    def key_of(self, row: Row) -> list[object]:
        return [row[column] for column in self.key]

    def batches(self, db: Database, after: Sequence[object] | None = None) -> Iterator[list[Row]]:
        while rows := self.batch(db, after):
            yield rows
            if self.at_once or len(rows) < _BATCH:
                return
            after = self.key_of(rows[-1])


def shapes() -> list[TableShape]:
    """The tables of this version, those first that others name. Every database that is open has just these."""
    return [
        TableShape(
            one.name,
            one.columns,
            one.key,
            at_once=one.names_itself or not one.key,
            numbered=one.is_numbered and one.name not in _MADE_WITH_ROWS,
        )
        for one in declared_tables()
        if one.name not in _NOT_COPIED
    ]


@dataclass(frozen=True, slots=True)
class Sum:
    """A table's rows, counted and digested."""

    rows: int
    digest: str


def sums(db: Database, tables: Sequence[TableShape]) -> dict[str, Sum]:
    """What each table holds."""
    found = {}
    for table in tables:
        digest, count = hashlib.sha256(), 0
        for rows in table.batches(db):
            count += len(rows)
            for row in rows:
                digest.update(repr([bytes(value) if _is_bytes(value) else value for value in tuple(row)]).encode())
        found[table.name] = Sum(count, digest.hexdigest())
    return found


def _is_bytes(value: object) -> bool:
    return isinstance(value, bytes | bytearray | memoryview)


@dataclass(frozen=True, slots=True)
class Moved:
    """What a transfer did."""

    tables: int
    rows: int
    resumed: bool


class Transfer:
    """Moves all rows from `source` to `target`, which has none, or those of a former attempt."""

    def __init__(self, source: Database, target: Database) -> None:
        self._source = source
        self._target = target
        self._tables = shapes()
        self.expected = sums(source, self._tables)
        told = json.dumps({name: [one.rows, one.digest] for name, one in self.expected.items()})
        self._identity = hashlib.sha256(told.encode()).hexdigest()

    @property
    def rows(self) -> int:
        return sum(one.rows for one in self.expected.values())

    def run(self, progress: Callable[[int], None] = lambda rows: None) -> Moved:
        """Copy, then compare; `progress` is told of rows that have been copied.

        Raises `Fatal` for a target that has rows of its own, `Corrupt` if they differ.
        """
        resumed = self._begin()
        for table in self._tables:
            self._copy(table, progress)
        for name, last in last_ids(self._source, [table.name for table in self._tables if table.numbered]).items():
            set_last_id(self._target, name, last)
        found = sums(self._target, self._tables)
        for name, expected in self.expected.items():
            if found[name] != expected:
                raise Corrupt(
                    f"the table {name} has {found[name].rows} rows in the new database and {expected.rows} in the old "
                    "one, or they differ: the old one is as it was, and goes on being the one to use"
                )
        self._target.transact(lambda tx: tx.execute("DROP TABLE transfer_progress"))
        return Moved(len(self._tables), self.rows, resumed)

    def _begin(self) -> bool:
        """Make room in the target; whether a former attempt goes on."""
        former = _former(self._target)
        if former == self._identity:
            return True
        if former is None and any(
            self._target.row(f"SELECT 1 FROM {table.name}")
            for table in self._tables
            if table.name not in _MADE_WITH_ROWS
        ):
            raise Fatal("The new database has rows of its own. Give an empty one.")

        def clear(tx: Tx) -> None:
            for table in reversed(self._tables):
                tx.execute(f"DELETE FROM {table.name}")
            if former is None:
                tx.execute(_PROGRESS)
            tx.execute("DELETE FROM transfer_progress")
            tx.execute("INSERT INTO transfer_progress (name, source) VALUES ('', ?)", (self._identity,))

        self._target.transact(clear)
        return False

    def _copy(self, table: TableShape, progress: Callable[[int], None]) -> None:
        row = self._target.row("SELECT last FROM transfer_progress WHERE name = ?", (table.name,))
        if row is not None and row["last"] is None:
            progress(self.expected[table.name].rows)
            return
        after = None if row is None else [_from_json(value) for value in json.loads(row["last"])]
        for rows in table.batches(self._source, after):
            is_last = table.at_once or len(rows) < _BATCH
            note = None if is_last else json.dumps([_to_json(value) for value in table.key_of(rows[-1])])
            self._write(table, rows, note)
            progress(len(rows))
        self._write(table, [], None)

    def _write(self, table: TableShape, rows: Sequence[Row], last: str | None) -> None:
        """Rows, and how far that is, in one transaction."""
        marks = ", ".join("?" * len(table.columns))
        listed = ", ".join(f'"{column}"' for column in table.columns)

        def write(tx: Tx) -> None:
            tx.defer_references()
            tx.executemany(f"INSERT INTO {table.name} ({listed}) VALUES ({marks})", [tuple(row) for row in rows])
            tx.execute(
                "INSERT INTO transfer_progress (name, source, last) VALUES (?, '', ?) "
                "ON CONFLICT (name) DO UPDATE SET last = excluded.last",
                (table.name, last),
            )

        try:
            self._target.transact(write)
        except Invalid as error:
            raise Fatal(
                f"A row of {table.name} can't be stored there: {error} (PostgreSQL takes no text with the character 0)"
            ) from error


def note_moved(source: Database, where: str) -> None:
    """Write down that the rows are elsewhere now."""
    KeyValues(source).set(MOVED, where)


def moved_to(db: Database) -> str | None:
    """Where the rows of this database have gone, if they have."""
    return KeyValues(db).get(MOVED)


def refuse_moved(db: Database) -> None:
    """Raise `Fatal` for a database that is no longer the one to use."""
    where = moved_to(db)
    if where is not None:
        raise Fatal(
            f"The rows of this database were moved to {where}: say so with --database, or move them back with "
            "`database migrate`."
        )


def _former(target: Database) -> str | None:
    """Which source a former attempt was copying; None if there was none."""
    if not has_table(target, _PROGRESS_TABLE):
        return None
    row = target.row("SELECT source FROM transfer_progress WHERE name = ''")
    return str(row["source"]) if row else ""


def _to_json(value: object) -> object:
    return {"bytes": bytes(value).hex()} if _is_bytes(value) else value  # type: ignore[call-overload]


def _from_json(value: object) -> object:
    return bytes.fromhex(value["bytes"]) if isinstance(value, dict) else value

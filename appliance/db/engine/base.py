"""What the rest may ask of a database, whichever engine is behind it.

Statements are in the SQL that SQLite and PostgreSQL both understand the same way: see `tests/db/test_portable.py`.
Parameters are `?`, or `:name` with a mapping. Numbers are 64 bits, times are microseconds, booleans are 0 and 1.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol, TypeVar

from appliance.values import Micros

Parameters = Sequence[Any] | Mapping[str, Any]
Row = Any
"""A row of a result: `row["name"]`, `row[0]`, `tuple(row)`, `dict(row)`. Typed by whoever makes a record of it."""
Result = TypeVar("Result")


class IntegrityError(Exception):
    """A constraint said no, and the transaction is lost. Aggregates say which rule of the domain it was."""


class Cursor(Protocol):
    """What a statement did."""

    @property
    def rowcount(self) -> int:
        """How many rows it changed."""
        ...


class Schema(Protocol):
    """What a migration step may ask of the database that it brings forward."""

    def execute(self, sql: str, parameters: Sequence[Any] = (), /) -> Any: ...


class Reader(Protocol):
    """What can be read from: the database as a whole, or an open transaction."""

    def row(self, sql: str, parameters: Parameters = (), /) -> Row | None:
        """The first row."""
        ...

    def rows(self, sql: str, parameters: Parameters = (), /) -> list[Row]:
        """All rows."""
        ...


class Tx(Reader, Protocol):
    """One write transaction. Only `Database.transact` makes one, and it is of no use after its function returned."""

    def execute(self, sql: str, parameters: Parameters = (), /) -> Cursor: ...

    def executemany(self, sql: str, rows: Iterable[Parameters], /) -> Cursor: ...

    def insert(self, sql: str, parameters: Parameters = (), /) -> int:
        """Run an `INSERT … RETURNING id` of one row, and give the id."""
        ...

    def defer_references(self) -> None:
        """Look at foreign keys when the transaction ends, not at each statement."""
        ...

    def now(self) -> Micros:
        """The time by the database's clock, which is the same for all who use it."""
        ...


class Database(Reader, Protocol):
    """A database that is open, and of this version."""

    def transact(self, function: Callable[[Tx], Result], *, frees: bool = False) -> Result:
        """Run `function` in a write transaction and give what it gave: committed when it returns, undone if it raises.

        It may be called again from its beginning when the database says that the transaction met another one, so that
        it changes nothing but rows: no I/O, no other module, nothing added to a list of the caller's.
        One that `frees` room, or clears away what has failed, goes on when the disk is full but for the reserve.
        Raises `StorageFull` or `StorageFault` if the disk says no, `Unavailable` if the database does not answer.
        """
        ...

    def each(self, sql: str, parameters: Parameters = (), /) -> Iterator[Row]:
        """Rows one by one, each made when it is asked for: for the few rows that may be large."""
        ...

    def stream(self, sql: str, parameters: Parameters = (), /) -> Iterator[Row]:
        """Rows one by one, in constant memory. What they are of is held until the iterator ends or is closed."""
        ...

    def snapshot(self) -> AbstractContextManager[None]:
        """Let every read of this thread in the block see one and the same state. May be entered again inside."""
        ...

    @property
    def holder(self) -> str | None:
        """Who writes now, as rows name it: a node, and the generation of its lease. None where one process owns all."""
        ...

    def now(self) -> Micros:
        """The time by the database's clock."""
        ...

    def damage(self) -> Iterator[str]:
        """What the engine finds wrong with what it has stored. Reads all of it, and changes nothing."""
        ...

    def close(self) -> None:
        """Wait for statements that other threads are at; what they ask afterwards raises `Unavailable`."""
        ...

"""The embedded engine, SQLite: one file, a single writer, a read connection for each thread."""

import os
import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import cast

from appliance.blobs.reserve import Reserve
from appliance.db.engine.base import IntegrityError, Parameters, Result, Row
from appliance.db.migrations import steps
from appliance.errors import ApplianceError, Corrupt, Fatal, Invalid, StorageFault, StorageFull, Unavailable
from appliance.values import Micros, now

SQLITE_VERSION = sqlite3.sqlite_version

_BUSY_SECONDS = 30.0
_STREAM_ROWS = 100
_CACHED_STATEMENTS = 128
_LARGE_STATEMENT = 4096
"""Characters; a statement of more is not kept compiled, for clients decide how many such there are."""
_PRAGMAS = (
    "journal_mode=WAL",
    "synchronous=FULL",
    "foreign_keys=ON",
    "temp_store=MEMORY",
    "cache_size=-8192",
    "journal_size_limit=67108864",
)


class SqliteTx:
    """A `Tx` on the one connection that writes."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def execute(self, sql: str, parameters: Parameters = ()) -> sqlite3.Cursor:
        try:
            return self._connection.execute(sql, parameters)
        except sqlite3.IntegrityError as error:
            raise IntegrityError(str(error)) from error

    def executemany(self, sql: str, rows: Iterable[Parameters]) -> sqlite3.Cursor:
        try:
            return self._connection.executemany(sql, rows)
        except sqlite3.IntegrityError as error:
            raise IntegrityError(str(error)) from error

    def row(self, sql: str, parameters: Parameters = ()) -> Row | None:
        # To the end: a statement that returns what it changes may have changed nothing before that.
        return next(iter(self.execute(sql, parameters).fetchall()), None)

    def rows(self, sql: str, parameters: Parameters = ()) -> list[Row]:
        return self.execute(sql, parameters).fetchall()

    def insert(self, sql: str, parameters: Parameters = ()) -> int:
        return cast(int, self.execute(sql, parameters).fetchone()[0])

    def defer_references(self) -> None:
        self._connection.execute("PRAGMA defer_foreign_keys = ON")

    def now(self) -> Micros:
        return now()


class SqliteDatabase:
    """Opens, migrates and guards one database file.

    WAL with `synchronous=FULL`: a commit that returned survives a loss of power. All writes go through one connection
    under one lock, in short `BEGIN IMMEDIATE` transactions. Reads never wait for them.
    """

    holder = None

    def __init__(self, path: Path, reserve: Reserve | None = None) -> None:
        """Only writes that free room may use the `reserve`."""
        self.path = path
        self._reserve = reserve or Reserve(path.parent, 0)
        self._lock = threading.Lock()
        self._writing_thread: int | None = None
        self._readers = threading.local()
        self._open: list[_Reader] = []
        self._for_large: _Reader | None = None
        self._open_lock = threading.Lock()
        self._large_lock = threading.Lock()
        self._closed = False
        with _FAULTS:
            make_private(path)
            self._writer = self._connect()
            try:
                self._migrate()
            except BaseException:
                self._writer.close()
                raise

    def _connect(self, cached_statements: int = _CACHED_STATEMENTS) -> sqlite3.Connection:
        # isolation_level None: no transaction is ever begun behind our back.
        connection = sqlite3.connect(
            self.path,
            timeout=_BUSY_SECONDS,
            isolation_level=None,
            check_same_thread=False,
            cached_statements=cached_statements,
        )
        connection.row_factory = sqlite3.Row
        try:
            for pragma in _PRAGMAS:
                connection.execute(f"PRAGMA {pragma}").close()
        except BaseException:
            connection.close()
            raise
        return connection

    def _migrate(self) -> None:
        if newer := steps.unknown(self._writer):
            raise Fatal(
                f"{self.path} was last used by a newer version of the appliance (it has {', '.join(newer)}); "
                "use that version, or restore a backup made with this one"
            )
        if not steps.lacking(self._writer):
            return
        try:
            with _FAULTS:
                steps.apply(self._writer)
        except ApplianceError:
            raise
        except Exception as error:
            raise Fatal(
                f"{self.path} could not be brought up to this version ({error}); it is as it was, "
                "for the version that used it last"
            ) from error

    def transact(self, function: Callable[[SqliteTx], Result], *, frees: bool = False) -> Result:
        """There is one writer at a time, so that no transaction ever meets another, and `function` is called once."""
        if self._writing_thread == threading.get_ident():
            raise RuntimeError("a write transaction is already open in this thread")
        with ExitStack() as held:
            if frees:
                held.enter_context(self._reserve.spending())
            self._reserve.admit()
            held.enter_context(self._lock)
            self._writing_thread = threading.get_ident()
            try:
                with _FAULTS:
                    return self._run(function)
            finally:
                self._writing_thread = None

    def _run(self, function: Callable[[SqliteTx], Result]) -> Result:
        connection = self._writer
        connection.execute("BEGIN IMMEDIATE")
        try:
            result = function(SqliteTx(connection))
            connection.execute("COMMIT")
            return result
        except BaseException:
            # A full disk may have ended the transaction already.
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise

    def _reader(self, sql: str = "") -> "_Reader":
        """The calling thread's own, to be entered while it is used; for a large statement, one that all share."""
        reader: _Reader | None = getattr(self._readers, "reader", None)
        if len(sql) > _LARGE_STATEMENT and not (reader is not None and reader.in_snapshot):
            return self._reader_for_large()
        if reader is None:
            reader = self._new_reader(_CACHED_STATEMENTS)
            self._readers.reader = reader
            self._readers.guard = _ThreadExit(self, reader)
        return reader

    def _reader_for_large(self) -> "_Reader":
        with self._large_lock:
            if self._for_large is None:
                self._for_large = self._new_reader(cached_statements=0)
            return self._for_large

    def _new_reader(self, cached_statements: int) -> "_Reader":
        connection = self._connect(cached_statements)
        connection.execute("PRAGMA query_only=ON")
        reader = _Reader(connection)
        with self._open_lock:
            if self._closed:
                reader.close()
            self._open.append(reader)
        return reader

    def forget(self, reader: "_Reader") -> None:
        """Close the read connection of a thread that has ended."""
        with self._open_lock:
            if reader in self._open:
                self._open.remove(reader)
        reader.close()

    def row(self, sql: str, parameters: Parameters = ()) -> Row | None:
        """The first row, as the calling thread's read connection sees it."""
        with _FAULTS, self._reader(sql) as connection:
            return cast(Row | None, connection.execute(sql, parameters).fetchone())

    def rows(self, sql: str, parameters: Parameters = ()) -> list[Row]:
        """All rows, as the calling thread's read connection sees them."""
        with _FAULTS, self._reader(sql) as connection:
            return connection.execute(sql, parameters).fetchall()

    def each(self, sql: str, parameters: Parameters = ()) -> Iterator[Row]:
        """Rows one by one, each made when it is asked for: for the few rows that may be large."""
        with _FAULTS, self._reader(sql) as connection:
            yield from connection.execute(sql, parameters)

    def stream(self, sql: str, parameters: Parameters = ()) -> Iterator[Row]:
        """Rows one by one, in constant memory. The snapshot is held until the iterator ends or is closed."""
        reader = self._reader()
        with _FAULTS:
            with reader as connection:
                cursor = connection.execute(sql, parameters)
            while True:
                with reader:
                    rows = cursor.fetchmany(_STREAM_ROWS)
                if not rows:
                    return
                yield from rows

    def snapshot(self) -> "_Snapshot":
        return _Snapshot(self._reader())

    def now(self) -> Micros:
        return now()

    def damage(self) -> Iterator[str]:
        return damage(self.path)

    def close(self) -> None:
        """Close every connection; the write-ahead log is folded back into the file.

        Waits for statements that other threads are at; what they ask afterwards raises `Unavailable`.
        """
        with self._lock, self._open_lock:
            if self._closed:
                return
            self._closed = True
            for reader in self._open:
                reader.close()
            self._open.clear()
            self._writer.close()


_MOST = 20


def damage(path: Path) -> Iterator[str]:
    """What is wrong with the file, at most twenty things of a kind. Reads all of it, and changes nothing."""
    try:
        with open_read_only(path) as connection:
            for (said,) in connection.execute(f"PRAGMA integrity_check({_MOST})"):
                if said != "ok":
                    yield from (f"the database is damaged: {line}" for line in said.splitlines())
            yield from _references(connection)
    except Corrupt as error:
        yield str(error)


def _references(connection: sqlite3.Connection) -> Iterator[str]:
    for row in connection.execute("PRAGMA foreign_key_check").fetchmany(_MOST):
        yield f"the database is damaged: row {row[1]} of {row[0]} names a row of {row[2]} that is not there"


@contextmanager
def open_read_only(path: Path) -> Iterator[sqlite3.Connection]:
    """A connection that changes nothing, to a database that any process may be using, or that is damaged."""
    with _FAULTS:
        connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=_BUSY_SECONDS)
        connection.row_factory = sqlite3.Row
        try:
            yield connection
        finally:
            connection.close()


def copy_database(source: Path, target: Path) -> None:
    """Write a consistent copy of a database, which any process may be using, to `target`, which must not exist.

    The copy is whole but not yet durable.
    """
    with open_read_only(source) as connection:
        make_private(target)
        connection.execute("VACUUM INTO ?", (str(target),))


def make_private(path: Path) -> None:
    """Make an empty file that nobody else can read, unless there is one: SQLite gives what it adds the same mode."""
    try:
        os.close(os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600))
    except OSError as error:
        raise StorageFault(f"the database can't be used: {path}: {error.strerror}") from error


class _Reader:
    """One thread's read connection. Entered for each statement: SQLite crashes if it is closed in the middle of one."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.in_snapshot = False
        self._connection = connection
        self._lock = threading.RLock()

    def __enter__(self) -> sqlite3.Connection:
        self._lock.acquire()
        return self._connection

    def __exit__(self, *_: object) -> None:
        self._lock.release()

    def close(self) -> None:
        with self._lock:
            self._connection.close()


class _Snapshot:
    """A read transaction of one thread; inside another one, nothing."""

    def __init__(self, reader: _Reader) -> None:
        self._reader = reader
        self._outer = reader.in_snapshot

    def __enter__(self) -> None:
        if not self._outer:
            with _FAULTS, self._reader as connection:
                connection.execute("BEGIN")
            self._reader.in_snapshot = True

    def __exit__(self, *_: object) -> None:
        if not self._outer:
            self._reader.in_snapshot = False
            with _FAULTS, self._reader as connection:
                connection.execute("COMMIT")


class _ThreadExit:
    """Lives in a thread's locals and so dies with the thread; takes the thread's read connection along."""

    def __init__(self, database: SqliteDatabase, reader: _Reader) -> None:
        self._database = database
        self._reader = reader

    def __del__(self) -> None:
        self._database.forget(self._reader)


class _Faults:
    """Turns what SQLite says into our own errors. A class, for each statement enters it."""

    def __enter__(self) -> None: ...

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if error is not None and (ours := _fault_of(error)) is not None:
            raise ours from error


def _fault_of(error: BaseException) -> Exception | None:
    """Our own error, if it is one of SQLite's that the rest should know of."""
    text = str(error)
    if isinstance(error, sqlite3.IntegrityError):
        return IntegrityError(text)
    if isinstance(error, OverflowError):
        return Invalid("A number is too large to be stored.")
    if isinstance(error, sqlite3.ProgrammingError):
        return Unavailable("the service is shutting down") if "closed database" in text else None
    if isinstance(error, sqlite3.OperationalError):
        if "full" in text:
            return StorageFull("the disk that holds the database is full")
        unusable = "disk I/O" in text or "readonly" in text or "unable to open" in text
        return StorageFault(f"the database can't be used: {text}") if unusable else None
    if isinstance(error, sqlite3.DatabaseError) and ("malformed" in text or "not a database" in text):
        return Corrupt(f"the database is damaged: {text}")
    return None


_FAULTS = _Faults()

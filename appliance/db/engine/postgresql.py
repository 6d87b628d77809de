"""PostgreSQL, for a site that runs it already. Loaded only when the `database` setting asks for it.

Write transactions take one advisory lock, so that they follow each other as they do on SQLite and what is checked in
one can't change before it commits. Reads take no lock. One appliance owns the database: see `_Ownership`.
"""

import random
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import lru_cache
from typing import Any, ClassVar, cast

import psycopg
from psycopg import errors, rows
from psycopg.adapt import Buffer
from psycopg.pq import Format
from psycopg.types.numeric import IntDumper, IntLoader
from psycopg_pool import ConnectionPool, PoolClosed, PoolTimeout

from appliance.blobs.reserve import Reserve
from appliance.db.engine.base import IntegrityError, Parameters, Result, Row
from appliance.db.engine.dialect import declaration, statement
from appliance.db.migrations.steps import STEPS
from appliance.errors import ApplianceError, Fatal, Invalid, StorageFull, Unavailable

_WRITER, _OWNER = 0x676C6E63, 0x676C6E64
"""Keys of the advisory locks: of who writes, and of the appliance that owns the database."""
_ATTEMPTS = 6
_SETTINGS = (
    # A transaction that writes says so: nothing else can.
    "SET default_transaction_read_only = on; "
    # Whoever is held up, by the network or a stopped process, must not hold up everybody else.
    "SET lock_timeout = '30s'; SET idle_in_transaction_session_timeout = '60s'"
)
_BEGIN = f"BEGIN READ WRITE; SELECT pg_advisory_xact_lock({_WRITER})"
_AGAIN = (errors.SerializationFailure, errors.DeadlockDetected, errors.LockNotAvailable)
Connection = psycopg.Connection[Row]


class _Row(tuple[Any, ...]):
    """A row that is asked by name or by number."""

    __slots__ = ()
    _places: ClassVar[dict[str, int]]

    def __getitem__(self, key: Any) -> Any:
        return tuple.__getitem__(self, self._places[key] if type(key) is str else key)

    def keys(self) -> Iterable[str]:
        return self._places.keys()


@lru_cache(maxsize=1024)
def _row_type(names: tuple[str, ...]) -> type[_Row]:
    return type("Row", (_Row,), {"__slots__": (), "_places": {name: place for place, name in enumerate(names)}})


def _row_factory(cursor: psycopg.Cursor[Any]) -> rows.RowMaker[Row]:
    return _row_type(tuple(column.name for column in cursor.description or ()))


class _Whole(IntDumper):
    """Numbers of 64 bits, and booleans as numbers."""

    def upgrade(self, obj: int, format: Any) -> Any:
        if not -(2**63) <= obj < 2**63:
            raise OverflowError("Python int too large to convert to a number of 64 bits")
        return super().upgrade(int(obj), format)

    def get_key(self, obj: int, format: Any) -> Any:
        return super().get_key(int(obj), format)


class _Flag(psycopg.adapt.Dumper):
    oid = psycopg.postgres.types["int2"].oid
    format = Format.TEXT

    def dump(self, obj: bool) -> Buffer:
        return b"1" if obj else b"0"


def _configure(connection: psycopg.Connection[Any]) -> None:
    connection.adapters.register_dumper(int, _Whole)
    connection.adapters.register_dumper(bool, _Flag)
    # What sums give.
    connection.adapters.register_loader("numeric", IntLoader)
    connection.execute(_SETTINGS)


def _run(connection: Connection, sql: str, parameters: Parameters) -> psycopg.Cursor[Row]:
    # Statements are this package's own: whatever a client says is a parameter.
    return connection.execute(statement(sql), parameters)


class PostgresqlTx:
    """A `Tx`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def execute(self, sql: str, parameters: Parameters = ()) -> psycopg.Cursor[Row]:
        try:
            return _run(self._connection, sql, parameters)
        except psycopg.IntegrityError as error:
            raise IntegrityError(str(error)) from error

    def executemany(self, sql: str, rows: Iterable[Parameters]) -> psycopg.Cursor[Row]:
        cursor = self._connection.cursor()
        try:
            cursor.executemany(statement(sql), rows)
        except psycopg.IntegrityError as error:
            raise IntegrityError(str(error)) from error
        return cursor

    def row(self, sql: str, parameters: Parameters = ()) -> Row | None:
        return self.execute(sql, parameters).fetchone()

    def rows(self, sql: str, parameters: Parameters = ()) -> list[Row]:
        return self.execute(sql, parameters).fetchall()

    def insert(self, sql: str, parameters: Parameters = ()) -> int:
        return cast(int, self.execute(sql, parameters).fetchall()[0][0])

    def defer_references(self) -> None:
        self._connection.execute("SET CONSTRAINTS ALL DEFERRED")


class PostgresqlDatabase:
    """A `Database` on a server. Statements that fail because the server was not there are tried again."""

    def __init__(self, url: str, reserve: Reserve, connections: int = 20) -> None:
        self._reserve = reserve
        self._lock = threading.Lock()
        self._local = threading.local()
        self._pool = ConnectionPool(
            url,
            min_size=1,
            max_size=connections,
            timeout=10,
            kwargs={"autocommit": True, "row_factory": _row_factory, "application_name": "glance-appliance"},
            configure=_configure,
            open=False,
        )
        with ExitStack() as opened:
            opened.callback(self._pool.close)
            try:
                self._pool.open(wait=True, timeout=10)
            except PoolTimeout as error:
                raise Fatal(f"The database server does not answer: {_reason(url, error)}") from error
            self._owner = _Ownership(url)
            opened.callback(self._owner.close)
            self._migrate()
            opened.pop_all()

    def _migrate(self) -> None:
        """All steps or none."""
        with self._pool.connection() as connection:
            _check_encoding(connection)
            try:
                connection.execute(_BEGIN)
                self._apply_steps(connection)
                connection.execute("COMMIT")
            except psycopg.Error as error:
                raise Fatal(
                    f"The database could not be brought up to this version ({error}); it is as it was, "
                    "for the version that used it last"
                ) from error

    def _apply_steps(self, connection: Connection) -> None:
        connection.execute("CREATE TABLE IF NOT EXISTS schema_steps (name TEXT PRIMARY KEY, applied_at TIMESTAMPTZ)")
        done = {row["name"] for row in connection.execute("SELECT name FROM schema_steps")}
        newer = sorted(done - {name for name, _ in STEPS})
        if newer:
            raise Fatal(
                f"The database was last used by a newer version of the appliance (it has {', '.join(newer)}); "
                "use that version, or restore a backup made with this one"
            )
        for name, step in STEPS:
            if name not in done:
                step(_Declaring(connection))
                connection.execute("INSERT INTO schema_steps VALUES (%s, now())", (name,))

    # -- writing -------------------------------------------------------------------------------------------------------

    def transact(self, function: Callable[[PostgresqlTx], Result], *, frees: bool = False) -> Result:
        if getattr(self._local, "writes", False):
            raise RuntimeError("a write transaction is already open in this thread")
        with ExitStack() as held:
            if frees:
                held.enter_context(self._reserve.spending())
            self._reserve.admit()
            held.enter_context(self._lock)
            self._local.writes = True
            try:
                return self._attempt(lambda: self._transact_once(function))
            finally:
                self._local.writes = False

    def _transact_once(self, function: Callable[[PostgresqlTx], Result]) -> Result:
        with self._pool.connection() as connection:
            connection.execute(_BEGIN)
            try:
                self._owner.check(connection)
                result = function(PostgresqlTx(connection))
            except BaseException:
                if not connection.broken:
                    connection.execute("ROLLBACK")
                raise
            try:
                connection.execute("COMMIT")
            except psycopg.OperationalError as error:
                if not connection.broken:
                    raise
                # Whether it was committed nobody knows: to run it again might do it twice.
                raise Unavailable("the database server went away while a change was committed") from error
            return result

    def _attempt(self, work: Callable[[], Result]) -> Result:
        """Run it again while the server says that it met another one, or is not there."""
        for attempt in range(_ATTEMPTS):
            try:
                with _faults():
                    return work()
            except _Again as again:
                if attempt == _ATTEMPTS - 1:
                    raise _unanswered(again) from again.__cause__
                time.sleep(random.uniform(0.5, 1) * min(0.05 * 2**attempt, 1))
        raise AssertionError

    # -- reading -------------------------------------------------------------------------------------------------------

    def _read(self, read: Callable[[Connection], Result]) -> Result:
        snapshot: Connection | None = getattr(self._local, "snapshot", None)
        if snapshot is not None:
            with _final_faults():
                return read(snapshot)

        def work() -> Result:
            with self._pool.connection() as connection:
                return read(connection)

        return self._attempt(work)

    def row(self, sql: str, parameters: Parameters = ()) -> Row | None:
        return self._read(lambda connection: _run(connection, sql, parameters).fetchone())

    def rows(self, sql: str, parameters: Parameters = ()) -> list[Row]:
        return self._read(lambda connection: _run(connection, sql, parameters).fetchall())

    def each(self, sql: str, parameters: Parameters = ()) -> Iterator[Row]:
        yield from self.rows(sql, parameters)

    def stream(self, sql: str, parameters: Parameters = ()) -> Iterator[Row]:
        with _final_faults(), self._pool.connection() as connection, connection.transaction():
            with connection.cursor(name="stream") as cursor:
                cursor.execute(statement(sql), parameters)
                yield from cursor

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        if getattr(self._local, "snapshot", None) is not None:
            yield
            return
        connection = self._attempt(self._begin_snapshot)
        self._local.snapshot = connection
        try:
            yield
        finally:
            self._local.snapshot = None
            # It has written nothing, so that it may be lost.
            with suppress(psycopg.OperationalError):
                connection.execute("COMMIT")
            self._pool.putconn(connection)

    def _begin_snapshot(self) -> Connection:
        connection = self._pool.getconn()
        try:
            connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        except BaseException:
            self._pool.putconn(connection)
            raise
        return connection

    def damage(self) -> Iterator[str]:
        """The server looks after its files itself; constraints are always on."""
        return iter(())

    def close(self) -> None:
        with self._lock:
            self._owner.close()
            self._pool.close()


class _Ownership:
    """One appliance at a time: a lock that ends with its connection, and a number that every write checks.

    The lock tells a second appliance that the first is alive. If the connection is lost, another may take over: it
    raises the number, and the first one's writes are refused from then on.
    """

    def __init__(self, url: str) -> None:
        self._connection = psycopg.connect(url, autocommit=True, application_name="glance-appliance owner")
        try:
            self._number = self._take()
        except BaseException:
            self._connection.close()
            raise

    def _take(self) -> int:
        taken = self._connection.execute(f"SELECT pg_try_advisory_lock({_OWNER})").fetchone()
        if not taken or not taken[0]:
            raise Fatal("Another appliance is running on this database. Stop it, or give this one its own database.")
        self._connection.execute(
            "CREATE TABLE IF NOT EXISTS ownership (id BIGINT PRIMARY KEY CHECK (id = 1), number BIGINT NOT NULL)"
        )
        row = self._connection.execute(
            "INSERT INTO ownership VALUES (1, 1) ON CONFLICT (id) DO UPDATE SET number = ownership.number + 1 "
            "RETURNING number"
        ).fetchone()
        assert row is not None
        return int(row[0])

    def check(self, connection: Connection) -> None:
        row = connection.execute("SELECT number FROM ownership").fetchone()
        if row is None or row[0] != self._number:
            raise Unavailable("another appliance has taken this database over")

    def close(self) -> None:
        self._connection.close()


class _Declaring:
    """A migration step's way to the database."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def execute(self, sql: str, parameters: Parameters = ()) -> psycopg.Cursor[Row]:
        if parameters:
            return _run(self._connection, sql, parameters)
        return self._connection.execute(declaration(sql))


class _Again(Exception):
    """The statement or transaction did nothing and may be tried again; `__cause__` says why."""


@contextmanager
def _faults() -> Iterator[None]:
    """Turn what psycopg says into our own errors."""
    try:
        yield
    except ApplianceError:
        raise
    except psycopg.IntegrityError as error:
        raise IntegrityError(str(error)) from error
    except (OverflowError, errors.NumericValueOutOfRange) as error:
        raise Invalid("A number is too large to be stored.") from error
    except psycopg.DataError as error:
        raise Invalid("A text has a character that can't be stored.") from error
    except errors.DiskFull as error:
        raise StorageFull("the disk that holds the database is full") from error
    except (PoolClosed, psycopg.InterfaceError) as error:
        raise Unavailable("the service is shutting down") from error
    except (*_AGAIN, psycopg.OperationalError) as error:
        raise _Again from error


@contextmanager
def _final_faults() -> Iterator[None]:
    """The same, where nothing can be tried again."""
    try:
        with _faults():
            yield
    except _Again as again:
        raise _unanswered(again) from again.__cause__


def _unanswered(again: _Again) -> Unavailable:
    return Unavailable(f"the database does not answer: {again.__cause__}")


def _check_encoding(connection: Connection) -> None:
    row = connection.execute("SHOW server_encoding").fetchone()
    if row is None or row[0] != "UTF8":
        raise Fatal("The database has to be of the encoding UTF8: CREATE DATABASE … ENCODING 'UTF8'.")


def _reason(url: str, error: Exception) -> str:
    """Why the server can't be reached, in its own words."""
    try:
        psycopg.connect(url, connect_timeout=5).close()
    except psycopg.Error as found:
        return str(found).strip()
    return str(error)

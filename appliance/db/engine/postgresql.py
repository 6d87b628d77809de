"""PostgreSQL, for a site that runs it already. Loaded only when the `database` setting asks for it.

Write transactions take one advisory lock, so that they follow each other as they do on SQLite and what is checked in
one can't change before it commits. Reads take no lock. Who may write at all is for the lease to say: see `lease.py`.
"""

import logging
import random
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from typing import Any, cast

import psycopg
from psycopg import errors
from psycopg.conninfo import conninfo_to_dict
from psycopg_pool import ConnectionPool, PoolClosed, PoolTimeout

from appliance.blobs.reserve import Reserve
from appliance.db.engine.base import IntegrityError, Parameters, Result, Row
from appliance.db.engine.dialect import declaration, statement
from appliance.db.engine.lease import CLOCK, WRITER, Lease
from appliance.db.engine.postgresql_values import adapt, row_factory, without_nul
from appliance.db.migrations.steps import STEPS
from appliance.db.nodes import NodeCard
from appliance.errors import ApplianceError, Fatal, Invalid, StorageFull, Unavailable
from appliance.values import Micros

log = logging.getLogger(__name__)
# It says at each attempt that it failed; what is worth saying once is said here.
logging.getLogger("psycopg.pool").setLevel(logging.ERROR)

_ATTEMPTS = 6
_CONNECT_SECONDS = 10
_WAIT_SECONDS = 5.0
_WAIT_SECONDS_AWAY = 0.5
"""Of whoever asks while the server is known to be away: nobody's thread is to be taken for long."""
_SETTINGS = (
    # A transaction that writes says so: nothing else can.
    "SET default_transaction_read_only = on; "
    # Whoever is held up, by the network or a stopped process, must not hold up everybody else.
    "SET lock_timeout = '30s'; SET idle_in_transaction_session_timeout = '60s'"
)
_BEGIN = f"BEGIN READ WRITE; SELECT pg_advisory_xact_lock({WRITER})"
_AGAIN = (errors.SerializationFailure, errors.DeadlockDetected, errors.LockNotAvailable)
_STALE = errors.FeatureNotSupported
"""What the server says of a prepared statement whose table has got a column since, from a node of a later version."""
Connection = psycopg.Connection[Row]


def _configure(connection: psycopg.Connection[Any]) -> None:
    adapt(connection)
    connection.execute(_SETTINGS)


def _run(connection: Connection, sql: str, parameters: Parameters) -> psycopg.Cursor[Row]:
    # Statements are this package's own: whatever a client says is a parameter.
    return connection.execute(statement(sql), parameters)


def _look(connection: Connection, sql: str, parameters: Parameters) -> psycopg.Cursor[Row]:
    """Run what may be a question: whoever asks for a text with a NUL, which can't be stored here, finds nothing."""
    try:
        return _run(connection, sql, parameters)
    except psycopg.DataError as error:
        # Of the library's, not the server's: nothing was sent.
        if error.sqlstate is not None or not sql.lstrip().startswith(("SELECT", "WITH")):
            raise
    return _run(connection, sql, without_nul(parameters))


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
        return self._look(sql, parameters).fetchone()

    def rows(self, sql: str, parameters: Parameters = ()) -> list[Row]:
        return self._look(sql, parameters).fetchall()

    def _look(self, sql: str, parameters: Parameters) -> psycopg.Cursor[Row]:
        try:
            return _look(self._connection, sql, parameters)
        except psycopg.IntegrityError as error:
            raise IntegrityError(str(error)) from error

    def insert(self, sql: str, parameters: Parameters = ()) -> int:
        return cast(int, self.execute(sql, parameters).fetchall()[0][0])

    def defer_references(self) -> None:
        self._connection.execute("SET CONSTRAINTS ALL DEFERRED")

    def now(self) -> Micros:
        return _now(self._connection)


class PostgresqlDatabase:
    """A `Database` on a server. Statements that fail because the server was not there are tried again."""

    def __init__(self, url: str, reserve: Reserve, card: NodeCard, connections: int = 20) -> None:
        """Raises `Fatal` if the server does not answer, or somebody else is on the database that is not to be."""
        _try(url)
        self._reserve = reserve
        self._away = False
        self._lock = threading.Lock()
        self._local = threading.local()
        self._pool = ConnectionPool(
            url,
            min_size=1,
            max_size=connections,
            timeout=_WAIT_SECONDS,
            # After that the next one who asks begins a new attempt, whereas the pool's own come ever more rarely.
            reconnect_timeout=1,
            kwargs={
                "autocommit": True,
                "row_factory": row_factory,
                "application_name": "glance-appliance",
                "connect_timeout": _CONNECT_SECONDS,
                "tcp_user_timeout": _CONNECT_SECONDS * 1000,
            },
            configure=_configure,
            open=False,
        )
        with ExitStack() as opened:
            opened.callback(self._pool.close)
            try:
                self._pool.open(wait=True, timeout=_CONNECT_SECONDS)
            except PoolTimeout as error:
                raise Fatal(f"The database server does not answer: {_reason(error)}") from error
            # Before the lease, whose table may be among what is missing; the older version does not mind.
            self._migrate()
            try:
                self.lease = Lease(url, card)
            except psycopg.OperationalError as error:
                raise Fatal(f"The database server does not answer: {_reason(error)}") from error
            opened.callback(self.lease.close)
            # The lock is had, and the lease looked at, in one trip to the server.
            self._begin = f"{_BEGIN}; SELECT generation FROM nodes WHERE id = {_literal(card.id)}"
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
        with self._connection() as connection:
            begun = connection.execute(self._begin)
            try:
                self.lease.check(_last_value(begun))
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

    def _connection(self) -> AbstractContextManager[Connection]:
        return self._pool.connection(_WAIT_SECONDS_AWAY if self._away else None)

    def _attempt(self, work: Callable[[], Result]) -> Result:
        """Run it again while the server says that it met another one, or is not there."""
        for attempt in range(_ATTEMPTS):
            try:
                with _faults():
                    result = work()
                if self._away:
                    self._away = False
                    log.info("the database answers again")
                return result
            except _Again as again:
                if attempt == _ATTEMPTS - 1 or isinstance(again.__cause__, PoolTimeout):
                    unanswered = _unanswered(again)
                    if not self._away:
                        self._away = True
                        log.error("%s", unanswered)
                    raise unanswered from again.__cause__
                if again.is_stale:
                    # The others that the pool has know the table as it was, too.
                    self._pool.drain()
                    continue
                if again.is_cut:
                    # The others that the pool has may be cut as well.
                    self._pool.check()
                time.sleep(random.uniform(0.5, 1) * min(0.05 * 2**attempt, 1))
        raise AssertionError

    # -- reading -------------------------------------------------------------------------------------------------------

    def _read(self, read: Callable[[Connection], Result]) -> Result:
        snapshot: Connection | None = getattr(self._local, "snapshot", None)
        if snapshot is not None:
            with _final_faults():
                return read(snapshot)

        def work() -> Result:
            with self._connection() as connection:
                return read(connection)

        return self._attempt(work)

    def now(self) -> Micros:
        return self._read(_now)

    @property
    def holder(self) -> str | None:
        return self.lease.holder

    def row(self, sql: str, parameters: Parameters = ()) -> Row | None:
        return self._read(lambda connection: _look(connection, sql, parameters).fetchone())

    def rows(self, sql: str, parameters: Parameters = ()) -> list[Row]:
        return self._read(lambda connection: _look(connection, sql, parameters).fetchall())

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
        connection = self._pool.getconn(_WAIT_SECONDS_AWAY if self._away else None)
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
            self.lease.close()
            self._pool.close()


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

    @property
    def is_cut(self) -> bool:
        """Whether the connection was lost."""
        return not isinstance(self.__cause__, (*_AGAIN, PoolTimeout))

    @property
    def is_stale(self) -> bool:
        """Whether a table has changed since the connection has seen it."""
        return isinstance(self.__cause__, _STALE)


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
    except (*_AGAIN, _STALE, psycopg.OperationalError) as error:
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
    return Unavailable(f"the database does not answer: {_reason(again.__cause__)}")


def _check_encoding(connection: Connection) -> None:
    row = connection.execute("SHOW server_encoding").fetchone()
    if row is None or row[0] != "UTF8":
        raise Fatal("The database has to be of the encoding UTF8: CREATE DATABASE … ENCODING 'UTF8'.")


def _try(url: str) -> None:
    """Raise `Fatal` unless a server answers there. What is wrong with a URL is told without the URL."""
    try:
        conninfo_to_dict(url)
    except psycopg.ProgrammingError as error:
        raise Fatal(
            "The database's URL can't be read: it has to be postgresql://USER:PASSWORD@HOST:PORT/NAME?option=value, "
            "with %XX for whatever has a meaning in URLs."
        ) from error
    try:
        psycopg.connect(url, connect_timeout=_CONNECT_SECONDS).close()
    except psycopg.OperationalError as error:
        raise Fatal(f"The database server does not answer: {_reason(error)}") from error


def _reason(error: BaseException | None) -> str:
    """What the server or its library says, in one line."""
    return " ".join(str(error).split())


def _now(connection: Connection) -> Micros:
    row = connection.execute(f"SELECT {CLOCK}").fetchone()
    assert row is not None
    return int(row[0])


def _literal(text: str) -> str:
    """An id of our own in a statement that takes no parameters, for it is several."""
    if not text.isalnum():
        raise ValueError("an id is letters and digits")
    return f"'{text}'"


def _last_value(cursor: psycopg.Cursor[Row]) -> int | None:
    """The one value that the last of several statements gave."""
    while cursor.nextset():
        pass
    row = cursor.fetchone()
    return None if row is None else int(row[0])

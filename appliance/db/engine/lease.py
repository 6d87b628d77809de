"""A node's lease on a database that several may use: taken at the start, renewed while it runs, checked by each commit.

Time is the database's alone. The lease's generation grows each time that it is taken, by whomever: a node that was
paused or cut off finds another generation than its own, and every write of it is refused from then on.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

import psycopg

from appliance.db.nodes import DRAINING, SERVING, NodeCard
from appliance.errors import Fatal, Unavailable

log = logging.getLogger(__name__)

CLOCK = "(extract(epoch FROM clock_timestamp()) * 1000000)::bigint"
"""The database's time, in microseconds."""
WRITER = 0x676C6E63
"""The key of the advisory lock that write transactions take in turn."""
_START = 0x676C6E65
"""And that of the one which starts take."""
_RENEWALS = 5
"""How often a lease is renewed before it would end."""
_LOOK = 0.2
_JOIN = f"""
INSERT INTO nodes (id, name, place, addresses, version, state, shares, generation, oldest, started_at, renewed_at,
                   expires_at)
VALUES (%(id)s, %(name)s, %(place)s, '{{}}', %(version)s, %(state)s, %(shares)s, 1,
        (SELECT value FROM counters WHERE name = 'epoch'), {CLOCK}, {CLOCK}, {CLOCK} + %(length)s)
ON CONFLICT (id) DO UPDATE SET name = excluded.name, place = excluded.place, version = excluded.version,
  state = excluded.state, shares = excluded.shares, generation = nodes.generation + 1, oldest = excluded.oldest,
  started_at = excluded.started_at, renewed_at = excluded.renewed_at, expires_at = excluded.expires_at
RETURNING generation, (SELECT value FROM counters WHERE name = 'epoch')
"""
_RENEW = f"""
UPDATE nodes SET renewed_at = {CLOCK}, expires_at = {CLOCK} + %(length)s, oldest = %(oldest)s
WHERE id = %(id)s AND generation = %(generation)s
RETURNING (SELECT value FROM counters WHERE name = 'epoch'), state
"""
_OTHERS = f"""
SELECT id, name, place, shares, expires_at, expires_at - {CLOCK} FROM nodes
WHERE expires_at > {CLOCK} AND (id <> %(id)s OR place <> %(place)s)
"""
_LEAVE = (
    "UPDATE nodes SET state = 'stopped', expires_at = 0, generation = generation + 1 WHERE id = %s AND generation = %s"
)
_VANISH = "DELETE FROM nodes WHERE id = %s AND generation = %s"


@dataclass(frozen=True, slots=True)
class _Other:
    id: str
    name: str
    place: str
    shares: bool
    expires_at: int
    left: int


class Lease:
    """The lease of one process, from `Lease(…)` to `close`."""

    def __init__(self, url: str, card: NodeCard) -> None:
        self.card = card
        self._url = url
        self._length = card.lease_seconds * 1_000_000
        self.generation = 0
        self.epoch = 0
        """The last one that this node has heard of: see `db.nodes`."""
        self.draining = False
        self._oldest: list[Callable[[], int | None]] = []
        self._lost: list[Callable[[], None]] = []
        self._good_until = 0.0
        self._ending = threading.Event()
        self._connection = self._connect()
        try:
            self._wait_for_others()
            self._join()
        except BaseException:
            self._connection.close()
            raise
        self._thread = threading.Thread(target=self._run, name="lease", daemon=True)
        self._thread.start()

    def _connect(self) -> psycopg.Connection[tuple[int, ...]]:
        # A renewal that is held up must end before the lease does.
        patience = max(1, self.card.lease_seconds // 2)
        connection = psycopg.connect(
            self._url,
            autocommit=True,
            application_name="glance-appliance lease",
            connect_timeout=max(2, patience),
            tcp_user_timeout=patience * 1000,
        )
        connection.execute(f"SET statement_timeout = {patience * 1000}")
        return connection

    # -- taking it -----------------------------------------------------------------------------------------------------

    def _wait_for_others(self) -> None:
        """Raise `Fatal` if another node is alive and the database is not to be shared with it.

        One that has died is waited for: its lease ends by itself, and that of one that lives is renewed meanwhile.
        """
        first = {other.id: other for other in self._in_the_way()}
        while others := self._in_the_way():
            for other in others:
                if other.id not in first or other.expires_at != first[other.id].expires_at:
                    raise Fatal(self._refusal(other))
            time.sleep(min(_LOOK, max(0.01, others[0].left / 1_000_000)))

    def _in_the_way(self) -> list[_Other]:
        rows = self._connection.execute(_OTHERS, {"id": self.card.id, "place": self.card.place}).fetchall()
        others = [_Other(*row) for row in rows]  # type: ignore[arg-type]
        return [one for one in others if not (self.card.shares and one.shares and one.id != self.card.id)]

    def _refusal(self, other: _Other) -> str:
        if other.id == self.card.id:
            return (
                f"This data directory is a copy of that of {other.place}, which is running: remove the file `node` "
                "in this one, so that it becomes a node of its own."
            )
        name = other.name or "a verb"
        return (
            f"Another appliance is running on this database: {name} in {other.place}. Stop it, or give this one its "
            "own database. To run several on one, give all of them the same --site-key-file and stores in buckets."
        )

    def _join(self) -> None:
        started = time.monotonic()
        with self._connection.transaction():
            self._connection.execute(f"SELECT pg_advisory_xact_lock({WRITER})")
            card = {
                "id": self.card.id,
                "name": self.card.name,
                "place": self.card.place,
                "version": self.card.version,
                "shares": int(self.card.shares),
                # One that was about to go does not come back because it was away.
                "state": DRAINING if self.draining else SERVING,
                "length": self._length,
            }
            row = self._connection.execute(_JOIN, card).fetchone()
        assert row is not None
        self.generation, self.epoch = row
        self._good_until = started + self.card.lease_seconds

    # -- while it runs -------------------------------------------------------------------------------------------------

    @property
    def holder(self) -> str:
        """Who does what is done now, as rows name it."""
        return f"{self.card.id}:{self.generation}"

    @property
    def is_held(self) -> bool:
        """Whether the lease can't have ended: by this machine's steady clock, from before the last renewal was sent."""
        return time.monotonic() < self._good_until

    def watch(self, oldest: Callable[[], int | None]) -> None:
        """Tell the others of the epoch of the oldest thing that somebody here still reads or writes."""
        self._oldest.append(oldest)

    def when_lost(self, call: Callable[[], None]) -> None:
        """Have this called, from the lease's thread, after the lease was lost and taken anew."""
        self._lost.append(call)

    def _run(self) -> None:
        away = False
        while not self._ending.wait(self.card.lease_seconds / _RENEWALS):
            try:
                self.renew()
                away = False
            except psycopg.Error as error:
                if not away:
                    log.warning("the lease of this node can't be renewed: %s", " ".join(str(error).split()))
                away = True
                self._reconnect()
            except Fatal as error:
                log.error("%s", error)
                self._good_until = 0.0

    def renew(self) -> None:
        """Renew it, or take a new one if it was lost meanwhile."""
        started = time.monotonic()
        # What is read before the epoch is told is counted, or sees what was before the epoch.
        ages = [age for watched in self._oldest if (age := watched()) is not None]
        values = {
            "id": self.card.id,
            "generation": self.generation,
            "length": self._length,
            "oldest": min(ages, default=self.epoch),
        }
        row = self._connection.execute(_RENEW, values).fetchone()
        if row is not None:
            self.epoch, state = row
            self.draining = str(state) == "draining"
            self._good_until = started + self.card.lease_seconds
            return
        self._good_until = 0.0
        log.error("this node was away for longer than its lease: what it was at is given up, and it begins anew")
        self._wait_for_others()
        self._join()
        for call in self._lost:
            call()

    def _reconnect(self) -> None:
        with suppress(psycopg.Error):
            self._connection.close()
        with suppress(psycopg.Error):
            self._connection = self._connect()

    @contextmanager
    def one_at_a_time(self) -> Iterator[None]:
        """Only one node is inside of such a block at any time; a node that dies in it lets the next one in."""
        with self._connect() as connection:
            connection.execute("SET statement_timeout = 0")
            connection.execute(f"SELECT pg_advisory_lock({_START})")
            yield

    def check(self, generation: int | None) -> None:
        """Raise `Unavailable` unless this is the generation of the lease, as a transaction has just read it."""
        if generation != self.generation:
            raise Unavailable("this node has lost its lease on the database: another may have taken over what it did")

    def close(self) -> None:
        """Give it up: others need not wait for its end. May be called again."""
        self._ending.set()
        self._thread.join()
        with suppress(psycopg.Error):
            # Not if it is another's by now: of whoever serves this directory since.
            left = _LEAVE if self.card.name else _VANISH
            self._connection.execute(left, (self.card.id, self.generation))
        self._connection.close()

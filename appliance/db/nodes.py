"""The nodes that share a database: their leases, the jobs that each runs, the epochs by which they wait for others.

An epoch is a number that whoever collects raises. A node tells with each renewal the epoch in which the oldest reader
or upload that it still has was begun. When all have come to an epoch, nobody is at anything any more that was there
before the epoch began: no clock is compared with another's.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from appliance import __version__
from appliance.db.engine.base import Database, Reader, Row, Tx
from appliance.values import Micros, new_hex_id

SERVING, DRAINING, STOPPED, LOST = "serving", "draining", "stopped", "lost"


@dataclass(frozen=True, slots=True)
class NodeCard:
    """What a process says of itself when it takes a lease. One without a name is a verb, and leaves no trace."""

    id: str = field(default_factory=new_hex_id)
    name: str = ""
    place: str = ""
    shares: bool = False
    """Whether others that share may use the database as well."""
    lease_seconds: int = 15
    version: str = __version__


@dataclass(frozen=True, slots=True)
class NodeRecord:
    """A node as the others see it. `state` is serving, draining, stopped or lost."""

    id: str
    name: str
    place: str
    addresses: dict[str, str]
    version: str
    state: str
    generation: int
    oldest: int
    started_at: Micros
    renewed_at: Micros
    expires_at: Micros

    @property
    def holder(self) -> str:
        return f"{self.id}:{self.generation}"

    def is_live(self, now: Micros) -> bool:
        return self.expires_at > now


_SELECT = (
    "SELECT id, name, place, addresses, version, state, generation, oldest, started_at, renewed_at, expires_at "
    "FROM nodes"
)


def _record(row: Row) -> NodeRecord:
    values = dict(zip(NodeRecord.__slots__, tuple(row), strict=True))
    return NodeRecord(**{**values, "addresses": json.loads(values["addresses"])})


class NodeRows:
    """What all nodes can see of each other."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def every(self) -> list[NodeRecord]:
        """All that have a name, the oldest first; verbs have none."""
        return [_record(row) for row in self._db.rows(f"{_SELECT} WHERE name <> '' ORDER BY started_at, id")]

    def tell_addresses(self, node_id: str, addresses: Mapping[str, str]) -> None:
        text = json.dumps(dict(addresses))
        self._db.transact(lambda tx: tx.execute("UPDATE nodes SET addresses = ? WHERE id = ?", (text, node_id)))

    def set_state(self, node_id: str, before: str, after: str) -> bool:
        """Move a node on; False if it was in another state."""
        sql = "UPDATE nodes SET state = ? WHERE id = ? AND state = ?"
        return self._db.transact(lambda tx: tx.execute(sql, (after, node_id, before)).rowcount == 1)

    def remove(self, node_id: str) -> bool:
        """Forget a node whose lease has ended; False if it lives, or there is none."""

        def change(tx: Tx) -> bool:
            sql = "DELETE FROM nodes WHERE id = ? AND expires_at <= ?"
            return tx.execute(sql, (node_id, tx.now())).rowcount == 1

        return self._db.transact(change)

    def expel(self) -> list[NodeRecord]:
        """Take the generation away from every node whose lease has ended, so that nothing that it does counts any more.

        Says which nodes these were.
        """
        due = self._db.row(
            "SELECT 1 FROM nodes WHERE state IN ('serving', 'draining') AND expires_at <= ?", (self.now(),)
        )
        if due is None:
            return []

        def change(tx: Tx) -> list[NodeRecord]:
            now = tx.now()
            gone = tx.rows(f"{_SELECT} WHERE state IN ('serving', 'draining') AND expires_at <= ?", (now,))
            tx.execute(
                "UPDATE nodes SET state = 'lost', generation = generation + 1 "
                "WHERE state IN ('serving', 'draining') AND expires_at <= ?",
                (now,),
            )
            tx.execute("DELETE FROM nodes WHERE state = 'lost' AND name = ''")
            return [_record(row) for row in gone]

        return self._db.transact(change)

    def now(self) -> Micros:
        return self._db.now()

    # -- jobs ----------------------------------------------------------------------------------------------------------

    def take_job(self, job: str, holder: str) -> bool:
        """Whether the holder runs a job now: nobody else that lives does."""

        def change(tx: Tx) -> bool:
            row = tx.row("SELECT holder FROM job_leases WHERE job = ?", (job,))
            if row is not None and row["holder"] != holder and row["holder"] in serving_holders(tx):
                return False
            tx.execute(
                "INSERT INTO job_leases (job, holder) VALUES (?, ?) "
                "ON CONFLICT (job) DO UPDATE SET holder = excluded.holder",
                (job, holder),
            )
            return True

        row = self._db.row("SELECT holder FROM job_leases WHERE job = ?", (job,))
        if row is not None and row["holder"] == holder:
            return True
        if row is not None and row["holder"] in serving_holders(self._db):
            return False
        return self._db.transact(change)

    def ask(self, job: str) -> None:
        """Have a job run now, by whoever runs it."""
        self._db.transact(
            lambda tx: tx.execute(
                "INSERT INTO job_leases (job, holder, asked) VALUES (?, '', 1) "
                "ON CONFLICT (job) DO UPDATE SET asked = 1",
                (job,),
            )
        )

    def take_asked(self, holder: str, jobs: Iterable[str]) -> list[str]:
        """Those of the jobs that the holder runs and somebody has asked for since the last look."""
        mine = {
            row["job"] for row in self._db.rows("SELECT job FROM job_leases WHERE asked = 1 AND holder = ?", (holder,))
        }
        if not (asked := sorted(mine & set(jobs))):
            return []

        def take(tx: Tx) -> list[str]:
            sql = "UPDATE job_leases SET asked = 0 WHERE job = ? AND asked = 1 AND holder = ?"
            return [job for job in asked if tx.execute(sql, (job, holder)).rowcount == 1]

        return self._db.transact(take)

    def hold(self, job: str, holder: str) -> bool:
        """Have a job to oneself until it is released, or its holder is gone; False if another that lives has it.

        Whoever has asked for it is served by that. A node that drains may go on with what it has.
        """

        def change(tx: Tx) -> bool:
            row = tx.row("SELECT holder FROM job_leases WHERE job = ?", (job,))
            if row is not None and row["holder"] != holder and row["holder"] in live_holders(tx):
                return False
            tx.execute(
                "INSERT INTO job_leases (job, holder, asked) VALUES (?, ?, 0) "
                "ON CONFLICT (job) DO UPDATE SET holder = excluded.holder, asked = 0",
                (job, holder),
            )
            return True

        return self._db.transact(change)

    def release(self, job: str, holder: str) -> None:
        """The holder is done with it, if it is still the holder's; that somebody has asked for it again is kept."""

        def change(tx: Tx) -> None:
            tx.execute("DELETE FROM job_leases WHERE job = ? AND holder = ? AND asked = 0", (job, holder))
            tx.execute("UPDATE job_leases SET holder = '' WHERE job = ? AND holder = ?", (job, holder))

        self._db.transact(change)

    def asked(self) -> frozenset[str]:
        """All that is asked for, whoever runs it."""
        return frozenset(row["job"] for row in self._db.rows("SELECT job FROM job_leases WHERE asked = 1"))

    def held(self) -> frozenset[str]:
        """The jobs that a node which lives runs."""
        live = live_holders(self._db)
        return frozenset(job for job, holder in self.jobs().items() if holder in live)

    def jobs(self) -> dict[str, str]:
        """Who runs each job."""
        return {row["job"]: row["holder"] for row in self._db.rows("SELECT job, holder FROM job_leases ORDER BY job")}

    # -- epochs --------------------------------------------------------------------------------------------------------

    def begin_epoch(self) -> int:
        """Begin a new epoch; its number."""
        return self._db.transact(lambda tx: raise_counter(tx, "epoch"))

    def passed_epoch(self) -> int:
        """The epoch that every node that has not been expelled has come to."""
        row = self._db.row("SELECT min(oldest) AS oldest FROM nodes WHERE state IN ('serving', 'draining')")
        return int(row["oldest"] or 0) if row else 0


def serving_holders(reader: Reader) -> frozenset[str]:
    """Those that may do jobs: neither lost, nor stopped, nor draining."""
    rows = reader.rows("SELECT id, generation FROM nodes WHERE state = 'serving'")
    return frozenset(f"{row['id']}:{row['generation']}" for row in rows)


def live_holders(reader: Reader) -> frozenset[str]:
    """Those whose work is to be left alone: every node that nobody has expelled."""
    rows = reader.rows("SELECT id, generation FROM nodes WHERE state IN ('serving', 'draining')")
    return frozenset(f"{row['id']}:{row['generation']}" for row in rows)


def counter(reader: Reader, name: str) -> int:
    """A number that all nodes see grow."""
    row = reader.row("SELECT value FROM counters WHERE name = ?", (name,))
    return int(row["value"]) if row else 0


def raise_counter(tx: Tx, name: str, least: int = 0) -> int:
    """Make it grow, to `least` at the least; what it is now."""
    row = tx.row(
        "UPDATE counters SET value = CASE WHEN value + 1 < :least THEN :least ELSE value + 1 END WHERE name = :name "
        "RETURNING value",
        {"name": name, "least": least},
    )
    assert row is not None
    return int(row["value"])

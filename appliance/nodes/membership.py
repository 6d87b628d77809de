"""This process among the others that share its database; or alone, which is the usual case and costs nothing."""

import logging
import socket
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from typing import Protocol

from appliance import __version__
from appliance.blobs.durable import Disk, replace_file
from appliance.datadir import DataDir
from appliance.db.engine.base import Database
from appliance.db.engine.registry import is_server
from appliance.db.nodes import DRAINING, SERVING, NodeCard, NodeRecord, NodeRows
from appliance.errors import Conflict, NotFound, WrongUsage
from appliance.settings import Settings
from appliance.values import new_hex_id

log = logging.getLogger(__name__)


class Lease(Protocol):
    """What this package asks of the lease that the engine holds."""

    card: NodeCard
    epoch: int
    draining: bool

    @property
    def holder(self) -> str: ...

    @property
    def is_held(self) -> bool: ...

    def watch(self, oldest: Callable[[], int | None], /) -> None: ...

    def one_at_a_time(self) -> AbstractContextManager[None]: ...


def card_of(settings: Settings, directory: DataDir) -> NodeCard | None:
    """How this process presents itself to a database server; None for a database in a file. Raises `WrongUsage`."""
    if not is_server(settings.database):
        if settings.site_key_file:
            raise WrongUsage("site_key_file is for several nodes on one database: name its server with --database")
        return None
    name = settings.node_name or socket.gethostname()
    return NodeCard(
        id=_node_id(directory),
        name=name,
        place=f"{socket.gethostname()}:{directory.path}",
        shares=bool(settings.site_key_file),
        lease_seconds=settings.node_lease,
    )


def _node_id(directory: DataDir) -> str:
    """What tells this data directory from every other. In a file, so that a node that starts again is the same."""
    if not directory.node.is_file():
        replace_file(Disk(), directory.node, f"{new_hex_id()}\n".encode())
    found = directory.node.read_text().strip()
    if not found.isalnum():
        raise WrongUsage(f"{directory.node} has no id of a node: remove it, and it is made anew")
    return found


class Nodes:
    """What the rest asks of the other nodes. Satisfies `blobs.epochs.Others` where there may be some."""

    def __init__(self, db: Database) -> None:
        self.lease: Lease | None = getattr(db, "lease", None)
        self.rows = NodeRows(db)
        self.is_shared = self.lease is not None and self.lease.card.shares
        self._steady = 0

    @property
    def here(self) -> str:
        """The id of this node; empty if there is but one."""
        return self.lease.card.id if self.lease and self.is_shared else ""

    def named(self, settings: Settings) -> Settings:
        """The settings with a name for what this node caches, where several have caches of their own."""
        if self.lease is None or not self.is_shared or settings.worker_self_reference_url:
            return settings
        return replace(settings, worker_self_reference_url=self.lease.card.name)

    def expel_former(self) -> None:
        """Whoever used the database before, and is not to use it beside this process, does nothing any more."""
        if self.lease is not None and not self.is_shared:
            self.rows.expel()

    def watch(self, oldest: Callable[[], int | None]) -> None:
        """Let the others know of the oldest thing that is read or written here."""
        if self.lease is not None:
            self.lease.watch(oldest)

    def tell_addresses(self, addresses: Mapping[str, str]) -> None:
        if self.is_shared:
            self.rows.tell_addresses(self.here, addresses)

    # -- for those who collect -----------------------------------------------------------------------------------------

    @property
    def epoch(self) -> int:
        return self.lease.epoch if self.lease else 0

    @property
    def may_remove(self) -> bool:
        return self.lease is None or self.lease.is_held

    def begin_epoch(self) -> int:
        return self.rows.begin_epoch()

    def passed_epoch(self) -> int:
        return self.rows.passed_epoch()

    @property
    def lease_seconds(self) -> int:
        return self.lease.card.lease_seconds if self.lease else 0

    # -- for jobs ------------------------------------------------------------------------------------------------------

    def runs(self, job: str) -> bool:
        """Whether a job that one node does for all is this one's."""
        if self.lease is None or not self.is_shared:
            return True
        return self.lease.is_held and not self.lease.draining and self.rows.take_job(job, self.lease.holder)

    def ask(self, job: str) -> None:
        """Have a job that one node does for all run now, wherever that is."""
        self.rows.ask(job)

    def asked(self, jobs: Iterable[str]) -> list[str]:
        """Those of the jobs that this node has been asked for since the last look."""
        return self.rows.take_asked(self.lease.holder, jobs) if self.lease else []

    @property
    def holder(self) -> str:
        """This node and the generation of its lease, as rows name it; empty if there is but one."""
        return self.lease.holder if self.lease and self.is_shared else ""

    def tend(self, recover: Callable[[], object]) -> None:
        """Expel the nodes whose leases have ended, and put right what they were at.

        Not as long as this node itself was without a lease a moment ago: the database was away then, and the others
        have had no chance to renew theirs.
        """
        if self.lease is None or not self.is_shared:
            return
        self._steady = self._steady + 1 if self.lease.is_held else 0
        if self._steady <= TENDED_PER_LEASE or not self.runs("nodes"):
            return
        for node in self.rows.expel():
            log.warning("the node %s in %s is gone; what it was at is taken over", node.name or "of a verb", node.place)
        recover()

    # -- for those who look after the site -----------------------------------------------------------------------------

    def out_of_service(self) -> str:
        """Why nobody should be sent here; empty if there is no reason."""
        if self.lease is None or not self.is_shared:
            return ""
        if not self.lease.is_held:
            return "NODE HAS LOST ITS LEASE"
        return "NODE IS DRAINING" if self.lease.draining else ""

    def every(self) -> Sequence[NodeRecord]:
        return self.rows.every() if self.is_shared else []

    def are_of_this_version(self) -> bool:
        """Whether all that run are, so that they read whatever this one writes."""
        return all(node.version == __version__ for node in self.every() if node.state in (SERVING, DRAINING))

    def by_state(self) -> dict[str, int]:
        """How many nodes there are in each state; nothing where there is but one."""
        return dict(Counter(node.state for node in self.every()))

    def find(self, name: str) -> NodeRecord:
        """The node of this name or id. Raises `NotFound`, or `Conflict` if there are several."""
        found = [node for node in self.every() if name in (node.id, node.name)]
        if not found:
            raise NotFound(f"There is no node {name}.")
        if len(found) > 1:
            raise Conflict(f"Several nodes have the name {name}: say the id of one.")
        return found[0]

    def drain(self, name: str) -> None:
        """Have a node take on nothing new: its healthcheck says so, its jobs go to others, transfers end."""
        node = self.find(name)
        if node.state != DRAINING and not self.rows.set_state(node.id, SERVING, DRAINING):
            raise Conflict(f"The node {name} does not run.")

    def undrain(self, name: str) -> None:
        node = self.find(name)
        if node.state != SERVING and not self.rows.set_state(node.id, DRAINING, SERVING):
            raise Conflict(f"The node {name} does not run.")

    def remove(self, name: str) -> None:
        """Forget a node that runs no more."""
        node = self.find(name)
        if not self.rows.remove(node.id):
            raise Conflict(
                f"The node {name} runs: stop it first. One that has died can be removed when its lease ends."
            )

    @contextmanager
    def one_at_a_time(self) -> Iterator[None]:
        """What is done at a start, no two nodes do at the same time: they would make the same things twice."""
        if self.lease is None or not self.is_shared:
            yield
            return
        with self.lease.one_at_a_time():
            yield


TENDED_PER_LEASE = 3
"""How often a node looks after the others in the time of a lease."""

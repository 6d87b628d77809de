"""Which feeds are followed, when each is due, and how far each of them is. A feed that takes all night, or whose peer
says nothing, holds no other up: each has a thread while it is brought up to date.
"""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from appliance.db.fleet import FeedRecord, PeerRecord
from appliance.errors import ApplianceError, Conflict, Forbidden, Invalid, NotFound
from appliance.fleet.applying import Report
from appliance.fleet.context import FleetContext, check_name, check_policy
from appliance.fleet.feed_locks import BeingReceived
from appliance.fleet.following import Follower, Progress, Source
from appliance.fleet.keys import check_key, fingerprint, read_fingerprint
from appliance.fleet.pace import Hours, Interrupted, Pacer
from appliance.fleet.peer_client import PeerClient
from appliance.fleet.publishing import todo
from appliance.fleet.tree_client import TreeClient
from appliance.values import Micros

log = logging.getLogger(__name__)

_SECOND = 1_000_000
_LOOK = 2.0
_AT_ONCE = 8
_WEEK: Micros = 7 * 24 * 3600 * _SECOND
_STOP_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class FollowTerms:
    """On which terms a feed is followed. `every` is in seconds, 0 for only when asked; `rate` in bytes a second."""

    name: str = ""
    origin: str = ""
    project: str | None = None
    policy: str = "mirror"
    every: int = 0
    hours: str = ""
    rate: int = 0
    tree: str = ""
    """The address of the feed's files, where it is not the peer that is asked."""


@dataclass(frozen=True, slots=True)
class Behind:
    """How far a feed is from what is known of it."""

    feed: FeedRecord
    progress: Progress
    images: int
    length: int
    since: Micros


class Syncer:
    """Follows feeds in the background, from `start` to `stop`; or one at once, with `run`."""

    def __init__(
        self,
        context: FleetContext,
        find_peer: Callable[[str], PeerRecord],
    ) -> None:
        self._context = context
        self._find_peer = find_peer
        self._progress: dict[str, Progress] = {}
        self._stopping = threading.Event()
        self._changed = threading.Condition()
        self._woken = False
        self._thread: threading.Thread | None = None
        self._at_work: dict[str, threading.Thread] = {}

    # -- what is followed ----------------------------------------------------------------------------------------------

    def follow(self, peer_name: str, remote: str, terms: FollowTerms) -> FeedRecord:
        """Follow a feed of a peer from now on; one that came by bundles goes on from where it is.

        Raises `Forbidden` if nobody has accepted the key of its origin, `NotFound` if the peer does not show it.
        """
        peer = self._find_peer(peer_name)
        if not (peer.url or terms.tree):
            raise Invalid(f"The peer {peer_name} has no address: its feeds come as bundles, or from files.")
        source, origin = self._identity_of(peer, check_name(remote), terms.tree)
        if origin == self._context.key.public:
            raise Conflict(f"The feed {remote} is one of this very site.")
        self._check_trust(peer, origin, terms)
        check_policy(terms.policy)
        Hours(terms.hours)
        how: dict[str, Any] = {"tree": terms.tree, "every": terms.every, "hours": terms.hours, "rate": terms.rate}
        values = {"peer": peer.name, "remote": remote, **how}
        rows, known = self._context.rows, self._context.rows.feed_of(origin, source)
        if known is not None:
            self._context.db.transact(lambda tx: rows.change_feed(tx, known.name, values))
            return self._context.feed(known.name)
        made = FeedRecord(
            check_name(terms.name or source),
            origin,
            source,
            False,
            policy=terms.policy,
            project=terms.project,
            created_at=self._context.clock(),
        )
        made = replace(made, **values)
        self._context.db.transact(lambda tx: rows.add_feed(tx, made))
        return made

    def _identity_of(self, peer: PeerRecord, remote: str, tree: str) -> tuple[str, str]:
        """The name that a feed has at its origin, and the key of that; as the peer says, or the files do."""
        if tree:
            head = TreeClient(tree, peer.pin).head()
            if head.feed != remote:
                raise NotFound(f"The files at {tree} are of the feed {head.feed}, and not of {remote}.")
            return head.feed, head.origin
        for feed in PeerClient(peer, self._context.key, self._context.clock).feeds():
            if isinstance(feed, dict) and feed.get("name") == remote:
                return check_name(str(feed.get("source"))), check_key(feed.get("origin"))
        raise NotFound(f"The peer {peer.name} shows no feed {remote} to this site.")

    def _check_trust(self, peer: PeerRecord, origin: str, terms: FollowTerms) -> None:
        if terms.origin:
            if read_fingerprint(terms.origin) != fingerprint(origin):
                raise Forbidden(f"The feed is of the site {fingerprint(origin)}, and not of {terms.origin}.")
        elif origin not in {peer.key, *(one.key for one in self._context.rows.peers())}:
            raise Forbidden(
                f"The feed is handed on by {peer.name} and signed by the site {fingerprint(origin)}, which is not "
                "known here: compare that with what `peer show` prints there, and then say --origin "
                f"{fingerprint(origin)}"
            )

    # -- one feed ------------------------------------------------------------------------------------------------------

    def run(self, name: str) -> Report:
        """Bring a feed up to date now. Raises why it could not be; that is kept, too."""
        with self._context.locks.with_feed(name):
            return self._run_alone(name)

    def _run_alone(self, name: str) -> Report:
        feed = self._context.feed(name)
        if not feed.peer:
            raise Invalid(f"The feed {name} is not followed: its entries come as bundles.")
        progress = self._progress[name] = Progress(running=True)
        trouble = ""
        try:
            source = self._source(self._find_peer(feed.peer), feed)
            return Follower(self._context, feed, source, progress, self._stopping).run()
        except ApplianceError as error:
            trouble = str(error)
            raise
        finally:
            progress.running = False
            values = {"asked_at": self._context.clock(), "trouble": trouble}
            self._context.db.transact(lambda tx: self._context.rows.change_feed(tx, name, values))

    def _source(self, peer: PeerRecord, feed: FeedRecord) -> Source:
        hours = Hours(feed.hours)
        pacer = Pacer(feed.rate, lambda: hours.has(self._context.clock()), self._stopping)
        if feed.tree:
            return TreeClient(feed.tree, peer.pin, pacer)
        return PeerClient(peer, self._context.key, self._context.clock, pacer)

    def behind(self) -> list[Behind]:
        """How far each of the feeds is that come from elsewhere."""
        found, busy = [], self._context.locks.busy()
        for feed in self._context.rows.feeds():
            if feed.is_own:
                continue
            entries = todo(self._context, feed)
            progress = self._progress.get(feed.name, Progress())
            length = sum(entry.put["map"]["stored"] for entry in entries if entry.put)
            length = progress.bytes_left if progress.running else length
            since = min((entry.at for entry in entries), default=0)
            # At which node it runs is all the same to whoever asks.
            shown = replace(progress, running=progress.running or feed.name in busy)
            found.append(Behind(feed, shown, len(entries), length, since))
        return found

    # -- in the background ---------------------------------------------------------------------------------------------

    def start(self) -> None:
        self._thread = threading.Thread(target=self._run, name="fleet", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End what runs; what has come stays. May be called twice, and without a start."""
        self._stopping.set()
        with self._changed:
            self._changed.notify()
        end = time.monotonic() + _STOP_SECONDS
        if self._thread is not None:
            # The one that begins the others.
            self._thread.join(_STOP_SECONDS)
        for thread in self._at_work.values():
            thread.join(max(0.0, end - time.monotonic()))

    def wake(self, name: str) -> None:
        """Have a feed brought up to date now, in the background. Raises `NotFound` or `Invalid`."""
        if not self._context.feed(name).peer:
            raise Invalid(f"The feed {name} is not followed: its entries come as bundles.")
        self._context.locks.ask(name)
        with self._changed:
            self._woken = True
            self._changed.notify()

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self._look()
            except ApplianceError as error:
                log.warning("the feeds that are followed can't be looked at: %s", error)
            with self._changed:
                if not self._woken and not self._stopping.is_set():
                    self._changed.wait(_LOOK)
                self._woken = False

    def _look(self) -> None:
        """Begin with what is due."""
        if not self._context.locks.is_ours():
            return
        asked = self._context.locks.asked()
        self._at_work = {name: thread for name, thread in self._at_work.items() if thread.is_alive()}
        for feed in self._context.rows.feeds():
            if self._stopping.is_set() or feed.name in self._at_work or len(self._at_work) >= _AT_ONCE:
                continue
            if feed.name in asked or self._is_due(feed):
                thread = threading.Thread(target=self._run_told, args=(feed.name,), name="fleet feed", daemon=True)
                self._at_work[feed.name] = thread
                thread.start()
        self._context.give_back(self._context.clock() - _WEEK)

    def _run_told(self, name: str) -> None:
        """Run one, and log how it ended."""
        try:
            report = self.run(name)
            if report.created or report.changed or report.removed:
                counts = len(report.created), len(report.changed), len(report.removed)
                log.info("feed %s: %d images came, %d changed, %d went", name, *counts)
        except BeingReceived:
            pass  # by an import, or by a node that follows it no more when it is done
        except Interrupted as error:
            log.info("feed %s: %s", name, error)
        except ApplianceError as error:
            log.warning("feed %s can't be followed: %s", name, error)
        except Exception:
            log.exception("following the feed %s failed", name)

    def _is_due(self, feed: FeedRecord) -> bool:
        now = self._context.clock()
        # A clock that was set back does not make a feed wait for what was to come.
        waits = 0 <= now - feed.asked_at < feed.every * _SECOND
        return bool(feed.peer and feed.every) and not waits and Hours(feed.hours).has(now)

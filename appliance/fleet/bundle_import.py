"""Importing a bundle: first everything that can be refused is looked at, then the blocks come, then the images appear.

All images of a bundle, and the feed's new position, appear in one transaction. What a torn import has brought stays
for the next try.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from appliance.db.fleet import FeedRecord
from appliance.errors import Conflict, Forbidden, Invalid
from appliance.fleet.applying import Applier, Report
from appliance.fleet.block_map import BlockMap
from appliance.fleet.bundle_reader import BundleReader
from appliance.fleet.context import FleetContext, check_name, check_policy
from appliance.fleet.feed_log import Entry, Position, follow
from appliance.fleet.keys import fingerprint, read_fingerprint, readable
from appliance.fleet.manifest import Manifest
from appliance.fleet.publishing import todo
from appliance.fleet.receipts import write_receipt
from appliance.fleet.receiving import Assembled, Receiver
from appliance.fleet.tar import Read

Progress = Callable[[int], None]
"""Told how many more bytes have come."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What somebody says who imports, or follows, a feed for the first time; empty for what is as before."""

    origin: str = ""
    """The fingerprint of the feed's origin, where it is not a peer."""
    name: str = ""
    project: str | None = None
    policy: str = ""


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import did; `receipt` is for the site that exports the next bundle."""

    feed: str
    position: int
    came: int
    report: Report
    receipt: str


class BundleImport:
    """Imports bundles, one at a time."""

    def __init__(self, context: FleetContext) -> None:
        self._context = context

    def run(self, read: Read, terms: Terms, progress: Progress = lambda length: None) -> Imported:
        """Raises `Forbidden` or `Invalid` for a bundle that is not to be believed, `Conflict` for one that does not fit
        what is here, `Corrupt` for a damaged one. Nothing is different then, but for blocks that need not come again.
        """
        bundle = BundleReader(read)
        feed, is_new = self._feed(bundle, terms)
        with self._context.locks.with_feed(feed.name):
            return self._run(bundle, feed, is_new, progress)

    def _run(self, bundle: BundleReader, feed: FeedRecord, is_new: bool, progress: Progress) -> Imported:
        if bundle.header.after.sequence > feed.sequence:
            raise _gap(bundle, feed)
        entries = bundle.entries()
        fresh = list(follow(entries, Position(feed.sequence, feed.head), self._known(feed, entries)))
        entries_left = todo(self._context, feed, fresh)
        came, report = 0, Report()
        if entries_left or is_new:
            reached = fresh[-1].position if fresh else Position(feed.sequence, feed.head)
            data, came = self._data(bundle, feed, entries, entries_left, progress)
            report = Applier(self._context, feed).apply(entries_left, data, reached, fresh, make_feed=is_new)
        feed = self._context.feed(feed.name)
        return Imported(feed.name, feed.sequence, came, report, write_receipt(self._context, feed))

    def _feed(self, bundle: BundleReader, terms: Terms) -> tuple[FeedRecord, bool]:
        """The feed that the bundle is of, as it is here or is to be; and whether it is new here."""
        header = bundle.header
        if header.origin == self._context.key.public:
            raise Conflict(f"the bundle has the feed {header.feed} of this very site: it is imported elsewhere")
        known = self._context.rows.feed_of(header.origin, header.feed)
        if known is not None:
            if (terms.policy, terms.project) != ("", None):
                raise Invalid(f"the feed {known.name} is here already: `feed set {known.name}` changes its terms")
            return known, False
        self._check_trust(header.origin, terms)
        name = check_name(terms.name or header.feed)
        if self._context.rows.feed(name) is not None:
            raise Conflict(f"there is another feed {name} here: give this one a name with --name")
        policy = terms.policy or "mirror"
        check_policy(policy)
        at = self._context.clock()
        feed = FeedRecord(name, header.origin, header.feed, False, policy=policy, project=terms.project, created_at=at)
        return feed, True

    def _check_trust(self, origin: str, terms: Terms) -> None:
        """Raise `Forbidden` unless somebody has said that this origin is one to be believed."""
        found = fingerprint(origin)
        if terms.origin:
            if read_fingerprint(terms.origin) != found:
                raise Forbidden(f"the feed is of the site {found}, and not of {read_fingerprint(terms.origin)}")
        elif all(peer.key != origin for peer in self._context.rows.peers()):
            raise Forbidden(
                f"the feed is signed by the site {found}, which is not known here: compare that with what `peer show` "
                f"prints there, and then say --origin {found}"
            )

    def _known(self, feed: FeedRecord, entries: list[Entry]) -> Mapping[int, str]:
        """The bodies of those of the entries that are here already."""
        if not entries or entries[0].sequence > feed.sequence:
            return {}
        rows = self._context.rows.entries(feed.name, entries[0].sequence - 1, len(entries))
        return {row.sequence: row.body for row in rows}

    # -- what images are made of ---------------------------------------------------------------------------------------

    def _data(
        self,
        bundle: BundleReader,
        feed: FeedRecord,
        entries: list[Entry],
        left: list[Entry],
        progress: Progress,
    ) -> tuple[dict[str, Assembled], int]:
        """The data of images that are not here yet, by their ids; and how many bytes of it came."""
        receiver, applier = Receiver(self._context, feed), Applier(self._context, feed)
        needed = [entry.put for entry in left if entry.put is not None and applier.needs_data(entry.put)]
        wanted = self._wanted(bundle, receiver, entries, needed)
        with receiver.arrivals() as arrivals:
            for block in bundle.blocks():
                progress(len(block.data))
                if block.digest in wanted:
                    wanted.discard(block.digest)
                    arrivals.take(block)
            bundle.finish()
        return {one["id"]: receiver.assemble(one, self._map(one)) for one in needed}, arrivals.stored

    def _wanted(
        self, bundle: BundleReader, receiver: Receiver, entries: list[Entry], needed: list[Manifest]
    ) -> set[bytes]:
        """The digests of blocks that have to come. Raises `Conflict` if the bundle does not have them all."""
        for digest, block_map in bundle.maps(
            {entry.put["map"]["sha256"]: entry.put["size"] for entry in entries if entry.put}
        ):
            self._context.maps.keep(digest, block_map.pack())
        wanted: set[bytes] = set()
        lacking: dict[str, set[bytes]] = {}
        for one in needed:
            receiver.check_room(one)
            lacking[one["id"]] = receiver.missing(self._map(one))
            wanted |= lacking[one["id"]]
        coming = {digest for digest in bundle.digests() if digest in wanted}
        for one in needed:
            if count := len(lacking[one["id"]] - coming):
                raise Conflict(
                    f"the bundle lacks {count} blocks of image {one['id']} ({readable(one['name'])}), and they are not "
                    "here: export one without --since"
                )
        return wanted

    def _map(self, manifest: Manifest) -> BlockMap:
        digest = manifest["map"]["sha256"]
        packed = self._context.maps.find(digest)
        if packed is None:
            raise Conflict(
                f"the bundle does not have image {manifest['id']} ({readable(manifest['name'])}), and it is not here: "
                "export one without --since"
            )
        return BlockMap.unpack(packed, digest=digest, size=manifest["size"])


def _gap(bundle: BundleReader, feed: FeedRecord) -> Conflict:
    after = bundle.header.after.sequence
    return Conflict(
        f"the bundle goes on from entry {after} of the feed {bundle.header.feed}, and here it is at entry "
        f"{feed.sequence}: import what has the entries {feed.sequence + 1} to {after} first, or export one with the "
        "receipt of this site"
    )

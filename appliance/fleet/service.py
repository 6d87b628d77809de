"""The fleet of this site: its key, its peers, its feeds, and bundles of them."""

from appliance.datadir import DataDir
from appliance.db.engine.base import Database
from appliance.db.fleet import FleetRows
from appliance.fleet.bundle_import import BundleImport
from appliance.fleet.bundle_writer import BundleWriter
from appliance.fleet.context import FleetContext, Maps
from appliance.fleet.feed_locks import FeedLocks, OwnFeedLocks
from appliance.fleet.keys import SiteKey
from appliance.fleet.peer_requests import RequestCheck
from appliance.fleet.peers import Peers
from appliance.fleet.publishing import Publisher
from appliance.fleet.receipts import read_receipt
from appliance.fleet.serving import Serving
from appliance.fleet.syncing import Syncer
from appliance.image.service import Images
from appliance.values import Clock


class Fleet:
    """Everything that a site does with others."""

    def __init__(
        self,
        db: Database,
        images: Images,
        directory: DataDir,
        clock: Clock,
        locks: FeedLocks | None = None,
    ) -> None:
        """`locks` are those that several nodes of one site share."""
        key = SiteKey(directory.keys)
        self.context = FleetContext(
            db, FleetRows(db), images, key, Maps(directory.fleet / "maps"), clock, locks or OwnFeedLocks()
        )
        self.key = key
        self.peers = Peers(self.context)
        self.publisher = Publisher(self.context)
        self.imports = BundleImport(self.context)
        self.serving = Serving(self.context, self.publisher)
        self.request_check = RequestCheck(self.context)
        self.syncer = Syncer(self.context, self.peers.find)

    def bundle(self, feed: str, since: str = "") -> BundleWriter:
        """A bundle of a feed as it is now. `since` is the text of the receiving site's receipt."""
        receipt = read_receipt(since) if since else None
        return BundleWriter(self.context, self.publisher.refresh(feed), receipt)

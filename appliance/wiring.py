"""The composition root: settings in, the whole appliance out, on one screen."""

import socket
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from types import TracebackType

from appliance.blobs.reserve import Reserve
from appliance.datadir import DataDir
from appliance.db.engine.registry import open_database
from appliance.db.key_values import KeyValues
from appliance.db.transfer import refuse_moved
from appliance.fleet.feed_locks import SharedFeedLocks
from appliance.fleet.service import Fleet
from appliance.https import Https
from appliance.identity.catalog.catalog import Addresses, image_endpoint
from appliance.identity.remote.validator import ExternalIdentity, token_validator
from appliance.identity.service import Identity
from appliance.image.service import Images
from appliance.image.store_settings import write_record
from appliance.image.stores import open_stores
from appliance.image.web.documents import document_reader
from appliance.nodes.membership import card_of
from appliance.nodes.site import Site
from appliance.ports import Places, limits, listeners
from appliance.server.server import Server
from appliance.services import Parts, Services
from appliance.settings import Settings
from appliance.startup import Startup, StartupReport, Trace
from appliance.values import Caller, Clock, SteadyClock, now


class Appliance:
    """Everything that one data directory needs to be served. `with` opens it, `start` listens, `run` serves.

    With `sockets`, one for each of `ports.ports`, it listens there.
    """

    server: Server

    def __init__(self, settings: Settings, clock: Clock = now, sockets: Sequence[socket.socket] = ()) -> None:
        self.settings = settings
        self.clock = clock
        self.directory = DataDir(settings.data_dir)
        self._sockets = sockets
        self._trace = Trace(self.directory)
        self.https = Https(settings, self.directory, clock)
        self.places = Places(settings, self.https, lambda: self.server.addresses)

    def __enter__(self) -> "Appliance":
        """Own the directory, open what is in it, and put right what a crash has left."""
        with ExitStack() as opened:
            self.directory.acquire("serve")
            opened.callback(self.directory.release)
            self._trace.begin()
            opened.callback(self._trace.undo)
            self.reserve = Reserve(self.directory.path, self.settings.disk_reserve)
            # A full disk must not stand in the way of the start: it can be emptied only through the service.
            with self.reserve.spending():
                self.reserve.admit()
                self._open(opened)
            self.reserve.refill()
            self._opened = opened.pop_all()
        return self

    def _open(self, opened: ExitStack) -> None:
        settings = self.settings
        self.https.open()
        card = card_of(settings, self.directory)
        self.db = open_database(settings.database or self.directory.database, self.reserve, card)
        opened.callback(self.db.close)
        refuse_moved(self.db)
        self.site = Site(self.db, settings, self.directory)
        with self.site.nodes.one_at_a_time():
            parts = self._open_parts(opened)
        self.services = Services(parts, opened)
        self.server = Server(
            listeners(
                settings,
                self.services.applications,
                self._sockets,
                self.https.certificate,
                self._validator.validate,
                self.services.with_console if settings.console else None,
            ),
            limits(settings),
        )
        opened.callback(self.server.close)

    def _open_parts(self, opened: ExitStack) -> Parts:
        """The stores, the users and the images; and what a crash has left of them."""
        settings, nodes = self.settings, self.site.nodes
        self.stores = open_stores(
            settings,
            self.directory,
            self.db,
            SteadyClock(self.clock),
            reserve=self.reserve,
            others=nodes if nodes.is_shared else None,
        )
        opened.callback(self.stores.close)
        write_record(settings, self.directory)
        for store in self.stores.with_data():
            nodes.watch(store.writer.gc_guard.oldest_epoch)
        self.site.take_keys()
        self.identity = Identity(
            self.db,
            self.directory.keys,
            settings,
            self.clock,
            fetch=document_reader(settings),
            shared_key=self.site.shared_key,
        )
        self._validator = token_validator(self.identity, KeyValues(self.db), settings, self.clock)
        self.images = Images(
            self.db, self.stores, nodes.named(settings), self.clock, self._find_image_service, self._find_image_limits
        )
        opened.callback(self.images.close)
        self.images.recover()
        shared_locks = SharedFeedLocks(nodes.rows, lambda: nodes.holder, lambda: nodes.runs("fleet"))
        locks = shared_locks if nodes.is_shared else None
        self.fleet = Fleet(self.db, self.images, self.directory, self.clock, locks)
        opened.callback(self.fleet.syncer.stop)
        if nodes.is_shared:
            self.fleet.key.make_missing()
        # Last of all that makes keys.
        self.identity.keyring.refresh = self.site.join(self.identity.reload_keys)
        return Parts(
            settings=settings,
            clock=self.clock,
            directory=self.directory,
            reserve=self.reserve,
            https=self.https,
            places=self.places,
            db=self.db,
            site=self.site,
            stores=self.stores,
            identity=self.identity,
            validator=self._validator,
            images=self.images,
            fleet=self.fleet,
        )

    def _find_image_service(self, caller: Caller, region: str, interface: str) -> str | None:
        """The image service of a region, which glance-download fetches from: by the catalog of who issues tokens."""
        if isinstance(self._validator, ExternalIdentity):
            return image_endpoint(self._validator.catalog(caller.token), region, interface)
        image, identity = self.places.urls()
        return image_endpoint(self.identity.catalog.rendered(Addresses(identity, image), None, ""), region, interface)

    def _find_image_limits(self, project_id: str) -> Mapping[str, int]:
        """A project's limits of the image service."""
        return self.identity.limits.in_force("image", self.settings.region, project_id)

    def init(self) -> StartupReport:
        """Do what the first start has to do, and leave the rest to it: nothing listens."""
        return self._make_missing(*self.places.planned())

    def start(self) -> StartupReport:
        """Listen, do what the first start has to do, and say where."""
        self.server.start()
        bases = self.places.bases()
        report = self._make_missing(*self.places.urls())
        image, identity = self.places.local()
        self.directory.tell({"image": image, "identity": f"{identity}/v3"})
        self.site.nodes.tell_addresses({"image": report.image_url, "identity": f"{report.identity_url}/v3"})
        report.admin_url = bases.get("legacy_admin_port", "")
        report.metrics_url = f"{bases['metrics_port']}/metrics" if "metrics_port" in bases else ""
        if self.settings.console:
            report.console_url = f"{bases['image_port']}/console/"
            report.console_link = f"{report.console_url}#start={self.services.link.make()}" if report.is_first else ""
        return report

    def _make_missing(self, image_url: str, identity_url: str) -> StartupReport:
        startup = Startup(
            self.settings, self.directory, self.db, self.identity, self.images, self.clock, self.https.authority
        )
        with self.reserve.spending(), self.site.nodes.one_at_a_time():
            return startup.make_missing(self._trace, image_url, identity_url)

    def run(self) -> None:
        """Serve until `stop`."""
        self.services.scheduler.start()
        self.fleet.syncer.start()
        self.server.run()

    def post(self, call: Callable[[], None]) -> None:
        """Have `run` call this soon, between requests. From any thread and from signal handlers."""
        self.server.post(call)

    def stop(self) -> None:
        """Let running requests end, then make `run` return. From any thread and from signal handlers."""
        self.server.stop()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._opened.close()

"""The composition root: settings in, the whole appliance out, on one screen."""

import socket
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from types import TracebackType
from wsgiref.types import WSGIApplication, WSGIEnvironment

from appliance.activity.history import History
from appliance.activity.running import Transfers
from appliance.activity.trail import AuditTrail, sink_of
from appliance.api.appliance_v1 import metrics
from appliance.api.appliance_v1.events import EventRoutes
from appliance.api.appliance_v1.fleet import FleetRoutes
from appliance.api.appliance_v1.fleet_peers import WithPeers, peer_service
from appliance.api.appliance_v1.images import ImageRoutes
from appliance.api.appliance_v1.nodes import NodeRoutes
from appliance.api.appliance_v1.status import StatusRoutes
from appliance.api.appliance_v1.store import SpaceRoutes
from appliance.api.console.gate import Console, console_before
from appliance.api.http.addresses import AddressBook
from appliance.api.http.admission import WithReserve
from appliance.api.http.observe import Observed, Observer, auditing, by_link
from appliance.api.http.service import Route
from appliance.api.identity_v3 import routes as identity_v3
from appliance.api.image_v2 import metadef_items
from appliance.api.image_v2 import routes as image_v2
from appliance.api.legacy.versions import Legacy
from appliance.blobs.reserve import Reserve
from appliance.datadir import DataDir
from appliance.db.activity import EventRows, Figures
from appliance.db.engine.registry import open_database
from appliance.db.image.contents import ImageContents
from appliance.db.key_values import KeyValues
from appliance.db.transfer import refuse_moved
from appliance.fleet.service import Fleet
from appliance.https import Https
from appliance.identity.catalog.catalog import Addresses, image_endpoint
from appliance.identity.remote.validator import Edge, ExternalIdentity, token_validator
from appliance.identity.service import Identity
from appliance.identity.tokens.token import Token
from appliance.image.metadefs.namespaces import Metadefs
from appliance.image.service import Images
from appliance.image.store_settings import write_record
from appliance.image.stores import open_stores
from appliance.image.web.documents import document_reader
from appliance.jobs.maintenance import SharedScheduler, activity_jobs, collectors, image_jobs, maintenance_jobs
from appliance.jobs.scheduler import Job, Scheduler, done
from appliance.nodes.membership import card_of
from appliance.nodes.site import Site
from appliance.ports import Places, limits, listeners
from appliance.server.server import Server
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
            self._open_parts(opened)
        self._serve(opened)

    def _open_parts(self, opened: ExitStack) -> None:
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
        self.images = Images(
            self.db, self.stores, settings, self.clock, self._find_image_service, self._find_image_limits
        )
        opened.callback(self.images.close)
        self.images.recover()
        self.fleet = Fleet(self.db, self.images, self.directory, self.clock, lambda: nodes.runs("fleet"))
        opened.callback(self.fleet.syncer.stop)
        # Last of all that makes keys.
        self.identity.keyring.refresh = self.site.join(self.identity.reload_keys)

    def _recover_others(self) -> None:
        """What other nodes have left that are gone."""
        for store in self.stores.with_data():
            store.writer.index.maintenance.discard_writing()
        self.images.take_over()

    def _serve(self, opened: ExitStack) -> None:
        settings, nodes = self.settings, self.site.nodes
        legacy = Legacy(self.identity, settings, self.places.both, self.places.admin) if settings.legacy else None
        addresses = legacy.addresses if legacy else AddressBook(settings, self.places.both)
        blobs = {store.id: store.writer for store in self.stores.with_data()}
        self.trail = AuditTrail(EventRows(self.db), self.clock, settings.audit_days, sink_of(settings))
        opened.callback(self.trail.close)
        self.transfers = Transfers(self.clock)
        self.history = History(Figures(self.db), list(blobs.values()), self.clock)
        collecting = collectors(blobs, settings)
        validator = token_validator(self.identity, KeyValues(self.db), settings, self.clock)
        jobs = maintenance_jobs(self.stores, collecting, settings)
        if isinstance(validator, Edge):
            jobs.append(Job("edge", done(validator.copy), settings.edge_sync_seconds))
        jobs += [*activity_jobs(self.history, self.trail), *self.https.jobs(), *image_jobs(self.images, settings)]
        self.scheduler = SharedScheduler(jobs, self.site, self._recover_others) if nodes.is_shared else Scheduler(jobs)
        opened.callback(self.scheduler.stop)
        # First of all, so that no job waits for another server's data any more.
        opened.callback(self.images.queue.stopping.set)
        image = image_v2.build(
            self.images,
            validator.validate,
            settings,
            identity_url=addresses.identity_from_image,
            out_of_service=nodes.out_of_service,
            more_routes=(
                *metadef_items.routes(Metadefs(self.db, self.images.policies, settings, self.clock), settings),
                *ImageRoutes(self.images, self.db).routes(),
                *SpaceRoutes(self.images, ImageContents(self.db), collecting, self.scheduler.wake).routes(),
                *StatusRoutes(
                    self.images, settings, self.clock, self.history, self.transfers, self.scheduler, nodes
                ).routes(),
                *EventRoutes(self.trail, self.images.policies).routes(),
                *FleetRoutes(self.fleet).routes(),
                *NodeRoutes(nodes, self.images.policies).routes(),
            ),
        )
        self.routes: dict[str, Sequence[Route]] = {"image": image.routes}
        self._validator = validator
        served: dict[str, WSGIApplication] = {"image": image}
        if legacy:
            served["image"] = legacy.image(image, self.images, validator.validate)
        served["image"] = WithPeers(served["image"], peer_service(self.fleet))
        if settings.identity_mode != "external":
            older = legacy.older if legacy else None
            identity = identity_v3.build(self.identity, settings, addresses, older, nodes.out_of_service)
            self.routes["identity"] = identity.routes
            served["identity"] = legacy.identity(identity) if legacy else identity
            if legacy:
                served["admin"] = legacy.admin_identity()
        if legacy:
            self.routes |= legacy.routes
        with_console = self._with_console if settings.console else None
        observed = self._observed(served)
        certificate = self.https.certificate
        listening = listeners(settings, observed, self._sockets, certificate, validator.validate, with_console)
        self.server = Server(listening, limits(settings))
        opened.callback(self.server.close)

    def _observed(self, served: dict[str, WSGIApplication]) -> dict[str, WSGIApplication]:
        """The services with those that look on, and the application that shows the metrics, if it is wanted."""
        observers: list[Observer] = [auditing(self.trail, self.clock)] if self.settings.audit_days else []
        more: dict[str, WSGIApplication] = {}
        if self.settings.metrics_port >= 0:
            figures = metrics.load()(
                self.history,
                self.transfers,
                self.scheduler,
                self.stores.trouble,
                self.directory.room,
                lambda: self.identity.keyring.age(self.clock()) / 1_000_000,
                self.https.expires,
                self.site.nodes.by_state,
            )
            observers.append(metrics.counting(figures))
            more["metrics"] = metrics.MetricsApp(figures, self.settings.metrics_token)
        seen = {name: Observed(name, app, self.transfers, observers) for name, app in served.items()}
        return {**{name: WithReserve(app, self.reserve) for name, app in seen.items()}, **more}

    def _with_console(self, apps: Sequence[WSGIApplication]) -> Console:
        """The first port's application behind the console."""
        console = console_before(apps, self.settings, self.places.both, self._first_session)
        self.link = console.link
        return console

    def _first_session(self, environ: WSGIEnvironment) -> Token:
        """The first administrator's token, for who has shown the one-time link."""
        token = self.identity.log_in_first_admin()
        self.trail.record(by_link(token, environ, self.clock()))
        return token

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
            report.console_link = f"{report.console_url}#start={self.link.make()}" if report.is_first else ""
        return report

    def _make_missing(self, image_url: str, identity_url: str) -> StartupReport:
        startup = Startup(
            self.settings, self.directory, self.db, self.identity, self.images, self.clock, self.https.authority
        )
        with self.reserve.spending(), self.site.nodes.one_at_a_time():
            return startup.make_missing(self._trace, image_url, identity_url)

    def run(self) -> None:
        """Serve until `stop`."""
        self.scheduler.start()
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

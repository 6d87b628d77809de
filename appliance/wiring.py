"""The composition root: settings in, the whole appliance out, on one screen."""

import socket
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from types import TracebackType
from wsgiref.types import WSGIApplication

from appliance.api.appliance_v1.store import ImageMaintenanceRoutes, SpaceRoutes
from appliance.api.http.addresses import AddressBook
from appliance.api.http.admission import OnFullDisk, Uploaders
from appliance.api.http.proxy import BehindProxies, Mount, TrustedProxies
from appliance.api.http.service import Route
from appliance.api.identity_v3 import routes as identity_v3
from appliance.api.image_v2 import metadef_items
from appliance.api.image_v2 import routes as image_v2
from appliance.api.legacy.versions import UNDERSCORED, Legacy
from appliance.blobs.reserve import Reserve
from appliance.datadir import DataDir
from appliance.db.engine.registry import open_database
from appliance.db.key_values import KeyValues
from appliance.identity.catalog.catalog import Addresses, image_endpoint
from appliance.identity.remote.validator import Edge, ExternalIdentity, token_validator
from appliance.identity.service import Identity
from appliance.image.metadefs.catalog import Metadefs
from appliance.image.service import Images
from appliance.image.stores import open_stores, write_record
from appliance.image.web.content import MOST_READERS
from appliance.jobs.maintenance import collectors, image_jobs, maintenance_jobs
from appliance.jobs.scheduler import Job, Scheduler, done
from appliance.server.limits import Limits
from appliance.server.server import Listener, Server
from appliance.settings import Settings
from appliance.startup import Startup, StartupReport, Trace, ports
from appliance.values import Caller, Clock, SteadyClock, now


class Appliance:
    """Everything that one data directory needs to be served. `with` opens it, `start` listens, `run` serves.

    With `sockets`, one for each of `startup.ports`, it listens there.
    """

    def __init__(self, settings: Settings, clock: Clock = now, sockets: Sequence[socket.socket] = ()) -> None:
        self.settings = settings
        self.clock = clock
        self.directory = DataDir(settings.data_dir)
        self._sockets = sockets
        self._trace = Trace(self.directory)

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
        self.db = open_database(settings.database or self.directory.database, self.reserve)
        opened.callback(self.db.close)
        self.stores = open_stores(settings, self.directory, self.db, SteadyClock(self.clock), reserve=self.reserve)
        opened.callback(self.stores.close)
        write_record(settings, self.directory)
        self.identity = Identity(self.db, self.directory.keys, settings, self.clock)
        self.images = Images(
            self.db, self.stores, settings, self.clock, self._find_image_service, self._find_image_limits
        )
        opened.callback(self.images.close)
        self.images.recover()

        legacy = Legacy(self.identity, settings, self._ports, self._admin_port) if settings.legacy else None
        addresses = legacy.addresses if legacy else AddressBook(settings, self._ports)
        blobs = {store.id: store.blobs for store in self.stores.every() if store.blobs is not None}
        collecting = collectors(blobs, settings)
        validator = token_validator(self.identity, KeyValues(self.db), settings, self.clock)
        jobs = maintenance_jobs(self.stores, collecting, settings)
        if isinstance(validator, Edge):
            jobs.append(Job("edge", done(validator.copy), settings.edge_sync_seconds))
        self.scheduler = Scheduler([*jobs, *image_jobs(self.images, settings)])
        opened.callback(self.scheduler.stop)
        # First of all, so that no job waits for another server's data any more.
        opened.callback(self.images.imports.run.stopping.set)
        image = image_v2.build(
            self.images,
            validator.validate,
            settings,
            identity_url=addresses.identity_from_image,
            more_routes=(
                *metadef_items.routes(Metadefs(self.db, settings, self.clock), settings),
                *ImageMaintenanceRoutes(self.images).routes(),
                *SpaceRoutes(self.images, collecting, self.scheduler.wake).routes(),
            ),
        )
        self.routes: dict[str, Sequence[Route]] = {"image": image.routes}
        self._validator = validator
        served: dict[str, WSGIApplication] = {"image": image}
        if legacy:
            served["image"] = legacy.image(image, self.images, self.db, self.clock, validator.validate)
        if settings.identity_mode != "external":
            identity = identity_v3.build(self.identity, settings, addresses, legacy.older if legacy else None)
            self.routes["identity"] = identity.routes
            served["identity"] = legacy.identity(identity) if legacy else identity
            if legacy:
                served["admin"] = legacy.admin_identity()
        if legacy:
            self.routes |= legacy.routes
        self.server = Server(self._listeners(served), self._limits())
        opened.callback(self.server.close)

    def _listeners(self, served: dict[str, WSGIApplication]) -> list[Listener]:
        """A listener for each port: the image's, the identity's, and the admin's of v2.0 if there is one."""
        settings = self.settings
        proxies = TrustedProxies(settings.trusted_proxies)
        apps = list(served.values())
        if settings.single_port:
            mounted = {f"/{name}": app for name, app in served.items() if name != "admin"}
            apps = [Mount(mounted), *apps[len(mounted) :]]
        sockets: Sequence[socket.socket | None] = self._sockets or [None] * len(apps)
        uploaders = Uploaders(self._validator.validate, proxies, "/image" if settings.single_port else "")
        return [
            Listener(
                BehindProxies(OnFullDisk(app, self.reserve), proxies),
                settings.host,
                port,
                sock=sock,
                # Only images are large: at the other ports nobody gets a thread for a body.
                identify=uploaders.identify if number == 0 else None,
                is_proxy=proxies.trusts,
            )
            for number, (app, port, sock) in enumerate(zip(apps, ports(settings).values(), sockets, strict=True))
        ]

    def _ports(self) -> tuple[int, int]:
        """The image's and the identity's; without an identity service of our own, nothing of its port is ever asked."""
        numbers = [port for _, port in self.server.addresses]
        return numbers[0], numbers[0 if self.settings.single_port or len(numbers) == 1 else 1]

    def _admin_port(self) -> int:
        return self.server.addresses[-1][1]

    def _find_image_service(self, caller: Caller, region: str, interface: str) -> str | None:
        """The image service of a region, which glance-download fetches from: by the catalog of who issues tokens."""
        if isinstance(self._validator, ExternalIdentity):
            return image_endpoint(self._validator.catalog(caller.token), region, interface)
        image, identity = self._urls(self._bases())
        return image_endpoint(self.identity.catalog.rendered(Addresses(identity, image), None, ""), region, interface)

    def _find_image_limits(self, project_id: str) -> Mapping[str, int]:
        """A project's limits of the image service."""
        return self.identity.limits.in_force("image", self.settings.region, project_id)

    def _limits(self) -> Limits:
        settings = self.settings
        return Limits(
            worker_threads=settings.worker_threads,
            transfer_slots=settings.transfer_threads,
            transfer_slots_per_caller=settings.transfers_per_caller or max(1, settings.transfer_threads // 4),
            transfer_slots_per_address=settings.transfers_per_address or max(1, settings.transfer_threads // 2),
            connections=settings.max_connections,
            connections_per_port=settings.max_connections * 4 // 5,
            connections_per_address=settings.connections_per_address or max(1, settings.max_connections // 4),
            receive_seconds=settings.receive_timeout,
            minimum_rate=settings.minimum_upload_rate,
            upload_seconds=settings.upload_timeout,
            # Those that wait for other servers' data take no thread away from those that read ours.
            decoder_threads=Limits().decoder_threads + MOST_READERS,
            stall_seconds=settings.request_timeout,
            grace_seconds=settings.shutdown_grace,
            underscored_headers=UNDERSCORED if settings.legacy else (),
        )

    def init(self) -> StartupReport:
        """Do what the first start has to do, and leave the rest to it: nothing listens."""
        bases = [_base(self.settings.host, port) for port in ports(self.settings).values()]
        return self._make_missing(*self._urls(bases))

    def start(self) -> StartupReport:
        """Listen, do what the first start has to do, and say where."""
        self.server.start()
        bases = self._bases()
        report = self._make_missing(*self._urls(bases))
        self.directory.tell({"image": report.image_url, "identity": f"{report.identity_url}/v3"})
        report.admin_url = bases[-1] if "legacy_admin_port" in ports(self.settings) else ""
        return report

    def _bases(self) -> list[str]:
        return [_base(host, port) for host, port in self.server.addresses]

    def _make_missing(self, image_url: str, identity_url: str) -> StartupReport:
        startup = Startup(self.settings, self.directory, self.db, self.identity, self.images, self.clock)
        with self.reserve.spending():
            return startup.make_missing(self._trace, image_url, identity_url)

    def _urls(self, bases: Sequence[str]) -> tuple[str, str]:
        """Where the image and the identity service are, by the addresses that are listened on."""
        settings = self.settings
        image = f"{bases[0]}/image" if settings.single_port else bases[0]
        if settings.identity_mode == "external":
            return image, settings.keystone_url
        return image, f"{bases[0]}/identity" if settings.single_port else bases[1]

    def run(self) -> None:
        """Serve until `stop`."""
        self.scheduler.start()
        self.server.run()

    def stop(self) -> None:
        """Let running requests end, then make `run` return. From any thread and from signal handlers."""
        self.server.stop()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._opened.close()


def _base(host: str, port: int) -> str:
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"

"""The composition root: settings in, the whole appliance out, on one screen."""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from wsgiref.types import WSGIApplication

from appliance.api.addresses import AddressBook
from appliance.api.appliance_v1.images import ImageUpkeepRoutes
from appliance.api.appliance_v1.space import SpaceRoutes
from appliance.api.full_disk import OnFullDisk
from appliance.api.identity_v3 import routes as identity_v3
from appliance.api.image_v2 import metadefs
from appliance.api.image_v2 import routes as image_v2
from appliance.api.legacy import UNDERSCORED, Legacy
from appliance.api.mount import Mount
from appliance.api.proxy import BehindProxies, TrustedProxies
from appliance.api.service import Route
from appliance.blobs.reserve import Reserve
from appliance.bootstrap import Welcome, new_password, preload, write_credentials
from appliance.datadir import DataDir
from appliance.db.database import Database
from appliance.db.notes import Notes
from appliance.identity.catalog import Addresses
from appliance.identity.edge import Edge
from appliance.identity.service import Identity
from appliance.identity.verification import verification
from appliance.image.metadefs.catalog import Metadefs
from appliance.image.metadefs.seed_loader import load_seed
from appliance.image.service import Images
from appliance.image.store_record import write_record
from appliance.image.store_setup import open_stores
from appliance.image.web_content import MOST_READERS
from appliance.jobs.images import image_jobs
from appliance.jobs.scheduler import Job, Scheduler, done
from appliance.jobs.upkeep import collectors, upkeep_jobs
from appliance.server.limits import Limits
from appliance.server.server import Listener, Server
from appliance.settings import Settings
from appliance.values import Clock, SteadyClock, now

SEEDED = "metadefs:seeded"
"""The note that the seed of metadata definitions is in: what an admin deletes of it stays deleted."""


class Appliance:
    """Everything that one data directory needs to be served. `with` opens it, `start` listens, `run` serves."""

    def __init__(self, settings: Settings, clock: Clock = now) -> None:
        self.settings = settings
        self.clock = clock
        self.directory = DataDir(settings.data_dir)

    def __enter__(self) -> "Appliance":
        """Own the directory, open what is in it, and put right what a crash has left."""
        with ExitStack() as opened:
            self.directory.acquire("serve")
            opened.callback(self.directory.release)
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
        self.db = Database(self.directory.database, self.reserve)
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
        identity = identity_v3.build(self.identity, settings, addresses, legacy.older if legacy else None)
        blobs = {store.id: store.blobs for store in self.stores.every() if store.blobs is not None}
        collecting = collectors(blobs, settings)
        believed = verification(self.identity, Notes(self.db), settings, self.clock)
        jobs = upkeep_jobs(self.stores, collecting, settings)
        if isinstance(believed, Edge):
            jobs.append(Job("edge", done(believed.copy), settings.edge_sync_seconds))
        self.scheduler = Scheduler([*jobs, *image_jobs(self.images, settings)])
        opened.callback(self.scheduler.stop)
        image = image_v2.build(
            self.images,
            believed.validate,
            settings,
            identity_url=addresses.identity_from_image,
            more_routes=(
                *metadefs.routes(Metadefs(self.db, settings, self.clock), settings),
                *ImageUpkeepRoutes(self.images).routes(),
                *SpaceRoutes(self.images, collecting, self.scheduler.wake).routes(),
            ),
        )
        self.routes: dict[str, Sequence[Route]] = {"image": image.routes, "identity": identity.routes}
        served: list[tuple[WSGIApplication, int]] = [(image, settings.image_port), (identity, settings.identity_port)]
        if legacy:
            old_image = legacy.image(image, self.images, self.db, self.clock, believed.validate)
            served = [(old_image, settings.image_port), (legacy.identity(identity), settings.identity_port)]
            served.append((legacy.admin_identity(), settings.legacy_admin_port))
            self.routes |= legacy.routes
        self.server = Server(self._listeners(served), self._limits())

    def _listeners(self, served: list[tuple[WSGIApplication, int]]) -> list[Listener]:
        """A listener for each service and port: the image's, the identity's, and the admin's of old if there is one."""
        settings = self.settings
        proxies = TrustedProxies(settings.trusted_proxies)
        if settings.single_port:
            (image, port), (identity, _), *others = served
            served = [(Mount({"/image": image, "/identity": identity}), port), *others]
        return [
            Listener(BehindProxies(OnFullDisk(app, self.reserve), proxies), settings.host, port) for app, port in served
        ]

    def _ports(self) -> tuple[int, int]:
        ports = [port for _, port in self.server.addresses]
        return ports[0], ports[0 if self.settings.single_port else 1]

    def _admin_port(self) -> int:
        return self.server.addresses[-1][1]

    def _find_image_service(self, region: str, interface: str) -> str | None:
        """The image service of a region by our catalog: what glance-download fetches from."""
        image, identity = self._urls()
        for service in self.identity.catalog.rendered(Addresses(identity, image), None, ""):
            for endpoint in service["endpoints"] if service["type"] == "image" else ():
                if (endpoint["region_id"], endpoint["interface"]) == (region, interface):
                    return str(endpoint["url"])
        return None

    def _find_image_limits(self, project_id: str) -> Mapping[str, int]:
        """A project's limits of the image service."""
        return self.identity.limits.in_force("image", self.settings.region, project_id)

    def _limits(self) -> Limits:
        settings = self.settings
        return Limits(
            worker_threads=settings.worker_threads,
            transfer_slots=settings.transfer_threads,
            # Those that wait for other servers' data take no thread away from those that read ours.
            decoder_threads=Limits().decoder_threads + MOST_READERS,
            stall_seconds=settings.request_timeout,
            grace_seconds=settings.shutdown_grace,
            underscored_headers=UNDERSCORED if settings.legacy else (),
        )

    def init(self) -> Welcome:
        """Do what the first start has to do, and leave the rest to it: nothing listens."""
        password, said = self._prepare()
        settings = self.settings
        port = settings.image_port if settings.single_port else settings.identity_port
        mount = "/identity" if settings.single_port else ""
        image_url, identity_url = "", f"{_base(settings.host, port)}{mount}"
        return self._welcome(image_url, identity_url, password, said)

    def start(self) -> Welcome:
        """Do what the first start has to do, listen, and say where."""
        password, said = self._prepare()
        self.server.start()
        image_url, identity_url = self._urls()
        welcome = self._welcome(image_url, identity_url, password, said)
        welcome.admin_url = self._bases()[-1] if self.settings.legacy else ""
        return welcome

    def _prepare(self) -> tuple[str | None, list[str]]:
        """Make what is not there yet: rows, definitions, samples. Gives a new admin's password, and what to say."""
        with self.reserve.spending():
            return self._make_missing()

    def _make_missing(self) -> tuple[str | None, list[str]]:
        settings = self.settings
        password = None
        notes = Notes(self.db)
        # An edge site's users and projects are a copy of another's: it has no first ones of its own.
        if settings.identity_mode != "edge" and not self.identity.bootstrapped():
            password = settings.admin_password or new_password()
            self.identity.bootstrap(password, settings.region)
        if notes.get(SEEDED) is None:
            load_seed(self.db, self.clock)
            notes.set(SEEDED, "yes")
        said = []
        if settings.sample_images:
            said = preload(self.images, self.identity.first_admin(), Path(settings.sample_images), notes)
        return password, said

    def _welcome(self, image_url: str, identity_url: str, password: str | None, said: list[str]) -> Welcome:
        write_credentials(self.directory, identity_url, self.settings.region, password)
        shown = password if password and not self.settings.admin_password else ""
        return Welcome(image_url, identity_url, self.directory.clouds, self.directory.openrc, shown, said)

    def _bases(self) -> list[str]:
        return [_base(host, port) for host, port in self.server.addresses]

    def _urls(self) -> tuple[str, str]:
        bases = self._bases()
        if self.settings.single_port:
            return f"{bases[0]}/image", f"{bases[0]}/identity"
        return bases[0], bases[1]

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

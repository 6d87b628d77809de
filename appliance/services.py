"""The services of one appliance: the applications behind its ports, and the jobs, made of the parts that are open."""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any
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
from appliance.api.console.gate import Console, Surroundings, console_before
from appliance.api.console.session import OneTimeLink
from appliance.api.http.addresses import AddressBook
from appliance.api.http.admission import WithReserve
from appliance.api.http.messages import Response
from appliance.api.http.observe import Observed, Observer, auditing, by_link, elsewhere
from appliance.api.http.service import Route
from appliance.api.identity_v3 import routes as identity_v3
from appliance.api.image_v2 import metadef_items
from appliance.api.image_v2 import routes as image_v2
from appliance.api.legacy import versions
from appliance.blobs.reserve import Reserve
from appliance.datadir import DataDir
from appliance.db.activity import EventRows, Figures
from appliance.db.engine.base import Database
from appliance.db.image.contents import ImageContents
from appliance.db.key_values import KeyValues
from appliance.fleet.service import Fleet
from appliance.https import Https
from appliance.identity.remote.validator import Edge, Verification
from appliance.identity.service import Identity
from appliance.identity.tokens.token import Token
from appliance.image.metadefs.namespaces import Metadefs
from appliance.image.service import Images
from appliance.image.stores import Stores
from appliance.jobs.maintenance import SharedScheduler, activity_jobs, collectors, image_jobs, maintenance_jobs
from appliance.jobs.scheduler import Job, Scheduler, done
from appliance.nodes.site import Site
from appliance.ports import Places
from appliance.settings import Settings
from appliance.values import Clock


@dataclass(frozen=True, slots=True)
class Parts:
    """What the services are made of."""

    settings: Settings
    clock: Clock
    directory: DataDir
    reserve: Reserve
    https: Https
    places: Places
    db: Database
    site: Site
    stores: Stores
    identity: Identity
    validator: Verification
    images: Images
    fleet: Fleet


class Services:
    """The applications by the names of their ports, what they are watched by, and the background work.

    Whatever has to end before the parts are closed is put on `opened`.
    """

    def __init__(self, parts: Parts, opened: ExitStack) -> None:
        self._parts = parts
        settings, nodes = parts.settings, parts.site.nodes
        blobs = {store.id: store.writer for store in parts.stores.with_data()}
        self.trail = AuditTrail(EventRows(parts.db), parts.clock, settings.audit_days, sink_of(settings))
        opened.callback(self.trail.close)
        self.transfers = Transfers(parts.clock)
        self.history = History(Figures(parts.db), list(blobs.values()), parts.clock)
        self._collecting = collectors(blobs, settings, nodes.are_of_this_version)
        jobs = self._jobs()
        self.scheduler = SharedScheduler(jobs, parts.site, self.recover_others) if nodes.is_shared else Scheduler(jobs)
        opened.callback(self.scheduler.stop)
        # First of all, so that no job waits for another server's data any more.
        opened.callback(parts.images.queue.stopping.set)
        self.link = OneTimeLink(KeyValues(parts.db), parts.db.now)
        self.routes: dict[str, Sequence[Route]] = {}
        """Every service's table, for the documentation."""
        self.applications = self._observed(self._served())

    def _jobs(self) -> list[Job]:
        parts, settings = self._parts, self._parts.settings
        jobs = maintenance_jobs(parts.stores, self._collecting, settings)
        if isinstance(parts.validator, Edge):
            jobs.append(Job("edge", done(parts.validator.copy), settings.edge_sync_seconds))
        return [
            *jobs,
            *activity_jobs(self.history, self.trail),
            *parts.https.jobs(),
            *image_jobs(parts.images, settings),
        ]

    def recover_others(self) -> None:
        """What other nodes have left that are gone."""
        for store in self._parts.stores.with_data():
            store.writer.index.maintenance.discard_writing()
        self._parts.images.take_over()

    def _served(self) -> dict[str, WSGIApplication]:
        """The services, as they answer by themselves."""
        parts, settings, nodes = self._parts, self._parts.settings, self._parts.site.nodes
        places, authenticate = parts.places, parts.validator.validate
        legacy = versions.Legacy(parts.identity, settings, places.both, places.admin) if settings.legacy else None
        addresses = legacy.addresses if legacy else AddressBook(settings, places.both)
        image = image_v2.build(
            parts.images,
            authenticate,
            settings,
            identity_url=addresses.identity_from_image,
            out_of_service=nodes.out_of_service,
            more_routes=self._more_routes(),
        )
        self.routes["image"] = image.routes
        image_api: WSGIApplication = image
        if legacy:
            image_api = legacy.image(image, parts.images, authenticate)
        served: dict[str, WSGIApplication] = {"image": WithPeers(image_api, peer_service(parts.fleet))}
        if settings.identity_mode != "external":
            older = legacy.older if legacy else None
            identity = identity_v3.build(parts.identity, settings, addresses, older, nodes.out_of_service)
            self.routes["identity"] = identity.routes
            served["identity"] = legacy.identity(identity) if legacy else identity
            if legacy:
                served["admin"] = legacy.admin_identity()
        if legacy:
            self.routes |= legacy.routes
        return served

    def _more_routes(self) -> tuple[Route, ...]:
        """What the image service has beside images: metadata definitions, and the appliance's own API."""
        parts, settings = self._parts, self._parts.settings
        images, nodes, clock = parts.images, parts.site.nodes, parts.clock
        status = StatusRoutes(images, settings, clock, self.history, self.transfers, self.scheduler, nodes)
        return (
            *metadef_items.routes(Metadefs(parts.db, images.policies, settings, clock), settings),
            *ImageRoutes(images, parts.db).routes(),
            *SpaceRoutes(images, ImageContents(parts.db), self._collecting, self.scheduler.wake).routes(),
            *status.routes(),
            *EventRoutes(self.trail, images.policies).routes(),
            *FleetRoutes(parts.fleet).routes(),
            *NodeRoutes(nodes, images.policies).routes(),
        )

    def _observed(self, served: dict[str, WSGIApplication]) -> dict[str, WSGIApplication]:
        """The services with those that look on, and the application that shows the metrics, if it is wanted."""
        parts, settings = self._parts, self._parts.settings
        observers: list[Observer] = [auditing(self.trail, parts.clock)] if settings.audit_days else []
        more: dict[str, WSGIApplication] = {}
        if settings.metrics_port >= 0:
            figures = metrics.load()(
                self.history,
                self.transfers,
                self.scheduler,
                parts.stores.trouble,
                parts.directory.room,
                lambda: parts.identity.keyring.age(parts.clock()) / 1_000_000,
                parts.https.expires,
                parts.site.nodes.by_state,
            )
            observers.append(metrics.counting(figures))
            more["metrics"] = metrics.MetricsApp(figures, settings.metrics_token)
        seen = {name: Observed(name, app, self.transfers, observers) for name, app in served.items()}
        return {**{name: WithReserve(app, parts.reserve) for name, app in seen.items()}, **more}

    def with_console(self, apps: Sequence[WSGIApplication]) -> Console:
        """The first port's application behind the console."""
        parts = self._parts
        around = Surroundings(self.link, self._first_session, self._logged_in_elsewhere, lambda: parts.https.authority)
        return console_before(apps, parts.settings, parts.places.both, around)

    def _logged_in_elsewhere(self, environ: WSGIEnvironment, asked: Mapping[str, Any], response: Response) -> None:
        event, domain = elsewhere(environ, asked, response, self._parts.clock())
        self.trail.record(event, domain)

    def _first_session(self, environ: WSGIEnvironment) -> Token:
        """The first administrator's token, for who has shown the one-time link."""
        token = self._parts.identity.log_in_first_admin()
        self.trail.record(by_link(token, environ, self._parts.clock()))
        return token

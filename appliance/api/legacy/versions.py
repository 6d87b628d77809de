"""The legacy APIs beside today's: where they are mounted, and what the version documents say of them."""

from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from appliance.api.http.addresses import AddressBook, Ports
from appliance.api.http.service import Route
from appliance.api.identity_v3 import routes as identity_v3
from appliance.api.legacy.identity_v2 import routes as identity_v2
from appliance.api.legacy.identity_v2.routes import document
from appliance.api.legacy.image_v1 import dialect
from appliance.api.legacy.image_v1 import routes as image_v1
from appliance.db.engine.base import Database
from appliance.identity.service import Identity
from appliance.image.legacy.images import LegacyImages
from appliance.image.service import Images
from appliance.settings import Settings
from appliance.values import Clock


class WithLegacy:
    """A WSGI application that tells versions apart by the path's first part, or by the media type of `Accept`."""

    def __init__(
        self, today: WSGIApplication, legacy: WSGIApplication, versions: Collection[str], media_type: str = ""
    ) -> None:
        self._today = today
        self._legacy = legacy
        self._versions = frozenset(versions)
        self._media_type = media_type

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        first = environ.get("PATH_INFO", "").lstrip("/").partition("/")[0]
        accept = environ.get("HTTP_ACCEPT", "")
        if self._media_type and accept.startswith(self._media_type):
            first = accept.removeprefix(self._media_type)
        return (self._legacy if first in self._versions else self._today)(environ, start_response)


UNDERSCORED = ("x-image-meta-",)
"""Headers of Image API v1 have underscores in their names."""

_IDENTITY_VERSIONS = ("v2.0",)


class Legacy:
    """Wraps today's services so that they answer clients of 2013 too. Only made where `legacy` is on."""

    def __init__(self, identity: Identity, settings: Settings, ports: Ports, admin_port: Callable[[], int]) -> None:
        self._identity = identity
        self._settings = settings
        self._ports = ports
        self.addresses = AddressBook(settings, ports, admin_port=admin_port)
        self.routes: dict[str, Sequence[Route]] = {}
        """The tables of what was made, for the documentation."""

    @staticmethod
    def older(url: str) -> dict[str, Any]:
        """What the list of identity versions has beside v3."""
        return document(url)

    def identity(self, today: WSGIApplication) -> WSGIApplication:
        """The public identity service, with the half of v2.0 that is for everybody."""
        public = identity_v2.build(self._identity, self._settings, self.addresses)
        self.routes["identity-v2"] = public.routes
        return WithLegacy(today, public, _IDENTITY_VERSIONS)

    def admin_identity(self) -> WSGIApplication:
        """What the admin port serves: the other half of v2.0, and v3."""
        here = AddressBook(self._settings, self._ports, at_admin_port=True)
        admins = identity_v2.build(self._identity, self._settings, here, for_admins=True)
        self.routes["identity-v2-admin"] = admins.routes
        today = identity_v3.build(self._identity, self._settings, here, self.older)
        return WithLegacy(today, admins, _IDENTITY_VERSIONS)

    def image(
        self,
        today: WSGIApplication,
        images: Images,
        db: Database,
        clock: Clock,
        authenticate: dialect.Authenticate,
    ) -> WSGIApplication:
        """The image service with v1 beside v2."""
        legacy = LegacyImages(db, images, self._settings, clock)
        first = image_v1.build(legacy, authenticate, self._settings, identity_url=self.addresses.identity_from_image)
        self.routes["image-v1"] = first.routes
        return WithLegacy(today, first, dialect.VERSIONS, dialect.MEDIA_TYPE)

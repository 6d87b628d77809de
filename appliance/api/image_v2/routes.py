"""Every route of the image API, and the service made of them."""

from collections.abc import Callable
from typing import Any

from appliance.api.http.healthcheck import Healthcheck
from appliance.api.http.messages import Request
from appliance.api.http.service import Route, Service
from appliance.api.image_v2 import discovery
from appliance.api.image_v2.cache import CacheRoutes
from appliance.api.image_v2.data import ImageDataRoutes, LocationRoutes
from appliance.api.image_v2.dialect import Authenticate, ImageDialect
from appliance.api.image_v2.discovery import InfoRoutes
from appliance.api.image_v2.images import ActionRoutes, ImageRoutes, MemberRoutes, TagRoutes
from appliance.api.image_v2.imports import ImportRoutes, TaskRoutes
from appliance.image.schemas import ImageChecks
from appliance.image.service import Images
from appliance.settings import Settings
from appliance.values import Caller


def routes(images: Images, settings: Settings) -> list[Route]:
    """The table of the image API, resource by resource."""
    checks = ImageChecks(settings)
    return [
        *ImageRoutes(images, settings, checks).routes(),
        *ImageDataRoutes(images, settings).routes(),
        *MemberRoutes(images).routes(),
        *TagRoutes(images).routes(),
        *ActionRoutes(images).routes(),
        *ImportRoutes(images).routes(),
        *LocationRoutes(images, checks).routes(),
        *TaskRoutes(images).routes(),
        *CacheRoutes(images).routes(),
        *InfoRoutes(images, settings).routes(),
        *discovery.routes(settings),
    ]


def build(
    images: Images,
    authenticate: Authenticate,
    settings: Settings,
    *,
    identity_url: Callable[[Request[Any]], str],
    out_of_service: Callable[[], str] = str,
    more_routes: tuple[Route, ...] = (),
) -> Service[Caller]:
    """The image service as a WSGI application.

    `authenticate` makes a caller of a token; `identity_url` is what the challenge of a 401 points to.
    """
    healthcheck = Healthcheck(settings.disable_by_file_path, images.stores.trouble, out_of_service)
    dialect = ImageDialect(settings, images.policies, authenticate, healthcheck, identity_url)
    return Service(dialect, [*routes(images, settings), *more_routes], head_is_get=False)

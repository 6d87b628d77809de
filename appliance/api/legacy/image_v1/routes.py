"""Every route of Image API v1, and the service made of them."""

from collections.abc import Callable
from typing import Any

from appliance.api.http.messages import Request
from appliance.api.http.service import Service
from appliance.api.legacy.image_v1.dialect import Authenticate, ImageV1Dialect
from appliance.api.legacy.image_v1.images import ImageRoutes, MemberRoutes
from appliance.image.legacy.images import LegacyImages
from appliance.settings import Settings
from appliance.values import Caller


def build(
    legacy: LegacyImages, authenticate: Authenticate, settings: Settings, *, identity_url: Callable[[Request[Any]], str]
) -> Service[Caller]:
    """The WSGI application. `identity_url` is what the challenge of a 401 points to."""
    table = [*ImageRoutes(legacy, settings).routes(), *MemberRoutes(legacy).routes()]
    return Service(ImageV1Dialect(authenticate, identity_url), table, head_is_get=True)

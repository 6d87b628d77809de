"""What makes an API sound like Glance v1: authentication, error responses, and images as headers."""

import re
from collections.abc import Callable, Mapping
from typing import Any

from appliance.api.http.addresses import merged
from appliance.api.http.error_responses import codes_of, image_error
from appliance.api.http.messages import Request, Response
from appliance.api.http.service import Route
from appliance.db.image.images import ImageRecord
from appliance.errors import ApplianceError, Invalid, Unauthenticated, UnsupportedFormat
from appliance.image.legacy.images import Wanted
from appliance.image.policies import ImagePolicies
from appliance.image.rules import INTERNAL
from appliance.values import Caller, Micros, micros_text, whole_number

Authenticate = Callable[[str, str, str], Caller]
"""A token's text, the method and the path that it is used for in, its caller out. Raises `Unauthenticated`."""

VERSIONS = ("v1", "v1.0", "v1.1")
MEDIA_TYPE = "application/vnd.openstack.images-"

_UNEXPECTED = "The server has either erred or is incapable of performing the requested operation."
_NOWHERE = "The resource could not be found."


class ImageV1Dialect:
    """Image API v1. Its versions are all the same."""

    def __init__(
        self, policies: ImagePolicies, authenticate: Authenticate, identity_url: Callable[[Request[Any]], str]
    ) -> None:
        self._policies = policies
        self._authenticate = authenticate
        self._identity_url = identity_url

    def before_routing(self, request: Request[Caller]) -> Response | None:
        request.path = merged(request.path)
        first, _, rest = request.path.lstrip("/").partition("/")
        if first not in VERSIONS:
            # The version came in the Accept header.
            rest = request.path.lstrip("/")
        request.path = f"/v1/{rest}".rstrip("/")
        request.check_request_id()
        token = request.header("x-auth-token")
        if not token:
            raise Unauthenticated("There is no token in the request.")
        request.caller = self._policies.admitted(self._authenticate(token, request.method, request.path))
        return None

    def admit(self, request: Request[Caller], route: Route) -> None:
        """Everybody with a token may come in; what they may do there is for the image package to decide."""

    def authorize(self, request: Request[Caller], route: Route, parts: Mapping[str, str]) -> None:
        """Nothing, as in Image API v2."""

    def fault(self, request: Request[Caller], error: Exception) -> Response:
        status = 400 if isinstance(error, UnsupportedFormat) else codes_of(error).image
        response = image_error(status, str(error) if isinstance(error, ApplianceError) else _UNEXPECTED, None)
        if status == 401:
            response.headers.append(("WWW-Authenticate", f"Keystone uri='{self._identity_url(request)}'"))
        return response

    def unrouted(self, request: Request[Caller]) -> Response:
        return image_error(404, _NOWHERE, None)

    def wrong_method(self, request: Request[Caller], allowed: str) -> Response:
        response = image_error(405, f"The method {request.method} is not allowed for this resource.", None)
        response.headers.append(("Allow", allowed))
        return response

    def finish(self, request: Request[Caller], response: Response) -> None:
        response.headers.append(("X-Openstack-Request-Id", request.id))


_PREFIX = "HTTP_X_IMAGE_META_"
_PROPERTY = "property_"
_KNOWN = frozenset(
    {
        "location",
        "size",
        "is_public",
        "disk_format",
        "container_format",
        "name",
        "status",
        "copy_from",
        "uri",
        "checksum",
        "created_at",
        "updated_at",
        "deleted_at",
        "min_ram",
        "min_disk",
        "owner",
        "store",
        "id",
        "protected",
        "deleted",
        "virtual_size",
    }
)
_NUMBERS = ("size", "min_ram", "min_disk")
_SWITCHES = ("is_public", "protected", "deleted")
_TEXTS = ("name", "disk_format", "container_format", "owner", "id")
_TRUE = frozenset({"1", "t", "true", "on", "y", "yes"})
_LARGEST = 2**63 - 1
# A property that another API named so that it can't be in a header is left out of them.
_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")


class Headers:
    """What a request's headers say of an image. Raises `Invalid` for what they can't say."""

    def __init__(self, request: Request[Caller]) -> None:
        self.values: dict[str, Any] = {}
        self.properties: dict[str, str | None] = {}
        for key in request.environ:
            if key.startswith(_PREFIX):
                self._take(key.removeprefix(_PREFIX).lower(), request.header(key.removeprefix("HTTP_")) or "")
        checksum = self.values.get("checksum")
        if checksum and len(checksum) > 32:
            raise Invalid(f"Invalid checksum '{checksum}': can't exceed 32 characters")

    def _take(self, name: str, value: str) -> None:
        if name.startswith(_PROPERTY):
            self.properties[name.removeprefix(_PROPERTY)] = value or None
        elif name not in _KNOWN:
            raise Invalid(f"Bad header: x-image-meta-{name}")
        elif name in _NUMBERS:
            self.values[name] = _number(name, value)
        elif name in _SWITCHES:
            self.values[name] = value.strip().lower() in _TRUE
        else:
            self.values[name] = value or None

    @property
    def size(self) -> int | None:
        size: int | None = self.values.get("size")
        return size

    @property
    def checksum(self) -> str | None:
        checksum: str | None = self.values.get("checksum")
        return checksum.lower() if checksum else None

    def text(self, name: str) -> str | None:
        value = self.values.get(name)
        return str(value) if value is not None else None

    def wanted(self) -> Wanted:
        """What is to become of the image."""
        fields = {name: self.values[name] for name in _TEXTS if self.values.get(name) is not None}
        for name in ("min_ram", "min_disk", "protected"):
            if name in self.values:
                fields[name] = self.values[name]
        return Wanted(fields, self.properties, self.values.get("is_public"))


def _number(name: str, text: str) -> int:
    digits = text.strip()
    number = whole_number(digits)
    if number is None or number > _LARGEST:
        shown = f"{digits[:20]}…" if len(digits) > 20 else digits
        raise Invalid(f"Cannot convert image {name} '{shown}' to an integer that is not negative.")
    return number


def is_true(text: str) -> bool:
    """A switch as headers have it."""
    return text.strip().lower() in _TRUE


def _spelt(name: str) -> str:
    """`X-Image-Meta-Is_public`, as the original's server capitalized: clients of the time compare by case."""
    return "-".join(part.capitalize() for part in name.split("-"))


def of_row(row: dict[str, Any]) -> list[tuple[str, str]]:
    """The headers that show a row."""
    shown = [
        (_spelt(f"x-image-meta-{name}"), str(value))
        for name, value in row.items()
        if name != "properties" and value is not None
    ]
    shown += [
        (_spelt(f"x-image-meta-property-{name}"), value)
        for name, value in row["properties"].items()
        if value is not None and _TOKEN.fullmatch(name)
    ]
    if row["checksum"]:
        shown.append(("ETag", row["checksum"]))
    return shown


_BRIEF = ("id", "name", "disk_format", "container_format", "checksum", "size")


def row(image: ImageRecord, deleted_at: Micros | None = None) -> dict[str, Any]:
    """The whole image."""
    return {
        "id": image.id,
        "name": image.name,
        "status": image.status,
        "size": image.size or 0,
        "virtual_size": image.virtual_size,
        "disk_format": image.disk_format,
        "container_format": image.container_format,
        "checksum": image.checksum,
        "owner": image.owner,
        "is_public": image.visibility == "public",
        "protected": image.protected,
        "min_disk": image.min_disk,
        "min_ram": image.min_ram,
        "created_at": _time(image.created_at),
        "updated_at": _time(image.updated_at),
        "deleted_at": None if deleted_at is None else _time(deleted_at),
        "deleted": deleted_at is not None,
        "properties": {name: value for name, value in image.properties.items() if not name.startswith(INTERNAL)},
    }


def brief(image: ImageRecord) -> dict[str, Any]:
    """What the short list shows."""
    whole = row(image)
    return {name: whole[name] for name in _BRIEF}


def _time(at: Micros) -> str:
    return micros_text(at).removesuffix("Z")

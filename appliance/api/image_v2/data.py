"""An image's data: upload, stage, download with ranges, and its locations."""

import re

from appliance.api.http.messages import Request, Response
from appliance.api.http.service import Route
from appliance.api.image_v2.dialect import json_object, media_type
from appliance.api.image_v2.views import location
from appliance.errors import Invalid, NotFound, RangeNotSatisfiable, UnsupportedFormat
from appliance.image.downloads import Data
from appliance.image.schemas import ImageChecks
from appliance.image.service import Images
from appliance.settings import Settings
from appliance.values import Caller

_RANGE = re.compile(r"\s*bytes\s*=\s*(?:(\d+)\s*)?-\s*(?:(\d+)\s*)?", re.ASCII)
"""No two repetitions of the same stand side by side: blanks would be shared out between them in every way."""
_CONTENT_RANGE = re.compile(r"\s*bytes\s+(\d+)-(\d+)/(\d+|\*)\s*", re.ASCII)


def requested(request: Request[Caller], size: int) -> tuple[int, int] | None:
    """The first byte and the number of bytes asked for; None for all of them. Raises `RangeNotSatisfiable`."""
    text = request.header("range")
    if text is not None:
        return _range(text, size)
    text = request.header("content-range")
    if text is not None:
        return _content_range(text, size)
    return None


def _range(text: str, size: int) -> tuple[int, int]:
    if "," in text:
        raise Invalid("Requests with multiple ranges are not supported. Make several requests with one range each.")
    match = _RANGE.fullmatch(text)
    if match is None or not (match[1] or match[2]):
        raise RangeNotSatisfiable("Invalid Range header.")
    if not match[1]:
        start = max(0, size - _whole(match[2]))
        end = size - 1
        if not size:
            raise _outside("Range", size)
    else:
        start = _whole(match[1])
        end = _whole(match[2]) if match[2] else size - 1
        if match[2] and end < start:
            raise RangeNotSatisfiable("Invalid Range header.")
        if start >= size:
            raise _outside("Range", size)
    # A range of no bytes at the end ("bytes=-0") is taken as the whole, as the original does.
    if start >= size:
        start = 0
    return start, min(end, size - 1) - start + 1


def _content_range(text: str, size: int) -> tuple[int, int]:
    match = _CONTENT_RANGE.fullmatch(text)
    if match is None or _whole(match[2]) < _whole(match[1]):
        raise RangeNotSatisfiable("Invalid Content-Range header.")
    start, end = _whole(match[1]), _whole(match[2])
    if end >= size:
        raise _outside("Content-Range", size)
    return start, end - start + 1


def _whole(digits: str) -> int:
    """A number, or one that is past the end of everything as well: Python reads no number of thousands of digits."""
    return int(digits.lstrip("0")[:19] or "0")


def _outside(header: str, size: int) -> RangeNotSatisfiable:
    return RangeNotSatisfiable(
        f"Invalid position in {header} header: it MUST be in the inclusive range [0, {max(0, size - 1)}]."
    )


_OCTETS = "application/octet-stream"


class ImageDataRoutes:
    """Handlers of image data."""

    def __init__(self, images: Images, settings: Settings) -> None:
        self._images = images
        self._settings = settings

    def routes(self) -> list[Route]:
        return [
            Route("GET", "/v2/images/<image_id>/file", self.download, "download_image", bodiless=True),
            Route("PUT", "/v2/images/<image_id>/file", self.upload, "upload_image"),
            Route("PUT", "/v2/images/<image_id>/stage", self.stage, "modify_image"),
        ]

    def upload(self, request: Request[Caller], image_id: str) -> Response:
        _check_media_type(request)
        store_id = request.header("x-image-meta-store") if self._images.stores.several else None
        self._images.data.upload(
            request.caller, image_id, request.source, declared_size=_declared_size(request), store_id=store_id
        )
        return Response(204)

    def stage(self, request: Request[Caller], image_id: str) -> Response:
        if "glance-direct" not in self._settings.enabled_import_methods:
            raise NotFound("'glance-direct' method is not available at this site.")
        _check_media_type(request)
        size = _declared_size(request)
        self._images.data.stage(request.caller, image_id, request.source, declared_size=size)
        return Response(204)

    def download(self, request: Request[Caller], image_id: str) -> Response:
        prefer = tuple(store.strip() for store in (request.arg("prefer") or "").split(",") if store.strip())
        download = self._images.downloads.begin(request.caller, image_id, prefer)
        if download.state is not Data.READY:
            return Response(204)
        wanted = requested(request, download.size)
        start, length = wanted or (0, download.size)
        content = self._images.downloads.open(download, start, length)
        headers = [("Content-Type", _OCTETS), ("Content-Length", str(length))]
        if download.image.checksum:
            headers.append(("Content-MD5", download.image.checksum))
        if wanted is None:
            return Response(200, content, headers)
        headers.append(("Content-Range", f"bytes {start}-{start + length - 1}/{download.size}"))
        return Response(206, content, headers)


def _check_media_type(request: Request[Caller]) -> None:
    if media_type(request) != _OCTETS:
        raise UnsupportedFormat(f"Invalid content type {request.header('content-type')}: {_OCTETS} is expected.")


def _declared_size(request: Request[Caller]) -> int | None:
    """What the client says the size is; zero is what some send for "unknown"."""
    text = request.header("x-openstack-image-size")
    if text is None:
        return request.content_length or None
    try:
        size = int(text)
    except ValueError:
        size = -1
    if size < 0 or not text.isascii():
        raise Invalid("Invalid or missing image size in request headers.")
    if size and request.content_length is not None and size != request.content_length:
        raise Invalid(f"The declared size {size} is not that of the request's body, {request.content_length}.")
    return size or None


class LocationRoutes:
    """Handlers of locations."""

    def __init__(self, images: Images, checks: ImageChecks) -> None:
        self._locations = images.locations
        self._checks = checks

    def routes(self) -> list[Route]:
        path = "/v2/images/<image_id>/locations"
        return [
            Route("POST", path, self.add, "add_image_location"),
            Route("GET", path, self.list, "fetch_image_location"),
        ]

    def add(self, request: Request[Caller], image_id: str) -> Response:
        body = json_object(request)
        self._checks.validate_location(body)
        self._locations.add(request.caller, image_id, body, request.id)
        return Response(202)

    def list(self, request: Request[Caller], image_id: str) -> Response:
        image = self._locations.of(request.caller, image_id)
        return Response(200, [location(image, place) for place in image.locations])

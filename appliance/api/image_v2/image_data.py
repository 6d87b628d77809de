"""`/v2/images/{image_id}/file` and `/stage`: bytes in and out, as they come."""

from appliance.api.exchange import Reply, Request
from appliance.api.image_v2.bodies import media_type
from appliance.api.image_v2.ranges import requested
from appliance.api.service import Route
from appliance.errors import Invalid, NotFound, UnsupportedFormat
from appliance.image.service import Images
from appliance.settings import Settings
from appliance.values import Caller

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

    def upload(self, request: Request[Caller], image_id: str) -> Reply:
        _check_media_type(request)
        store_id = request.header("x-image-meta-store") if self._images.stores.several else None
        self._images.data.upload(
            request.caller, image_id, request.source, declared_size=_declared_size(request), store_id=store_id
        )
        return Reply(204)

    def stage(self, request: Request[Caller], image_id: str) -> Reply:
        if "glance-direct" not in self._settings.enabled_import_methods:
            raise NotFound("'glance-direct' method is not available at this site.")
        _check_media_type(request)
        size = _declared_size(request)
        self._images.data.stage(request.caller, image_id, request.source, declared_size=size)
        return Reply(204)

    def download(self, request: Request[Caller], image_id: str) -> Reply:
        prefer = tuple(store.strip() for store in (request.arg("prefer") or "").split(",") if store.strip())
        image = self._images.data.for_download(request.caller, image_id, prefer)
        if not image.locations or image.size is None:
            return Reply(204)
        wanted = requested(request, image.size)
        start, length = wanted or (0, image.size)
        content = self._images.data.open(image, start, length)
        if content is None:
            return Reply(204)
        headers = [("Content-Type", _OCTETS), ("Content-Length", str(length))]
        if image.checksum:
            headers.append(("Content-MD5", image.checksum))
        if wanted is None:
            return Reply(200, content, headers)
        headers.append(("Content-Range", f"bytes {start}-{start + length - 1}/{image.size}"))
        return Reply(206, content, headers)


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

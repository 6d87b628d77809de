"""/v1/images: list, show, create, change, delete, and who shares them; and the service made of these routes."""

from collections.abc import Callable
from typing import Any

from appliance.api.http.error_responses import image_error
from appliance.api.http.messages import Request, Response
from appliance.api.http.service import ANY_TOKEN, Route, Service
from appliance.api.legacy.image_v1.data import DataReader
from appliance.api.legacy.image_v1.dialect import Authenticate, Headers, ImageV1Dialect, brief, is_true, of_row, row
from appliance.db.image.images import ImageRecord
from appliance.errors import Conflict, Forbidden, Invalid, NotFound
from appliance.image.downloads import Data
from appliance.image.legacy.images import LegacyImages
from appliance.image.legacy.listing import Listed
from appliance.settings import Settings
from appliance.values import Caller

_HTML = ("Content-Type", "text/html; charset=UTF-8")
_OCTETS = ("Content-Type", "application/octet-stream")


class ImageRoutes:
    """Handlers of images."""

    def __init__(self, legacy: LegacyImages, settings: Settings) -> None:
        self._legacy = legacy
        self._images = legacy.images
        self._data = DataReader(legacy, settings)

    def routes(self) -> list[Route]:
        return [
            Route("GET", "/v1", self.index, "get_images"),
            Route("GET", "/v1/images", self.index, "get_images"),
            Route("POST", "/v1/images", self.create, "add_image"),
            Route("GET", "/v1/images/detail", self.detail, "get_images"),
            Route("HEAD", "/v1/images/detail", self.no_head, ANY_TOKEN),
            Route("GET", "/v1/images/<image_id>", self.download, "download_image"),
            Route("HEAD", "/v1/images/<image_id>", self.show, "get_image"),
            Route("PUT", "/v1/images/<image_id>", self.update, "modify_image"),
            Route("DELETE", "/v1/images/<image_id>", self.delete, "delete_image"),
        ]

    # -- reading -----------------------------------------------------------------------------------------------------

    def index(self, request: Request[Caller]) -> Response:
        found = self._legacy.listing.page(request.caller, request.query)
        return Response(200, {"images": [brief(one.image) for one in found]})

    def detail(self, request: Request[Caller]) -> Response:
        found = self._legacy.listing.page(request.caller, request.query)
        return Response(200, {"images": [row(one.image, one.deleted_at) for one in found]})

    def no_head(self, request: Request[Caller]) -> Response:
        response = image_error(405, "This operation is currently not permitted on Glance images details.", None)
        response.headers.append(("Allow", "GET"))
        return response

    def show(self, request: Request[Caller], image_id: str) -> Response:
        found = self._find(request.caller, image_id)
        return Response(200, None, [_HTML, *of_row(row(found.image, found.deleted_at))])

    def download(self, request: Request[Caller], image_id: str) -> Response:
        download = self._images.downloads.begin(request.caller, image_id)
        if download.state is Data.WAITING:
            raise NotFound(f"Image {image_id} is not active")
        self._images.protections.hide(request.caller, download.image)
        headers = [_OCTETS, *of_row(row(download.image))]
        if download.state is Data.EMPTY:
            return Response(200, b"", headers)
        content = self._images.downloads.open(download)
        return Response(200, content, [*headers, ("Content-Length", str(content.length))])

    def _find(self, caller: Caller, image_id: str) -> Listed:
        """An image in whatever state, deleted ones for admins. Raises `NotFound`."""
        try:
            return Listed(self._images.finder.get(caller, image_id))
        except NotFound:
            return self._legacy.listing.deleted(caller, image_id)

    # -- writing -----------------------------------------------------------------------------------------------------

    def create(self, request: Request[Caller]) -> Response:
        headers = Headers(request)
        data = self._data.read(request, headers)
        wanted = headers.wanted()
        fields = self._legacy.checked(request.caller, wanted)
        if data.comes:
            _check_given(fields)
        image = self._legacy.create(request.caller, wanted)
        if data.comes:
            self._data.give(request, image, data)
        elif headers.size == 0:
            self._legacy.filling.activate_empty(image)
        shown = self._shown(request.caller, image)
        shown.status = 201
        shown.headers.append(("Location", f"{request.base_url}/v1/images/{image.id}"))
        return shown

    def update(self, request: Request[Caller], image_id: str) -> Response:
        found = self._find(request.caller, image_id)
        if found.deleted_at is not None:
            raise Forbidden("Forbidden to update deleted image.")
        image = found.image
        headers = Headers(request)
        data = self._data.read(request, headers)
        _check_immutable(image, headers, filling=data.comes)
        if data.in_body and image.status != "queued":
            raise Conflict("Cannot upload to an unqueued image")
        if data.comes and image.status != "queued":
            raise Invalid("Attempted to update Location field for an image not in queued status.")
        purge = is_true(request.header("x-glance-registry-purge-props") or "true") and not data.in_body
        image = self._legacy.update(request.caller, image, headers.wanted(), purge=purge)
        if data.comes:
            self._data.give(request, image, data)
        return self._shown(request.caller, image)

    def delete(self, request: Request[Caller], image_id: str) -> Response:
        try:
            self._images.delete(request.caller, image_id)
        except NotFound as error:
            raise NotFound(f"Image {image_id} not found.") from error
        return Response(200, "", [_HTML])

    def _shown(self, caller: Caller, image: ImageRecord) -> Response:
        """The image as it is by now, without what the caller may not read."""
        now = self._images.finder.look_up(caller, image.id)
        self._images.protections.hide(caller, now)
        shown = row(now)
        etag = [("ETag", shown["checksum"])] if shown["checksum"] else []
        return Response(200, {"image": shown}, etag)


def _check_given(fields: dict[str, object]) -> None:
    """Raise `Invalid` unless both formats are there, which data needs: before an image is made of it."""
    for name in ("disk_format", "container_format"):
        if fields.get(name) is None:
            raise Invalid(f"{name.replace('_', ' ').capitalize()} is not specified.")


def _check_immutable(image: ImageRecord, headers: Headers, *, filling: bool) -> None:
    """Raise `Forbidden` for a change of what only the service says of an image."""
    status = headers.text("status")
    if status is not None and status != image.status:
        raise Forbidden("Forbidden to modify 'status' of image.")
    if filling or image.status != "active":
        return
    if headers.size is not None and headers.size != (image.size or 0):
        raise Forbidden("Forbidden to modify 'size' of active image.")
    if headers.checksum is not None and headers.checksum != image.checksum:
        raise Forbidden("Forbidden to modify 'checksum' of active image.")


class MemberRoutes:
    """Handlers of members."""

    def __init__(self, legacy: LegacyImages) -> None:
        self._sharing = legacy.sharing

    def routes(self) -> list[Route]:
        path = "/v1/images/<image_id>/members"
        return [
            Route("GET", path, self.list, "get_members"),
            Route("PUT", path, self.replace, ("modify_member", "add_member", "delete_member")),
            Route("PUT", f"{path}/<member_id>", self.share, "add_member"),
            Route("DELETE", f"{path}/<member_id>", self.unshare, "delete_member"),
            Route("GET", "/v1/shared-images/<member_id>", self.images_of, ANY_TOKEN),
        ]

    def list(self, request: Request[Caller], image_id: str) -> Response:
        found = self._sharing.of_image(request.caller, image_id)
        return Response(200, {"members": [{"member_id": one.member_id, "can_share": one.can_share} for one in found]})

    def images_of(self, request: Request[Caller], member_id: str) -> Response:
        found = self._sharing.of_member(request.caller, member_id)
        return Response(
            200, {"shared_images": [{"image_id": one.image_id, "can_share": one.can_share} for one in found]}
        )

    def share(self, request: Request[Caller], image_id: str, member_id: str) -> Response:
        can_share = None
        if request.has_body and (request.content_length or request.header("transfer-encoding")):
            body = request.json()
            member = body.get("member") if isinstance(body, dict) else None
            if isinstance(member, dict):
                can_share = _truth(member)
        self._sharing.share(request.caller, image_id, member_id, can_share)
        return Response(204)

    def replace(self, request: Request[Caller], image_id: str) -> Response:
        body = request.json()
        listed = body.get("memberships") if isinstance(body, dict) else None
        if not isinstance(listed, list):
            raise Invalid("The body has to be of the form {'memberships': [{'member_id': …}]}.")
        members = {}
        for one in listed:
            if not isinstance(one, dict) or not isinstance(one.get("member_id"), str):
                raise Invalid("Each membership has to name a member_id.")
            members[one["member_id"]] = _truth(one)
        self._sharing.replace(request.caller, image_id, members)
        return Response(204)

    def unshare(self, request: Request[Caller], image_id: str, member_id: str) -> Response:
        self._sharing.unshare(request.caller, image_id, member_id)
        return Response(204)


def _truth(member: dict[str, Any]) -> bool | None:
    """What a membership says of sharing on; None if nothing."""
    return bool(member["can_share"]) if "can_share" in member else None


def build(
    legacy: LegacyImages, authenticate: Authenticate, settings: Settings, *, identity_url: Callable[[Request[Any]], str]
) -> Service[Caller]:
    """Image API v1 as a WSGI application. `identity_url` is what the challenge of a 401 points to."""
    table = [*ImageRoutes(legacy, settings).routes(), *MemberRoutes(legacy).routes()]
    return Service(ImageV1Dialect(legacy.images.policies, authenticate, identity_url), table, head_is_get=True)

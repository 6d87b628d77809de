"""/v2/images: create, list, show, change (JSON patch), delete, tags, members, deactivate and reactivate."""

import re
from typing import Any

from appliance.api.http.error_responses import image_error
from appliance.api.http.messages import Request, Response
from appliance.api.http.service import Route
from appliance.api.image_v2.dialect import document, json_object, media_type
from appliance.api.image_v2.views import ImageView, member, page
from appliance.db.image.images import ImageRecord
from appliance.errors import Invalid
from appliance.image.changes import Change, check_path
from appliance.image.draft import check_names
from appliance.image.rules import LINKS
from appliance.image.schemas import ImageChecks
from appliance.image.service import Images
from appliance.settings import Settings
from appliance.values import Caller

_OLD = "application/openstack-images-v2.0-json-patch"
_NEW = "application/openstack-images-v2.1-json-patch"
MEDIA_TYPES = frozenset({_OLD, _NEW})

_OPERATIONS = ("add", "remove", "replace")


def read_changes(kind: str, request: Request[Caller], checks: ImageChecks) -> list[Change]:
    """Every operation of the body, checked as far as it can be without the image."""
    body = document(request)
    if not isinstance(body, list):
        raise Invalid("Request body must be a JSON array of operation objects.")
    return [_change(kind, raw, checks) for raw in body]


def _change(kind: str, raw: Any, checks: ImageChecks) -> Change:
    if not isinstance(raw, dict):
        raise Invalid("Operations must be JSON objects.")
    operation, pointer = _new_form(raw) if kind == _NEW else _old_form(raw)
    path = parse_pointer(pointer)
    depth = 2 if path[0] == "locations" and operation in ("add", "remove") else 1
    if len(path) != depth:
        raise Invalid(f"Invalid JSON pointer for this resource: '{pointer}'")
    if operation != "remove" and "value" not in raw:
        raise Invalid(f'Operation "{operation}" requires a member named "value".')
    change = Change(operation, path, raw.get("value"), add_must_be_new=kind == _OLD)
    check_path(change)
    if operation != "remove":
        value = [change.value] if depth == 2 else change.value
        checks.validate_values({change.root: value})
    return change


def _new_form(raw: dict[str, Any]) -> tuple[str, Any]:
    operation = raw.get("op")
    known = ", ".join(_OPERATIONS)
    if operation not in _OPERATIONS:
        raise Invalid(f"Invalid operation: `{operation}`. It must be one of the following: {known}.")
    if "path" not in raw:
        raise Invalid("Unable to find 'path' in JSON Schema change")
    return operation, raw["path"]


def _old_form(raw: dict[str, Any]) -> tuple[str, Any]:
    operations = [operation for operation in _OPERATIONS if operation in raw]
    if len(operations) != 1:
        raise Invalid('Operation objects must contain exactly one member named "add", "remove", or "replace".')
    return operations[0], raw[operations[0]]


def parse_pointer(pointer: Any) -> tuple[str, ...]:
    """`/a~1b/c` → a/b, c. Unknown escapes are refused, and empty tokens, unless one is all there is."""
    if not isinstance(pointer, str) or not pointer.startswith("/"):
        raise Invalid(f'Pointer `{pointer}` does not start with "/".')
    parts = [part.strip() for part in pointer[1:].split("/")]
    if len(parts) > 1 and not all(parts):
        raise Invalid(f"Pointer `{pointer}` contains an empty token.")
    if re.search(r"~(?![01])", pointer):
        raise Invalid(f'Pointer `{pointer}` contains "~" not part of a recognized escape sequence.')
    return tuple(part.replace("~1", "/").replace("~0", "~") for part in parts)


class ImageRoutes:
    """Handlers of images as a resource."""

    def __init__(self, images: Images, settings: Settings, checks: ImageChecks) -> None:
        self._images = images
        self._settings = settings
        self._checks = checks
        self._view = ImageView(settings)

    def routes(self) -> list[Route]:
        return [
            Route("POST", "/v2/images", self.create, "add_image"),
            Route("GET", "/v2/images", self.list, "get_images", bodiless=True),
            Route("GET", "/v2/images/<image_id>", self.show, "get_image", bodiless=True),
            Route("PATCH", "/v2/images/<image_id>", self.update, "modify_image"),
            Route("DELETE", "/v2/images/<image_id>", self.delete, "delete_image", bodiless=True),
        ]

    def create(self, request: Request[Caller]) -> Response:
        body = json_object(request)
        check_names({name: value for name, value in body.items() if name in LINKS})
        self._checks.validate_new_image(body)
        image = self._images.create(request.caller, body)
        headers = [("Location", f"{request.base_url}/v2/images/{image.id}")]
        if self._settings.enabled_import_methods:
            headers.append(("OpenStack-image-import-methods", ",".join(self._settings.enabled_import_methods)))
        if self._images.stores.several:
            headers.append(("OpenStack-image-store-ids", ",".join(store.id for store in self._images.stores)))
        return Response(201, self._shown(request, image), headers)

    def list(self, request: Request[Caller]) -> Response:
        images, more = self._images.finder.page(request.caller, request.query)
        shown = [self._shown(request, image) for image in images]
        return Response(200, page("images", shown, "/v2/images", request.query, images[-1].id if more else None))

    def show(self, request: Request[Caller], image_id: str) -> Response:
        return Response(200, self._shown(request, self._images.finder.get(request.caller, image_id)))

    def update(self, request: Request[Caller], image_id: str) -> Response:
        kind = media_type(request)
        if kind not in MEDIA_TYPES:
            accepted = ", ".join(sorted(MEDIA_TYPES))
            sentence = f"Image PATCH expects Content-Type one of: {accepted}"
            response = image_error(415, sentence, request.header("accept"))
            response.headers.append(("Accept-Patch", accepted))
            return response
        changes = read_changes(kind, request, self._checks)
        return Response(200, self._shown(request, self._images.update(request.caller, image_id, changes)))

    def delete(self, request: Request[Caller], image_id: str) -> Response:
        self._images.delete(request.caller, image_id)
        return Response(204)

    def _shown(self, request: Request[Caller], image: ImageRecord) -> dict[str, object]:
        return self._view(image, with_locations=self._images.policies.sees_locations(request.caller, image))


class ActionRoutes:
    """Handlers of actions."""

    def __init__(self, images: Images) -> None:
        self._images = images

    def routes(self) -> list[Route]:
        path = "/v2/images/<image_id>/actions"
        return [
            Route("POST", f"{path}/deactivate", self.deactivate, "deactivate", bodiless=True, frees=True),
            Route("POST", f"{path}/reactivate", self.reactivate, "reactivate", bodiless=True, frees=True),
        ]

    def deactivate(self, request: Request[Caller], image_id: str) -> Response:
        self._images.deactivate(request.caller, image_id)
        return Response(204)

    def reactivate(self, request: Request[Caller], image_id: str) -> Response:
        self._images.reactivate(request.caller, image_id)
        return Response(204)


class TagRoutes:
    """Handlers of tags."""

    def __init__(self, images: Images) -> None:
        self._images = images

    def routes(self) -> list[Route]:
        path = "/v2/images/<image_id>/tags/<tag>"
        return [
            Route("PUT", path, self.add, "modify_image", bodiless=True),
            Route("DELETE", path, self.remove, "modify_image", bodiless=True),
        ]

    def add(self, request: Request[Caller], image_id: str, tag: str) -> Response:
        self._images.add_tag(request.caller, image_id, tag)
        return Response(204)

    def remove(self, request: Request[Caller], image_id: str, tag: str) -> Response:
        self._images.remove_tag(request.caller, image_id, tag)
        return Response(204)


class MemberRoutes:
    """Handlers of image members."""

    def __init__(self, images: Images) -> None:
        self._members = images.members

    def routes(self) -> list[Route]:
        collection = "/v2/images/<image_id>/members"
        return [
            Route("GET", collection, self.list, "get_members", bodiless=True),
            Route("POST", collection, self.create, "add_member"),
            Route("GET", f"{collection}/<member_id>", self.show, "get_member", bodiless=True),
            Route("PUT", f"{collection}/<member_id>", self.update, "modify_member"),
            Route("DELETE", f"{collection}/<member_id>", self.delete, "delete_member", bodiless=True),
        ]

    def create(self, request: Request[Caller], image_id: str) -> Response:
        form = 'Expected a member in the form: {"member": "image_id"}'
        member_id = json_object(request, form).get("member")
        if not isinstance(member_id, str) or not member_id:
            raise Invalid(form)
        return Response(200, member(self._members.add(request.caller, image_id, member_id)))

    def list(self, request: Request[Caller], image_id: str) -> Response:
        members = [member(record) for record in self._members.page(request.caller, image_id)]
        return Response(200, {"members": members, "schema": "/v2/schemas/members"})

    def show(self, request: Request[Caller], image_id: str, member_id: str) -> Response:
        return Response(200, member(self._members.get(request.caller, image_id, member_id)))

    def update(self, request: Request[Caller], image_id: str, member_id: str) -> Response:
        form = 'Expected a status in the form: {"status": "status"}'
        body = json_object(request, form)
        if "status" not in body:
            raise Invalid(form)
        # What the status may be is asked only once the member is known, as in Glance.
        status = body["status"]
        return Response(200, member(self._members.answer(request.caller, image_id, member_id, status)))

    def delete(self, request: Request[Caller], image_id: str, member_id: str) -> Response:
        self._members.remove(request.caller, image_id, member_id)
        return Response(204)

"""How images, members and tasks look in answers."""

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode

from appliance.db.image.images import ImageRecord, LocationRecord
from appliance.db.image.members import MemberRecord
from appliance.db.image.tasks import TaskRecord
from appliance.image.locations.changes import shown_metadata, url_of
from appliance.settings import Settings
from appliance.values import micros_text, seconds_text

_HIDDEN = frozenset({"os_glance_stage_host", "os_glance_hash_op_host"})
# Properties that may be null; any other null is shown as an empty text.
_NULLABLE = frozenset({"kernel_id", "ramdisk_id"})

Json = dict[str, Any]


class ImageView:
    """Images as the settings let clients see them."""

    def __init__(self, settings: Settings) -> None:
        self._show_locations = settings.show_multiple_locations
        self._show_direct_url = settings.show_image_direct_url
        self._show_stores = bool(settings.enabled_backends)

    def __call__(self, image: ImageRecord, *, with_locations: bool = True) -> Json:
        """The whole image. `with_locations` is false for those who may not see where the data is."""
        path = f"/v2/images/{image.id}"
        view: Json = {
            name: ("" if value is None and name not in _NULLABLE else value)
            for name, value in image.properties.items()
            if name not in _HIDDEN
        }
        view.update(
            name=image.name,
            disk_format=image.disk_format,
            container_format=image.container_format,
            visibility=image.visibility,
            size=image.size,
            virtual_size=image.virtual_size,
            status=image.status,
            checksum=image.checksum,
            protected=image.protected,
            min_ram=image.min_ram,
            min_disk=image.min_disk,
            owner=image.owner or None,
            os_hidden=image.os_hidden,
            os_hash_algo=image.os_hash_algo,
            os_hash_value=image.os_hash_value,
            id=image.id,
            created_at=seconds_text(image.created_at),
            updated_at=seconds_text(image.updated_at),
        )
        if self._show_locations:
            view["locations"] = [location(image, place) for place in image.locations] if with_locations else []
        if self._show_direct_url and with_locations and image.locations:
            view["direct_url"] = location(image, image.locations[0])["url"]
        view["tags"] = image.tags
        view["self"] = path
        view["file"] = f"{path}/file"
        view["schema"] = "/v2/schemas/image"
        if self._show_stores and image.locations:
            view["stores"] = ",".join(place.store for place in image.locations if place.store)
        return view


def location(image: ImageRecord, place: LocationRecord) -> Json:
    return {"url": url_of(image.id, place), "metadata": shown_metadata(place)}


def member(record: MemberRecord) -> Json:
    return {
        "member_id": record.member_id,
        "image_id": record.image_id,
        "status": record.status,
        "created_at": seconds_text(record.created_at),
        "updated_at": seconds_text(record.updated_at),
        "schema": "/v2/schemas/member",
    }


def page(
    kind: str, items: Sequence[Json], path: str, parameters: Sequence[tuple[str, str]], next_marker: str | None
) -> Json:
    """A page of a collection with its links. A repeated parameter keeps its last value in them."""
    last = {name: value for name, value in dict(parameters).items() if name != "marker"}
    query = urlencode(last)
    body: Json = {
        kind: list(items),
        "first": f"{path}?{query}" if query else path,
        "schema": f"/v2/schemas/{kind}",
    }
    if next_marker is not None:
        body["next"] = f"{path}?{urlencode(last | {'marker': next_marker})}"
    return body


def listed_task(record: TaskRecord) -> Json:
    """A task as a list shows it: without what was asked and what came of it."""
    view: Json = {
        "id": record.id,
        "type": record.type,
        "status": record.status,
        "owner": record.owner,
        "created_at": seconds_text(record.created_at),
        "updated_at": seconds_text(record.updated_at),
        "self": f"/v2/tasks/{record.id}",
        "schema": "/v2/schemas/task",
    }
    if record.expires_at is not None:
        view["expires_at"] = seconds_text(record.expires_at)
    return view


def task(record: TaskRecord) -> Json:
    """The whole task."""
    view = listed_task(record) | {"input": record.input, "message": record.message, "result": record.result}
    optional = {"image_id": record.image_id, "request_id": record.request_id, "user_id": record.user_id}
    return view | {name: value for name, value in optional.items() if value}


def image_task(record: TaskRecord) -> Json:
    """A task as its image shows it: the raw row, times with their microseconds and without a zone."""
    times = {
        name: micros_text(at).removesuffix("Z") if at is not None else None
        for name, at in (
            ("created_at", record.created_at),
            ("updated_at", record.updated_at),
            ("expires_at", record.expires_at),
        )
    }
    return {
        "id": record.id,
        "type": record.type,
        "status": record.status,
        "owner": record.owner,
        "input": record.input,
        "result": record.result,
        "message": record.message,
        "image_id": record.image_id,
        "request_id": record.request_id,
        "user_id": record.user_id,
        "deleted": False,
        "deleted_at": None,
        **times,
    }

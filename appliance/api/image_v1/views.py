"""How images look in answers of Image API v1: rows, whole and brief. Where the data lies is never among it."""

from typing import Any

from appliance.db.images import ImageRecord
from appliance.image.model import INTERNAL
from appliance.values import Micros, micros_text

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

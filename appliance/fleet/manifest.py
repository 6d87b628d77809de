"""What a feed says of an image: everything that a client sees of it, the hashes of its data, and its block map's hash.

A manifest that came from elsewhere has passed `check_manifest` before anything is made of it.
"""

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import fastjsonschema

from appliance.db.image.images import ImageRecord
from appliance.errors import Invalid, LimitExceeded
from appliance.fleet.block_map import MOST_STEPS
from appliance.image.draft import (
    check_characters,
    check_names,
    check_property,
    check_property_quota,
    check_tag_quota,
    check_value,
)
from appliance.image.rules import INTERNAL, VISIBILITIES
from appliance.settings import Settings
from appliance.values import Micros

Manifest = dict[str, Any]

DATA = ("size", "checksum", "os_hash_algo", "os_hash_value")
"""What tells one image's bytes from another's."""
FACTS = ("name", "status", "visibility", "protected", "os_hidden", "owner", "min_disk", "min_ram")
"""What may change, beside properties and tags."""
_FORMATS = ("disk_format", "container_format")
_LARGEST = 2**63 - 1

_TEXT = {"type": ["string", "null"], "maxLength": 255}
_NUMBER = {"type": "integer", "minimum": 0, "maximum": 2**31 - 1}
_SIZE = {"type": "integer", "minimum": 0, "maximum": _LARGEST}
_PARTS: dict[str, Any] = {
    "id": {"type": "string", "pattern": "^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\\Z"},
    "name": _TEXT,
    "status": {"enum": ["active", "deactivated"]},
    "visibility": {"enum": list(VISIBILITIES)},
    "protected": {"type": "boolean"},
    "os_hidden": {"type": "boolean"},
    "owner": _TEXT,
    "min_disk": _NUMBER,
    "min_ram": _NUMBER,
    "disk_format": _TEXT,
    "container_format": _TEXT,
    "created_at": _SIZE,
    "size": _SIZE,
    "checksum": {"type": "string", "pattern": "^[0-9a-f]{32}\\Z"},
    "os_hash_algo": {"enum": ["md5", "sha1", "sha224", "sha256", "sha384", "sha512"]},
    "os_hash_value": {"type": "string", "pattern": "^[0-9a-f]{32,128}\\Z"},
    "properties": {"type": "object", "additionalProperties": {"type": ["string", "null"]}},
    "tags": {"type": "array", "items": {"type": "string", "maxLength": 255}, "uniqueItems": True},
    "map": {
        "type": "object",
        "properties": {
            "sha256": {"type": "string", "pattern": "^[0-9a-f]{64}\\Z"},
            "blocks": _SIZE,
            "data": _SIZE,
            "stored": _SIZE,
        },
        "required": ["sha256", "blocks", "data", "stored"],
        "additionalProperties": False,
    },
}
_SCHEMA = {"type": "object", "properties": _PARTS, "required": list(_PARTS), "additionalProperties": False}


@cache
def _check() -> Callable[[Any], Any]:
    """Compiled when the first manifest comes: that takes as long as loading ten modules."""
    return fastjsonschema.compile(_SCHEMA, use_default=False)


def manifest_of(image: ImageRecord, map_facts: Mapping[str, Any]) -> Manifest:
    """The manifest of an image that is stored here."""
    named = {name: getattr(image, name) for name in ("id", "created_at", *FACTS, *_FORMATS, *DATA)}
    properties = {name: value for name, value in image.properties.items() if not name.startswith(INTERNAL)}
    return {**named, "properties": properties, "tags": sorted(image.tags), "map": dict(map_facts)}


def check_manifest(document: Any) -> Manifest:
    """A manifest that another site sent. Raises `Invalid` for what no site of this kind would send."""
    try:
        _check()(document)
    except fastjsonschema.JsonSchemaValueException as error:
        raise Invalid(f"a manifest is not in order: {error.message}") from error
    manifest: Manifest = document
    try:
        check_names(manifest["properties"])
        for name, value in manifest["properties"].items():
            check_property(name, value)
        for name in ("name", "min_disk", "min_ram"):
            check_value(name, manifest[name])
        check_characters(*manifest["tags"])
        _check_texts(manifest)
        _check_map(manifest["size"], **manifest["map"])
    except Exception as error:
        raise Invalid(f"the manifest of image {manifest['id']} is not in order: {error}") from error
    return manifest


def _check_texts(manifest: Manifest) -> None:
    """Raise `Invalid` for what no database keeps: a NUL, or half of a character."""
    names = [str(manifest[name]) for name in ("name", "owner", *_FORMATS)]
    values = [text for item in manifest["properties"].items() for text in item if text]
    for text in (*names, *manifest["tags"], *values):
        if "\0" in text or any("\ud800" <= letter <= "\udfff" for letter in text):
            raise Invalid("a text in it is none that can be stored")


def _check_map(size: int, *, blocks: int, data: int, **_: object) -> None:
    """Raise `Invalid` for a map that can't be one of so many bytes, before it is asked for."""
    if blocks > MOST_STEPS:
        raise Invalid(f"it has {blocks} blocks, and {MOST_STEPS} at the most are read here")
    if not blocks <= data <= size:
        raise Invalid(f"{blocks} blocks with {data} bytes make no image of {size} bytes")


def check_limits(manifest: Manifest, settings: Settings) -> None:
    """Raise `LimitExceeded` for an image that nobody could upload here: too large, or with too many names."""
    try:
        check_property_quota(manifest["properties"], settings)
        check_tag_quota(manifest["tags"], settings)
    except LimitExceeded as error:
        raise LimitExceeded(f"Image {manifest['id']} can't come: {error}. A higher limit here lets it in.") from error
    if manifest["size"] > settings.image_size_cap:
        raise LimitExceeded(
            f"Image {manifest['id']} has {manifest['size']} bytes, and at most {settings.image_size_cap} are allowed "
            "here: a higher image_size_cap lets it in."
        )


def same_data(image: ImageRecord, manifest: Manifest) -> bool:
    """Whether an image has the bytes that the manifest speaks of."""
    return all(getattr(image, name) == manifest[name] for name in DATA)


def record_of(manifest: Manifest, owner: str | None, at: Micros) -> ImageRecord:
    """The image of a manifest as it is to be here."""
    image = ImageRecord(manifest["id"], owner, manifest["created_at"], at)
    for name in (*FACTS, *_FORMATS, *DATA):
        if name != "owner":
            setattr(image, name, manifest[name])
    image.properties = dict(manifest["properties"])
    image.tags = list(manifest["tags"])
    return image

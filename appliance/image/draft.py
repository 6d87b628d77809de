"""A new image, made of what a client sent: defaults filled in, names and limits checked."""

from collections.abc import Iterable, Mapping
from typing import Any

from appliance.db.image.images import ImageRecord
from appliance.errors import Forbidden, Invalid, LimitExceeded
from appliance.image.rules import INTEGER_LIMIT, INTERNAL, LINKS, NAME_LIMIT, READ_ONLY, RESERVED, SETTABLE
from appliance.settings import Settings
from appliance.values import TEXT_BYTES, Caller, Micros, beyond_bmp, fits, is_uuid, new_uuid

IGNORED = frozenset({"os_hash_algo", "os_hash_value"})
"""Read-only attributes that a client may name when it makes an image; they are set by the data all the same."""


def draft(caller: Caller, body: Mapping[str, Any], settings: Settings, at: Micros) -> ImageRecord:
    """The record of a new image. The body's types have been checked against the schema, or are our own."""
    check_names(body)
    tags = unique_tags(body.get("tags", []))
    check_characters(*tags)
    check_tag_quota(tags, settings)
    properties = {name: value for name, value in body.items() if name not in (*SETTABLE, *IGNORED, "id", "tags")}
    for name, value in properties.items():
        check_property(name, value)
    check_property_quota(properties, settings)
    image = ImageRecord(id=body.get("id") or new_uuid(), owner=caller.project_id, created_at=at, updated_at=at)
    if not is_uuid(image.id):
        raise Invalid(f"{image.id} is not a UUID.")
    for name in IGNORED & body.keys():
        check_value(name, body[name])
    for name in SETTABLE & body.keys():
        check_value(name, body[name])
        setattr(image, name, body[name])
    image.tags = tags
    image.properties = properties
    return image


def check_names(body: Mapping[str, Any]) -> None:
    """Refuse names that only the service sets."""
    for name in body:
        if name in LINKS or (name in READ_ONLY and name not in IGNORED and name != "id"):
            raise Forbidden(f"Attribute '{name}' is read-only.")
        if name in RESERVED or name.startswith(INTERNAL):
            raise Forbidden(f"Attribute '{name}' is reserved.")
        if name == "locations":
            raise Forbidden(f"Attribute '{name}' is reserved.")


def check_property(name: str, value: Any) -> None:
    """An extra property's name is at most 255 characters, its value a string of at most 64 KiB, or null."""
    if len(name) > NAME_LIMIT:
        raise Invalid("Custom property should not be greater than 255 characters.")
    if value is not None and not isinstance(value, str):
        raise Invalid(f"The value of property {name} has to be a string.")
    if beyond_bmp(name):
        raise Invalid("Property names can't contain 4 byte unicode.")
    if value is not None and beyond_bmp(value):
        raise Invalid(f"{name.title()} can't contain 4 byte unicode characters.")
    check_text(f"The value of property {name}", value)


def check_text(what: str, text: str | None) -> None:
    """Raise `Invalid` for a text that is longer than the original could store."""
    if text is not None and not fits(text):
        raise Invalid(f"{what} is too long: it may have at most {TEXT_BYTES} bytes.")


def check_value(name: str, value: Any) -> None:
    """The bounds of the base properties that the schema does not know."""
    if isinstance(value, str) and beyond_bmp(value):
        raise Invalid(f"{name.title()} can't contain 4 byte unicode characters.")
    if name in ("min_disk", "min_ram"):
        if value < 0:
            raise Invalid(f"Invalid value '{value}' for parameter '{name}': Cannot be a negative value")
        if value > INTEGER_LIMIT:
            raise Invalid(f"Invalid value '{value}' for parameter '{name}': it is too large")


def unique_tags(tags: Iterable[str]) -> list[str]:
    """Tags are a set; the first of equal ones stays."""
    return list(dict.fromkeys(tags))


def check_characters(*texts: str) -> None:
    """Raise `Invalid` for tags, members and the like with a character that takes four bytes."""
    if any(map(beyond_bmp, texts)):
        raise Invalid("Param values can't contain 4 byte unicode.")


def check_tag_quota(tags: list[str], settings: Settings) -> None:
    if 0 <= settings.image_tag_quota < len(tags):
        raise LimitExceeded(
            f"The limit has been exceeded on the number of allowed image tags. Attempted: {len(tags)}, "
            f"Maximum: {settings.image_tag_quota}"
        )


def check_property_quota(names: Iterable[str], settings: Settings) -> None:
    """The service's own properties don't count."""
    attempted = sum(not name.startswith(INTERNAL) for name in names)
    if 0 <= settings.image_property_quota < attempted:
        raise LimitExceeded(
            f"The limit has been exceeded on the number of allowed image properties. Attempted: {attempted}, "
            f"Maximum: {settings.image_property_quota}"
        )

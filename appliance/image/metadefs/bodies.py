"""What clients say of metadata definitions, checked by schema and turned into records.

The schemas let through more than the original service can store; what it would stumble over is refused here.
"""

import json
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from appliance.db.image.metadef_items import Definition, ObjectRecord, PropertyRecord, TagRecord
from appliance.db.image.metadefs import AssociationRecord
from appliance.errors import Forbidden, Invalid
from appliance.image.draft import check_characters, check_text
from appliance.image.schemas import metadef_check
from appliance.values import Micros

Json = dict[str, Any]

_NAME_LENGTH = 80
_TIMES = ("created_at", "updated_at")
_READ_ONLY: dict[str, tuple[str, ...]] = {
    "namespace": ("self", "schema", *_TIMES),
    "object": ("self", "schema", *_TIMES),
}


def checked(kind: str, body: Json) -> Json:
    """The body itself, if it fits. Raises `Forbidden` for what only the service sets, `Invalid` for the rest."""
    for key in _READ_ONLY.get(kind, _TIMES):
        if key in body:
            raise Forbidden(f"Attribute '{key}' is read-only.")
    metadef_check(kind)(body)
    check_characters(*_texts(body))
    return body


def _texts(value: Any) -> Iterator[str]:
    """Every text in a body, names of attributes included."""
    waiting = [value]
    while waiting:
        part = waiting.pop()
        if isinstance(part, str):
            yield part
        elif isinstance(part, dict):
            waiting += [*part, *part.values()]
        elif isinstance(part, list):
            waiting += part


def name_of(body: Json, what: str) -> str:
    """The name in a nested body, which the schema of the whole does not check."""
    name = body.get("name")
    if not isinstance(name, str):
        raise Invalid(f"Every {what} needs a name.")
    return usable(name, what)


def usable(name: str, what: str) -> str:
    """The name, if something can be found by it."""
    if not 0 < len(name) <= _NAME_LENGTH:
        raise Invalid(f"The name of a {what} has 1 to {_NAME_LENGTH} characters.")
    check_characters(name)
    return name


def _known(body: Json, keys: tuple[str, ...], what: str) -> Json:
    unknown = sorted(set(body) - set(keys))
    if unknown:
        raise Invalid(f"A {what} has no attribute '{unknown[0]}'.")
    return body


# -- properties ----------------------------------------------------------------------------------------------------


def _as_given(value: Any) -> Any:
    return value


def _number(value: Any) -> Any:
    if isinstance(value, float):
        if not math.isfinite(value):
            raise Invalid("A bound of a property is a finite number.")
        return int(value) if value.is_integer() else value
    return value


def _default(value: Any) -> str | None:
    """Defaults are text, whatever the type of the property; what is no plain value is no default."""
    return str(value) if isinstance(value, str | int | float) else None


def _choices(value: list[Any]) -> list[Any]:
    if not all(choice is None or isinstance(choice, str) for choice in value):
        raise Invalid("The choices in an enum are strings.")
    return value


def _items(value: Json) -> Json:
    _known(value, ("type", "enum"), "property's items")
    if "type" not in value:
        raise Invalid("The items of a property need a type.")
    return {"type": value["type"], **({"enum": _choices(value["enum"])} if "enum" in value else {})}


_FIELDS: dict[str, Callable[[Any], Any]] = {
    "name": _as_given,
    "type": _as_given,
    "title": _as_given,
    "description": _as_given,
    "operators": _as_given,
    "default": _default,
    "readonly": _as_given,
    "minimum": _number,
    "maximum": _number,
    "enum": _choices,
    "pattern": _as_given,
    "minLength": _number,
    "maxLength": _number,
    "items": _items,
    "uniqueItems": _as_given,
    "minItems": _number,
    "maxItems": _number,
    "additionalItems": _as_given,
}
"""Attributes of a property, in the order in which they are shown."""


def definition(body: Json) -> Definition:
    """A property as it is stored and shown."""
    _known(body, tuple(_FIELDS), "property")
    found = {field: read(body[field]) for field, read in _FIELDS.items() if field in body}
    check_text("The definition of a property", json.dumps(found))
    return found


def definitions(bodies: dict[str, Json]) -> dict[str, Definition]:
    """Properties by their names."""
    found: dict[str, Definition] = {}
    for name, body in bodies.items():
        metadef_check("nameless property")(body)
        found[usable(name, "property")] = definition(body)
    return found


def read_property(body: Json, now: Micros) -> PropertyRecord:
    checked("property", body)
    return PropertyRecord(usable(body["name"], "property"), definition(body), now, now)


# -- objects, tags, resource types ---------------------------------------------------------------------------------


def object_record(body: Json, now: Micros) -> ObjectRecord:
    """An object, alone or within a namespace. What was not given stays None."""
    _known(body, ("name", "description", "required", "properties"), "object")
    properties = definitions(body["properties"]) if "properties" in body else None
    for part in (body.get("description"), body.get("required"), properties):
        check_text("A part of an object", json.dumps(part))
    return ObjectRecord(
        name=name_of(body, "object"),
        created_at=now,
        updated_at=now,
        description=body.get("description"),
        required=body.get("required"),
        properties=properties,
    )


def read_object(body: Json, now: Micros) -> ObjectRecord:
    return object_record(checked("object", body), now)


def tag_record(body: Json, now: Micros) -> TagRecord:
    _known(body, ("name",), "tag")
    return TagRecord(name_of(body, "tag"), now, now)


def read_tag(body: Json, now: Micros) -> TagRecord:
    return tag_record(checked("tag", body), now)


def read_tags(body: Json, now: Micros) -> list[TagRecord]:
    checked("tags", body)
    if "tags" not in body:
        raise Invalid("The body needs a list of tags.")
    return [tag_record(tag, now) for tag in body["tags"]]


def association_record(body: Json, now: Micros) -> AssociationRecord:
    _known(body, ("name", "prefix", "properties_target", *_TIMES), "resource type association")
    prefix, target = body.get("prefix"), body.get("properties_target")
    for text in (prefix, target):
        if text is not None and len(text) > _NAME_LENGTH:
            raise Invalid(f"The prefix and the target of an association have at most {_NAME_LENGTH} characters.")
    return AssociationRecord(name_of(body, "resource type"), prefix, target, now, now)


def read_association(body: Json, now: Micros) -> AssociationRecord:
    return association_record(checked("resource_type", body), now)


# -- namespaces ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Contents:
    """What is in a namespace; None is what a client did not mention."""

    associations: list[AssociationRecord] | None = None
    properties: dict[str, Definition] | None = None
    objects: list[ObjectRecord] | None = None
    tags: list[TagRecord] | None = None


def read_contents(body: Json, now: Micros) -> Contents:
    """What is nested in the body of a namespace, which has been checked as a whole."""
    return Contents(
        associations=_each(association_record, body.get("resource_type_associations"), now),
        properties=definitions(body["properties"]) if "properties" in body else None,
        objects=_each(object_record, body.get("objects"), now),
        tags=_each(tag_record, body.get("tags"), now),
    )


def _each(read: Callable[[Json, Micros], Any], bodies: list[Json] | None, now: Micros) -> list[Any] | None:
    return None if bodies is None else [read(body, now) for body in bodies]

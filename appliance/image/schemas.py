"""The JSON schemas of the image API: the documents that clients read, and the checks that handlers make with them.

The properties are data (`schema_data/*.json`); what surrounds them, and the formats that the settings allow, is put
together here. Checks are compiled once and raise `Invalid` in the caller's terms.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from functools import cache, cached_property
from importlib.resources import files
from typing import Any, cast

import fastjsonschema

from appliance.errors import Invalid
from appliance.settings import Settings

Schema = dict[str, Any]
Check = Callable[[Any], None]

_COLLECTION_LINKS = [
    {"rel": "first", "href": "{first}"},
    {"rel": "next", "href": "{next}"},
    {"rel": "describedby", "href": "{schema}"},
]
_TEXT: Schema = {"type": "string"}
_LEFT_OUT_OF_TASK_LISTS = ("input", "result", "message")


@cache
def _text(name: str) -> str:
    return (files("appliance.image.schema_data") / f"{name}.json").read_text()


def _data(name: str) -> Schema:
    """A fresh copy of one data file, so that nobody can spoil another's."""
    return cast(Schema, json.loads(_text(name)))


# -- documents -----------------------------------------------------------------------------------------------------


def image_schema(settings: Settings) -> Schema:
    """What an image is, with the formats that the settings allow. Properties that it does not name are strings."""
    properties = _data("image")
    properties["disk_format"]["enum"] = [None, *settings.disk_formats]
    properties["container_format"]["enum"] = [None, *settings.container_formats]
    for value in properties.values():
        value["is_base"] = True
    for name, value in _data("image_typed").items():
        properties[name] = {**value, "is_base": False}
    return {
        "name": "image",
        "properties": properties,
        "additionalProperties": {"type": "string"},
        "links": [
            {"rel": "self", "href": "{self}"},
            {"rel": "enclosure", "href": "{file}"},
            {"rel": "describedby", "href": "{schema}"},
        ],
    }


def _collection(name: str, item: Schema) -> Schema:
    """A page of items; their definitions are at the top, where references look for them."""
    return _page(name, {"type": "array", "items": _without_definitions(item)}, item)


def _page(name: str, items: Schema, item: Schema) -> Schema:
    schema = {
        "name": name,
        "properties": {name: items, "first": _TEXT, "next": _TEXT, "schema": _TEXT},
        "links": _COLLECTION_LINKS,
    }
    return schema | {key: item[key] for key in ("definitions",) if key in item}


def _without_definitions(schema: Schema) -> Schema:
    return {key: value for key, value in schema.items() if key != "definitions"}


def _plain_collection(name: str, item: Schema) -> Schema:
    """A list that is never cut into pages."""
    return {
        "name": name,
        "properties": {name: {"type": "array", "items": item}, "schema": _TEXT},
        "links": [{"rel": "describedby", "href": "{schema}"}],
    }


def _member_schema() -> Schema:
    return {"name": "member", "properties": _data("member")}


def _task_schema(*, listed: bool = False) -> Schema:
    properties = _data("task")
    if listed:
        properties = {name: value for name, value in properties.items() if name not in _LEFT_OUT_OF_TASK_LISTS}
    return {"name": "task", "properties": properties}


def _metadef_schema(kind: str, name: str, required: Iterable[str], definitions: Iterable[str] = ()) -> Schema:
    data = _data("metadefs")
    schema = {"name": name, "properties": data[kind], "additionalProperties": False}
    chosen = {key: data["definitions"][key] for key in definitions}
    if chosen:
        schema["definitions"] = chosen
    schema["required"] = list(required)
    return schema


_NUMBERS_AND_STRINGS = ("positiveInteger", "positiveIntegerDefault0", "stringArray")


def _namespace_schema() -> Schema:
    return _metadef_schema("namespace", "namespace", ["namespace"], (*_NUMBERS_AND_STRINGS, "property"))


def _object_schema() -> Schema:
    return _metadef_schema("object", "object", ["name"], (*_NUMBERS_AND_STRINGS, "property"))


def _property_schema(*, named: bool = True) -> Schema:
    """A property on its own has its name in it; in a list or an object the name is the key."""
    definitions = _data("metadefs")["definitions"]
    properties = definitions.pop("property")["additionalProperties"]["properties"]
    definitions["stringArray"]["minItems"] = 1
    return {
        "name": "property",
        "properties": properties,
        "additionalProperties": False,
        "definitions": definitions,
        "required": ["type", "title", "name"] if named else ["type", "title"],
    }


def _resource_type_schema() -> Schema:
    return _metadef_schema("resource_type", "resource_type_association", ["name"])


def _tag_schema() -> Schema:
    return _metadef_schema("tag", "tag", ["name"])


def documents(settings: Settings) -> dict[str, Schema]:
    """Every document that the API publishes, under its path below `/v2/schemas/`."""
    image = image_schema(settings)
    nameless = _property_schema(named=False)
    by_name: Schema = {"type": "object", "additionalProperties": _without_definitions(nameless)}
    return {
        "image": image,
        "images": _collection("images", image),
        "member": _member_schema(),
        "members": _plain_collection("members", _member_schema()),
        "task": _task_schema(),
        "tasks": _plain_collection("tasks", _task_schema(listed=True)),
        "metadefs/namespace": _namespace_schema(),
        "metadefs/namespaces": _collection("namespaces", _namespace_schema()),
        "metadefs/resource_type": _resource_type_schema(),
        "metadefs/resource_types": _collection("resource_type_associations", _resource_type_schema()),
        "metadefs/property": _property_schema(),
        "metadefs/properties": _page("properties", by_name, nameless),
        "metadefs/object": _object_schema(),
        "metadefs/objects": _collection("objects", _object_schema()),
        "metadefs/tag": _tag_schema(),
        "metadefs/tags": _collection("tags", _tag_schema()),
    }


# -- checks --------------------------------------------------------------------------------------------------------


def _compile(name: str, schema: Schema) -> Check:
    # Defaults are not filled in and formats not checked: as the original service has it.
    validate = fastjsonschema.compile(schema, use_default=False, use_formats=False)

    def check(value: Any) -> None:
        try:
            validate(value)
            # Half of a surrogate pair is legal in JSON, but nothing that can be stored or sent.
            json.dumps(value, ensure_ascii=False).encode()
        except fastjsonschema.JsonSchemaValueException as error:
            reason = error.message.removeprefix("data.").removeprefix("data")
            raise Invalid(f"The body does not fit the schema '{name}': {reason.strip()}.") from error
        except UnicodeEncodeError as error:
            raise Invalid("The body has text that is not Unicode.") from error

    return check


class ImageChecks:
    """What a client may say of an image, by its schema. One for each appliance: the formats come from the settings."""

    def __init__(self, settings: Settings) -> None:
        self._schema = image_schema(settings)
        self.base_properties: frozenset[str] = frozenset(_data("image"))
        self.read_only: frozenset[str] = frozenset(
            name for name, value in self._schema["properties"].items() if value.get("readOnly")
        )

    @cached_property
    def _values(self) -> Check:
        return _compile("image", {**self._schema, "type": "object"})

    @cached_property
    def _location(self) -> Check:
        return _compile("location", _data("location"))

    def validate_new_image(self, body: Any) -> None:
        """Check the body of a create. Raises `Invalid`."""
        self._values(body)

    def validate_values(self, values: Mapping[str, Any]) -> None:
        """Check some properties on their own, as one operation of a patch sets them. Raises `Invalid`."""
        self._values(values)

    def validate_location(self, body: Any) -> None:
        """Check the body that adds a location by its own route. Raises `Invalid`."""
        self._location(body)


_METADEF_SCHEMAS: dict[str, Callable[[], Schema]] = {
    "namespace": _namespace_schema,
    "object": _object_schema,
    "property": _property_schema,
    "nameless property": lambda: _property_schema(named=False) | {"name": "property"},
    "resource_type": _resource_type_schema,
    "tag": _tag_schema,
    "tags": lambda: {
        "name": "tags",
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "tags": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {"name": {"type": "string"}},
                    "required": ["name"],
                    "additionalProperties": False,
                },
            }
        },
    },
}


@cache
def metadef_check(kind: str) -> Check:
    """The check for one kind of metadata definition. It raises `Invalid`."""
    schema = _METADEF_SCHEMAS[kind]()
    return _compile(schema["name"], {**schema, "type": "object"})

"""JSON bodies of identity: how they are read and refused, and what their schemas have in common."""

import json
from collections.abc import Callable
from functools import cached_property
from typing import Any

import fastjsonschema

from appliance.api.http.messages import Request
from appliance.db.records import Record
from appliance.errors import Invalid


class Schema:
    """A JSON schema, and how what it describes is found in a body. Compiled once, by the first request that needs it.

    Unless it is `alone`, anything may be beside it; a body without something `optional` counts as one with an empty it.
    """

    def __init__(self, data: dict[str, Any], *, alone: bool = True, optional: bool = False) -> None:
        self.data = data
        self.alone = alone
        self.optional = optional

    @cached_property
    def _check(self) -> Any:
        return fastjsonschema.compile(self.data, use_default=False)

    def check(self, value: Any) -> None:
        """Raise `Invalid`, naming the attribute that breaks the schema but not its value."""
        try:
            self._check(value)
        except fastjsonschema.JsonSchemaValueException as error:
            attribute = ".".join(str(part) for part in error.path[1:]) or "the body"
            reason = error.message.removeprefix(error.name or "").strip() or "is not valid"
            raise Invalid(f"Invalid input for field '{attribute}': {reason}.") from error


Reader = Callable[[Request[Any]], Any]
"""What a route reads of a request. Raises `Invalid`."""


def body(key: str, schema: Schema) -> Reader:
    """Reads what `member` does."""
    return lambda request: member(request, key, schema)


def bodies(key: str, schema: Schema) -> Reader:
    """Reads what `members` does."""
    return lambda request: members(request, key, schema)


def json_object(request: Request[Any]) -> Record:
    """The body as a JSON object; an empty one if there is none. Raises `Invalid`."""
    if not request.has_body:
        return {}
    kind = (request.header("content-type") or "").split(";")[0].strip().lower()
    if kind and kind != "application/json" and not kind.endswith("+json"):
        raise Invalid("Expecting to find application/json in Content-Type header.")
    body = request.json()
    if not isinstance(body, dict):
        raise Invalid("Expecting to find valid JSON in request body.")
    try:
        # Half of a surrogate pair is legal JSON, and no text.
        json.dumps(body, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        raise Invalid("Expecting to find valid Unicode in request body.") from error
    return body


def member(request: Request[Any], key: str, schema: Schema) -> Record:
    """The object under `key` of the body, checked. Raises `Invalid`."""
    found: Record = _found(request, key, schema, dict)
    return found


def members(request: Request[Any], key: str, schema: Schema) -> list[Record]:
    """The list under `key` of the body, checked. Raises `Invalid`."""
    found: list[Record] = _found(request, key, schema, list)
    return found


def _found(request: Request[Any], key: str, schema: Schema, kind: type) -> Any:
    body = json_object(request)
    others = [name for name in body if name != key] if schema.alone else []
    if others:
        raise Invalid(f"Additional properties are not allowed ('{others[0]}' was unexpected)")
    found = body.get(key, kind() if schema.optional else None)
    if not isinstance(found, kind):
        raise Invalid(f"Expecting to find {key} in request body.")
    schema.check(found)
    return found


ID = {"type": "string", "minLength": 1, "maxLength": 64, "pattern": "^[a-zA-Z0-9-]+$"}
ID_OR_NULL = {**ID, "type": ["string", "null"]}
TEXT = {"type": "string"}
TEXT_OR_NULL = {"type": ["string", "null"]}
SWITCH = {"type": "boolean"}
SHORT_TEXT_OR_NULL = {**TEXT_OR_NULL, "maxLength": 255}


def name_of(longest: int) -> dict[str, Any]:
    """A name: not blank, at most so many characters."""
    return {"type": "string", "minLength": 1, "maxLength": longest, "pattern": r"[\S]+"}


def pair(
    properties: dict[str, Any], required: list[str], *, closed: bool = False, alone: bool = True
) -> tuple[Schema, Schema]:
    """The schemas of a resource's POST and PATCH. A PATCH needs at least one attribute."""
    data = {"type": "object", "properties": properties, "additionalProperties": not closed}
    return Schema({**data, "required": required}, alone=alone), Schema({**data, "minProperties": 1}, alone=alone)


OPTIONS = {
    "type": "object",
    "properties": {"immutable": {"type": ["boolean", "null"]}},
    "additionalProperties": False,
}
"""Of projects, domains and roles."""

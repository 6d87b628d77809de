"""JSON bodies of identity: how they are read and refused, and the schemas of users, projects, roles and log-ins."""

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


Check = Callable[[Request[Any]], object]
"""What a route checks of a request before its policy, as the original does."""


def body(key: str, schema: Schema) -> Check:
    """The check that `member` does, for the table of routes."""
    return lambda request: member(request, key, schema)


def bodies(key: str, schema: Schema) -> Check:
    """The check that `members` does, for the table of routes."""
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
_SHORT_TEXT_OR_NULL = {**TEXT_OR_NULL, "maxLength": 255}


def name(longest: int) -> dict[str, Any]:
    """A name: not blank, at most so many characters."""
    return {"type": "string", "minLength": 1, "maxLength": longest, "pattern": r"[\S]+"}


def pair(
    properties: dict[str, Any], required: list[str], *, closed: bool = False, alone: bool = True
) -> tuple[Schema, Schema]:
    """The schemas of a resource's POST and PATCH. A PATCH needs at least one attribute."""
    data = {"type": "object", "properties": properties, "additionalProperties": not closed}
    return Schema({**data, "required": required}, alone=alone), Schema({**data, "minProperties": 1}, alone=alone)


_OPTIONS = {
    "type": "object",
    "properties": {"immutable": {"type": ["boolean", "null"]}},
    "additionalProperties": False,
}

ROLE_CREATE, ROLE_UPDATE = pair(
    {"name": name(255), "description": _SHORT_TEXT_OR_NULL, "domain_id": ID_OR_NULL, "options": _OPTIONS}, ["name"]
)

_TAG = {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[^,/]*$"}
_TAGS = {"type": "array", "items": _TAG, "maxItems": 80, "uniqueItems": True}
TAG = Schema(_TAG)
TAGS = Schema(_TAGS)
# What is refused before the policy has its say: less than what is refused after it.
TAGS_SENT = Schema({"type": "array", "items": _TAG}, optional=True)

_DOMAIN: dict[str, Any] = {
    "name": name(64),
    "description": _SHORT_TEXT_OR_NULL,
    "enabled": SWITCH,
    "tags": _TAGS,
    "options": _OPTIONS,
}
DOMAIN_CREATE, _ = pair({**_DOMAIN, "explicit_domain_id": {"type": "string", "pattern": "^[a-fA-F0-9]{32}$"}}, ["name"])
_, DOMAIN_UPDATE = pair(_DOMAIN, [])

_PROJECT: dict[str, Any] = {
    "name": name(64),
    "description": TEXT_OR_NULL,
    "enabled": SWITCH,
    "domain_id": ID_OR_NULL,
    "is_domain": SWITCH,
    "tags": _TAGS,
    "options": _OPTIONS,
}
PROJECT_CREATE, _ = pair({**_PROJECT, "parent_id": ID_OR_NULL}, ["name"])
PROJECT_UPDATE = Schema({"type": "object", "properties": _PROJECT}, optional=True)

GROUP_CREATE, GROUP_UPDATE = pair({"name": name(64), "description": TEXT_OR_NULL, "domain_id": ID}, ["name"])

_SWITCH_OR_NULL = {"type": ["boolean", "null"]}
_USER_OPTIONS = {
    "type": "object",
    "properties": {
        "ignore_change_password_upon_first_use": _SWITCH_OR_NULL,
        "ignore_password_expiry": _SWITCH_OR_NULL,
        "ignore_lockout_failure_attempts": _SWITCH_OR_NULL,
        "ignore_user_inactivity": _SWITCH_OR_NULL,
        "lock_password": _SWITCH_OR_NULL,
        "multi_factor_auth_enabled": _SWITCH_OR_NULL,
        "multi_factor_auth_rules": {
            "type": ["array", "null"],
            "items": {"type": "array", "items": TEXT, "minItems": 1, "uniqueItems": True},
            "uniqueItems": True,
        },
    },
    "additionalProperties": False,
}

USER_CREATE, USER_UPDATE = pair(
    {
        "name": name(255),
        "domain_id": ID,
        "enabled": SWITCH,
        "default_project_id": {**TEXT_OR_NULL, "maxLength": 64},
        "description": TEXT_OR_NULL,
        "password": TEXT_OR_NULL,
        "federated": {"type": "array", "maxItems": 0},
        "options": _USER_OPTIONS,
    },
    ["name"],
)

PASSWORD_CHANGE = Schema(
    {
        "type": "object",
        "properties": {"original_password": TEXT, "password": TEXT},
        "required": ["original_password", "password"],
        "additionalProperties": False,
    },
    alone=False,
)


_TEXT = {"type": "string"}
_ID_OR_NAME = [{"required": ["id"]}, {"required": ["name"]}]


def _reference(**more: Any) -> dict[str, Any]:
    return {"type": "object", "properties": {"id": _TEXT, "name": _TEXT, **more}, "anyOf": _ID_OR_NAME}


_DOMAIN_NAMED = _reference()
_USER = {"user": _reference(domain=_DOMAIN_NAMED, password=_TEXT, passcode=_TEXT)}

AUTH = Schema(
    {
        "type": "object",
        "properties": {
            "identity": {
                "type": "object",
                "properties": {
                    "methods": {"type": "array", "items": _TEXT},
                    "password": {"type": "object", "properties": _USER},
                    "totp": {"type": "object", "properties": _USER},
                    "token": {"type": "object", "properties": {"id": _TEXT}, "required": ["id"]},
                    "application_credential": {
                        "type": "object",
                        "properties": {
                            "id": _TEXT,
                            "name": _TEXT,
                            "secret": _TEXT,
                            "user": _reference(domain=_DOMAIN_NAMED),
                        },
                    },
                },
                "required": ["methods"],
            },
            "scope": {
                "type": ["object", "string"],
                "properties": {
                    "project": _reference(domain=_DOMAIN_NAMED),
                    "domain": _DOMAIN_NAMED,
                    "OS-TRUST:trust": {"type": "object", "properties": {"id": _TEXT}},
                    "system": {"type": "object", "properties": {"all": {"type": "boolean"}}},
                },
            },
        },
        "required": ["identity"],
    }
)

"""Schemas of users, groups, projects, domains and roles. Attributes that are not named here may be anything."""

from typing import Any

from appliance.api.identity_v3.bodies import Schema

ID = {"type": "string", "minLength": 1, "maxLength": 64, "pattern": "^[a-zA-Z0-9-]+$"}
ID_OR_NULL = {**ID, "type": ["string", "null"]}
TEXT = {"type": "string"}
TEXT_OR_NULL = {"type": ["string", "null"]}
SWITCH = {"type": "boolean"}


def name(longest: int) -> dict[str, Any]:
    """A name: not blank, at most so many characters."""
    return {"type": "string", "minLength": 1, "maxLength": longest, "pattern": r"[\S]+"}


def pair(properties: dict[str, Any], required: list[str], *, closed: bool = False) -> tuple[Schema, Schema]:
    """The schemas of a resource's POST and PATCH. A PATCH needs at least one attribute."""
    data = {"type": "object", "properties": properties, "additionalProperties": not closed}
    return Schema({**data, "required": required}), Schema({**data, "minProperties": 1})


_OPTIONS = {
    "type": "object",
    "properties": {"immutable": {"type": ["boolean", "null"]}},
    "additionalProperties": False,
}

ROLE_CREATE, ROLE_UPDATE = pair(
    {"name": name(255), "description": TEXT_OR_NULL, "domain_id": ID_OR_NULL, "options": _OPTIONS}, ["name"]
)

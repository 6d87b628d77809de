"""Schemas of users, groups, projects, domains and roles. Attributes that are not named here may be anything."""

from typing import Any

from appliance.api.identity_v3.bodies import Schema

ID = {"type": "string", "minLength": 1, "maxLength": 64, "pattern": "^[a-zA-Z0-9-]+$"}
ID_OR_NULL = {**ID, "type": ["string", "null"]}
TEXT = {"type": "string"}
TEXT_OR_NULL = {"type": ["string", "null"]}
SWITCH = {"type": "boolean"}
_SHORT_TEXT_OR_NULL = {**TEXT_OR_NULL, "maxLength": 255}


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
    {"name": name(255), "description": _SHORT_TEXT_OR_NULL, "domain_id": ID_OR_NULL, "options": _OPTIONS}, ["name"]
)

_TAG = {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[^,/]*$"}
_TAGS = {"type": "array", "items": _TAG, "maxItems": 80, "uniqueItems": True}
TAG = Schema(_TAG)
TAGS = Schema(_TAGS)

DOMAIN_CREATE, DOMAIN_UPDATE = pair(
    {
        "name": name(64),
        "description": _SHORT_TEXT_OR_NULL,
        "enabled": SWITCH,
        "tags": _TAGS,
        "options": _OPTIONS,
        "explicit_domain_id": {"type": "string", "pattern": "^[a-fA-F0-9]{32}$"},
    },
    ["name"],
)

PROJECT_CREATE, PROJECT_UPDATE = pair(
    {
        "name": name(64),
        "description": TEXT_OR_NULL,
        "enabled": SWITCH,
        "domain_id": ID_OR_NULL,
        "parent_id": ID_OR_NULL,
        "is_domain": SWITCH,
        "tags": _TAGS,
        "options": _OPTIONS,
    },
    ["name"],
)

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
    }
)

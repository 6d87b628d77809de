"""Schemas of the catalog and of what hangs on it: regions, services, endpoints, policies, credentials, limits."""

from typing import Any

from appliance.api.identity_v3.schemas import ID_OR_NULL, SWITCH, TEXT, TEXT_OR_NULL, Schema, name, pair

_SHORT_TEXT_OR_NULL = {"type": ["string", "null"], "maxLength": 255}
_REGION_ID = {"type": ["string", "null"], "minLength": 1, "maxLength": 255}
_INTERFACE = {"type": "string", "enum": ["admin", "internal", "public"]}
_UUID = {"type": "string", "pattern": "^[0-9a-fA-F]{8}(-?[0-9a-fA-F]{4}){3}-?[0-9a-fA-F]{12}$"}
_AMOUNT = {"type": "integer", "minimum": -1, "maximum": 2147483647}

_REGION: dict[str, Any] = {"description": _SHORT_TEXT_OR_NULL, "id": _REGION_ID, "parent_region_id": _REGION_ID}
REGION_CREATE, _ = pair({**_REGION, "id": {"type": ["string", "null"], "maxLength": 255}}, [], alone=False)
_, REGION_UPDATE = pair(_REGION, [])

SERVICE_CREATE, SERVICE_UPDATE = pair(
    {
        "enabled": SWITCH,
        "type": {"type": "string", "minLength": 1, "maxLength": 255},
        "name": {"type": "string", "minLength": 1, "maxLength": 255},
    },
    ["type"],
    alone=False,
)

_ENDPOINT: dict[str, Any] = {
    "enabled": SWITCH,
    "interface": _INTERFACE,
    "region_id": {"type": ["string", "null"]},
    "region": {"type": ["string", "null"], "maxLength": 255},
    "service_id": TEXT,
    "url": {"type": "string", "maxLength": 225, "pattern": "^[a-zA-Z0-9+.-]+:.+"},
    "name": TEXT,
    "description": TEXT_OR_NULL,
}
ENDPOINT_CREATE, _ = pair({**_ENDPOINT, "id": TEXT}, ["interface", "service_id", "url"])
_, ENDPOINT_UPDATE = pair(_ENDPOINT, [])

_ENDPOINT_FILTERS = {
    "type": "object",
    "properties": {
        "interface": _INTERFACE,
        "service_id": TEXT,
        "region_id": {"type": ["string", "null"]},
        "enabled": SWITCH,
    },
}
_ENDPOINT_GROUP: dict[str, Any] = {"name": name(255), "description": TEXT_OR_NULL}
ENDPOINT_GROUP_CREATE, _ = pair(
    {**_ENDPOINT_GROUP, "filters": {**_ENDPOINT_FILTERS, "minProperties": 1}}, ["name", "filters"], closed=True
)
_, ENDPOINT_GROUP_UPDATE = pair({**_ENDPOINT_GROUP, "filters": _ENDPOINT_FILTERS}, [], closed=True)

POLICY_CREATE, POLICY_UPDATE = pair(
    {"blob": TEXT, "type": {"type": "string", "maxLength": 255}}, ["blob", "type"], alone=False
)

CONSUMER_CREATE = Schema({"type": "object", "properties": {"description": {**TEXT_OR_NULL, "maxLength": 64}}})
CONSUMER_UPDATE = Schema({**CONSUMER_CREATE.data, "minProperties": 1, "not": {"required": ["secret"]}})

_CREDENTIAL: dict[str, Any] = {
    "id": TEXT,
    "blob": TEXT,
    "project_id": {"type": ["string", "null"], "maxLength": 64},
    "type": {"type": "string", "maxLength": 255},
    "user_id": {"type": "string", "maxLength": 64},
}
CREDENTIAL_CREATE, _ = pair(_CREDENTIAL, ["blob", "type", "user_id"], alone=False)
EC2_CREDENTIAL_CREATE, _ = pair(_CREDENTIAL, ["blob", "type", "user_id", "project_id"], alone=False)
_, CREDENTIAL_UPDATE = pair(_CREDENTIAL, [], alone=False)

_LIMIT_OF: dict[str, Any] = {
    "service_id": _UUID,
    "region_id": _REGION_ID,
    "resource_name": name(255),
    "description": _SHORT_TEXT_OR_NULL,
}
_REGISTERED_LIMIT: dict[str, Any] = {**_LIMIT_OF, "default_limit": _AMOUNT}
REGISTERED_LIMITS_CREATE = Schema(
    {
        "type": "array",
        "minItems": 1,
        "items": {
            "type": "object",
            "properties": _REGISTERED_LIMIT,
            "required": ["service_id", "resource_name", "default_limit"],
            "additionalProperties": False,
        },
    }
)
REGISTERED_LIMIT_UPDATE = Schema({"type": "object", "properties": _REGISTERED_LIMIT, "additionalProperties": False})
LIMITS_CREATE = Schema(
    {
        "type": "array",
        "minItems": 1,
        "items": {
            "type": "object",
            "properties": {**_LIMIT_OF, "resource_limit": _AMOUNT, "project_id": ID_OR_NULL, "domain_id": ID_OR_NULL},
            "required": ["service_id", "resource_name", "resource_limit"],
            "oneOf": [{"required": ["domain_id"]}, {"required": ["project_id"]}],
            "additionalProperties": False,
        },
    }
)
LIMIT_UPDATE = Schema(
    {
        "type": "object",
        "properties": {"resource_limit": _AMOUNT, "description": _SHORT_TEXT_OR_NULL},
        "additionalProperties": False,
    }
)

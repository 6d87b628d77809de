"""Schemas of application credentials and trusts."""

from appliance.api.identity_v3.schemas import ID, SWITCH, TEXT, TEXT_OR_NULL, Schema, name
from appliance.identity.resources.application_credentials import LONGEST_PATH

_ROLES = {
    "type": "array",
    "items": {
        "type": "object",
        "properties": {"id": ID, "name": name(255)},
        "minProperties": 1,
        "maxProperties": 1,
        "additionalProperties": False,
    },
}

APPLICATION_CREDENTIAL = Schema(
    {
        "type": "object",
        "properties": {
            "id": TEXT,
            "name": name(255),
            "description": TEXT_OR_NULL,
            "project_id": TEXT,
            "system": TEXT_OR_NULL,
            "secret": TEXT_OR_NULL,
            "expires_at": TEXT_OR_NULL,
            "unrestricted": {"type": ["boolean", "null"]},
            "roles": _ROLES,
            "access_rules": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {
                        "id": ID,
                        "path": {"type": "string", "maxLength": LONGEST_PATH, "pattern": "^/"},
                        "service": ID,
                        "method": {"enum": ["DELETE", "GET", "HEAD", "PATCH", "POST", "PUT"]},
                    },
                },
            },
        },
        "required": ["name"],
        "additionalProperties": False,
    }
)

TRUST = Schema(
    {
        "type": "object",
        "properties": {
            "trustor_user_id": TEXT,
            "trustee_user_id": TEXT,
            "impersonation": SWITCH,
            "project_id": TEXT_OR_NULL,
            "remaining_uses": {"type": ["integer", "null"], "minimum": 1, "maximum": 2**31 - 1},
            "expires_at": TEXT_OR_NULL,
            "allow_redelegation": {"type": ["boolean", "null"]},
            "redelegated_trust_id": TEXT_OR_NULL,
            "redelegation_count": {"type": ["integer", "null"], "minimum": 0, "maximum": 2**31 - 1},
            "roles": _ROLES,
        },
        "required": ["trustor_user_id", "trustee_user_id", "impersonation"],
    }
)

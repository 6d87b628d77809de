"""Schemas of what is sent to be authenticated."""

from typing import Any

from appliance.api.identity_v3.bodies import Schema

_TEXT = {"type": "string"}
_ID_OR_NAME = [{"required": ["id"]}, {"required": ["name"]}]


def _reference(**more: Any) -> dict[str, Any]:
    return {"type": "object", "properties": {"id": _TEXT, "name": _TEXT, **more}, "anyOf": _ID_OR_NAME}


_DOMAIN = _reference()
_USER = {"user": _reference(domain=_DOMAIN, password=_TEXT, passcode=_TEXT)}

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
                            "user": _reference(domain=_DOMAIN),
                        },
                    },
                },
                "required": ["methods"],
            },
            "scope": {
                "type": ["object", "string"],
                "properties": {
                    "project": _reference(domain=_DOMAIN),
                    "domain": _DOMAIN,
                    "OS-TRUST:trust": {"type": "object", "properties": {"id": _TEXT}},
                    "system": {"type": "object", "properties": {"all": {"type": "boolean"}}},
                },
            },
        },
        "required": ["identity"],
    }
)

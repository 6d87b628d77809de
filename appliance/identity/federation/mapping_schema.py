"""What a mapping's rules look like in each version of their schema, and the refusal of others."""

from functools import cache
from typing import Any

import fastjsonschema

from appliance.db.records import Record
from appliance.errors import Invalid
from appliance.patterns import OperatorPattern

VERSIONS = ("1.0", "2.0", "3.0")
"""1.0; with domains of projects and a domain for the whole rule; with projects as the provider lists them."""
DEFAULT_VERSION = "1.0"
CONDITIONS = ("any_one_of", "not_any_of", "blacklist", "whitelist")

_TEXT = {"type": "string"}
_DOMAIN = {"type": "object", "properties": {"id": _TEXT, "name": _TEXT}, "additionalProperties": False}


def _closed(required: list[str], properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "required": required, "properties": properties, "additionalProperties": False}


_GROUP = {
    "oneOf": [_closed(["id"], {"id": _TEXT}), _closed(["name", "domain"], {"name": _TEXT, "domain": _DOMAIN})],
}
_USER = _closed(
    [],
    {
        "id": _TEXT,
        "name": _TEXT,
        "email": _TEXT,
        "domain": _DOMAIN,
        "type": {"type": "string", "enum": ["ephemeral", "local"]},
    },
)
_REMOTE = {
    "oneOf": [
        _closed(["type"], {"type": _TEXT}),
        *(
            _closed(["type", name], {"type": _TEXT, name: {"type": "array"}, "regex": {"type": "boolean"}})
            for name in CONDITIONS
        ),
    ],
}


def projects_schema(version: str) -> dict[str, Any]:
    """Of a list of projects with roles."""
    properties = {"name": _TEXT, "roles": {"type": "array", "items": _closed(["name"], {"name": _TEXT})}}
    more = {} if version == "1.0" else {"domain": _DOMAIN}
    return {"type": "array", "items": _closed(["name", "roles"], {**properties, **more})}


def _schema(version: str) -> dict[str, Any]:
    local = {
        "user": _USER,
        "projects": projects_schema(version),
        "group": _GROUP,
        "groups": _TEXT,
        "group_ids": _TEXT,
        "domain": _DOMAIN,
    }
    if version == "3.0":
        local["projects_json"] = _TEXT
    rule = _closed(
        ["local", "remote"],
        {
            "local": {"type": "array", "items": _closed([], local)},
            "remote": {"type": "array", "minItems": 1, "items": _REMOTE},
        },
    )
    rules = {"type": "array", "minItems": 1, "items": rule}
    return {"type": "object", "required": ["rules"], "properties": {"rules": rules, "schema_version": _TEXT}}


@cache
def _checks(version: str) -> tuple[Any, Any]:
    schemas = (_schema(version), projects_schema("2.0" if version == "3.0" else version))
    return tuple(fastjsonschema.compile(schema, use_default=False) for schema in schemas)  # type: ignore[return-value]


def check_mapping(mapping: Record) -> None:
    """Raise `Invalid` for what is no mapping, and for expressions that can't be matched in bounded time."""
    version = mapping["schema_version"]
    if version not in VERSIONS:
        raise Invalid(f"Invalid input for field 'schema_version': it is one of {', '.join(VERSIONS)}.")
    _check(_checks(version)[0], mapping)
    for rule in mapping["rules"]:
        for requirement in rule["remote"]:
            if requirement.get("regex"):
                _check_expressions(requirement)


def check_projects(projects: Any, version: str) -> None:
    """Raise `Invalid` for what is no list of projects."""
    _check(_checks(version)[1], projects)


def _check(check: Any, value: Any) -> None:
    try:
        check(value)
    except fastjsonschema.JsonSchemaValueException as error:
        where = ".".join(str(part) for part in error.path[1:]) or "mapping"
        reason = error.message.removeprefix(error.name or "").strip()
        raise Invalid(f"Invalid input for field '{where}': {reason}.") from error


def _check_expressions(requirement: Record) -> None:
    for name in CONDITIONS:
        for expression in requirement.get(name, ()):
            try:
                OperatorPattern(expression)
            except (TypeError, ValueError) as error:
                raise Invalid(f"Invalid input for field '{name}': {expression!r} can't be used: {error}.") from error

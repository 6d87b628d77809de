"""The two media types that change an image: bodies in, `Change`s out."""

import re
from typing import Any

from appliance.api.exchange import Request
from appliance.api.image_v2.bodies import document
from appliance.errors import Invalid
from appliance.image.changes import Change, check_path
from appliance.image.schemas import ImageChecks
from appliance.values import Caller

_OLD = "application/openstack-images-v2.0-json-patch"
_NEW = "application/openstack-images-v2.1-json-patch"
MEDIA_TYPES = frozenset({_OLD, _NEW})

_OPERATIONS = ("add", "remove", "replace")


def read_changes(kind: str, request: Request[Caller], checks: ImageChecks) -> list[Change]:
    """Every operation of the body, checked as far as it can be without the image."""
    body = document(request)
    if not isinstance(body, list):
        raise Invalid("Request body must be a JSON array of operation objects.")
    return [_change(kind, raw, checks) for raw in body]


def _change(kind: str, raw: Any, checks: ImageChecks) -> Change:
    if not isinstance(raw, dict):
        raise Invalid("Operations must be JSON objects.")
    operation, pointer = _new_form(raw) if kind == _NEW else _old_form(raw)
    path = parse_pointer(pointer)
    depth = 2 if path[0] == "locations" and operation in ("add", "remove") else 1
    if len(path) != depth:
        raise Invalid(f"Invalid JSON pointer for this resource: '{pointer}'")
    if operation != "remove" and "value" not in raw:
        raise Invalid(f'Operation "{operation}" requires a member named "value".')
    change = Change(operation, path, raw.get("value"), add_must_be_new=kind == _OLD)
    check_path(change)
    if operation != "remove":
        value = [change.value] if depth == 2 else change.value
        checks.validate_values({change.root: value})
    return change


def _new_form(raw: dict[str, Any]) -> tuple[str, Any]:
    operation = raw.get("op")
    known = ", ".join(_OPERATIONS)
    if operation not in _OPERATIONS:
        raise Invalid(f"Invalid operation: `{operation}`. It must be one of the following: {known}.")
    if "path" not in raw:
        raise Invalid("Unable to find 'path' in JSON Schema change")
    return operation, raw["path"]


def _old_form(raw: dict[str, Any]) -> tuple[str, Any]:
    operations = [operation for operation in _OPERATIONS if operation in raw]
    if len(operations) != 1:
        raise Invalid('Operation objects must contain exactly one member named "add", "remove", or "replace".')
    return operations[0], raw[operations[0]]


def parse_pointer(pointer: Any) -> tuple[str, ...]:
    """`/a~1b/c` → a/b, c. Unknown escapes are refused, and empty tokens, unless one is all there is."""
    if not isinstance(pointer, str) or not pointer.startswith("/"):
        raise Invalid(f'Pointer `{pointer}` does not start with "/".')
    parts = [part.strip() for part in pointer[1:].split("/")]
    if len(parts) > 1 and not all(parts):
        raise Invalid(f"Pointer `{pointer}` contains an empty token.")
    if re.search(r"~(?![01])", pointer):
        raise Invalid(f'Pointer `{pointer}` contains "~" not part of a recognized escape sequence.')
    return tuple(part.replace("~1", "/").replace("~0", "~") for part in parts)

"""Bodies of requests, read field by field: what must be there, of which type, and what goes through as it is."""

from typing import Any

from appliance.api.exchange import Request
from appliance.api.identity_v3.bodies import json_object
from appliance.db.records import Page, Record
from appliance.errors import Invalid
from appliance.values import whole_number


def document(request: Request[Any], key: str) -> Record:
    """The object under `key` of the body. Raises `Invalid`."""
    found = json_object(request).get(key)
    if not isinstance(found, dict):
        raise Invalid(f"Expecting to find {key} in request body.")
    return found


def text(record: Record, name: str, longest: int = 255) -> str | None:
    """A field that is text, or null, or not there."""
    value = record.get(name)
    if value is not None and (not isinstance(value, str) or len(value) > longest):
        raise Invalid(f"{name} has to be a text of at most {longest} characters.")
    return value


def required(record: Record, name: str, longest: int = 255) -> str:
    """A field that is a text with something in it."""
    value = text(record, name, longest)
    if value is None or not value.strip():
        raise Invalid(f"The {name} field is required and cannot be empty.")
    return value


def switches(record: Record) -> Record:
    """`enabled`, where it is given; it must be true or false."""
    if record.get("enabled") is None:
        return {}
    if not isinstance(record["enabled"], bool):
        raise Invalid("The enabled field should be a boolean.")
    return {"enabled": record["enabled"]}


def same_id(record: Record, wanted: str) -> None:
    """Raise `Invalid` if the body speaks of somebody else than the path."""
    if record.get("id", wanted) != wanted:
        raise Invalid("The id in the body is not the one of the address.")


def page_of(request: Request[Any]) -> Page:
    """`limit` and `marker` of a list."""
    limit = request.arg("limit")
    if limit is None:
        return Page(None, request.arg("marker") or None)
    number = whole_number(limit)
    if number is None:
        raise Invalid("limit must be a whole number that is not negative.")
    return Page(min(number, 2**31), request.arg("marker") or None)

"""Bodies of requests, as the image API takes them."""

from typing import Any

from appliance.api.exchange import Request
from appliance.errors import Invalid
from appliance.values import Caller


def document(request: Request[Caller]) -> Any:
    """The body: a JSON object or array. Raises `Invalid`."""
    body = request.json(utf8_only=True)
    if not isinstance(body, dict | list):
        raise Invalid("Request body must be a JSON array or a JSON object.")
    return body


def json_object(request: Request[Caller], what: str = "Request body must be a JSON object.") -> dict[str, Any]:
    """The body: a JSON object. Raises `Invalid`."""
    body = document(request)
    if not isinstance(body, dict):
        raise Invalid(what)
    return body


def media_type(request: Request[Caller]) -> str:
    """The content type without its parameters; empty if there is none."""
    return (request.header("content-type") or "").split(";")[0].strip().lower()

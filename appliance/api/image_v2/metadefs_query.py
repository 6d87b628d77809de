"""Query parameters that lists of metadata definitions share."""

from appliance.api.exchange import Request
from appliance.db.metadefs import Order
from appliance.errors import Invalid
from appliance.values import Caller


def order(request: Request[Caller]) -> Order:
    """`sort_key` and `sort_dir`; the newest come first unless they say otherwise."""
    direction = request.arg("sort_dir", "desc")
    if direction not in ("asc", "desc"):
        raise Invalid(f"Invalid sort direction: {direction}")
    return Order(request.arg("sort_key") or "created_at", descending=direction == "desc")


def limit(text: str, *, least: int = 0) -> int:
    """A number of items. Raises `Invalid`."""
    try:
        number = int(text)
    except ValueError as error:
        raise Invalid("limit param must be an integer") from error
    if number < least:
        raise Invalid("limit param must be positive")
    return min(number, 2**31 - 1)


def visibility(request: Request[Caller], allowed: tuple[str, ...]) -> str | None:
    """`visibility`, which is checked even where it filters nothing. Raises `Invalid`."""
    value = request.arg("visibility")
    if value and value not in allowed:
        raise Invalid(f"Invalid visibility value: {value}")
    return value

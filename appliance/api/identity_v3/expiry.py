"""The end that a client sets for something: in the future, in UTC, in ISO 8601."""

import re
from datetime import datetime

from appliance.errors import Invalid
from appliance.values import Micros, parse_time

_BEGINNING = re.compile(r"\d{4}-?\d\d-?\d\d[T ]\d\d")
"""Of a calendar's date with a time; Python reads weeks, and dates alone, too."""


def future(text: str | None, now: Micros) -> Micros | None:
    """Read `expires_at`; None stays None. Raises `Invalid` for what is past or no date with a time, in UTC, said or
    not: Keystone adds the `Z` that is missing, and so refuses every offset."""
    if text is None:
        return None
    text = text.removesuffix("Z")
    try:
        at = parse_time(text)
        if not _BEGINNING.match(text) or datetime.fromisoformat(text).tzinfo is not None:
            raise ValueError("this is no date with a time in UTC")
    except (ValueError, OverflowError) as error:
        raise Invalid(
            "Timestamp not in expected format. The server could not comply with the request since it is either "
            "malformed or otherwise incorrect. The client is assumed to be in error."
        ) from error
    if at <= now:
        raise Invalid(
            "The 'expires_at' must not be before now. The server could not comply with the request since it is either "
            "malformed or otherwise incorrect. The client is assumed to be in error."
        )
    return at

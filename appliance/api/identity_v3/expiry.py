"""The end that a client sets for something: in the future, in ISO 8601."""

from appliance.errors import Invalid
from appliance.values import Micros, parse_time


def future(text: str | None, now: Micros) -> Micros | None:
    """Read `expires_at`; None stays None. Raises `Invalid` for what is no time or is past."""
    if text is None:
        return None
    try:
        at = parse_time(text)
    except (ValueError, OverflowError) as error:
        raise Invalid("expires_at is not a time in ISO 8601.") from error
    if at <= now:
        raise Invalid("expires_at is in the past.")
    return at

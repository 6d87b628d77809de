"""The one table from domain error to each dialect's status code, and each dialect's error body."""

from dataclasses import dataclass
from html import escape
from http.client import responses

from appliance import errors
from appliance.api.http.messages import Response


@dataclass(frozen=True, slots=True)
class Codes:
    """Status codes of one kind of error, by dialect."""

    image: int
    identity: int


TABLE: dict[type[Exception], Codes] = {
    errors.Invalid: Codes(400, 400),
    errors.Unauthenticated: Codes(401, 401),
    errors.Forbidden: Codes(403, 403),
    errors.NotFound: Codes(404, 404),
    errors.Disabled: Codes(404, 404),
    errors.Conflict: Codes(409, 409),
    errors.Gone: Codes(410, 410),
    errors.LimitExceeded: Codes(413, 413),
    errors.UnsupportedFormat: Codes(415, 415),
    errors.RangeNotSatisfiable: Codes(416, 416),
    errors.TooManyRequests: Codes(429, 429),
    errors.HeaderTooLong: Codes(431, 431),
    errors.NotSupported: Codes(501, 501),
    # Glance answers 413 when its store is full, and 503 when the store refuses or fails.
    errors.StorageFull: Codes(413, 503),
    errors.StorageFault: Codes(503, 503),
    errors.Unavailable: Codes(503, 503),
    errors.ClientVanished: Codes(400, 400),
    errors.Corrupt: Codes(503, 503),
}

UNEXPECTED = Codes(500, 500)


def codes_of(error: Exception) -> Codes:
    """The row of the nearest class in the table."""
    for kind in type(error).__mro__:
        if kind in TABLE:
            return TABLE[kind]
    return UNEXPECTED


# -- Glance's bodies: WebOb's, chosen by Accept -------------------------------------------------------------------

# WebOb's opening sentence where the explanation alone would not say it; Glance's clients look for the explanation.
_IMAGE_TITLES = {413: "Request Entity Too Large", 416: "Requested Range Not Satisfiable"}
_GENERIC_500 = "The server has either erred or is incapable of performing the requested operation."


def image_fault(error: Exception, accept: str | None) -> Response:
    """The answer of the image API to `error`, in the media type that `accept` prefers."""
    status = codes_of(error).image
    return image_error(status, str(error) if isinstance(error, errors.ApplianceError) else _GENERIC_500, accept)


def image_error(status: int, explanation: str, accept: str | None) -> Response:
    """A WebOb error body: HTML for `*/*` or text/html, JSON for application/json, plain text for neither."""
    title = _IMAGE_TITLES.get(status) or responses[status]
    kind = preferred(accept, ("text/html", "application/json"))
    if kind == "text/html":
        body = f"{escape(explanation)}<br /><br />\n\n\n"
        text = (
            f"<html>\n <head>\n  <title>{status} {title}</title>\n </head>\n <body>\n"
            f"  <h1>{status} {title}</h1>\n  {body}\n </body>\n</html>"
        )
        return Response(status, text, [("Content-Type", "text/html; charset=UTF-8")], reason=title)
    if kind == "application/json":
        message = f"{explanation}<br /><br />\n\n\n"
        return Response(status, {"message": message, "code": f"{status} {title}", "title": title}, reason=title)
    text = f"{status} {title}\n\n{explanation}\n\n   "
    return Response(status, text, [("Content-Type", "text/plain; charset=UTF-8")], reason=title)


def preferred(accept: str | None, offers: tuple[str, ...]) -> str | None:
    """The offer that an Accept header ranks first, None if it takes none of them (or is empty or missing)."""
    best: tuple[float, int] = (0.0, 0)
    chosen = None
    for position, offer in enumerate(offers):
        quality = _quality(accept or "", offer)
        if quality > best[0]:
            best, chosen = (quality, -position), offer
    return chosen


def _quality(accept: str, offer: str) -> float:
    """The q-value that the most specific matching range of an Accept header gives to `offer`; 0 if none matches."""
    found = (-1, 0.0)
    for item in accept.split(","):
        media, *parameters = (part.strip().lower() for part in item.split(";"))
        quality = 1.0
        for parameter in parameters:
            if parameter.startswith("q="):
                try:
                    quality = float(parameter[2:])
                except ValueError:
                    quality = 0.0
        ranges = (("*/*", 0), (f"{offer.split('/')[0]}/*", 1), (offer, 2))
        for name, specificity in ranges:
            if media == name and specificity > found[0]:
                found = (specificity, quality)
    return max(found[1], 0.0)


# -- Keystone's bodies: always JSON --------------------------------------------------------------------------------

_IDENTITY_401 = "The request you have made requires authentication."
_IDENTITY_500 = (
    "An unexpected error prevented the server from fulfilling your request: the appliance's log has the details."
)


def identity_fault(error: Exception, base_url: str) -> Response:
    """The answer of the identity API to `error`. A 401 never says what was wrong."""
    status = codes_of(error).identity
    message = str(error) if isinstance(error, errors.ApplianceError) else _IDENTITY_500
    response = identity_error(status, message, base_url)
    if isinstance(error, errors.TooManyRequests):
        response.headers.append(("Retry-After", str(error.retry_after)))
    return response


def identity_error(status: int, message: str, base_url: str) -> Response:
    """Keystone's error object; a 401 carries the challenge that points to this service."""
    title = responses[status] if status != 413 else "Request Entity Too Large"
    headers = []
    if status == 401:
        message = _IDENTITY_401
        headers.append(("WWW-Authenticate", f'Keystone uri="{base_url}/v3"'))
    return Response(status, {"error": {"code": status, "message": message, "title": title}}, headers)

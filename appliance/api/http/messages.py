"""One exchange: the request as handlers read it, and the response as they give it."""

import json
import re
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from functools import cached_property, lru_cache
from http.client import responses
from types import MappingProxyType
from typing import Any, Generic, TypeVar
from urllib.parse import parse_qsl
from wsgiref.types import StartResponse, WSGIEnvironment

from appliance.api.http.compression import accepts_gzip, compressed, may_compress
from appliance.blobs.reserve import Reserve
from appliance.errors import HeaderTooLong, Invalid, LimitExceeded
from appliance.values import MIB, Content, Source, new_uuid

C = TypeVar("C")

JSON_LIMIT = 1 * MIB
"""Bytes; no JSON body of either service is anywhere near it."""

RESERVE = "appliance.reserve"
"""The key of the WSGI environment under which the reserve of the disk is, if there is one."""

_REQUEST_ID_LIMIT = 64
# W3C trace context: version, trace, parent, flags. Of a version that is not known yet more may follow.
_TRACEPARENT = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(-[!-~]*)?")


class Request(Generic[C]):
    """A request, read from the WSGI environment piece by piece as it is asked for.

    `caller` is set by the dialect once the token is validated; reading it before is a mistake of ours.
    """

    caller: C
    sent: Any
    """What the route has read of the request: mostly its body, checked."""
    loaded: Any
    """What the target resolver of the route has loaded, where the handler needs it, too."""
    route: Any = None
    """The route that was found, once there is one; and the parts of the path as it names them."""
    parts: Mapping[str, str] = MappingProxyType({})
    response: "Response | None" = None
    """The answer, once it is known."""

    def __init__(self, environ: WSGIEnvironment) -> None:
        self.environ = environ
        self._json: list[Any] = []
        self.method: str = environ["REQUEST_METHOD"]
        self.path: str = environ.get("PATH_INFO", "").encode("latin-1").decode("utf-8", "replace") or "/"
        self.id = self._request_id()
        traced = _TRACEPARENT.fullmatch(environ.get("HTTP_TRACEPARENT", ""))
        self.trace_id: str = traced[1] if traced else ""

    def _request_id(self) -> str:
        sent = self.header("x-openstack-request-id")
        if not sent or len(sent) > _REQUEST_ID_LIMIT or not re.fullmatch(r"[\w.-]+", sent):
            return f"req-{new_uuid()}"
        return sent if sent.startswith("req-") else f"req-{sent}"

    def check_request_id(self) -> None:
        """Raise `HeaderTooLong` for a client's request id that is over the limit."""
        if len(self.header("x-openstack-request-id") or "") > _REQUEST_ID_LIMIT:
            raise HeaderTooLong(f"x-openstack-request-id is longer than {_REQUEST_ID_LIMIT} characters")

    def header(self, name: str) -> str | None:
        """A request header, UTF-8 decoded where it is valid UTF-8; None if it was not sent."""
        raw: str | None = self.environ.get(_environ_key(name))
        if raw is None or raw.isascii():
            return raw
        try:
            return raw.encode("latin-1").decode("utf-8")
        except UnicodeError:
            return raw

    @cached_property
    def query(self) -> list[tuple[str, str]]:
        """The query's parameters in their order, repeated ones included."""
        try:
            return parse_qsl(self.environ.get("QUERY_STRING", ""), keep_blank_values=True, errors="strict")
        except (UnicodeError, ValueError) as error:
            raise Invalid("The query string is not valid UTF-8.") from error

    def arg(self, name: str, default: str | None = None) -> str | None:
        """The last value of a query parameter."""
        values = self.args(name)
        return values[-1] if values else default

    def args(self, name: str) -> list[str]:
        """Every value of a query parameter, in order."""
        return [value for key, value in self.query if key == name]

    @property
    def base_url(self) -> str:
        """`scheme://host[:port][/mount]` as the client used it, without a trailing slash.

        A trusted proxy's `X-Forwarded-*` has been folded into the environment before (see `api/http/proxy.py`).
        """
        environ = self.environ
        host = environ.get("HTTP_HOST") or f"{environ['SERVER_NAME']}:{environ['SERVER_PORT']}"
        return f"{environ['wsgi.url_scheme']}://{host}{environ.get('SCRIPT_NAME', '').rstrip('/')}"

    @property
    def content_length(self) -> int | None:
        """Declared bytes of body, None if the body is chunked or there is none."""
        text = self.environ.get("CONTENT_LENGTH")
        return int(text) if text else None

    @property
    def has_body(self) -> bool:
        """Whether a body was announced: a length above zero, or chunks (which our own server decodes and marks)."""
        if self.content_length is not None:
            return self.content_length > 0
        streamed: bool = self.environ.get("appliance.streamed_body", False)
        return streamed or "chunked" in (self.header("transfer-encoding") or "").lower()

    def spending(self) -> AbstractContextManager[None]:
        """What is written in the block may use the disk's reserve."""
        reserve: Reserve | None = self.environ.get(RESERVE)
        return reserve.spending() if reserve is not None else nullcontext()

    @property
    def source(self) -> Source:
        """The body as it arrives. Reading it lets `Expect: 100-continue` go on."""
        source: Source = self.environ["wsgi.input"]
        return source

    def body(self, limit: int = JSON_LIMIT) -> bytes:
        """The whole body, for small ones. Raises `LimitExceeded` past `limit` bytes."""
        if (self.content_length or 0) > limit:
            raise LimitExceeded("Request is too large.")
        if not self.has_body:
            return b""
        parts = []
        room = limit + 1
        if self.content_length is not None:
            room = self.content_length
        while room > 0 and (part := self.source.read(min(room, 65536))):
            parts.append(part)
            room -= len(part)
        if self.content_length is None and room <= 0:
            raise LimitExceeded("Request is too large.")
        return b"".join(parts)

    @property
    def parsed(self) -> Any:
        """The body if `json` has read it, else None."""
        return self._json[0] if self._json else None

    @property
    def onward(self) -> dict[str, str]:
        """The headers by which other services know what they are asked for: the request's id, and its trace."""
        trace = {"traceparent": self.environ["HTTP_TRACEPARENT"]} if self.trace_id else {}
        return {"X-OpenStack-Request-ID": self.id, **trace}

    def json(self, *, utf8_only: bool = False) -> Any:
        """The body as JSON, read once. Raises `Invalid` if it is missing, malformed, or in an encoding not taken."""
        if self._json:
            return self._json[0]
        raw = self.body()
        if not raw:
            raise Invalid("Body expected in request.")
        try:
            self._json.append(json.loads(raw.decode() if utf8_only else raw, parse_constant=_refuse_constant))
            return self._json[0]
        except (ValueError, RecursionError) as error:
            raise Invalid("Malformed JSON in request body.") from error


@lru_cache(maxsize=256)
def _environ_key(name: str) -> str:
    """What WSGI calls a header. Only our own code names headers, so there are few."""
    key = name.upper().replace("-", "_")
    return key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{key}"


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


class Response:
    """An answer. `body` is JSON data (dict or list), text, bytes, `Content` to be streamed, or None.

    `headers` keeps its order; the content type is set from the body unless given.
    """

    def __init__(
        self,
        status: int = 200,
        body: Any = None,
        headers: Iterable[tuple[str, str]] = (),
        *,
        reason: str | None = None,
    ) -> None:
        self.status = status
        self.body = body
        self.headers = list(headers)
        self.reason = reason or responses.get(status, "Unknown")

    def has_header(self, name: str) -> bool:
        return any(key.lower() == name.lower() for key, _ in self.headers)

    def send(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer a WSGI call. A `Content` leaves through the server's `wsgi.file_wrapper`."""
        headers = [(key, _latin(value)) for key, value in self.headers]
        names = {key.lower() for key, _ in headers}
        content: Content | None = None
        data = b""
        if hasattr(self.body, "pieces"):
            content = self.body
            if "content-length" not in names:
                headers.append(("Content-Length", str(self.body.length)))
        else:
            data, kind = _encode(self.body)
            if kind and "content-type" not in names:
                headers.append(("Content-Type", kind))
            # An entity tag stands for these very bytes.
            if not names & {"content-length", "content-encoding", "etag"}:
                data = self._packed(data, headers, environ)
            if self.status not in (204, 304) and "content-length" not in names:
                headers.append(("Content-Length", str(len(data))))
        start_response(f"{self.status} {self.reason}", headers)
        if environ["REQUEST_METHOD"] == "HEAD" or self.status in (204, 304):
            if content is not None:
                content.close()
            return []
        if content is not None:
            wrapper: Iterable[bytes] = environ["wsgi.file_wrapper"](content)
            return wrapper
        return [data]

    def _packed(self, data: bytes, headers: list[tuple[str, str]], environ: WSGIEnvironment) -> bytes:
        """The body as it leaves: compressed, if it is of some length and the client likes that."""
        kind = next((value for name, value in headers if name.lower() == "content-type"), "")
        path = environ.get("PATH_INFO", "")
        if not may_compress(environ["REQUEST_METHOD"], self.status, path, kind, len(data)):
            return data
        headers.append(("Vary", "Accept-Encoding"))
        if not accepts_gzip(environ.get("HTTP_ACCEPT_ENCODING", "")):
            return data
        headers.append(("Content-Encoding", "gzip"))
        return compressed(data)


def _encode(body: Any) -> tuple[bytes, str | None]:
    if body is None:
        return b"", None
    if isinstance(body, bytes):
        return body, "application/octet-stream"
    if isinstance(body, str):
        return body.encode(), "text/plain; charset=UTF-8"
    return json.dumps(body).encode(), "application/json"


def _latin(value: str) -> str:
    """WSGI wants header values as latin-1 text; ours are UTF-8, and a line break never gets into one."""
    if value.isascii() and value.isprintable():
        return value
    return "".join(character for character in value if character.isprintable()).encode().decode("latin-1")

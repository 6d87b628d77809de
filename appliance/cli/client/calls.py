"""HTTP calls of the client: a request, an answer, and a sentence when something is wrong."""

import functools
import http.client
import json
import re
import socket
import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from html import unescape
from typing import Any
from urllib.parse import SplitResult, urlsplit

from appliance import __version__
from appliance.errors import Fatal

USER_AGENT = f"glance-appliance/{__version__}"
_SECONDS = 60
_ERROR_BYTES = 64 * 1024


class Refused(Fatal):
    """The server said no. `str()` is its own sentence, with the status code."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"{message} (HTTP {status})")
        self.status = status


class Unreachable(Fatal):
    """There is no answer to be had."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer, with a status below 400."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes

    def json(self) -> Any:
        """The body, decoded; None if there is none."""
        if not self.body:
            return None
        try:
            return json.loads(self.body)
        except ValueError as error:
            raise Fatal("the server's answer is not JSON: is this the address of an OpenStack service?") from error


class Http:
    """Makes connections, with the TLS settings that the credentials came with."""

    def __init__(self, *, verify: bool = True, cacert: str | None = None) -> None:
        self._verify = verify
        self._cacert = cacert

    @functools.cached_property
    def _context(self) -> ssl.SSLContext:
        """What TLS is spoken with: the authorities take a while to read."""
        try:
            context = ssl.create_default_context(cafile=self._cacert)
        except OSError as error:
            raise Fatal(f"can't read the certificates in {self._cacert}: {error.strerror}") from error
        if not self._verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context

    def connect(self, url: str, seconds: float = _SECONDS) -> http.client.HTTPConnection:
        """An open connection to the host of `url`."""
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise Fatal(f"{url or 'an empty text'} is not the address of a service: http://host:port is")
        connection = self._connection(parts, seconds)
        try:
            connection.connect()
        except (OSError, http.client.HTTPException) as error:
            raise unreachable(url, error) from error
        return connection

    def _connection(self, parts: SplitResult, seconds: float) -> http.client.HTTPConnection:
        host = str(parts.hostname)
        if parts.scheme == "http":
            return http.client.HTTPConnection(host, parts.port, timeout=seconds)
        return http.client.HTTPSConnection(host, parts.port, timeout=seconds, context=self._context)

    def call(self, method: str, url: str, headers: Mapping[str, str], body: bytes | None = None) -> Answer:
        """Make one call and read all of the answer. Raises `Refused` for a status of 400 and above."""
        connection = self.connect(url)
        try:
            try:
                connection.request(method, target(url), body, {"User-Agent": USER_AGENT, **headers})
                response = connection.getresponse()
            except (OSError, http.client.HTTPException) as error:
                raise unreachable(url, error) from error
            return finish(response, url)
        finally:
            connection.close()


def finish(response: http.client.HTTPResponse, url: str) -> Answer:
    """The rest of an answer. Raises `Refused` for a status of 400 and above."""
    try:
        body = response.read(_ERROR_BYTES) if response.status >= 400 else response.read()
    except (OSError, http.client.HTTPException) as error:
        raise unreachable(url, error) from error
    if response.status >= 400:
        raise Refused(response.status, explanation(response, body))
    return Answer(response.status, response.headers, body)


def target(url: str) -> str:
    """What is in the request line for `url`."""
    parts = urlsplit(url)
    return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")


def body_of(
    connection: http.client.HTTPConnection, response: http.client.HTTPResponse, url: str, size: int
) -> Iterator[bytes]:
    """The body in pieces of up to `size`; the connection ends with it. Raises `Unreachable`."""
    try:
        while block := response.read(size):
            yield block
    except (OSError, http.client.HTTPException) as error:
        raise unreachable(url, error) from error
    finally:
        connection.close()


def unreachable(url: str, error: Exception) -> Unreachable:
    """The sentence for a connection that failed."""
    parts = urlsplit(url)
    where = f"{parts.scheme}://{parts.netloc}"
    if isinstance(error, ssl.SSLCertVerificationError):
        return Unreachable(f"the certificate of {where} is not trusted: {error.verify_message}")
    if isinstance(error, TimeoutError):
        return Unreachable(f"{where} does not answer")
    if isinstance(error, socket.gaierror):
        return Unreachable(f"the host of {where} is not known")
    if isinstance(error, OSError):
        return Unreachable(f"can't reach {where}: {error.strerror or error}")
    return Unreachable(f"{where} broke off in the middle of its answer")


_TAGS = re.compile(r"<[^>]*>")


def explanation(response: http.client.HTTPResponse, body: bytes) -> str:
    """The sentence in an error body, in whatever form the server wrapped it."""
    text = body.decode("utf-8", "replace")
    kind = response.headers.get_content_type()
    said = ""
    if kind == "application/json":
        said = _said_in_json(text)
    elif kind == "text/html":
        said = text.partition("<body>")[2] or text
        said = said.partition("</h1>")[2] or said
    elif "\n\n" in text:
        said = text.split("\n\n")[1]
    said = " ".join(unescape(_TAGS.sub(" ", said)).split())
    return said or f"The server answered “{response.reason or response.status}”"


def _said_in_json(text: str) -> str:
    try:
        document = json.loads(text)
    except ValueError:
        return ""
    if isinstance(document, dict) and isinstance(document.get("error"), dict):
        document = document["error"]
    return str(document.get("message") or "") if isinstance(document, dict) else ""

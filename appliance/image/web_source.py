"""Fetching from the web for a client, without letting it reach what only this host can: filtered and pinned."""

import http.client
import ipaddress
import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from urllib.parse import SplitResult, urljoin, urlsplit

from appliance.errors import Invalid, Unavailable
from appliance.settings import Settings
from appliance.values import whole_number

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_MOST_REDIRECTS = 5

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


@dataclass(frozen=True, slots=True)
class Target:
    """A URI that the filter lets pass."""

    uri: str
    parts: SplitResult
    host: str
    port: int


class UriFilter:
    """Which URIs may be fetched. An allowed list, if there is one, is the only one that counts."""

    def __init__(self, settings: Settings) -> None:
        self._schemes = (settings.import_allowed_schemes, settings.import_disallowed_schemes)
        self._hosts = (
            tuple(host.lower() for host in settings.import_allowed_hosts),
            tuple(host.lower() for host in settings.import_disallowed_hosts),
        )
        self._ports = (settings.import_allowed_ports, settings.import_disallowed_ports)

    def check(self, uri: str) -> Target:
        """Raise `Invalid` for a URI that may not be fetched. A host that can't be resolved passes here."""
        target = self._parse(uri)
        try:
            addresses = _resolve(target)
        except OSError:
            return target
        for address in addresses:
            self.check_address(target, address)
        return target

    def addresses(self, target: Target) -> list[str]:
        """Where to connect to. Raises `Invalid` if any of the host's addresses is out of bounds."""
        try:
            found = _resolve(target)
        except OSError as error:
            raise Unavailable(f"The host {target.host} can't be found.") from error
        for address in found:
            self.check_address(target, address)
        return [str(address) for address in found]

    def check_address(self, target: Target, address: Address) -> None:
        if target.host not in self._hosts[0] and _is_our_own(address):
            raise _refused(target.uri)

    def _parse(self, uri: str) -> Target:
        try:
            parts = urlsplit(uri)
            host, port = (parts.hostname or "").lower().rstrip("."), parts.port
        except ValueError as error:
            raise _refused(uri) from error
        if not host or any(ord(character) <= 32 for character in uri):
            raise _refused(uri)
        wanted = (
            _passes(parts.scheme, *self._schemes),
            _passes(host, *self._hosts),
            port is None or _passes(str(port), *self._ports),
        )
        if not all(wanted) or parts.scheme not in ("http", "https"):
            raise _refused(uri)
        return Target(uri, parts, host, port or (443 if parts.scheme == "https" else 80))


def _passes(value: str, allowed: tuple[str, ...], disallowed: tuple[str, ...]) -> bool:
    return value in allowed if allowed else value not in disallowed


def _refused(uri: str) -> Invalid:
    return Invalid(f"URI for web-download does not pass filtering: {uri}")


def _is_our_own(address: Address) -> bool:
    """Whether it leads to this host or to its link, where cloud metadata services live."""
    mapped = getattr(address, "ipv4_mapped", None)
    address = mapped or address
    return address.is_loopback or address.is_link_local or address.is_unspecified or address.is_multicast


def _resolve(target: Target) -> list[Address]:
    try:
        found = socket.getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM)
    except UnicodeError as error:
        raise OSError(str(error)) from error
    return list(dict.fromkeys(ipaddress.ip_address(str(entry[4][0]).split("%")[0]) for entry in found))


class WebSource:
    """The body of one GET, as a `Source`. Redirects are followed, each checked like the first address.

    With a `Range` among the headers the answer may be a part: `content_range` says which one, None for the whole.
    """

    def __init__(
        self,
        uris: UriFilter,
        uri: str,
        timeout: float,
        headers: Mapping[str, str] | None = None,
        *,
        method: str = "GET",
    ) -> None:
        self._uris = uris
        self._timeout = timeout
        self._method = method
        self._headers = {"Accept-Encoding": "identity", "User-Agent": "glance-appliance"} | dict(headers or {})
        self._connection: http.client.HTTPConnection | None = None
        self._answer: http.client.HTTPResponse | None = None
        self._response = self._open(uri)
        length = self._response.getheader("Content-Length")
        self.size = whole_number(length) if length else None
        """What the server says that the size is."""
        self.content_range = self._response.getheader("Content-Range") if self._response.status == 206 else None

    def read(self, size: int = -1, /) -> bytes:
        try:
            return self._response.read(size if size >= 0 else None)
        except (OSError, http.client.HTTPException) as error:
            raise Unavailable(f"The download broke off: {error or type(error).__name__}") from error

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        if self._answer is not None:
            # It owns the socket if the server ends the connection with it.
            self._answer.close()
            self._answer = None

    def __enter__(self) -> "WebSource":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _open(self, uri: str) -> http.client.HTTPResponse:
        headers = self._headers
        for _ in range(_MOST_REDIRECTS + 1):
            target = self._uris.check(uri)
            response = self._get(target, headers)
            if response.status not in _REDIRECTS:
                break
            location = response.getheader("Location")
            self.close()
            if not location:
                raise Unavailable(f"{uri} leads nowhere.")
            following = urljoin(uri, location)
            if urlsplit(following).netloc != target.parts.netloc:
                # A token is for the host that it was meant for.
                headers = {name: value for name, value in headers.items() if name.lower() != "x-auth-token"}
            uri = following
        if response.status != 200 and not (response.status == 206 and "Range" in headers):
            self.close()
            raise Unavailable(f"{uri} was answered with {response.status}.")
        return response

    def _get(self, target: Target, headers: Mapping[str, str]) -> http.client.HTTPResponse:
        path = target.parts.path or "/"
        query = f"?{target.parts.query}" if target.parts.query else ""
        trouble: Exception | None = None
        for address in self._uris.addresses(target):
            self._connection = _pinned(target, address, self._timeout)
            try:
                self._connection.request(self._method, f"{path}{query}", headers=dict(headers))
                self._answer = self._connection.getresponse()
                return self._answer
            except (OSError, http.client.HTTPException, ValueError) as error:
                self.close()
                trouble = error
        raise Unavailable(f"{target.uri} can't be fetched: {trouble or 'it has no address'}") from trouble


def _pinned(target: Target, address: str, timeout: float) -> http.client.HTTPConnection:
    """A connection that goes to this address, whatever the name resolves to by now."""
    if target.parts.scheme == "https":
        return _PinnedHttps(target, address, timeout)
    return _PinnedHttp(target, address, timeout)


class _PinnedHttp(http.client.HTTPConnection):
    def __init__(self, target: Target, address: str, timeout: float) -> None:
        super().__init__(target.host, target.port, timeout=timeout)
        self._address = (address, target.port)

    def connect(self) -> None:
        self.sock = socket.create_connection(self._address, self.timeout)


class _PinnedHttps(_PinnedHttp):
    default_port = 443

    def connect(self) -> None:
        super().connect()
        context = ssl.create_default_context()
        self.sock = context.wrap_socket(self.sock, server_hostname=self.host)

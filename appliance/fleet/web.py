"""Plain HTTP to other sites and web servers: through a proxy if there is one, with a certificate that may be pinned."""

import hashlib
import http.client
import socket
import ssl
from collections.abc import Callable
from urllib.parse import SplitResult, unquote, urlsplit
from urllib.request import getproxies_environment, proxy_bypass

from appliance.errors import Forbidden, Invalid, Unavailable
from appliance.values import KIB, whole_number

SECONDS = 60.0
"""Without a byte."""
CHUNK = 64 * KIB

Pace = Callable[[int], None]
"""Called with the number of bytes that have just come; waits if they came too fast. Raises to end the transfer."""


def no_pace(count: int) -> None:
    """As fast as they come."""


def connect(url: str, pin: str) -> tuple[http.client.HTTPConnection, str]:
    """A connection to the host of an address, and what comes before the path in a request to it."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise Invalid(f"{url or 'nothing'} is not the address of a site: http://host:port is")
    proxy = _proxy(parts)
    via = urlsplit(proxy) if proxy else parts
    base = parts.path.rstrip("/")
    port = via.port or (443 if via.scheme == "https" and not proxy else 3128 if proxy else 80)
    if parts.scheme == "http":
        plain = http.client.HTTPConnection(str(via.hostname), port, timeout=SECONDS)
        return plain, f"{parts.scheme}://{parts.netloc}{base}" if proxy else base
    secure = _Pinned(str(via.hostname), port, pin)
    if proxy:
        secure.set_tunnel(str(parts.hostname), parts.port or 443)
    return secure, base


def _proxy(parts: SplitResult) -> str:
    """The proxy that `http_proxy`, `https_proxy` and `no_proxy` name for a host; empty for none."""
    proxies = getproxies_environment()
    if proxy_bypass(str(parts.hostname)):
        return ""
    found = unquote(proxies.get(parts.scheme, ""))
    return found if "://" in found or not found else f"http://{found}"


class _Pinned(http.client.HTTPSConnection):
    """TLS to a host whose certificate an authority has signed; or, with a pin, to the one that has this certificate."""

    def __init__(self, host: str, port: int, pin: str) -> None:
        context = ssl.create_default_context()
        if pin:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        super().__init__(host, port, timeout=SECONDS, context=context)
        self._pin = pin

    def connect(self) -> None:
        super().connect()
        if self._pin and isinstance(self.sock, ssl.SSLSocket):
            certificate = self.sock.getpeercert(binary_form=True) or b""
            if hashlib.sha256(certificate).hexdigest() != self._pin:
                self.close()
                raise Forbidden("The certificate of the peer is not the one that was accepted.")


def length_of(response: http.client.HTTPResponse) -> int | None:
    """How many bytes an answer says that it has."""
    return whole_number(response.headers.get("Content-Length") or "")


def read_some(response: http.client.HTTPResponse, size: int, pace: Pace) -> bytes:
    """The next bytes of an answer, up to `size`."""
    part = response.read1(min(size, CHUNK))
    pace(len(part))
    return part


def read_all(response: http.client.HTTPResponse, most: int, pace: Pace) -> bytes:
    """All of an answer. Raises `Invalid` if it is longer than `most`, `Unavailable` if it ends early."""
    parts, size = [], 0
    while part := read_some(response, CHUNK, pace):
        parts.append(part)
        size += len(part)
        if size > most:
            raise Invalid("The other side sends more than it was asked for.")
    if response.length:
        raise Unavailable("The other side broke off.")
    return b"".join(parts)


def unreachable(url: str, error: Exception) -> Unavailable:
    """Why a site could not be asked."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return Unavailable(f"The certificate of {url} is not trusted: {error.verify_message}. Pin it if it is right.")
    if isinstance(error, TimeoutError):
        return Unavailable(f"{url} does not answer.")
    if isinstance(error, socket.gaierror):
        return Unavailable(f"The host of {url} is not known.")
    if isinstance(error, OSError):
        return Unavailable(f"{url} can't be reached: {error.strerror or error}.")
    return Unavailable(f"{url} broke off in the middle of its answer.")

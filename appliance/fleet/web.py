"""Plain HTTP to other sites and web servers: through a proxy if there is one, with a certificate that may be pinned."""

import base64
import hashlib
import http.client
import re
import socket
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from urllib.parse import SplitResult, unquote, urlsplit
from urllib.request import getproxies_environment, proxy_bypass

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from appliance.errors import Forbidden, Invalid, Unavailable
from appliance.values import KIB, whole_number

SECONDS = 60.0
"""Without a byte."""
CHUNK = 64 * KIB
_SLOWEST = 512
"""Bytes a second that an answer must bring, once it has been waited for for `SECONDS` in all."""
_SHA256 = re.compile(r"[0-9a-f]{64}")
PEM = "-----BEGIN CERTIFICATE-----"
"""With what a certificate in a text begins."""

Pace = Callable[[int], None]
"""Called with the number of bytes that have just come; waits if they came too fast. Raises to end the transfer."""


def check_trust(text: str) -> str:
    """By what the certificate of a site is known: its own SHA-256 or that of its key, as openssl or a browser shows
    them, or authorities in PEM; empty for what this machine trusts. Raises `Invalid`.
    """
    if PEM in text:
        try:
            ssl.create_default_context(cadata=text)
        except (ssl.SSLError, ValueError) as error:
            raise Invalid("The authorities that a site is known by are certificates in PEM form.") from error
        return text
    digits = text.replace(":", "").strip().lower()
    if digits and not _SHA256.fullmatch(digits):
        raise Invalid("A certificate, or its public key, is pinned by its SHA-256: 64 hexadecimal digits.")
    return digits


@contextmanager
def ask(
    url: str, trust: str, method: str, path: str, headers: Mapping[str, str], body: bytes = b""
) -> Iterator[http.client.HTTPResponse]:
    """One request to what is below an address, and its answer while the block runs.

    Raises `Unavailable` if there is none or it breaks off, `Forbidden` for another certificate than was accepted.
    """
    parts, proxy = _parts(url), _proxy(url)
    connection = _connection(parts, proxy, trust)
    target = parts.path.rstrip("/") + path
    sent = {"Connection": "close", "Accept": "*/*", **headers}
    if proxy is not None and parts.scheme == "http":
        target = f"http://{_place(parts)}{target}"
        sent |= _credentials(proxy)
    try:
        connection.request(method, target, body or None, sent)
        with connection.getresponse() as response:
            if response.status == 407:
                raise Unavailable(f"{url} can't be reached: {_unknown_to(proxy)}")
            yield response
    except (OSError, http.client.HTTPException) as error:
        raise unreachable(url, error, proxy) from error
    finally:
        connection.close()


def _parts(url: str) -> SplitResult:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise Invalid(f"{url or 'nothing'} is not the address of a site: http://host:port is")
    return parts


def _place(parts: SplitResult) -> str:
    """Host and port, as they are in an address."""
    return parts.netloc.rpartition("@")[2]


def _connection(parts: SplitResult, proxy: SplitResult | None, trust: str) -> http.client.HTTPConnection:
    via = proxy or parts
    default = 3128 if proxy else 443 if parts.scheme == "https" else 80
    if parts.scheme == "http":
        return http.client.HTTPConnection(str(via.hostname), via.port or default, timeout=SECONDS)
    secure = _Trusting(str(via.hostname), via.port or default, trust, parts.geturl())
    if proxy:
        secure.set_tunnel(str(parts.hostname), parts.port or 443, _credentials(proxy))
    return secure


# -- proxies -----------------------------------------------------------------------------------------------------------


def _proxy(url: str) -> SplitResult | None:
    """The proxy that `http_proxy`, `https_proxy` and `no_proxy` name for an address. Raises `Invalid`."""
    parts = urlsplit(url)
    found = getproxies_environment().get(parts.scheme, "")
    if not found or proxy_bypass(_place(parts)):
        return None
    proxy = urlsplit(found if "://" in found else f"http://{found}")
    if proxy.scheme != "http" or not proxy.hostname:
        kind = f"{proxy.scheme}://{proxy.hostname or ''}"
        raise Invalid(f"{parts.scheme}_proxy names {kind}: a proxy is named like http://host:port here")
    return proxy


def _credentials(proxy: SplitResult) -> dict[str, str]:
    if proxy.username is None:
        return {}
    said = f"{unquote(proxy.username)}:{unquote(proxy.password or '')}".encode()
    return {"Proxy-Authorization": f"Basic {base64.b64encode(said).decode()}"}


def _unknown_to(proxy: SplitResult | None) -> str:
    place = _place(proxy) if proxy else "in between"
    return (
        f"the proxy {place} wants to know who asks, and does not take what it was told: name both in the address of "
        "the proxy, http://name:password@host:port."
    )


# -- certificates ------------------------------------------------------------------------------------------------------


class _Trusting(http.client.HTTPSConnection):
    """TLS to a host whose certificate an authority has signed; or, with a pin, to the one that has this certificate."""

    def __init__(self, host: str, port: int, trust: str, url: str) -> None:
        self._pin = trust if _SHA256.fullmatch(trust) else ""
        context = ssl.create_default_context(cadata=trust or None) if not self._pin else ssl.create_default_context()
        if self._pin:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        super().__init__(host, port, timeout=SECONDS, context=context)
        self._url = url

    def connect(self) -> None:
        super().connect()
        if self._pin and isinstance(self.sock, ssl.SSLSocket):
            found = _digests(self.sock.getpeercert(binary_form=True) or b"")
            if self._pin not in found:
                self.close()
                raise Forbidden(
                    f"The certificate of {self._url} is not the one that was accepted: its SHA-256 is {found[0]}, that "
                    f"of its key {found[-1]}. If the site has a new one, `peer set` takes the new pin."
                )


def _digests(certificate: bytes) -> tuple[str, ...]:
    """The hashes by which a certificate may be known: its own, and that of its public key."""
    try:
        key = x509.load_der_x509_certificate(certificate).public_key()
        packed = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    except ValueError:
        return (hashlib.sha256(certificate).hexdigest(),)
    return hashlib.sha256(certificate).hexdigest(), hashlib.sha256(packed).hexdigest()


# -- answers -----------------------------------------------------------------------------------------------------------


def length_of(response: http.client.HTTPResponse) -> int | None:
    """How many bytes an answer says that it has."""
    return whole_number(response.headers.get("Content-Length") or "")


class Incoming:
    """An answer as it comes: no faster than the pace, and no slower than makes sense."""

    def __init__(
        self, response: http.client.HTTPResponse, pace: Pace, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._response = response
        self._pace = pace
        self._monotonic = monotonic
        self._waited = 0.0
        self.came = 0

    @property
    def is_torn(self) -> bool:
        """Whether it has ended before the length that it says."""
        return bool(self._response.length)

    def read(self, size: int) -> bytes:
        """The next bytes, up to `size`; none at the end. Raises `Unavailable` if they trickle."""
        began = self._monotonic()
        part = self._response.read1(min(size, CHUNK))
        self._waited += self._monotonic() - began
        self.came += len(part)
        if self._waited > SECONDS and self.came < _SLOWEST * (self._waited - SECONDS):
            raise Unavailable("The other side is too slow: fewer than 512 bytes come in a second.")
        self._pace(len(part))
        return part


def read_all(read: Callable[[int], bytes], most: int) -> bytes:
    """Everything up to the end. Raises `Invalid` if it is longer than `most`."""
    parts, size = [], 0
    while part := read(CHUNK):
        parts.append(part)
        size += len(part)
        if size > most:
            raise Invalid("The other side sends more than it was asked for.")
    return b"".join(parts)


def unreachable(url: str, error: Exception, proxy: SplitResult | None = None) -> Unavailable:
    """Why a site could not be asked."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return Unavailable(f"The certificate of {url} is not trusted: {error.verify_message}. Pin it if it is right.")
    through = f" through the proxy {_place(proxy)}" if proxy else ""
    if isinstance(error, OSError) and str(error).startswith("Tunnel connection failed: 407"):
        return Unavailable(f"{url} can't be reached: {_unknown_to(proxy)}")
    if isinstance(error, TimeoutError):
        return Unavailable(f"{url} does not answer{through}.")
    if isinstance(error, socket.gaierror):
        return Unavailable(f"The host {f'of the proxy {_place(proxy)}' if proxy else f'of {url}'} is not known.")
    if isinstance(error, OSError):
        return Unavailable(f"{url} can't be reached{through}: {error.strerror or error}.")
    return Unavailable(f"{url} broke off in the middle of its answer.")

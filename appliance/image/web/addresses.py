"""Which addresses the appliance may fetch from, and what a name means while it is checked and used."""

import ipaddress
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NotYet
from dataclasses import dataclass
from urllib.parse import SplitResult, quote, urlsplit

from appliance.errors import Invalid, Unavailable
from appliance.settings import Settings

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

# Where clouds answer questions about the machine that asks, its credentials among the answers. Those that are
# link-local are out of bounds anyway.
METADATA_SERVICES = frozenset(
    ipaddress.ip_address(text)
    for text in (
        "100.100.100.200",  # Alibaba Cloud
        "168.63.129.16",  # Azure
        "192.0.0.192",  # Oracle Cloud
        "fd00:ec2::23",  # Amazon EKS
        "fd00:ec2::254",  # Amazon EC2
        "fd00:42::42",  # Scaleway
        "fd20:ce::254",  # Google Cloud
    )
)

_THIS_NETWORK = ipaddress.IPv4Network("0.0.0.0/8")
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_LOCAL_NAT64 = ipaddress.IPv6Network("64:ff9b:1::/48")
_COMPATIBLE = ipaddress.IPv6Network("::/96")
_TRANSLATED = ipaddress.IPv6Network("::ffff:0:0:0/96")
_ISATAP = (0x00005EFE, 0x02005EFE)


def tidy(uri: str) -> str:
    """The address as it can be asked for: what is not ASCII in its path and query is percent-encoded."""
    parts = urlsplit(uri)
    return parts._replace(path=_in_ascii(parts.path), query=_in_ascii(parts.query), fragment="").geturl()


def _in_ascii(text: str) -> str:
    return "".join(character if character.isascii() else quote(character) for character in text)


def without_secrets(uri: str) -> str:
    """The address without user, password, query and fragment: in these are the keys to what it leads to."""
    try:
        parts = urlsplit(uri)
    except ValueError:
        return uri.partition("://")[0] + "://…"
    host = parts.netloc.rpartition("@")[2]
    return parts._replace(netloc=host, query="", fragment="").geturl()


def is_out_of_bounds(address: Address) -> bool:
    """Whether only this host, or its link or its cloud, can be reached there, or nobody at all."""
    return any(_leads_here(one) or _is_own(one) for one in (address, *_wrapped(address)))


def _leads_here(address: Address) -> bool:
    return (
        address in METADATA_SERVICES
        or address.is_loopback
        or address.is_link_local
        or address.is_unspecified
        or address.is_multicast
        or (isinstance(address, ipaddress.IPv4Address) and (address.is_reserved or address in _THIS_NETWORK))
    )


def _wrapped(address: Address) -> Iterator[ipaddress.IPv4Address]:
    """The IPv4 addresses that an IPv6 address may stand for."""
    if isinstance(address, ipaddress.IPv4Address):
        return
    bits = int(address)
    if address.ipv4_mapped is not None:
        yield address.ipv4_mapped
    if address.sixtofour is not None:
        yield address.sixtofour
    if address.teredo is not None:
        yield from address.teredo
    if any(address in network for network in (_NAT64, _COMPATIBLE, _TRANSLATED)):
        yield ipaddress.IPv4Address(bits & 0xFFFFFFFF)
    if (bits >> 32) & 0xFFFFFFFF in _ISATAP:
        yield ipaddress.IPv4Address(bits & 0xFFFFFFFF)
    if address in _LOCAL_NAT64:
        # How much of the prefix a site uses decides where the address is; bits 64 to 71 are always left out.
        joined = (bits >> 64 << 56) | (bits & (1 << 56) - 1)
        guesses = [(joined >> (120 - prefix - 32)) & 0xFFFFFFFF for prefix in (48, 56, 64)]
        found = (ipaddress.IPv4Address(guess) for guess in (*guesses, bits & 0xFFFFFFFF))
        # With a longer prefix in use, the shorter ones' places are full of zeros.
        yield from (guess for guess in found if guess not in _THIS_NETWORK)


def _is_own(address: Address) -> bool:
    """Whether an interface of this host has the address: only then would a packet to it bear it as its source."""
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((str(address), 9))
            return ipaddress.ip_address(str(probe.getsockname()[0]).partition("%")[0]) == address
    except OSError:
        return False


MOST_LOOKUPS = 16
_LOOK_AROUND = 0.2


class Resolver:
    """Names in, addresses out."""

    def __init__(self) -> None:
        self._free = threading.BoundedSemaphore(MOST_LOOKUPS)

    def lookup(
        self, host: str, port: int, seconds: float, given_up: Callable[[], bool] = lambda: False
    ) -> list[Address]:
        """Every address of a host. Raises `OSError`, or `TimeoutError` when it takes too long or `given_up` is true."""
        address = literal(host)
        if address is not None:
            return [address]
        ends = time.monotonic() + seconds
        if not self._free.acquire(timeout=seconds):
            raise TimeoutError("too many names are being looked up")
        found: Future[list[Address]] = Future()
        threading.Thread(target=self._run, args=(host, port, found), name="lookup", daemon=True).start()
        while True:
            try:
                return found.result(min(_LOOK_AROUND, max(0.0, ends - time.monotonic())))
            except NotYet:
                if found.done():
                    raise
                if given_up() or time.monotonic() >= ends:
                    raise TimeoutError(f"looking up {host} takes too long") from None

    def _run(self, host: str, port: int, found: Future[list[Address]]) -> None:
        try:
            found.set_result(_resolve(host, port))
        except (OSError, ValueError) as error:
            found.set_exception(error if isinstance(error, OSError) else OSError(str(error)))
        finally:
            self._free.release()


def _resolve(host: str, port: int) -> list[Address]:
    entries = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(ipaddress.ip_address(str(entry[4][0]).split("%")[0]) for entry in entries))


def literal(host: str) -> Address | None:
    """The address that a host is already, in any of the notations that the system takes."""
    try:
        return ipaddress.IPv4Address(socket.inet_aton(host))
    except (OSError, UnicodeError):
        pass
    try:
        return ipaddress.IPv6Address(host.split("%")[0])
    except ValueError:
        return None


_PORTS = {"http": 80, "https": 443}
# A request waits for a name only so long, and only so many of them do: the fetch itself looks again.
_SECONDS_IN_REQUEST = 2.0
_MOST_IN_REQUESTS = 2


@dataclass(frozen=True, slots=True)
class Target:
    """A URI that the filter lets pass."""

    uri: str
    parts: SplitResult
    host: str
    port: int

    @property
    def origin(self) -> tuple[str, str, int]:
        """Who gets what is sent there: scheme, host and port."""
        return self.parts.scheme, self.host, self.port


class UriFilter:
    """Which URIs may be fetched. An allowed list, if there is one, is the only one that counts."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._schemes = (settings.import_allowed_schemes, settings.import_disallowed_schemes)
        self._hosts = (
            tuple(host.lower() for host in settings.import_allowed_hosts),
            tuple(host.lower() for host in settings.import_disallowed_hosts),
        )
        self._ports = (settings.import_allowed_ports, settings.import_disallowed_ports)
        self._names = Resolver()
        self._asking = threading.BoundedSemaphore(_MOST_IN_REQUESTS)
        self._trusted: tuple[str, str, int] | None = None

    def trusting(self, uri: str) -> "UriFilter":
        """The same, but whatever has this one's scheme, host and port passes: the operator has named it."""
        filter = UriFilter(self._settings)
        filter._names = self._names
        filter._trusted = _target(uri).origin
        return filter

    def check(self, uri: str) -> Target:
        """Raise `Invalid` for a URI that may not be fetched. A host that can't be resolved soon passes here."""
        target = self.parse(uri)
        address = literal(target.host)
        self._check_addresses(target, self._look_up_soon(target) if address is None else [address])
        return target

    def _look_up_soon(self, target: Target) -> list[Address]:
        if not self._asking.acquire(blocking=False):
            return []
        try:
            return self._names.lookup(target.host, target.port, _SECONDS_IN_REQUEST)
        except OSError:
            return []
        finally:
            self._asking.release()

    def addresses(self, target: Target, seconds: float, given_up: Callable[[], bool] = lambda: False) -> list[str]:
        """Where to connect to. Raises `Invalid` if any of the host's addresses is out of bounds."""
        try:
            found = self._names.lookup(target.host, target.port, seconds, given_up)
        except OSError as error:
            raise Unavailable(f"The host {target.host} can't be found.") from error
        self._check_addresses(target, found)
        return [str(address) for address in found]

    def _check_addresses(self, target: Target, found: list[Address]) -> None:
        if target.host in self._hosts[0] or target.origin == self._trusted:
            return
        if any(is_out_of_bounds(address) for address in found):
            raise refused(target.uri)

    def parse(self, uri: str) -> Target:
        """The URI taken apart, if the operator's lists let it pass; its host is not looked up. Raises `Invalid`."""
        target = _target(uri)
        if target.origin == self._trusted:
            return target
        wanted = (
            _passes(target.parts.scheme, *self._schemes),
            _passes(target.host, *self._hosts),
            target.parts.port is None or _passes(str(target.parts.port), *self._ports),
        )
        if not all(wanted):
            raise refused(uri)
        return target


def _target(uri: str) -> Target:
    try:
        uri = uri.strip()
        if any(ord(character) <= 32 or ord(character) == 127 for character in uri):
            raise refused(uri)
        uri = tidy(uri)
        parts = urlsplit(uri)
        host, port = (parts.hostname or "").lower().rstrip("."), parts.port
    except ValueError as error:
        raise refused(uri) from error
    if not host or parts.scheme not in _PORTS:
        raise refused(uri)
    return Target(uri, parts, host, port or _PORTS[parts.scheme])


def _passes(value: str, allowed: tuple[str, ...], disallowed: tuple[str, ...]) -> bool:
    return value in allowed if allowed else value not in disallowed


def refused(uri: str) -> Invalid:
    return Invalid(f"URI for web-download does not pass filtering: {without_secrets(uri)}")

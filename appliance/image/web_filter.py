"""Which addresses on the web may be fetched from, by the operator's lists and by where they lead."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from appliance.errors import Invalid, Unavailable
from appliance.image.web_address import Address, is_out_of_bounds, tidy, without_secrets
from appliance.image.web_names import Resolver, literal
from appliance.settings import Settings

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

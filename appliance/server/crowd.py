"""All open connections: how many each address and port has, and which of them has to go when there are too many."""

import socket
import time
from collections import defaultdict
from collections.abc import Iterable
from typing import Protocol

from appliance.server.limits import Limits

# A newcomer's request may be on its way. So long it isn't idle.
_WELCOME = 0.05
_MAPPED = b"\0" * 10 + b"\xff\xff"


class Guest(Protocol):
    """What a connection looks like from here."""

    origin: str
    server: object

    @property
    def waiting_since(self) -> float | None:
        """Since when only its client is waited for; None while it is being served."""
        ...

    @property
    def has_sent(self) -> bool:
        """Whether something has come that nobody has read yet."""
        ...

    def handle_close(self) -> None:
        """Close it at once."""
        ...


def origin(address: str) -> str:
    """What counts as one address: an IPv6 client has 2^64 of them, so its network does."""
    try:
        packed = socket.inet_pton(socket.AF_INET6, address.partition("%")[0])
    except OSError:
        return address
    if packed.startswith(_MAPPED):
        return socket.inet_ntop(socket.AF_INET, packed[12:])
    return socket.inet_ntop(socket.AF_INET6, packed[:8] + b"\0" * 8) + "/64"


class Crowd:
    """For the main loop's thread alone."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._origins: dict[str, set[Guest]] = defaultdict(set)
        self._ports: dict[int, set[Guest]] = defaultdict(set)
        self.size = 0

    def enter(self, guest: Guest) -> None:
        """A connection was accepted."""
        self._origins[guest.origin].add(guest)
        self._ports[id(guest.server)].add(guest)
        self.size += 1

    def leave(self, guest: Guest) -> None:
        """It is closed. May be called again."""
        mates = self._origins[guest.origin]
        if guest in mates:
            self.size -= 1
        mates.discard(guest)
        if not mates:
            del self._origins[guest.origin]
        self._ports[id(guest.server)].discard(guest)

    @property
    def full(self) -> bool:
        """No further connection can be accepted before another is closed."""
        return self.size >= self._limits.connections

    def close_idlest(self) -> bool:
        """Close the connection that its client has neglected longest, of the address that has most; False if none is.

        Who has most pays: a flood displaces itself, and not those who come with one connection.
        """
        groups = sorted(self._origins.values(), key=len, reverse=True)
        return any(_close_idlest(group) for group in groups)

    def make_room(self, address: str, server: object, *, exempt: bool) -> bool:
        """Room for one more from this address at this port; False if all that they have are being served."""
        limits = self._limits
        mates = self._origins.get(origin(address), set())
        if not exempt and len(mates) >= limits.connections_per_address and not _close_idlest(mates):
            return False
        port = self._ports[id(server)]
        return len(port) < limits.connections_per_port or _close_idlest(port)


def _close_idlest(guests: Iterable[Guest]) -> bool:
    latest = time.monotonic() - _WELCOME
    waiting = [(since, guest) for guest in guests if (since := guest.waiting_since) is not None and since < latest]
    for _, guest in sorted(waiting, key=lambda pair: pair[0]):
        if not guest.has_sent:
            guest.handle_close()
            return True
    return False

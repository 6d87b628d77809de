"""How many connections each address and port may have, how long each may take, which goes when there are too many."""

import socket
import time
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from appliance.values import KIB, MIB


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Bounds of the transport, with defaults for a small machine."""

    worker_threads: int = 8
    """Threads that answer requests whose body is small or absent. More requests than this wait their turn."""

    patience_seconds: float = 0.002
    """Such requests run one at a time; beside one that takes longer than this and does not compute, the next begins."""

    stay_seconds: float = 0.002
    """How long a thread that has answered looks at the connection for another request, if it has nothing else to do."""

    transfer_slots: int = 64
    """Threads that serve requests whose body is streamed, one each; they are made when needed and end when idle."""

    transfer_slots_per_caller: int = 16
    """Slots that one user, and one project, may have at once. More of their requests wait, and hold nobody up."""

    transfer_slots_per_address: int = 32
    """The same for one address of clients."""

    transfer_queue: int = 64
    """Streamed requests of one caller that may wait. The next one is answered 503 with `Retry-After`."""

    retry_after_seconds: int = 5
    """What `Retry-After` says in that response."""

    download_threads: int = 4
    """Threads that read, decompress and send downloads, any number of them: each goes from client to client."""

    small_body_bytes: int = 112 * KIB
    """A body of declared length up to this is received into memory before the application runs; others stream. The
    most that a caller whom `identify` doesn't know may send at all."""

    header_bytes: int = 64 * KIB
    """Request line and headers together. More is answered 431."""

    underscored_headers: tuple[str, ...] = ()
    """Beginnings of header names that may have underscores, which count as dashes. Any other such header is left out,
    for it could pass itself off as one that a proxy in front has removed."""

    trailer_bytes: int = 16 * KIB
    """Trailers after a chunked body. More is an error in the body."""

    chunk_line_bytes: int = 1 * KIB
    """The line before each chunk, with its extensions. More is an error in the body."""

    connections: int = 1000
    """Open connections. For one more the idlest is closed, of the address that has most; only if all are being served
    do further clients wait in the kernel's queue."""

    connections_per_port: int = 800
    """The same for one port, so that the others stay reachable; if all are being served, the response is 503."""

    connections_per_address: int = 256
    """The same for one address (of IPv6: one /64). Proxies that are trusted are exempt."""

    backlog: int = 1024
    """Length of that queue."""

    receive_seconds: float = 30.0
    """From the first byte of a request to its last, body included unless that streams, and a second more for every
    `minimum_rate` bytes that have come. Then 408."""

    minimum_rate: int = 512
    """Bytes a second that a client must send of a body that streams, counted over `stall_seconds` of waiting for it."""

    upload_seconds: float = 7 * 86400.0
    """The longest that such a body may take; 0 is for ever."""

    handshake_threads: int = 2
    """Threads for the arithmetic of TLS handshakes. None waits for a client, however many clients say nothing."""

    handshake_seconds: float = 10.0
    """From the connection to the end of its TLS handshake; then it is closed."""

    idle_seconds: float = 75.0
    """How long a connection may stay open without a request."""

    stall_seconds: float = 60.0
    """How long a client may go without sending or taking a single byte in the middle of a transfer."""

    drain_bytes: int = 64 * KIB
    """An unread rest of a streamed body up to this is thrown away to keep the connection."""

    linger_seconds: float = 5.0
    """After a response that ends the connection: how long to wait for the client to notice before closing."""

    linger_bytes: int = 64 * MIB
    """And how much of what it still sends is thrown away meanwhile."""

    output_bytes: int = 64 * KIB
    """Bytes of ordinary responses queued for one client above which no other request of it is read or begun."""

    grace_seconds: float = 30.0
    """On stop: how long running requests may take to end, unless `stop` says otherwise."""

    ident: str = "appliance"
    """What the `Server` header says."""


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

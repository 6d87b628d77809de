"""How much the server takes, holds and waits for. Every bound of the transport is a field here."""

from dataclasses import dataclass

from appliance.values import KIB, MIB


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Bounds of the transport, with defaults for a small machine."""

    worker_threads: int = 8
    """Threads that answer requests whose body is small or absent. More requests than this wait their turn."""

    patience_seconds: float = 0.002
    """Such requests run one at a time; one that takes longer than this waits for something, and the next begins."""

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
    """What `Retry-After` says in that answer."""

    sender_threads: int = 2
    """Threads that send downloads; each serves any number of clients, and a cold disk stalls only its own."""

    decoder_threads: int = 4
    """Threads that make the pieces of downloads: they look up, read and decompress."""

    read_ahead_bytes: int = 2 * MIB
    """Decoded bytes held for one download before its client has room for them."""

    read_ahead_total_bytes: int = 64 * MIB
    """The same for all downloads together: with many of them each gets its share, but at least one piece."""

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
    """The same for one port, so that the others stay reachable; if all are being served, the answer is 503."""

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

    idle_seconds: float = 75.0
    """How long a connection may stay open without a request."""

    stall_seconds: float = 60.0
    """How long a client may go without sending or taking a single byte in the middle of a transfer."""

    drain_bytes: int = 64 * KIB
    """An unread rest of a streamed body up to this is thrown away to keep the connection."""

    linger_seconds: float = 5.0
    """After an answer that ends the connection: how long to wait for the client to notice before closing."""

    linger_bytes: int = 64 * MIB
    """And how much of what it still sends is thrown away meanwhile."""

    output_bytes: int = 64 * KIB
    """Bytes of ordinary answers queued for one client above which no other request of it is read or begun."""

    grace_seconds: float = 30.0
    """On stop: how long running requests may take to end, unless `stop` says otherwise."""

    ident: str = "appliance"
    """What the `Server` header says."""

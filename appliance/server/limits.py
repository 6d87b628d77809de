"""How much the server takes, holds and waits for. Every bound of the transport is a field here."""

from dataclasses import dataclass

from appliance.values import KIB, MIB


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Bounds of the transport, with defaults for a small machine."""

    worker_threads: int = 8
    """Threads that answer requests whose body is small or absent. More requests than this wait their turn."""

    transfer_slots: int = 64
    """Threads that serve requests whose body is streamed, one each; they are made when needed and end when idle."""

    transfer_queue: int = 64
    """Streamed requests that may wait for a slot. The next one is answered 503 with `Retry-After`."""

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

    small_body_bytes: int = 64 * KIB
    """A body of declared length up to this is received into memory before the application runs; others stream."""

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
    """Open connections. Further clients wait in the kernel's queue until one closes."""

    backlog: int = 1024
    """Length of that queue."""

    receive_seconds: float = 30.0
    """From the first byte of a request to its last, body included unless that streams. Then 408."""

    idle_seconds: float = 75.0
    """How long a connection may stay open without a request."""

    crowded_idle_seconds: float = 2.0
    """The same while the limit of `connections` is reached, so that idle ones make room."""

    stall_seconds: float = 60.0
    """How long a client may go without sending or taking a single byte in the middle of a transfer."""

    drain_bytes: int = 64 * KIB
    """An unread rest of a streamed body up to this is thrown away to keep the connection."""

    linger_seconds: float = 5.0
    """After an answer that ends the connection: how long to wait for the client to notice before closing."""

    linger_bytes: int = 64 * MIB
    """And how much of what it still sends is thrown away meanwhile."""

    output_bytes: int = 1 * MIB
    """Bytes of ordinary answers queued for one client before the thread that makes them has to wait."""

    grace_seconds: float = 30.0
    """On stop: how long running requests may take to end, unless `stop` says otherwise."""

    ident: str = "appliance"
    """What the `Server` header says."""

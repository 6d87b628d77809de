"""One address that the server listens on."""

import errno
import logging
import socket
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from waitress.adjustments import Adjustments
from waitress.server import TcpWSGIServer

from appliance.errors import Fatal
from appliance.server.answer import TooBusy
from appliance.server.channel import Channel
from appliance.server.hub import Hub
from appliance.server.limits import Limits
from appliance.values import KIB

_log = logging.getLogger(__name__)

WSGIApp = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]

_RECEIVE = 64 * KIB
_NEVER = 1 << 60
_OUT_OF_SOMETHING = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
_PAUSE = 0.2
_ACCEPTS = 16


@dataclass(frozen=True, slots=True)
class Listener:
    """An application and where to serve it. Port 0 picks a free one."""

    app: WSGIApp
    host: str
    port: int
    sock: socket.socket | None = None
    """What `bind` gave for that address, if it was called before."""


class AddressInUse(Fatal):
    """Another program listens there."""


def adjustments(limits: Limits) -> Adjustments:
    """waitress's settings, from ours. Nothing is ever spooled to a file, no header of a proxy is touched."""
    adj = Adjustments(
        host="127.0.0.1",
        port=0,
        ident=limits.ident,
        backlog=limits.backlog,
        recv_bytes=_RECEIVE,
        inbuf_overflow=_NEVER,
        outbuf_overflow=_NEVER,
        outbuf_high_watermark=limits.output_bytes,
        connection_limit=limits.connections,
        max_request_header_size=limits.header_bytes,
        max_request_body_size=_NEVER,
        clear_untrusted_proxy_headers=False,
        log_socket_errors=True,
        expose_tracebacks=False,
    )
    adj.limits = limits
    return adj


def bind(host: str, port: int, backlog: int = Limits().backlog) -> socket.socket:
    """A socket that listens at the first address that `host` has. Raises Fatal."""
    if not 0 <= port <= 65535:
        raise Fatal(f"Can't listen on {shown(host, port)}: ports go from 0 to 65535.")
    try:
        family, kind, proto, _, address = socket.getaddrinfo(
            host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except (OSError, UnicodeError) as error:
        raise Fatal(f"Can't listen on {shown(host, port)}: the name has no address.") from error
    sock = socket.socket(family, kind, proto)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(address)
        # Linux tells a busy port apart only here if both sides allow reuse.
        sock.listen(backlog)
    except OSError as error:
        sock.close()
        raise _cannot_listen(host, port, error) from error
    return sock


def shown(host: str, port: int) -> str:
    """`host:port`, as in a URL."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _cannot_listen(host: str, port: int, error: OSError) -> Fatal:
    if error.errno == errno.EADDRINUSE:
        return AddressInUse(f"Can't listen on {shown(host, port)}: another program listens there already.")
    if error.errno == errno.EACCES:
        return Fatal(f"Can't listen on {shown(host, port)}: this user may not use that port.")
    return Fatal(f"Can't listen on {shown(host, port)}: {error.strerror or error}.")


class Port(TcpWSGIServer):  # type: ignore[misc]
    """A listening socket in the main loop. It accepts connections and sends their requests to the right threads."""

    channel_class = Channel

    def __init__(self, listener: Listener, hub: Hub, adj: Adjustments) -> None:
        self.hub = hub
        self._pause_until = 0.0
        self._accepted = False
        sock = listener.sock or bind(listener.host, listener.port, adj.backlog)
        info = (sock.family, sock.type, sock.proto, sock.getsockname())
        super().__init__(
            listener.app,
            hub.loop,
            _sock=sock,
            # Never asked for anything: add_task is ours.
            dispatcher=hub.workers,
            adj=adj,
            sockinfo=info,
            bind_socket=False,
        )

    @property
    def address(self) -> tuple[str, int]:
        """Where it really listens."""
        return str(self.effective_host), int(self.effective_port)

    def add_task(self, channel: Channel) -> None:
        """Have the first request of `channel` served. requests_lock is held by the caller."""
        request = channel.requests[0]
        if request.body is not None and request.error is None:
            if self.hub.transfers.submit(channel.service):
                return
            request.error = TooBusy(self.hub.limits.retry_after_seconds)
        self.hub.workers.submit(channel.service)

    def pull_trigger(self) -> None:
        """Wake the main loop: called by waitress's half of the channel, on workers' threads."""
        self.hub.loop.ring()

    def maintenance(self, now: float) -> None:
        """waitress's own idea of timeouts is replaced by `Channel.check`."""

    def check(self, now: float) -> None:
        """Enforce the time limits of all connections."""
        limits = self.hub.limits
        idle_seconds = limits.crowded_idle_seconds if self.in_connection_overflow else limits.idle_seconds
        for channel in list(self.active_channels.values()):
            channel.check(now, idle_seconds)

    def readable(self) -> bool:
        return time.monotonic() >= self._pause_until and bool(super().readable())

    def handle_accept(self) -> None:
        for _ in range(_ACCEPTS):
            self._accepted = False
            super().handle_accept()
            if not self._accepted or len(self._map) >= self.adj.connection_limit:
                break

    def accept(self) -> tuple[socket.socket, Any] | None:
        try:
            pair: tuple[socket.socket, Any] | None = super().accept()
        except OSError as error:
            if error.errno not in _OUT_OF_SOMETHING:
                raise
            # The connection stays in the queue, so poll would report it again at once, and again.
            self._pause_until = time.monotonic() + _PAUSE
            _log.warning("can't accept connections for a moment: %s", error.strerror)
            return None
        self._accepted = pair is not None
        return pair

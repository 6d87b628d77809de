"""One address that the server listens on."""

import contextlib
import errno
import logging
import os
import socket
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from waitress.adjustments import Adjustments
from waitress.server import TcpWSGIServer

from appliance.errors import Fatal
from appliance.server.channel import Channel
from appliance.server.context import ServerContext
from appliance.server.interfaces import is_loopback
from appliance.server.limits import Limits
from appliance.server.proxy_protocol import OFF, REQUIRE, ProxyHeader
from appliance.server.tls import ServerCertificate, TlsSocket
from appliance.values import KIB, Uploader

_log = logging.getLogger(__name__)

WSGIApp = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]

UNIX = "unix"
"""What stands for the address of whoever has connected to a Unix socket."""

_RECEIVE = 64 * KIB
_NEVER = 1 << 60
_FULL = (
    b"HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nRetry-After: 5\r\nContent-Type: text/plain\r\n"
    b"Content-Length: 34\r\n\r\nToo many connections are open here."
)
_OUT_OF_SOMETHING = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
_PAUSE = 0.1
# One warning in so many seconds is enough.
_QUIET = 10.0
_ACCEPTS = 16


Identify = Callable[[dict[str, Any]], Uploader | None]
"""Who sends a request whose body streams, from its WSGI environment; None for a stranger."""


def by_address(environ: dict[str, Any]) -> Uploader | None:
    """Everybody may send bodies that stream, and each address counts as one caller."""
    return Uploader((), environ["REMOTE_ADDR"])


@dataclass(frozen=True, slots=True)
class Listener:
    """An application and where to serve it. Port 0 picks a free one."""

    app: WSGIApp
    host: str
    port: int
    identify: Identify | None = by_address
    """Asked before a body that streams gets a thread. None: nobody is known here, so that all bodies are small."""
    is_proxy: Callable[[str], bool] = lambda address: False
    """Whether connections from this address are those of many clients."""
    proxy_protocol: str = OFF
    """Whether such connections begin with a PROXY header: `off`, `accept` or `require`."""
    certificate: ServerCertificate | None = None
    """What connections are encrypted with; None for plain ones."""
    sock: socket.socket | None = None
    """What `bind` gave for that address, if it was called before."""


class AddressInUse(Fatal):
    """Another program listens there."""


def adjustments(limits: Limits, *, encrypted: bool = False) -> Adjustments:
    """waitress's settings, from ours. Nothing is ever spooled to a file, no header of a proxy is touched."""
    adj = Adjustments(
        host="127.0.0.1",
        port=0,
        ident=limits.ident,
        url_scheme="https" if encrypted else "http",
        backlog=limits.backlog,
        recv_bytes=_RECEIVE,
        inbuf_overflow=_NEVER,
        outbuf_overflow=_NEVER,
        # Nobody waits in write_soon: the channel begins no request while too much is queued.
        outbuf_high_watermark=_NEVER,
        connection_limit=_NEVER,
        max_request_header_size=limits.header_bytes,
        max_request_body_size=_NEVER,
        clear_untrusted_proxy_headers=False,
        log_socket_errors=True,
        expose_tracebacks=False,
    )
    adj.limits = limits
    return adj


def bind(host: str, port: int, backlog: int = Limits().backlog) -> socket.socket:
    """A socket that listens at the first address that `host` has, or at a path. Raises Fatal."""
    if host.startswith("/"):
        return _bind_path(host, backlog)
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


def _bind_path(path: str, backlog: int) -> socket.socket:
    """A Unix socket for the user and the group of this process."""
    sock = socket.socket(socket.AF_UNIX)
    try:
        with contextlib.suppress(FileNotFoundError):
            sock.connect(path)
            raise AddressInUse(f"Can't listen on {path}: another program listens there already.")
    except ConnectionRefusedError:
        # Nobody listens any more: it is what a process that was killed has left.
        os.unlink(path)
    except OSError as error:
        sock.close()
        raise Fatal(f"Can't listen on {path}: {error.strerror or error}.") from error
    except AddressInUse:
        sock.close()
        raise
    try:
        sock.bind(path)
        os.chmod(path, 0o660)
        sock.listen(backlog)
    except OSError as error:
        sock.close()
        raise Fatal(f"Can't listen on {path}: {error.strerror or error}.") from error
    return sock


def shown(host: str, port: int) -> str:
    """`host:port`, as in a URL."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _cannot_listen(host: str, port: int, error: OSError) -> Fatal:
    if error.errno == errno.EADDRINUSE:
        return AddressInUse(f"Can't listen on {shown(host, port)}: another program listens there already.")
    if error.errno == errno.EACCES:
        return Fatal(f"Can't listen on {shown(host, port)}: this user may not use that port.")
    if error.errno == errno.EADDRNOTAVAIL:
        return Fatal(f"Can't listen on {shown(host, port)}: this machine has no such address.")
    return Fatal(f"Can't listen on {shown(host, port)}: {error.strerror or error}.")


class Port(TcpWSGIServer):  # type: ignore[misc]
    """A listening socket in the main loop. It accepts connections and sends their requests to the right threads."""

    channel_class = Channel

    def __init__(self, listener: Listener, shared: ServerContext) -> None:
        self.shared = shared
        self._certificate = listener.certificate
        adj = adjustments(shared.limits, encrypted=listener.certificate is not None)
        self.identify = listener.identify
        self._is_proxy = listener.is_proxy
        self._proxy_protocol = listener.proxy_protocol
        self._pause_until = 0.0
        self._warn_at = 0.0
        self._more = False
        sock = listener.sock or bind(listener.host, listener.port, adj.backlog)
        info = (sock.family, sock.type, sock.proto, sock.getsockname())
        super().__init__(
            listener.app,
            shared.loop,
            _sock=sock,
            # Never asked for anything: add_task is ours.
            dispatcher=shared.workers,
            adj=adj,
            sockinfo=info,
            bind_socket=False,
        )

    @property
    def address(self) -> tuple[str, int]:
        """Where it really listens."""
        return str(self.effective_host), int(self.effective_port)

    def proxy_header(self, client: str) -> ProxyHeader | None:
        """What has to come first on a connection from this address; None if it is a client's own."""
        if self._proxy_protocol == OFF or not self._is_proxy(client):
            return None
        # Who looks after the service on this machine, as its watchdog does, has no proxy in between.
        required = self._proxy_protocol == REQUIRE and not is_loopback(client)
        return ProxyHeader(self.shared.limits, required=required)

    def getsockname(self) -> tuple[str, int]:
        """Where it listens, as waitress wants it: the path of a Unix socket has no port."""
        name = self.socket.getsockname()
        return (str(name), 0) if self.family == socket.AF_UNIX else (str(name[0]), int(name[1]))

    def set_socket_options(self, conn: socket.socket) -> None:
        """Those of waitress are TCP's."""
        if self.family != socket.AF_UNIX:
            super().set_socket_options(conn)

    def add_task(self, channel: Channel) -> None:
        """Have the first request of `channel` served. requests_lock is held by the caller."""
        request = channel.requests[0]
        if request.body is None or request.error is not None:
            self.shared.workers.submit(channel.service)
        elif self.identify is None:
            self.shared.post(channel.collect)
        else:
            self.shared.workers.submit(channel.admit)

    def pull_trigger(self) -> None:
        """waitress's half of the channel calls this when it can't send at once; `Channel.write_soon` wakes the loop."""

    def maintenance(self, now: float) -> None:
        """waitress's own idea of timeouts is replaced by `Channel.check`."""

    def check(self, now: float) -> None:
        """Enforce the time limits of all connections."""
        for channel in list(self.active_channels.values()):
            channel.check(now)

    def readable(self) -> bool:
        return self.accepting and time.monotonic() >= self._pause_until

    def handle_accept(self) -> None:
        for _ in range(_ACCEPTS):
            self._more = False
            if self.shared.crowd.full and not self.shared.crowd.close_idlest():
                self._pause("all connections are in use")
                break
            super().handle_accept()
            if not self._more:
                break

    def accept(self) -> tuple[socket.socket, Any] | None:
        try:
            pair: tuple[socket.socket, Any] | None = super().accept()
        except OSError as error:
            if error.errno not in _OUT_OF_SOMETHING:
                raise
            if self.shared.crowd.close_idlest():
                self._more = True
            else:
                # The connection stays in the queue, so poll would report it again at once, and again.
                self._pause(error.strerror or str(error))
            return None
        if pair is None:
            return None
        self._more = True
        pair = pair[0], _peer(pair[0], pair[1])
        address = str(pair[1][0])
        if not self.shared.crowd.make_room(address, self, exempt=self._is_proxy(address)):
            _turn_away(pair[0], b"" if self._certificate else _FULL)
            return None
        if self._certificate is None:
            return pair
        try:
            return TlsSocket.accepted(pair[0], self._certificate.context), pair[1]
        except OSError as error:
            _log.info("a connection broke before its handshake: %s", error)
            return None

    def _pause(self, reason: str) -> None:
        self._pause_until = time.monotonic() + _PAUSE
        self.shared.wake_at(self._pause_until, self)
        if time.monotonic() >= self._warn_at:
            self._warn_at = time.monotonic() + _QUIET
            _log.warning("can't accept connections for a moment: %s", reason)


def _peer(sock: socket.socket, address: Any) -> tuple[str, int]:
    """Who has connected: an IPv4 address as such, even where IPv6 is listened on, and no zone."""
    if sock.family == socket.AF_UNIX:
        return UNIX, 0
    host = str(address[0]).partition("%")[0]
    return host.removeprefix("::ffff:") if "." in host else host, int(address[1])


def _turn_away(sock: socket.socket, answer: bytes) -> None:
    with sock, contextlib.suppress(OSError):
        sock.setblocking(False)
        sock.send(answer)
        sock.shutdown(socket.SHUT_WR)

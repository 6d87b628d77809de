"""What a connection goes through before its first request: a proxy's word of who it is, and the TLS handshake.

On the main loop's thread, but for the arithmetic of a handshake.
"""

import copy
import logging
import socket
import time
from abc import abstractmethod
from typing import Any

from waitress.channel import HTTPChannel

from appliance.server.context import ServerContext
from appliance.server.handshake import Handshake, State
from appliance.server.limits import Limits, origin
from appliance.server.proxy_protocol import BadProxyHeader, ProxyHeader
from appliance.server.tls import TlsSocket

_log = logging.getLogger(__name__)

_LOOK = 536


class Opening(HTTPChannel):  # type: ignore[misc]
    """Waitress's channel, before it is one."""

    shared: ServerContext
    limits: Limits
    origin: str
    active_at: float
    adj: Any

    def _open(self, sock: socket.socket, client: str) -> None:
        """Say what has to come first. Called before anything can."""
        self._proxy_header: ProxyHeader | None = self.server.proxy_header(client)
        self._handshake = Handshake(self.limits, client) if isinstance(sock, TlsSocket) else None

    @property
    def _is_opening(self) -> bool:
        return self._proxy_header is not None or self._handshake is not None

    def _opening_wants(self) -> tuple[bool, bool]:
        """Whether it waits for something to read, and for room to write."""
        if self._proxy_header is not None or self._handshake is None:
            return True, False
        return self._handshake.state is State.READS, self._handshake.state is State.WRITES

    def _go_on_opening(self) -> None:
        if self._proxy_header is not None:
            self._read_proxy_header(self._proxy_header)
        else:
            self._shake_hands()

    def _check_opening(self, now: float) -> None:
        due = [stage.due for stage in (self._proxy_header, self._handshake) if stage is not None]
        if now > min(due):
            self.handle_close()

    @abstractmethod
    def _begin(self, data: bytes) -> None:
        """Have the request served that `data` completes."""

    @abstractmethod
    def _linger(self) -> None:
        """Say goodbye, but listen on for a while."""

    # -- the proxy's word ----------------------------------------------------------------------------------------

    def _read_proxy_header(self, header: ProxyHeader) -> None:
        try:
            coming = self.socket.recv(_LOOK, socket.MSG_PEEK)
            if not coming:
                self.handle_close()
                return
            if taken := header.take(coming):
                # With a flag a `TlsSocket` gives what has come as it is, too.
                self.socket.recv(taken, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return
        except OSError as error:
            _log.info("a connection broke: %s", error)
            self.handle_close()
            return
        except BadProxyHeader as error:
            _log.warning("a connection from the proxy %s is refused: %s", self.addr[0], error)
            self._proxy_header = self._handshake = None
            self._linger()
            return
        if header.origin is None:
            return
        self._proxy_header = None
        if header.origin.encrypted:
            self.adj = copy.copy(self.adj)
            self.adj.url_scheme = "https"
        if header.origin.address:
            self._be(header.origin.address, header.origin.port)
        if header.before_request and self.connected:
            self._begin(header.before_request)

    def _be(self, address: str, port: int) -> None:
        """Count as a connection of the client that the proxy speaks for."""
        self.shared.crowd.leave(self)
        self.addr, self.origin = (address, port), origin(address)
        has_room = self.shared.crowd.make_room(address, self.server, exempt=False)
        self.shared.crowd.enter(self)
        if not has_room:
            self.handle_close()

    # -- TLS -----------------------------------------------------------------------------------------------------

    def _shake_hands(self) -> None:
        """Have a thread go on with the handshake."""
        handshake = self._handshake
        assert handshake is not None
        handshake.state = State.WORKS
        sock = self.socket.dup()

        def go_on() -> None:
            handshake.go_on(sock)
            self.shared.post(self._handshake_went_on)

        if not self.shared.handshakes.submit(go_on):
            sock.close()
            self.handle_close()

    def _handshake_went_on(self) -> None:
        if not self.connected or self._handshake is None:
            return
        state = self._handshake.state
        if state in (State.DONE, State.FAILED):
            self._handshake = None
            self.active_at = time.monotonic()
        if state is State.FAILED:
            # The client reads why in an alert.
            self._linger()
        self.shared.loop.wake(self)

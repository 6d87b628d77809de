"""What comes before the first request of a connection that is encrypted: the TLS handshake.

The main loop waits for the client, and a thread of a small pool goes on with the arithmetic whenever something has
come. So a client that says nothing, or a byte now and then, holds a connection for a while and nobody's thread.
"""

import logging
import ssl
import time
from enum import Enum, auto

from appliance.server.limits import Limits
from appliance.server.tls import TlsSocket

_log = logging.getLogger(__name__)

_PLAIN = "HTTP_REQUEST"
"""What OpenSSL calls it when a client begins with a line of HTTP."""
_TEXT = b"This port speaks HTTPS: begin the address with https://.\n"
_USE_HTTPS = (
    b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n%b"
    % (len(_TEXT), _TEXT)
)


class State(Enum):
    """How far a handshake is."""

    READS = auto()
    """It waits for the client to send something."""
    WRITES = auto()
    """It waits for the client to take something."""
    WORKS = auto()
    """A thread goes on with it."""
    DONE = auto()
    FAILED = auto()
    """The client has been told why, if it can be told."""


class Handshake:
    """That of one connection."""

    def __init__(self, limits: Limits, client: str) -> None:
        self.due = time.monotonic() + limits.handshake_seconds
        self.state = State.READS
        self._client = client

    def go_on(self, sock: TlsSocket) -> None:
        """Do what can be done now, and set `state` accordingly. `sock` is this thread's own, and is closed."""
        with sock:
            self.state = self._step(sock)

    def _step(self, sock: TlsSocket) -> State:
        try:
            sock.shake_hands()
        except ssl.SSLWantReadError:
            return State.READS
        except ssl.SSLWantWriteError:
            return State.WRITES
        except (OSError, ValueError) as error:
            if getattr(error, "reason", None) == _PLAIN:
                sock.send_plain(_USE_HTTPS)
            _log.info("a TLS handshake with %s failed: %s", self._client, error)
            return State.FAILED
        return State.DONE

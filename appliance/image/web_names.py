"""Looking names up without being held up: each lookup has a thread of its own, few at a time, and nobody waits long.

The system's resolver can't be called off. Whoever has waited long enough goes on without its answer.
"""

import ipaddress
import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NotYet

from appliance.image.web_address import Address

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

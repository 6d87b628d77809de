"""What systemd and `serve` tell each other: sockets that are open already, readiness, the end, and signs of life.

All of it is by variables of the environment; without them nothing happens here.
"""

import logging
import os
import socket
import threading
import time
from collections.abc import Callable, Mapping

from appliance.errors import Fatal

log = logging.getLogger(__name__)

_FIRST = 3
"""The first descriptor that systemd passes on."""


def passed_sockets(environment: Mapping[str, str] | None = None) -> list[socket.socket]:
    """The listening sockets that a socket unit has opened, in its order; none if there are none."""
    environment = os.environ if environment is None else environment
    # The program in one file is started by its other half, which is whom systemd knows.
    if environment.get("LISTEN_PID") not in (str(os.getpid()), str(os.getppid())):
        return []
    try:
        count = int(environment.get("LISTEN_FDS", "0"))
        return [_listening(_FIRST + number) for number in range(count)]
    except (ValueError, OSError) as error:
        raise Fatal(f"The sockets that systemd passed can't be used: {error}") from error


def _listening(fd: int) -> socket.socket:
    os.set_inheritable(fd, False)
    sock = socket.socket(fileno=fd)
    if sock.family not in (socket.AF_INET, socket.AF_INET6) or sock.type != socket.SOCK_STREAM:
        raise ValueError("they have to be TCP sockets (ListenStream=ADDRESS:PORT)")
    return sock


def notify(**state: str | int) -> None:
    """Tell systemd the state, as in `notify(READY=1, STATUS="serving")`. A lost word is no reason to stop."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")):
        return
    text = "\n".join(f"{name}={value}" for name, value in state.items())
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
            sock.connect("\0" + address[1:] if address.startswith("@") else address)
            sock.send(text.encode())
    except OSError as error:
        log.warning("systemd can't be told %s: %s", text.split("\n", 1)[0], error)


def notify_reloading() -> None:
    """Tell systemd that the settings are being read again; `notify(READY=1)` ends that."""
    notify(RELOADING=1, MONOTONIC_USEC=time.monotonic_ns() // 1000)


def watchdog_seconds(environment: Mapping[str, str] | None = None) -> float:
    """Within how many seconds systemd wants a sign of life; 0 if it wants none."""
    environment = os.environ if environment is None else environment
    pid = environment.get("WATCHDOG_PID")
    if pid not in (None, str(os.getpid()), str(os.getppid())):
        return 0
    text = environment.get("WATCHDOG_USEC", "0")
    return int(text) / 1_000_000 if text.isdigit() else 0


class Watchdog:
    """Gives systemd a sign of life, as often as it wants one, for as long as `is_alive` says so."""

    def __init__(self, seconds: float, is_alive: Callable[[], bool]) -> None:
        self._seconds = seconds
        self._is_alive = is_alive
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watchdog", daemon=True)

    def start(self) -> None:
        if self._seconds:
            self._thread.start()

    def stop(self) -> None:
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        # Twice in that time, so that one may be late.
        while not self._ended.wait(self._seconds / 2):
            if self._is_alive():
                notify(WATCHDOG=1)
            else:
                log.error("the service does not answer itself; systemd is given no sign of life")

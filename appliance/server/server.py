"""The server: several applications on several addresses, one main loop, one set of threads."""

import dataclasses
import logging
import resource
import time
from collections.abc import Callable, Sequence

from appliance.server.context import Loop, ServerContext
from appliance.server.limits import Limits
from appliance.server.listener import Listener, Port

_log = logging.getLogger(__name__)

_LAST_WORDS = 5.0
# One that is encrypted needs another for its keys.
_FILES_PER_CONNECTION = 3
_OTHER_FILES = 256
_FEWEST = 32

__all__ = ["Limits", "Listener", "Server"]


class Server:
    """`start`, then `run` in the thread that has nothing else to do, then `stop` from anywhere."""

    def __init__(self, listeners: Sequence[Listener], limits: Limits | None = None) -> None:
        self._listeners = listeners
        self._limits = limits or Limits()
        self._certificates = {each.certificate for each in listeners if each.certificate is not None}
        self._loop = Loop()
        self._ports: list[Port] = []
        self._shared: ServerContext | None = None
        self._deadline: float | None = None
        self._closed = False
        timeouts = (self._limits.receive_seconds, self._limits.idle_seconds, self._limits.stall_seconds)
        self._pause = min(1.0, min(*timeouts, self._limits.linger_seconds) / 4)
        self._check_at = 0.0

    @property
    def addresses(self) -> list[tuple[str, int]]:
        """Where it listens, in the order of the listeners. Known after `start`."""
        return [port.address for port in self._ports]

    def start(self) -> None:
        """Bind every address; from now on clients can connect, and `run` answers them. Raises Fatal."""
        files = _FILES_PER_CONNECTION + (1 if self._certificates else 0)
        self._limits = _within_file_limit(self._limits, files)
        self._shared = ServerContext(self._limits, self._loop)
        try:
            for listener in self._listeners:
                self._ports.append(Port(listener, self._shared))
        except BaseException:
            self._close()
            raise

    def run(self) -> None:
        """Serve until `stop`; then return when the last request has ended or the grace is over."""
        if self._shared is None:
            raise RuntimeError("start comes before run")
        try:
            while not self._over():
                alarm = self._shared.next_alarm - time.monotonic()
                self._loop.run_once(max(0.0, min(self._pause, alarm)))
                self._shared.run_posted()
                self._check()
        finally:
            self._close()

    def close(self) -> None:
        """Give up what `start` took, if `run` has not done so: for a start that fails later."""
        if not self._closed:
            for port in self._ports:
                _stop_listening(port)
            self._close()

    def stop(self, grace_seconds: float | None = None) -> None:
        """Ask `run` to end: accept nothing more, let running requests end within the grace, then cut them.

        Returns at once. From any thread and from signal handlers; a second call may shorten the grace.
        """
        grace = self._limits.grace_seconds if grace_seconds is None else grace_seconds
        deadline = time.monotonic() + grace
        self._deadline = deadline if self._deadline is None else min(self._deadline, deadline)
        self._loop.wakeup()

    def post(self, call: Callable[[], None]) -> None:
        """Have `run` call this soon. From any thread and from signal handlers."""
        if self._shared is not None:
            self._shared.post(call)

    def _over(self) -> bool:
        if self._deadline is None:
            return False
        assert self._shared is not None
        if not self._shared.stopping:
            self._shared.stopping = True
            for port in self._ports:
                _stop_listening(port)
        channels = [channel for port in self._ports for channel in list(port.active_channels.values())]
        for channel in channels:
            if channel.at_rest:
                channel.handle_close()
        return not any(channel.connected for channel in channels) or time.monotonic() >= self._deadline

    def _check(self) -> None:
        assert self._shared is not None
        now = time.monotonic()
        self._shared.run_alarms(now)
        if now >= self._check_at:
            self._check_at = now + self._pause
            self._loop.wake_all()
            self._shared.downloads.check(now)
            for certificate in self._certificates:
                certificate.check()
            for port in self._ports:
                try:
                    port.check(now)
                except Exception:
                    _log.exception("the time limits could not be checked")

    def _close(self) -> None:
        """Cut what is left and end all threads."""
        if self._closed:
            return
        self._closed = True
        for port in self._ports:
            for channel in list(port.active_channels.values()):
                channel.handle_close()
        if self._shared is not None:
            running = self._shared.close(_LAST_WORDS)
            if running:
                _log.warning("%d requests would not end and were left behind", running)
        self._loop.close()


def _stop_listening(port: Port) -> None:
    port.accepting = False
    port.del_channel()
    port.socket.close()


def _within_file_limit(limits: Limits, files: int) -> Limits:
    """Raise the limit of open files; where it can't be raised so far, the limits with fewer connections."""
    wanted = limits.connections * files + _OTHER_FILES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return limits
    most = wanted if hard == resource.RLIM_INFINITY else max(soft, min(wanted, hard))
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    if most >= wanted:
        return limits
    connections = max(_FEWEST, (most - _OTHER_FILES) // files)
    _log.warning(
        "This process may open %d files, which is enough for %d connections, not %d. Raise the limit of open files "
        "(ulimit -n, LimitNOFILE) or lower the number of connections.",
        most,
        connections,
        limits.connections,
    )
    return dataclasses.replace(
        limits,
        connections=min(limits.connections, connections),
        connections_per_port=min(limits.connections_per_port, max(1, connections * 4 // 5)),
        connections_per_address=min(limits.connections_per_address, max(1, connections // 4)),
    )

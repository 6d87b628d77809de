"""What all listeners and connections of one server share."""

import logging
import math
from collections import deque
from collections.abc import Callable
from typing import Any

from appliance.server.crowd import Crowd
from appliance.server.limits import Limits
from appliance.server.loop import Loop
from appliance.server.sender import Downloads
from appliance.server.transfers import Transfers
from appliance.server.turns import TurnPool

_log = logging.getLogger(__name__)


class Hub:
    """The thread pools, the downloads, and a way to have something done by the main loop's thread."""

    def __init__(self, limits: Limits, loop: Loop) -> None:
        self.limits = limits
        self.loop = loop
        self.crowd = Crowd(limits)
        self.workers = TurnPool("worker", limits.worker_threads, limits.patience_seconds)
        self.transfers = Transfers(limits)
        self.downloads = Downloads(limits)
        self.stopping = False
        """No new request is begun, and every answer ends its connection."""
        self._alarms: list[tuple[float, Any]] = []
        self._posted: deque[Callable[[], None]] = deque()

    def post(self, call: Callable[[], None]) -> None:
        """Have the main loop call this soon. From any thread."""
        self._posted.append(call)
        self.loop.ring()

    def wake_at(self, when: float, handler: Any) -> None:
        """Have the main loop ask `handler` again then. On its thread."""
        self._alarms.append((when, handler))

    @property
    def next_alarm(self) -> float:
        """When the first of those is due; infinite without any."""
        return min((when for when, _ in self._alarms), default=math.inf)

    def run_alarms(self, now: float) -> None:
        """Ask those again whose time has come."""
        for when, handler in self._alarms:
            if now >= when:
                self.loop.wake(handler)
        self._alarms = [alarm for alarm in self._alarms if now < alarm[0]]

    def run_posted(self) -> None:
        """Called by the main loop after each pass."""
        while self._posted:
            try:
                self._posted.popleft()()
            except Exception:
                _log.exception("a call in the main loop failed")

    def close(self, seconds: float) -> int:
        """End all threads; how many that serve requests would not end. Connections have been cut before."""
        running = self.workers.close(seconds) + self.transfers.close(seconds)
        self.downloads.close(seconds)
        self.run_posted()
        return running

"""What all listeners and connections of one server share."""

import logging
from collections import deque
from collections.abc import Callable

from appliance.server.limits import Limits
from appliance.server.loop import Loop
from appliance.server.pool import Pool
from appliance.server.sender import Downloads

_log = logging.getLogger(__name__)


class Hub:
    """The thread pools, the downloads, and a way to have something done by the main loop's thread."""

    def __init__(self, limits: Limits, loop: Loop) -> None:
        self.limits = limits
        self.loop = loop
        self.workers = Pool("worker", limits.worker_threads)
        self.transfers = Pool("transfer", limits.transfer_slots, limits.transfer_queue)
        self.downloads = Downloads(limits)
        self.stopping = False
        """No new request is begun, and every answer ends its connection."""
        self._posted: deque[Callable[[], None]] = deque()

    def post(self, call: Callable[[], None]) -> None:
        """Have the main loop call this soon. From any thread."""
        self._posted.append(call)
        self.loop.ring()

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

"""How slow a client may be while it sends a body."""

import select
import time

from appliance.errors import ClientVanished
from appliance.server.limits import Limits


class Pace:
    """Counts the time that we wait for the client and what it sends meanwhile; our own slowness is not held against it.

    One byte now and then is not enough: over `stall_seconds` of waiting it has to be `minimum_rate` a second.
    """

    def __init__(self, limits: Limits) -> None:
        self.stall_seconds = limits.stall_seconds
        self._window = limits.stall_seconds
        self._rate = limits.minimum_rate
        self._total = limits.upload_seconds
        self._begun = time.monotonic()
        self._waited = 0.0
        self._bytes = 0

    def received(self, size: int) -> None:
        """The client has sent so many bytes."""
        self._bytes += size

    def wait(self, poll: select.poll) -> None:
        """Wait until there is something to receive. Raises `ClientVanished` for a client that is too slow."""
        begin = time.monotonic()
        left = self._begun + self._total - begin if self._total else self.stall_seconds
        ready = poll.poll(max(0.0, min(left, self.stall_seconds)) * 1000)
        now = time.monotonic()
        if self._total and now >= self._begun + self._total:
            raise ClientVanished(f"The client took longer than {self._total:.0f} s to send the body.")
        if not ready:
            raise ClientVanished("The client stopped sending in the middle of the body.")
        self._waited += now - begin
        if self._waited >= self._window:
            if self._bytes < self._rate * self._waited:
                raise ClientVanished(f"The client sent less than {self._rate} bytes a second.")
            self._waited, self._bytes = 0.0, 0

"""How fast a transfer may go, and when: a token bucket, and the hours of the day."""

import re
import threading
import time
from collections.abc import Callable
from datetime import datetime

from appliance.errors import Invalid, Unavailable
from appliance.values import Micros

_HOURS = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]):([0-5]\d)")
_LOOK_AROUND = 0.2
_DAY = 24 * 60


class Interrupted(Unavailable):
    """A transfer was ended from here, and goes on when its time has come."""


class Bucket:
    """Lets `rate` bytes a second through, on the average of a second; 0 is no limit. For one thread at a time."""

    def __init__(self, rate: int, monotonic: Callable[[], float] = time.monotonic) -> None:
        self.rate = rate
        self._monotonic = monotonic
        self._room = float(rate)
        self._at = monotonic()

    def take(self, count: int) -> float:
        """So many bytes have come; how many seconds to wait before there may be more."""
        if not self.rate:
            return 0.0
        now = self._monotonic()
        self._room = min(float(self.rate), self._room + (now - self._at) * self.rate)
        self._at = now
        self._room -= count
        return max(0.0, -self._room / self.rate)


class Hours:
    """A part of the day, like 22:00-06:00, by the clock of this machine; all of it if the text is empty."""

    def __init__(self, text: str) -> None:
        self._span: tuple[int, int] | None = None
        if text:
            match = _HOURS.fullmatch(text)
            if match is None:
                raise Invalid(f"hours are written like 22:00-06:00, not {text}")
            first, last = int(match[1]) * 60 + int(match[2]), int(match[3]) * 60 + int(match[4])
            self._span = first, last

    def until(self, at: Micros) -> int:
        """Seconds from a moment until it begins; 0 within it."""
        if self._span is None or self.has(at):
            return 0
        moment = datetime.fromtimestamp(at / 1_000_000)
        return (self._span[0] * 60 - moment.hour * 3600 - moment.minute * 60 - moment.second) % (_DAY * 60)

    def has(self, at: Micros) -> bool:
        """Whether a moment is in it."""
        if self._span is None:
            return True
        moment = datetime.fromtimestamp(at / 1_000_000)
        first, last = self._span
        return (moment.hour * 60 + moment.minute - first) % _DAY < (last - first) % _DAY


class Pacer:
    """What a transfer calls with each piece that has come: waits, or ends it when it has to stop."""

    def __init__(
        self,
        rate: int = 0,
        may_go_on: Callable[[], bool] = lambda: True,
        stopping: threading.Event | None = None,
    ) -> None:
        """`rate` is in bytes a second, 0 for no limit."""
        self._bucket = Bucket(rate)
        self._theirs = Bucket(0)
        self._may_go_on = may_go_on
        self._stopping = stopping or threading.Event()
        self.came = 0
        """Bytes that have come over the wire."""

    def __call__(self, count: int) -> None:
        self.came += count
        self.pause(max(self._bucket.take(count), self._theirs.take(count)))

    def also(self, rate: int) -> None:
        """Go no faster than the other side wants, either."""
        if rate != self._theirs.rate:
            self._theirs = Bucket(rate)

    def pause(self, seconds: float) -> None:
        """Wait. Raises `Interrupted` if the transfer has to end."""
        while True:
            if self._stopping.is_set():
                raise Interrupted("The service is stopping; what has come stays.")
            if not self._may_go_on():
                raise Interrupted("This is not within its hours (`--between`); what has come stays.")
            if seconds <= 0:
                return
            self._stopping.wait(min(seconds, _LOOK_AROUND))
            seconds -= _LOOK_AROUND

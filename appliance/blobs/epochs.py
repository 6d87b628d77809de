"""What a collector has to know of uploads and readers in other processes, where several use one store.

Everyone counts epochs. Whoever collects begins one; everyone tells the epoch in which the oldest thing that they still
read or write was begun. What was seen before an epoch began, and is older than everything that anybody is still at,
nobody can have met as it was before: no clock is compared with another's.
"""

from collections import deque
from collections.abc import Callable, Hashable
from typing import Protocol

from appliance.values import Micros


class Others(Protocol):
    """The other processes on the same index and backend."""

    @property
    def epoch(self) -> int:
        """The last epoch that this process has heard of. Asks nobody."""
        ...

    @property
    def may_remove(self) -> bool:
        """Whether this process is still one of them: one that was away for too long is not."""
        ...

    def begin_epoch(self) -> int:
        """Begin a new one; its number."""
        ...

    def passed_epoch(self) -> int:
        """The epoch that the oldest upload or reader of any of them was begun in."""
        ...


class Horizon:
    """How far back the others may still look. Used by one collector, from `begin_pass` to `end_pass` and again.

    Where there are no others, all is past.
    """

    def __init__(self, others: Others | None, tick: Callable[[], Micros]) -> None:
        self._others = others
        self._tick = tick
        self._epoch = 0
        self._seen: dict[Hashable, int] = {}
        # (epoch, time of before it began), oldest first.
        self._begun: deque[tuple[int, Micros]] = deque()
        self._marks_until: Micros = -1

    def begin_pass(self) -> None:
        if self._others is None:
            return
        before = self._tick()
        self._epoch = self._others.begin_epoch()
        self._begun.append((self._epoch, before))

    def end_pass(self) -> None:
        """Begin the epoch that what was seen in this pass waits for."""
        if self._others is not None:
            self._others.begin_epoch()

    def is_past(self, thing: Hashable) -> bool:
        """Whether the thing has been like this since before anything began that somebody is still at.

        The first time that it is asked about it has only just become so.
        """
        if self._others is None:
            return True
        return self._seen.setdefault(thing, self._epoch) < self._others.passed_epoch()

    def forget(self, thing: Hashable) -> None:
        self._seen.pop(thing, None)

    def marks_until(self) -> Micros:
        """What this collector had marked by then, no upload of the others can have met without its mark."""
        if self._others is None:
            return self._tick()
        passed = self._others.passed_epoch()
        while self._begun and self._begun[0][0] <= passed:
            self._marks_until = self._begun.popleft()[1]
        return self._marks_until

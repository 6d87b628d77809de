"""Progress on a terminal: how much of it is done, how fast, and how long the rest will take."""

import shutil
import sys
import time
from types import TracebackType
from typing import Self

from appliance.cli.output import duration, is_quiet, size_text

_BETWEEN = 0.1
_CERTAIN = 1.0
"""Seconds before the time that is left is guessed at."""
_WIDEST = 40


class Progress:
    """Counts the bytes, or with `unit` the things, of one piece of work.

    `total` is None when nobody knows how many there will be.
    """

    def __init__(self, label: str, total: int | None, done: int = 0, unit: str = "") -> None:
        self._label = label
        self.total = total
        self._done = done
        self._before = done
        self._unit = unit
        self._shown = sys.stderr.isatty() and not is_quiet()
        self._started = self._drawn = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._shown:
            self._draw(time.monotonic(), ended=True)
            sys.stderr.write("\n")
            sys.stderr.flush()

    def add(self, count: int) -> None:
        """`count` more have been done."""
        self._done += count
        moment = time.monotonic()
        if self._shown and moment - self._drawn >= _BETWEEN:
            self._draw(moment)

    def _draw(self, moment: float, *, ended: bool = False) -> None:
        self._drawn = moment
        columns = shutil.get_terminal_size((80, 24)).columns
        sys.stderr.write(f"\r{self.line(moment - self._started, columns - 1, ended=ended)}\033[K")
        sys.stderr.flush()

    def line(self, seconds: float, columns: int, *, ended: bool = False) -> str:
        """What is shown after so many seconds, in so many columns: what matters most comes first."""
        rate = (self._done - self._before) / max(seconds, 0.001)
        speed = f"{size_text(rate)}/s" if not self._unit else ""
        if not self.total:
            return f"{self._label} {self._amount(self._done)}  {speed}"[:columns].rstrip()
        share = min(self._done / self.total, 1.0)
        tail = f" {share:4.0%}  {self._amount(self._done)} of {self._amount(self.total)}  {speed}".rstrip()
        if ended:
            tail += f"  in {duration(seconds)}"
        elif rate and seconds >= _CERTAIN:
            tail += f"  {duration((self.total - self._done) / rate)} left"
        width = min(_WIDEST, columns - len(self._label) - len(tail) - 3)
        if width < 5:
            label = self._label[: max(columns - len(tail), 0)]
            return f"{label}{tail}"[:columns]
        filled = round(share * width)
        return f"{self._label} [{'#' * filled}{'.' * (width - filled)}]{tail}"

    def _amount(self, count: int) -> str:
        return f"{count} {self._unit}" if self._unit else size_text(count)

"""A progress bar on standard error, drawn only when that is a terminal."""

import shutil
import sys
import time
from types import TracebackType

from appliance.cli.client.output import size_text

_BETWEEN = 0.1


class Progress:
    """Counts the bytes of one transfer. `total` is None when nobody knows how many there will be."""

    def __init__(self, label: str, total: int | None, done: int = 0) -> None:
        self._label = label
        self._total = total
        self._done = done
        self._before = done
        self._shown = sys.stderr.isatty()
        self._started = self._drawn = time.monotonic()

    def __enter__(self) -> "Progress":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._shown:
            self._draw(time.monotonic())
            sys.stderr.write("\n")
            sys.stderr.flush()

    def add(self, count: int) -> None:
        """`count` more bytes have been moved."""
        self._done += count
        moment = time.monotonic()
        if self._shown and moment - self._drawn >= _BETWEEN:
            self._draw(moment)

    def _draw(self, moment: float) -> None:
        self._drawn = moment
        speed = f"{size_text((self._done - self._before) / max(moment - self._started, 0.001))}/s"
        columns = shutil.get_terminal_size().columns
        if self._total:
            share = min(self._done / self._total, 1.0)
            tail = f" {share:4.0%}  {size_text(self._done)} of {size_text(self._total)}  {speed}"
            width = max(min(40, columns - len(self._label) - len(tail) - 4), 0)
            filled = round(share * width)
            line = f"{self._label} [{'#' * filled}{'.' * (width - filled)}]{tail}"
        else:
            line = f"{self._label} {size_text(self._done)}  {speed}"
        sys.stderr.write(f"\r{line[: columns - 1]}\033[K")
        sys.stderr.flush()

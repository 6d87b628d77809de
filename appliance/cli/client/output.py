"""What a client's verb prints: tables, values, JSON, and progress."""

import argparse
import json
import shutil
import sys
import time
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any

from appliance.errors import WrongUsage

Row = Mapping[str, Any]


def show_one(arguments: argparse.Namespace, row: Row) -> None:
    """Print one thing: a line for each of its fields."""
    names = _columns(arguments, list(row), row)
    if arguments.format == "json":
        _print_json({name: row[name] for name in names})
    elif arguments.format == "value":
        for name in names:
            print(text(row[name]))
    else:
        _table(("field", "value"), [(name, text(row[name])) for name in names])


def show_list(arguments: argparse.Namespace, rows: Sequence[Row], columns: Sequence[str]) -> None:
    """Print things, one a line. JSON has all of their fields unless columns are chosen, the other forms `columns`."""
    known = {name: None for row in rows for name in row} if rows else dict.fromkeys(columns)
    if arguments.format == "json" and not arguments.column:
        _print_json([dict(row) for row in rows])
        return
    names = _columns(arguments, columns, known)
    if arguments.format == "json":
        _print_json([{name: row.get(name) for name in names} for row in rows])
    elif arguments.format == "value":
        for row in rows:
            print(" ".join(text(row.get(name)) for name in names))
    else:
        _table(names, [[text(row.get(name)) for name in names] for row in rows])


def text(value: Any) -> str:
    """A value as people read it; never with a character that would steer their terminal."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | tuple) and all(isinstance(part, str) for part in value):
        value = ", ".join(value)
    if isinstance(value, dict | list):
        value = json.dumps(value, ensure_ascii=False)
    shown = "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in str(value))
    return shown if shown.isascii() else _encodable(shown)


def _encodable(shown: str) -> str:
    """The text with escapes for what the encoding of standard output lacks, so that columns stay aligned."""
    encoding = sys.stdout.encoding or "utf-8"
    return shown.encode(encoding, "backslashreplace").decode(encoding)


def size_text(size: float) -> str:
    """`20.7 MiB`."""
    unit = "B"
    for unit in ("B", "KiB", "MiB", "GiB", "TiB"):
        if size < 1024 or unit == "TiB":
            break
        size /= 1024
    return f"{size:.0f} B" if unit == "B" else f"{size:.1f} {unit}"


def say(sentence: str) -> None:
    """Tell the person something that is no part of the result."""
    print(sentence, file=sys.stderr, flush=True)


def _columns(arguments: argparse.Namespace, usual: Sequence[str], known: Mapping[str, Any]) -> Sequence[str]:
    for name in arguments.column or ():
        if name not in known:
            raise WrongUsage(f"there is no column {name}; there are {', '.join(known)}")
    return arguments.column or usual


def _print_json(document: Any) -> None:
    plain = json.dumps(document, indent=2, ensure_ascii=False)
    try:
        plain.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        plain = json.dumps(document, indent=2)
    print(plain)


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    widths = [max(len(line[column]) for line in (heads, *rows)) for column in range(len(heads))]
    print("  ".join(head.upper().ljust(width) for head, width in zip(heads, widths, strict=True)).rstrip())
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


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

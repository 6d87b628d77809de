"""What verbs print: tables for people, JSON, YAML, CSV and bare values for programs, and notes beside the result."""

import csv
import functools
import json
import os
import shutil
import sys
import textwrap
import time
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import click
import yaml  # type: ignore[import-untyped]

from appliance.cli.commands import collecting, option, switch
from appliance.errors import WrongUsage

Row = Mapping[str, Any]
FORMATS = ("table", "json", "yaml", "csv", "value")


def with_output(function: Callable[..., Any]) -> Callable[..., Any]:
    """Flags that say how to print; the verb gets an `Output`."""
    wrapped = collecting("output", ("format", "column"), lambda given: Output(**given))(function)
    options = (
        option(
            *("-f", "--format"),
            type=click.Choice(FORMATS),
            default="table",
            metavar="FORMAT",
            section="Output",
            help="table, json, yaml, csv, or bare values: value [table]",
        ),
        option(
            *("-c", "--column"),
            multiple=True,
            metavar="NAME",
            section="Output",
            help="only this column; may be repeated",
        ),
        with_quiet,
    )
    return functools.reduce(lambda made, add: add(made), reversed(options), wrapped)


def with_quiet(function: Callable[..., Any]) -> Callable[..., Any]:
    """The flag that leaves notes and progress out."""

    def hush(ctx: click.Context, param: click.Parameter, value: bool) -> None:
        be_quiet(value)

    return switch(
        *("-q", "--quiet"), callback=hush, expose_value=False, section="Output", help="no progress and no notes"
    )(function)


class Output:
    """One verb's result, in the form that was asked for."""

    def __init__(self, format: str = "table", column: Sequence[str] = ()) -> None:
        self.format = format
        self._chosen = list(column)

    def one(self, row: Row) -> None:
        """Print one thing: a line for each of its fields."""
        names = self._names(list(row), row)
        if self.format in ("json", "yaml"):
            self._document({name: row[name] for name in names})
        elif self.format == "csv":
            _csv([names, [row[name] for name in names]])
        elif self.format == "value":
            for name in names:
                print(text(row[name]))
        else:
            _table(("field", "value"), [(name, _shown(name, row[name], full=True)) for name in names], names)

    def many(self, rows: Sequence[Row], columns: Sequence[str]) -> None:
        """Print things, one a line. JSON and YAML have all of their fields unless columns are chosen."""
        known = {name: None for row in rows for name in row} if rows else dict.fromkeys(columns)
        names = self._names(columns, known)
        if self.format in ("json", "yaml"):
            whole = not self._chosen
            self._document([dict(row) if whole else {name: row.get(name) for name in names} for row in rows])
        elif self.format == "csv":
            _csv([names, *([row.get(name) for name in names] for row in rows)])
        elif self.format == "value":
            for row in rows:
                print(" ".join(text(row.get(name)) for name in names))
        else:
            _table(names, [[_shown(name, row.get(name)) for name in names] for row in rows])

    def _names(self, usual: Sequence[str], known: Mapping[str, Any]) -> Sequence[str]:
        for name in self._chosen:
            if name not in known:
                raise WrongUsage(f"there is no column {name}; there are {', '.join(known)}")
        return self._chosen or usual

    def _document(self, document: Any) -> None:
        if self.format == "yaml":
            print(yaml.safe_dump(document, sort_keys=False, allow_unicode=_fits_all()), end="")
        else:
            print(json.dumps(document, indent=2, ensure_ascii=not _fits_all()))


def _fits_all() -> bool:
    return (sys.stdout.encoding or "utf-8").lower().replace("-", "") == "utf8"


def _csv(rows: Iterable[Sequence[Any]]) -> None:
    csv.writer(sys.stdout, lineterminator="\n").writerows([text(cell) for cell in row] for row in rows)


# -- values ------------------------------------------------------------------------------------------------------------


def text(value: Any) -> str:
    """A value as programs read it; never with a character that would steer a terminal."""
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


_SIZES = frozenset({"size", "virtual_size", "logical", "unique", "stored", "file", "bytes", "rate"})
_TIMES = ("_at", "expires")
_TIME_NAMES = ("at", "since")


def _shown(name: str, value: Any, *, full: bool = False) -> str:
    """A value as people read it: a size with its unit, a time by how long ago. `full` keeps the exact one as well."""
    plain = text(value)
    human = ""
    if isinstance(value, int) and not isinstance(value, bool) and (name in _SIZES or name.startswith("saved_by_")):
        human = size_text(value)
        return f"{human} ({plain} bytes)" if full and human != f"{plain} B" else human
    if isinstance(value, str) and (name.endswith(_TIMES) or name in _TIME_NAMES):
        human = ago(value)
    if not human:
        return plain
    return f"{plain} ({human})" if full else human


def size_text(size: float) -> str:
    """`20.7 MiB`."""
    unit = "B"
    for unit in ("B", "KiB", "MiB", "GiB", "TiB"):
        if abs(size) < 1024 or unit == "TiB":
            break
        size /= 1024
    return f"{size:.0f} B" if unit == "B" else f"{size:.1f} {unit}"


_SPANS = ((86400 * 365, "year"), (86400 * 30, "month"), (86400, "day"), (3600, "hour"), (60, "minute"), (1, "second"))


def ago(moment: str, now: float | None = None) -> str:
    """`3 hours ago` or `in 2 days` for a time in ISO 8601; empty for what is none."""
    try:
        at = datetime.fromisoformat(moment.replace("Z", "+00:00"))
    except ValueError:
        return ""
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    seconds = round((time.time() if now is None else now) - at.timestamp())
    if abs(seconds) < 2:
        return "now"
    length, unit = next(span for span in _SPANS if abs(seconds) >= span[0])
    count = abs(seconds) // length
    said = f"{count} {unit}{'s' if count > 1 else ''}"
    return f"{said} ago" if seconds > 0 else f"in {said}"


def duration(seconds: float) -> str:
    """`1:02:03` or `0:42`."""
    hours, rest = divmod(max(round(seconds), 0), 3600)
    return f"{hours}:{rest // 60:02}:{rest % 60:02}" if hours else f"{rest // 60}:{rest % 60:02}"


# -- tables ------------------------------------------------------------------------------------------------------------

_GAP = 2
_NARROWEST = 8
_COLOURS = {
    **dict.fromkeys(("active", "success", "accepted", "answers", "ok"), 32),
    **dict.fromkeys(("queued", "saving", "uploading", "importing", "pending", "processing", "stopped", "cached"), 33),
    **dict.fromkeys(("deactivated", "killed", "deleted", "pending_delete", "failure", "rejected"), 31),
}
_COLOURED = ("status", "state")


def has_colour() -> bool:
    """Whether standard output is a terminal whose owner wants colours."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]], fields: Sequence[str] = ()) -> None:
    """`fields` are the names of the rows, where each is one field of a single thing."""
    widths = [max(map(_width, column)) for column in zip(heads, *rows, strict=True)]
    if sys.stdout.isatty() and not fields:
        columns = shutil.get_terminal_size().columns
        fitted = _fitted(heads, widths, columns - _GAP * (len(widths) - 1))
        if fitted is None:
            _records(heads, rows)
            return
        rows = [[_cut(cell, width) for cell, width in zip(row, fitted, strict=True)] for row in rows]
        widths = fitted
    gap = " " * _GAP
    print(gap.join(_padded(head.upper(), width) for head, width in zip(heads, widths, strict=True)).rstrip())
    for number, row in enumerate(rows):
        names = (heads[0], fields[number]) if fields else heads
        cells = [_padded(cell, width) for cell, width in zip(row, widths, strict=True)]
        cells[-1] = cells[-1].rstrip()
        print(gap.join(_coloured(name, cell) for name, cell in zip(names, cells, strict=True)).rstrip())


def _fitted(heads: Sequence[str], widths: Sequence[int], room: int) -> list[int] | None:
    """Widths that fit into a line; an id is never cut. None if that leaves nothing readable."""
    fitted = list(widths)
    while sum(fitted) > room:
        can = [at for at, head in enumerate(heads) if not head.endswith("id") and fitted[at] > _NARROWEST]
        if not can:
            return None
        fitted[max(can, key=lambda at: fitted[at])] -= 1
    return fitted


def _records(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """The rows of a table that is too wide, each as lines of its own. Text goes on below itself; no word is cut."""
    label = max(map(len, heads))
    room = max(shutil.get_terminal_size().columns - label - 1, 20)
    below = "\n" + " " * (label + 1)
    for number, row in enumerate(rows):
        if number:
            print()
        for head, cell in zip(heads, row, strict=True):
            parts = textwrap.wrap(cell, room, break_long_words=False, break_on_hyphens=False)
            print(f"{head.upper():{label}} {below.join(_coloured(head, part) for part in parts)}".rstrip())


def _width(shown: str) -> int:
    """Columns that a text takes in a terminal."""
    if shown.isascii():
        return len(shown)
    marks = sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in shown)
    return marks - sum(1 for letter in shown if unicodedata.combining(letter))


def _padded(cell: str, width: int) -> str:
    return cell + " " * max(width - _width(cell), 0)


def _cut(cell: str, width: int) -> str:
    if _width(cell) <= width:
        return cell
    end = _encodable("…")
    end = end if len(end) == 1 else "~"
    while _width(cell) > width - 1:
        cell = cell[:-1]
    return cell + end


def _coloured(name: str, cell: str) -> str:
    code = _COLOURS.get(cell.strip().lower()) if name in _COLOURED and has_colour() else None
    return f"\033[{code}m{cell}\033[0m" if code else cell


# -- notes -------------------------------------------------------------------------------------------------------------


class _Manner:
    quiet = False


def be_quiet(quiet: bool) -> None:
    """Leave notes and progress out from now on, or don't."""
    _Manner.quiet = quiet


def is_quiet() -> bool:
    return _Manner.quiet


def note(sentence: str) -> None:
    """Tell the person something that can be left out."""
    if not _Manner.quiet:
        say(sentence)


def say(sentence: str) -> None:
    """Tell the person something that is no part of the result."""
    print(sentence, file=sys.stderr, flush=True)


def confirm(question: str, *, yes: bool) -> None:
    """Ask on a terminal before data is lost. A script, which has none, has said what it means."""
    if yes or not (sys.stdin.isatty() and sys.stderr.isatty()):
        return
    if not click.confirm(question, err=True):
        raise click.Abort

"""`export`: what the database holds, without secrets, for spreadsheets, scripts and SQLite's own tools."""

import csv
import json
import os
import shutil
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TextIO

import click

from appliance.cli.commands import argument, option, verb
from appliance.cli.flags import Flags, settings_for, with_directory
from appliance.datadir import DataDir
from appliance.db.export import TABLES, Exported, each, write_sqlite
from appliance.errors import Fatal, WrongUsage

_STDOUT = "-"


def _names(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    return [name for name in TABLES if name.startswith(incomplete)]


@verb()
@argument("target", metavar="TARGET", help="new database file, or new directory for csv and jsonl; - for one table")
@argument("tables", metavar="[TABLE]...", nargs=-1, shell_complete=_names, help="only these tables")
@option(
    "-f",
    "--format",
    type=click.Choice(["sqlite", "csv", "jsonl"]),
    default="sqlite",
    help="one SQLite database, or for each table a file of comma-separated values or of a JSON object a line [sqlite]",
)
@with_directory
def export(flags: Flags, target: str, tables: tuple[str, ...], format: str) -> int:
    for name in tables:
        if name not in TABLES:
            raise WrongUsage(f"there is no table {name} to export; there are {', '.join(TABLES)}")
    settings = settings_for(flags)
    if settings.database:
        raise Fatal("The rows are on a database server: its own tools export them (psql, \\copy).")
    directory = DataDir(settings.data_dir)
    if not directory.database.is_file():
        raise Fatal(f"{directory.path} has no database to export")
    chosen = tables or tuple(TABLES)
    if target == _STDOUT:
        if len(chosen) != 1 or format == "sqlite":
            raise WrongUsage("only one table, as csv or jsonl, can be written to the standard output")
        for exported in each(directory.database, chosen):
            _WRITERS[format](exported, sys.stdout)
        return 0
    made = Path(target)
    if made.exists():
        raise Fatal(f"{made} exists already, and an export overwrites nothing")
    try:
        counts = _write(directory.database, made, chosen, format)
    except BaseException as error:
        _remove(made)
        if isinstance(error, OSError):
            raise Fatal(f"can't write {made}: {os.strerror(error.errno or 0)}") from error
        raise
    print(f"{sum(counts.values())} rows of {len(counts)} tables are in {made}")
    return 0


def _write(database: Path, target: Path, tables: Sequence[str], format: str) -> dict[str, int]:
    if format == "sqlite":
        return write_sqlite(database, target, tables)
    target.mkdir(mode=0o700)
    counts = {}
    for exported in each(database, tables):
        with open(target / f"{exported.name}.{format}", "x", encoding="utf-8", newline="") as file:
            counts[exported.name] = _WRITERS[format](exported, file)
    return counts


def _write_csv(exported: Exported, file: TextIO) -> int:
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(exported.columns)
    count = 0
    for row in exported.rows:
        writer.writerow(map(_cell, row))
        count += 1
    return count


def _cell(value: object) -> object:
    """A spreadsheet takes what begins with one of these signs for a formula: names come from anybody."""
    return f"'{value}" if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r") else value


def _write_jsonl(exported: Exported, file: TextIO) -> int:
    count = 0
    for row in exported.rows:
        count += 1
        file.write(json.dumps(dict(zip(exported.columns, row, strict=True)), ensure_ascii=False) + "\n")
    return count


_WRITERS: dict[str, Callable[[Exported, TextIO], int]] = {"csv": _write_csv, "jsonl": _write_jsonl}


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)

"""`backup`: copy a data directory, in use or not, to another place; the next time only what is new."""

import argparse
from pathlib import Path

from appliance.cli.flags import add_directory, settings_for
from appliance.datadir import DataDir
from appliance.errors import Fatal
from appliance.image.stores import store_directories, with_recorded_stores
from appliance.maintenance.backup import CopyReport, back_up


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("target", metavar="TARGET", type=Path, help="directory of the backup: new, or a former one")
    add_directory(parser)


def run(arguments: argparse.Namespace) -> int:
    settings = settings_for(arguments)
    if settings.database:
        raise Fatal(
            "The rows are on a database server, and `backup` copies files: back the database up there first (pg_dump), "
            "then copy the data directory with your own tools."
        )
    directory = DataDir(settings.data_dir)
    settings = with_recorded_stores(settings, directory)
    report = back_up(directory, arguments.target, store_directories(settings, directory), settings)
    print(told(report))
    return 1 if report.missing else 0


def told(report: CopyReport) -> str:
    """A copy's outcome in a few lines."""
    copied = f"{report.copied} segments copied ({report.copied_size} bytes), {report.kept} were there, "
    lines = [f"{copied}{report.removed} were no longer needed and removed"]
    if report.missing:
        lines.append(
            f"{len(report.missing)} segments are missing or not whole at the source; `doctor` names the images"
        )
    return "\n".join(lines)

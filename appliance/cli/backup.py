"""`backup` and `restore`: copy a data directory, in use or not, and make one of such a copy, every byte read back."""

from pathlib import Path

import click

from appliance.cli.commands import argument, verb
from appliance.cli.directory import owned
from appliance.cli.flags import Flags, settings_for, with_directory
from appliance.cli.output import note, size_text, with_quiet
from appliance.cli.progress import Progress
from appliance.datadir import DataDir
from appliance.errors import Fatal
from appliance.image.store_settings import store_backends, with_recorded_stores, write_record
from appliance.maintenance.backup import CopyReport, back_up, check_backup
from appliance.maintenance.backup import restore as copy_back
from appliance.maintenance.doctor import Doctor
from appliance.settings import Settings
from appliance.values import now

_PLACE = click.Path(path_type=Path)


class _Copying(Progress):
    """Progress of a copy, which learns how much there is when it begins."""

    def __init__(self, label: str) -> None:
        super().__init__(label, None)

    def of(self, done: int, total: int) -> None:
        self.total = total
        self.add(done)


@verb()
@argument("target", metavar="TARGET", type=_PLACE, help="directory of the backup: new, or a former one")
@with_quiet
@with_directory
def backup(flags: Flags, target: Path) -> int:
    settings = settings_for(flags)
    if settings.database:
        raise Fatal(
            "The rows are on a database server, and `backup` copies files: back the database up there first (pg_dump), "
            "then copy the data directory with your own tools."
        )
    directory = DataDir(settings.data_dir)
    settings = with_recorded_stores(settings, directory)
    with _Copying("backup") as progress:
        report = back_up(directory, target, store_backends(settings, directory), settings, progress.of)
    print(_told(report))
    return 1 if report.missing else 0


def _told(report: CopyReport) -> str:
    """A copy's outcome in a few lines."""
    copied = f"{report.copied} segments copied ({size_text(report.copied_size)}), {report.kept} were there, "
    lines = [f"{copied}{report.removed} were no longer needed and removed"]
    if report.missing:
        lines.append(
            f"{len(report.missing)} segments are missing or not whole at the source; `doctor` names the images"
        )
    return "\n".join(lines)


@verb()
@argument("source", metavar="BACKUP", type=_PLACE, help="directory that `backup` made")
@with_quiet
@with_directory
def restore(flags: Flags, source: Path) -> int:
    settings = settings_for(flags)
    check_backup(DataDir(source))  # before anything is made
    target = DataDir(settings.data_dir)
    # What the backup has, each store inside the new directory unless the settings say where.
    settings = with_recorded_stores(settings, DataDir(source))
    target.acquire("restore")
    try:
        with _Copying("restore") as progress:
            report = copy_back(source, target, store_backends(settings, target), progress.of)
        write_record(settings, target)
    finally:
        target.release()
    print(_told(report))
    with owned(settings, "restore") as opened:
        doctor = Doctor(opened.db, opened.stores, now)
        with Progress("read back", doctor.stored()) as reading:
            findings = list(doctor.examine(deep=True, progress=reading.add))
    told_otherwise = settings_for(flags)
    if told_otherwise.enabled_backends and _places(told_otherwise, target) != _places(settings, target):
        print(f"the settings name other places for the stores than those they are in now: see {target.store_record}")
    for finding in findings:
        print(finding.text)
    if not findings and not report.missing:
        print("every byte was read back and is as it was stored")
        note(f"`glance-appliance serve --data-dir {target.path}` serves it.")
    return 1 if findings or report.missing else 0


def _places(settings: Settings, target: DataDir) -> dict[str, str]:
    return {name: backend.place for name, backend in store_backends(settings, target).items()}

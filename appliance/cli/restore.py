"""`restore`: make a data directory of a backup, and read every byte of it back."""

import argparse
from pathlib import Path

from appliance.cli.backup import told
from appliance.cli.flags import add_directory, owned, settings_for
from appliance.datadir import DataDir
from appliance.image.store_settings import store_backends, with_recorded_stores, write_record
from appliance.maintenance.backup import check_backup, restore
from appliance.maintenance.doctor import Doctor
from appliance.settings import Settings
from appliance.values import now


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("backup", metavar="BACKUP", type=Path, help="directory that `backup` made")
    add_directory(parser)


def run(arguments: argparse.Namespace) -> int:
    settings = settings_for(arguments)
    check_backup(DataDir(arguments.backup))  # before anything is made
    target = DataDir(settings.data_dir)
    # What the backup has, each store inside the new directory unless the settings say where.
    settings = with_recorded_stores(settings, DataDir(arguments.backup))
    target.acquire("restore")
    try:
        report = restore(arguments.backup, target, store_backends(settings, target))
        write_record(settings, target)
    finally:
        target.release()
    print(told(report))
    with owned(settings, "restore") as opened:
        findings = list(Doctor(opened.db, opened.stores, now).examine(deep=True))
    told_otherwise = settings_for(arguments)
    if told_otherwise.enabled_backends and _places(told_otherwise, target) != _places(settings, target):
        print(f"the settings name other places for the stores than those they are in now: see {target.store_record}")
    for finding in findings:
        print(finding.text)
    if not findings and not report.missing:
        print("every byte was read back and is as it was stored")
    return 1 if findings or report.missing else 0


def _places(settings: Settings, target: DataDir) -> dict[str, str]:
    return {name: backend.place for name, backend in store_backends(settings, target).items()}

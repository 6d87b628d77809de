"""`uninstall`: take the service away again."""

import argparse
from pathlib import Path

from appliance.cli.machine import DATA_DIR, NAME, PROGRAM, SETTINGS, SYSUSERS, UNIT, UNPACK_DIR, WANTED, Machine


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--dry-run", action="store_true", help="print what would be done, and do nothing")
    parser.add_argument("--root", metavar="DIR", help="take it out of this folder, which becomes a machine later")
    parser.add_argument("--purge", action="store_true", help=f"delete all images in {DATA_DIR} and the settings, too")


def run(arguments: argparse.Namespace) -> int:
    machine = Machine(root=Path(arguments.root).absolute() if arguments.root else None, dry=arguments.dry_run)
    machine.demand_root("uninstall")
    machine.run("systemctl", "disable", "--now", NAME, may_fail=True)
    for path in (WANTED, UNIT, SYSUSERS, UNPACK_DIR, PROGRAM):
        machine.remove(path)
    if arguments.purge:
        machine.remove(DATA_DIR)
        machine.remove(SETTINGS.parent)
        machine.run("userdel", NAME, may_fail=True)
    machine.run("systemctl", "daemon-reload")
    if not machine.dry and not arguments.purge:
        print(f"The images stay in {DATA_DIR} and the settings in {SETTINGS.parent}; --purge deletes them.")
    return 0

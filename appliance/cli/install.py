"""`install` and `uninstall`: make the appliance a service of this machine, and take it away again."""

import os
from pathlib import Path
from typing import Any

import click

from appliance.cli.commands import option, switch, verb
from appliance.cli.flags import Flags, exposed_secrets, with_settings
from appliance.cli.machine import (
    DATA_DIR,
    HIDDEN,
    NAME,
    PROGRAM,
    SETTINGS,
    SYSUSERS,
    UNIT,
    UNPACK_DIR,
    WANTED,
    Machine,
    Service,
    invocation,
    is_one_file,
    sysusers,
    unit,
)
from appliance.cli.output import confirm, say
from appliance.errors import Fatal, WrongUsage
from appliance.setting_sources import check
from appliance.settings import FIELDS

_OWN = ("data_dir",)


@verb()
@switch("--dry-run", help="print what would be done, and the unit, and do nothing")
@option("--root", metavar="DIR", type=click.Path(), help="install into this folder, which becomes a machine later")
@switch("--no-start", help="start it at the next boot, not now")
@with_settings()
def install(flags: Flags, dry_run: bool, root: str | None, no_start: bool) -> int:
    machine = Machine(root=Path(root).absolute() if root else None, dry=dry_run)
    if flags["config"]:
        raise WrongUsage(f"the service's settings file is {SETTINGS}: copy yours there after install")
    for warning in exposed_secrets(flags):
        say(warning)
    settings = _settings_file(flags)
    machine.demand_root("install")
    service = _service(flags, machine, root)
    if settings is not None and machine.at(SETTINGS).exists():
        raise Fatal(f"{SETTINGS} is there already: change the settings in it, then run `systemctl restart {NAME}`")
    _put_in_place(machine, service, settings or NO_SETTINGS)
    if machine.dry:
        print(f"\nThe unit, {UNIT}:\n\n{unit(service)}", end="")
        return 0
    if not machine.is_live:
        print(f"{NAME} is in {root}, and starts when that boots.")
        return 0
    machine.run("systemctl", "daemon-reload")
    if not no_start:
        machine.run("systemctl", "restart", NAME)
        print(f"{NAME} runs, now and after every boot. `{NAME} status` says how it is, `journalctl -u {NAME}` more.")
    print(f"Root finds the administrator's credentials in {service.data_dir / 'admin-openrc'} once it has started.")
    return 0


def _put_in_place(machine: Machine, service: Service, settings: str) -> None:
    if service.program == (str(PROGRAM),):
        machine.copy_program(Path(invocation()[0]), PROGRAM)
    machine.write(SYSUSERS, sysusers(service))
    machine.run("systemd-sysusers", str(SYSUSERS))
    if not machine.at(SETTINGS).exists():
        machine.write(SETTINGS, settings, 0o640, group=service.user)
    if service.data_dir != DATA_DIR:
        machine.directory(service.data_dir, service.user)
    machine.write(UNIT, unit(service))
    machine.link(WANTED, UNIT)


def _service(flags: Flags, machine: Machine, root: str | None) -> Service:
    """The service that this program would be. Refuses what the unit's hardening would break."""
    data_dir = Path(flags["data_dir"]).absolute() if flags["data_dir"] else DATA_DIR
    program = (str(PROGRAM),) if is_one_file() else invocation()
    # A folder that becomes a machine gets its program from elsewhere.
    words = () if root else (Path(word) for word in program if word.startswith("/"))
    for path in (data_dir, *words):
        for hidden in HIDDEN:
            if path.is_relative_to(hidden) and not machine.dry:
                raise Fatal(f"{path} can't be used by a service: its unit keeps {hidden} from it")
    if is_one_file() and _is_noexec(UNPACK_DIR) and not root:
        raise Fatal(f"{UNPACK_DIR.parent} is mounted noexec, so that the program can't unpack itself there")
    return Service(program, data_dir, unpacks=is_one_file())


def _is_noexec(path: Path) -> bool:
    there = next(parent for parent in (path, *path.parents) if parent.exists())
    return bool(os.statvfs(there).f_flag & os.ST_NOEXEC)


def _settings_file(flags: Flags) -> str | None:
    """The settings that the flags give, as the text of an `appliance.toml`; None if they give none."""
    check(flags)
    given = {name: flags[name] for name in FIELDS if flags.get(name) is not None and name not in _OWN}
    if not given:
        return None
    return NO_SETTINGS + "".join(f"{name} = {_toml(value)}\n" for name, value in given.items())


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    escaped = str(value).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


NO_SETTINGS = f"""\
# Settings of the Glance appliance; `{NAME} help settings` lists them.
# They take effect with `systemctl restart {NAME}`.
"""
"""The settings file of a service that has no settings of its own yet."""


@verb()
@switch("--dry-run", help="print what would be done, and do nothing")
@option("--root", metavar="DIR", type=click.Path(), help="take it out of this folder, which becomes a machine later")
@switch("--purge", help=f"delete all images in {DATA_DIR} and the settings, too")
@switch("-y", "--yes", help="don't ask before that")
def uninstall(dry_run: bool, root: str | None, purge: bool, yes: bool) -> int:
    machine = Machine(root=Path(root).absolute() if root else None, dry=dry_run)
    machine.demand_root("uninstall")
    if purge and not dry_run:
        confirm(f"Delete {machine.at(DATA_DIR)} with all of its images, and the settings?", yes=yes)
    machine.run("systemctl", "disable", "--now", NAME, may_fail=True)
    for path in (WANTED, UNIT, SYSUSERS, UNPACK_DIR, PROGRAM):
        machine.remove(path)
    if purge:
        machine.remove(DATA_DIR)
        machine.remove(SETTINGS.parent)
        machine.run("userdel", NAME, may_fail=True)
    machine.run("systemctl", "daemon-reload")
    if not machine.dry and not purge:
        print(f"The images stay in {DATA_DIR} and the settings in {SETTINGS.parent}; --purge deletes them.")
    return 0

"""`doctor`: find out what does not fit in a data directory, repair what can be, rebuild a lost database."""

import os
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path

import click

from appliance import client_files
from appliance.blobs.durable import Disk
from appliance.blobs.verify import Finding
from appliance.certificates import SOON, Facts, facts
from appliance.cli.client.calls import Refused
from appliance.cli.client.credentials import find
from appliance.cli.client.session import Session, TokenCache
from appliance.cli.commands import exclusive, option, switch, verb
from appliance.cli.directory import OpenDirectory, owned
from appliance.cli.flags import Flags, settings_for, with_directory
from appliance.cli.output import confirm, with_quiet
from appliance.cli.progress import Progress
from appliance.cli.report import write_report
from appliance.cli.status import certificate, stale_password, state_of
from appliance.datadir import DataDir
from appliance.db.engine.files import salvage
from appliance.db.engine.sqlite import damage
from appliance.errors import ApplianceError, Corrupt, Fatal
from appliance.https import SELF, ending, now_utc, server_certificate
from appliance.identity.bootstrap import administrators, has_users
from appliance.image.store_settings import store_backends, with_recorded_stores
from appliance.maintenance.doctor import Doctor
from appliance.settings import Settings
from appliance.startup import no_administrator
from appliance.values import now

_DAMAGED = "database-damaged"
_WHAT_TO_DO = (
    "restore a backup to a new directory, or run `doctor --rebuild`: it makes a new database from the stored data, and "
    "keeps the damaged one beside it"
)


@verb()
@switch("--deep", help="read every stored byte, too")
@switch("--repair", help="give back what nothing names")
@switch("--rebuild", help="put a lost or damaged database aside and make one from the stored data")
@switch("-y", "--yes", help="don't ask before that")
@exclusive("repair", "rebuild")
@option("--report", metavar="FILE", type=click.Path(path_type=Path), help="write a report for whoever helps, as JSON")
@with_quiet
@with_directory
def doctor(flags: Flags, deep: bool, repair: bool, rebuild: bool, yes: bool, report: Path | None) -> int:
    settings = settings_for(flags)
    directory = DataDir(settings.data_dir)
    if not (repair or rebuild) and (holder := directory.holder()):
        kinds = _examine_running(settings, directory, holder, deep=deep)
    else:
        kinds = _examine_stopped(settings, directory, deep=deep, repair=repair, rebuild=rebuild, yes=yes)
    if report:
        write_report(report, flags, settings, kinds)
    return _ended(kinds)


def _examine_stopped(
    settings: Settings, directory: DataDir, *, deep: bool, repair: bool, rebuild: bool, yes: bool
) -> Counter[str]:
    if rebuild:
        question = f"Put the database of {directory.path} aside, with its users and projects, and make a new one?"
        confirm(question, yes=yes)
        _rebuild(settings)
    try:
        return _examine(settings, deep=deep, repair=repair)
    except Corrupt as error:
        print(f"database-damaged: {error}")
        return Counter({_DAMAGED: 1})


def _ended(kinds: Counter[str]) -> int:
    count = kinds.total()
    print(f"{count} {'finding' if count == 1 else 'findings'}" if count else "nothing is wrong")
    if kinds[_DAMAGED]:
        print(_WHAT_TO_DO)
    return 1 if count else 0


def _examine(settings: Settings, *, deep: bool, repair: bool) -> Counter[str]:
    """Tell what does not fit; says how much there is of each kind."""
    with owned(settings, "doctor") as opened:
        examined = Doctor(opened.db, opened.stores, now)
        if repair:
            for done in examined.repair():
                print(done)
        if not deep:
            return _tell(chain(examined.examine(), _around(settings, opened)))
        with Progress("read", examined.stored()) as progress:
            found = list(examined.examine(deep=True, progress=progress.add))
        return _tell(chain(found, _around(settings, opened)))


def _tell(findings: Iterable[Finding]) -> Counter[str]:
    kinds: Counter[str] = Counter()
    for finding in findings:
        print(f"{finding.kind}: {finding.text}")
        kinds[finding.kind] += 1
    return kinds


def _examine_running(settings: Settings, directory: DataDir, holder: str, *, deep: bool) -> Counter[str]:
    """What can be found out while a service has the directory: by asking it, and by a look at the database."""
    kinds = _tell(_of_running(settings, directory))
    print(f"The directory is in use by {holder}, so that blocks were not compared with the database one by one.")
    if deep:
        print("`store scrub` has the running appliance read every stored byte; its log tells what it finds.")
    else:
        print("Stop the appliance for that, or let `store scrub` read every stored byte meanwhile.")
    return kinds


def _of_running(settings: Settings, directory: DataDir) -> Iterator[Finding]:
    found, healthy = state_of(directory)
    if not healthy:
        services = [text for name, text in found.items() if name in ("image", "identity")]
        yield Finding("not-healthy", "; ".join(services) or "the process does not say where it serves")
    for text in damage(directory.database):
        yield Finding(_DAMAGED, text)
    if healthy and (shown := certificate(directory)):
        yield from _of_certificate(shown)
    if settings.identity_mode != "own":
        return
    for path in (directory.clouds, directory.openrc):
        if not path.exists():
            yield Finding("no-credentials", f"{path} is not there; `identity bootstrap`, while stopped, makes it anew")
    if stale := found.get("credentials"):
        yield Finding("stale-password", stale)
    elif healthy and client_files.password_of(directory):
        yield from _of_stores(directory)


def _of_stores(directory: DataDir) -> Iterator[Finding]:
    """What the running service knows of damage, asked as its administrator."""
    session = Session(find({"data_dir": directory.path}, {}), TokenCache(), may_ask=False)
    try:
        stores = session.get("image", "/appliance/v1/store")["stores"]
    except Refused as error:
        missing = error.status == 403
        yield Finding(
            "no-administrator" if missing else "not-healthy", no_administrator(directory) if missing else str(error)
        )
        return
    except ApplianceError as error:
        yield Finding("not-healthy", str(error))
        return
    for store in stores:
        if count := store["damaged_blocks"]:
            text = f"the store {store['store']} has {count} damaged blocks; `doctor`, while stopped, names the images"
            yield Finding("block-damaged", text)


def _around(settings: Settings, opened: OpenDirectory) -> Iterator[Finding]:
    """What else a start needs: a certificate that can be used, and a way in for an administrator."""
    if settings.tls_cert not in ("", SELF):
        try:
            yield from _of_certificate(facts(server_certificate(settings).pem))
        except Fatal as error:
            yield Finding("certificate", str(error))
    yield from _access(settings, opened)


def _of_certificate(said: Facts) -> Iterator[Finding]:
    if said.is_over(now_utc(), within=SOON):
        yield Finding("certificate", f"the TLS certificate {ending(said, now_utc())}: renew it")


def _access(settings: Settings, opened: OpenDirectory) -> Iterator[Finding]:
    """Whether an administrator can get in, if there have been users here yet."""
    if settings.identity_mode != "own" or not has_users(opened.db):
        return
    directory = opened.directory
    if not administrators(opened.db):
        yield Finding("no-administrator", no_administrator(directory))
    elif stale := stale_password(directory):
        yield Finding("stale-password", stale)


def _rebuild(settings: Settings) -> None:
    if settings.database:
        raise Fatal(
            "`doctor --rebuild` makes a database file from the stored data, and the rows are on a database server: "
            "restore them there, or run it without --database."
        )
    directory = DataDir(settings.data_dir)
    _check_stores(settings, directory)
    directory.acquire("doctor")
    try:
        aside = _put_aside(directory)
    finally:
        directory.release()
    with owned(settings, "doctor", lost_index=True) as opened:
        former = salvage(aside) if aside else {}
        recovery = Doctor(opened.db, opened.stores, now).rebuild(former)
    print(f"{len(recovery.images)} images are back")
    if recovery.as_before:
        print(f"{recovery.as_before} of them as the former database still told: status, visibility, owner, protection")
    if others := len(recovery.images) - recovery.as_before:
        print(
            f"{others} of them are private and active, whatever they were before: an admin can hand them out, and has "
            "to deactivate again what was deactivated"
        )
    if recovery.images:
        print("members of shared images are not in the stored data: share them again")
    if aside:
        print(f"the former database is kept as {aside}")
    if recovery.deleted:
        print(f"{recovery.deleted} deleted uploads stay deleted")
    if recovery.incomplete:
        print(f"{recovery.incomplete} uploads lack some of their data and are lost")
    for lost in recovery.damage:
        print(lost)
    print("users, projects and passwords are not in the stored data: the next start makes a new administrator")


def _check_stores(settings: Settings, directory: DataDir) -> None:
    """Raise `Fatal` unless every store is there: a rebuild without one would let its images go in silence."""
    stores = store_backends(with_recorded_stores(settings, directory), directory)
    missing = [name for name, backend in stores.items() if not backend.is_there()]
    if missing == list(stores):
        raise Fatal(f"{directory.path} has no stored data to make a database from: is it the right directory?")
    for name in missing:
        raise Fatal(
            f"{stores[name].place}, the directory of the store {name}, is not there: mount its disk, or make an empty "
            "directory in its place if its data is lost"
        )


def _put_aside(directory: DataDir) -> Path | None:
    """Move the database away, so that a new one can be made; its write-ahead log belongs to it."""
    if not directory.database.is_file():
        return None
    disk = Disk()
    aside = directory.path / time.strftime("appliance.db.damaged-%Y%m%dT%H%M%S")
    try:
        for suffix in ("-wal", "-shm", ""):
            path = directory.path / f"appliance.db{suffix}"
            if path.exists():
                disk.rename(path, aside.with_name(aside.name + suffix))
        disk.sync_directory(directory.path)
    except OSError as error:
        raise Fatal(f"can't put the database aside: {os.strerror(error.errno or 0)}") from error
    return aside

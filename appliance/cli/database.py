"""`database`: move all rows from one database to another, of a service that is stopped."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from appliance.blobs.durable import Disk
from appliance.cli.commands import argument, group, verb
from appliance.cli.flags import Flags, settings_for, with_settings
from appliance.cli.output import note, with_quiet
from appliance.cli.progress import Progress
from appliance.datadir import DataDir
from appliance.db.engine.base import Database
from appliance.db.engine.files import lacks_steps
from appliance.db.engine.registry import is_server, open_database
from appliance.db.transfer import Transfer, moved_to, note_moved, refuse_moved
from appliance.errors import Fatal, WrongUsage
from appliance.logs import redact
from appliance.values import read_secret

_WHERE = "a data directory, a postgresql:// URL, or @FILE for a file that has the URL"


@verb("migrate", "move all rows from one database to another, while nothing runs on either")
@argument("source", metavar="FROM", help=f"where the rows are: {_WHERE}")
@argument("target", metavar="TO", help="where they are to be, in the same words: empty, or what a broken-off try left")
@with_quiet
@with_settings("log_level")
def migrate(flags: Flags, source: str, target: str) -> int:
    settings_for(flags)
    origin, goal = _place(source), _place(target)
    if origin == goal:
        raise WrongUsage("FROM and TO are the same")
    with ExitStack() as held:
        db = held.enter_context(_source(origin))
        with _target(goal) as new:
            note("Reading what there is.")
            transfer = Transfer(db, new)
            with Progress("rows", transfer.rows, unit="rows") as progress:
                done = transfer.run(progress.add)
        # From here on the old one is not to be used any more: what is written there would be lost.
        note_moved(db, _shown(goal))
    how = "; a former try was continued" if done.resumed else ""
    print(f"{done.rows} rows of {done.tables} tables were moved, and are the same there by number and digest{how}")
    print(_what_next(goal))
    return 0


def _place(text: str) -> str | Path:
    where = read_secret(Path(text[1:])) if text.startswith("@") else text
    return where if is_server(where) else Path(where)


def _shown(place: str | Path) -> str:
    """A place without what opens it."""
    return redact(place) if isinstance(place, str) else str(place.absolute())


def _what_next(goal: str | Path) -> str:
    if isinstance(goal, Path):
        return f"Now take the `database` setting of {goal} away, and start."
    return "Now set `database` (or `database_file`) to that URL, in the same data directory, and start."


@contextmanager
def _source(place: str | Path) -> Iterator[Database]:
    """The database to read, which nobody else uses meanwhile."""
    with ExitStack() as held:
        if isinstance(place, Path):
            directory = _owned(place, held)
            if not directory.database.is_file():
                raise Fatal(f"{directory.path} has no database")
            if lacks_steps(directory.database):
                raise Fatal(
                    f"{directory.database} is of an older version of the appliance: start this version there once, "
                    "stop it, and migrate then"
                )
            db = open_database(directory.database)
        else:
            db = open_database(place)
        held.callback(db.close)
        refuse_moved(db)
        yield db


@contextmanager
def _target(place: str | Path) -> Iterator[Database]:
    """The database to write. A file gets its name when all is in it; until then a former one stays as it is."""
    with ExitStack() as held:
        if isinstance(place, str):
            db = open_database(place)
            held.callback(db.close)
            yield db
            return
        directory = _owned(place, held)
        if directory.database.is_file():
            _refuse_used(directory)
        scratch = directory.database.with_suffix(".db.new")
        db = open_database(scratch)
        try:
            yield db
        finally:
            db.close()
        disk = Disk()
        for name in ("-wal", "-shm"):
            Path(f"{directory.database}{name}").unlink(missing_ok=True)
        disk.rename(scratch, directory.database)
        disk.sync_directory(directory.path)


def _refuse_used(directory: DataDir) -> None:
    db = open_database(directory.database)
    try:
        if moved_to(db) is None:
            raise Fatal(f"{directory.database} has rows that are in use: they would be lost. Move the file away first.")
    finally:
        db.close()


def _owned(path: Path, held: ExitStack) -> DataDir:
    directory = DataDir(path)
    if not directory.path.is_dir():
        raise Fatal(f"{directory.path} is not a data directory")
    directory.acquire("database migrate")
    held.callback(directory.release)
    return directory


database = group("database", migrate)

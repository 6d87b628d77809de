"""The program: finds the verb, runs it, and turns whatever happens into an exit code and one line."""

import difflib
import logging
import os
import shutil
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import click

from appliance.cli import output, streams
from appliance.cli.client.credentials import split
from appliance.cli.commands import PROGRAM, VERBS, load, program
from appliance.errors import ApplianceError, WrongUsage

__all__ = ["main"]

log = logging.getLogger(__name__)

OK, FAILED, USAGE, INTERRUPTED = 0, 1, 2, 130

_SERVICE = "serve"
"""The verb that minds signals itself, and needs nobody to read what it prints."""
_WIDEST = 100
"""Columns of help at the most."""
_CLOSE = 0.65
"""How alike a word must be to what there is, from 0 to 1, to be taken for a typo of it."""
COMPLETE = "_GLANCE_APPLIANCE_COMPLETE"
"""The variable by which a shell asks what may come next."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command. Returns 0 when fine, 1 after a failure told in one line, 2 for wrong usage."""
    given = verb_first(sys.argv[1:] if arguments is None else arguments)
    serving = given[:1] == [_SERVICE]
    streams.prepare(tolerant=serving)
    output.be_quiet(False)
    if COMPLETE in os.environ:
        return _told(lambda: int(load("completion").main(["--answer", os.environ[COMPLETE]], standalone_mode=False)))
    return _told(lambda: _run(given) if serving else _interruptible(given))


def verb_first(words: Sequence[str]) -> list[str]:
    """The command line with the flags of the cloud that came before the verb behind it, where they are known."""
    flags, rest = split(words)
    if not flags or not rest or rest[0] not in VERBS:
        return list(words)
    if not VERBS[rest[0]].is_group:
        return [rest[0], *flags, *rest[1:]]
    between, below = split(rest[1:])
    return [rest[0], *below[:1], *flags, *between, *below[1:]]


def _run(given: Sequence[str]) -> int:
    flags, rest = split(given)
    if flags and not rest:
        raise WrongUsage(f"say a verb, too: `{PROGRAM} --help` lists them")
    width = shutil.get_terminal_size().columns
    try:
        with program.make_context(PROGRAM, list(given), terminal_width=min(width, _WIDEST)) as ctx:
            return int(program.invoke(ctx) or OK)
    except click.exceptions.Exit as ended:
        return ended.exit_code
    finally:
        # Help may have been printed.
        sys.stdout.flush()


def _interruptible(given: Sequence[str]) -> int:
    with streams.raised():
        return _run(given)


def _told(run: Callable[[], int]) -> int:
    """The exit code of `run`, whatever it raises."""
    try:
        return run()
    except click.exceptions.NoArgsIsHelpError as error:
        print(error.format_message(), file=sys.stderr)
        return USAGE
    except click.UsageError as error:
        return _fail(_usage(error), USAGE)
    except WrongUsage as error:
        return _fail(str(error), USAGE)
    except ApplianceError as error:
        cause = error.__cause__
        where = f" ({_refusal(cause)})" if isinstance(cause, PermissionError) and cause.filename else ""
        return _fail(f"{error}{where}", FAILED)
    except (KeyboardInterrupt, click.Abort):
        return INTERRUPTED
    except streams.Ended as ended:
        return ended.exit_code
    except BrokenPipeError:
        # Whoever read our output went away; there is nobody left to tell, and nothing to flush at the exit.
        streams.discard_output()
        return FAILED
    except OSError as error:
        return _fail(_refusal(error), FAILED)
    except Exception as error:
        log.debug("unexpected", exc_info=True)
        return _fail(f"unexpected {type(error).__name__}: {error} (--log-level DEBUG shows where)", FAILED)


def _usage(error: click.UsageError) -> str:
    """What is wrong with the command line, and where to find out what is right."""
    if isinstance(error, click.NoSuchOption | click.NoSuchCommand):
        typed = error.option_name if isinstance(error, click.NoSuchOption) else error.command_name
        if close := difflib.get_close_matches(typed, error.possibilities or (), 1, _CLOSE):
            return f"{error.message} Did you mean {close[0]}?"
        return f"{error.message} {_where(error)}"
    said = error.format_message()
    return f"{said} {_where(error)}"


def _where(error: click.UsageError) -> str:
    return f"`{error.ctx.command_path if error.ctx else PROGRAM} --help` says what there is."


def _refusal(error: OSError) -> str:
    """What the system refused, naming the directory at fault where a permission is missing."""
    said = error.strerror or str(error)
    if not error.filename:
        return said
    if isinstance(error, PermissionError):
        path = Path(os.fsdecode(error.filename)).absolute()
        for place in (*reversed(path.parents), path):
            # A directory can be entered, or whatever is in it is out of reach.
            if place.is_dir() and not os.access(place, os.X_OK):
                return _barred(said, place)
        there = next(place for place in (path, *path.parents) if place.exists())
        if not os.access(there, os.W_OK) or not os.access(there, os.R_OK):
            return _barred(said, there)
    return f"{said}: {error.filename}"


def _barred(said: str, place: Path) -> str:
    owner = place.stat().st_uid
    return f"{said}: {place} belongs to the user with id {owner}, and this is the user with id {os.geteuid()}"


def _fail(sentence: str, code: int) -> int:
    print(f"{PROGRAM}: {' '.join(sentence.split())}", file=sys.stderr)
    try:
        sys.stdout.flush()
    except (ApplianceError, OSError):
        streams.discard_output()
    return code

"""The program: finds the verb, runs it, and turns whatever happens into an exit code and one line."""

import argparse
import logging
import sys
from collections.abc import Callable, Sequence

from appliance.cli import streams
from appliance.cli.client.credentials import split
from appliance.cli.verbs import PROGRAM, VERBS, build_parser, is_group
from appliance.errors import ApplianceError, WrongUsage

__all__ = ["VERBS", "build_parser", "main"]

log = logging.getLogger(__name__)

OK, FAILED, USAGE, INTERRUPTED = 0, 1, 2, 130

_SERVICE = "serve"
"""The verb that minds signals itself, and needs nobody to read what it prints."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command. Returns 0 when fine, 1 after a failure told in one line, 2 for wrong usage."""
    given = _verb_first(sys.argv[1:] if arguments is None else arguments)
    serving = given[:1] == [_SERVICE]
    streams.prepare(tolerant=serving)
    return _told(lambda: _serve(given) if serving else _command(given))


def _verb_first(words: Sequence[str]) -> list[str]:
    """The command line with the flags of the cloud that came before the verb behind it, where its parser is."""
    flags, rest = split(words)
    if not flags or not rest or rest[0] not in VERBS:
        return list(words)
    verbs = 2 if is_group(rest[0]) else 1
    return rest[:verbs] + flags + rest[verbs:]


def _parsed(given: Sequence[str]) -> argparse.Namespace:
    try:
        return build_parser(name for name in given[:1] if name in VERBS).parse_args(given)
    finally:
        # Help has been printed, and the parser is about to end the process.
        sys.stdout.flush()


def _serve(given: Sequence[str]) -> int:
    parsed = _parsed(given)
    code: int = parsed.run(parsed)
    return code


def _command(given: Sequence[str]) -> int:
    parsed = _parsed(given)
    with streams.raised():
        code: int = parsed.run(parsed)
        sys.stdout.flush()
        return code


def _told(run: Callable[[], int]) -> int:
    """The exit code of `run`, whatever it raises."""
    try:
        return run()
    except WrongUsage as error:
        return _fail(str(error), USAGE)
    except ApplianceError as error:
        return _fail(str(error), FAILED)
    except KeyboardInterrupt:
        return INTERRUPTED
    except streams.Ended as ended:
        return ended.exit_code
    except BrokenPipeError:
        # Whoever read our output went away; there is nobody left to tell, and nothing to flush at the exit.
        streams.discard_output()
        return FAILED
    except OSError as error:
        return _fail(f"{error.strerror or error}" + (f": {error.filename}" if error.filename else ""), FAILED)
    except Exception as error:
        log.debug("unexpected", exc_info=True)
        return _fail(f"unexpected {type(error).__name__}: {error} (--log-level DEBUG shows where)", FAILED)


def _fail(sentence: str, code: int) -> int:
    print(f"{PROGRAM}: {' '.join(sentence.split())}", file=sys.stderr)
    try:
        sys.stdout.flush()
    except (ApplianceError, OSError):
        streams.discard_output()
    return code

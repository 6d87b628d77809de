"""The program: finds the verb, runs it, and turns whatever happens into an exit code and one line."""

import argparse
import logging
import sys
from collections.abc import Sequence

from appliance import __version__
from appliance.cli import serve, version
from appliance.errors import ApplianceError, WrongUsage

log = logging.getLogger(__name__)

VERBS = (serve, version)
"""One module a verb, each with `NAME`, `HELP`, `add_arguments(parser)` and `run(arguments) -> exit code`."""

OK, FAILED, USAGE, INTERRUPTED = 0, 1, 2, 130


def build_parser() -> argparse.ArgumentParser:
    """The parser of the whole command line; the docs and the completions are checked against it."""
    parser = argparse.ArgumentParser(
        prog="glance-appliance",
        description="An OpenStack image service with its identity service, in one process.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"glance-appliance {__version__}")
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", required=True)
    for verb in VERBS:
        subparser = verbs.add_parser(verb.NAME, help=verb.HELP, description=verb.HELP, allow_abbrev=False)
        verb.add_arguments(subparser)
        subparser.set_defaults(run=verb.run)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command. Returns 0 when fine, 1 after a failure told in one line, 2 for wrong usage."""
    try:
        parsed = build_parser().parse_args(arguments)
        code: int = parsed.run(parsed)
        sys.stdout.flush()
        return code
    except WrongUsage as error:
        return _fail(str(error), USAGE)
    except ApplianceError as error:
        return _fail(str(error), FAILED)
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output went away; there is nobody left to tell.
        sys.stderr.close()
        return FAILED
    except OSError as error:
        return _fail(f"{error.strerror or error}" + (f": {error.filename}" if error.filename else ""), FAILED)
    except Exception as error:
        log.debug("unexpected", exc_info=True)
        return _fail(f"unexpected {type(error).__name__}: {error} (--log-level DEBUG shows where)", FAILED)


def _fail(sentence: str, code: int) -> int:
    print(f"glance-appliance: {' '.join(sentence.split())}", file=sys.stderr)
    return code

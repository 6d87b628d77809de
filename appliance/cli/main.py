"""The program: finds the verb, runs it, and turns whatever happens into an exit code and one line."""

import logging
import os
import sys
from collections.abc import Sequence

from appliance.cli.verbs import PROGRAM, VERBS, build_parser
from appliance.errors import ApplianceError, WrongUsage

__all__ = ["VERBS", "build_parser", "main"]

log = logging.getLogger(__name__)

OK, FAILED, USAGE, INTERRUPTED = 0, 1, 2, 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command. Returns 0 when fine, 1 after a failure told in one line, 2 for wrong usage."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        parsed = build_parser(name for name in given[:1] if name in VERBS).parse_args(given)
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
        # Whoever read our output went away; there is nobody left to tell, and nothing to flush at the exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except OSError as error:
        return _fail(f"{error.strerror or error}" + (f": {error.filename}" if error.filename else ""), FAILED)
    except Exception as error:
        log.debug("unexpected", exc_info=True)
        return _fail(f"unexpected {type(error).__name__}: {error} (--log-level DEBUG shows where)", FAILED)


def _fail(sentence: str, code: int) -> int:
    print(f"{PROGRAM}: {' '.join(sentence.split())}", file=sys.stderr)
    return code

"""What takes long to load and is hardly ever used is not loaded by a start."""

import subprocess
import sys

import pytest

DEFERRED = "from appliance.lazy import defer; defer('wsgiref', 'util'); from wsgiref import util"


def loaded(statements: str) -> set[str]:
    """The modules of a fresh process that ran these."""
    # A deferred module counts as loaded when its loader has run, which makes it an ordinary module again.
    listing = "import sys, types; print(*(n for n, m in sys.modules.items() if type(m) is types.ModuleType))"
    done = subprocess.run(
        [sys.executable, "-c", f"{statements}\n{listing}"], capture_output=True, text=True, check=True
    )
    return set(done.stdout.split())


LATE = ["dateutil.parser", "oslo_utils.strutils", "obstore", "oauthlib", "psycopg", "appliance.blobs.backends.librados"]


@pytest.mark.parametrize("module", LATE)
def test_a_start_does_not_load_it(module: str) -> None:
    assert module not in loaded("import appliance.wiring, appliance.cli.serve")


def test_its_first_use_loads_it() -> None:
    assert "wsgiref.util" in loaded(f"{DEFERRED}; assert util.shift_path_info")


def test_importing_it_alone_does_not() -> None:
    assert "wsgiref.util" not in loaded(DEFERRED)


def test_what_is_not_there_is_for_its_importer_to_find_out() -> None:
    assert "appliance.lazy" in loaded("from appliance.lazy import defer; defer('wsgiref', 'no_such_module')")

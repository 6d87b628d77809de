"""What takes long to load and is hardly ever used is not loaded by a start."""

import subprocess
import sys

import pytest

DEFERRED = "from appliance.lazy import defer; defer('wsgiref.util', 'ctypes'); from wsgiref import util; import ctypes"


def loaded(statements: str) -> set[str]:
    """The modules of a fresh process that ran these."""
    # A deferred module counts as loaded when its code has run, which makes it an ordinary module again.
    listing = "import sys, types; print(*(n for n, m in sys.modules.items() if type(m) is types.ModuleType))"
    done = subprocess.run(
        [sys.executable, "-c", f"{statements}\n{listing}"], capture_output=True, text=True, check=True
    )
    return set(done.stdout.split())


@pytest.fixture(scope="module")
def start() -> set[str]:
    """What is loaded before the data directory is touched."""
    return loaded("from appliance.cli.commands import load; load('serve')")


LATE = [
    "appliance.api.legacy.image_v1.images",
    "appliance.api.legacy.identity_v2.tokens",
    "appliance.blobs.backends.librados",
    "appliance.blobs.backends.s3",
    "appliance.certificates",
    "appliance.cli.image",
    "appliance.cli.migrate_from",
    "appliance.db.engine.postgresql",
    "appliance.db.export",
    "appliance.image.metadefs.seed_loader",
    "appliance.maintenance.backup",
    "appliance.maintenance.doctor",
    "configparser",
    "cryptography.x509",
    "dateutil.parser",
    "oauthlib",
    "obstore",
    "oslo_utils.strutils",
    "prometheus_client",
    "psycopg",
    "sqlite_utils",
    "yaml",
    "zstandard",
]


@pytest.mark.parametrize("module", LATE)
def test_a_start_does_not_load_it(start: set[str], module: str) -> None:
    assert module not in start


def test_a_start_loads_what_every_request_needs(start: set[str]) -> None:
    assert {"appliance.api.image_v2.images", "appliance.identity.tokens.tokens", "blake3"} <= start


def test_importing_it_alone_does_not_load_it() -> None:
    assert not {"wsgiref.util", "ctypes"} & loaded(DEFERRED)


@pytest.mark.parametrize("use", ["util.shift_path_info", "ctypes.c_int(7).value", "ctypes.util.find_library"])
def test_its_first_use_loads_it(use: str) -> None:
    module = "wsgiref.util" if use.startswith("util") else "ctypes"
    more = "; import ctypes.util" if "find_library" in use else ""
    assert module in loaded(f"{DEFERRED}{more}; assert {use}")


def test_taking_a_name_out_of_it_loads_it() -> None:
    assert "wsgiref.util" in loaded(f"{DEFERRED}; from wsgiref.util import shift_path_info")


def test_threads_that_use_it_at_the_same_time_all_find_it_whole() -> None:
    many = """
import threading
from concurrent.futures import ThreadPoolExecutor
together = threading.Barrier(8)
with ThreadPoolExecutor(8) as pool:
    def use(_):
        together.wait()
        return util.FileWrapper, ctypes.c_int, ctypes.CDLL
    assert len(set(pool.map(use, range(8)))) == 1
"""
    assert "ctypes" in loaded(f"{DEFERRED}\n{many}")


def test_what_fails_to_load_fails_again_at_the_next_use() -> None:
    twice = """
import ctypes, sys
sys.modules["_ctypes"] = None
for _ in range(2):
    try:
        ctypes.c_int
    except ImportError:
        continue
    raise SystemExit("it was there")
del sys.modules["_ctypes"]
assert ctypes.c_int
"""
    assert "ctypes" in loaded(f"{DEFERRED}\n{twice}")


def test_what_is_not_there_is_for_its_importer_to_find_out() -> None:
    tried = "\ntry:\n    from wsgiref import no_such_module\nexcept ImportError:\n    import colorsys"
    assert "colorsys" in loaded(f"from appliance.lazy import defer; defer('wsgiref.no_such_module'){tried}")

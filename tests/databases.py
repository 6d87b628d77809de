"""The database of a test: a file, or, with TEST_DATABASE=postgresql, one on a server that is started when first asked.

A path stands for a database on either engine: whoever opens it again finds what was there.
"""

import atexit
import os
from contextlib import ExitStack
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from appliance.db.engine.base import Database
from appliance.db.engine.registry import open_database
from tests import postgresql

ENGINE = os.environ.get("TEST_DATABASE", "sqlite")

SQLITE_ALONE = pytest.mark.skipif(ENGINE != "sqlite", reason="it asks SQLite itself")


@cache
def server() -> postgresql.Server:
    held = ExitStack()
    atexit.register(held.close)
    return held.enter_context(postgresql.server())


@cache
def _url(path: Path) -> str:
    return server().create_current()


def setting_for(path: Path) -> str:
    """The `database` setting of an appliance whose data directory this is."""
    return _url(path.absolute()) if ENGINE == "postgresql" else ""


@cache
def _new() -> bytes:
    """A database file as it is when every table has just been made."""
    with TemporaryDirectory() as directory:
        path = Path(directory) / "new.db"
        open_database(path).close()
        return path.read_bytes()


def open_test_database(path: Path, engine: str = ENGINE) -> Database:
    """Open what the path stands for."""
    if engine == "postgresql":
        return open_database(_url(path.absolute()))
    if not path.exists():
        path.write_bytes(_new())
    return open_database(path)

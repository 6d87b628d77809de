"""The databases that the tests of this folder run on."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance.db.engine.base import Database
from appliance.db.engine.registry import open_database


@pytest.fixture
def db(tmp_path: Path) -> Iterator[Database]:
    database = open_database(tmp_path / "appliance.db")
    yield database
    database.close()

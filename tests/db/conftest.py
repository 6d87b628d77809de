"""The databases that the tests of this folder run on: each test that asks for `db` runs on both engines."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance.db.engine.base import Database
from tests.databases import open_test_database


@pytest.fixture(params=["sqlite", "postgresql"])
def db(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    database = open_test_database(tmp_path / "appliance.db", request.param)
    yield database
    database.close()

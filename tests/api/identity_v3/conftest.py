"""A whole identity service on a temporary directory."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance.settings import Settings
from tests.api.identity_v3.client import Client, start
from tests.api.identity_v3.socket_server import serving
from tests.databases import open_test_database


@pytest.fixture
def settings() -> Settings:
    """Tests that need other settings override this fixture."""
    return Settings()


@pytest.fixture
def client(tmp_path: Path, settings: Settings) -> Iterator[Client]:
    """A client that acts as the admin on the project admin."""
    db = open_test_database(tmp_path / "appliance.db")
    yield start(tmp_path, settings, db)
    db.close()


@pytest.fixture
def address(client: Client) -> Iterator[str]:
    """The same service on a real socket: its address, `/v3` included."""
    with serving(client.app) as url:
        yield f"{url}/v3"

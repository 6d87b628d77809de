"""Fixtures that all backends share, and the servers that the remote ones need."""

from collections.abc import Iterator

import pytest

from appliance.values import Clock, now
from tests.blobs.backends.seaweed import Seaweed, seaweed


@pytest.fixture
def clock() -> Clock:
    return now


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seaweed]:
    with seaweed(tmp_path_factory.mktemp("seaweed")) as running:
        yield running


@pytest.fixture(scope="session")
def bucket(server: Seaweed) -> str:
    return server.bucket()

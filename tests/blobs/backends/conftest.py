"""Fixtures that all backends share, and the servers that the remote ones need."""

import urllib.request
from collections.abc import Iterator

import pytest

from appliance.blobs.backends.base import Backend
from appliance.values import Clock, now
from tests.blobs.backends.conformance import Connect, Reopen
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
    """One that was written to: the server makes its first volumes then, which may take seconds."""
    name = server.bucket()
    request = urllib.request.Request(f"{server.filer}/buckets/{name}/first", data=b"x" * 100_000, method="PUT")
    urllib.request.urlopen(request, timeout=60)
    return name


@pytest.fixture
def reopen(connected: Connect) -> Reopen:
    """For the remote ones: each file says in `connected` how it is reached."""
    return connected


@pytest.fixture
def backend(connected: Connect) -> Backend:
    return connected()

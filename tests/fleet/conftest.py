"""Two or three sites in temporary directories, and servers for their peers."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from appliance.api.appliance_v1.fleet_peers import peer_service
from appliance.server.limits import Limits
from tests.fleet.sites import Pair, Site, site
from tests.server.conftest import Running, authority

__all__ = ["authority"]

Serve = Callable[..., str]


@pytest.fixture(autouse=True)
def _soon_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """What has failed is tried again as often as ever, but soon."""
    monkeypatch.setattr("appliance.fleet.following._PAUSE", 0.01)


@pytest.fixture
def center(tmp_path: Path) -> Iterator[Site]:
    with site(tmp_path / "center") as it:
        yield it


@pytest.fixture
def edge(tmp_path: Path) -> Iterator[Site]:
    with site(tmp_path / "edge") as it:
        yield it


@pytest.fixture
def third(tmp_path: Path) -> Iterator[Site]:
    with site(tmp_path / "third") as it:
        yield it


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Have a site answer its peers, in TLS if a certificate is given; its address."""
    with ExitStack() as running:

        def start(site: Site, **listener: Any) -> str:
            served = Running((peer_service(site.fleet),), Limits(linger_seconds=1.0), **listener)
            running.callback(served.close)
            return f"{'https' if 'certificate' in listener else 'http'}://127.0.0.1:{served.address[1]}"

        yield start


@pytest.fixture
def following(center: Site, edge: Site, serve: Serve) -> Pair:
    return Pair(center, edge, serve(center))

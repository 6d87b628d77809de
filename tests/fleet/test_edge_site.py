"""A site whose users are the centre's follows it, also while it is cut off from the identity service there."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.api.served import PASSWORD, Served, serving
from tests.cli.conftest import Program
from tests.data_directory import data
from tests.fleet.lines import Line, line_to
from tests.waiting import eventually

FLEET = "/appliance/v1/fleet"


@pytest.fixture
def center(tmp_path: Path) -> Iterator[Served]:
    with serving(tmp_path / "center") as it:
        yield it


@pytest.fixture
def to_identity(center: Served) -> Iterator[Line]:
    """The line on which the edge reaches the centre's identity service."""
    with line_to(center.report.identity_url) as line:
        yield line


@pytest.fixture
def edge(center: Served, to_identity: Line, tmp_path: Path) -> Iterator[Served]:
    shutil.copytree(tmp_path / "center/keys/public", tmp_path / "edge/keys/public")
    external = {"auth_url": to_identity.url, "username": "admin", "password": PASSWORD, "project": "admin"}
    named: dict[str, Any] = {f"external_{name}": value for name, value in external.items()}
    with serving(tmp_path / "edge", identity_mode="edge", edge_sync_seconds=1, edge_max_age=3600, **named) as it:
        it.token = center.token
        eventually(lambda: it.ask("GET", "/v2/images").status == 200)
        yield it


def public_image(site: Served, payload: bytes) -> str:
    image_id = site.upload("debian", payload)
    site.ask("PATCH", f"/v2/images/{image_id}", VISIBILITY, Content_Type="application/openstack-images-v2.1-json-patch")
    return image_id


VISIBILITY = [{"op": "replace", "path": "/visibility", "value": "public"}]


def test_an_edge_follows_while_it_is_cut_off(center: Served, edge: Served, to_identity: Line, tmp_path: Path) -> None:
    here, there = (one.ask("GET", FLEET).json for one in (edge, center))
    paired = {"name": "edge", "fingerprint": here["fingerprint"], "key": here["key"]}
    assert center.ask("POST", f"{FLEET}/peers", paired).status == 201
    feed = {"name": "golden", "filter": {"visibility": ["public"]}, "readers": ["edge"]}
    assert center.ask("POST", f"{FLEET}/feeds", feed).status == 201
    paired = {"name": "center", "fingerprint": there["fingerprint"], "url": center.report.image_url}
    assert edge.ask("POST", f"{FLEET}/peers", paired).status == 201
    to_identity.cut_after = 1
    payload = data()
    image_id = public_image(center, payload)
    # The edge believes tokens by its copy, and feeds by their signatures: it asks nobody.
    assert edge.ask("POST", f"{FLEET}/peers/center/feeds", {"feed": "golden", "every": 1}).status == 201
    eventually(lambda: edge.ask("GET", f"/v2/images/{image_id}").status == 200)
    assert edge.ask("GET", f"/v2/images/{image_id}/file").body == payload
    shown = edge.ask("GET", f"/v2/images/{image_id}").json
    # The project is that of the centre, whose members find the image here as there.
    assert shown["owner"] == center.ask("GET", f"/v2/images/{image_id}").json["owner"]

    home = tmp_path / "home"
    home.mkdir()
    where = ("--data-dir", tmp_path / "edge")
    told = Program(home)("sync", "status", *where, code=1).sentence()
    assert told.startswith(f"the users of this appliance are those of {to_identity.url}")
    to_identity.cut_after = 0
    named = {"OS_USERNAME": "admin", "OS_PASSWORD": PASSWORD, "OS_PROJECT_NAME": "admin"}
    admin = Program(home, **named, HOME=str(home))
    assert admin("sync", "now", *where).text == "the feed golden is up to date\n"
    to_identity.cut_after = 1
    # The token of the last command is good for the next.
    assert admin("sync", "status", *where, "-f", "json").json[0]["images_behind"] == 0
    assert os.listdir(home)

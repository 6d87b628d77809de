"""Locations and the cache with the stock clients, through the real server."""

import json
import os
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.api.image_v2.web import Page, Web, web_server
from tests.e2e.conftest import CLIENTS, Appliance, launch
from tests.waiting import eventually

DATA = os.urandom(3 << 20)


@pytest.fixture(scope="module")
def web() -> Iterator[Web]:
    with web_server() as server:
        server.pages["/image"] = server.pages["/other"] = Page(DATA)
        yield server


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Appliance]:
    """An appliance with locations shown, two stores and one for URLs, a cache, and leave to fetch from loopback."""
    if not CLIENTS.is_dir():
        pytest.fail("the stock clients are missing; `make clients` installs them")
    folder = tmp_path_factory.mktemp("everything")
    file = folder / "settings.toml"
    file.write_text(
        'enabled_backends = ["near:file", "far:file", "web:http"]\n'
        "show_multiple_locations = true\n"
        'import_allowed_hosts = ["127.0.0.1"]\n'
        "import_allowed_ports = []\n"
        f"image_cache_dir = '{folder / 'cache'}'\n"
    )
    started = launch(folder, "--config", str(file))
    yield started
    assert started.stop() == 0, started.log()


def new(appliance: Appliance) -> str:
    """A queued image; the clients would upload their standard input."""
    token = appliance.openstack("token", "issue")["id"]
    body = json.dumps({"name": "one", "disk_format": "raw", "container_format": "bare"}).encode()
    headers = {"X-Auth-Token": token, "Content-Type": "application/json"}
    with urllib.request.urlopen(urllib.request.Request(f"{appliance.image}/v2/images", body, headers)) as answer:
        return str(json.load(answer)["id"])


def shown(appliance: Appliance, image: str) -> dict[str, object]:
    found: dict[str, object] = appliance.openstack("image", "show", image)
    return found


def test_a_location_is_added_hashed_and_read_through(everything: Appliance, web: Web, tmp_path: Path) -> None:
    image = new(everything)
    everything.run("glance", "add-location", "--url", f"{web.base}/image", image)
    eventually(lambda: shown(everything, image)["checksum"])
    now = shown(everything, image)
    assert now["status"] == "active" and now["size"] == len(DATA)
    saved = tmp_path / "saved"
    everything.run("glance", "image-download", "--file", str(saved), image)
    assert saved.read_bytes() == DATA
    everything.run("openstack", "image", "delete", image)


def test_locations_are_changed_by_patch(everything: Appliance, web: Web, tmp_path: Path) -> None:
    image = new(everything)
    everything.run("glance", "location-add", "--url", f"{web.base}/image", image)
    everything.run("glance", "location-add", "--url", f"{web.base}/other", image)
    everything.run("glance", "location-update", "--url", f"{web.base}/other", "--metadata", '{"k": "v"}', image)
    properties = shown(everything, image)["properties"]
    assert isinstance(properties, dict)
    told = {place["url"]: place["metadata"] for place in properties["locations"]}
    assert told == {f"{web.base}/image": {"store": "web"}, f"{web.base}/other": {"k": "v", "store": "web"}}
    everything.run("glance", "location-delete", "--url", f"{web.base}/image", image)
    assert f"{web.base}/image" not in json.dumps(shown(everything, image))
    everything.run("openstack", "image", "save", "--file", str(tmp_path / "saved"), image)
    assert (tmp_path / "saved").read_bytes() == DATA


def test_the_cache_with_both_clients(everything: Appliance, web: Web, tmp_path: Path) -> None:
    image = new(everything)
    everything.run("glance", "location-add", "--url", f"{web.base}/image", image)
    everything.run("glance", "cache-queue", image)
    eventually(lambda: "cached" in everything.run("glance", "cache-list"))
    assert image in json.dumps(everything.openstack("cached", "image", "list"))
    assert everything.image in everything.run("glance", "cache-nodes-list", image)
    requests = len(web.requests)
    everything.run("glance", "image-download", "--file", str(tmp_path / "saved"), image)
    assert (tmp_path / "saved").read_bytes() == DATA and len(web.requests) == requests
    everything.run("glance", "cache-clean")
    assert "0" in everything.run("glance", "cache-prune")
    everything.run("glance", "cache-delete", image)
    everything.run("openstack", "cached", "image", "queue", image)
    everything.run("openstack", "cached", "image", "clear")
    assert everything.openstack("cached", "image", "list") in (None, [])
    assert everything.run("glance", "usage") is not None


def test_a_source_that_breaks_off_breaks_the_download(everything: Appliance, web: Web, tmp_path: Path) -> None:
    web.pages["/cut"] = Page(DATA)
    image = new(everything)
    everything.run("glance", "location-add", "--url", f"{web.base}/cut", image)
    web.pages["/cut"] = Page(DATA, cut=True)
    everything.run("glance", "image-download", "--file", str(tmp_path / "saved"), image, fails=True)

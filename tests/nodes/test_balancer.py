"""Two nodes behind haproxy: one that is drained ends what runs there, and gets nothing new."""

import http.client
import os
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from appliance.activity.running import UPLOAD
from tests.api.served import Served
from tests.nodes.balancer import Balancer, balancing
from tests.nodes.site import Site
from tests.waiting import eventually

HALF = 100_000


@pytest.fixture(scope="module")
def balancer(site: Site, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Balancer]:
    directory: Path = tmp_path_factory.mktemp("lb")
    nodes = {name: (node.report.image_url, node.report.identity_url) for name, node in site.nodes.items()}
    with balancing(directory, nodes) as made:
        yield made


@pytest.fixture
def token(site: Site) -> str:
    return site.nodes["one"].token


class SlowUpload:
    """One through the balancer, of which the first half has come."""

    def __init__(self, base: str, image_id: str, token: str) -> None:
        self.data = os.urandom(2 * HALF)
        self._connection = http.client.HTTPConnection(urlsplit(base).netloc, timeout=60)
        self._connection.putrequest("PUT", f"/v2/images/{image_id}/file")
        headers = {"X-Auth-Token": token, "Content-Type": "application/octet-stream", "Content-Length": str(2 * HALF)}
        for name, value in headers.items():
            self._connection.putheader(name, value)
        self._connection.endheaders()
        self._connection.send(self.data[:HALF])

    def end(self) -> int:
        """Send the rest; the status of the answer."""
        self._connection.send(self.data[HALF:])
        status = self._connection.getresponse().status
        self._connection.close()
        return status


def at_work(site: Site) -> str:
    """The node that an upload is at; empty if there is none."""
    found = [name for name, node in site.nodes.items() if node.appliance.services.transfers.running(UPLOAD)]
    return found[0] if found else ""


def seen_at(site: Site, balancer: Balancer, token: str, count: int) -> set[str]:
    """The nodes that so many requests through the balancer came to."""
    ask = next(iter(site.nodes.values())).call
    found = [ask("GET", f"{balancer.image}/appliance/v1/nodes", X_Auth_Token=token).json for _ in range(count)]
    return {node["name"] for answer in found for node in answer["nodes"] if node["here"]}


def test_any_node_is_asked(site: Site, balancer: Balancer, token: str) -> None:
    eventually(lambda: seen_at(site, balancer, token, 10) == {"one", "two"})


def test_a_node_that_is_drained_ends_what_runs_there_and_gets_nothing_new(
    site: Site, balancer: Balancer, token: str
) -> None:
    one: Served = site.nodes["one"]
    image_id = one.ask("POST", "/v2/images", {"disk_format": "raw", "container_format": "bare"}).json["id"]
    upload = SlowUpload(balancer.image, image_id, token)
    eventually(lambda: at_work(site))
    drained = at_work(site)
    (other,) = {"one", "two"} - {drained}
    assert site.nodes[other].ask("PUT", f"/appliance/v1/nodes/{drained}/drain").status == 202
    # It goes on being asked until the balancer has been told no twice.
    eventually(lambda: not balancer.is_up(drained))
    assert seen_at(site, balancer, token, 10) == {other}
    assert at_work(site) == drained
    assert upload.end() == 204
    assert site.nodes[other].ask("GET", f"/v2/images/{image_id}/file").body == upload.data
    site.nodes[other].ask("DELETE", f"/appliance/v1/nodes/{drained}/drain")
    eventually(lambda: balancer.is_up(drained))

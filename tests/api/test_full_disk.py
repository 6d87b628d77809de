"""Which requests go on while the disk is full: every route of every API, held against a list of those that may."""

import errno
import http.client
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from appliance.api.http.admission import WithReserve
from appliance.api.http.messages import Request, Response
from appliance.api.http.service import Route, Service
from appliance.blobs.durable import Disk, DurableFile
from appliance.blobs.reserve import Reserve
from appliance.db.engine.registry import open_database
from tests.api.policy_world import SERVICES, World
from tests.api.served import serving
from tests.api.test_service import Plain, call

READS_AND_DELETES = ("GET", "HEAD", "DELETE")
OTHERS = {
    "identity": {
        "POST /v3/auth/tokens",
        "POST /v3/OS-OAUTH2/token",
        "POST /v3/OS-FEDERATION/identity_providers/<idp_id>/protocols/<protocol_id>/auth",
        "POST /v3/ec2tokens",
        "POST /v3/s3tokens",
        "POST /v3/users/<user_id>/password",
        "PATCH /v3/users/<user_id>",
        "PATCH /v3/projects/<project_id>",
        "PATCH /v3/domains/<domain_id>",
    },
    "identity-v2": {
        "POST /v2.0/tokens",
        "POST /v2.0/ec2tokens",
        "PATCH /v2.0/OS-KSCRUD/users/<user_id>",
    },
    "identity-v2-admin": {
        "POST /v2.0/tokens",
        "POST /v2.0/ec2tokens",
        "PUT /v2.0/users/<user_id>/OS-KSADM/password",
        "PUT /v2.0/users/<user_id>/OS-KSADM/enabled",
        "PUT /v2.0/users/<user_id>/password",
        "PUT /v2.0/users/<user_id>/enabled",
    },
    "image": {
        "POST /v2/images/<image_id>/actions/deactivate",
        "POST /v2/images/<image_id>/actions/reactivate",
    },
    "image-v1": set(),
}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    directory = tmp_path_factory.mktemp("world")
    world = World(directory, open_database(directory / "appliance.db"))
    yield world
    world.close()


@pytest.mark.parametrize("service", SERVICES)
def test_these_routes_go_on_and_no_others(world: World, service: str) -> None:
    routes = world.services[service].routes
    going_on = {f"{route.method} {route.path}" for route in routes if route.spends_reserve}
    plain = {f"{route.method} {route.path}" for route in routes if route.method in READS_AND_DELETES}
    assert going_on == plain | OTHERS[service]


class FullDisk(Disk):
    """There is no room for a reserve any more."""

    def reserve(self, path: Path, size: int) -> None:
        raise OSError(errno.ENOSPC, "no room")


@pytest.mark.parametrize(
    ("method", "frees", "status"),
    [
        ("GET", False, 200),
        ("DELETE", False, 200),
        ("POST", False, 400),
        ("PUT", False, 400),
        ("PATCH", False, 400),
        ("POST", True, 200),
        ("PATCH", True, 200),
    ],
)
def test_only_what_frees_writes_on_a_full_disk(tmp_path: Path, method: str, frees: bool, status: int) -> None:
    reserve = Reserve(tmp_path, 4096, FullDisk())

    def write(request: Request[str]) -> Response:
        reserve.admit()
        return Response(200)

    route = Route(method, "/thing", write, public=True, frees=frees)
    service = Service(Plain(), [route], head_is_get=False)
    assert int(call(method, "/thing", app=WithReserve(service, reserve))[0].split()[0]) == status


def test_the_log_names_the_file_that_the_system_refused(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    place = tmp_path / "gone" / "file"

    def write(request: Request[str]) -> Response:
        DurableFile(Disk(), place)
        return Response(200)

    service = Service(Plain(), [Route("POST", "/thing", write, public=True)], head_is_get=False)
    status, _, body = call("POST", "/thing", app=service)
    assert f"POST /thing: the disk failed: creating a file said “No such file or directory” ({place})" in caplog.text
    assert str(place) not in f"{status}{body!r}"


def test_too_large_an_image_is_told_how_large_it_may_be(tmp_path: Path) -> None:
    body = {"name": "large", "disk_format": "raw", "container_format": "bare"}
    with serving(tmp_path / "d", console=False, image_size_cap=1000) as served:
        image = served.ask("POST", "/v2/images", body).json["id"]
        answer = served.ask("PUT", f"/v2/images/{image}/file", bytes(1001))
        assert (answer.status, b"it has 1001 bytes, and an image may have 1000." in answer.body) == (413, True)


def test_too_large_an_image_for_the_disk_is_told_how_much_room_there_is(tmp_path: Path) -> None:
    body = {"name": "large", "disk_format": "raw", "container_format": "bare"}
    with serving(tmp_path / "d", console=False, image_size_cap=1 << 60) as served:
        image = served.ask("POST", "/v2/images", body).json["id"]
        url = urlsplit(served.report.image_url)
        connection = http.client.HTTPConnection(url.hostname or "", url.port, timeout=60)
        headers = {"X-Auth-Token": served.token, "Content-Type": "application/octet-stream"}
        connection.putrequest("PUT", f"/v2/images/{image}/file")
        for name, value in {**headers, "Content-Length": str(1 << 59), "Expect": "100-continue"}.items():
            connection.putheader(name, value)
        connection.endheaders()
        answer = connection.getresponse()
        told = answer.read().decode()
        assert answer.status == 413
        assert re.search(rf"the image has {1 << 59} bytes, and there is room for \d+\.", told), told
        connection.close()

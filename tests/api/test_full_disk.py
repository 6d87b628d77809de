"""Which requests go on while the disk is full: every route of every API, held against a list of those that may."""

import errno
from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance.api.http.admission import WithReserve
from appliance.api.http.messages import Request, Response
from appliance.api.http.service import Route, Service
from appliance.blobs.durable import Disk
from appliance.blobs.reserve import Reserve
from tests.api.policy_world import SERVICES, World
from tests.api.test_service import Plain, call
from tests.databases import open_test_database

READS_AND_DELETES = ("GET", "HEAD", "DELETE")
OTHERS = {
    "identity": {
        "POST /v3/auth/tokens",
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
    world = World(directory, open_test_database(directory / "appliance.db"))
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

"""pkgcloud and openstack-wrapper (JavaScript), as npm has them: log-in with both identity APIs, streams, images."""

from typing import Any

import pytest

from tests.clients.conftest import MD5, Seen

pytestmark = pytest.mark.clients


def image_tour(name: str) -> dict[str, Any]:
    """What a log-in of that kind leads to."""
    return {
        f"{name}_created": "queued",
        f"{name}_uploaded": 204,
        f"{name}_shown": {"name": f"{name} ü", "status": "active", "checksum": MD5},
        f"{name}_downloaded": True,
        f"{name}_listed": True,
        f"{name}_deleted": 404,
    }


@pytest.mark.parametrize("log_in", ["v3", "v2", "unscoped"])
def test_pkgcloud_logs_in_and_has_images(node: Seen, log_in: str) -> None:
    expected = image_tour(log_in)
    assert {step: node[step] for step in expected} == expected


def test_pkgcloud_lists_tenants_and_validates_its_token(node: Seen) -> None:
    assert (node["tenants"]["admin"], node["tenants"]["user"]) == (True, "admin")


def test_pkgcloud_is_refused_with_a_wrong_password(node: Seen) -> None:
    assert node["wrong_password"] == 401


WRAPPER = [
    ("wrapper_projects", True),
    ("wrapper_regions", ["RegionOne"]),
    ("wrapper_queued", "queued"),
    ("wrapper_updated", {"name": "renamed", "tags": ["c"], "protected": True}),
    ("wrapper_listed", True),
    ("wrapper_refused", "Invalid status (403) from remote call"),
    ("wrapper_deleted", "gone"),
]


@pytest.mark.parametrize(("step", "outcome"), WRAPPER, ids=[step for step, _ in WRAPPER])
def test_openstack_wrapper_sees_what_it_expects(node: Seen, step: str, outcome: object) -> None:
    assert node[step] == outcome


def test_openstack_wrapper_finds_the_image_service_by_itself(node: Seen) -> None:
    assert node["wrapper_simple_project"] >= 0


def test_openstack_wrapper_lists_the_standard_roles(node: Seen) -> None:
    assert {"admin", "manager", "member", "reader", "service"} <= set(node["wrapper_roles"])

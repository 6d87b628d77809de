"""fog-openstack (Ruby), as Debian ships it: images, identity, sharing, and the APIs of its first years."""

import pytest

from tests.clients.conftest import CONTENT, MD5, Seen

pytestmark = pytest.mark.clients

EXPECTED = [
    ("image_class", "Fog::OpenStack::Image::V2::Real"),
    ("uploaded", {"status": "active", "size": len(CONTENT), "checksum": MD5, "name": "fög two"}),
    ("chunked", MD5),
    ("downloaded_whole", True),
    ("downloaded_in_parts", True),
    ("listed", True),
    ("listed_page", ["chunked"]),
    ("found", True),
    ("updated", {"name": "renamed", "min_disk": 3, "os_distro": "debian"}),
    ("tags", ["three", "two"]),
    ("deactivated", "deactivated"),
    ("reactivated", "active"),
    ("identity_class", "Fog::OpenStack::Identity::V3::Real"),
    ("role_granted", True),
    ("assigned", True),
    ("projects", True),
    ("users", True),
    ("in_group", True),
    ("listed_domains", 1),
    ("listed_services", 2),
    ("listed_endpoints", 6),
    ("listed_groups", 1),
    ("validated", True),
    ("member", ["pending"]),
    ("accepted", "accepted"),
    ("listed_by_the_member", True),
    ("downloaded_by_the_member", True),
    ("gone_for_the_member", True),
    ("logged_in_anew", 0),
    ("deleted", True),
    ("old_identity_class", "Fog::OpenStack::Identity::V2::Real"),
    ("old_tenants", True),
    ("old_users", True),
    ("v1_created", {"status": "active", "checksum": MD5, "properties": {"distro": "debian"}}),
    ("v1_metadata", "debian"),
    ("v1_renamed", "fog one renamed"),
    ("v1_still_there", "active"),
    ("v1_members", True),
    ("v1_shared", True),
    ("v1_members_left", 0),
    ("v1_deleted", True),
]


@pytest.mark.parametrize(("step", "outcome"), EXPECTED, ids=[step for step, _ in EXPECTED])
def test_fog_sees_what_it_expects(fog: Seen, step: str, outcome: object) -> None:
    assert fog[step] == outcome


def test_every_step_of_fog_is_looked_at(fog: Seen) -> None:
    assert set(fog) - {step for step, _ in EXPECTED} <= {"listed_roles"}

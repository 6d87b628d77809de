"""gophercloud (Go), as Debian ships it, which Terraform's provider is made with."""

import pytest

from tests.clients.conftest import CONTENT, MD5, Seen

pytestmark = pytest.mark.clients

EXPECTED = [
    ("endpoint", True),
    ("created", ["queued", 1, "debian"]),
    ("uploaded", ["active", len(CONTENT), MD5]),
    ("downloaded", MD5),
    ("uploaded_in_chunks", MD5),
    ("methods", True),
    ("imported", MD5),
    ("listed", ["go second", "go third", "go ü"]),
    ("updated", ["go renamed", 128, "ubuntu", 2]),
    ("deleted", 404),
    ("assigned", True),
    ("conflict", 409),
    ("valid", True),
    ("hidden", 404),
    ("accepted", "accepted"),
    ("downloaded_by_the_member", MD5),
    ("listed_with_application_credential", 1),
    ("wrong_password", 401),
]


@pytest.mark.parametrize(("step", "outcome"), EXPECTED, ids=[step for step, _ in EXPECTED])
def test_gophercloud_sees_what_it_expects(gophercloud: Seen, step: str, outcome: object) -> None:
    assert gophercloud[step] == outcome


def test_every_step_of_gophercloud_is_looked_at(gophercloud: Seen) -> None:
    assert set(gophercloud) == {step for step, _ in EXPECTED}

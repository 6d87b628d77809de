"""Images whose data outlives their delete for a while."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance.errors import Forbidden, NotFound
from tests.api.image_v2.client import CALLERS, Cloud

HOUR = 3600


@pytest.fixture
def patient(tmp_path: Path) -> Iterator[Cloud]:
    cloud = Cloud(tmp_path, delayed_delete=True, scrub_time=HOUR, user_storage_quota=10)
    yield cloud
    cloud.close()


def kept(cloud: Cloud) -> int:
    return len(cloud.db.rows("SELECT 1 FROM contents WHERE state = 1"))


def test_a_deleted_image_is_out_of_sight_but_not_gone(patient: Cloud) -> None:
    image = patient.active(b"0123456789", name="one")["id"]
    path = f"/v2/images/{image}"
    assert patient.call("DELETE", path).status == 204
    for method, target, body in (
        ("GET", path, None),
        ("DELETE", path, None),
        ("GET", f"{path}/file", None),
        ("GET", f"{path}/members", None),
        ("PUT", f"{path}/tags/a", None),
    ):
        for who in ("member", "admin"):
            assert patient.call(method, target, token=who, body=body).status == 404
    assert patient.names("", "admin") == [] and patient.names("status=pending_delete", "admin") == []
    assert patient.call("POST", "/v2/images", body={"id": image}).status == 409
    assert kept(patient) == 1
    assert patient.active(b"0123456789", name="two"), "it does not count against the quota"
    assert not patient.images.deletion.scrub(), "its time has not come"
    patient.clock.at += HOUR * 1_000_000
    assert patient.images.deletion.scrub() and not patient.images.deletion.scrub()
    assert kept(patient) == 1
    assert patient.call("POST", "/v2/images", body={"id": image}).status == 409


def test_what_has_no_data_goes_at_once(patient: Cloud) -> None:
    image = patient.new()["id"]
    assert patient.call("DELETE", f"/v2/images/{image}").status == 204
    assert patient.db.row("SELECT 1 FROM images") is None


def test_an_admin_takes_a_delete_back(patient: Cloud) -> None:
    image = patient.active(b"data", name="one")["id"]
    with pytest.raises(NotFound):
        patient.images.deletion.restore(CALLERS["admin"], image)
    assert patient.call("DELETE", f"/v2/images/{image}").status == 204
    with pytest.raises(Forbidden):
        patient.images.deletion.restore(CALLERS["member"], image)
    patient.images.deletion.restore(CALLERS["admin"], image)
    assert patient.call("GET", f"/v2/images/{image}/file").body == b"data"
    patient.clock.at += HOUR * 1_000_000
    assert not patient.images.deletion.scrub()


def test_without_delay_the_data_goes_with_the_image(cloud: Cloud) -> None:
    image = cloud.active()["id"]
    assert cloud.call("DELETE", f"/v2/images/{image}").status == 204
    assert kept(cloud) == 0 and not cloud.images.deletion.scrub()

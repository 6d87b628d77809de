"""Protected properties through Image API v1: the rules of v2, in every answer and in no filter."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.api.legacy.image_v1.conftest import Clouds

RULES = """
[^secret]
create = admin
read = admin
update = admin
delete = admin

[^fixed]
create = admin
read = @
update = admin
delete = admin

[.*]
create = @
read = @
update = @
delete = @
"""

SECRET = "x-image-meta-property-secret"


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[Clouds]:
    file = tmp_path / "protections.conf"
    file.write_text(RULES)
    made = Clouds(tmp_path, property_protection_file=str(file))
    yield made
    made.close()


@pytest.fixture
def image_id(guarded: Clouds) -> str:
    """An active image of the member's project, with a property that only admins read."""
    made = guarded.make(
        "admin", b"data", name="one", owner="p-owner", **{"property-secret": "s", "property-fixed": "f"}
    )
    return str(made["id"])


def test_a_list_leaves_them_out(guarded: Clouds, image_id: str) -> None:
    def shown(token: str) -> dict[str, str]:
        properties: dict[str, str] = guarded.v1("GET", "/images/detail", token).json["images"][0]["properties"]
        return properties

    assert shown("member") == {"fixed": "f"}
    assert "secret" in guarded.v1("GET", "/images/detail?is_public=None", "admin").json["images"][0]["properties"]


@pytest.mark.parametrize("method", ["HEAD", "GET"])
def test_headers_leave_them_out(guarded: Clouds, image_id: str, method: str) -> None:
    assert SECRET not in guarded.v1(method, f"/images/{image_id}").headers
    assert guarded.v1(method, f"/images/{image_id}", "admin").headers[SECRET] == "s"


def test_the_answer_to_a_change_leaves_them_out(guarded: Clouds, image_id: str) -> None:
    answer = guarded.v1("PUT", f"/images/{image_id}", name="two", _purge="false")
    assert answer.status == 200 and answer.json["image"]["properties"] == {"fixed": "f"}


def test_a_filter_can_not_guess_them(guarded: Clouds, image_id: str) -> None:
    assert guarded.listed("property-secret=s") == []
    assert guarded.listed("property-secret=s&is_public=None", "admin") == ["one"]


def test_deleted_images_keep_theirs_from_filters_and_answers(guarded: Clouds, image_id: str) -> None:
    assert guarded.v1("DELETE", f"/images/{image_id}").status == 200
    since = "changes-since=2001-01-01T00:00:00Z"
    assert guarded.listed(f"{since}&property-secret=s") == []
    gone = guarded.v1("GET", f"/images/detail?{since}").json["images"]
    assert [image["properties"] for image in gone] == [{"fixed": "f"}]


def test_a_purge_spares_what_the_caller_can_not_read(guarded: Clouds, image_id: str) -> None:
    answer = guarded.v1("PUT", f"/images/{image_id}", name="two", **{"property-fixed": "f"})
    assert answer.status == 200, answer
    assert guarded.v1("HEAD", f"/images/{image_id}", "admin").headers[SECRET] == "s"


def test_what_may_only_be_read_may_be_sent_back_but_not_changed(guarded: Clouds, image_id: str) -> None:
    for value, status in (("f", 200), ("g", 403)):
        answer = guarded.v1("PUT", f"/images/{image_id}", _purge="false", **{"property-fixed": value})
        assert answer.status == status, answer


def test_nobody_makes_one_who_may_not(guarded: Clouds) -> None:
    answer = guarded.v1("POST", "/images", name="x", **{"property-secret": "s"})
    assert answer.status == 403, answer

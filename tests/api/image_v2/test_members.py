"""Sharing: the life of a member, and what each side sees of it."""

import pytest

from tests.api.image_v2.client import Cloud


@pytest.fixture
def image(cloud: Cloud) -> str:
    one: str = cloud.active()["id"]
    return one


def members(cloud: Cloud, image: str, token: str = "member") -> list[str]:
    answer = cloud.call("GET", f"/v2/images/{image}/members", token=token)
    assert answer.status == 200 and answer.json["schema"] == "/v2/schemas/members"
    return [member["member_id"] for member in answer.json["members"]]


def test_the_life_of_a_member(cloud: Cloud, image: str) -> None:
    path = f"/v2/images/{image}/members"
    added = cloud.call("POST", path, body={"member": "p-consumer"})
    assert added.status == 200
    assert added.json | {"created_at": "", "updated_at": ""} == {
        "member_id": "p-consumer",
        "image_id": image,
        "status": "pending",
        "created_at": "",
        "updated_at": "",
        "schema": "/v2/schemas/member",
    }
    assert cloud.call("POST", path, body={"member": "p-consumer"}).status == 409
    for status in ("accepted", "rejected", "pending", "accepted"):
        answer = cloud.call("PUT", f"{path}/p-consumer", token="consumer", body={"status": status})
        assert (answer.status, answer.json["status"]) == (200, status)
        assert cloud.call("GET", f"/v2/images/{image}", token="consumer").status == 200
        assert cloud.call("GET", f"/v2/images/{image}/file", token="consumer").status == 200
    assert cloud.call("DELETE", f"{path}/p-consumer").status == 204
    assert cloud.call("DELETE", f"{path}/p-consumer").status == 404
    assert cloud.call("GET", f"/v2/images/{image}", token="consumer").status == 404
    assert cloud.call("POST", path, body={"member": "p-consumer"}).json["status"] == "pending"


def test_a_consumer_sees_only_itself(cloud: Cloud, image: str) -> None:
    for project in ("p-one", "p-consumer", "p-two"):
        cloud.share(image, project)
    assert members(cloud, image) == members(cloud, image, "admin") == ["p-one", "p-consumer", "p-two"]
    assert members(cloud, image, "consumer") == ["p-consumer"]
    assert cloud.call("GET", f"/v2/images/{image}/members/p-one", token="consumer").status == 404
    body = {"status": "accepted"}
    assert cloud.call("PUT", f"/v2/images/{image}/members/p-one", token="consumer", body=body).status == 404


@pytest.mark.parametrize("body", [{}, {"member": ""}, {"member": None}, {"member": 5}, [], ["p"], b"", b"{"])
def test_a_member_is_named(cloud: Cloud, image: str, body: object) -> None:
    assert cloud.call("POST", f"/v2/images/{image}/members", body=body).status == 400
    assert members(cloud, image) == []


@pytest.mark.parametrize("body", [{}, {"status": "maybe"}, {"status": None}, {"status": 5}, [], b""])
def test_an_answer_is_one_of_three(cloud: Cloud, image: str, body: object) -> None:
    cloud.share(image)
    path = f"/v2/images/{image}/members/p-consumer"
    assert cloud.call("PUT", path, token="consumer", body=body).status == 400


def test_the_members_of_an_image_that_is_not_shared_rest(cloud: Cloud, image: str) -> None:
    cloud.share(image)
    for visibility, status in (("private", 403), ("community", 403), ("shared", 200)):
        cloud.patch(image, {"op": "replace", "path": "/visibility", "value": visibility})
        assert cloud.call("GET", f"/v2/images/{image}/members").status == status
    assert members(cloud, image) == ["p-consumer"]


def test_the_hundred_and_twenty_ninth_member_is_too_much(cloud: Cloud, image: str) -> None:
    for n in range(128):
        cloud.share(image, f"p-{n}")
    answer = cloud.call("POST", f"/v2/images/{image}/members", body={"member": "p-more"})
    assert answer.status == 413
    assert cloud.call("POST", f"/v2/images/{image}/members", body={"member": "p-5"}).status == 409

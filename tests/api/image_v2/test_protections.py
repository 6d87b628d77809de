"""Properties that only some roles may create, read, change or delete."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance.errors import WrongUsage
from tests.api.image_v2.client import Cloud
from tests.waiting import eventually

RULES = """
[^x_owner_.*]
create = admin,member
read = admin,member
update = admin,member
delete = admin,member

[^x_billing]
create = admin
read = Admin, Reader
update = admin
delete = !

[^x_secret]
create = @
read = admin
update = admin
delete = admin

[^x_write_once$]
create = @
read = @
update = !
delete = !

[^x_none$]
create =
read = @
update = @
delete = @

[^os_glance_.*]
create = !
read = !
update = !
delete = !
"""


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[Cloud]:
    file = tmp_path / "protections.conf"
    file.write_text(RULES)
    cloud = Cloud(tmp_path, property_protection_file=str(file))
    yield cloud
    cloud.close()


@pytest.mark.parametrize(
    ("who", "name", "status"),
    [
        ("member", "x_owner_a", 201),
        ("admin", "x_owner_a", 201),
        ("member", "x_billing", 403),
        ("admin", "x_billing", 201),
        ("member", "x_write_once", 201),
        ("admin", "x_none", 403),
        ("member", "unnamed", 403),
        ("admin", "unnamed", 403),
    ],
)
def test_who_may_create_what(guarded: Cloud, who: str, name: str, status: int) -> None:
    answer = guarded.call("POST", "/v2/images", token=who, body={name: "1"})
    assert answer.status == status and (status == 201 or b"reserved" in answer.body)
    image = guarded.new("admin", owner="p-owner")["id"]
    added = guarded.patch(image, {"op": "add", "path": f"/{name}", "value": "1"}, token=who)
    assert added.status == (200 if status == 201 else 403)


def test_what_may_not_be_read_is_not_there(guarded: Cloud) -> None:
    image = guarded.new("admin", owner="p-owner", name="one", x_billing="7", x_secret="s", x_owner_a="a")["id"]
    for who, seen in (
        ("admin", {"x_billing", "x_secret", "x_owner_a"}),
        ("member", {"x_billing", "x_owner_a"}),
        ("reader", {"x_billing"}),
    ):
        shown = guarded.show(image, who)
        assert {name for name in shown if name.startswith("x_")} == seen
        listed = guarded.call("GET", "/v2/images", token=who).json["images"][0]
        assert {name for name in listed if name.startswith("x_")} == seen
    assert guarded.names("x_secret=s", "admin") == ["one"]
    assert guarded.names("x_secret=s") == [], "nor can it be guessed"
    assert guarded.names("x_billing=7") == ["one"]
    for operation, status in (
        ({"op": "replace", "path": "/x_secret", "value": "t"}, 409),
        ({"op": "remove", "path": "/x_secret"}, 409),
        ({"op": "add", "path": "/x_secret", "value": "t"}, 403),
        ({"op": "replace", "path": "/name", "value": "two"}, 200),
    ):
        assert guarded.patch(image, operation).status == status
    assert guarded.show(image)["x_secret"] == "s" and guarded.show(image)["name"] == "two"


def test_who_may_change_and_delete_what(guarded: Cloud) -> None:
    image = guarded.new("admin", owner="p-owner", x_billing="7", x_write_once="1", x_owner_a="a")["id"]
    for who, operation, status in (
        ("member", {"op": "replace", "path": "/x_billing", "value": "8"}, 403),
        ("member", {"op": "remove", "path": "/x_billing"}, 403),
        ("admin", {"op": "replace", "path": "/x_billing", "value": "8"}, 200),
        ("admin", {"op": "remove", "path": "/x_billing"}, 403),
        ("admin", {"op": "add", "path": "/x_write_once", "value": "2"}, 403),
        ("member", {"op": "replace", "path": "/x_owner_a", "value": "b"}, 200),
        ("member", {"op": "remove", "path": "/x_owner_a"}, 200),
        ("member", {"op": "replace", "path": "/unnamed", "value": "b"}, 409),
    ):
        assert guarded.patch(image, operation, token=who).status == status, operation


def test_a_service_that_acts_for_a_user_brings_its_roles(tmp_path: Path) -> None:
    file = tmp_path / "protections.conf"
    file.write_text("[.*]\ncreate = service\nread = @\nupdate = service\ndelete = service\n")
    cloud = Cloud(tmp_path, property_protection_file=str(file))
    for service, status in (({}, 403), ({"X-Service-Token": "other"}, 403), ({"X-Service-Token": "service"}, 201)):
        assert cloud.call("POST", "/v2/images", body={"a": "b"}, headers=service).status == status
    answer = cloud.call("POST", "/v2/images", body={}, headers={"X-Service-Token": "of nobody"})
    assert answer.status == 401, "one that is not valid spoils the request"
    cloud.close()


def test_the_services_own_properties_stay(guarded: Cloud) -> None:
    image = guarded.new()["id"]
    headers = {"Content-Type": "application/octet-stream"}
    assert guarded.call("PUT", f"/v2/images/{image}/stage", body=b"data", headers=headers).status == 204
    body = {"method": {"name": "glance-direct"}}
    assert guarded.call("POST", f"/v2/images/{image}/import", body=body).status == 202
    eventually(lambda: guarded.show(image)["status"] != "importing")
    assert guarded.show(image)["status"] == "active"


@pytest.mark.parametrize(
    "text",
    [
        None,
        "no section",
        "[(]\ncreate=@\nread=@\nupdate=@\ndelete=@",
        "[a]\ncreate=@",
        "[a]\ncreate=@,!\nread=@\nupdate=@\ndelete=@",
    ],
)
def test_a_file_that_can_not_be_meant_ends_the_start(tmp_path: Path, text: str | None) -> None:
    file = tmp_path / "protections.conf"
    if text is not None:
        file.write_text(text)
    with pytest.raises(WrongUsage, match="property_protection_file"):
        Cloud(tmp_path, property_protection_file=str(file))


# -- rules of a policy file ----------------------------------------------------------------------------------------

POLICIES = """
# Who may make and who may read, in the language of the field.
maker: role:admin or (role:member and project_id:p-owner)
reader: rule:maker or user_id:u-other
nobody_s_own: project_id:%(owner)s
"""
BY_POLICIES = """
[^x_made$]
create = maker
read = reader
update = maker
delete = context_is_admin

[^x_lost$]
create = nobody_s_own
read = @
update = !
delete =

[.*]
create = @
read = @
update = @
delete = @
"""


def by_policies(directory: Path, policies: str = POLICIES, protections: str = BY_POLICIES) -> Cloud:
    (directory / "policy.yaml").write_text(policies)
    (directory / "protections.conf").write_text(protections)
    return Cloud(
        directory,
        property_protection_file=str(directory / "protections.conf"),
        property_protection_rule_format="policies",
        policy_file=str(directory / "policy.yaml"),
    )


@pytest.fixture
def ruled(tmp_path: Path) -> Iterator[Cloud]:
    cloud = by_policies(tmp_path)
    yield cloud
    cloud.close()


@pytest.mark.parametrize(
    ("who", "name", "status"),
    [
        ("admin", "x_made", 201),
        ("member", "x_made", 201),
        ("other", "x_made", 403),
        ("admin", "x_lost", 403),
        ("other", "x_plain", 201),
    ],
)
def test_a_rule_says_who_may_create_what(ruled: Cloud, who: str, name: str, status: int) -> None:
    assert ruled.call("POST", "/v2/images", token=who, body={name: "1"}).status == status


@pytest.mark.parametrize(
    ("who", "seen"), [("admin", True), ("member", True), ("other", True), ("reader", False), ("consumer", False)]
)
def test_a_rule_says_who_may_read_what(ruled: Cloud, who: str, seen: bool) -> None:
    image = ruled.new("admin", visibility="public", x_made="1")["id"]
    assert ("x_made" in ruled.show(image, who)) is seen


@pytest.mark.parametrize(("who", "status"), [("member", 403), ("admin", 200)])
def test_a_rule_says_who_may_delete_what(ruled: Cloud, who: str, status: int) -> None:
    image = ruled.new(x_made="1")["id"]
    assert ruled.patch(image, {"op": "remove", "path": "/x_made"}, token=who).status == status


@pytest.mark.parametrize(
    ("policies", "protections", "said"),
    [
        ("maker: role admin", BY_POLICIES, "line 1 of .*policy.yaml: the rule maker: 'role' is no check"),
        ("\n\nmaker: (role:x", BY_POLICIES, "line 3 of .*policy.yaml: the rule maker: a parenthesis is not closed"),
        ("maker: [role:x]", BY_POLICIES, "the rule maker has to be a text"),
        ("- maker", BY_POLICIES, "has to be rules by their names"),
        ("maker: rule:nowhere", BY_POLICIES, "the rule maker: there is no rule nowhere"),
        ("maker: rule:reader\nreader: rule:maker", BY_POLICIES, "line 1 of .*: the rule maker: it asks itself"),
        ("other: role:admin", BY_POLICIES, "there is no policy other"),
        (POLICIES, BY_POLICIES.replace("create = maker", "create = maker,reader"), "names several policies"),
        ("reader: role:admin", BY_POLICIES, "names the rule maker, which policy_file does not have"),
    ],
)
def test_a_file_that_can_not_be_meant_is_told_with_its_line(
    tmp_path: Path, policies: str, protections: str, said: str
) -> None:
    with pytest.raises(WrongUsage, match=said):
        by_policies(tmp_path, policies, protections)


def test_a_policy_file_may_be_json(tmp_path: Path) -> None:
    by_policies(tmp_path, '{"maker": "role:admin", "reader": "@", "nobody_s_own": "!"}').close()

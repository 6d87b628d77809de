"""Every route × who asks × what state the image is in: the table of status codes, read beside the API's reference."""

import re

import pytest

from tests.api.image_v2.client import Cloud

WHO = ("admin", "member", "reader", "other", "consumer", "consumer-reader", "service", "unscoped", None)
PATCH = {"Content-Type": "application/openstack-images-v2.1-json-patch"}
OCTETS = {"Content-Type": "application/octet-stream"}

# what is asked: method, path, body, headers
REQUESTS = {
    "show": ("GET", "", None, {}),
    "patch": ("PATCH", "", [{"op": "add", "path": "/k", "value": "v"}], PATCH),
    "publicize": ("PATCH", "", [{"op": "replace", "path": "/visibility", "value": "public"}], PATCH),
    "communitize": ("PATCH", "", [{"op": "replace", "path": "/visibility", "value": "community"}], PATCH),
    "give away": ("PATCH", "", [{"op": "replace", "path": "/owner", "value": "p-other"}], PATCH),
    "delete": ("DELETE", "", None, {}),
    "upload": ("PUT", "/file", b"bytes", OCTETS),
    "download": ("GET", "/file", None, {}),
    "stage": ("PUT", "/stage", b"bytes", OCTETS),
    "tag": ("PUT", "/tags/t", None, {}),
    "untag": ("DELETE", "/tags/there", None, {}),
    "deactivate": ("POST", "/actions/deactivate", None, {}),
    "reactivate": ("POST", "/actions/reactivate", None, {}),
    "add member": ("POST", "/members", {"member": "p-new"}, {}),
    "list members": ("GET", "/members", None, {}),
    "show member": ("GET", "/members/p-consumer", None, {}),
    "answer": ("PUT", "/members/p-consumer", {"status": "accepted"}, {}),
    "remove member": ("DELETE", "/members/p-consumer", None, {}),
}

# state → request → status for each of WHO
TABLE = """
            admin member reader other consumer consumer-reader service unscoped nobody
shared queued
show           200  200  200  404  200  200  404  404  401
patch          200  200  403  404  403  403  404  404  401
publicize      200  403  403  404  403  403  404  404  401
communitize    200  200  403  404  403  403  404  404  401
give away      200  403  403  404  403  403  404  404  401
delete         204  204  403  404  403  403  404  404  401
upload         204  204  403  404  403  403  404  404  401
download       204  204  403  404  204  403  404  404  401
stage          204  204  403  404  403  403  404  404  401
tag            204  204  403  404  403  403  404  404  401
untag          204  204  403  404  403  403  404  404  401
deactivate     403  403  403  404  403  403  404  404  401
reactivate     403  403  403  404  403  403  404  404  401
add member     200  200  403  404  403  403  404  404  401
list members   200  200  200  404  200  200  404  404  401
show member    200  200  200  404  200  200  404  404  401
answer         200  403  403  404  200  403  404  404  401
remove member  204  204  403  404  403  403  404  404  401
shared active
show           200  200  200  404  200  200  404  404  401
patch          200  200  403  404  403  403  404  404  401
delete         204  204  403  404  403  403  404  404  401
upload         409  409  403  404  403  403  404  404  401
download       200  200  403  404  200  403  404  404  401
stage          409  409  403  404  403  403  404  404  401
deactivate     204  204  403  404  403  403  404  404  401
reactivate     204  204  403  404  403  403  404  404  401
shared deactivated
show           200  200  200  404  200  200  404  404  401
download       200  403  403  404  403  403  404  404  401
deactivate     204  204  403  404  403  403  404  404  401
reactivate     204  204  403  404  403  403  404  404  401
delete         204  204  403  404  403  403  404  404  401
private active
show           200  200  200  404  404  404  404  404  401
patch          200  200  403  404  404  404  404  404  401
delete         204  204  403  404  404  404  404  404  401
download       200  200  403  404  404  404  404  404  401
tag            204  204  403  404  404  404  404  404  401
add member     403  403  403  404  404  404  404  404  401
list members   403  403  403  404  404  404  404  404  401
show member    404  404  404  404  404  404  404  404  401
answer         403  403  403  404  404  404  404  404  401
public active
show           200  200  200  200  200  200  404  404  401
patch          200  200  403  403  403  403  404  404  401
communitize    200  200  403  403  403  403  404  404  401
delete         204  204  403  403  403  403  404  404  401
download       200  200  403  200  200  403  404  404  401
upload         409  409  403  403  403  403  404  404  401
tag            204  204  403  403  403  403  404  404  401
deactivate     204  204  403  403  403  403  404  404  401
add member     403  403  403  403  403  403  403  403  401
community active
show           200  200  200  200  200  200  404  404  401
patch          200  200  403  403  403  403  404  404  401
publicize      200  403  403  403  403  403  404  404  401
delete         204  204  403  403  403  403  404  404  401
download       200  200  403  200  200  403  404  404  401
"""


def rows() -> list[tuple[str, str, str | None, int]]:
    found = []
    state = ""
    for line in TABLE.strip().splitlines()[1:]:
        cells = re.split(r"\s{2,}", line.strip())
        if len(cells) == 1:
            state = cells[0]
            continue
        found += [(state, cells[0], who, int(status)) for who, status in zip(WHO, cells[1:], strict=True)]
    return found


def prepare(cloud: Cloud, state: str) -> str:
    visibility, status = state.split()
    image: str = cloud.new(tags=["there"])["id"]
    cloud.share(image)
    if status != "queued":
        assert cloud.put(image, b"bytes").status == 204
    if status == "deactivated":
        assert cloud.call("POST", f"/v2/images/{image}/actions/deactivate").status == 204
    if visibility != "shared":
        assert (
            cloud.patch(image, {"op": "replace", "path": "/visibility", "value": visibility}, token="admin").status
            == 200
        )
    return image


@pytest.mark.parametrize("state", dict.fromkeys(row[0] for row in rows()))
def test_who_may_do_what(cloud: Cloud, state: str) -> None:
    wrong = []
    for _, what, who, expected in (row for row in rows() if row[0] == state):
        image = prepare(cloud, state)
        method, path, body, headers = REQUESTS[what]
        answer = cloud.call(method, f"/v2/images/{image}{path}", token=who, body=body, headers=headers)
        if answer.status != expected:
            wrong.append(f"{what} as {who or 'nobody'}: {answer.status}, not {expected}: {answer.body[:120]!r}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("who", [who for who in WHO if who not in ("admin", "member")])
def test_a_refusal_changes_nothing(cloud: Cloud, who: str | None) -> None:
    image = prepare(cloud, "public active")
    before = cloud.show(image)
    for method, path, body, headers in REQUESTS.values():
        if method != "GET" and path != "/members/p-consumer":
            cloud.call(method, f"/v2/images/{image}{path}", token=who, body=body, headers=headers)
    assert cloud.show(image) == before


@pytest.mark.parametrize(
    ("who", "body", "status"),
    [
        ("admin", {}, 201),
        ("admin", {"visibility": "public"}, 201),
        ("admin", {"owner": "somebody"}, 201),
        ("admin", {"owner": None}, 201),
        ("member", {}, 201),
        ("member", {"owner": "p-owner"}, 201),
        ("member", {"visibility": "community"}, 201),
        ("member", {"visibility": "private"}, 201),
        ("member", {"visibility": "public"}, 403),
        ("member", {"owner": "p-other"}, 403),
        ("member", {"owner": None}, 403),
        ("reader", {}, 403),
        ("service", {}, 403),
        ("unscoped", {}, 403),
        (None, {}, 401),
    ],
)
def test_who_may_create(cloud: Cloud, who: str | None, body: dict[str, object], status: int) -> None:
    assert cloud.call("POST", "/v2/images", token=who, body=body).status == status


@pytest.mark.parametrize(
    ("who", "status"),
    [("admin", 200), ("member", 200), ("reader", 200), ("service", 403), ("unscoped", 403), (None, 401)],
)
def test_who_may_list(cloud: Cloud, who: str | None, status: int) -> None:
    assert cloud.call("GET", "/v2/images", token=who).status == status

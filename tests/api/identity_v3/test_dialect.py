"""What every answer has in common: versions, errors, headers, links."""

import pytest

from tests.api.identity_v3.client import Client


def test_root_is_multiple_choices_with_one_choice(client: Client) -> None:
    answer = client.call("GET", "/", token="")
    assert answer.status == 300
    assert answer.headers["location"] == "http://cloud.example:5000/v3/"
    (version,) = answer.json["versions"]["values"]
    assert set(version) == {"id", "status", "updated", "links", "media-types"}
    assert version["links"] == [{"rel": "self", "href": "http://cloud.example:5000/v3/"}]


@pytest.mark.parametrize("path", ["/v3", "/v3/"])
def test_v3_describes_itself_to_anyone(client: Client, path: str) -> None:
    answer = client.call("GET", path, token="")
    assert (answer.status, answer.json["version"]["id"]) == (200, "v3.14")


@pytest.mark.parametrize(
    ("method", "path", "token", "status", "part"),
    [
        ("GET", "/v3/users", "", 401, '"title": "Unauthorized"'),
        ("GET", "/v3/users", "junk", 401, '"title": "Unauthorized"'),
        ("GET", "/v3/users/none", None, 404, '"title": "Not Found"'),
        ("GET", "/v3/nothing", None, 404, "<h1>Not Found</h1>"),
        ("GET", "/v4", None, 404, "<!doctype html>"),
        ("PUT", "/v3/users", None, 405, '"message"'),
        ("POST", "/v3/auth/projects", None, 405, '"message"'),
        ("GET", "/v3/auth/tokens", None, 404, '"error"'),
        ("GET", "/v3/auth/tokens/OS-PKI/revoked", None, 403, '"error"'),
        ("GET", "/v3/OS-SIMPLE-CERT/ca", None, 410, '"error"'),
        ("GET", "/v3/users/", None, 200, '"users"'),
        ("GET", "/v3/users?limit=x", None, 400, '"error"'),
        ("GET", "/v3/users?limit=-1", None, 400, '"error"'),
        ("GET", "/v3/users?surprise=1", None, 200, '"users"'),
    ],
)
def test_errors_look_like_keystones(
    client: Client, method: str, path: str, token: str | None, status: int, part: str
) -> None:
    answer = client.call(method, path, token=token)
    assert answer.status == status, answer.text
    assert part in answer.text
    assert answer.headers["vary"] == "X-Auth-Token"
    assert answer.headers["x-openstack-request-id"].startswith("req-")
    if status == 405:
        assert answer.headers["allow"]


def test_collections_carry_links_and_pages(client: Client) -> None:
    for _ in range(3):
        client.create("role", {"name": client.name("role")})
    seen: list[str] = []
    path = "/v3/roles?limit=3&name__startswith=role"
    client.create("role", {"name": "role-last"})
    while path:
        body = client.call("GET", path).json
        seen += [role["name"] for role in body["roles"]]
        assert all(role["links"]["self"].endswith(f"/v3/roles/{role['id']}") for role in body["roles"])
        assert ("truncated" in body) == (body["links"]["next"] is not None)
        path = (body["links"]["next"] or "").removeprefix("http://cloud.example:5000")
    assert sorted(seen) == ["role-1", "role-2", "role-3", "role-last"]


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("name=admin", ["admin"]),
        ("name__contains=m", ["admin", "manager", "member"]),
        ("name__icontains=M", ["admin", "manager", "member"]),
        ("name__contains=M", []),
        ("name__startswith=ma", ["manager"]),
        ("name__iendswith=ER", ["manager", "member", "reader"]),
        ("name=", []),
    ],
)
def test_filters_are_exact_or_not(client: Client, query: str, names: list[str]) -> None:
    assert sorted(role["name"] for role in client.call("GET", f"/v3/roles?{query}").json["roles"]) == names

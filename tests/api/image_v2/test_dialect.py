"""What makes the service sound like Glance: versions, tokens, methods, bodies that are not expected, errors, CORS."""

from pathlib import Path

import pytest

from tests.api.image_v2.client import Cloud

ID = "71c675ab-d94f-49cd-a114-e12490b328d9"


# -- versions --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "accept", "status"),
    [
        ("/", "", 300),
        ("", "", 300),
        ("/versions", "", 200),
        ("/versions/x", "", 200),
        ("/v1/images", "", 300),
        ("/v9/x", "", 300),
        ("/v2.18/images", "", 300),
        ("/images", "application/vnd.openstack.images-v9", 300),
    ],
)
def test_what_is_not_version_two_gets_the_choices(cloud: Cloud, path: str, accept: str, status: int) -> None:
    answer = cloud.call("GET", path, token=None, headers={"Accept": accept})
    assert answer.status == status
    versions = answer.json["versions"]
    assert [one["id"] for one in versions if one["status"] == "CURRENT"] == ["v2.17"]
    assert {one["status"] for one in versions} == {"CURRENT", "SUPPORTED"}
    assert versions[-1] == {
        "id": "v2.0",
        "status": "SUPPORTED",
        "links": [{"rel": "self", "href": "http://glance.test:9292/v2/"}],
    }


@pytest.mark.parametrize(
    ("path", "accept"),
    [
        ("/v2/images", ""),
        ("/v2.0/images", ""),
        ("/v2.17/images", ""),
        ("/images", "application/vnd.openstack.images-v2"),
        ("/images", "application/vnd.openstack.images-v2.7"),
    ],
)
def test_the_ways_to_ask_for_version_two(cloud: Cloud, path: str, accept: str) -> None:
    assert cloud.call("GET", path, headers={"Accept": accept}).status == 200


def test_versions_follow_the_settings(stores: Cloud, tmp_path_factory: pytest.TempPathFactory) -> None:
    def minors(cloud: Cloud) -> set[int]:
        return {int(one["id"][3:]) for one in cloud.call("GET", "/versions", token=None).json["versions"]}

    assert minors(stores) == {*range(14), 15, 17}
    cached = Cloud(
        tmp_path_factory.mktemp("all"),
        enabled_backends=("one:file",),
        image_cache_dir="/nowhere",
        public_image_url="https://images.test/glance/",
    )
    assert minors(cached) == set(range(19))
    first = cached.call("GET", "/", token=None).json["versions"][0]
    assert (first["id"], first["status"]) == ("v2.18", "CURRENT")
    assert first["links"][0]["href"] == "https://images.test/glance/v2/"
    cached.close()


@pytest.mark.parametrize(("path", "status"), [("/v2", 302), ("/v2/", 404), ("/v2/nothing", 404), ("/v2/images/", 404)])
def test_paths_of_version_two_that_are_nothing(cloud: Cloud, path: str, status: int) -> None:
    assert cloud.call("GET", path).status == status
    challenged = cloud.call("GET", path, token=None)
    assert challenged.status == 401, "before the path is looked at"
    assert challenged.headers["www-authenticate"] == 'Keystone uri="http://id.test/v3"'
    assert cloud.call("GET", path, token="forged").status == 401


# -- methods and bodies ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("PUT", "/v2/images", "GET, POST"),
        ("HEAD", "/v2/images", "GET, POST"),
        ("HEAD", f"/v2/images/{ID}", "DELETE, GET, PATCH"),
        ("POST", f"/v2/images/{ID}", "DELETE, GET, PATCH"),
        ("BREW", f"/v2/images/{ID}", "DELETE, GET, PATCH"),
        ("HEAD", f"/v2/images/{ID}/file", "GET, PUT"),
        ("GET", f"/v2/images/{ID}/stage", "PUT"),
        ("GET", f"/v2/images/{ID}/import", "POST"),
        ("GET", f"/v2/images/{ID}/tags/t", "DELETE, PUT"),
        ("GET", f"/v2/images/{ID}/actions/deactivate", "POST"),
        ("PATCH", f"/v2/images/{ID}/members", "GET, POST"),
        ("POST", f"/v2/images/{ID}/members/m", "DELETE, GET, PUT"),
        ("POST", "/v2/schemas/image", "GET"),
        ("POST", "/v2/info/import", "GET"),
        ("GET", f"/v2/stores/main/{ID}", "DELETE"),
        ("PUT", "/v2/tasks", "GET, POST"),
    ],
)
def test_a_wrong_method_is_told_the_right_ones(cloud: Cloud, method: str, path: str, allow: str) -> None:
    answer = cloud.call(method, path)
    assert (answer.status, answer.headers.get("allow")) == (405, allow)
    assert cloud.call(method, path, token=None).status == 401


@pytest.mark.parametrize("path", [f"/v2/images/{ID}/tasks", "/v2/info/usage"])
def test_where_glance_has_no_answer_to_a_wrong_method(cloud: Cloud, path: str) -> None:
    assert cloud.call("POST", path).status == 404


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v2/images"),
        ("GET", "/v2/images/{}"),
        ("DELETE", "/v2/images/{}"),
        ("GET", "/v2/images/{}/file"),
        ("GET", "/v2/images/{}/members"),
        ("PUT", "/v2/images/{}/tags/t"),
        ("DELETE", "/v2/images/{}/tags/t"),
        ("POST", "/v2/images/{}/actions/deactivate"),
        ("POST", "/v2/images/{}/actions/reactivate"),
        ("GET", "/v2/info/import"),
        ("GET", "/v2/schemas/image"),
    ],
)
def test_a_body_that_is_not_expected_is_refused(cloud: Cloud, method: str, path: str) -> None:
    image = cloud.active(tags=["t"])["id"]
    assert cloud.call(method, path.format(image), body=b"{}").status == 400
    assert cloud.show(image)["status"] == "active"


# -- errors and request ids --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("accept", "kind", "start"),
    [
        (None, "text/plain; charset=UTF-8", "404 Not Found\n\nNo image found with ID"),
        ("", "text/plain; charset=UTF-8", "404 Not Found\n\nNo image found with ID"),
        ("*/*", "text/html; charset=UTF-8", "<html>"),
        ("text/html", "text/html; charset=UTF-8", "<html>"),
        ("application/json", "application/json", '{"message": "No image found'),
    ],
)
def test_an_error_is_said_as_the_client_likes_it(cloud: Cloud, accept: str | None, kind: str, start: str) -> None:
    answer = cloud.call("GET", f"/v2/images/{ID}", headers={} if accept is None else {"Accept": accept})
    assert (answer.status, answer.headers["content-type"]) == (404, kind)
    assert answer.body.decode().startswith(start)


def test_nothing_of_a_request_is_echoed_as_markup(cloud: Cloud) -> None:
    answer = cloud.call("GET", "/v2/images/%3Cscript%3E", headers={"Accept": "text/html"})
    assert b"<script>" not in answer.body


@pytest.mark.parametrize(
    ("sent", "status", "back"),
    [("req-abc", 200, "req-abc"), ("abc", 200, "req-abc"), ("x" * 65, 431, None), (None, 200, None)],
)
def test_a_request_keeps_its_id(cloud: Cloud, sent: str | None, status: int, back: str | None) -> None:
    headers = {} if sent is None else {"X-OpenStack-Request-ID": sent}
    answer = cloud.call("GET", "/v2/images", headers=headers)
    assert answer.status == status
    assert answer.headers["x-openstack-request-id"] == back or (
        back is None and answer.headers["x-openstack-request-id"].startswith("req-")
    )


# -- health, CORS ------------------------------------------------------------------------------------------------------


def test_the_healthcheck(tmp_path: Path) -> None:
    switch = tmp_path / "down"
    cloud = Cloud(tmp_path, disable_by_file_path=str(switch))
    assert cloud.call("GET", "/healthcheck", token=None).body == b"OK"
    asked = {"Accept": "application/json"}
    assert cloud.call("GET", "/healthcheck", token=None, headers=asked).json == {"detailed": False, "reasons": ["OK"]}
    detail = cloud.call("GET", "/healthcheck?detailed", token=None, headers=asked).json
    assert detail["parts"] == {"main": "OK"}
    assert (
        b"<li>main: OK</li>"
        in cloud.call("GET", "/healthcheck?detailed", token=None, headers={"Accept": "text/html"}).body
    )
    switch.touch()
    down = cloud.call("GET", "/healthcheck", token=None)
    assert (down.status, down.body) == (503, b"DISABLED BY FILE")
    cloud.close()


PREFLIGHT = {"Access-Control-Request-Method": "PUT", "Access-Control-Request-Headers": "X-Auth-Token, Content-Type"}


def test_pages_of_other_origins_are_kept_out_by_default(cloud: Cloud) -> None:
    answer = cloud.call("OPTIONS", "/v2/images", token=None, headers={"Origin": "https://h.test"} | PREFLIGHT)
    assert answer.status == 401 and "access-control-allow-origin" not in answer.headers


def test_pages_of_an_allowed_origin_may_call(tmp_path: Path) -> None:
    cloud = Cloud(tmp_path, cors_allowed_origins=("https://h.test",))
    path = f"/v2/images/{ID}/file"
    asked = cloud.call("OPTIONS", path, token=None, headers={"Origin": "https://h.test"} | PREFLIGHT)
    assert asked.status == 200
    assert asked.headers["access-control-allow-origin"] == "https://h.test"
    assert asked.headers["access-control-allow-credentials"] == "true"
    assert asked.headers["access-control-allow-methods"] == "PUT"
    assert asked.headers["access-control-allow-headers"] == "X-Auth-Token,Content-Type"
    for headers in (
        {"Access-Control-Request-Method": "BREW"},
        {"Access-Control-Request-Headers": "X-Secret", "Access-Control-Request-Method": "PUT"},
    ):
        refused = cloud.call("OPTIONS", path, token=None, headers={"Origin": "https://h.test"} | headers)
        assert "access-control-allow-origin" not in refused.headers
    read = cloud.call("GET", "/v2/images", headers={"Origin": "https://h.test"})
    assert read.headers["access-control-allow-origin"] == "https://h.test" and read.headers["vary"] == "Origin"
    other = cloud.call("GET", "/v2/images", headers={"Origin": "https://evil.test"})
    assert other.status == 200 and "access-control-allow-origin" not in other.headers
    cloud.close()


@pytest.mark.parametrize("path", ["/v2//images", "//v2/images", "/v2///images", "/v2//schemas//image"])
def test_doubled_slashes_change_nothing(cloud: Cloud, path: str) -> None:
    assert cloud.call("GET", path).status == 200


def test_any_origin_is_a_star_and_not_the_one_that_asks(tmp_path: Path) -> None:
    cloud = Cloud(tmp_path, cors_allowed_origins=("*",))
    answer = cloud.call("GET", "/v2/images", headers={"Origin": "https://h.test"})
    assert answer.headers["access-control-allow-origin"] == "*"
    cloud.close()

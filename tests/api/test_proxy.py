"""What trusted proxies say is believed, and what the client said to them is not."""

from typing import Any

import pytest

from appliance.api.http.admission import Uploaders
from appliance.api.http.proxy import BehindProxies, TrustedProxies
from appliance.errors import Unauthenticated
from appliance.values import Caller, Uploader

PROXIES = ("10.0.0.0/8",)


def seen(address: str, **headers: str) -> tuple[int, str, str, str, str]:
    """Status, and what the application sees: client, scheme, host, mount."""
    found: dict[str, Any] = {}

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        found.update(environ)
        start_response("200 OK", [])
        return [b""]

    environ = {
        "REQUEST_METHOD": "GET",
        "REMOTE_ADDR": address,
        "HTTP_HOST": "inside",
        "wsgi.url_scheme": "http",
        **{f"HTTP_X_FORWARDED_{name.upper()}": value for name, value in headers.items()},
    }
    statuses: list[str] = []
    start: Any = lambda status, *_: statuses.append(status)  # noqa: E731
    list(BehindProxies(app, TrustedProxies(PROXIES))(environ, start))
    keys = ("REMOTE_ADDR", "wsgi.url_scheme", "HTTP_HOST", "SCRIPT_NAME")
    return (int(statuses[0].split()[0]), *(found.get(key, "") for key in keys))


def test_stranger_is_not_believed() -> None:
    answer = seen("192.0.2.9", proto="https", host="evil", prefix="/x", **{"for": "198.51.100.1"})
    assert answer == (200, "192.0.2.9", "http", "inside", "")


def test_one_proxy_is_believed() -> None:
    answer = seen("10.0.0.1", proto="https", host="cloud.test:8443", prefix="/image", **{"for": "198.51.100.1"})
    assert answer == (200, "198.51.100.1", "https", "cloud.test:8443", "/image")


def test_what_the_client_wrote_before_one_proxy_is_not_believed() -> None:
    answer = seen(
        "10.0.0.1", proto="gopher,https", host="evil.test, cloud.test", **{"for": "127.0.0.1, 10.9.9.9, 198.51.100.1"}
    )
    assert answer == (200, "198.51.100.1", "https", "cloud.test", "")


def test_the_outer_one_of_two_proxies_is_believed() -> None:
    answer = seen(
        "10.0.0.1",
        proto="http, https, http",
        host="evil.test, cloud.test, inner.test",
        **{"for": "127.0.0.1, 198.51.100.1, 10.0.0.2"},
    )
    assert answer == (200, "198.51.100.1", "https", "cloud.test", "")


def test_two_proxies_of_which_one_replaces_the_list() -> None:
    assert seen("10.0.0.1", host="cloud.test", **{"for": "198.51.100.1, 10.0.0.2"})[3] == "cloud.test"


@pytest.mark.parametrize("host", ["<script>", "a b", "a/..", "u@h", "h:x", "a\tb", "[::1", "h?x", "h#x", "ü"])
def test_odd_forwarded_host_is_refused(host: str) -> None:
    assert seen("10.0.0.1", host=host)[0] == 400


@pytest.mark.parametrize("prefix", ["/a/../b", "/a b", "//evil.test", "/<x>", "a"])
def test_odd_forwarded_prefix_is_refused(prefix: str) -> None:
    assert seen("10.0.0.1", prefix=prefix)[0] == 400


# -- who sends a large body ------------------------------------------------------------------------------------------


def authenticate(token: str, method: str, path: str) -> Caller:
    if token != "good" or path != "/v2/images/x/file":
        raise Unauthenticated("no")
    return Caller(user_id="u", project_id="p")


def identified(token: str, path: str, mount: str = "", **headers: str) -> Uploader | None:
    environ = {
        "REQUEST_METHOD": "PUT",
        "PATH_INFO": path,
        "REMOTE_ADDR": "10.0.0.1",
        "HTTP_X_AUTH_TOKEN": token,
        **headers,
    }
    return Uploaders(authenticate, TrustedProxies(PROXIES), mount).identify(environ)


def test_sender_of_a_large_body_is_known_by_token_and_address() -> None:
    known = Uploader(("user u", "project p"), "198.51.100.1")
    assert identified("good", "/v2/images/x/file", HTTP_X_FORWARDED_FOR="198.51.100.1") == known


@pytest.mark.parametrize(
    ("token", "path", "mount"),
    [
        ("", "/v2/images/x/file", ""),
        ("bad", "/v2/images/x/file", ""),
        ("good", "/identity/v2/images/x/file", "/image"),
        ("good", "/v2/images/x/file", "/image"),
    ],
)
def test_everybody_else_is_a_stranger(token: str, path: str, mount: str) -> None:
    assert identified(token, path, mount) is None


def test_sender_behind_a_mount_and_doubled_slashes_is_known() -> None:
    assert identified("good", "/image//v2/images//x/file", "/image") is not None

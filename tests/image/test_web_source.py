"""Which addresses an import may reach, and that it reaches no other."""

import socket
from collections.abc import Callable
from typing import Any

import pytest

from appliance.errors import Invalid, Unavailable
from appliance.image.web_source import UriFilter, WebSource
from appliance.settings import Settings
from tests.api.image_v2.web import Page, web_server

OPEN = Settings(import_allowed_ports=())
HERE = Settings(import_allowed_hosts=("127.0.0.1",), import_allowed_ports=())


def resolving(names: dict[str, list[str]]) -> Callable[..., Any]:
    """A resolver that knows these names; the last address of each stays its answer."""

    def getaddrinfo(host: str, port: int, *_: Any, **__: Any) -> list[Any]:
        if host not in names:
            raise socket.gaierror(f"nobody knows {host}")
        answers = names[host]
        address = answers.pop(0) if len(answers) > 1 else answers[0]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]

    return getaddrinfo


@pytest.mark.parametrize(
    "uri",
    [
        "http://127.0.0.1/",
        "http://127.1.2.3/x",
        "http://localhost/",
        "http://LOCALHOST./",
        "http://2130706433/",
        "http://0x7f.1/",
        "http://0/",
        "http://[::1]/",
        "http://[::ffff:127.0.0.1]/",
        "http://[::ffff:169.254.169.254]/",
        "http://[fe80::1]/",
        "http://169.254.169.254/latest/meta-data",
        "http://user@127.0.0.1/",
        "http://example.com@127.0.0.1/",
        "http://127.0.0.1:80@127.0.0.1/",
    ],
)
def test_what_only_this_host_can_reach_is_refused(uri: str) -> None:
    with pytest.raises(Invalid):
        UriFilter(OPEN).check(uri)


@pytest.mark.parametrize(
    ("settings", "uri", "passes"),
    [
        ({}, "http://10.0.0.1/x", True),
        ({}, "https://192.168.0.1/x", True),
        ({}, "http://10.0.0.1:80/x", True),
        ({}, "http://10.0.0.1:8080/x", False),
        ({}, "ftp://10.0.0.1/x", False),
        ({}, "file:///etc/passwd", False),
        ({}, "10.0.0.1/x", False),
        ({}, "http://", False),
        ({}, "http://10.0.0.1/a b", False),
        ({}, "http://10.0.0.1:99999/", False),
        ({}, "http://10.0.0.1/x\r\nHost: other", False),
        ({"import_allowed_hosts": ("10.0.0.2",)}, "http://10.0.0.1/x", False),
        ({"import_allowed_hosts": ("10.0.0.2",)}, "http://10.0.0.2/x", True),
        ({"import_disallowed_hosts": ("10.0.0.2",)}, "http://10.0.0.2/x", False),
        ({"import_disallowed_hosts": ("10.0.0.2",)}, "http://10.0.0.1/x", True),
        ({"import_allowed_hosts": ("10.0.0.2",), "import_disallowed_hosts": ("10.0.0.2",)}, "http://10.0.0.2/", True),
        ({"import_allowed_schemes": ("https",)}, "http://10.0.0.1/", False),
        ({"import_allowed_ports": (), "import_disallowed_ports": ("22",)}, "http://10.0.0.1:22/", False),
        ({"import_allowed_ports": (), "import_disallowed_ports": ("22",)}, "http://10.0.0.1:23/", True),
        ({"import_allowed_hosts": ("127.0.0.1",)}, "http://127.0.0.1/", True),
    ],
)
def test_the_settings_say_what_passes(settings: dict[str, Any], uri: str, passes: bool) -> None:
    uris = UriFilter(Settings(**settings))
    if passes:
        assert uris.check(uri).uri == uri
    else:
        with pytest.raises(Invalid):
            uris.check(uri)


def test_a_name_that_turns_to_loopback_later_is_refused_then(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", resolving({"rebind.test": ["10.0.0.1", "10.0.0.1", "127.0.0.1"]}))
    uris = UriFilter(OPEN)
    uris.check("http://rebind.test/")
    with pytest.raises(Invalid):
        WebSource(uris, "http://rebind.test/", 5)


def test_the_address_that_was_checked_is_the_one_reached(monkeypatch: pytest.MonkeyPatch) -> None:
    with web_server() as web:
        web.pages["/x"] = Page(b"here")
        names = {"pinned.test": ["127.0.0.1"], "127.0.0.1": ["127.0.0.1"]}
        monkeypatch.setattr(socket, "getaddrinfo", resolving(names))
        settings = Settings(import_allowed_hosts=("pinned.test",), import_allowed_ports=())
        with WebSource(UriFilter(settings), f"http://pinned.test:{web.port}/x", 5) as source:
            assert (source.read(10), source.size) == (b"here", 4)
        assert web.requests[0][1]["host"] == f"pinned.test:{web.port}"


def test_each_redirect_is_checked_and_loses_the_token() -> None:
    with web_server() as web, web_server() as other:
        other.pages["/x"] = Page(b"there")
        web.pages["/x"] = Page(status=302, headers={"Location": f"{other.base}/x"})
        web.pages["/y"] = Page(status=307, headers={"Location": "http://169.254.169.254/"})
        web.pages["/z"] = Page(status=302, headers={"Location": "file:///etc/passwd"})
        web.pages["/loop"] = Page(status=302, headers={"Location": "/loop"})
        web.pages["/nowhere"] = Page(status=302)
        uris = UriFilter(HERE)
        with WebSource(uris, f"{web.base}/x", 5, {"X-Auth-Token": "secret"}) as source:
            assert source.read(10) == b"there"
        assert web.requests[0][1]["x-auth-token"] == "secret"
        assert "x-auth-token" not in other.requests[0][1]
        for path, kind in (("/y", Invalid), ("/z", Invalid), ("/loop", Unavailable), ("/nowhere", Unavailable)):
            with pytest.raises(kind):
                WebSource(uris, f"{web.base}{path}", 5)


def test_a_server_that_is_not_there_is_said_so() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        with pytest.raises(Unavailable):
            WebSource(UriFilter(HERE), f"http://127.0.0.1:{taken.getsockname()[1]}/", 2)

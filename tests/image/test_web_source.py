"""Which addresses an import may reach, and that it reaches no other."""

import socket
from collections.abc import Callable
from typing import Any

import pytest

from appliance.errors import Invalid, Unavailable
from appliance.image.web.addresses import UriFilter
from appliance.image.web.source import Patience, WebSource
from appliance.settings import Settings
from tests.api.image_v2.web import Page, web_server

OPEN = Settings(import_allowed_ports=())
PATIENCE = Patience(5)
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
        "http://0.1.2.3/",
        "http://240.0.0.1/",
        "http://255.255.255.255/",
        "http://224.0.0.1/",
        "http://[ff02::1]/",
        "http://[::]/",
        # cloud metadata services
        "http://100.100.100.200/",
        "http://168.63.129.16/",
        "http://192.0.0.192/",
        "http://[fd00:ec2::254]/",
        "http://[fd00:ec2::23]/",
        "http://[fd00:42::42]/",
        "http://[fd20:ce::254]/",
        "http://[::ffff:168.63.129.16]/",
        # IPv4 inside IPv6
        "http://[::127.0.0.1]/",
        "http://[::ffff:0:127.0.0.1]/",
        "http://[2002:7f00:1::]/",
        "http://[2002:a9fe:a9fe::1]/",
        "http://[64:ff9b::a9fe:a9fe]/",
        "http://[64:ff9b::6464:64c8]/",
        "http://[64:ff9b:1:7f00:0:100::]/",
        "http://[64:ff9b:1:7f:0:1::]/",
        "http://[64:ff9b:1:0:7f:0:100:0]/",
        "http://[64:ff9b:1::127.0.0.1]/",
        "http://[2001:0:7f00:1::]/",
        "http://[2001:0:808:808:0:0:80ff:fffe]/",
        "http://[fd00::5efe:127.0.0.1]/",
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
        ({}, "http://[2001:db8::1]/", True),
        ({}, "http://[fd00::1]/", True),
        ({}, "http://[64:ff9b::808:808]/", True),
        ({}, "http://[64:ff9b:1::8.8.8.8]/", True),
        ({}, "http://[2002:808:808::1]/", True),
        ({"import_allowed_hosts": ("100.100.100.200",)}, "http://100.100.100.200/", True),
        ({"import_allowed_hosts": ("::127.0.0.1",)}, "http://[::127.0.0.1]/", True),
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
    monkeypatch.setattr(socket, "getaddrinfo", resolving({"rebind.test": ["10.0.0.1", "127.0.0.1"]}))
    uris = UriFilter(OPEN)
    uris.check("http://rebind.test/")
    with pytest.raises(Invalid):
        WebSource(uris, "http://rebind.test/", PATIENCE)


def test_the_address_that_was_checked_is_the_one_reached(monkeypatch: pytest.MonkeyPatch) -> None:
    with web_server() as web:
        web.pages["/x"] = Page(b"here")
        names = {"pinned.test": ["127.0.0.1"], "127.0.0.1": ["127.0.0.1"]}
        monkeypatch.setattr(socket, "getaddrinfo", resolving(names))
        settings = Settings(import_allowed_hosts=("pinned.test",), import_allowed_ports=())
        with WebSource(UriFilter(settings), f"http://pinned.test:{web.port}/x", PATIENCE) as source:
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
        with WebSource(uris, f"{web.base}/x", PATIENCE, {"X-Auth-Token": "secret"}) as source:
            assert source.read(10) == b"there"
        assert web.requests[0][1]["x-auth-token"] == "secret"
        assert "x-auth-token" not in other.requests[0][1]
        for path, kind in (("/y", Invalid), ("/z", Invalid), ("/loop", Unavailable), ("/nowhere", Unavailable)):
            with pytest.raises(kind):
                WebSource(uris, f"{web.base}{path}", PATIENCE)


def test_an_address_of_this_host_is_out_of_bounds() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))
        own = probe.getsockname()[0]
    for uri in (f"http://{own}/", f"http://[::ffff:{own}]/"):
        with pytest.raises(Invalid):
            UriFilter(OPEN).check(uri)


@pytest.mark.parametrize("uri", ["  {base}/x\n", "{base}/x\r\n", "\t{base}/x "])
def test_space_around_an_address_is_ignored(uri: str) -> None:
    with web_server() as web:
        web.pages["/x"] = Page(b"here")
        with WebSource(UriFilter(HERE), uri.format(base=web.base), PATIENCE) as source:
            assert source.read(10) == b"here"


@pytest.mark.parametrize(
    ("location", "asked"),
    [
        ("/with space", "/with%20space"),
        ("/z\u00fcrich?\u00fc=1", "/z%C3%BCrich?%C3%BC=1"),
        ("/kept%20as%20is", "/kept%20as%20is"),
        (" /around ", "/around"),
    ],
)
def test_a_redirect_may_lead_to_what_has_to_be_quoted(location: str, asked: str) -> None:
    with web_server() as web:
        web.pages["/x"] = Page(status=302, headers={"Location": location.encode().decode("latin-1")})
        web.pages[asked] = Page(b"here")
        with WebSource(UriFilter(HERE), f"{web.base}/x", PATIENCE) as source:
            assert source.read(10) == b"here"


def test_quoting_hides_nothing_from_the_filter() -> None:
    with web_server() as web:
        for location in (
            "http://169.254.169.254/a b",
            "http://[::127.0.0.1]/ \u00fc",
            "//169.254.169.254/",
        ):
            web.pages["/x"] = Page(status=302, headers={"Location": location.encode().decode("latin-1")})
            with pytest.raises(Invalid):
                WebSource(UriFilter(HERE), f"{web.base}/x", PATIENCE)


def test_a_named_service_passes_and_its_redirects_do_not() -> None:
    with web_server() as web, web_server() as other:
        web.pages["/x"] = Page(b"here")
        web.pages["/y"] = Page(status=302, headers={"Location": "/x"})
        web.pages["/z"] = Page(status=302, headers={"Location": f"{other.base}/x"})
        uris = UriFilter(OPEN).trusting(web.base)
        for path in ("/x", "/y"):
            with WebSource(uris, f"{web.base}{path}", PATIENCE, {"X-Auth-Token": "secret"}) as source:
                assert source.read(10) == b"here"
        assert web.requests[-1][1]["x-auth-token"] == "secret", "the same service gets it again"
        with pytest.raises(Invalid):
            WebSource(uris, f"{web.base}/z", PATIENCE)
        assert not other.requests


def test_a_token_that_was_dropped_does_not_come_back() -> None:
    with web_server() as web, web_server() as other:
        web.pages["/x"] = Page(status=302, headers={"Location": f"{other.base}/back"})
        other.pages["/back"] = Page(status=302, headers={"Location": f"{web.base}/end"})
        web.pages["/end"] = Page(b"end")
        with WebSource(UriFilter(HERE), f"{web.base}/x", PATIENCE, {"X-Auth-Token": "secret"}) as source:
            assert source.read(10) == b"end"
        assert "x-auth-token" not in web.requests[-1][1]


def test_no_message_tells_what_opens_an_address() -> None:
    uri = "http://user:password@127.0.0.1:1/image?signature=abc"
    for settings in (OPEN, HERE):
        with pytest.raises((Invalid, Unavailable)) as raised:
            WebSource(UriFilter(settings), uri, PATIENCE)
        assert not any(word in str(raised.value) for word in ("password", "abc"))


def test_a_size_that_nothing_has_is_refused() -> None:
    with web_server() as web:
        web.pages["/x"] = Page(b"x", headers={"Content-Length": str(2**63)})
        with pytest.raises(Unavailable):
            WebSource(UriFilter(HERE), f"{web.base}/x", PATIENCE)


def test_a_server_that_is_not_there_is_said_so() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        with pytest.raises(Unavailable):
            WebSource(UriFilter(HERE), f"http://127.0.0.1:{taken.getsockname()[1]}/", PATIENCE)

"""An appliance at an IPv6 address and on Unix sockets: what it writes is what clients can use."""

import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml  # type: ignore[import-untyped]

from tests.cli.conftest import Program
from tests.e2e.conftest import Appliance

pytestmark = pytest.mark.skipif(
    not Path("/proc/net/if_inet6").exists() or not Path("/proc/net/if_inet6").read_text(), reason="no IPv6 here"
)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Appliance]:
    directory = tmp_path_factory.mktemp("six")
    (directory / "run").mkdir()
    started = Appliance(directory / "data", "--host", "::1", "--socket-dir", str(directory / "run"))
    yield started
    assert started.stop() == 0, started.log()
    assert list((directory / "run").iterdir()) == []


@pytest.fixture
def program(tmp_path: Path) -> Program:
    return Program(tmp_path)


def over(path: Path, request: bytes) -> bytes:
    """The whole response to a request on a Unix socket."""
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(60)
        sock.connect(str(path))
        sock.sendall(request)
        return sock.makefile("rb").read()


def test_addresses_have_brackets_everywhere(served: Appliance, program: Program) -> None:
    assert served.image.startswith("http://[::1]:")
    cloud = yaml.safe_load((served.directory / "clouds.yaml").read_text())["clouds"]["appliance"]
    assert cloud["auth"]["auth_url"] == served.identity
    assert program("status", "--data-dir", served.directory, "-f", "json").json["image"] == f"{served.image} answers"


def test_our_own_client_comes_by_ipv6(served: Appliance, program: Program, tmp_path: Path) -> None:
    (tmp_path / "disk").write_bytes(b"x" * 512)
    program("image", "create", "--data-dir", served.directory, "--file", tmp_path / "disk", "six")
    assert [one["name"] for one in program("image", "list", "--data-dir", served.directory, "-f", "json").json] == [
        "six"
    ]


def test_the_stock_client_comes_by_ipv6(served: Appliance) -> None:
    catalog = served.openstack("catalog", "list")
    assert {one["url"].split("]")[0] for entry in catalog for one in entry["Endpoints"]} == {"http://[::1"}


def test_each_port_is_on_a_unix_socket_and_who_uses_it_is_a_trusted_proxy(served: Appliance) -> None:
    run = served.directory.parent / "run"
    said = over(run / "image.sock", b"GET /healthcheck HTTP/1.0\r\n\r\n")
    assert said.startswith(b"HTTP/1.0 200 ")
    head = b"GET /v3 HTTP/1.0\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: cloud.example.org\r\n\r\n"
    body = over(run / "identity.sock", head).partition(b"\r\n\r\n")[2]
    assert json.loads(body)["version"]["links"][0]["href"] == "https://cloud.example.org/v3/"


def test_what_a_killed_process_has_left_is_replaced(served: Appliance) -> None:
    served.kill()
    run = served.directory.parent / "run"
    assert (run / "image.sock").is_socket()
    served.start()
    assert over(run / "image.sock", b"GET /healthcheck HTTP/1.0\r\n\r\n").startswith(b"HTTP/1.0 200 ")


def test_a_socket_that_is_in_use_is_a_sentence(served: Appliance, program: Program, tmp_path: Path) -> None:
    run = served.directory.parent / "run"
    flags = ("--image-port", "0", "--identity-port", "0", "--socket-dir", run)
    said = program("serve", "--data-dir", tmp_path / "other", *flags, code=1).sentence()
    assert said == f"Can't listen on {run}/image.sock: another program listens there already."


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (("--proxy-protocol", "maybe"), "proxy_protocol can't be 'maybe': say off, accept or require"),
        (("--proxy-protocol", "accept"), "proxy_protocol is for trusted_proxies, and none are named"),
    ],
)
def test_wrong_settings_of_proxies_are_wrong_usage(
    program: Program, tmp_path: Path, flags: tuple[str, ...], said: str
) -> None:
    ports = ("--image-port", "0", "--identity-port", "0")
    assert program("serve", "--data-dir", tmp_path / "new", *ports, *flags, code=2).sentence() == said
    assert not (tmp_path / "new").exists()


def test_a_log_in_by_a_unix_socket_counts_like_any_other(served: Appliance) -> None:
    user = {"name": "admin", "domain": {"id": "default"}, "password": "wrong"}
    body = json.dumps({"auth": {"identity": {"methods": ["password"], "password": {"user": user}}}}).encode()
    head = f"POST /v3/auth/tokens HTTP/1.0\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    said = over(served.directory.parent / "run" / "identity.sock", head.encode() + body)
    assert said.startswith(b"HTTP/1.0 401 ")

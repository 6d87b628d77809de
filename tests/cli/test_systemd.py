"""What systemd and `serve` tell each other, over real sockets; and the addresses that others are told."""

import http.client
import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from appliance.cli import systemd
from appliance.errors import Fatal
from appliance.ports import bound
from appliance.server import interfaces
from appliance.settings import Settings
from appliance.startup import beyond_loopback
from tests.cli.conftest import Program
from tests.waiting import eventually


@pytest.fixture
def heard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """The socket on which systemd listens."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(str(tmp_path / "notify"))
        sock.settimeout(60)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        yield sock


def test_a_state_is_told_in_lines(heard: socket.socket) -> None:
    systemd.notify(READY=1, STATUS="serving")
    assert heard.recv(1000) == b"READY=1\nSTATUS=serving"


def test_without_systemd_nothing_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    systemd.notify(READY=1)


def test_a_socket_that_is_gone_stops_nobody(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "gone"))
    systemd.notify(READY=1)


@pytest.mark.parametrize(
    ("environment", "seconds"),
    [
        ({}, 0),
        ({"WATCHDOG_USEC": "3000000"}, 3),
        ({"WATCHDOG_USEC": "3000000", "WATCHDOG_PID": str(os.getpid())}, 3),
        ({"WATCHDOG_USEC": "3000000", "WATCHDOG_PID": "1"}, 0),
        ({"WATCHDOG_USEC": "soon"}, 0),
    ],
)
def test_the_watchdog_is_ours_or_nobodys(environment: dict[str, str], seconds: float) -> None:
    assert systemd.watchdog_seconds(environment) == seconds


def test_signs_of_life_are_given_as_long_as_there_is_life(heard: socket.socket) -> None:
    alive = [True]
    watchdog = systemd.Watchdog(0.02, lambda: alive[0])
    watchdog.start()
    assert heard.recv(100) == heard.recv(100) == b"WATCHDOG=1"
    alive[0] = False
    watchdog.stop()


def test_serve_says_when_it_is_ready_when_it_reloads_and_when_it_stops(
    heard: socket.socket, program: Program, tmp_path: Path
) -> None:
    words = ("serve", "--data-dir", tmp_path / "d", "--image-port", "0", "--identity-port", "0")
    environment = {**program.environment, "NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "100000"}
    process = subprocess.Popen(program.command(*words), env=environment, stdout=subprocess.DEVNULL)
    assert heard.recv(1000).startswith(b"READY=1\nSTATUS=serving images at http://127.0.0.1:")
    assert heard.recv(1000) == b"WATCHDOG=1"
    process.send_signal(signal.SIGHUP)
    eventually(lambda: heard.recv(1000).startswith(b"RELOADING=1\nMONOTONIC_USEC="))
    eventually(lambda: heard.recv(1000) == b"READY=1")
    process.send_signal(signal.SIGTERM)
    eventually(lambda: heard.recv(1000) == b"STOPPING=1")
    assert process.wait(60) == 0


def test_sockets_that_systemd_opened_are_served(program: Program, tmp_path: Path) -> None:
    listening = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
    # As descriptors 3 and 4, whatever they are here, and with the number of the process that gets them.
    redirected = " ".join(f"{3 + number}<&{sock.fileno()}" for number, sock in enumerate(listening))
    script = f'export LISTEN_PID=$$ LISTEN_FDS=2; exec "$@" {redirected}'
    process = subprocess.Popen(
        ["bash", "-c", script, "x", *program.command("serve", "--data-dir", tmp_path / "d")],
        env=program.environment,
        pass_fds=[sock.fileno() for sock in listening],
        stdout=subprocess.PIPE,
        text=True,
    )
    port = listening[0].getsockname()[1]
    assert process.stdout is not None and process.stdout.readline() == f"image http://127.0.0.1:{port}\n"
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("GET", "/healthcheck")
    assert connection.getresponse().status == 200
    connection.close()
    process.terminate()
    process.communicate(timeout=60)
    for sock in listening:
        sock.close()
    assert process.returncode == 0


@pytest.mark.parametrize("environment", [{}, {"LISTEN_PID": "1", "LISTEN_FDS": "1"}, {"LISTEN_PID": str(os.getpid())}])
def test_sockets_for_others_are_none_of_ours(environment: dict[str, str]) -> None:
    assert systemd.passed_sockets(environment) == []


def test_too_few_sockets_are_refused(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as one:
        with pytest.raises(Fatal, match="1 sockets were passed, and there have to be 2: image_port, identity_port"):
            with bound(Settings(data_dir=tmp_path), [one]):
                pass


def test_a_server_on_all_addresses_is_called_by_one_of_them() -> None:
    known = ["127.0.0.1", *interfaces.addresses()]
    assert interfaces.reachable_host("0.0.0.0") in known and interfaces.reachable_host("::") in known
    assert interfaces.reachable_host("192.0.2.7") == "192.0.2.7"


@pytest.mark.parametrize(
    ("settings", "count"),
    [
        ({"host": "127.0.0.1"}, 0),
        ({"host": "::1"}, 0),
        ({"host": "localhost"}, 0),
        ({"host": "192.0.2.1"}, 1),
        ({"host": "0.0.0.0"}, 2),
        ({"host": "0.0.0.0", "trusted_proxies": ("192.0.2.2",)}, 1),
        ({"host": "192.0.2.1", "public_image_url": "https://images"}, 0),
    ],
)
def test_who_listens_for_others_is_told_what_that_means(settings: dict[str, Any], count: int) -> None:
    assert len(beyond_loopback(Settings(**settings))) == count

"""An appliance with a certificate of its own making: everything that talks to it, and what it says of itself."""

import http.client
import json
import signal
import ssl
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.conftest import Program
from tests.e2e.conftest import Appliance
from tests.waiting import eventually


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Appliance]:
    flags = ("--tls-cert", "self", "--legacy", "--legacy-admin-port", "0", "--metrics-port", "0")
    started = Appliance(tmp_path_factory.mktemp("https") / "data", *flags)
    eventually(lambda: any(line.startswith("Now type") for line in started.output))
    yield started
    assert started.stop() == 0, started.log()


def address(served: Appliance, name: str) -> str:
    return next(line.split(" ", 1)[1] for line in served.output if line.startswith(f"{name} "))


def trusting(served: Appliance) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=served.directory / "tls" / "ca.pem")


@pytest.fixture
def program(tmp_path: Path) -> Program:
    return Program(tmp_path)


@pytest.mark.parametrize(
    ("name", "path"), [("image", ""), ("identity", ""), ("identity-admin", ""), ("metrics", ""), ("console", "")]
)
def test_every_port_is_https(served: Appliance, name: str, path: str) -> None:
    url = address(served, name) + path
    assert url.startswith("https://127.0.0.1:")
    with urllib.request.urlopen(url, context=trusting(served)) as answer:
        assert answer.status in (200, 300)


def test_the_metrics_tell_when_the_certificate_ends(served: Appliance) -> None:
    with urllib.request.urlopen(address(served, "metrics"), context=trusting(served)) as answer:
        lines = answer.read().decode().splitlines()
    ends = next(float(line.split()[1]) for line in lines if line.startswith("glance_appliance_certificate_expiry"))
    assert ends > 1_790_000_000


def test_the_stock_client_works_by_the_openrc_alone(served: Appliance, disk: Path, tmp_path: Path) -> None:
    served.openstack(
        "image", "create", "--disk-format", "qcow2", "--container-format", "bare", "--file", str(disk), "over-tls"
    )
    served.run("openstack", "image", "save", "--file", str(tmp_path / "back"), "over-tls")
    assert (tmp_path / "back").read_bytes() == disk.read_bytes()


def test_the_stock_client_without_the_authority_is_refused(served: Appliance) -> None:
    said = served.run("openstack", "image", "list", fails=True, OS_CACERT="")
    assert "CERTIFICATE_VERIFY_FAILED" in said


def test_the_catalog_says_https(served: Appliance) -> None:
    urls = [one["url"] for entry in served.openstack("catalog", "list") for one in entry["Endpoints"]]
    assert urls and all(url.startswith("https://") for url in urls)


def test_our_own_client_trusts_the_authority_that_clouds_yaml_names(
    served: Appliance, program: Program, disk: Path, tmp_path: Path
) -> None:
    program("image", "create", "--data-dir", served.directory, "--file", disk, "ours")
    program("image", "save", "--data-dir", served.directory, "--file", tmp_path / "back", "ours")
    assert (tmp_path / "back").read_bytes() == disk.read_bytes()


def test_our_own_client_says_that_a_certificate_is_not_trusted(served: Appliance, program: Program) -> None:
    said = program("image", "list", code=1, **served.environment(OS_CACERT="", HOME=str(program.home))).sentence()
    assert "is not trusted: unable to get local issuer certificate" in said


def test_status_and_doctor_look_at_the_certificate(served: Appliance, program: Program) -> None:
    found = program("status", "--data-dir", served.directory, "-f", "json").json
    assert found["certificate"].startswith("ends on 20") and found["image"].endswith(" answers")
    assert "nothing is wrong" in program("doctor", "--data-dir", served.directory).text


def test_sighup_reads_the_certificate_anew(served: Appliance) -> None:
    served.process.send_signal(signal.SIGHUP)
    eventually(lambda: "server.pem is in use" in served.log())


def test_a_session_of_the_console_is_for_https_alone(served: Appliance) -> None:
    host = address(served, "console").split("/")[2]
    connection = http.client.HTTPSConnection(host, context=trusting(served), timeout=60)
    password = served.environment()["OS_PASSWORD"]
    body = json.dumps({"username": "admin", "password": password, "project": "admin"})
    connection.request("POST", "/console/session", body, {"Content-Type": "application/json", "Origin": f"https://{host}"})
    response = connection.getresponse()
    assert response.status < 400, response.read()
    assert "; Secure" in (response.getheader("Set-Cookie") or "")
    connection.close()

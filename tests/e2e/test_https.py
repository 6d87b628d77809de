"""An appliance with a certificate of its own making: everything that talks to it, and what it says of itself."""

import datetime
import json
import signal
import ssl
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance.certificates import Authority
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


@pytest.mark.parametrize("name", ["image", "identity", "identity-admin", "metrics", "console"])
def test_every_port_is_https(served: Appliance, name: str) -> None:
    url = address(served, name) + ("/healthcheck" if name == "image" else "")
    assert url.startswith("https://127.0.0.1:")
    with urllib.request.urlopen(url, context=trusting(served)) as answer:
        assert answer.status == 200


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
    variables = {**served.environment(OS_CACERT="", HOME=str(program.home)), "PYTHONWARNINGS": "error"}
    said = Program(program.home, **variables)("image", "list", code=1).sentence()
    assert "is not trusted: unable to get local issuer certificate" in said


def test_status_and_doctor_look_at_the_certificate(served: Appliance, program: Program) -> None:
    found = program("status", "--data-dir", served.directory, "-f", "json").json
    assert found["certificate"].startswith("ends on 20") and found["image"].endswith(" answers")
    assert "nothing is wrong" in program("doctor", "--data-dir", served.directory).text


def test_sighup_reads_the_certificate_anew(served: Appliance) -> None:
    served.process.send_signal(signal.SIGHUP)
    eventually(lambda: "server.pem is in use" in served.log())


def test_a_session_of_the_console_is_for_https_alone(served: Appliance) -> None:
    console = address(served, "console")
    body = json.dumps({"user": "admin", "password": served.environment()["OS_PASSWORD"]}).encode()
    own = {"Sec-Fetch-Site": "same-origin", "Content-Type": "application/json"}
    request = urllib.request.Request(f"{console}session", body, own)
    with urllib.request.urlopen(request, context=trusting(served)) as answer:
        assert "; Secure" in answer.headers["Set-Cookie"]


def test_a_named_certificate_that_ends_soon_is_a_finding_and_its_name_is_in_the_addresses(
    program: Program, tmp_path: Path
) -> None:
    made = Authority(tmp_path / "site")
    long_ago = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=380)
    made.make_missing(["images.example.org"], long_ago)
    names = {"tls_cert": made.server_certificate, "tls_key": made.server_key, "tls_ca": made.certificate}
    flags = [word for name, path in names.items() for word in (f"--{name.replace('_', '-')}", str(path))]
    appliance = Appliance(tmp_path / "data", *flags)
    try:
        assert appliance.image.startswith("https://images.example.org:")
        assert f'cacert: "{made.certificate}"' in (appliance.directory / "clouds.yaml").read_text()
        said = program("doctor", "--data-dir", appliance.directory, code=1).text
        assert "certificate: the TLS certificate ends on" in said and "in 16 days: renew it" in said
    finally:
        assert appliance.stop() == 0, appliance.log()
    program = Program(tmp_path, **{f"APPLIANCE_{name.upper()}": str(path) for name, path in names.items()})
    said = program("doctor", "--data-dir", appliance.directory, code=1).text
    assert "in 16 days: renew it" in said
    made.server_key.write_text("nonsense")
    assert "are no certificate and key" in program("doctor", "--data-dir", appliance.directory, code=1).text


def test_contradicting_settings_are_wrong_usage_and_leave_nothing(program: Program, tmp_path: Path) -> None:
    directory = tmp_path / "new"
    said = program("serve", "--data-dir", directory, "--tls-key", "key.pem", code=2).sentence()
    assert said == "tls_key and tls_ca belong to a tls_cert, and there is none"
    said = program("serve", "--data-dir", directory, "--tls-cert", tmp_path / "none.pem", code=1).sentence()
    assert said == f"Can't read {tmp_path}/none.pem: No such file or directory."
    assert not directory.exists()


def test_a_backup_has_the_authority(served: Appliance, program: Program, tmp_path: Path) -> None:
    program("backup", "--data-dir", served.directory, tmp_path / "copy")
    assert (tmp_path / "copy/tls/ca.key").read_bytes() == (served.directory / "tls/ca.key").read_bytes()

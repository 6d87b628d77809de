"""Where credentials are looked for, in which order, and what is said when they are not enough."""

import os
import socket
from pathlib import Path
from typing import Any

import click
import pytest

from appliance.cli.client.credentials import Credentials, find
from appliance.cli.client.options import with_cloud
from appliance.cli.client.session import auth_request, identity_address
from appliance.errors import ApplianceError
from tests.cli.conftest import Program
from tests.e2e.conftest import Appliance

CLOUD = "    auth: {{auth_url: 'http://{0}:5000', username: u, password: p, project_name: q}}\n    region_name: R\n"


def clouds(file: Path, *names: str) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("clouds:\n" + "".join(f"  {name}:\n{CLOUD.format(name)}" for name in names))
    return file


def found(*flags: str, **environment: str) -> Credentials:
    with click.Command("any", params=params()).make_context("any", list(flags)) as ctx:
        return find(ctx.params, environment)


def params() -> list[click.Parameter]:
    """The flags of the cloud."""
    made = click.command()(with_cloud(lambda cloud: None))
    return made.params


@pytest.fixture(autouse=True)
def empty_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def host(credentials: Credentials) -> str:
    return credentials.auth["auth_url"].split("/")[2].split(":")[0]


def test_each_place_comes_before_the_next(tmp_path: Path) -> None:
    environment = {"HOME": str(tmp_path / "home")}
    clouds(tmp_path / "data/clouds.yaml", "appliance")
    assert host(found(APPLIANCE_DATA_DIR=str(tmp_path / "data"), **environment)) == "appliance"
    clouds(tmp_path / "home/.config/openstack/clouds.yaml", "home")
    assert host(found(**environment)) == "home"
    clouds(tmp_path / "clouds.yaml", "here")
    assert host(found(**environment)) == "here"
    named = {"OS_CLIENT_CONFIG_FILE": str(clouds(tmp_path / "named.yaml", "named"))}
    assert host(found(**environment, **named)) == "named"
    variables = {"OS_AUTH_URL": "http://variables", "OS_USERNAME": "u"}
    assert host(found(**environment, **named, **variables)) == "variables"
    assert host(found("--os-auth-url", "http://flags", **environment, **variables)) == "flags"
    assert host(found(**environment, **named, **variables, OS_CLOUD="named")) == "named"
    assert host(found("--data-dir", str(tmp_path / "data"), **environment, **variables, OS_CLOUD="x")) == "appliance"


def test_flags_win_over_the_cloud(tmp_path: Path) -> None:
    clouds(tmp_path / "clouds.yaml", "here")
    credentials = found("--os-project-name", "other", "--os-region-name", "S", "--insecure")
    assert (credentials.auth["project_name"], credentials.region, credentials.verify) == ("other", "S", False)
    assert credentials.auth["password"] == "p"


def test_secrets_may_lie_beside_the_cloud(tmp_path: Path) -> None:
    clouds(tmp_path / "clouds.yaml", "here")
    (tmp_path / "secure.yaml").write_text("clouds: {here: {auth: {password: hidden}}}\n")
    assert found().auth["password"] == "hidden"


@pytest.mark.parametrize(
    ("text", "flags", "said"),
    [
        (None, [], "there are no credentials"),
        (None, ["--os-cloud", "x"], "there is no clouds.yaml"),
        ("clouds: {a: {}, b: {}}", [], "say which cloud"),
        ("clouds: {a: {}}", [], "auth_url is missing"),
        ("clouds: {a: {}}", ["--os-cloud", "x"], "describes no cloud x; it has a"),
        ("clouds: [", [], "is not YAML"),
        ("other: 1", [], "has no clouds"),
    ],
)
def test_what_is_not_enough_is_said(tmp_path: Path, text: str | None, flags: list[str], said: str) -> None:
    if text is not None:
        (tmp_path / "clouds.yaml").write_text(text)
    with pytest.raises(ApplianceError, match=said):
        found(*flags, HOME=str(tmp_path))


@pytest.mark.parametrize(
    ("auth", "expected"),
    [
        ({"token": "t"}, {"identity": {"methods": ["token"], "token": {"id": "t"}}}),
        (
            {"user_id": "u", "password": "p", "system_scope": "all"},
            {
                "identity": {"methods": ["password"], "password": {"user": {"id": "u", "password": "p"}}},
                "scope": {"system": {"all": True}},
            },
        ),
        (
            {"application_credential_id": "a", "application_credential_secret": "s", "project_name": "ignored"},
            {
                "identity": {
                    "methods": ["application_credential"],
                    "application_credential": {"id": "a", "secret": "s"},
                }
            },
        ),
        (
            {"token": "t", "project_name": "p", "project_domain_name": "D"},
            {
                "identity": {"methods": ["token"], "token": {"id": "t"}},
                "scope": {"project": {"name": "p", "domain": {"name": "D"}}},
            },
        ),
        (
            {"token": "t", "trust_id": "x"},
            {"identity": {"methods": ["token"], "token": {"id": "t"}}, "scope": {"OS-TRUST:trust": {"id": "x"}}},
        ),
    ],
)
def test_each_way_to_sign_in(auth: dict[str, str], expected: dict[str, object]) -> None:
    assert auth_request(Credentials(auth={"auth_url": "http://x", **auth}, source="a test")) == expected


@pytest.mark.parametrize("given", ["http://h:5000", "http://h:5000/", "http://h:5000/v3", "http://h:5000/v2.0/"])
def test_the_identity_address_has_its_version(given: str) -> None:
    assert identity_address(given) == "http://h:5000/v3"


def test_the_data_directory_and_its_openrc_are_enough(server: Appliance, program: Program) -> None:
    assert program("image", "list", "--data-dir", server.directory).text
    sourced: dict[str, Any] = {name: value for name, value in server.environment().items() if name.startswith("OS_")}
    assert program("image", "list", **sourced).text
    files: dict[str, Any] = {"OS_CLIENT_CONFIG_FILE": str(server.directory / "clouds.yaml"), "OS_CLOUD": "appliance"}
    assert program("image", "list", **files).text


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            {"OS_TOKEN": "", "OS_USERNAME": "admin", "OS_PASSWORD": "wrong"},
            "does not accept the credentials of the env",
        ),
        ({"OS_AUTH_URL": "ftp://x"}, "is not the address of a service"),
        ({"OS_REGION_NAME": "Nowhere"}, "the catalog has no public address of an image service in the region Nowhere"),
        ({"OS_PROJECT_NAME": ""}, "names no project"),
        ({"OS_AUTH_TYPE": "v3kerberos"}, "v3kerberos is not known here"),
    ],
)
def test_wrong_credentials_are_one_sentence(admin: Program, change: dict[str, Any], said: str) -> None:
    assert said in admin("image", "list", code=1, **change).sentence()


def test_a_server_that_is_not_there_is_one_sentence(program: Program) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    shell: dict[str, Any] = {"OS_AUTH_URL": f"http://127.0.0.1:{port}", "OS_USERNAME": "u", "OS_PASSWORD": "p"}
    assert program("image", "list", code=1, **shell).sentence() == (
        f"can't reach http://127.0.0.1:{port}: {os.strerror(111)}"
    )

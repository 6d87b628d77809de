"""The verbs for users, projects, roles and tokens, against a real appliance."""

import subprocess
from pathlib import Path
from typing import Any

import pytest

from appliance.cli.main import main
from tests.cli.conftest import Program
from tests.e2e.conftest import PASSWORD, Appliance


def as_user(server: Appliance, program: Program, name: str, password: str, project: str) -> dict[str, Any]:
    """What a user's shell has in its environment."""
    return {
        "OS_AUTH_URL": server.identity,
        "OS_USERNAME": name,
        "OS_PASSWORD": password,
        "OS_PROJECT_NAME": project,
    }


def test_a_new_user_can_work_in_a_new_project(server: Appliance, admin: Program, program: Program) -> None:
    project = admin("project", "create", "lab", "--description", "for tests", "-f", "json").json
    assert (project["name"], project["description"], project["enabled"]) == ("lab", "for tests", True)
    made = admin("user", "create", "ann", "--project", "lab", "--email", "a@b.c", "--password-stdin", stdin=b"s3cret\n")
    assert "s3cret" not in made.text + made.error
    shell = as_user(server, program, "ann", "s3cret", "lab")
    image = program("image", "create", "ann's", "-f", "json", **shell).json
    assert image["owner"] == project["id"]
    assert "(HTTP 403)" in program("image", "create", "p", "--public", code=1, **shell).sentence()
    assert program("project", "list", "--mine", "-f", "value", "-c", "name", **shell).text == "lab\n"
    assert "(HTTP 403)" in program("user", "list", code=1, **shell).sentence()
    program("image", "delete", "ann's", **shell)
    admin("user", "delete", "ann")
    admin("project", "delete", "lab")
    assert admin("project", "show", "lab", code=1).sentence() == "there is no project lab"


def test_a_random_password_is_said_once_and_works(server: Appliance, admin: Program, program: Program) -> None:
    made = admin("user", "create", "bob", "--project", "admin", "--role", "reader", "-f", "json")
    assert made.json["name"] == "bob" and "password" not in made.json
    password = made.error.split(" is ")[1].split()[0]
    shell = as_user(server, program, "bob", password, "admin")
    assert program("token", "issue", "-f", "json", **shell).json["roles"] == "reader"
    changed = program("user", "set-password", **shell).error.split(" is ")[1].split()[0]
    assert "does not accept" in program("token", "issue", code=1, **shell).sentence()
    program("token", "issue", **{**shell, "OS_PASSWORD": changed})
    admin("user", "set-password", "bob", "--password-stdin", stdin=b"third\n")
    program("token", "issue", **{**shell, "OS_PASSWORD": "third"})
    admin("user", "set", "bob", "--no-enabled", "--email", "x@y.z")
    assert admin("user", "show", "bob", "-f", "json").json["email"] == "x@y.z"
    program("token", "issue", code=1, **{**shell, "OS_PASSWORD": "third"})
    admin("user", "delete", "bob")


def test_roles_are_given_and_taken(admin: Program) -> None:
    admin("user", "create", "cy", "--password-stdin", stdin=b"x\n")
    assert {"admin", "member", "reader"} <= set(admin("role", "list", "-f", "value", "-c", "name").text.split())
    admin("role", "grant", "reader", "--user", "cy", "--project", "admin")
    admin("role", "grant", "member", "--user", "cy", "--domain", "default")
    admin("role", "grant", "reader", "--user", "cy", "--system")
    held = admin("role", "holders", "--user", "cy", "-f", "json").json
    assert {(row["role"], row["project"], row["domain"], row["system"]) for row in held} == {
        ("reader", "admin", "", False),
        ("member", "", "Default", False),
        ("reader", "", "", True),
    }
    admin("role", "revoke", "reader", "--user", "cy", "--project", "admin")
    assert "(HTTP 404)" in admin("role", "revoke", "reader", "--user", "cy", "--project", "admin", code=1).sentence()
    admin("user", "delete", "cy")


def test_a_token_works_until_it_is_revoked(server: Appliance, admin: Program, program: Program) -> None:
    issued = program("token", "issue", "--data-dir", server.directory, "-f", "json").json
    assert {"id", "expires", "user_id", "project_id", "roles"} == set(issued)
    shell = {"OS_AUTH_URL": server.identity, "OS_TOKEN": issued["id"], "OS_PROJECT_NAME": "admin"}
    program("image", "list", **shell)
    admin("token", "revoke", issued["id"])
    assert "does not accept" in program("image", "list", code=1, **shell).sentence()


def test_an_image_is_shared_and_answered(server: Appliance, admin: Program, program: Program) -> None:
    admin("project", "create", "guests")
    admin("user", "create", "dee", "--project", "guests", "--password-stdin", stdin=b"x\n")
    shell = as_user(server, program, "dee", "x", "guests")
    admin("image", "create", "lent", "--shared")
    image = admin("image", "show", "lent", "-f", "value", "-c", "id").text.strip()
    rows = admin("image", "share", "lent", "guests", "-f", "json").json
    assert [row["status"] for row in rows] == ["pending"]
    assert program("image", "list", "-f", "json", **shell).json == []
    program("image", "share", image, "--accept", **shell)
    assert [row["name"] for row in program("image", "list", "-f", "json", **shell).json] == ["lent"]
    program("image", "share", image, "--reject", **shell)
    assert admin("image", "share", "lent", "-f", "value", "-c", "status").text == "rejected\n"
    assert admin("image", "share", "lent", "guests", "--remove", "-f", "json").json == []
    admin("image", "delete", "lent")
    admin("user", "delete", "dee")
    admin("project", "delete", "guests")


@pytest.mark.parametrize(
    "command",
    [
        ("user", "set", "admin"),
        ("project", "set", "admin"),
        ("role", "grant", "admin"),
        ("role", "grant", "admin", "--user", "admin"),
        ("user", "create", "x", "--role", "member"),
        ("user",),
        ("image", "share", "x", "--remove"),
        ("image", "import", "x"),
        ("image", "create", "x", "--wait"),
    ],
)
def test_what_is_not_said_completely_is_wrong_usage(command: tuple[str, ...]) -> None:
    try:
        code: object = main(command)
    except SystemExit as ended:
        code = ended.code
    assert code == 2


def test_the_password_of_the_first_administrator_can_be_typed(server: Appliance, program: Program) -> None:
    flags = ("--os-auth-url", server.identity, "--os-username", "admin", "--os-project-name", "admin")
    assert program("token", "issue", *flags, "--os-password", PASSWORD).text
    assert program("token", "issue", *flags, code=1).sentence() == "the command line has no password"


@pytest.mark.parametrize("verb", ["openrc", "clouds"])
def test_a_file_signs_another_user_in(
    verb: str, server: Appliance, admin: Program, program: Program, tmp_path: Path
) -> None:
    admin("user", "create", "eve", "--project", "service", "--password-stdin", stdin=b"x y'\n")
    file = tmp_path / "file"
    admin("user", verb, "eve", "--project", "service", "--password-stdin", "--file", file, stdin=b"x y'\n")
    assert file.stat().st_mode & 0o777 == 0o600
    if verb == "clouds":
        shell: dict[str, Any] = {"OS_CLIENT_CONFIG_FILE": str(file)}
    else:
        sourced = subprocess.run(
            ["bash", "-c", f"set -a; source '{file}'; env -0"], env={"PATH": "/bin"}, capture_output=True, check=True
        ).stdout.decode()
        shell = {
            name: value for name, _, value in (one.partition("=") for one in sourced.split("\0")) if name[:3] == "OS_"
        }
    assert "member" in program("token", "issue", "-f", "value", "-c", "roles", **shell).text
    admin("user", "delete", "eve")


def test_without_a_password_the_file_has_none(admin: Program) -> None:
    assert "read -rsp 'Password of admin: ' OS_PASSWORD" in admin("user", "openrc", "admin", "--project", "admin").text
    assert "password:" not in admin("user", "clouds", "admin", "--project", "admin").text


def test_a_password_comes_from_a_file(server: Appliance, admin: Program, program: Program, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("from a file\n")
    made = admin("user", "create", "fay", "--project", "admin", "--password-file", tmp_path / "secret")
    assert "password" not in made.error
    program("token", "issue", **as_user(server, program, "fay", "from a file", "admin"))
    admin("user", "passwd", "fay", "--random")
    said = admin("user", "passwd", "fay", "--random", "--password-stdin", code=2).sentence()
    assert said == "--random and --password-stdin can't be given together"
    admin("user", "delete", "fay")

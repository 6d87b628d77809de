"""Nobody is locked out: the last administrator does not go in silence, there is a way back, and our files follow."""

from pathlib import Path
from typing import Any

import pytest

from appliance import client_files
from appliance.datadir import DataDir
from tests.cli.conftest import Program
from tests.e2e.conftest import PASSWORD, Appliance

LEFT = "nobody with the role admin would be left, so nothing has changed"


@pytest.mark.parametrize(
    "command",
    [
        ("user", "delete", "admin"),
        ("user", "set", "admin", "--no-enabled"),
    ],
)
def test_the_last_administrator_is_not_taken_away_unasked(admin: Program, command: tuple[str, ...]) -> None:
    assert LEFT in admin(*command, code=1).sentence()
    assert admin("user", "show", "admin", "-f", "json").json["enabled"] is True


def test_who_is_not_the_last_one_goes_without_a_question(admin: Program) -> None:
    admin("user", "create", "second", "--project", "admin", "--role", "admin", "--password-stdin", stdin=b"x\n")
    admin("user", "set", "second", "--no-enabled")
    admin("user", "set", "second", "--enabled")
    admin("role", "revoke", "admin", "--user", "second", "--project", "admin")
    admin("user", "delete", "second")


def test_the_last_grant_and_its_project_stay_unless_that_is_meant(tmp_path: Path) -> None:
    appliance, shell = lab(tmp_path)
    shell("role", "revoke", "admin", "--user", "admin", "--system")
    for command in (
        ("role", "revoke", "admin", "--user", "admin", "--project", "admin"),
        ("project", "set", "admin", "--no-enabled"),
        ("project", "delete", "admin"),
    ):
        assert LEFT in shell(*command, code=1).sentence()
    shell("role", "revoke", "admin", "--user", "admin", "--project", "admin", "--yes")
    assert appliance.stop() == 0


def lab(tmp_path: Path) -> tuple[Appliance, Program]:
    """An appliance of one's own, and the program as its administrator by the files in its directory."""
    appliance = Appliance(tmp_path / "data")
    (tmp_path / "shell").mkdir()
    shell = Program(tmp_path / "shell", APPLIANCE_DATA_DIR=str(appliance.directory))
    return appliance, shell


def test_bootstrap_is_the_way_back_and_repeating_it_changes_nothing(tmp_path: Path) -> None:
    appliance, shell = lab(tmp_path)
    shell("user", "delete", "admin", "--yes")
    assert appliance.stop() == 0
    data = ("--data-dir", appliance.directory)
    found = shell("doctor", *data, code=1).text
    assert (
        "no-administrator: No enabled user" in found and f"identity bootstrap --data-dir {appliance.directory}" in found
    )
    appliance.start()
    assert appliance.stop() == 0
    assert any("identity bootstrap" in line for line in appliance.output)
    told = shell("identity", "bootstrap", *data).text
    password = client_files.password_of(DataDir(appliance.directory))
    assert password is not None and f"the administrator is admin, with the password {password}" in told
    assert password not in shell("identity", "bootstrap", *data).text
    assert client_files.password_of(DataDir(appliance.directory)) == password
    assert shell("doctor", *data).text == "nothing is wrong\n"
    appliance.start()
    assert "admin" in shell("token", "issue", "-f", "value", "-c", "roles").text
    assert appliance.openstack("image", "list") == []
    assert appliance.stop() == 0


def test_bootstrap_enables_what_was_disabled_and_takes_a_password_from_a_file(tmp_path: Path) -> None:
    appliance, shell = lab(tmp_path)
    shell("project", "set", "admin", "--no-enabled")
    system: dict[str, Any] = {"OS_USERNAME": "admin", "OS_PASSWORD": PASSWORD, "OS_SYSTEM_SCOPE": "all"}
    shell("user", "set", "admin", "--no-enabled", "--yes", OS_AUTH_URL=appliance.identity, **system)
    assert appliance.stop() == 0
    (tmp_path / "secret").write_text("from a file\nnot this\n")
    told = shell(
        "identity", "bootstrap", "--data-dir", appliance.directory, "--password-file", tmp_path / "secret"
    ).text
    assert "from a file" not in told
    appliance.start()
    assert "admin" in shell("token", "issue", "-f", "value", "-c", "roles").text
    assert client_files.password_of(DataDir(appliance.directory)) == "from a file"
    assert appliance.stop() == 0


def test_the_files_follow_a_change_of_the_administrators_password(tmp_path: Path) -> None:
    appliance, shell = lab(tmp_path)
    ended = shell("user", "set-password", "admin", "--password-stdin", stdin=b"second\n")
    assert f"{appliance.directory / 'clouds.yaml'} has it, too." in ended.error
    shell("token", "issue")
    assert appliance.openstack("image", "list") == []
    shell("user", "set-password", "--password-stdin", stdin=b"third\n")
    shell("token", "issue")
    # A directory of another appliance is left alone.
    other = DataDir(tmp_path / "other")
    other.path.mkdir()
    client_files.write(other, "http://127.0.0.1:1", "R", "theirs")
    by_hand: dict[str, Any] = {"OS_AUTH_URL": appliance.identity, "OS_USERNAME": "admin", "OS_PASSWORD": "third"}
    by_hand |= {"OS_PROJECT_NAME": "admin", "OS_CLIENT_CONFIG_FILE": str(other.clouds)}
    shell("user", "set-password", "admin", **by_hand)
    assert client_files.password_of(other) == "theirs"
    assert appliance.stop() == 0


def test_a_password_that_the_api_changed_is_noticed_and_status_needs_none(tmp_path: Path) -> None:
    appliance, shell = lab(tmp_path)
    data = ("--data-dir", appliance.directory)
    assert "credentials" not in shell("status", *data, "-f", "json").json
    appliance.run("openstack", "user", "set", "--password", "elsewhere", "admin")
    said = shell("status", *data, "-f", "json").json
    assert "is not the one of admin" in said["credentials"]
    assert said["identity"] == f"{appliance.identity} answers" and said["image"] == f"{appliance.image} answers"
    (appliance.directory / "clouds.yaml").unlink()
    shell("status", *data)
    (appliance.directory / "clouds.yaml").write_text((appliance.directory / "admin-openrc").read_text())
    assert appliance.stop() == 0
    shell("identity", "set-admin-password", *data, stdin=f"{PASSWORD}\n".encode())
    assert shell("doctor", *data).text == "nothing is wrong\n"
    appliance.start()
    shell("token", "issue")
    assert appliance.openstack("image", "list") == []
    assert appliance.stop() == 0


def test_a_user_that_exists_has_no_new_password(admin: Program) -> None:
    admin("user", "create", "twice", "--password-stdin", stdin=b"x\n")
    assert "(HTTP 409)" in admin("user", "create", "twice", code=1).sentence()
    admin("user", "delete", "twice")

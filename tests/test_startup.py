"""The first start: whatever stops it, nobody is locked out, and one that fails leaves the directory as it was."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]

from appliance import client_files
from appliance.cli.serve import _next_steps
from appliance.datadir import DataDir
from appliance.errors import Fatal
from appliance.ports import bound
from appliance.settings import Settings
from appliance.wiring import Appliance
from tests.cli.conftest import Program, program  # noqa: F401 - a fixture

ROOT = Path(__file__).parents[1]


@pytest.fixture
def taken() -> Iterator[int]:
    """A port that another program listens on."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        yield other.getsockname()[1]


def contents(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in directory.iterdir()}


def settings_for(directory: Path, **more: object) -> Settings:
    return Settings(data_dir=directory, image_port=0, identity_port=0, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        (["--image-port", "{taken}"], "another program uses that port. Choose another with --image-port, or stop it."),
        (["--identity-port", "{taken}"], "Choose another with --identity-port, or stop it."),
        (["--legacy", "--legacy-admin-port", "{taken}"], "Choose another with --legacy-admin-port, or stop it."),
        (["--image-port", "99999"], "ports go from 0 to 65535."),
        (["--host", "nobody.invalid"], "the name has no address."),
        (["--host", "192.0.2.1"], "this machine has no such address"),
        (["--image-port", "{free}", "--identity-port", "{free}"], "give each a port of its own"),
        (["--enabled-backends", "nonsense"], "enabled_backends"),
        (["--identity-mode", "external"], "external_auth_url"),
    ],
)
@pytest.mark.parametrize("existing", [False, True])
def test_a_first_start_that_fails_leaves_the_directory_as_it_was(
    program: Program,  # noqa: F811
    tmp_path: Path,
    taken: int,
    flags: list[str],
    sentence: str,
    existing: bool,
) -> None:
    directory = tmp_path / "new" / "data"
    if existing:
        directory.mkdir(mode=0o700, parents=True)
        (directory / "appliance.toml").write_text('region = "R"\n')
    with socket.create_server(("127.0.0.1", 0)) as probe:
        free = probe.getsockname()[1]
    words = [word.format(taken=taken, free=free) for word in flags]
    code = 2 if "backends" in sentence else 1
    ports: dict[str, Any] = {"APPLIANCE_IMAGE_PORT": "0", "APPLIANCE_IDENTITY_PORT": "0"}
    ended = program("serve", "--data-dir", directory, *words, code=code, **ports)
    assert sentence in ended.sentence()
    if existing:
        assert contents(directory) == {"appliance.toml": b'region = "R"\n'}
    else:
        assert not directory.parent.exists()


def test_what_cannot_be_written_stops_a_first_start_before_the_administrator_is_made(tmp_path: Path) -> None:
    directory = tmp_path / "data"
    (directory / "clouds.yaml").mkdir(parents=True)
    with pytest.raises(Exception, match="clouds.yaml|directory"), Appliance(settings_for(directory)) as appliance:
        appliance.start()
    assert [path.name for path in directory.iterdir()] == ["clouds.yaml"]
    (directory / "clouds.yaml").rmdir()
    with Appliance(settings_for(directory)) as appliance:
        assert appliance.start().new_password == client_files.password_of(DataDir(directory))


_VICTIM = """
import os, sys
from pathlib import Path
from appliance.settings import Settings
from appliance.wiring import Appliance

directory, last = Path(sys.argv[1]), int(sys.argv[2])
seen = 0


def count(frame, event, called):
    # Before each step that a crash could come between; statements from when the files for clients are there.
    global seen
    if event != "c_call" or called.__name__ not in ("fsync", "rename", "mkdir", "execute"):
        return
    if called.__name__ == "execute" and not (directory / "clouds.yaml.new").exists() and not (
        directory / "clouds.yaml").exists():
        return
    seen += 1
    if seen == last:
        os.kill(os.getpid(), 9)


with Appliance(Settings(data_dir=directory, image_port=0, identity_port=0)) as appliance:
    sys.setprofile(count)
    appliance.start()
    sys.setprofile(None)
print(seen)
"""


def kill_at(directory: Path, step: int) -> int:
    """Run a first start and kill it at a step; the exit code, or the number of steps if it came to its end."""
    done = subprocess.run(
        [sys.executable, "-c", _VICTIM, directory, str(step)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode in (0, -signal.SIGKILL), done.stderr
    return int(done.stdout) if done.returncode == 0 else done.returncode


def check_the_way_in(directory: Path) -> None:
    """The start after a crash ends with a password in the files that is the administrator's."""
    with Appliance(settings_for(directory)) as appliance:
        report = appliance.start()
        assert [path.name for path in report.files] == ["clouds.yaml", "admin-openrc"]
        password = client_files.password_of(DataDir(directory))
        assert password is not None and report.new_password in ("", password)
        assert appliance.identity.is_password_of_admin(password)
        assert [user.name for user in appliance.identity.administrators()] == ["admin"]


@pytest.mark.parametrize("before_the_end", [1, 4, 30])
def test_a_crash_in_the_first_start_leaves_a_way_in(tmp_path: Path, before_the_end: int) -> None:
    steps = kill_at(tmp_path / "whole", 0)
    assert kill_at(tmp_path / "data", steps - before_the_end) == -signal.SIGKILL
    check_the_way_in(tmp_path / "data")


@pytest.mark.slow
def test_a_crash_at_any_step_of_the_first_start_leaves_a_way_in(tmp_path: Path) -> None:
    steps = kill_at(tmp_path / "whole", 0)
    for step in range(1, steps + 1):
        assert kill_at(tmp_path / str(step), step) == -signal.SIGKILL
        check_the_way_in(tmp_path / str(step))


def test_files_that_are_not_there_are_not_named(program: Program, tmp_path: Path) -> None:  # noqa: F811
    directory = tmp_path / "data"
    settings = settings_for(directory)
    with Appliance(settings) as appliance:
        assert f"  source {directory / 'admin-openrc'}" in _next_steps(appliance.start(), settings)
    (directory / "admin-openrc").unlink()
    with Appliance(settings) as appliance:
        told = "\n".join(_next_steps(appliance.start(), settings))
    assert "admin-openrc" not in told and f"OS_CLIENT_CONFIG_FILE={directory / 'clouds.yaml'}" in told
    (directory / "clouds.yaml").unlink()
    with Appliance(settings) as appliance:
        told = "\n".join(_next_steps(appliance.start(), settings))
    assert "clouds.yaml" not in told and f"identity bootstrap --data-dir {directory}" in told


def test_ports_that_were_bound_are_free_again_when_one_is_not(tmp_path: Path, taken: int) -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        free = probe.getsockname()[1]
    with pytest.raises(Fatal), bound(Settings(data_dir=tmp_path, image_port=free, identity_port=taken)):
        pass
    socket.create_server(("127.0.0.1", free)).close()


# -- the files for clients


def test_a_new_password_leaves_what_the_operator_added(tmp_path: Path) -> None:
    directory = DataDir(tmp_path)
    client_files.write(directory, "http://127.0.0.1:5000", "R", "old")
    for path, more in (
        (directory.clouds, "\n  other:\n    auth: {password: theirs}\n"),
        (directory.openrc, "\nexport X=1\n"),
    ):
        path.write_text(path.read_text() + more)
    new = 'it\'s "new": \\ $x'
    assert client_files.change_password(directory, new) == [directory.clouds, directory.openrc]
    clouds = yaml.safe_load(directory.clouds.read_text())["clouds"]
    assert clouds["appliance"]["auth"]["password"] == new and clouds["other"]["auth"]["password"] == "theirs"
    script = f'. {directory.openrc}; printf %s%s "$OS_PASSWORD" "$X"'
    shown = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True)
    assert shown.stdout == new + "1"
    assert all(os.stat(path).st_mode & 0o777 == 0o600 for path in (directory.clouds, directory.openrc))


@pytest.mark.parametrize("text", ["", "clouds: {appliance: {auth: {username: admin, password: x}}}\n", ": nonsense: ["])
def test_a_file_that_says_it_in_its_own_way_is_not_touched_by_a_change(tmp_path: Path, text: str) -> None:
    directory = DataDir(tmp_path)
    directory.clouds.write_text(text)
    assert client_files.change_password(directory, "new") == []
    assert directory.clouds.read_text() == text


def test_the_files_of_a_site_whose_users_are_elsewhere_name_that_keystone(tmp_path: Path) -> None:
    directory = DataDir(tmp_path)
    client_files.write(directory, "http://127.0.0.1:5000", "R", "own")
    before = directory.clouds.read_text()
    aside = client_files.write_for_keystone(directory, "http://keystone:5000", "http://127.0.0.1:9292")
    assert aside is not None and aside.read_text() == before
    directory.clouds.write_text(
        directory.clouds.read_text().replace("      user_d", "      username: ann\n      user_d")
    )
    assert client_files.write_for_keystone(directory, "http://keystone:5000", "http://127.0.0.1:9393") is None
    cloud = yaml.safe_load(directory.clouds.read_text())["clouds"]["appliance"]
    assert cloud["auth"]["auth_url"] == "http://keystone:5000/v3" and cloud["auth"]["username"] == "ann"
    assert cloud["image_endpoint_override"] == "http://127.0.0.1:9393"


@pytest.mark.parametrize("again", ["write", "refresh"])
def test_the_authority_of_https_is_named_in_both_files(tmp_path: Path, again: str) -> None:
    directory = DataDir(tmp_path)
    client_files.write(directory, "http://127.0.0.1:5000", "R", "secret")
    authority = str(directory.tls / "it's a ca.pem")
    if again == "write":
        client_files.write(directory, "https://127.0.0.1:5000", "R", "secret", authority)
    else:
        client_files.refresh(directory, "https://127.0.0.1:5000", authority)
    cloud = yaml.safe_load(directory.clouds.read_text())["clouds"]["appliance"]
    assert (cloud["cacert"], cloud["auth"]["auth_url"]) == (authority, "https://127.0.0.1:5000/v3")
    script = f'. {directory.openrc}; printf %s "$OS_CACERT"'
    assert subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True).stdout == authority


def test_our_own_authority_goes_with_https_and_another_one_stays(tmp_path: Path) -> None:
    directory = DataDir(tmp_path)
    client_files.write(directory, "https://127.0.0.1:5000", "R", "secret", str(directory.tls / "ca.pem"))
    plain = directory.clouds.read_text().replace(f'    cacert: "{directory.tls}/ca.pem"\n', "")
    client_files.refresh(directory, "https://127.0.0.1:5000")
    assert directory.clouds.read_text() == plain and "OS_CACERT" not in directory.openrc.read_text()
    theirs = plain.replace("    auth:\n", "    cacert: /etc/ssl/site.pem\n    auth:\n")
    directory.clouds.write_text(theirs)
    client_files.refresh(directory, "https://127.0.0.1:5000")
    assert directory.clouds.read_text() == theirs

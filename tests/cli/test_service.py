"""`install`, `uninstall` and `status`: tried dry and into a folder; systemd grades the unit where there is one."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from appliance.cli.machine import DATA_DIR, SETTINGS, SYSUSERS, UNIT, WANTED, Service, unit
from tests.cli.conftest import Program
from tests.e2e.conftest import ROOT, Appliance

PACKAGED = ROOT / "packaging/systemd/glance-appliance.service"


def test_the_packaged_unit_is_the_one_that_install_writes() -> None:
    assert PACKAGED.read_text() == unit(Service(("/usr/bin/glance-appliance",)))


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="there is no systemd on this machine")
def test_systemd_likes_the_unit(tmp_path: Path) -> None:
    copy = tmp_path / PACKAGED.name
    copy.write_text(PACKAGED.read_text().replace("/usr/bin/glance-appliance", "/bin/true"))
    verified = subprocess.run(["systemd-analyze", "verify", copy], capture_output=True, text=True, check=False)
    assert PACKAGED.name not in verified.stderr
    graded = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--threshold=20", copy],
        capture_output=True,
        text=True,
        check=False,
    )
    if "nrecognized option" in graded.stderr:
        pytest.skip("this systemd can't grade a unit that is not installed")
    assert graded.returncode == 0, graded.stdout[-300:]


def test_a_one_file_program_unpacks_where_programs_may_run() -> None:
    text = unit(Service(("/usr/local/bin/glance-appliance",), unpacks=True))
    assert "Environment=TMPDIR=%C/glance-appliance" in text and "CacheDirectory=glance-appliance" in text
    assert "TMPDIR" not in unit(Service(("/usr/bin/glance-appliance",)))


def test_words_of_the_command_are_quoted_for_systemd() -> None:
    text = unit(Service(("/opt/50% off/$x",), Path('/srv/a "b"')))
    assert r'ExecStart="/opt/50%% off/$$x" serve --data-dir "/srv/a \"b\""' in text
    assert r'ReadWritePaths="/srv/a \"b\""' in text and "StateDirectory" not in text


def test_a_dry_run_tells_all_and_does_nothing(program: Program, tmp_path: Path) -> None:
    said = program("install", "--dry-run", "--host", "0.0.0.0").text
    assert f"would write {UNIT}" in said and f"would write {SETTINGS}" in said and "would run systemctl" not in said
    assert "[Service]" in said and not UNIT.exists()
    assert "systemctl disable" in program("uninstall", "--dry-run").text


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
@pytest.mark.parametrize("verb", ["install", "uninstall"])
def test_without_root_one_sentence(program: Program, verb: str) -> None:
    code = (
        f"import os, sys; from appliance.cli.main import main; from appliance.cli import install\n"
        f"os.setuid(65534); sys.exit(main(['{verb}']))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1 and f"{verb} needs the rights of root" in done.stderr


def test_a_data_directory_that_happens_to_be_here_is_none_of_its_business(tmp_path: Path) -> None:
    (tmp_path / "var").mkdir()
    (tmp_path / "var/appliance.toml").write_text("no_such_setting = 1\n")
    command = [sys.executable, str(ROOT / "appliance.py"), "install", "--dry-run"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0 and f"would write {UNIT}" in done.stdout
    wrong = subprocess.run(
        [*command, "--image-port", "high"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert wrong.returncode == 2 and "--image-port" in wrong.stderr


def test_into_a_folder_and_out_again(program: Program, tmp_path: Path) -> None:
    root = tmp_path / "root"

    def there(path: Path) -> Path:
        return root / path.relative_to("/")

    program("install", "--root", root, "--host", "0.0.0.0", "--image-port", "99", "--single-port", "--region", 'a"b')
    assert there(UNIT).read_text().splitlines()[0] == "[Unit]" and os.readlink(there(WANTED)) == str(UNIT)
    assert there(SYSUSERS).read_text().startswith("u glance-appliance ")
    settings = there(SETTINGS)
    assert settings.stat().st_mode & 0o777 == 0o640
    code = f"from appliance.setting_sources import load; print(load({{'config': {str(settings)!r}}}, {{}}))"
    loaded = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert "host='0.0.0.0'" in loaded and "image_port=99" in loaded and "single_port=True" in loaded
    assert """region='a"b'""" in loaded
    before = settings.read_text()
    program("install", "--root", root)
    assert settings.read_text() == before
    assert "is there already" in program("install", "--root", root, "--host", "::1", code=1).sentence()
    there(DATA_DIR).mkdir(parents=True)
    program("uninstall", "--root", root)
    assert (
        not there(UNIT).exists() and not there(WANTED).is_symlink() and settings.exists() and there(DATA_DIR).exists()
    )
    program("uninstall", "--root", root, "--purge")
    assert not settings.exists() and not there(DATA_DIR).exists()


def test_what_the_hardening_would_break_is_refused(program: Program, tmp_path: Path) -> None:
    said = program("install", "--root", tmp_path, "--data-dir", "/home/me/images", code=1).sentence()
    assert "/home/me/images can't be used by a service" in said
    program("install", "--root", tmp_path, "--image-port", "many", code=2).sentence()


def test_status_of_a_running_appliance(server: Appliance, program: Program) -> None:
    said = program("status", "--data-dir", server.directory, "-f", "json").json
    assert str(server.process.pid) in said["state"]
    assert said["image"] == f"{server.image} answers" and said["identity"] == f"{server.identity} answers"
    assert said["data_dir"] == str(server.directory) and "GiB" in said["free"]


def test_status_of_what_does_not_run_is_exit_code_1(program: Program, tmp_path: Path) -> None:
    assert "there is no appliance" in program("status", "--data-dir", tmp_path / "none", code=1).sentence()
    (tmp_path / "lock").touch()
    assert program("status", "--data-dir", tmp_path, "-f", "value", "-c", "state", code=1).text == "stopped\n"


def test_status_is_shown_again_and_again(server: Appliance, program: Program) -> None:
    watching = subprocess.Popen(
        program.command("status", "--data-dir", server.directory, "--watch", "0.1", "-f", "value", "-c", "state"),
        env=program.environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert watching.stdout is not None
    shown = [watching.stdout.readline() for _ in range(3)]
    watching.terminate()
    watching.communicate(timeout=30)
    assert watching.returncode == 143 and len(set(shown)) == 1 and "process" in shown[0]


def test_doctor_says_something_while_the_appliance_runs(server: Appliance, program: Program) -> None:
    said = program("doctor", "--data-dir", server.directory).text
    assert f"in use by process {server.process.pid}" in said and said.endswith("nothing is wrong\n")
    assert "store scrub" in program("doctor", "--deep", "--data-dir", server.directory).text
    assert "is in use by" in program("doctor", "--repair", "--data-dir", server.directory, code=1).sentence()


def test_doctor_misses_the_credentials_of_a_running_appliance(tmp_path: Path, program: Program) -> None:
    appliance = Appliance(tmp_path / "data")
    (appliance.directory / "admin-openrc").unlink()
    said = program("doctor", "--data-dir", appliance.directory, code=1).text
    assert f"no-credentials: {appliance.directory / 'admin-openrc'} is not there" in said
    assert appliance.stop() == 0

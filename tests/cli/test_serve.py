"""What `serve` looks at first, what a signal does to it, and that the one-file program's halves end together."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from appliance.cli import serve
from appliance.errors import Fatal
from tests.cli.conftest import Program
from tests.e2e.conftest import ROOT, Appliance
from tests.waiting import eventually

NOW = 1_800_000_000.0


def used(directory: Path, at: float) -> Path:
    """A data directory that was used at a time."""
    directory.mkdir(exist_ok=True)
    for name in ("lock", "appliance.db"):
        (directory / name).touch()
        os.utime(directory / name, (at, at))
    return directory


@pytest.mark.parametrize("behind", [-1_000_000.0, 0.0, 60.0])
def test_a_clock_that_goes_on_is_no_matter(tmp_path: Path, behind: float) -> None:
    assert not [said for said in serve.check(used(tmp_path, NOW + behind), NOW) if "clock" in said]


def test_a_clock_some_hours_behind_is_a_warning(tmp_path: Path) -> None:
    said = serve.check(used(tmp_path, NOW + 7200), NOW)[0]
    assert "the clock says 2027-01-15 08:00:00 UTC" in said and "2027-01-15 10:00:00 UTC" in said


def test_a_clock_days_behind_is_refused_until_the_files_are_touched(program: Program, tmp_path: Path) -> None:
    directory = used(tmp_path / "d", time.time() + 3 * 86400)
    said = program("serve", "--data-dir", directory, code=1).sentence()
    assert "the clock says" in said and "touch" in said
    used(directory, time.time())
    assert not [said for said in serve.check(directory, time.time()) if "clock" in said]


def test_a_file_is_no_data_directory(program: Program, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    said = program("serve", "--data-dir", tmp_path / "file", code=1).sentence()
    assert said.endswith("can't be the data directory: it is a file")
    assert "Not a directory" in program("serve", "--data-dir", tmp_path / "file" / "below", code=1).sentence()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_a_directory_that_another_user_serves_from_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    directory = used(tmp_path / "d", NOW)
    directory.chmod(0o777)
    code = (
        "import os, sys; from pathlib import Path; from appliance.cli import serve; os.setuid(65534)\n"
        "try: serve.check(Path(sys.argv[1]), 0.0)\nexcept Exception as error: print(error)"
    )
    link = Path("/tmp") / f"preflight-{os.getpid()}"
    shutil.move(directory, link)
    try:
        done = subprocess.run([sys.executable, "-c", code, link], cwd=ROOT, capture_output=True, text=True, check=True)
    finally:
        shutil.move(link, directory)
    assert "can't be written by this user (id 65534); it belongs to the user with id 0" in done.stdout


@pytest.mark.parametrize("begun", [True, False])
def test_a_full_disk_is_refused(tmp_path: Path, begun: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serve, "ROOM_TO_START" if begun else "ROOM_TO_BEGIN", 1 << 80)
    with pytest.raises(Fatal, match="is full: it has"):
        serve.check(used(tmp_path, NOW) if begun else tmp_path / "new", NOW)


def test_an_unknown_log_level_is_wrong_usage(program: Program, tmp_path: Path) -> None:
    said = program("serve", "--data-dir", tmp_path / "d", "--log-level", "LOUD", code=2).sentence()
    assert said == "log_level can't be 'LOUD': say DEBUG, INFO, WARNING or ERROR"


def test_sighup_takes_over_the_log_level_and_says_what_has_to_wait(tmp_path: Path) -> None:
    appliance = Appliance(tmp_path / "data")
    (appliance.directory / "appliance.toml").write_text('log_level = "WARNING"\nregion = "R"\n')
    appliance.process.send_signal(signal.SIGHUP)
    eventually(lambda: "the new region takes effect at the next start" in appliance.log())
    (appliance.directory / "appliance.toml").write_text("nonsense = 1\n")
    appliance.process.send_signal(signal.SIGHUP)
    eventually(lambda: "settings not reloaded" in appliance.log())
    assert appliance.stop() == 0


def test_a_log_file_has_json_with_user_project_and_image_and_is_opened_anew_on_sighup(tmp_path: Path) -> None:
    file = tmp_path / "service.log"
    appliance = Appliance(tmp_path / "data", "--log-format", "json", "--log-file", str(file))
    call = Program(tmp_path / "home")
    call.home.mkdir()
    made = call("image", "create", "--data-dir", appliance.directory, "seen", "-f", "json").json
    eventually(lambda: f'"image": "{made["id"]}"' in file.read_text())
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    line = next(line for line in lines if line.get("image") == made["id"])
    assert (line["method"], line["path"], line["status"], line["project"]) == ("POST", "/v2/images", 201, made["owner"])
    assert line["request_id"].startswith("req-") and line["user"]
    file.rename(tmp_path / "service.log.1")
    appliance.process.send_signal(signal.SIGHUP)
    eventually(lambda: file.exists() and "settings reloaded" in file.read_text())
    assert appliance.stop() == 0
    assert appliance.log() == ""


def test_a_log_file_that_can_not_be_written_names_the_directory_at_fault(program: Program, tmp_path: Path) -> None:
    said = program("serve", "--data-dir", tmp_path / "d", "--log-file", tmp_path / "none" / "log", code=1).sentence()
    assert said == f"can't write the log to {tmp_path}/none/log: No such file or directory"
    assert not (tmp_path / "d").exists()


def test_the_working_half_ends_when_the_other_is_killed(tmp_path: Path) -> None:
    worker = (
        "import signal, sys, time; from pathlib import Path; from appliance.cli import streams\n"
        "def stop(*_):\n  Path(sys.argv[1]).write_text('ended'); sys.exit()\n"
        "signal.signal(signal.SIGTERM, stop); streams.follow(); print('ready', flush=True); time.sleep(60)"
    )
    outer = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {worker!r}, sys.argv[1]])"
    mark = tmp_path / "mark"
    with subprocess.Popen([sys.executable, "-c", outer, mark], cwd=ROOT, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stdout.readline() == b"ready\n"
        process.kill()
    eventually(mark.exists)


@pytest.mark.parametrize("verb", ["serve", "init", "install"])
def test_a_secret_in_the_command_line_is_warned_of(program: Program, tmp_path: Path, verb: str) -> None:
    wrong = {"serve": ("--host", "192.0.2.1"), "init": ("--host", "127.0.0.1"), "install": ("--root", str(tmp_path))}
    code = 1 if verb == "serve" else 0
    flags = ("--data-dir", "/d") if verb == "install" else ("--data-dir", str(tmp_path / "d"))
    ended = program(verb, *flags, *wrong[verb], "--admin-password", "s3cret", code=code)
    assert "every user of this machine can read --admin-password" in ended.error
    assert "--admin-password-file FILE" in ended.error and "s3cret" not in ended.error


def test_a_secret_in_a_file_is_not_warned_of(program: Program, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("s3cret\n")
    ended = program("init", "--data-dir", tmp_path / "d", "--admin-password-file", tmp_path / "secret")
    assert ended.error == "" and "s3cret" not in ended.text
    assert 'password: "s3cret"' in (tmp_path / "d" / "clouds.yaml").read_text()

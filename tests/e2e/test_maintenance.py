"""Operator's verbs on a running appliance and on a directory at rest."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

from tests.e2e.conftest import ROOT, Appliance, launch
from tests.e2e.test_process import fetch, new_image, token_of, upload


def verb(*arguments: str | Path, code: int = 0, stdin: str = "") -> str:
    """Run `appliance.py`; its standard output."""
    done = subprocess.run(
        [sys.executable, ROOT / "appliance.py", *arguments], capture_output=True, text=True, check=False, input=stdin
    )
    assert done.returncode == code, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout


def stored(appliance: Appliance, data: bytes) -> str:
    token = token_of(appliance)
    image = new_image(appliance, token)
    assert upload(appliance, token, image, data) == 204
    return image


def test_stats_are_the_same_live_and_at_rest(tmp_path: Path) -> None:
    appliance = launch(tmp_path)
    stored(appliance, os.urandom(1 << 20) + bytes(1 << 20))
    live = json.loads(verb("store", "stats", "-f", "json", "--data-dir", appliance.directory))
    assert "collects now" in verb("store", "collect", "--data-dir", appliance.directory)
    appliance.stop()
    rest = json.loads(verb("store", "stats", "-f", "json", "--data-dir", appliance.directory))
    assert live == rest and live[0]["saved_by_holes"] == 1 << 20
    verb("store", "collect", "--data-dir", appliance.directory)
    assert json.loads(verb("store", "scrub", "-f", "json", "--data-dir", appliance.directory))[0]["damaged_blocks"] == 0


def test_a_live_backup_is_restored_and_serves(tmp_path: Path) -> None:
    appliance = launch(tmp_path)
    data = os.urandom(2 << 20)
    image = stored(appliance, data)
    said = verb("backup", tmp_path / "backup", "--data-dir", appliance.directory)
    assert said.startswith("1 segments copied")
    assert verb("backup", tmp_path / "backup", "--data-dir", appliance.directory).startswith("0 segments copied")
    token = token_of(appliance)
    appliance.kill()
    said = verb("restore", tmp_path / "backup", "--data-dir", tmp_path / "new")
    assert "every byte was read back" in said
    again = Appliance(tmp_path / "new")
    # The keys came along: a token from before is still good.
    assert fetch(again.image, f"/v2/images/{image}/file", X_Auth_Token=token)[2] == data
    again.stop()


def test_the_doctor_rebuilds_what_lost_its_database(tmp_path: Path) -> None:
    appliance = launch(tmp_path)
    data = os.urandom(1 << 20)
    image = stored(appliance, data)
    assert appliance.stop() == 0
    assert "nothing is wrong" in verb("doctor", "--deep", "--data-dir", appliance.directory)
    for path in appliance.directory.glob("appliance.db*"):
        path.unlink()
    verb("doctor", "--data-dir", appliance.directory, code=1)
    assert "1 images are back" in verb("doctor", "--rebuild", "--data-dir", appliance.directory)
    appliance.start()
    assert fetch(appliance.image, f"/v2/images/{image}/file", X_Auth_Token=token_of(appliance))[2] == data
    appliance.stop()


def test_keys_are_rotated_without_logging_anyone_out(tmp_path: Path) -> None:
    appliance = launch(tmp_path)
    before = token_of(appliance)
    keys = set((appliance.directory / "keys" / "public").iterdir())
    verb("identity", "rotate-keys", "--data-dir", appliance.directory)
    assert set((appliance.directory / "keys" / "public").iterdir()) > keys
    after = token_of(appliance)
    for token in (before, after):
        assert fetch(appliance.image, "/v2/images", X_Auth_Token=token)[0] == 200
    appliance.stop()


def test_a_lost_admin_password_is_replaced(tmp_path: Path) -> None:
    appliance = launch(tmp_path)
    appliance.stop()
    verb("identity", "set-admin-password", "--data-dir", appliance.directory, stdin="a new one\n")
    appliance.start()
    said = appliance.run("openstack", "token", "issue", "-f", "value", "-c", "id", OS_PASSWORD="a new one")
    assert said.count(".") == 2
    appliance.stop()


def test_a_backup_that_is_killed_is_taken_up_again(tmp_path: Path) -> None:
    appliance = launch(tmp_path)
    contents = {}
    for _ in range(4):
        data = os.urandom(8 << 20)
        contents[stored(appliance, data)] = data
    words = ("backup", str(tmp_path / "backup"), "--data-dir", str(appliance.directory))
    command = [sys.executable, str(ROOT / "appliance.py"), *words]
    for files in range(1, 4):
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as running:
            # Killed when so many segments have come over, or at its end if that is sooner.
            while running.poll() is None and len(list(tmp_path.glob("backup/blobs/segments/*"))) < files:
                time.sleep(0.001)
            running.kill()
    # The one that died holds nothing back, neither here nor there.
    assert verb(*map(str, command[2:])).count("segments copied") == 1
    verb("restore", tmp_path / "backup", "--data-dir", tmp_path / "new")
    token = token_of(appliance)
    appliance.stop()
    again = Appliance(tmp_path / "new")
    for image, data in contents.items():
        assert fetch(again.image, f"/v2/images/{image}/file", X_Auth_Token=token)[2] == data
    again.stop()

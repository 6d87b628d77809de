"""Every released version's data directory opens, a failed upgrade changes nothing, and a downgrade is refused."""

import hashlib
import json
import re
import shutil
import sqlite3
import tarfile
from pathlib import Path

import pytest

from appliance.db.engine.base import Schema
from appliance.db.engine.registry import open_database
from appliance.db.migrations import steps
from appliance.errors import Fatal
from tests.cli.conftest import Program
from tests.e2e.conftest import Appliance
from tests.upgrade.make import ADMIN, EXPECTED, RELEASED, make

TODAY = "today"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a data directory of this very version."""
    return make(tmp_path_factory.mktemp("made")).parent


@pytest.fixture(params=[TODAY, *sorted(path.name for path in RELEASED.glob("*.tar.xz"))])
def kept(request: pytest.FixtureRequest, made: Path, tmp_path: Path) -> Path:
    """A folder with a copy of a version's data directory."""
    if request.param == TODAY:
        shutil.copytree(made / "data", tmp_path / "data")
        shutil.copy(made / EXPECTED, tmp_path)
    else:
        with tarfile.open(RELEASED / request.param) as archive:
            archive.extractall(tmp_path, filter="data")
    return tmp_path


def contents(path: Path) -> list[str]:
    """Schema and rows of a database file."""
    connection = sqlite3.connect(path)
    try:
        return list(connection.iterdump())
    finally:
        connection.close()


def grow(db: Schema) -> None:
    db.execute("ALTER TABLE notes ADD COLUMN wings INTEGER")
    db.execute("UPDATE notes SET value = 'spoilt'")


def stumble(db: Schema) -> None:
    db.execute("DELETE FROM images")
    db.execute("SELECT no_such_function()")


def test_it_opens_with_all_that_was_in_it(kept: Path) -> None:
    expected = json.loads((kept / EXPECTED).read_text())
    home = kept / "home"
    home.mkdir()
    appliance = Appliance(kept / "data")
    try:
        admin = Program(home, OS_AUTH_URL=appliance.identity, **ADMIN)
        listed = admin("image", "list", "--all", "-f", "json").json
        assert {image["name"]: image["status"] for image in listed} == expected["status"]
        for name, digest in expected["digests"].items():
            admin("image", "save", name, "--file", home / name)
            assert hashlib.sha512((home / name).read_bytes()).hexdigest() == digest
        alice = {"OS_USERNAME": "alice", "OS_PASSWORD": "alice's password", "OS_PROJECT_NAME": "lab"}
        token = Program(home, OS_AUTH_URL=appliance.identity, **alice)("token", "issue", "-f", "json").json
        assert token["id"]
        shown = admin("image", "show", "large", "-f", "json").json
        assert shown["of"] == "old" and shown["tags"] == ["kept"] and shown["protected"] is True
    finally:
        assert appliance.stop() == 0, appliance.log()


def test_a_failed_upgrade_leaves_the_old_state(kept: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = kept / "data/appliance.db"
    open_database(path).close()
    before = contents(path)
    assert any('INSERT INTO "images"' in line for line in before)
    with monkeypatch.context() as future:
        future.setattr(steps, "STEPS", (*steps.STEPS, ("9998_wings", grow), ("9999_stumble", stumble)))
        with pytest.raises(Fatal, match=r"could not be brought up to this version \(no such function.*as it was"):
            open_database(path)
    assert contents(path) == before
    open_database(path).close()


def test_a_finished_upgrade_can_not_be_undone(kept: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = kept / "data/appliance.db"
    with monkeypatch.context() as future:
        future.setattr(steps, "STEPS", (*steps.STEPS, ("9998_wings", grow)))
        open_database(path).close()
    after = contents(path)
    said = Program(tmp_path)("serve", "--data-dir", kept / "data", "--image-port", "0", "--identity-port", "0", code=1)
    assert "last used by a newer version" in said.error and "9998_wings" in said.error
    assert contents(path) == after


def test_every_released_version_has_left_a_directory() -> None:
    changelog = (Path(__file__).parents[2] / "CHANGELOG.md").read_text()
    headings = re.findall(r"(?m)^## (\d\S*)(.*)$", changelog)
    released = [version for version, note in headings if "unreleased" not in note]
    missing = [version for version in released if not (RELEASED / f"{version}.tar.xz").exists()]
    assert not missing, f"run `python -m tests.upgrade.make` with the version {missing[0]}"

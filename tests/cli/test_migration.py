"""`init` and `migrate-from`, run as programs: a directory made ready, and one appliance brought into another."""

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from appliance.cli.client.credentials import find
from appliance.cli.client.session import Session
from tests.e2e.conftest import PASSWORD, ROOT, Appliance, launch

DATA = b"some data that is worth moving\n" * 50_000


def run(*words: str | Path, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("OS_", "APPLIANCE_"))}
    return subprocess.run(
        [sys.executable, ROOT / "appliance.py", *words],
        env={**environment, **variables},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def in_cloud(appliance: Appliance, *words: str | Path) -> Any:
    """A verb of the client, as the administrator."""
    done = run(*words, "--data-dir", appliance.directory, "-f", "json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def there(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Appliance]:
    """The appliance to migrate from."""
    started = launch(tmp_path_factory.mktemp("there"))
    yield started
    assert started.stop() == 0, started.log()


@pytest.fixture(scope="module")
def images(there: Appliance, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Images of several kinds, by name."""
    file = tmp_path_factory.mktemp("files") / "data"
    file.write_bytes(DATA)
    made = {}
    for name, flags in (
        ("plain", ("--file", file, "--property", "os_distro=debian", "--tag", "one", "--tag", "two")),
        ("public", ("--file", file, "--public", "--protected", "--min-disk", "3")),
        ("community", ("--file", file, "--community")),
        ("hidden", ("--file", file, "--hidden")),
        ("empty", ()),
    ):
        made[name] = in_cloud(there, "image", "create", name, *flags)["id"]
    return made


def session(appliance: Appliance) -> Session:
    """Calls to an appliance as its administrator."""
    return Session(find({"data_dir": appliance.directory}, {}))


NAMESPACE = {
    "namespace": "Ours::Things",
    "visibility": "public",
    "description": "what we need",
    "properties": {"thing": {"title": "Thing", "type": "string", "enum": ["a", "b"]}},
    "objects": [{"name": "box", "properties": {"size": {"title": "Size", "type": "integer"}}}],
    "tags": [{"name": "fine"}],
    "resource_type_associations": [{"name": "OS::Glance::Image", "prefix": "t_"}],
}


def test_members_and_definitions_come_along(there: Appliance, images: dict[str, str], tmp_path: Path) -> None:
    source = session(there)
    path = f"/v2/images/{images['plain']}/members"
    source.call("POST", "image", path, {"member": "a-project"})
    source.call("POST", "image", path, {"member": "another"})
    source.call("PUT", "image", f"{path}/another", {"status": "accepted"})
    source.call("POST", "image", "/v2/metadefs/namespaces", NAMESPACE)
    here = launch(tmp_path)
    try:
        done = run("migrate-from", "--into", here.directory, "--data-dir", there.directory)
        assert done.returncode == 0 and "members: 2" in done.stdout, done.stdout + done.stderr
        target = session(here)
        assert {one["member_id"]: one["status"] for one in target.get("image", path)["members"]} == {
            "a-project": "pending",
            "another": "accepted",
        }
        found = target.get("image", "/v2/metadefs/namespaces/Ours::Things")
        assert found["properties"]["thing"]["enum"] == ["a", "b"] and found["objects"][0]["name"] == "box"
        assert [tag["name"] for tag in found["tags"]] == ["fine"]
        assert [one["name"] for one in found["resource_type_associations"]] == ["OS::Glance::Image"]
    finally:
        assert here.stop() == 0, here.log()


def test_everything_is_brought_over_and_a_second_run_finds_it(
    there: Appliance, images: dict[str, str], tmp_path: Path
) -> None:
    prepared = run("init", "--data-dir", tmp_path / "data", APPLIANCE_ADMIN_PASSWORD=PASSWORD)
    assert prepared.returncode == 0, prepared.stderr
    assert (tmp_path / "data" / "clouds.yaml").stat().st_mode & 0o777 == 0o600
    here = launch(tmp_path)
    try:
        words = ("migrate-from", "--into", here.directory, "--data-dir", there.directory)
        done = run(*words)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "images copied: 4" in done.stdout and "images without data: 1" in done.stdout
        for name, image_id in images.items():
            old, new = (in_cloud(one, "image", "show", image_id) for one in (there, here))
            differ = {key for key in {*old, *new} if old.get(key) != new.get(key)}
            assert differ <= {"created_at", "updated_at"}, name
        target = tmp_path / "back"
        saved = run("image", "save", images["plain"], "--file", target, "--data-dir", here.directory)
        assert saved.returncode == 0, saved.stderr
        assert hashlib.sha256(target.read_bytes()).digest() == hashlib.sha256(DATA).digest()
        again = run(*words)
        assert again.returncode == 0 and "images that were here already: 4" in again.stdout, again.stdout
    finally:
        assert here.stop() == 0, here.log()


def test_what_can_not_be_taken_is_told_and_the_rest_goes_on(
    there: Appliance, images: dict[str, str], tmp_path: Path
) -> None:
    here = launch(tmp_path)
    try:
        file = tmp_path / "other"
        file.write_bytes(b"not the same")
        in_cloud(here, "image", "create", "squatter", "--id", images["plain"], "--file", file)
        done = run("migrate-from", "--into", here.directory, "--data-dir", there.directory)
        assert done.returncode == 1
        assert "other data here" in done.stdout and "images copied: 3" in done.stdout
        assert in_cloud(here, "image", "show", images["plain"])["name"] == "squatter"
    finally:
        assert here.stop() == 0, here.log()


def test_an_appliance_is_not_brought_into_itself(there: Appliance) -> None:
    done = run("migrate-from", "--into", there.directory, "--data-dir", there.directory)
    assert done.returncode == 1 and "the appliance itself" in done.stderr


def test_init_prints_a_random_password_once(tmp_path: Path) -> None:
    first = run("init", "--data-dir", tmp_path / "data")
    assert first.returncode == 0 and "with the password" in first.stdout, first.stderr
    again = run("init", "--data-dir", tmp_path / "data")
    assert again.returncode == 0 and "password" not in again.stdout

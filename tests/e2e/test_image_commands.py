"""Every command of the `openstack` client's image groups that the other tours don't take."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.e2e.conftest import Appliance
from tests.e2e.test_process import new_image, token_of

FORMATS = ["--disk-format", "qcow2", "--container-format", "bare"]
SPACE = "OS::Tour::Space"


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Appliance]:
    """An appliance with two stores that clients are told of."""
    started = Appliance(tmp_path_factory.mktemp("stores") / "data", "--enabled-backends", "fast:file,slow:file")
    yield started
    assert started.stop() == 0, started.log()


def test_an_image_is_shared_accepted_and_taken_back(stores: Appliance, disk: Path) -> None:
    run = stores.run
    project = stores.openstack("project", "create", "consumers")["id"]
    stores.openstack("image", "create", *FORMATS, "--shared", "--file", str(disk), "shared-one")
    run("openstack", "image", "add", "project", "shared-one", project)
    assert stores.openstack("image", "member", "get", "shared-one", project)["status"] == "pending"
    admin = stores.openstack("token", "issue")["project_id"]
    run("openstack", "image", "add", "project", "shared-one", admin)
    run("openstack", "image", "set", "--accept", "shared-one")
    members = {row["Member ID"]: row["Status"] for row in stores.openstack("image", "member", "list", "shared-one")}
    assert members == {project: "pending", admin: "accepted"}
    run("openstack", "image", "remove", "project", "shared-one", project)
    assert len(stores.openstack("image", "member", "list", "shared-one")) == 1


def test_an_image_is_changed_and_changed_back(stores: Appliance) -> None:
    run, show = stores.run, partial(stores.openstack, "image", "show", "changing")
    stores.openstack("image", "create", *FORMATS, "--tag", "a", "--property", "k=v", "changing")
    run("openstack", "image", "set", "--min-disk", "3", "--protected", "--name", "changing", "changing")
    assert (show()["min_disk"], show()["protected"]) == (3, True)
    assert "403" in run("openstack", "image", "delete", "changing", fails=True)
    run("openstack", "image", "set", "--unprotected", "--hidden", "changing")
    assert "changing" not in {row["Name"] for row in stores.openstack("image", "list")}
    assert "changing" in {row["Name"] for row in stores.openstack("image", "list", "--hidden")}
    run("openstack", "image", "set", "--unhidden", "changing")
    run("openstack", "image", "unset", "--tag", "a", "--property", "k", "changing")
    assert (show()["tags"], "k" in show()["properties"]) == ([], False)
    run("openstack", "image", "delete", "changing")


def test_an_image_is_staged_imported_into_both_stores_and_its_tasks_are_shown(stores: Appliance, disk: Path) -> None:
    run = stores.run
    assert "glance-direct" in run("openstack", "image", "import", "info")
    assert {row["ID"] for row in stores.openstack("image", "stores", "list")} == {"fast", "slow"}
    # The client itself would take the empty standard input of a test for the image's data.
    new_image(stores, token_of(stores), "staged")
    run("openstack", "image", "stage", "--file", str(disk), "staged")
    assert stores.openstack("image", "show", "staged")["status"] == "uploading"
    run("openstack", "image", "import", "--method", "glance-direct", "--all-stores", "--wait", "staged")
    shown = stores.openstack("image", "show", "staged")
    assert (shown["status"], shown["properties"]["stores"].split(",")) == ("active", ["fast", "slow"])
    task = stores.openstack("image", "task", "list")[0]
    assert stores.openstack("image", "task", "show", task["ID"])["status"] == "success"
    run("openstack", "image", "set", "--deactivate", "staged")
    assert stores.openstack("image", "show", "staged")["status"] == "deactivated"
    run("openstack", "image", "set", "--activate", "staged")


def test_metadata_definitions_are_made_shown_changed_and_deleted(stores: Appliance) -> None:
    def meta(*words: str) -> str:
        return stores.run("openstack", "image", "metadef", *words)

    meta("namespace", "create", SPACE, "--display-name", "Tour")
    meta("namespace", "set", SPACE, "--description", "a tour")
    assert "a tour" in meta("namespace", "show", SPACE) and SPACE in meta("namespace", "list")
    schema = '{"title": "Speed", "type": "integer"}'
    meta("property", "create", SPACE, "--name", "speed", "--type", "integer", "--title", "Speed", "--schema", schema)
    meta("property", "set", SPACE, "speed", "--title", "Pace")
    assert "Pace" in meta("property", "show", SPACE, "speed") and "speed" in meta("property", "list", SPACE)
    meta("object", "create", "--namespace", SPACE, "thing")
    meta("object", "update", SPACE, "thing", "--name", "thing")
    assert "thing" in meta("object", "show", SPACE, "thing") and "thing" in meta("object", "list", SPACE)
    meta("resource", "type", "association", "create", SPACE, "OS::Nova::Flavor")
    assert "OS::Nova::Flavor" in meta("resource", "type", "association", "list", SPACE)
    assert "OS::Nova::Flavor" in meta("resource", "type", "list")
    meta("resource", "type", "association", "delete", SPACE, "OS::Nova::Flavor")
    meta("object", "delete", SPACE, "thing")
    meta("property", "delete", SPACE, "speed")
    meta("namespace", "delete", SPACE)
    assert SPACE not in meta("namespace", "list")

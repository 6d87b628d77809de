"""The `openstack` command, unmodified, from the first token to the last delete."""

from pathlib import Path
from typing import Any

from tests.e2e.conftest import Appliance


def test_the_way_of_an_image_with_the_openstack_client(appliance: Appliance, disk: Path, tmp_path: Path) -> None:
    token = appliance.openstack("token", "issue")
    assert len(token["id"]) > 100 and token["user_id"] and token["project_id"]

    catalog = {service["Type"]: service for service in appliance.openstack("catalog", "list")}
    assert set(catalog) == {"identity", "image"}
    assert {endpoint["url"] for endpoint in catalog["image"]["Endpoints"]} == {appliance.image}

    assert appliance.openstack("image", "list") == []
    formats = ["--disk-format", "qcow2", "--container-format", "bare"]
    created = appliance.openstack("image", "create", *formats, "--public", "--file", str(disk), "from-file")
    assert (created["status"], created["visibility"], created["size"]) == ("active", "public", disk.stat().st_size)
    assert created["virtual_size"] == 10 << 20

    piped = appliance.openstack("image", "create", *formats, "from-stdin", stdin=disk)
    assert (piped["status"], piped["checksum"]) == ("active", created["checksum"])

    appliance.run("openstack", "image", "set", "--property", "k=v", "--tag", "t", "from-file")
    shown = appliance.openstack("image", "show", "from-file")
    assert (shown["properties"]["k"], shown["tags"]) == ("v", ["t"])

    saved = tmp_path / "saved"
    appliance.run("openstack", "image", "save", "--file", str(saved), "from-file")
    assert saved.read_bytes() == disk.read_bytes()

    assert {row["Name"] for row in appliance.openstack("image", "list")} == {"from-file", "from-stdin"}
    appliance.run("openstack", "image", "delete", "from-file", "from-stdin")
    assert appliance.openstack("image", "list") == []
    assert "No Image found" in appliance.run("openstack", "image", "show", "from-file", fails=True)


def test_clouds_yaml_is_all_that_a_client_needs(appliance: Appliance) -> None:
    files = {"OS_CLIENT_CONFIG_FILE": str(appliance.directory / "clouds.yaml"), "OS_CLOUD": "appliance"}
    bare: dict[str, Any] = {name: "" for name in appliance.environment() if name.startswith("OS_")}
    text = appliance.run("openstack", "token", "issue", "-f", "value", "-c", "id", **{**bare, **files})
    assert text.count(".") == 2


def test_identity_can_be_read_with_the_openstack_client(appliance: Appliance) -> None:
    names = {row["Name"] for row in appliance.openstack("role", "list")}
    assert {"admin", "manager", "member", "reader", "service"} <= names
    assert {row["Name"] for row in appliance.openstack("project", "list")} == {"admin", "service"}
    assert [row["Name"] for row in appliance.openstack("domain", "list")] == ["Default"]
    assert appliance.openstack("user", "show", "admin")["domain_id"] == "default"
    assert {row["Interface"] for row in appliance.openstack("endpoint", "list")} == {"public", "internal", "admin"}


def test_a_wrong_password_is_refused_in_the_clients_words(appliance: Appliance) -> None:
    said = appliance.run("openstack", "token", "issue", fails=True, OS_PASSWORD="wrong")
    assert "requires authentication" in said and "401" in said

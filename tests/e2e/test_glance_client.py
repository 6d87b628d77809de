"""The `glance` command, which uploads in chunks and validates against our schemas."""

import hashlib
from pathlib import Path

from tests.e2e.conftest import Appliance


def test_the_way_of_an_image_with_the_glance_client(appliance: Appliance, disk: Path, tmp_path: Path) -> None:
    formats = ["--disk-format", "qcow2", "--container-format", "bare"]
    shown = appliance.run("glance", "image-create", "--name", "chunked", *formats, "--file", str(disk))
    assert "active" in shown and hashlib.md5(disk.read_bytes()).hexdigest() in shown

    piped = appliance.run("glance", "image-create", "--name", "piped", *formats, stdin=disk)
    assert "active" in piped and hashlib.md5(disk.read_bytes()).hexdigest() in piped

    rows = [line.split("|")[1:3] for line in appliance.run("glance", "image-list").splitlines() if line.count("|") > 2]
    ids = {name.strip(): image.strip() for image, name in rows[1:]}
    assert set(ids) == {"chunked", "piped"}

    assert "| v " in appliance.run("glance", "image-update", "--property", "k=v", ids["chunked"]).replace("k   ", "k")
    saved = tmp_path / "saved"
    appliance.run("glance", "image-download", "--file", str(saved), ids["chunked"])
    assert saved.read_bytes() == disk.read_bytes()

    appliance.run("glance", "image-delete", *ids.values())
    assert "chunked" not in appliance.run("glance", "image-list")


def test_metadata_definitions_with_the_glance_client(appliance: Appliance) -> None:
    appliance.run("glance", "md-namespace-create", "NS", "--visibility", "public")
    described = ["--name", "p", "--title", "T", "--type", "string", "--schema", '{"default": "x", "minLength": 1}']
    shown = appliance.run("glance", "md-property-create", "NS", *described)
    assert [word in shown for word in ("minLength", "default", "| T ")] == [True] * 3
    appliance.run("glance", "md-property-update", "NS", "p", "--title", "U", "--schema", '{"type": "string"}')
    assert "| U " in appliance.run("glance", "md-property-list", "NS")
    appliance.run("glance", "md-tag-create-multiple", "NS", "--names", "a,b")
    tags = appliance.run("glance", "md-tag-list", "NS")
    assert ("| a " in tags, "| b " in tags) == (True, True)

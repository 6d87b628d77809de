"""The verbs for images, against a real appliance."""

import hashlib
import os
import uuid
from pathlib import Path

import pytest

from appliance.cli.client.images import VISIBILITIES, fields_of
from appliance.errors import WrongUsage
from tests.cli.conftest import Program
from tests.e2e.conftest import Appliance, qcow2

FIELDS = ("disk_format", "container_format", "min_disk", "min_ram", "visibility", "protected", "hidden")
DATA = os.urandom(1 << 20) + bytes(1 << 20) + b"text " * 50_000


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    file = tmp_path / "disk.img"
    file.write_bytes(DATA)
    return file


def test_an_image_goes_all_the_way(admin: Program, disk: Path, tmp_path: Path) -> None:
    created = admin("image", "create", "way", "--file", disk, "--property", "k=v", "--tag", "t", "-f", "json").json
    assert (created["status"], created["size"], created["disk_format"]) == ("active", len(DATA), "raw")
    assert (created["container_format"], created["k"], created["tags"]) == ("bare", "v", ["t"])
    assert admin("image", "show", "way", "-f", "json").json == created
    assert admin("image", "show", created["id"], "-f", "value", "-c", "name").text == "way\n"
    saved = tmp_path / "saved"
    assert admin("image", "save", "way", "--file", saved).error == ""
    assert saved.read_bytes() == DATA
    assert [file.name for file in tmp_path.glob("*.part")] == []
    assert admin("image", "save", "way").out == DATA
    assert "way" in admin("image", "list").text
    assert admin("image", "delete", "way").text == ""
    assert admin("image", "show", "way", code=1).sentence() == "there is no image way"


def test_data_comes_from_a_pipe_of_unknown_length(admin: Program) -> None:
    image = admin("image", "create", "piped", "--file", "-", "-f", "json", stdin=DATA).json
    assert (image["status"], image["size"]) == ("active", len(DATA))
    assert admin("image", "save", image["id"], "--file", "-").out == DATA
    admin("image", "delete", image["id"])


def test_the_disk_format_is_seen_in_the_data_unless_it_is_said(admin: Program) -> None:
    image = admin("image", "create", "seen", "--file", "-", "-f", "json", stdin=qcow2(1 << 20)).json
    assert (image["disk_format"], image["virtual_size"]) == ("qcow2", 1 << 20)
    admin("image", "delete", image["id"])


def test_an_image_whose_data_is_refused_is_not_left_behind(admin: Program) -> None:
    refused = admin("image", "create", "wrong", "--disk-format", "qcow2", "--file", "-", code=1, stdin=DATA)
    assert refused.sentence().endswith("(HTTP 415)")
    assert admin("image", "list", "--name", "wrong", "-f", "json").json == []


def test_a_file_that_is_not_there_makes_no_image(admin: Program) -> None:
    assert "No such file" in admin("image", "create", "none", "--file", "/no/such", code=1).sentence()
    assert admin("image", "list", "--name", "none", "-f", "json").json == []


def test_an_image_without_data_can_be_made_and_filled_by_import(admin: Program, disk: Path) -> None:
    image = admin("image", "create", "later", "--min-disk", "3", "--min-ram", "64", "-f", "json").json
    assert (image["status"], image["size"], image["min_disk"], image["min_ram"]) == ("queued", None, 3, 64)
    assert "no data yet" in admin("image", "save", "later", code=1).sentence()
    admin("image", "delete", "later")


def test_an_image_can_have_each_visibility(admin: Program) -> None:
    for visibility in VISIBILITIES:
        image = admin("image", "create", visibility, f"--{visibility}", "-f", "json").json
        assert image["visibility"] == visibility
        assert image["id"] in admin("image", "list", f"--{visibility}", "-f", "value", "-c", "id").text.split()
    admin("image", "delete", *VISIBILITIES)


def test_set_changes_adds_and_removes(admin: Program) -> None:
    admin("image", "create", "old", "--property", "gone=1", "--tag", "gone", "--tag", "stays")
    changed = admin(
        *("image", "set", "old", "--name", "new", "--property", "a/b~c=1", "--remove-property", "gone"),
        *("--tag", "added", "--remove-tag", "gone", "--min-ram", "7", "--protected", "--hidden", "-f", "json"),
    ).json
    assert changed["name"] == "new" and changed["a/b~c"] == "1" and "gone" not in changed
    assert sorted(changed["tags"]) == ["added", "stays"]
    assert (changed["min_ram"], changed["protected"], changed["os_hidden"]) == (7, True, True)
    assert admin("image", "delete", "new", code=1).sentence().endswith("(HTTP 403)")
    admin("image", "set", "new", "--no-protected", "--no-hidden")
    admin("image", "delete", "new")


def test_set_puts_an_image_out_of_use_and_back(admin: Program, disk: Path) -> None:
    admin("image", "create", "used", "--file", disk)
    assert admin("image", "set", "used", "--deactivate", "-f", "value", "-c", "status").text == "deactivated\n"
    assert admin("image", "set", "used", "--reactivate", "-f", "value", "-c", "status").text == "active\n"
    admin("image", "delete", "used")


def test_set_without_a_change_is_wrong_usage(admin: Program) -> None:
    assert "say what to change" in admin("image", "set", "any", code=2).sentence()


@pytest.mark.parametrize("given", ["novalue", "=x", "disk_format=raw"])
def test_a_property_that_is_none_is_wrong_usage(given: str) -> None:
    with pytest.raises(WrongUsage):
        fields_of({"property": [given], **dict.fromkeys(FIELDS)})


def test_a_name_that_two_images_have_needs_an_id(admin: Program) -> None:
    ids = [admin("image", "create", "double", "-f", "value", "-c", "id").text.strip() for _ in range(2)]
    said = admin("image", "show", "double", code=1).sentence()
    assert said.startswith("2 images are called double") and all(one in said for one in ids)
    assert admin("image", "delete", ids[0], "no-such-image", code=1).sentence() == "there is no image no-such-image"
    assert admin("image", "list", "--name", "double", "-f", "value", "-c", "id").text.split()  # none has gone
    admin("image", "delete", *ids)


def test_a_name_with_a_colon_or_a_space_is_found(admin: Program) -> None:
    names = ("ubuntu:24.04", "two words", "ümlaut/√")
    for name in names:
        made = admin("image", "create", name, "-f", "value", "-c", "id").text.strip()
        assert admin("image", "show", name, "-f", "value", "-c", "id").text.strip() == made
    admin("image", "delete", *names)


def test_an_image_can_be_given_its_id(admin: Program) -> None:
    wanted = str(uuid.uuid4())
    assert admin("image", "create", "mine", "--id", wanted, "-f", "value", "-c", "id").text.strip() == wanted
    assert "(HTTP 409)" in admin("image", "create", "mine", "--id", wanted, code=1).sentence()
    admin("image", "delete", wanted)


def test_lists_follow_all_pages_filter_and_sort(admin: Program, server: Appliance) -> None:
    names = [f"page-{number}" for number in range(5)]
    for name in names:
        admin("image", "create", name, "--tag", "paged", "--property", f"number={name[-1]}")
    listed = admin("image", "list", "--tag", "paged", "--sort", "name:desc", "-f", "value", "-c", "name").text.split()
    assert listed == names[::-1]
    assert (
        admin("image", "list", "--tag", "paged", "--limit", "2", "-f", "value", "-c", "name").text.split() == names[:2]
    )
    one = admin("image", "list", "--property", "number=3", "--status", "queued", "-f", "json").json
    assert [image["name"] for image in one] == ["page-3"]
    table = admin("image", "list", "--tag", "paged", "--long").text.splitlines()
    assert table[0].split()[:4] == ["ID", "NAME", "STATUS", "SIZE"] and len(table) == 6
    admin("image", "delete", *names)


def test_a_hidden_image_is_found_by_name_and_listed_when_asked(admin: Program) -> None:
    admin("image", "create", "veiled", "--hidden")
    assert admin("image", "list", "--name", "veiled", "-f", "json").json == []
    assert len(admin("image", "list", "--name", "veiled", "--hidden", "-f", "json").json) == 1
    assert admin("image", "show", "veiled", "-f", "value", "-c", "os_hidden").text == "true\n"
    admin("image", "delete", "veiled")


def test_an_unknown_column_is_wrong_usage(admin: Program) -> None:
    admin("image", "create", "columns")
    assert "there is no column nothing" in admin("image", "show", "columns", "-c", "nothing", code=2).sentence()
    admin("image", "delete", "columns")


def test_save_never_writes_to_a_terminal_or_keeps_half_a_file(admin: Program, disk: Path, tmp_path: Path) -> None:
    admin("image", "create", "kept", "--file", disk)
    target = tmp_path / "target"
    target.write_bytes(b"before")
    said = admin("image", "save", "kept", "--file", tmp_path / "no" / "folder", code=1).sentence()
    assert "No such file" in said
    admin("image", "save", "kept", "--file", target)
    assert target.read_bytes() == DATA
    admin("image", "save", "kept", "--file", "/dev/null")
    assert Path("/dev/null").is_char_device()
    admin("image", "delete", "kept")


def test_a_filter_is_one_of_the_api(admin: Program, disk: Path) -> None:
    made = admin("image", "create", "big", "--file", disk, "--property", "kind=f", "-f", "value", "-c", "id").text
    admin("image", "create", "small", "--property", "kind=f")

    def found(*filters: str) -> list[str]:
        flags = [word for one in ("kind=f", *filters) for word in ("--filter", one)]
        return admin("image", "list", *flags, "-f", "value", "-c", "id").text.split()

    assert len(found()) == 2
    assert found("size>=1M") == [made.strip()] and found("size>=1G") == []
    assert len(found("created_at>2001-01-01")) == 2 and found("created_at<2001-01-01") == []
    assert "say" not in admin("image", "list", "--filter", "size<1M", code=2).sentence()
    assert "not of the form" in admin("image", "list", "--filter", "size", code=2).sentence()
    admin("image", "delete", "big", "small")


def test_a_digest_is_beside_what_was_saved(admin: Program, disk: Path, tmp_path: Path) -> None:
    admin("image", "create", "summed", "--file", disk)
    admin("image", "save", "summed", "--file", tmp_path / "saved", "--sha512sum")
    told = (tmp_path / "saved.sha512sum").read_text()
    assert told == f"{hashlib.sha512(DATA).hexdigest()} *saved\n"
    assert "goes with --file" in admin("image", "save", "summed", "--sha512sum", code=2).sentence()
    admin("image", "delete", "summed")


def test_an_image_is_changed_in_an_editor(admin: Program, tmp_path: Path) -> None:
    admin("image", "create", "edited", "--property", "gone=1", "--property", "kept=1")
    editor = tmp_path / "editor"
    editor.write_text('#!/bin/sh\nsed -i "s/^min_ram: .*/min_ram: 64/; /^gone:/d; s/^kept: .*/kept: two/" "$1"\n')
    editor.chmod(0o755)
    after = admin("image", "edit", "edited", "-f", "json", EDITOR=str(editor)).json
    assert (after["min_ram"], after["kept"], "gone" in after) == (64, "two", False)
    assert "Nothing has changed." in admin("image", "edit", "edited", EDITOR="true").error
    admin("image", "delete", "edited")


def test_an_image_is_copied_to_another_cloud(admin: Program, server: Appliance, disk: Path) -> None:
    made = admin("image", "create", "here", "--file", disk, "--property", "k=v", "--tag", "t", "-f", "json").json
    copied = admin("image", "copy", "here", "--to-data-dir", server.directory, "--name", "there", "-f", "json").json
    assert copied["id"] != made["id"]
    assert {name: copied[name] for name in ("os_hash_value", "k", "tags", "status")} == {
        "os_hash_value": made["os_hash_value"],
        "k": "v",
        "tags": ["t"],
        "status": "active",
    }
    assert "say --to-cloud or --to-data-dir" in admin("image", "copy", "here", code=2).sentence()
    admin("image", "delete", "here", "there")


def test_the_owner_can_be_named(admin: Program) -> None:
    admin("project", "create", "heirs")
    admin("image", "create", "handed")
    owner = admin("image", "set", "handed", "--project", "heirs", "-f", "value", "-c", "owner").text.strip()
    assert owner == admin("project", "show", "heirs", "-f", "value", "-c", "id").text.strip()
    assert admin("image", "set", "handed", "--owner", owner, "-f", "value", "-c", "owner").text.strip() == owner
    admin("image", "delete", "handed")
    admin("project", "delete", "heirs")

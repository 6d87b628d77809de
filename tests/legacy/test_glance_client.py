"""The `glance` command of the time with Image API v1; what it did is looked up through Image API v2."""

import hashlib
import time
import uuid
from pathlib import Path
from typing import Any

import pytest

from tests.legacy.conftest import SMALL
from tests.legacy.legacy_cloud import FileServer, OldCloud

pytestmark = pytest.mark.legacy

RAW = ("--disk-format", "raw", "--container-format", "bare")


def wait_for(cloud: OldCloud, image_id: str, status: str) -> dict[str, Any]:
    """The image once it has the status."""
    for _ in range(100):
        image: dict[str, Any] = cloud.image_of(image_id)
        if image["status"] == status:
            return image
        time.sleep(0.1)
    raise AssertionError(f"{image} is not {status}")


def ids(cloud: OldCloud, *words: str) -> list[str]:
    return [row["ID"] for row in cloud.glance("image-list", *words).rows]


def test_the_guide_as_it_was_typed(cloud: OldCloud, cirros: Path) -> None:
    cloud.keystone("user-create", "--name=glance", "--pass=glance_password", "--email=glance@example.com")
    cloud.keystone("user-role-add", "--user=glance", "--tenant=service", "--role=admin")
    described = '--description="Glance Image service"'
    service = cloud.keystone("service-create", "--name=glance", "--type=image", described).fields["id"]
    urls = [f"--{name}url={cloud.image}" for name in ("public", "internal", "admin")]
    cloud.keystone("endpoint-create", f"--service-id={service}", *urls)
    as_glance: dict[str, Any] = {"OS_USERNAME": "glance", "OS_PASSWORD": "glance_password", "OS_TENANT_NAME": "service"}
    words = ("--name=CirrOS 0.3.1", "--disk-format=qcow2", "--container-format=bare", "--is-public=true")
    made = cloud.glance("image-create", *words, stdin=cirros, **as_glance).fields
    assert (made["status"], made["is_public"], made["name"]) == ("active", "True", "CirrOS 0.3.1")
    image = cloud.image_of(made["id"])
    assert image["checksum"] == made["checksum"] == hashlib.md5(cirros.read_bytes()).hexdigest()
    assert (image["visibility"], image["size"]) == ("public", cirros.stat().st_size)
    project = cloud.named("projects", "service")
    assert project is not None and image["owner"] == project["id"]
    assert made["id"] in ids(cloud)
    assert cloud.glance("image-show", "CirrOS 0.3.1").fields["id"] == made["id"]
    cloud.glance("image-delete", made["id"], **as_glance)
    assert cloud.image_of(made["id"]) is None


def test_an_image_is_made_changed_and_deleted(cloud: OldCloud, small: Path, cirros: Path, tmp_path: Path) -> None:
    more = ("--property", "distro=ubuntu", "--property", "Kernel_Id=a b", "--min-disk", "3", "--min-ram", "64")
    flags = ("--is-protected", "True", "--is-public", "False")
    image = cloud.glance("image-create", "--name", "whole", *RAW, "--file", str(small), *more, *flags).fields["id"]
    shown = cloud.image_of(image)
    assert (shown["distro"], shown["kernel_id"], shown["min_disk"], shown["min_ram"]) == ("ubuntu", "a b", 3, 64)
    assert (shown["protected"], shown["visibility"]) == (True, "shared")
    assert "protected" in cloud.attempt("image-delete", image)
    assert cloud.image_of(image) is not None
    cloud.glance("image-update", "--is-protected", "False", image)
    fields = cloud.glance("image-show", "whole").fields
    assert fields["Property 'distro'"] == "ubuntu"
    assert "kB" in cloud.glance("image-show", "--human-readable", image).fields["size"]
    cloud.glance("image-download", "--file", str(tmp_path / "got"), image)
    cloud.glance("image-download", "--progress", "--file", str(tmp_path / "got2"), "whole")
    assert (tmp_path / "got").read_bytes() == (tmp_path / "got2").read_bytes() == SMALL
    cloud.glance("image-update", "--property", "arch=x86", image)
    shown = cloud.image_of(image)
    assert (shown["arch"], shown["distro"], shown["checksum"]) == ("x86", "ubuntu", hashlib.md5(SMALL).hexdigest())
    cloud.glance("image-update", "--purge-props", "--property", "only=this", image)
    shown = cloud.image_of(image)
    assert shown["only"] == "this" and not {"arch", "distro", "kernel_id"} & set(shown)
    words = ("--name", "renamed", "--min-disk", "5", "--min-ram", "128", "--is-public", "True")
    cloud.glance("image-update", *words, image)
    shown = cloud.image_of(image)
    assert (shown["name"], shown["min_disk"], shown["min_ram"], shown["visibility"]) == ("renamed", 5, 128, "public")
    cloud.glance("image-update", "--disk-format", "qcow2", image)
    assert cloud.image_of(image)["disk_format"] == "qcow2"
    # Some clients refuse to send data for an active image, some keep it to themselves.
    cloud.attempt("image-update", "--file", str(cirros), image)
    assert cloud.image_of(image)["checksum"] == hashlib.md5(SMALL).hexdigest()
    cloud.glance("image-delete", image)
    assert cloud.image_of(image) is None
    # An admin still sees that it was there.
    assert cloud.glance("image-show", image).fields["deleted"] == "True"


def test_a_queued_image_gets_its_data_later(cloud: OldCloud, small: Path) -> None:
    image = cloud.glance("image-create", "--name", "later", *RAW).fields["id"]
    assert cloud.image_of(image)["status"] == "queued"
    assert image in ids(cloud, "--status", "queued")
    cloud.glance("image-update", "--file", str(small), image)
    assert cloud.image_of(image)["status"] == "active"
    bare = cloud.glance("image-create", "--name", "formless").fields["id"]
    cloud.glance("image-update", "--file", str(small), bare, fails=True)
    assert cloud.image_of(bare)["status"] == "queued"
    cloud.glance("image-delete", image, bare)
    assert cloud.image_of(image) is None and cloud.image_of(bare) is None


def test_checksums_and_sizes_are_held_to(cloud: OldCloud, small: Path) -> None:
    right = hashlib.md5(SMALL).hexdigest()
    made = cloud.glance(
        "image-create", "--name", "sum", *RAW, "--checksum", right, "--size", str(len(SMALL)), stdin=small
    )
    assert made.fields["status"] == "active"
    wrong = ("--checksum", "0" * 32), ("--size", str(len(SMALL) - 1))
    for words in wrong:
        cloud.glance("image-create", "--name", "not-right", *RAW, *words, stdin=small, fails=True)
    nonsense = ("--disk-format", "nonsense", "--container-format", "bare")
    cloud.glance("image-create", "--name", "not-right", *nonsense, stdin=small, fails=True)
    assert "not-right" not in cloud.glance("image-list").out
    cloud.glance("image-delete", made.fields["id"])


def test_an_id_of_ones_own_and_names_that_are_not_ascii(cloud: OldCloud, small: Path) -> None:
    own = str(uuid.uuid4())
    words = ("image-create", "--id", own, "--name", "own", *RAW, "--store", "file")
    assert cloud.glance(*words, stdin=small).fields["id"] == own
    assert "409" in cloud.glance(*words, stdin=small, fails=True).text
    made = cloud.glance("image-create", "--name", "plain", *RAW, stdin=small).fields["id"]
    # The clients for Python 3 read such names in lists alone, and break on sending them; `test_exchanges` sends them.
    cloud.rename(made, "ümläut")
    assert "ümläut" in cloud.glance("image-list").out
    cloud.glance("image-delete", own, made)


def test_an_admin_gives_an_image_to_somebody(cloud: OldCloud, small: Path) -> None:
    aki = ("--disk-format", "aki", "--container-format", "aki")
    image = cloud.glance("image-create", "--name", "gift", "--owner", "somebody", *aki, stdin=small).fields["id"]
    assert cloud.image_of(image)["owner"] == "somebody"
    assert image not in ids(cloud)
    assert ids(cloud, "--disk-format", "aki", "--is-public", "False") == [image]
    assert ids(cloud, "--container-format", "aki", "--all-tenants") == [image]
    assert ids(cloud, "--owner", "somebody") == [image]
    cloud.glance("image-delete", image)


def test_copies_come_from_the_web_and_from_nowhere_else(cloud: OldCloud, web: FileServer) -> None:
    copy = ("image-create", "--name", "copy", *RAW, "--copy-from")
    made = cloud.glance(*copy, web.url("remote.raw")).fields
    assert made["status"] == "queued"
    assert wait_for(cloud, made["id"], "active")["checksum"] == hashlib.md5(SMALL).hexdigest()
    missing = cloud.glance(*copy, web.url("missing")).fields["id"]
    wait_for(cloud, missing, "killed")
    assert missing not in ids(cloud)
    for address in ("file:///etc/hostname", "http://127.0.0.2/x", "http://127.0.0.1:1/x"):
        assert "400" in cloud.glance(*copy, address, fails=True).text
    cloud.glance("image-delete", made["id"], missing)


def test_data_may_stay_where_it_is(cloud: OldCloud, web: FileServer, tmp_path: Path) -> None:
    words = ("image-create", "--name", "elsewhere", *RAW, "--location")
    made = cloud.glance(*words, web.url("remote.raw")).fields
    assert (made["status"], made["size"]) == ("active", str(len(SMALL)))
    assert web.url("") not in cloud.glance("image-show", made["id"]).out
    cloud.glance("image-download", "--file", str(tmp_path / "got"), made["id"])
    assert (tmp_path / "got").read_bytes() == SMALL
    for address in ("file:///etc/hostname", "http://127.0.0.2/x"):
        assert "400" in cloud.glance(*words, address, fails=True).text
    cloud.glance("image-delete", made["id"])


def test_lists_are_filtered_sorted_and_paged(cloud: OldCloud, small: Path, cirros: Path) -> None:
    made = {}
    for name, file, disk_format in (("l1", small, "raw"), ("l2", cirros, "qcow2"), ("l3", small, "raw")):
        words = ("--name", name, "--disk-format", disk_format, "--container-format", "bare")
        made[name] = cloud.glance("image-create", *words, "--property", f"is={name}", stdin=file).fields["id"]
    assert ids(cloud, "--name", "l1") == [made["l1"]]
    assert ids(cloud, "--property-filter", "is=l2") == [made["l2"]]
    exactly = str(len(SMALL))
    assert set(ids(cloud, "--size-min", exactly, "--size-max", exactly)) == {made["l1"], made["l3"]}
    assert ids(cloud, "--page-size", "1") == [made["l1"], made["l2"], made["l3"]]
    assert ids(cloud, "--sort-key", "size", "--sort-dir", "desc", "--human-readable")[0] == made["l2"]
    assert set(made.values()) <= set(ids(cloud, "--is-public", "True", "--status", "active"))
    cloud.glance("image-show", "no-such-image", fails=True)
    assert "No image" in cloud.attempt("image-delete", "no-such-image")
    cloud.glance("image-download", "--file", "nix", str(uuid.uuid4()), fails=True)
    cloud.glance("image-delete", *made.values())
    assert ids(cloud) == []


def test_images_are_shared_and_shared_on(cloud: OldCloud, small: Path) -> None:
    tenant = cloud.keystone("tenant-create", "--name", "members").fields["id"]
    cloud.keystone("user-create", "--name", "eve", "--tenant", "members", "--pass", "pw")
    as_eve: dict[str, Any] = {"OS_USERNAME": "eve", "OS_PASSWORD": "pw", "OS_TENANT_NAME": "members"}
    image = cloud.glance("image-create", "--name", "mine", *RAW, "--is-public", "False", stdin=small).fields["id"]
    cloud.glance("image-show", image, fails=True, **as_eve)
    cloud.glance("member-create", image, tenant)
    members = cloud.ask(f"{cloud.image}/v2/images/{image}/members")["members"]
    assert [one["member_id"] for one in members] == [tenant]
    assert [row["Member ID"] for row in cloud.glance("member-list", "--image-id", image).rows] == [tenant]
    assert [row["Image ID"] for row in cloud.glance("member-list", "--tenant-id", tenant).rows] == [image]
    assert cloud.glance("image-show", image, **as_eve).fields["name"] == "mine"
    assert image in cloud.glance("image-list", **as_eve).out
    cloud.glance("member-create", image, "others", fails=True, **as_eve)
    cloud.glance("image-update", "--name", "stolen", image, fails=True, **as_eve)
    assert "403" in cloud.attempt("image-delete", image, **as_eve)
    assert cloud.image_of(image)["name"] == "mine"
    cloud.glance("member-create", "--can-share", image, tenant)
    assert cloud.glance("member-list", "--image-id", image).rows[0]["Can Share"] == "True"
    cloud.glance("member-create", image, "others", **as_eve)
    assert "others" in cloud.glance("member-list", "--image-id", image).out
    for member in ("others", tenant):
        cloud.glance("member-delete", image, member)
    cloud.glance("member-delete", image, tenant, fails=True)
    cloud.glance("image-show", image, fails=True, **as_eve)
    own = cloud.glance("image-create", "--name", "hers", *RAW, stdin=small, **as_eve).fields
    assert own["owner"] == tenant
    cloud.glance("image-delete", "hers", **as_eve)
    cloud.glance("image-delete", image)


def test_a_wrong_token_or_password_is_refused(cloud: OldCloud) -> None:
    cloud.glance("--os-auth-token", "bad-token", "--os-image-url", cloud.image, "image-list", fails=True)
    cloud.glance("--os-password", "wrong", "image-list", fails=True)


def test_the_commands_before_those(cloud: OldCloud, small: Path) -> None:
    """`add`, `index` and the like, which 0.12.0 is the last to have."""
    if "details" not in cloud.command("glance", "--help").out:
        pytest.skip("this client has no such commands any more")
    words = ("add", "name=older", "disk_format=raw", "container_format=bare", "is_public=True", "distro=old")
    image = cloud.glance(*words, stdin=small).out.split("ID:")[1].split()[0]
    shown = cloud.image_of(image)
    assert (shown["name"], shown["visibility"], shown["distro"]) == ("older", "public", "old")
    assert image in cloud.glance("index").out
    assert image in cloud.glance("--force", "index", "name=older", "--limit=1").out
    assert "distro" in cloud.glance("--force", "details").out
    assert "older" in cloud.glance("show", image).out
    cloud.glance("--force", "update", image, "name=older-2", "arch=x86")
    shown = cloud.image_of(image)
    assert (shown["name"], shown["arch"]) == ("older-2", "x86")
    cloud.glance("member-add", image, "some-tenant")
    assert "some-tenant" in cloud.glance("image-members", image).out
    assert image in cloud.glance("member-images", "some-tenant").out
    cloud.glance("--force", "members-replace", image, "another-tenant", "--can-share")
    members = cloud.glance("image-members", image).out
    assert "another-tenant" in members and "some-tenant" not in members
    cloud.glance("member-delete", image, "another-tenant")
    cloud.glance("--force", "delete", image)
    assert cloud.image_of(image) is None

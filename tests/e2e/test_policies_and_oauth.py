"""Policy files, and access for programs by OAuth, with the `openstack` command, unmodified."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import Appliance, launch

POLICIES = """
uploads: role:image-uploader and project_id:%(project_id)s
add_image: rule:context_is_admin or rule:uploads
upload_image: rule:context_is_admin or rule:uploads
publicize_image: rule:context_is_admin or rule:uploads
modify_image: rule:context_is_admin or rule:uploads
get_image: rule:context_is_admin or rule:uploads or role:reader
download_image: rule:context_is_admin or (role:reader and not 'yes':%(secret)s)
"""


@pytest.fixture(scope="module")
def ruled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Appliance]:
    """With a policy file, and a user whose one role is image-uploader."""
    directory = tmp_path_factory.mktemp("ruled")
    (directory / "policy.yaml").write_text(POLICIES)
    started = launch(directory, "--policy-file", str(directory / "policy.yaml"))
    for words in (
        "role create image-uploader",
        "project create studio",
        "user create --password secret uploader",
        "role add --project studio --user uploader image-uploader",
        "user create --password secret viewer",
        "role add --project studio --user viewer reader",
    ):
        started.run("openstack", *words.split())
    yield started
    assert started.stop() == 0, started.log()


def of(name: str) -> dict[str, Any]:
    """The environment of a user of the project studio."""
    return {"OS_USERNAME": name, "OS_PASSWORD": "secret", "OS_PROJECT_NAME": "studio"}


def test_a_role_of_ones_own_makes_and_publishes_images(ruled: Appliance, disk: Path) -> None:
    create = (
        "image",
        "create",
        "--disk-format",
        "qcow2",
        "--container-format",
        "bare",
        "--public",
        "--file",
        str(disk),
    )
    made = ruled.openstack(*create, "published", **of("uploader"))
    assert (made["status"], made["visibility"]) == ("active", "public")
    refused = ruled.run("openstack", "image", "delete", made["id"], fails=True, **of("uploader"))
    assert "delete_image" in refused
    refused = ruled.run("openstack", *create, "other", fails=True, **of("viewer"))
    assert "add_image" in refused


def test_a_property_forbids_a_download(ruled: Appliance, disk: Path, tmp_path: Path) -> None:
    create = ("image", "create", "--disk-format", "qcow2", "--container-format", "bare", "--file", str(disk))
    made = ruled.openstack(*create, "--property", "secret=yes", "kept", **of("uploader"))
    save = ("openstack", "image", "save", "--file", str(tmp_path / "saved"), made["id"])
    ruled.run(*save, fails=True, **of("viewer"))
    ruled.run("openstack", "image", "set", "--property", "secret=no", made["id"], **of("uploader"))
    ruled.run(*save, **of("viewer"))
    assert (tmp_path / "saved").read_bytes() == disk.read_bytes()


NOBODY: dict[str, Any] = dict.fromkeys(
    (
        "OS_USERNAME",
        "OS_PASSWORD",
        "OS_PROJECT_NAME",
        "OS_USER_DOMAIN_ID",
        "OS_USER_DOMAIN_NAME",
        "OS_PROJECT_DOMAIN_ID",
    )
    + ("OS_PROJECT_DOMAIN_NAME", "OS_TENANT_NAME", "OS_REGION_NAME"),
    "",
)
"""No password and no scope in the environment."""


def pair(shown: dict[str, Any]) -> tuple[str, str]:
    return shown["key"], shown["secret"]


def test_a_program_gets_access_by_oauth_1(ruled: Appliance) -> None:
    consumer = ruled.openstack("consumer", "create", "--description", "a robot")
    consumer_pair = ("--consumer-key", consumer["id"], "--consumer-secret", consumer["secret"])
    key, secret = pair(ruled.openstack("request", "token", "create", *consumer_pair, "--project", "admin"))
    verifier = ruled.openstack("request", "token", "authorize", "--request-key", key, "--role", "member")
    words = (*consumer_pair, "--request-key", key, "--request-secret", secret)
    access = pair(ruled.openstack("access", "token", "create", *words, "--verifier", verifier["oauth_verifier"]))
    assert [row["Description"] for row in ruled.openstack("consumer", "list")] == ["a robot"]
    environment = NOBODY | {
        "OS_AUTH_TYPE": "v3oauth1",
        "OS_CONSUMER_KEY": consumer["id"],
        "OS_CONSUMER_SECRET": consumer["secret"],
        "OS_ACCESS_KEY": access[0],
        "OS_ACCESS_SECRET": access[1],
    }
    assert ruled.openstack("image", "list", **environment) is not None
    ruled.run("openstack", "consumer", "delete", consumer["id"])
    said = ruled.run("openstack", "token", "issue", fails=True, **environment)
    assert "requires authentication" in said


def test_a_program_gets_access_by_oauth_2(ruled: Appliance) -> None:
    shown = ruled.openstack("application", "credential", "create", "robot")
    made = {name.lower(): value for name, value in shown.items()}
    environment = NOBODY | {
        "OS_AUTH_TYPE": "v3oauth2clientcredential",
        "OS_OAUTH2_ENDPOINT": f"{ruled.identity}/OS-OAUTH2/token",
        "OS_OAUTH2_CLIENT_ID": made["id"],
        "OS_OAUTH2_CLIENT_SECRET": made["secret"],
    }
    assert ruled.openstack("token", "issue", **environment)["project_id"]

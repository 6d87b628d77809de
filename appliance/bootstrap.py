"""The first run: credentials for clients, sample images, and what to tell the operator.

Everything here may be run again at every start: what has been done once is not done twice, and what the operator has
changed or deleted since stays as it is.
"""

import json
import logging
import re
import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from appliance.blobs import durable
from appliance.datadir import DataDir
from appliance.db.notes import Notes
from appliance.errors import ApplianceError
from appliance.image.service import Images
from appliance.values import Caller

log = logging.getLogger(__name__)

_CLOUDS = """\
# What OpenStack clients need to reach this appliance: `export OS_CLIENT_CONFIG_FILE={clouds}`, `OS_CLOUD=appliance`.
clouds:
  appliance:
    auth:
      auth_url: {auth_url}
      username: admin
      password: {password}
      project_name: admin
      user_domain_name: Default
      project_domain_name: Default
    region_name: {region}
    identity_api_version: 3
    image_api_version: 2
    interface: public
"""

_OPENRC = """\
# What OpenStack clients need to reach this appliance: `source {openrc}`.
export OS_AUTH_URL={auth_url}
export OS_USERNAME=admin
export OS_PASSWORD={password}
export OS_PROJECT_NAME=admin
export OS_USER_DOMAIN_NAME=Default
export OS_PROJECT_DOMAIN_NAME=Default
export OS_REGION_NAME={region}
export OS_IDENTITY_API_VERSION=3
export OS_IMAGE_API_VERSION=2
unset OS_CLOUD OS_TOKEN OS_SYSTEM_SCOPE OS_TRUST_ID
"""


@dataclass
class Welcome:
    """What a start has to tell whoever watches it."""

    image_url: str
    identity_url: str
    clouds: Path
    openrc: Path
    new_password: str = ""
    notes: list[str] = field(default_factory=list)
    admin_url: str = ""
    """Where the admin's half of Identity API v2.0 is, if that is served."""


def new_password() -> str:
    """A password that nobody has had before: 128 bits, free of characters that a shell or YAML would read."""
    return secrets.token_urlsafe(16).replace("-", "x").replace("_", "y")


def write_credentials(directory: DataDir, identity_url: str, region: str, password: str | None) -> None:
    """Write `clouds.yaml` and `admin-openrc`, mode 0600.

    With a password (the first start) both are written anew. Without one, only the address in them is brought up to
    date, and only if the file is still there: what else the operator put into them stays.
    """
    auth_url = f"{identity_url}/v3"
    files = (
        (directory.clouds, _CLOUDS, r"(?m)^(\s*auth_url: ).*$"),
        (directory.openrc, _OPENRC, r"(?m)^(export OS_AUTH_URL=).*$"),
    )
    for path, template, address in files:
        if password is not None:
            quoted = json.dumps(password) if path == directory.clouds else _shell(password)
            text = template.format(
                auth_url=auth_url, password=quoted, region=region, clouds=directory.clouds, openrc=directory.openrc
            )
        elif path.is_file():
            text = re.sub(address, lambda match: match[1] + auth_url, path.read_text(), count=1)
        else:
            continue
        if not path.is_file() or path.read_text() != text:
            durable.replace_file(durable.Disk(), path, text.encode())


def _shell(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"


def preload(images: Images, admin: Caller, samples: Path, notes: Notes) -> list[str]:
    """Register the sample images that `samples/index.json` lists, as public ones; each once in a data directory's life.

    Returns a sentence for each one that is new or could not be had. A missing or damaged sample never stops the start.
    """
    try:
        listed = json.loads((samples / "index.json").read_text())
    except (OSError, ValueError):
        return [f"There is no sample image in {samples}: `make sample-images` says why."]
    said = []
    for sample in listed:
        key = f"sample:{sample['sha512'][:32]}"
        if notes.get(key) is not None:
            continue
        try:
            image_id = _register(images, admin, samples, sample)
        except (ApplianceError, OSError) as error:
            log.warning("sample image %s: %s", sample["name"], error)
            said.append(f"The sample image {sample['name']} could not be registered: {error}")
            continue
        notes.set(key, image_id)
        said.append(f"The sample image {sample['name']} is ready.")
    return said


def _register(images: Images, admin: Caller, samples: Path, sample: dict[str, Any]) -> str:
    body = {
        "name": sample["name"],
        "disk_format": sample["disk_format"],
        "container_format": sample["container_format"],
        "min_disk": sample.get("min_disk", 0),
        "min_ram": sample.get("min_ram", 0),
        "visibility": "public",
        **sample.get("properties", {}),
    }
    image = images.create(admin, body)
    try:
        with open(samples / sample["file"], "rb") as file:
            images.upload(admin, image.id, file, declared_size=sample["size"])
        stored = images.get(admin, image.id)
        if stored.os_hash_algo == "sha512" and stored.os_hash_value != sample["sha512"]:
            raise OSError(f"{sample['file']} does not match its digest")
    except BaseException:
        images.delete(admin, image.id)
        raise
    return image.id

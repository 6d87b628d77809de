"""What several verbs do with images: their fields as flags, data on its way, and waiting for an import."""

import argparse
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from appliance.cli.client.arguments import pairs
from appliance.cli.client.calls import Refused
from appliance.cli.client.download import matches
from appliance.cli.client.session import PATCH_TYPE, Session
from appliance.cli.client.upload import Input, send
from appliance.errors import Fatal, WrongUsage

VISIBILITIES = ("public", "private", "shared", "community")
_FIRST = ("id", "name", "status", "visibility", "disk_format", "container_format", "size", "virtual_size")
_POLL = 1.0
_FIRST_POLL = 0.1


def path(image_id: str, rest: str = "") -> str:
    """Where an image is below the image service."""
    return f"/v2/images/{quote(image_id, safe='')}{rest}"


def ordered(image: Mapping[str, Any]) -> dict[str, Any]:
    """An image's fields in the order in which people look for them."""
    names = [*_FIRST, *sorted(name for name in image if name not in _FIRST)]
    return {name: image[name] for name in names if name in image}


# -- fields as flags ---------------------------------------------------------------------------------------------------


def add_fields(parser: argparse.ArgumentParser) -> None:
    """The flags of what can be said of an image when it is made and later."""
    group = parser.add_argument_group("the image")
    group.add_argument("--disk-format", metavar="FORMAT", help="qcow2, raw, vmdk, vhd, vdi, iso, …")
    group.add_argument("--container-format", metavar="FORMAT", help="bare, ovf, ova, docker, …")
    group.add_argument("--min-disk", type=int, metavar="GB", help="disk that a server needs to boot it")
    group.add_argument("--min-ram", type=int, metavar="MB", help="memory that a server needs to boot it")
    visible = group.add_mutually_exclusive_group()
    for visibility in VISIBILITIES:
        visible.add_argument(
            f"--{visibility}", dest="visibility", action="store_const", const=visibility, help=f"make it {visibility}"
        )
    group.add_argument(
        "--protected", action=argparse.BooleanOptionalAction, default=None, help="whether it is kept from deletion"
    )
    group.add_argument(
        "--hidden", action=argparse.BooleanOptionalAction, default=None, help="whether lists leave it out"
    )
    group.add_argument("--property", action="append", metavar="NAME=VALUE", help="a property; may be repeated")
    group.add_argument("--tag", action="append", metavar="TAG", help="a tag; may be repeated")


def fields_of(arguments: argparse.Namespace) -> dict[str, Any]:
    """The fields that the flags of `add_fields` give, tags excepted."""
    plain = {
        "disk_format": arguments.disk_format,
        "container_format": arguments.container_format,
        "min_disk": arguments.min_disk,
        "min_ram": arguments.min_ram,
        "visibility": arguments.visibility,
        "protected": arguments.protected,
        "os_hidden": arguments.hidden,
    }
    given = {name: value for name, value in plain.items() if value is not None}
    for name, value in pairs(arguments.property, "--property").items():
        if name in plain or name in ("id", "name", "tags"):
            raise WrongUsage(f"{name} is no property: it has a flag of its own")
        given[name] = value
    return given


def change(session: Session, image_id: str, operations: list[dict[str, Any]]) -> dict[str, Any]:
    """Change an image's fields by JSON patch; the image as it is then."""
    answer = session.call("PATCH", "image", path(image_id), operations, content_type=PATCH_TYPE)
    image: dict[str, Any] = answer.json()
    return image


def patch_path(name: str) -> str:
    """A field's name as a JSON pointer."""
    return "/" + name.replace("~", "~0").replace("/", "~1")


# -- data --------------------------------------------------------------------------------------------------------------


def upload(session: Session, image_id: str, data: Input) -> dict[str, Any]:
    """Send the data, and check that the digest of what was stored is that of what was sent."""
    send(session, path(image_id, "/file"), data)
    image: dict[str, Any] = session.get("image", path(image_id))
    if image.get("os_hash_algo") == data.digest.name and not matches(image, data.digest):
        raise Fatal(f"the server stored something else than was sent of {data.name}: the digests differ")
    return image


# -- imports -----------------------------------------------------------------------------------------------------------


class Import:
    """One import of data into an image, from its request to its end."""

    def __init__(self, session: Session, image_id: str) -> None:
        self._session = session
        self._image_id = image_id
        self._before = {task.get("task_id", task.get("id")) for task in self._tasks()}

    def start(self, method: Mapping[str, Any], **more: Any) -> None:
        """Ask for it; the server goes on by itself."""
        self._session.call("POST", "image", path(self._image_id, "/import"), {"method": method, **more})

    def wait(self) -> dict[str, Any]:
        """Wait for its end; the image as it is then. Raises `Fatal` with the server's reason if it failed."""
        pause = _FIRST_POLL
        while True:
            image: dict[str, Any] = self._session.get("image", path(self._image_id))
            if self._ended(image):
                result: dict[str, Any] = self._session.get("image", path(self._image_id))
                return result
            time.sleep(pause)
            pause = min(pause * 2, _POLL)

    def _ended(self, image: dict[str, Any]) -> bool:
        new = [task for task in self._tasks() if task.get("task_id", task.get("id")) not in self._before]
        for task in new:
            if task.get("status") == "failure":
                raise Fatal(f"the import failed: {task.get('message') or 'the server does not say why'}")
        if image.get("os_glance_failed_import") and image["status"] == "queued":
            raise Fatal(f"the import into {image['os_glance_failed_import']} failed")
        if image["status"] in ("killed", "deleted", "pending_delete"):
            raise Fatal(f"the image is {image['status']}")
        if new:
            return all(task.get("status") == "success" for task in new)
        return image["status"] == "active" and not image.get("os_glance_importing_to_stores")

    def _tasks(self) -> list[dict[str, Any]]:
        try:
            tasks: list[dict[str, Any]] = self._session.get("image", path(self._image_id, "/tasks"))["tasks"]
            return tasks
        except Refused as error:
            if error.status in (403, 404):
                return []
            raise

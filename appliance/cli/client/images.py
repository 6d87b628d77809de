"""What several verbs do with images: their fields as flags, data on its way, and waiting for an import."""

import functools
import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote

from appliance.cli.client.calls import Refused
from appliance.cli.client.options import pairs, words
from appliance.cli.client.session import PATCH_TYPE, Session
from appliance.cli.client.transfer import Input, matches, send
from appliance.cli.commands import collecting, exclusive, option, switch
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


_SECTION = "The image"
DISK_FORMATS = ("qcow2", "raw", "vmdk", "vhd", "vhdx", "vdi", "iso", "ami", "ari", "aki", "ploop")
CONTAINER_FORMATS = ("bare", "ovf", "ova", "ami", "ari", "aki", "docker", "compressed")


def with_visibility(section: str, said: str, more: tuple[str, ...] = ()) -> Callable[..., Any]:
    """A flag for each visibility; the verb gets the one that was given as `visibility`."""
    known = (*VISIBILITIES, *more)

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        wrapped: Callable[..., Any] = exclusive(*known, to="visibility")(function)
        told = {name: said.format(name) for name in VISIBILITIES} | {"all": "list community images, too"}
        flags = [switch(f"--{name}", section=section, help=told[name]) for name in known]
        return functools.reduce(lambda made, add: add(made), reversed(flags), wrapped)

    return decorate


def with_fields(function: Callable[..., Any]) -> Callable[..., Any]:
    """Flags of what can be said of an image when it is made and later; the verb gets them as `fields`, and `tag`."""
    names = ("disk_format", "container_format", "min_disk", "min_ram", "visibility", "protected", "hidden", "property")
    wrapped: Callable[..., Any] = with_visibility(_SECTION, "make it {}")(
        collecting("fields", names, fields_of)(function)
    )
    options: list[Callable[..., Any]] = [
        option(
            "--disk-format",
            metavar="FORMAT",
            section=_SECTION,
            shell_complete=words(*DISK_FORMATS),
            help="qcow2, raw, vmdk, vhd, vdi, iso, …",
        ),
        option(
            "--container-format",
            metavar="FORMAT",
            section=_SECTION,
            shell_complete=words(*CONTAINER_FORMATS),
            help="bare, ovf, ova, docker, …",
        ),
        option("--min-disk", type=int, metavar="GB", section=_SECTION, help="disk that a server needs to boot it"),
        option("--min-ram", type=int, metavar="MB", section=_SECTION, help="memory that a server needs to boot it"),
        option(
            "--protected/--no-protected",
            default=None,
            section=_SECTION,
            help="whether it is kept from deletion",
        ),
        option("--hidden/--no-hidden", default=None, section=_SECTION, help="whether lists leave it out"),
        option("--property", multiple=True, metavar="NAME=VALUE", section=_SECTION, help="a property; may be repeated"),
        option("--tag", multiple=True, metavar="TAG", section=_SECTION, help="a tag; may be repeated"),
    ]
    return functools.reduce(lambda made, add: add(made), reversed(options), wrapped)


def fields_of(given: Mapping[str, Any]) -> dict[str, Any]:
    """The fields that the flags of `with_fields` give, tags excepted."""
    plain = {name: value for name, value in given.items() if name not in ("hidden", "property")}
    plain["os_hidden"] = given["hidden"]
    found = {name: value for name, value in plain.items() if value is not None}
    for name, value in pairs(given["property"], "--property").items():
        if name in plain or name in ("id", "name", "tags"):
            raise WrongUsage(f"{name} is no property: it has a flag of its own")
        found[name] = value
    return found


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

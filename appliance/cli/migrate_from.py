"""`migrate-from`: bring what a running Glance has into a running appliance."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import click

from appliance.cli.client.calls import Refused
from appliance.cli.client.images import change, patch_path, path
from appliance.cli.client.options import Cloud, names, with_cloud
from appliance.cli.client.session import Session
from appliance.cli.client.transfer import FromCloud, send
from appliance.cli.commands import option, switch, verb
from appliance.cli.output import note, with_quiet
from appliance.errors import ApplianceError, Fatal


@verb()
@option(
    "--into",
    metavar="DIR",
    required=True,
    type=click.Path(path_type=Path),
    help="data directory of the appliance, which has to run",
)
@option(
    "--project",
    "--owner",
    "owner",
    metavar="PROJECT_ID",
    shell_complete=names("project"),
    help="project that is to own the images [the same as before]",
)
@switch("--no-metadefs", help="leave the metadata definitions where they are")
@with_quiet
@with_cloud
def migrate_from(cloud: Cloud, into: Path, owner: str | None, no_metadefs: bool) -> int:
    """Bring images, their data and members, and metadata definitions. Can be repeated."""
    source, target = cloud.session, Cloud({"data_dir": into}).session
    if source.address("image") == target.address("image"):
        raise Fatal("these are the credentials of the appliance itself: name the cloud to migrate from")
    notes = Notes()
    ImageMove(source, target, notes, owner).run()
    if not no_metadefs:
        move_definitions(source, target, notes)
    notes.tell()
    return 1 if notes.left else 0


@dataclass
class Notes:
    """Counts by what was done, and a sentence for each thing that was left behind."""

    done: dict[str, int] = field(default_factory=dict)
    left: list[str] = field(default_factory=list)

    def count(self, what: str) -> None:
        self.done[what] = self.done.get(what, 0) + 1

    def leave(self, what: str, why: object) -> None:
        """Something stays where it is; the migration goes on."""
        sentence = f"{what}: {why}"
        self.left.append(sentence)
        note(f"Could not take {sentence}")

    def tell(self) -> None:
        """The summary, on standard output."""
        for what, number in self.done.items():
            print(f"{what}: {number}")
        for sentence in self.left:
            print(f"not taken: {sentence}")
        if not self.done and not self.left:
            print("there was nothing to take")


# -- images -----------------------------------------------------------------------------------------------------------

Image = dict[str, Any]

_SET_AT_ONCE = (
    "id",
    "name",
    "disk_format",
    "container_format",
    "visibility",
    "min_disk",
    "min_ram",
    "os_hidden",
    "tags",
)
_NOT_TAKEN = frozenset(
    {
        *("self", "file", "schema", "direct_url", "locations", "stores", "status", "size", "virtual_size", "checksum"),
        *("os_hash_algo", "os_hash_value", "created_at", "updated_at", "owner", "protected"),
    }
)
_WITH_DATA = ("active", "deactivated")
_PAGE = 100
_LISTS: tuple[dict[str, Any], ...] = ({}, {"visibility": "community"}, {"os_hidden": "true"})


class ImageMove:
    """Takes images over. Whatever can't be taken is noted, and the rest goes on."""

    def __init__(self, source: Session, target: Session, notes: Notes, owner: str | None = None) -> None:
        self._source = source
        self._target = target
        self._notes = notes
        self._owner = owner
        self._place = ""

    def run(self) -> None:
        images = list(self._every())
        for number, image in enumerate(images, 1):
            self._place = f"{number}/{len(images)} "
            name = f"image {image['id']} ({image.get('name') or 'without a name'})"
            try:
                self._take(image)
            except ApplianceError as error:
                self._notes.leave(name, error)

    def _every(self) -> Iterator[Image]:
        """All images that these credentials can see: hidden and community ones too, where the service knows those."""
        seen: set[str] = set()
        for number, query in enumerate(_LISTS):
            try:
                for image in self._source.pages("image", "/v2/images", "images", [*query.items(), ("limit", _PAGE)]):
                    if image["id"] not in seen:
                        seen.add(image["id"])
                        yield image
            except Refused:
                if number == 0:
                    raise

    def _take(self, image: Image) -> None:
        if image["status"] not in (*_WITH_DATA, "queued"):
            raise Fatal(f"it is {image['status']}")
        members = self._members_there(image)
        here = self._here(image["id"])
        if here is None:
            here = self._make(image, shared=bool(members))
        elif here["status"] in _WITH_DATA and not _same_data(image, here):
            raise Fatal("there is an image with this id and other data here")
        if image["status"] in _WITH_DATA and here["status"] == "queued":
            self._fill(image)
            self._notes.count("images copied")
        else:
            self._notes.count(
                "images that were here already" if here["status"] in _WITH_DATA else "images without data"
            )
        self._share(image, members)
        self._finish(image)

    def _here(self, image_id: str) -> Image | None:
        try:
            found: Image = self._target.get("image", path(image_id))
        except Refused as error:
            if error.status == 404:
                return None
            raise
        return found

    def _make(self, image: Image, *, shared: bool) -> Image:
        document = {name: image[name] for name in _SET_AT_ONCE if image.get(name) is not None}
        document["owner"] = self._owner or image.get("owner")
        if shared:
            # Before 2017 a private image could have members.
            document["visibility"] = "shared"
        for name, value in image.items():
            if name not in _NOT_TAKEN and name not in _SET_AT_ONCE and not name.startswith("os_glance"):
                document[name] = value
        made: Image = self._target.call("POST", "image", "/v2/images", document).json()
        return made

    def _fill(self, image: Image) -> None:
        data = FromCloud(self._source, image)
        data.name = f"{self._place}{data.name}"
        send(self._target, path(image["id"], "/file"), data)
        stored: Image = self._target.get("image", path(image["id"]))
        if not _same_data(image, stored):
            raise Fatal("what is stored here is not what was sent")

    def _members_there(self, image: Image) -> list[dict[str, Any]]:
        if image.get("visibility") not in ("private", "shared"):
            return []
        try:
            found: list[dict[str, Any]] = self._source.get("image", path(image["id"], "/members"))["members"]
        except Refused as error:
            if error.status in (403, 404):
                return []
            raise
        return found

    def _share(self, image: Image, members: list[dict[str, Any]]) -> None:
        """The members, with what they answered."""
        if not members:
            return
        here = {one["member_id"]: one["status"] for one in self._members_here(image["id"])}
        for member in members:
            member_id, status = member["member_id"], member["status"]
            if member_id not in here:
                self._target.call("POST", "image", path(image["id"], "/members"), {"member": member_id})
                self._notes.count("members")
            if here.get(member_id, "pending") != status:
                self._target.call(
                    "PUT", "image", path(image["id"], f"/members/{quote(member_id, safe='')}"), {"status": status}
                )

    def _members_here(self, image_id: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self._target.get("image", path(image_id, "/members"))["members"]
        return found

    def _finish(self, image: Image) -> None:
        """Last of all what would stand in the way of the rest."""
        here: Image = self._target.get("image", path(image["id"]))
        if image.get("protected") and not here["protected"]:
            change(self._target, image["id"], [{"op": "replace", "path": patch_path("protected"), "value": True}])
        if image["status"] == "deactivated" and here["status"] == "active":
            self._target.call("POST", "image", path(image["id"], "/actions/deactivate"))


def _same_data(there: Image, here: Image) -> bool:
    """Whether two images have the same bytes, by the best digest that both have."""
    if there.get("os_hash_value") and there.get("os_hash_algo") == here.get("os_hash_algo"):
        return bool(there["os_hash_value"] == here.get("os_hash_value"))
    if there.get("checksum") and here.get("checksum"):
        return bool(there["checksum"] == here["checksum"])
    return bool(there.get("size") == here.get("size"))


# -- metadata definitions ----------------------------------------------------------------------------------------------

_NAMESPACES = "/v2/metadefs/namespaces"
_LINKS = frozenset({"self", "schema", "created_at", "updated_at"})


def move_definitions(source: Session, target: Session, notes: Notes) -> None:
    """Take over every namespace whose name is not here yet. Those that came with the service are here."""
    try:
        listed = list(source.pages("image", _NAMESPACES, "namespaces", [("limit", _PAGE)]))
    except Refused as error:
        notes.leave("the metadata definitions", error)
        return
    for one in listed:
        name = str(one["namespace"])
        try:
            _take_namespace(source, target, notes, name)
        except ApplianceError as error:
            notes.leave(f"metadata definitions {name}", error)


def _take_namespace(source: Session, target: Session, notes: Notes, name: str) -> None:
    try:
        target.get("image", f"{_NAMESPACES}/{quote(name, safe='')}")
    except Refused as error:
        if error.status != 404:
            raise
        document = _plain(source.get("image", f"{_NAMESPACES}/{quote(name, safe='')}"))
        target.call("POST", "image", _NAMESPACES, document)
        notes.count("namespaces of metadata definitions copied")
        return
    notes.count("namespaces of metadata definitions that were here already")


def _plain(value: Any) -> Any:
    """A document without the links and times of the service that it comes from."""
    if isinstance(value, dict):
        return {key: _plain(part) for key, part in value.items() if key not in _LINKS and part is not None}
    if isinstance(value, list):
        return [_plain(part) for part in value]
    return value

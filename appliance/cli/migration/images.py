"""Brings images, their data included, from one service to another."""

import hashlib
import time
from collections.abc import Iterator
from typing import Any

from appliance.cli.client.calls import Refused, Unreachable
from appliance.cli.client.download import blocks, matches, new_digest
from appliance.cli.client.images import change as patch
from appliance.cli.client.images import patch_path, path
from appliance.cli.client.session import Session
from appliance.cli.client.upload import Input, send
from appliance.cli.migration.metadefs import Notes
from appliance.errors import ApplianceError, Fatal

_TRIES = 5
_PAUSE = 0.2


class FromCloud(Input):
    """The data of an image of another cloud, as something that can be sent.

    The last block is held back until the digest of all of them is right: data that came out wrong never arrives
    whole, and the service that receives it throws it away.
    """

    def __init__(self, source: Session, image: dict[str, Any]) -> None:
        self.name = image["name"] or image["id"]
        self.size = image.get("size")
        self.digest = hashlib.sha512()
        self._image = image
        self._check = new_digest(image)
        self._blocks = _steady(source, image)
        self._held = b""
        self._started = False

    def read(self) -> bytes:
        """The next bytes; empty at the end. Raises `Fatal` if the data is not what its image says."""
        if not self._started:
            self._started = True
            self._held = self._next()
        block, self._held = self._held, self._next() if self._held else b""
        if block and not self._held and not matches(self._image, self._check):
            raise Fatal("the data that came does not match the image's digest")
        self.digest.update(block)
        return block

    def _next(self) -> bytes:
        block = next(self._blocks, b"")
        self._check.update(block)
        return block


def _steady(source: Session, image: dict[str, Any]) -> Iterator[bytes]:
    """All blocks. A connection that breaks is made anew, until several in a row have brought nothing."""
    size, done, tries = image.get("size"), 0, 0
    while size is None or done < size:
        before = done
        try:
            for block in blocks(source, image["id"], done):
                done += len(block)
                yield block
            if size is None or done >= size:
                return
            raise Unreachable(f"the server broke off after {done} of {size} bytes")
        except Unreachable:
            tries = 1 if done > before else tries + 1
            if tries >= _TRIES or size is None:
                raise
            time.sleep(_PAUSE * tries)


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

    def run(self) -> None:
        for image in self._every():
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
        send(self._target, path(image["id"], "/file"), FromCloud(self._source, image))
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
                self._target.call("PUT", "image", path(image["id"], f"/members/{member_id}"), {"status": status})

    def _members_here(self, image_id: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self._target.get("image", path(image_id, "/members"))["members"]
        return found

    def _finish(self, image: Image) -> None:
        """Last of all what would stand in the way of the rest."""
        here: Image = self._target.get("image", path(image["id"]))
        if image.get("protected") and not here["protected"]:
            patch(self._target, image["id"], [{"op": "replace", "path": patch_path("protected"), "value": True}])
        if image["status"] == "deactivated" and here["status"] == "active":
            self._target.call("POST", "image", path(image["id"], "/actions/deactivate"))


def _same_data(there: Image, here: Image) -> bool:
    """Whether two images have the same bytes, by the best digest that both have."""
    if there.get("os_hash_value") and there.get("os_hash_algo") == here.get("os_hash_algo"):
        return bool(there["os_hash_value"] == here.get("os_hash_value"))
    if there.get("checksum") and here.get("checksum"):
        return bool(there["checksum"] == here["checksum"])
    return bool(there.get("size") == here.get("size"))

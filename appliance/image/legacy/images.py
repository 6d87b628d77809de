"""What Image API v1 does with images that v2 does otherwise."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from appliance.db.engine.base import Tx
from appliance.db.image.images import ImageRecord
from appliance.db.image.legacy import OldRows, Sharing
from appliance.errors import Invalid, NotFound
from appliance.image.changes import Change
from appliance.image.context import ImageContext, ImageFinder
from appliance.image.draft import check_property
from appliance.image.legacy.listing import OldListing
from appliance.image.legacy.prefetch import Filling
from appliance.image.rules import INTERNAL, LINKS, NAME_LIMIT, READ_ONLY, RESERVED, SETTABLE
from appliance.image.service import Images
from appliance.values import Caller


class OldSharing:
    """Members of images. Who may not share is told that there is nothing, as the original does."""

    def __init__(self, context: ImageContext, finder: ImageFinder) -> None:
        self._db = context.db
        self._rows = OldRows(context.db)
        self._quota = context.settings.image_member_quota
        self._policies = context.policies
        self._clock = context.clock
        self._finder = finder

    def of_image(self, caller: Caller, image_id: str) -> list[Sharing]:
        """All members for the owner and admins; a member sees only itself."""
        image = self._finder.permitted(caller, image_id, "get_image")
        whole = caller.is_admin or caller.project_id == image.owner
        return [one for one in self._rows.of_image(image.id) if whole or one.member_id == caller.project_id]

    def of_member(self, caller: Caller, member_id: str) -> list[Sharing]:
        """The images shared with a project, as far as the caller may know of them."""
        return self._rows.of_member(member_id, caller.project_id, every=caller.is_admin)

    def share(self, caller: Caller, image_id: str, member_id: str, can_share: bool | None) -> None:
        image = self._sharable(caller, image_id)
        _check(member_id)
        self._db.transact(lambda tx: self._rows.share(tx, image.id, member_id, can_share, self._clock(), self._quota))

    def replace(self, caller: Caller, image_id: str, members: Mapping[str, bool | None]) -> None:
        """Make these the members, and nobody else. Those that stay keep what they answered."""
        image = self._sharable(caller, image_id)
        for member_id in members:
            _check(member_id)

        def change(tx: Tx) -> None:
            for one in self._rows.of_image(image.id):
                if one.member_id not in members:
                    self._rows.unshare(tx, image.id, one.member_id)
            for member, can_share in members.items():
                self._rows.share(tx, image.id, member, can_share, self._clock(), self._quota)

        self._db.transact(change)

    def unshare(self, caller: Caller, image_id: str, member_id: str) -> None:
        image = self._sharable(caller, image_id)
        removed = self._db.transact(lambda tx: self._rows.unshare(tx, image.id, member_id))
        if not removed:
            raise NotFound("Membership could not be found.")

    def _sharable(self, caller: Caller, image_id: str) -> ImageRecord:
        """The image, if the caller may share it. Raises `NotFound`."""
        image = self._finder.look_up(caller, image_id)
        if image.visibility in ("shared", "public"):
            if self._policies.allows(caller, "add_member", image):
                return image
            mine = next((one for one in self._rows.of_image(image.id) if one.member_id == caller.project_id), None)
            if mine is not None and mine.can_share and caller.has_role("member"):
                return image
        raise NotFound("No permission to share that image")


def _check(member_id: str) -> None:
    if not member_id or len(member_id) > 255:
        raise Invalid("A member's id has between 1 and 255 characters.")


_AMAZON = frozenset({"ami", "aki", "ari"})
_FORMATS = ("disk_format", "container_format")
_NO_PROPERTY = SETTABLE | READ_ONLY | RESERVED | LINKS | {"tags", "locations"}


@dataclass(slots=True)
class Wanted:
    """What a client says of an image. `fields` has only what it said; `is_public` stands for the visibility."""

    fields: dict[str, Any] = field(default_factory=dict)
    properties: dict[str, str | None] = field(default_factory=dict)
    is_public: bool | None = None


class LegacyImages:
    """The entry point to images for Image API v1; `filling`, `sharing` and `listing` are parts of it."""

    def __init__(self, images: Images) -> None:
        self.images = images
        self.filling = Filling(images)
        self.sharing = OldSharing(images.context, images.finder)
        self.listing = OldListing(images.context, images.finder, images.protections)
        self._settings = images.context.settings

    def create(self, caller: Caller, wanted: Wanted) -> ImageRecord:
        """A new image in state `queued`."""
        fields = self.checked(caller, wanted)
        _check_properties(wanted.properties)
        fields["visibility"] = "public" if wanted.is_public else "shared"
        return self.images.create(caller, {**wanted.properties, **fields})

    def checked(self, caller: Caller, wanted: Wanted) -> dict[str, Any]:
        """The fields, if they make sense: an owner only from admins, one of Amazon's formats for both."""
        fields = dict(wanted.fields)
        if not caller.is_admin:
            fields.pop("owner", None)
        _complete(fields)
        known = {"disk_format": self._settings.disk_formats, "container_format": self._settings.container_formats}
        for name, formats in known.items():
            if name in fields and fields[name] not in formats:
                raise Invalid(f"Invalid {name.replace('_', ' ')} '{fields[name]}' for image.")
        if len(fields.get("name") or "") > NAME_LIMIT:
            raise Invalid(f"Image name too long: {len(fields['name'])}")
        if len(fields.get("owner") or "") > NAME_LIMIT:
            raise Invalid(f"The owner has at most {NAME_LIMIT} characters.")
        return fields

    def update(self, caller: Caller, image: ImageRecord, wanted: Wanted, *, purge: bool) -> ImageRecord:
        """Change an image; with `purge`, properties that are not said again go."""
        fields = self.checked(caller, wanted)
        _check_properties(wanted.properties)
        formats = {name: fields.pop(name) for name in _FORMATS if name in fields}
        changes = [Change("replace", (name,), value) for name, value in fields.items() if name != "id"]
        if wanted.is_public and image.visibility != "public":
            changes.append(Change("replace", ("visibility",), "public"))
        elif wanted.is_public is False and image.visibility == "public":
            changes.append(Change("replace", ("visibility",), "shared"))
        if purge:
            gone = image.properties.keys() - wanted.properties.keys()
            changes += [Change("remove", (name,)) for name in sorted(gone) if not name.startswith(INTERNAL)]
        # What is said again as it is, is no change: whoever may only read a protected property may send it back.
        changes += [
            Change("add", (name,), value)
            for name, value in wanted.properties.items()
            if name not in image.properties or image.properties[name] != value
        ]
        # A change that changes nothing: whoever may not modify the image is refused all the same.
        changes.append(Change("replace", ("min_ram",), fields.get("min_ram", image.min_ram)))
        updated = self.images.update(caller, image.id, changes)
        if formats:
            self.filling.relabel(self.images.finder.look_up(caller, image.id), formats)
        return self.images.finder.look_up(caller, updated.id)


def _complete(fields: dict[str, Any]) -> None:
    """Of Amazon's formats both are the same; the one that is missing is the one that is there."""
    disk, container = (fields.get(name) for name in _FORMATS)
    if not {disk, container} & _AMAZON:
        return
    if disk is None:
        fields["disk_format"] = container
    elif container is None:
        fields["container_format"] = disk
    elif disk != container:
        raise Invalid("Invalid mix of disk and container formats: those of ami, aki and ari must be the same.")


def _check_properties(properties: Mapping[str, Any]) -> None:
    """Refuse names that mean something else by now."""
    for name, value in properties.items():
        if name in _NO_PROPERTY or name.startswith(INTERNAL):
            raise Invalid(f"Property '{name}' is reserved.")
        check_property(name, value)

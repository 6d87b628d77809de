"""Images as Image API v1 makes and changes them: the same images, with that API's own rules on top."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from appliance.db.database import Database
from appliance.db.images import ImageRecord
from appliance.errors import Invalid
from appliance.image.changes import Change
from appliance.image.draft import check_property
from appliance.image.model import INTERNAL, LINKS, NAME_LIMIT, READ_ONLY, RESERVED, SETTABLE
from appliance.image.old_api.filling import Filling
from appliance.image.old_api.listing import OldListing
from appliance.image.old_api.sharing import OldSharing
from appliance.image.service import Images
from appliance.settings import Settings
from appliance.values import Caller, Clock

_AMAZON = frozenset({"ami", "aki", "ari"})
_FORMATS = ("disk_format", "container_format")
_NO_PROPERTY = SETTABLE | READ_ONLY | RESERVED | LINKS | {"tags", "locations"}


@dataclass(slots=True)
class Wanted:
    """What a client says of an image. `fields` has only what it said; `is_public` stands for the visibility."""

    fields: dict[str, Any] = field(default_factory=dict)
    properties: dict[str, str | None] = field(default_factory=dict)
    is_public: bool | None = None


class OldImages:
    """The entry point to images for Image API v1; `filling`, `sharing` and `listing` are parts of it."""

    def __init__(self, db: Database, images: Images, settings: Settings, clock: Clock) -> None:
        self.images = images
        self.filling = Filling(db, images, settings, clock)
        self.sharing = OldSharing(db, settings, clock, images.look_up)
        self.listing = OldListing(db, settings, images.marker, images.protections)
        self._settings = settings

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
            self.filling.relabel(self.images.look_up(caller, image.id), formats)
        return self.images.look_up(caller, updated.id)


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

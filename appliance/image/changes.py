"""A client's changes to an image: applied to the record in memory, in order, all or nothing."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from appliance.db.image.images import ImageRecord, LocationRecord
from appliance.errors import Conflict, Forbidden
from appliance.image.context import ImageContext
from appliance.image.draft import (
    check_characters,
    check_property,
    check_property_quota,
    check_tag_quota,
    check_value,
    unique_tags,
)
from appliance.image.locations.changes import LocationChanges
from appliance.image.policies import ImagePolicies
from appliance.image.protections import Protections
from appliance.image.rules import FORMAT_CHANGES, INTERNAL, READ_ONLY, RESERVED, SETTABLE
from appliance.values import Caller


@dataclass(frozen=True, slots=True)
class Change:
    """One operation: `op` is add, replace or remove; `path` the parts of its pointer."""

    op: str
    path: tuple[str, ...]
    value: Any = None
    add_must_be_new: bool = False
    """The older media type's rule: adding what exists is a conflict."""

    @property
    def root(self) -> str:
        return self.path[0]


@dataclass(slots=True)
class Difference:
    """What applying changes did to a record, as the rows have to be changed."""

    columns: dict[str, Any] = field(default_factory=dict)
    set_properties: dict[str, str | None] = field(default_factory=dict)
    removed_properties: set[str] = field(default_factory=set)
    added_tags: list[str] = field(default_factory=list)
    removed_tags: list[str] = field(default_factory=list)
    added_locations: list[LocationRecord] = field(default_factory=list)
    changed_locations: list[LocationRecord] = field(default_factory=list)
    removed_locations: list[LocationRecord] = field(default_factory=list)

    @property
    def writes_more(self) -> bool:
        """Whether there may be more to store than before."""
        more = (self.set_properties, self.added_tags, self.added_locations, self.changed_locations)
        return any(more)


def check_path(change: Change) -> None:
    """Refuse what no client may touch, whoever it is."""
    if change.root in READ_ONLY:
        raise Forbidden(f"Attribute '{change.root}' is read-only.")
    if change.root in RESERVED or change.root.startswith(INTERNAL):
        raise Forbidden(f"Attribute '{change.root}' is reserved.")


# What adding a location sets besides.
_FACTS = ("status", "size", "checksum", "os_hash_algo", "os_hash_value")


def apply(
    caller: Caller,
    image: ImageRecord,
    changes: Sequence[Change],
    context: ImageContext,
    locations: LocationChanges,
    protections: Protections,
) -> Difference:
    """Apply `changes` to `image` and say what is different. On an error the record is of no use any more."""
    columns = {name: getattr(image, name) for name in (*SETTABLE, *_FACTS)}
    before = _Before(dict(image.properties), list(image.tags), columns, list(image.locations))
    hidden = protections.hide(caller, image)
    before.properties = dict(image.properties)
    for change in changes:
        check_path(change)
        _check_protection(caller, image, change, protections, hidden)
        if change.root == "locations":
            _relocate(caller, image, change, locations)
        elif change.op == "remove":
            _remove(caller, image, change, context.policies)
        else:
            _set(caller, image, change, context)
    if image.properties.keys() - before.properties.keys():
        check_property_quota(image.properties, context.settings)
    return before.difference(image)


@dataclass(slots=True)
class _Before:
    properties: dict[str, str | None]
    tags: list[str]
    columns: dict[str, Any]
    locations: list[LocationRecord]

    def difference(self, image: ImageRecord) -> Difference:
        found = Difference()
        found.columns = {
            name: getattr(image, name) for name, value in self.columns.items() if getattr(image, name) != value
        }
        missing = object()
        found.set_properties = {
            name: value for name, value in image.properties.items() if self.properties.get(name, missing) != value
        }
        found.removed_properties = self.properties.keys() - image.properties.keys()
        found.added_tags = [tag for tag in image.tags if tag not in self.tags]
        found.removed_tags = [tag for tag in self.tags if tag not in image.tags]
        if image.locations != self.locations:
            former = {place.id: place for place in self.locations}
            found.added_locations = [place for place in image.locations if place.id is None]
            found.changed_locations = [place for place in image.locations if former.pop(place.id, place) != place]
            found.removed_locations = list(former.values())
        return found


def _check_protection(
    caller: Caller, image: ImageRecord, change: Change, protections: Protections, hidden: frozenset[str]
) -> None:
    name = change.root
    if name in SETTABLE or name in ("tags", "locations"):
        return
    if name in image.properties:
        protections.check(caller, "delete" if change.op == "remove" else "update", name)
    elif change.op == "add":
        protections.check(caller, "create", name)
        if name in hidden:
            protections.check(caller, "update", name)


def _relocate(caller: Caller, image: ImageRecord, change: Change, locations: LocationChanges) -> None:
    if change.op == "add":
        locations.add(caller, image, change.path[1], change.value)
    elif change.op == "remove":
        locations.remove(caller, image, change.path[1])
    else:
        locations.replace(caller, image, change.value)


def _set(caller: Caller, image: ImageRecord, change: Change, context: ImageContext) -> None:
    name, value = change.root, change.value
    if name == "owner" and change.op == "replace" and not caller.is_admin:
        raise Forbidden("Owner can't be updated by non admin.")
    if name == "visibility":
        context.policies.enforce_visibility(caller, image, value)
    context.policies.enforce(caller, "modify_image", image)
    exists = name in SETTABLE or name == "tags" or name in image.properties
    if change.op == "replace" and not exists:
        raise Conflict(f"Property {name} does not exist.")
    if change.add_must_be_new and exists and change.op == "add":
        raise Conflict(f"Property {name} already present.")
    if name == "tags":
        # A tag that an earlier version stored may stay.
        check_characters(*(tag for tag in value if tag not in image.tags))
        image.tags = unique_tags(value)
        check_tag_quota(image.tags, context.settings)
    elif name in SETTABLE:
        _set_base(caller, image, name, value)
    else:
        check_property(name, value)
        image.properties[name] = value


def _set_base(caller: Caller, image: ImageRecord, name: str, value: Any) -> None:
    if name == "owner" and not caller.is_admin:
        raise Forbidden("Owner can't be updated by non admin.")
    if name in ("disk_format", "container_format") and image.status not in FORMAT_CHANGES:
        raise Forbidden(f"Attribute {name} can be only replaced for a queued image.")
    check_value(name, value)
    setattr(image, name, value)


def _remove(caller: Caller, image: ImageRecord, change: Change, policies: ImagePolicies) -> None:
    policies.enforce(caller, "modify_image", image)
    name = change.root
    if name in SETTABLE or name == "tags":
        raise Forbidden(f"Property {name} may not be removed.")
    if name not in image.properties:
        raise Conflict(f"Property {name} does not exist.")
    del image.properties[name]

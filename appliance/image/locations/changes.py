"""Locations as a client changes them with PATCH: an old way, behind the setting that also shows them."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from appliance.db.image.images import ImageRecord, LocationRecord
from appliance.errors import Conflict, Forbidden, Invalid, LimitExceeded
from appliance.image.context import ImageContext
from appliance.image.draft import check_text
from appliance.image.web.content import Web
from appliance.values import Caller

OWN_SCHEME = "appliance"
_INVISIBLE = "It's not allowed to {} locations if locations are invisible."
_MD5_BYTES = 16


def url_of(image_id: str, place: LocationRecord) -> str:
    """A location's address. What is in our own store has one that says which store and which image."""
    return place.url if place.url is not None else f"{OWN_SCHEME}://{place.store}/{image_id}"


def shown_metadata(place: LocationRecord) -> dict[str, Any]:
    """A location's metadata as clients see them: the store is one of them."""
    return place.metadata if place.store is None else {**place.metadata, "store": place.store}


class LocationChanges:
    """Applies one operation on `/locations` to a record in memory. Nothing but http and https gets in."""

    def __init__(self, context: ImageContext, web: Web) -> None:
        self._stores = context.stores
        self._settings = context.settings
        self._policies = context.policies
        self._web = web

    def add(self, caller: Caller, image: ImageRecord, position: str, value: Mapping[str, Any]) -> None:
        """Add a location; a queued image becomes active."""
        self._policies.enforce(caller, "set_image_location", image)
        self._check_shown("add")
        _check_status(image, ("active", "queued"), "add")
        digests = self._new_digests(image, [value])
        index = _position(position, len(image.locations), adding=True)
        if image.status == "queued":
            # What a failed verification has left does not count.
            image.locations = []
        self._insert(image, index, value)
        self._fill(image, digests)

    def replace(self, caller: Caller, image: ImageRecord, values: Sequence[Mapping[str, Any]]) -> None:
        """Give an image without locations its first ones, or the locations that there are other metadata."""
        if not values:
            raise Forbidden("Cannot set locations to empty list.")
        self._policies.enforce(caller, "set_image_location", image)
        self._check_shown("update")
        _check_status(image, ("active", "queued"), "replace")
        digests = self._new_digests(image, values)
        if image.locations and image.status == "active":
            self._replace_metadata(image, values)
            return
        image.locations = []
        for value in values:
            self._insert(image, len(image.locations), value)
        self._fill(image, digests)

    def remove(self, caller: Caller, image: ImageRecord, position: str) -> None:
        """Remove one of several locations."""
        self._policies.enforce(caller, "delete_image_location", image)
        self._check_shown("remove")
        _check_status(image, ("active",), "remove")
        if len(image.locations) == 1:
            raise Forbidden("Cannot remove last location in the image.")
        del image.locations[_position(position, len(image.locations), adding=False)]

    # -- the parts ---------------------------------------------------------------------------------------------------

    def _check_shown(self, doing: str) -> None:
        if not self._settings.show_multiple_locations:
            raise Forbidden(_INVISIBLE.format(doing))

    def _insert(self, image: ImageRecord, index: int, value: Mapping[str, Any]) -> None:
        url, metadata = value["url"], _metadata(value)
        if not self._stores.takes_urls:
            raise Invalid("Invalid location")
        if any(url_of(image.id, place) == url and place.metadata == metadata for place in image.locations):
            raise Invalid(f"The location {url} already exists")
        quota = self._settings.image_location_quota
        if 0 <= quota < len(image.locations) + 1:
            raise LimitExceeded(
                f"The limit has been exceeded on the number of allowed image locations. "
                f"Attempted: {len(image.locations) + 1}, Maximum: {quota}"
            )
        # Of another size than the image's data it may be: reading it will fail then, and the next one is tried.
        size = self._web.size_for_request(url)
        if image.size is None:
            image.size = size
        image.locations.insert(index, LocationRecord(self._stores.for_urls, url=url, metadata=metadata))

    def _replace_metadata(self, image: ImageRecord, values: Sequence[Mapping[str, Any]]) -> None:
        left = list(image.locations)
        kept = []
        for value in values:
            same = [place for place in left if url_of(image.id, place) == value["url"]]
            if not same:
                break
            # Two locations may have one URL; their metadata tell them apart.
            place = next((place for place in same if place.metadata == _metadata(value)), same[0])
            left.remove(place)
            kept.append(
                LocationRecord(place.store, place.content_id, place.url, _metadata(value), place.id),
            )
        if left or len(kept) != len(values):
            raise Invalid("Original locations is not empty: other ones can't replace them.")
        image.locations = kept

    def _fill(self, image: ImageRecord, digests: Mapping[str, str]) -> None:
        if image.status == "queued":
            for name, digest in digests.items():
                setattr(image, name, digest)
            image.status = "active"

    def _new_digests(self, image: ImageRecord, values: Sequence[Mapping[str, Any]]) -> dict[str, str]:
        """What the client says of the data, as far as the image does not have it already. Raises `Conflict`."""
        told: dict[str, str] = {}
        for value in values:
            for name, digest in value.get("validation_data", {}).items():
                if told.setdefault(name, digest) != digest:
                    raise Conflict(f"Conflicting values for {name}")
        new = {}
        for name, digest in told.items():
            current = getattr(image, name)
            if current and current != digest:
                raise Conflict(f"{name} is already set with a different value")
            if not current:
                new[name] = digest
        if not new:
            return {}
        if image.status != "queued":
            raise Conflict(f"New value(s) for {', '.join(new)} may only be provided when image status is 'queued'")
        self._check_digests(new)
        return new

    def _check_digests(self, new: Mapping[str, str]) -> None:
        wanted = self._settings.hashing_algorithm
        if new.get("os_hash_algo") != wanted:
            raise Conflict(f"os_hash_algo must be {wanted}, not {new.get('os_hash_algo')}")
        lengths = {"checksum": _MD5_BYTES, "os_hash_value": hashlib.new(wanted, usedforsecurity=False).digest_size}
        for name, length in lengths.items():
            if name in new and not is_hexadecimal(new[name], length):
                raise Conflict(f"{name} ({new[name]}) is not a hexadecimal value of {length} bytes")


def is_hexadecimal(text: str, length: int) -> bool:
    """Whether the text stands for so many bytes."""
    try:
        return len(bytes.fromhex(text)) == length
    except ValueError:
        return False


def _check_status(image: ImageRecord, states: tuple[str, ...], doing: str) -> None:
    if image.status not in states:
        raise Conflict(f"It's not allowed to {doing} locations if image status is {image.status}.")


def _position(text: str, count: int, *, adding: bool) -> int:
    if text == "-":
        return count if adding else count - 1
    if text.isascii() and text.isdigit() and len(text) < 10 and (adding or int(text) < count):
        return int(text)
    raise Invalid(f"Invalid position for {'adding' if adding else 'removing'} a location.")


def _metadata(value: Mapping[str, Any]) -> dict[str, Any]:
    """The metadata without the store, which is for us to say."""
    metadata = {name: part for name, part in value["metadata"].items() if name != "store"}
    for name, part in metadata.items():
        if not isinstance(part, str | list | dict):
            raise Invalid(f"The metadata key {name} of a location has to be a string, a list or an object.")
    check_text("The metadata of a location", json.dumps(metadata))
    return metadata

"""An image in headers: what `x-image-meta-…` may say, read from requests and written into answers."""

import re
from typing import Any

from appliance.api.exchange import Request
from appliance.errors import Invalid
from appliance.image.old_api.service import Wanted
from appliance.values import Caller, whole_number

_PREFIX = "HTTP_X_IMAGE_META_"
_PROPERTY = "property_"
_KNOWN = frozenset(
    {
        "location",
        "size",
        "is_public",
        "disk_format",
        "container_format",
        "name",
        "status",
        "copy_from",
        "uri",
        "checksum",
        "created_at",
        "updated_at",
        "deleted_at",
        "min_ram",
        "min_disk",
        "owner",
        "store",
        "id",
        "protected",
        "deleted",
        "virtual_size",
    }
)
_NUMBERS = ("size", "min_ram", "min_disk")
_SWITCHES = ("is_public", "protected", "deleted")
_TEXTS = ("name", "disk_format", "container_format", "owner", "id")
_TRUE = frozenset({"1", "t", "true", "on", "y", "yes"})
_LARGEST = 2**63 - 1
# A property that another API named so that it can't be in a header is left out of them.
_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")


class Headers:
    """What a request's headers say of an image. Raises `Invalid` for what they can't say."""

    def __init__(self, request: Request[Caller]) -> None:
        self.values: dict[str, Any] = {}
        self.properties: dict[str, str | None] = {}
        for key in request.environ:
            if key.startswith(_PREFIX):
                self._take(key.removeprefix(_PREFIX).lower(), request.header(key.removeprefix("HTTP_")) or "")
        checksum = self.values.get("checksum")
        if checksum and len(checksum) > 32:
            raise Invalid(f"Invalid checksum '{checksum}': can't exceed 32 characters")

    def _take(self, name: str, value: str) -> None:
        if name.startswith(_PROPERTY):
            self.properties[name.removeprefix(_PROPERTY)] = value or None
        elif name not in _KNOWN:
            raise Invalid(f"Bad header: x-image-meta-{name}")
        elif name in _NUMBERS:
            self.values[name] = _number(name, value)
        elif name in _SWITCHES:
            self.values[name] = value.strip().lower() in _TRUE
        else:
            self.values[name] = value or None

    @property
    def size(self) -> int | None:
        size: int | None = self.values.get("size")
        return size

    @property
    def checksum(self) -> str | None:
        checksum: str | None = self.values.get("checksum")
        return checksum.lower() if checksum else None

    def text(self, name: str) -> str | None:
        value = self.values.get(name)
        return str(value) if value is not None else None

    def wanted(self) -> Wanted:
        """What is to become of the image."""
        fields = {name: self.values[name] for name in _TEXTS if self.values.get(name) is not None}
        for name in ("min_ram", "min_disk", "protected"):
            if name in self.values:
                fields[name] = self.values[name]
        return Wanted(fields, self.properties, self.values.get("is_public"))


def _number(name: str, text: str) -> int:
    digits = text.strip()
    number = whole_number(digits)
    if number is None or number > _LARGEST:
        shown = f"{digits[:20]}…" if len(digits) > 20 else digits
        raise Invalid(f"Cannot convert image {name} '{shown}' to an integer that is not negative.")
    return number


def is_true(text: str) -> bool:
    """A switch as headers have it."""
    return text.strip().lower() in _TRUE


def _spelt(name: str) -> str:
    """`X-Image-Meta-Is_public`, as the original's server capitalized: clients of the time compare by case."""
    return "-".join(part.capitalize() for part in name.split("-"))


def of_row(row: dict[str, Any]) -> list[tuple[str, str]]:
    """The headers that show a row."""
    shown = [
        (_spelt(f"x-image-meta-{name}"), str(value))
        for name, value in row.items()
        if name != "properties" and value is not None
    ]
    shown += [
        (_spelt(f"x-image-meta-property-{name}"), value)
        for name, value in row["properties"].items()
        if value is not None and _TOKEN.fullmatch(name)
    ]
    if row["checksum"]:
        shown.append(("ETag", row["checksum"]))
    return shown

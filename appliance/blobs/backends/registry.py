"""The kinds of backends, by the names that the settings give them. One that is not configured is not loaded."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

from appliance import drivers
from appliance.blobs.backends.base import Backend
from appliance.blobs.durable import Disk

KINDS = {"file": "local", "s3": "s3", "swift": "swift", "rados": "rados"}
"""Each kind's module in this package, which has `connect(Location) -> Backend`."""


@dataclass(frozen=True, slots=True)
class Location:
    """What the settings say of where a store is."""

    store: str
    kind: str
    place: str
    """What the kind makes of it: a bucket and a prefix, say. A directory of blocks has none: see `directory`."""
    directory: Path
    """The store's own local directory: its blocks if it is of the kind file, else what it stages and caches."""
    options: Mapping[str, str] = field(default_factory=dict, repr=False)


def connect(location: Location, disk: Disk | None = None) -> Backend:
    """The backend of that place. Reaches for nothing yet.

    Raises `WrongUsage` for options that can't be meant, `Fatal` if the kind's driver is not installed.
    """
    module = drivers.load(f"appliance.blobs.backends.{KINDS[location.kind]}", f"The store {location.store}")
    return cast(Backend, module.connect(location, disk or Disk()))

"""The stores' figures as they are now and as they were each hour: what the whole appliance holds and saves."""

from collections.abc import Sequence
from dataclasses import dataclass

from appliance.blobs.store import BlobStore
from appliance.db.activity import Figures, HourRecord
from appliance.values import Clock, Micros

_HOUR = 3600 * 1_000_000
_KEPT = 400 * 24 * _HOUR


@dataclass(frozen=True, slots=True)
class Held:
    """What all stores hold together, in bytes but for the counts."""

    images: int = 0
    logical: int = 0
    unique: int = 0
    stored: int = 0
    on_disk: int = 0
    zeros: int = 0
    shared: int = 0
    compressed: int = 0
    damaged_blocks: int = 0


class History:
    """Counts, and keeps what it has counted."""

    def __init__(self, figures: Figures, stores: Sequence[BlobStore], clock: Clock) -> None:
        self.figures = figures
        self._stores = stores
        self._clock = clock

    def held(self) -> Held:
        """What the stores hold now."""
        totals = [store.index.maintenance.totals() for store in self._stores]
        return Held(
            images=sum(self.figures.images_by_status().values()),
            logical=sum(one.logical for one in totals),
            unique=sum(one.unique for one in totals),
            stored=sum(one.stored for one in totals),
            on_disk=sum(one.file for one in totals),
            zeros=sum(one.holes for one in totals),
            shared=sum(one.saved_by_dedup for one in totals),
            compressed=sum(one.saved_by_lz4 for one in totals),
            damaged_blocks=sum(one.damaged_blocks for one in totals),
        )

    def keep(self) -> None:
        """Write the figures of the hour that runs, over what they were earlier in it."""
        held, at = self.held(), self._clock()
        hour = HourRecord(at // _HOUR * _HOUR, held.images, held.logical, held.unique, held.stored, held.on_disk)
        self.figures.keep_hour(hour, at - _KEPT)

    def hours(self, since: Micros) -> list[HourRecord]:
        return self.figures.hours(since)

"""Images of a feed as they are to be here: made, changed and removed, all of what is given in one transaction.

What somebody changed here is not lost: an attribute that is no longer as it came stays as it is, and the image's note
says so; and an image that was changed here is not removed because it went there.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from appliance.db.engine.base import Tx
from appliance.db.fleet import FeedRecord, FleetImage
from appliance.db.image.images import ImageRecord, LocationRecord
from appliance.errors import Conflict
from appliance.fleet.context import FleetContext
from appliance.fleet.feed_log import Entry, Position
from appliance.fleet.manifest import FACTS, Manifest, check_limits, record_of, same_data
from appliance.fleet.publishing import row_of
from appliance.fleet.receiving import Assembled

HERE, KEPT, REMOVED, DELETED_HERE, OTHER = "here", "kept", "removed", "deleted here", "another image"
_ATTEMPTS = 20
_MISSING = object()


@dataclass(slots=True)
class Report:
    """What was done, by the ids of images; and a sentence for whatever is not as the feed says."""

    created: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Merged:
    """What has to be written for an image to follow its feed, and which names stay as they are here."""

    columns: dict[str, Any] = field(default_factory=dict)
    set_properties: dict[str, str | None] = field(default_factory=dict)
    removed_properties: list[str] = field(default_factory=list)
    added_tags: list[str] = field(default_factory=list)
    removed_tags: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)

    @property
    def writes(self) -> bool:
        return any((self.columns, self.set_properties, self.removed_properties, self.added_tags, self.removed_tags))


def merge(image: ImageRecord, before: Manifest | None, after: Manifest) -> Merged:
    """Bring an image from one manifest to the next; `before` is what was applied last, None if nothing was."""
    merged = Merged()
    for name in FACTS:
        mine, wanted = getattr(image, name), after[name]
        if mine != wanted and before is not None and mine == before[name]:
            merged.columns[name] = wanted
        elif mine != wanted:
            merged.kept.append(name)
    _merge_properties(merged, image.properties, before["properties"] if before else {}, after["properties"])
    tags, known, wanted_tags = set(image.tags), set(before["tags"] if before else ()), set(after["tags"])
    merged.added_tags = sorted(wanted_tags - tags - known)
    merged.removed_tags = sorted(tags & known - wanted_tags)
    if (wanted_tags & known) - tags:
        merged.kept.append("tags")
    return merged


def _merge_properties(
    merged: Merged, mine: Mapping[str, Any], known: Mapping[str, Any], wanted: Mapping[str, Any]
) -> None:
    for name in sorted(wanted.keys() | known.keys()):
        now, then, new = (values.get(name, _MISSING) for values in (mine, known, wanted))
        if now == new:
            continue
        if now != then:
            merged.kept.append(f"property {name}")
        elif new is _MISSING:
            merged.removed_properties.append(name)
        else:
            merged.set_properties[name] = wanted[name]


class Applier:
    """Applies entries of one feed."""

    def __init__(self, context: FleetContext, feed: FeedRecord) -> None:
        self._context = context
        self._feed = feed
        self._rows = context.images.context.rows

    def needs_data(self, manifest: Manifest) -> bool:
        """Whether the image's data has to come: it is not here, and will be."""
        image = self._image(manifest["id"])
        if image is not None:
            return False
        known = self._context.rows.image(self._feed.name, manifest["id"])
        return not self._rows.was_deleted(manifest["id"]) or (known is not None and known.state == REMOVED)

    def apply(
        self,
        entries: Sequence[Entry],
        data: Mapping[str, Assembled],
        reached: Position | None = None,
        log: Sequence[Entry] = (),
        *,
        make_feed: bool = False,
    ) -> Report:
        """Apply entries, at most one for each image; with `reached`, the feed is done up to there.

        `data` has what was put together for images that are not here. The `log` becomes longer, and the feed is made,
        in the same transaction. Raises `Conflict` if it can't be done now.
        """

        def change(tx: Tx) -> Report:
            if make_feed:
                self._context.rows.add_feed(tx, self._feed)
            if log:
                added = [row_of(entry) for entry in log]
                self._context.rows.append(tx, self._feed.name, self._feed.sequence, added, log[-1].position.head)
            return self._apply(tx, entries, data, reached)

        report = self._attempted(change)
        for image_id in report.removed:
            self._context.images.cache.forget(image_id)
        return report

    def _attempted(self, change: Callable[[Tx], Report]) -> Report:
        for _ in range(_ATTEMPTS - 1):
            try:
                return self._context.db.transact(change)
            except _ChangedMeanwhile:
                continue
        return self._context.db.transact(change)

    def _apply(
        self, tx: Tx, entries: Sequence[Entry], data: Mapping[str, Assembled], reached: Position | None
    ) -> Report:
        report = Report()
        states = [self._one(tx, entry, data.get(entry.image_id), report) for entry in entries]
        self._context.rows.put_images(tx, self._feed.name, states)
        if reached is not None:
            values = {"applied": reached.sequence, "applied_at": self._context.clock(), "trouble": ""}
            self._context.rows.change_feed(tx, self._feed.name, values)
            used = {(one.store.id, one.content_id) for one in data.values()}
            for place in self._context.rows.arrivals(self._feed.name):
                if place not in used:
                    self._context.let_go(tx, *place)
        return report

    def _one(self, tx: Tx, entry: Entry, data: Assembled | None, report: Report) -> FleetImage:
        known = self._context.rows.image(self._feed.name, entry.image_id)
        image = self._image(entry.image_id)
        if entry.put is None:
            state, note = self._removed(tx, image, known, entry.image_id, report)
            facts: Mapping[str, Any] = known.facts if known else {}
        else:
            manifest = self._local(entry.put)
            state, note = self._put(tx, image, known, manifest, data, report)
            facts = manifest if state == HERE else known.facts if known else {}
        if note:
            report.notes.append(f"image {entry.image_id}: {note}")
        return FleetImage(entry.image_id, entry.sequence, 0, state, note, facts)

    def _local(self, manifest: Manifest) -> Manifest:
        """The manifest with the project that owns the feed's images here."""
        return {**manifest, "owner": self._feed.project or manifest["owner"]}

    def _image(self, image_id: str) -> ImageRecord | None:
        return self._rows.get(image_id) or self._rows.pending_delete(image_id)

    # -- an image that is in the feed ----------------------------------------------------------------------------------

    def _put(
        self,
        tx: Tx,
        image: ImageRecord | None,
        known: FleetImage | None,
        manifest: Manifest,
        data: Assembled | None,
        report: Report,
    ) -> tuple[str, str]:
        came_back = known is not None and known.state == REMOVED
        if image is None:
            if self._rows.was_deleted(manifest["id"]) and not came_back:
                return DELETED_HERE, "it was deleted here, and stays so"
            if data is None:
                raise Conflict(f"the data of image {manifest['id']} is not here; try again")
            self._insert(tx, manifest, data)
            report.created.append(manifest["id"])
            return HERE, ""
        if not same_data(image, manifest):
            return OTHER, "another image has its id here; delete that one first"
        if image.status == "pending_delete" and not came_back:
            return DELETED_HERE, "it was deleted here, and stays so"
        before = None if known is None or not known.facts else dict(known.facts)
        if came_back and before is not None and image.status == "pending_delete":
            before["status"] = "pending_delete"
        merged = merge(image, before, manifest)
        if merged.writes:
            check_limits(manifest, self._context.images.context.settings)
            self._write(tx, image, merged)
            report.changed.append(image.id)
        return HERE, f"changed here: {', '.join(merged.kept)}" if merged.kept else ""

    def _insert(self, tx: Tx, manifest: Manifest, data: Assembled) -> None:
        image = record_of(manifest, manifest["owner"], self._context.clock())
        image.virtual_size = data.virtual_size
        self._rows.forget_deleted(tx, image.id)
        self._rows.insert(tx, image)
        self._rows.add_location(tx, image.id, LocationRecord(data.store.id, data.content_id))
        self._context.rows.remove_arrival(tx, data.store.id, data.content_id)

    def _write(self, tx: Tx, image: ImageRecord, merged: Merged) -> None:
        values = {name: int(value) if isinstance(value, bool) else value for name, value in merged.columns.items()}
        values["updated_at"] = self._context.clock()
        if not self._rows.change(tx, image.id, (image.status,), values, revision=image.revision):
            raise _ChangedMeanwhile(f"Image {image.id} is being changed all the time; try again.")
        self._rows.put_properties(tx, image.id, merged.set_properties)
        self._rows.remove_properties(tx, image.id, merged.removed_properties)
        self._rows.add_tags(tx, image.id, merged.added_tags)
        self._rows.remove_tags(tx, image.id, merged.removed_tags)

    # -- an image that is in it no more --------------------------------------------------------------------------------

    def _removed(
        self, tx: Tx, image: ImageRecord | None, known: FleetImage | None, image_id: str, report: Report
    ) -> tuple[str, str]:
        if image is None or known is None or known.state != HERE:
            return (known.state if known and known.state != HERE else REMOVED), ""
        if self._feed.policy == "keep":
            return KEPT, "it is in the feed no more, and kept"
        others = [feed for feed in self._context.rows.feeds_with(image_id) if feed != self._feed.name]
        if others:
            return REMOVED, ""
        changed = merge(image, dict(known.facts), dict(known.facts)).kept
        if changed:
            return KEPT, f"it is in the feed no more, and kept for what was changed here: {', '.join(changed)}"
        if not self._context.images.deletion.remove_in(tx, image):
            raise _ChangedMeanwhile(f"Image {image_id} is being changed all the time; try again.")
        report.removed.append(image_id)
        return REMOVED, ""


class _ChangedMeanwhile(Conflict):
    """A client changed an image between our look and our write."""

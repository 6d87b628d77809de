"""Images: made, found, listed, changed, deleted. The one entry point for every dialect."""

import threading
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from appliance.db.engine.base import Database, Tx
from appliance.db.image.images import ImageRecord, ImageRows
from appliance.db.image.pages import page
from appliance.errors import Conflict, Forbidden, Invalid, LimitExceeded, NotFound
from appliance.image.cache.cache import ImageCache
from appliance.image.cache.files import CacheFiles
from appliance.image.changes import Change, Difference, apply
from appliance.image.data import ImageData, release
from appliance.image.deletion import PendingDeletes, as_it_was, deleted_record, recover
from appliance.image.draft import check_characters, draft
from appliance.image.imports.requests import FindImageService, Imports, TaskImports
from appliance.image.imports.tasks import Tasks
from appliance.image.listing import PAGE_BYTES, Parameters, page_query
from appliance.image.locations.changes import LocationChanges
from appliance.image.locations.locations import Locations
from appliance.image.members import Members
from appliance.image.protections import Protections
from appliance.image.quotas import FindLimits, Quota, Quotas
from appliance.image.rules import (
    NAME_LIMIT,
    TRANSITIONS,
    allowed,
    enforce,
    enforce_create,
    enforce_list,
    not_found,
    visible,
)
from appliance.image.stores import Stores
from appliance.image.web.addresses import UriFilter
from appliance.image.web.content import Web, WebCache
from appliance.image.web.source import Fetcher, Patience
from appliance.settings import Settings
from appliance.values import Caller, Clock, Source

_ATTEMPTS = 20


class Images:
    """Images and, as attributes, what belongs to them: their `data`, `members`, `imports` and `tasks`."""

    def __init__(
        self,
        db: Database,
        stores: Stores,
        settings: Settings,
        clock: Clock,
        find_image_service: FindImageService | None = None,
        find_limits: FindLimits | None = None,
    ) -> None:
        self._db = db
        self._rows = ImageRows(db)
        self._settings = settings
        self._clock = clock
        self.stores = stores
        self.fetcher = Fetcher(UriFilter(settings), Patience.for_import(settings, threading.Event()))
        files = CacheFiles(Path(settings.image_cache_dir)) if settings.image_cache_dir else None
        self.web = Web(self.fetcher, WebCache(db, files, settings, clock) if files else None)
        self._locating = LocationChanges(stores, settings, self.web)
        self.pending = PendingDeletes(db, stores, settings, clock)
        self.protections = Protections(settings)
        self.quotas = Quotas(db, settings, find_limits)
        self.data = ImageData(db, stores, settings, clock, self.look_up, self.web, self.quotas)
        self.members = Members(db, settings, clock, self.look_up)
        self.tasks = Tasks(db, settings, clock)
        self.imports = Imports(
            db,
            stores,
            settings,
            clock,
            self.look_up,
            self.data,
            self.tasks,
            self.fetcher,
            self.quotas,
            find_image_service,
        )
        self.locations = Locations(
            db, settings, clock, self.look_up, self.tasks, self.imports, self.data, self._locating, self.web
        )
        self.cache = ImageCache(db, settings, clock, self.look_up, self.data, files, self.imports.submit)
        self.task_imports = TaskImports(db, self.tasks, self.imports, self.fetcher, self.create, self.delete)

    def close(self) -> None:
        """End the work in the background; what can't be finished is put right at the next start."""
        self.imports.close()

    # -- reading -------------------------------------------------------------------------------------------------------

    def look_up(self, caller: Caller, image_id: str) -> ImageRecord:
        """The image if it exists for the caller, whatever the caller's role. Raises `NotFound`."""
        image = self._rows.get(image_id, caller.project_id)
        if image is None or not visible(caller, image):
            raise not_found(image_id)
        return self._in_order(image)

    def get(self, caller: Caller, image_id: str) -> ImageRecord:
        """The image, if the caller may see it. Raises `NotFound`."""
        image = self.look_up(caller, image_id)
        enforce(caller, "get_image", image)
        self.protections.hide(caller, image)
        return image

    def page(self, caller: Caller, parameters: Parameters) -> tuple[list[ImageRecord], bool]:
        """A page of what the caller may see, and whether there may be more after it."""
        query = page_query(caller, parameters, self._settings)
        enforce_list(caller)
        marker = dict(parameters).get("marker")
        if marker is not None:
            try:
                query.marker = self.marker(caller, marker)
            except NotFound as error:
                raise Invalid(str(error)) from error
        if dict(parameters).get("visibility") == "":
            # No image is without one.
            return [], False
        if not self.protections.readable(caller, (name for name, _ in query.properties)):
            return [], False
        found = page(self._db, query, PAGE_BYTES)
        for image in found.images:
            self.protections.hide(caller, image)
        shown = [self._in_order(image) for image in found.images if allowed(caller, "get_image", image)]
        return shown, bool(shown) and found.more

    def may_see_locations(self, caller: Caller, image: ImageRecord) -> bool:
        """Where the data is: for the owner and admins, and for them alone while the image is deactivated."""
        if image.status == "deactivated":
            return caller.is_admin
        return allowed(caller, "get_image_location", image)

    def marker(self, caller: Caller, image_id: str) -> ImageRecord:
        """Where a list goes on. For admins deleted images mark a place too. Raises `NotFound`."""
        try:
            return self.look_up(caller, image_id)
        except NotFound:
            if not caller.is_admin:
                raise
            pending, kept = self._rows.pending_delete(image_id), self._rows.deleted(image_id)
            if pending is None and kept is None:
                raise
            return pending or as_it_was(kept[0] if kept else "")

    def _in_order(self, image: ImageRecord) -> ImageRecord:
        """Locations as a reader should try them: the heaviest store first."""
        if len(image.locations) > 1:
            image.locations.sort(key=lambda location: -self.stores.weight(location.store))
        return image

    # -- writing -------------------------------------------------------------------------------------------------------

    def create(self, caller: Caller, body: Mapping[str, Any]) -> ImageRecord:
        """A new image in state `queued`, without data."""
        image = draft(caller, body, self._settings, self._clock())
        enforce_create(caller, image.owner, image.visibility)
        self.protections.check(caller, "create", *image.properties)
        quota = self.quotas.of(image.owner)

        def change(tx: Tx) -> None:
            quota.check(tx, image_count_total=1)
            self._rows.insert(tx, image)
            if image.properties or image.tags:
                self._check_metadata(tx, image, quota)

        self._db.transact(change)
        self.protections.hide(caller, image)
        return image

    def update(self, caller: Caller, image_id: str, changes: Sequence[Change]) -> ImageRecord:
        """Apply changes to an image, all of them or none."""
        for _ in range(_ATTEMPTS):
            if not changes:
                return self.get(caller, image_id)
            image = self.look_up(caller, image_id)
            enforce(caller, "get_image", image)
            status = image.status
            difference = apply(caller, image, changes, self._settings, self._locating, self.protections)
            image.updated_at = self._clock()
            quota = self.quotas.of(image.owner)
            if self._db.transact(partial(self._apply, image=image, status=status, difference=difference, quota=quota)):
                return image
            # Somebody else changed it since it was read: look again.
        raise Conflict(f"Image {image_id} is being changed by others all the time; try again.")

    def _apply(self, tx: Tx, image: ImageRecord, status: str, difference: Difference, quota: Quota) -> bool:
        """Write what `update` found to be different; False if the image was changed since it was read."""
        columns = difference.columns | {"updated_at": image.updated_at}
        if not self._rows.change(tx, image.id, (status,), columns, revision=image.revision):
            return False
        self._write(tx, image.id, difference)
        if difference.writes_more:
            self._check_metadata(tx, image, quota)
        return True

    def _check_metadata(self, tx: Tx, image: ImageRecord, quota: Quota) -> None:
        """Raise `LimitExceeded` for more properties, tags and locations than the image, or its owner, may have."""
        limit = self._settings.image_metadata_quota
        written = self._rows.metadata_of(tx, image.id) if limit >= 0 else 0
        if written > limit >= 0:
            raise LimitExceeded(
                "The limit has been exceeded on the size of an image's properties, tags and locations. "
                f"Attempted: {written}, Maximum: {limit}"
            )
        quota.check(tx, image_size_total=0)
        self.data.check_stored(tx, image.owner)

    def _write(self, tx: Tx, image_id: str, difference: Difference) -> None:
        self._rows.put_properties(tx, image_id, difference.set_properties)
        self._rows.remove_properties(tx, image_id, difference.removed_properties)
        self._rows.add_tags(tx, image_id, difference.added_tags)
        self._rows.remove_tags(tx, image_id, difference.removed_tags)
        for place in difference.removed_locations:
            assert place.id is not None
            self._rows.remove_location(tx, place.id)
            release(tx, self.stores, [(place.store, place.content_id)])
        for place in difference.changed_locations:
            self._rows.set_location_metadata(tx, place)
        for place in difference.added_locations:
            self._rows.add_location(tx, image_id, place)

    def delete(self, caller: Caller, image_id: str) -> None:
        """Remove an image and let its data go."""
        for _ in range(_ATTEMPTS):
            image = self.look_up(caller, image_id)
            enforce(caller, "delete_image", image)
            if image.protected:
                raise Forbidden(f"Image {image_id} is protected and cannot be deleted.")
            if self._remove(image):
                self.cache.forget(image_id)
                return
        raise Conflict(f"Image {image_id} is being changed by others all the time; try again.")

    def _remove(self, image: ImageRecord) -> bool:
        """Take the image away, or out of sight; False if it was changed meanwhile."""
        at = self._clock()

        def change(tx: Tx) -> bool:
            if self.pending.takes(image):
                values = {"status": "pending_delete", "updated_at": at}
                return self._rows.change(tx, image.id, (image.status,), values, revision=image.revision)
            gone = self._rows.delete(tx, image, at, deleted_record(image, whole=self._settings.legacy))
            if gone:
                places = [(location.store, location.content_id) for location in image.locations]
                release(tx, self.stores, [*places, (image.staged_store, image.staged_content)])
            return gone

        return self._db.transact(change)

    def deactivate(self, caller: Caller, image_id: str) -> None:
        """Keep everybody but admins from reading the data."""
        self._switch(caller, image_id, "deactivate", "active", "deactivated")

    def reactivate(self, caller: Caller, image_id: str) -> None:
        self._switch(caller, image_id, "reactivate", "deactivated", "active")

    def _switch(self, caller: Caller, image_id: str, action: str, before: str, after: str) -> None:
        image = self.look_up(caller, image_id)
        enforce(caller, action, image)
        if image.status == after:
            return

        def change(tx: Tx) -> None:
            values = {"status": after, "updated_at": self._clock()}
            if image.status != before or not self._rows.change(tx, image_id, (before,), values):
                raise Forbidden(f"Not allowed to {action} image in status '{image.status}'")

        self._db.transact(change)

    # -- tags ----------------------------------------------------------------------------------------------------------

    def add_tag(self, caller: Caller, image_id: str, tag: str) -> None:
        image = self.look_up(caller, image_id)
        enforce(caller, "modify_image", image)
        if len(tag) > NAME_LIMIT:
            raise Invalid(f"A tag has at most {NAME_LIMIT} characters.")
        check_characters(tag)
        quota, project_quota = self._settings.image_tag_quota, self.quotas.of(image.owner)

        def change(tx: Tx) -> None:
            if not self._rows.change(tx, image_id, TRANSITIONS, {"updated_at": self._clock()}):
                raise not_found(image_id)
            if not self._rows.add_tag_below(tx, image_id, tag, quota):
                raise LimitExceeded(f"Image tag limit exceeded for image {image_id}: the maximum is {quota}.")
            self._check_metadata(tx, image, project_quota)

        self._db.transact(change)

    def remove_tag(self, caller: Caller, image_id: str, tag: str) -> None:
        image = self.look_up(caller, image_id)
        enforce(caller, "modify_image", image)

        def change(tx: Tx) -> None:
            if not self._rows.remove_tags(tx, image_id, [tag]):
                raise NotFound(f"Image {image_id} has no tag {tag}.")
            self._rows.change(tx, image_id, TRANSITIONS, {"updated_at": self._clock()})

        self._db.transact(change)

    # -- data ----------------------------------------------------------------------------------------------------------

    def upload(
        self,
        caller: Caller,
        image_id: str,
        source: Source,
        *,
        declared_size: int | None = None,
        store_id: str | None = None,
    ) -> None:
        """Store an image's data and make it active."""
        self.data.upload(caller, image_id, source, declared_size=declared_size, store_id=store_id)

    def recover(self) -> None:
        """Put right what a crash has left: to be called at start-up, before the first request."""
        recover(self._db, self.stores, self.tasks, self._clock)
        self.imports.run.workspace.clear()
        self.cache.recover()

    # -- stores --------------------------------------------------------------------------------------------------------

    def delete_from_store(self, caller: Caller, store_id: str, image_id: str) -> None:
        """Remove an active image's data from one of several stores."""
        if not self.stores.several:
            raise NotFound("There is only one store.")
        if store_id not in self.stores:
            raise Conflict(f"The selected store {store_id} is not available on this node.")
        image = self.look_up(caller, image_id)
        enforce(caller, "get_image_location", image)
        enforce(caller, "delete_image_location", image)
        if image.status != "active":
            raise Conflict("It's not allowed to remove image data from store if image status is not 'active'")
        if len(image.locations) == 1:
            raise Forbidden(
                "Cannot delete image data from the only store containing it. Consider deleting the image instead."
            )
        place = next((location for location in image.locations if location.store == store_id), None)
        if place is None or place.id is None:
            raise NotFound(f"Image {image_id} is not stored in store {store_id}.")
        location_id = place.id

        def change(tx: Tx) -> None:
            unchanged = self._rows.change(
                tx, image_id, ("active",), {"updated_at": self._clock()}, revision=image.revision
            )
            if not unchanged or not self._rows.remove_location(tx, location_id):
                raise Conflict(f"Image {image_id} was changed meanwhile.")
            release(tx, self.stores, [(place.store, place.content_id)])

        self._db.transact(change)

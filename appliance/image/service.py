"""The image service: images made, changed and deleted, and the parts that do all else. Every API enters here."""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from appliance.db.engine.base import Database, Tx
from appliance.db.image.images import ImageRecord, ImageRows
from appliance.errors import Conflict, Forbidden, Invalid, LimitExceeded, NotFound
from appliance.image.cache.cache import ImageCache
from appliance.image.cache.files import CacheFiles
from appliance.image.changes import Change, Difference, apply
from appliance.image.context import ImageContext, ImageFinder
from appliance.image.data import ImageData, release
from appliance.image.deletion import Deletion, recover
from appliance.image.downloads import Downloads
from appliance.image.draft import check_characters, draft
from appliance.image.imports.queue import ImportQueue
from appliance.image.imports.requests import FindImageService, Imports
from appliance.image.imports.run import ImportRun
from appliance.image.imports.tasks import Tasks
from appliance.image.locations.changes import LocationChanges
from appliance.image.locations.locations import Locations
from appliance.image.members import Members
from appliance.image.policies import ImagePolicies
from appliance.image.protections import Protections, rules_named
from appliance.image.quotas import FindLimits, Quota, Quotas
from appliance.image.rules import NAME_LIMIT, TRANSITIONS, not_found
from appliance.image.stores import Stores
from appliance.image.web.addresses import UriFilter
from appliance.image.web.content import Web, WebCache
from appliance.image.web.source import Fetcher, Patience
from appliance.settings import Settings
from appliance.values import Caller, Clock

_ATTEMPTS = 20


class Images:
    """Images and, as attributes, what belongs to them: the `finder`, their `data`, `members`, `imports` and so on."""

    def __init__(
        self,
        db: Database,
        stores: Stores,
        settings: Settings,
        clock: Clock,
        find_image_service: FindImageService | None = None,
        find_limits: FindLimits | None = None,
    ) -> None:
        self.policies = policies = ImagePolicies(settings, rules_named(settings))
        self.context = context = ImageContext(db, ImageRows(db), stores, settings, policies, clock)
        self._db = db
        self._rows = context.rows
        self._settings = settings
        self._clock = clock
        self.stores = stores
        self.queue = ImportQueue(settings.import_threads)
        self.fetcher = Fetcher(UriFilter(settings), Patience.for_import(settings, self.queue.stopping))
        files = CacheFiles(Path(settings.image_cache_dir)) if settings.image_cache_dir else None
        cache = WebCache(context, files) if files else None
        self.web = Web(self.fetcher, cache)
        self.protections = Protections(settings, policies.rules)
        self.quotas = Quotas(context, find_limits)
        self.finder = finder = ImageFinder(context, self.protections)
        self.data = ImageData(context, finder, self.quotas)
        self.downloads = Downloads(context, finder, self.web, cache)
        self.members = Members(context, finder)
        self.tasks = Tasks(context)
        self.run_import = ImportRun(context, self.data, self.tasks, self.fetcher, self.queue)
        self.imports = Imports(context, finder, self.tasks, self.quotas, self.run_import, find_image_service)
        self.locations = Locations(context, finder, self.data, self.tasks, self.web, self.queue)
        self.cache = ImageCache(context, finder, self.downloads, files, self.queue)
        self.deletion = Deletion(context)
        self._locating = LocationChanges(context, self.web)

    def recover(self) -> None:
        """Put right what a crash has left: to be called at start-up, before the first request."""
        self.run_import.workspace.clear()
        self.cache.recover()
        self.take_over()

    def take_over(self) -> None:
        """Put right what nodes have left that are gone; what they were at and can go on goes on here."""
        self.locations.resume(recover(self.context, self.tasks))

    def close(self) -> None:
        """End the work in the background; what can't be finished is put right at the next start."""
        self.queue.close()

    # -- an image ------------------------------------------------------------------------------------------------------

    def create(self, caller: Caller, body: Mapping[str, Any]) -> ImageRecord:
        """A new image in state `queued`, without data."""
        image = draft(caller, body, self._settings, self._clock())
        self.policies.enforce_create(caller, image.owner, image.visibility)
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
                return self.finder.get(caller, image_id)
            image = self.finder.permitted(caller, image_id, "get_image")
            status = image.status
            difference = apply(caller, image, changes, self.context, self._locating, self.protections)
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
            image = self.finder.permitted(caller, image_id, "delete_image")
            if image.protected:
                raise Forbidden(f"Image {image_id} is protected and cannot be deleted.")
            if self.deletion.remove(image):
                self.cache.forget(image_id)
                return
        raise Conflict(f"Image {image_id} is being changed by others all the time; try again.")

    def deactivate(self, caller: Caller, image_id: str) -> None:
        """Keep everybody but admins from reading the data."""
        self._switch(caller, image_id, "deactivate", "active", "deactivated")

    def reactivate(self, caller: Caller, image_id: str) -> None:
        self._switch(caller, image_id, "reactivate", "deactivated", "active")

    def _switch(self, caller: Caller, image_id: str, action: str, before: str, after: str) -> None:
        image = self.finder.permitted(caller, image_id, action)
        if image.status == after:
            return

        def change(tx: Tx) -> None:
            values = {"status": after, "updated_at": self._clock()}
            if image.status != before or not self._rows.change(tx, image_id, (before,), values):
                raise Forbidden(f"Not allowed to {action} image in status '{image.status}'")

        self._db.transact(change)

    def add_tag(self, caller: Caller, image_id: str, tag: str) -> None:
        image = self.finder.permitted(caller, image_id, "modify_image")
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
        self.finder.permitted(caller, image_id, "modify_image")

        def change(tx: Tx) -> None:
            if not self._rows.remove_tags(tx, image_id, [tag]):
                raise NotFound(f"Image {image_id} has no tag {tag}.")
            self._rows.change(tx, image_id, TRANSITIONS, {"updated_at": self._clock()})

        self._db.transact(change)

    # -- stores --------------------------------------------------------------------------------------------------------

    def delete_from_store(self, caller: Caller, store_id: str, image_id: str) -> None:
        """Remove an active image's data from one of several stores."""
        if not self.stores.several:
            raise NotFound("There is only one store.")
        if store_id not in self.stores:
            raise Conflict(f"The selected store {store_id} is not available on this node.")
        image = self.finder.permitted(caller, image_id, "get_image_location", "delete_image_location")
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

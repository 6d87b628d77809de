"""Delayed delete: images that nobody can see any more, and whose data is let go later."""

import logging

from appliance.db.database import Database
from appliance.db.images import ImageRecord, ImageRows
from appliance.errors import NotFound
from appliance.image.data import release
from appliance.image.obituary import obituary
from appliance.image.rules import enforce_admin
from appliance.image.stores import Stores
from appliance.settings import Settings
from appliance.values import Caller, Clock

log = logging.getLogger(__name__)

_SECOND = 1_000_000


class PendingDeletes:
    """Images in state `pending_delete`, from their delete to their end, or to their return."""

    def __init__(self, db: Database, stores: Stores, settings: Settings, clock: Clock) -> None:
        self._db = db
        self._rows = ImageRows(db)
        self._stores = stores
        self._clock = clock
        self._legacy = settings.legacy
        self._delayed = settings.delayed_delete
        self._wait = settings.scrub_time * _SECOND

    def takes(self, image: ImageRecord) -> bool:
        """Whether this image's delete is to be delayed: there has to be something that could come back."""
        return self._delayed and bool(image.locations) and image.status in ("active", "deactivated")

    def scrub(self) -> bool:
        """Let go of one image whose time has come; False if there was none. One step of a job."""
        image = self._rows.oldest_pending(self._clock() - self._wait)
        if image is None:
            return False
        places = [(location.store, location.content_id) for location in image.locations]
        with self._db.write() as tx:
            if self._rows.delete(tx, image, self._clock(), obituary(image, whole=self._legacy)):
                release(tx, self._stores, places)
                log.info("image %s is deleted for good", image.id)
        return True

    def restore(self, caller: Caller, image_id: str) -> None:
        """Bring an image back, active as it was. For admins."""
        enforce_admin(caller, "restore")
        with self._db.write() as tx:
            values = {"status": "active", "updated_at": self._clock()}
            if not self._rows.change(tx, image_id, ("pending_delete",), values):
                raise NotFound(f"No image with ID {image_id} waits for its end.")

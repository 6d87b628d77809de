"""An image's bytes on their way out: who may have them, where they are, and in which order the places are tried."""

import logging
from dataclasses import dataclass
from enum import Enum

from appliance.db.image.images import ImageRecord, LocationRecord
from appliance.errors import ApplianceError, Forbidden, Invalid, Unavailable
from appliance.image.context import ImageContext, ImageFinder
from appliance.image.web.content import Web, WebCache
from appliance.values import Caller, Content

log = logging.getLogger(__name__)


class Data(Enum):
    """What an image has that could be read."""

    WAITING = "none yet, or none that is verified and in every store"
    EMPTY = "none, and it will stay so"
    READY = "some"


@dataclass(frozen=True, slots=True)
class Download:
    """The data of one image, for somebody who may read it."""

    image: ImageRecord
    state: Data
    places: tuple[LocationRecord, ...] = ()
    """Where the data is, in the order in which to try them; some if the state is `READY`."""

    @property
    def size(self) -> int:
        return self.image.size or 0


def stored_data(image: ImageRecord) -> Download:
    """What is stored of an image, whatever its status: for work in the background."""
    if image.size is None or not image.locations:
        return Download(image, Data.EMPTY)
    return Download(image, Data.READY, tuple(image.locations))


class Downloads:
    """Opens the data of images."""

    def __init__(self, context: ImageContext, finder: ImageFinder, web: Web, cache: WebCache | None) -> None:
        self._stores = context.stores
        self._policies = context.policies
        self._finder = finder
        self._web = web
        self._cache = cache

    def begin(self, caller: Caller, image_id: str, prefer: tuple[str, ...] = ()) -> Download:
        """What the caller may read of an image, from the stores that are preferred if it is there."""
        image = self._finder.look_up(caller, image_id)
        if image.status == "deactivated" and not caller.is_admin:
            raise Forbidden("The requested image has been deactivated. Image data download is forbidden.")
        self._policies.enforce(caller, "download_image", image)
        if prefer:
            self._policies.enforce(caller, "download_from_store", image)
            self._check_preferred(prefer)
        if image.status not in ("active", "deactivated"):
            return Download(image, Data.WAITING)
        image.locations.sort(
            key=lambda location: (
                self._stores.is_away(location.store),
                location.store not in prefer,
                -self._stores.weight(location.store),
            )
        )
        return stored_data(image)

    def _check_preferred(self, prefer: tuple[str, ...]) -> None:
        if not self._stores.several:
            raise Invalid("There is only one store to download from: no other can be preferred.")
        for store_id in prefer:
            if store_id not in self._stores:
                raise Invalid(f"Store '{store_id}' is not configured.")

    def open(
        self, download: Download, start: int = 0, length: int | None = None, *, background: bool = False
    ) -> Content:
        """The bytes from `start` on, of the first place that has them."""
        trouble: ApplianceError = Unavailable(f"Image {download.image.id} has no data.")
        for place in download.places:
            try:
                return self._open_place(download, place, start, length, background)
            except ApplianceError as error:
                log.warning("image %s can't be read from store %s: %s", download.image.id, place.store, error)
                trouble = error
        raise trouble

    def _open_place(
        self, download: Download, place: LocationRecord, start: int, length: int | None, background: bool
    ) -> Content:
        if place.url is not None:
            wanted = download.size - start if length is None else length
            return self._web.open(place.url, download.image, start, wanted, background=background)
        store = self._stores.find(place.store)
        if place.content_id is None or store is None or store.read_only:
            raise Unavailable(f"Store {place.store} can't be read at present.")
        content = store.writer.open_content(place.content_id, start, length)
        if store.writer.backend.is_remote:
            try:
                content.reach()
            except BaseException:
                content.close()
                raise
        if self._cache is not None and not background:
            self._cache.note(download.image, content.length)
        return content

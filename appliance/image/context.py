"""What every part of the image package works with, and the way to an image in a caller's name."""

from dataclasses import dataclass

from appliance.db.engine.base import Database
from appliance.db.image.images import ImageRecord, ImageRows
from appliance.db.image.pages import page
from appliance.errors import Invalid, NotFound
from appliance.image.listing import PAGE_BYTES, Parameters, page_query
from appliance.image.policies import ImagePolicies
from appliance.image.protections import Protections
from appliance.image.rules import not_found, visible
from appliance.image.stores import Stores
from appliance.settings import Settings
from appliance.values import Caller, Clock


@dataclass(frozen=True, slots=True)
class ImageContext:
    """The database and its images, the stores, the settings, the policies, and the time."""

    db: Database
    rows: ImageRows
    stores: Stores
    settings: Settings
    policies: ImagePolicies
    clock: Clock


class ImageFinder:
    """Finds images as they exist for a caller."""

    def __init__(self, context: ImageContext, protections: Protections) -> None:
        self._context = context
        self._rows = context.rows
        self._policies = context.policies
        self._protections = protections

    def look_up(self, caller: Caller, image_id: str) -> ImageRecord:
        """The image if it exists for the caller, whatever the caller's role. Raises `NotFound`."""
        image = self._rows.get(image_id, caller.project_id)
        if image is None or not visible(caller, image):
            raise not_found(image_id)
        return self._in_order(image)

    def permitted(self, caller: Caller, image_id: str, *operations: str) -> ImageRecord:
        """The image, for somebody who may do all of this to it. Raises `NotFound` or `Forbidden`."""
        image = self.look_up(caller, image_id)
        for operation in operations:
            self._policies.enforce(caller, operation, image)
        return image

    def get(self, caller: Caller, image_id: str) -> ImageRecord:
        """The image as it is shown to the caller. Raises `NotFound`."""
        image = self.permitted(caller, image_id, "get_image")
        self._protections.hide(caller, image)
        return image

    def page(self, caller: Caller, parameters: Parameters) -> tuple[list[ImageRecord], bool]:
        """A page of what the caller may see, and whether there may be more after it."""
        query = page_query(caller, parameters, self._context.settings)
        self._policies.enforce_list(caller)
        given = dict(parameters)
        if "marker" in given:
            try:
                query.marker = self.marker(caller, given["marker"])
            except NotFound as error:
                raise Invalid(str(error)) from error
        # No image is without a visibility, and what may not be read can't be looked for.
        if given.get("visibility") == "" or not self._protections.readable(caller, query.property_names):
            return [], False
        found = page(self._context.db, query, PAGE_BYTES)
        images = found.images
        if self._policies.hides_listed():
            images = [image for image in images if self._policies.allows(caller, "get_image", image)]
        for image in images:
            self._protections.hide(caller, image)
            self._in_order(image)
        return images, bool(images) and found.more

    def marker(self, caller: Caller, image_id: str) -> ImageRecord:
        """Where a list goes on. For admins deleted images mark a place too. Raises `NotFound`."""
        try:
            return self.look_up(caller, image_id)
        except NotFound:
            if not caller.is_admin:
                raise
            deleted = self._rows.deleted(image_id)
            found = self._rows.pending_delete(image_id) or (deleted and deleted.image)
            if not found:
                raise
            return found

    def _in_order(self, image: ImageRecord) -> ImageRecord:
        """Locations as a reader should try them: the heaviest store first."""
        if len(image.locations) > 1:
            image.locations.sort(key=lambda location: -self._context.stores.weight(location.store))
        return image

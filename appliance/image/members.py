"""The projects that a shared image is shared with: added and removed by the owner, answered by themselves."""

from typing import Any

from appliance.db.image.images import ImageRecord
from appliance.db.image.members import MemberRecord, MemberRows
from appliance.errors import Forbidden, Invalid, NotFound
from appliance.image.context import ImageContext, ImageFinder
from appliance.image.draft import check_characters
from appliance.values import Caller

STATUSES = ("pending", "accepted", "rejected")


class Members:
    """Members of images. Every call looks the image up in the caller's name first."""

    def __init__(self, context: ImageContext, finder: ImageFinder) -> None:
        self._db = context.db
        self._rows = MemberRows(context.db)
        self._settings = context.settings
        self._policies = context.policies
        self._clock = context.clock
        self._finder = finder

    def add(self, caller: Caller, image_id: str, member_id: str) -> MemberRecord:
        image = self._shared(caller, image_id)
        self._enforce(caller, "add_member", image)
        if not member_id or len(member_id) > 255:
            raise Invalid("A member's id has between 1 and 255 characters.")
        check_characters(member_id)
        at = self._clock()
        member = MemberRecord(image.id, member_id, "pending", at, at)
        self._db.transact(lambda tx: self._rows.add(tx, member, self._settings.image_member_quota))
        return member

    def page(self, caller: Caller, image_id: str) -> list[MemberRecord]:
        """All members for the owner and admins; a consumer sees only itself."""
        image = self._shared(caller, image_id)
        self._enforce(caller, "get_members", image)
        if not self._policies.allows(caller, "get_member", image):
            return []
        return [member for member in self._rows.of_image(image.id) if self._may_see(caller, image, member.member_id)]

    def get(self, caller: Caller, image_id: str, member_id: str) -> MemberRecord:
        try:
            image = self._shared(caller, image_id)
            self._enforce(caller, "get_member", image)
        except Forbidden as error:
            # Glance hides here what it admits elsewhere.
            raise NotFound(str(error)) from error
        return self._member(caller, image, member_id)

    def answer(self, caller: Caller, image_id: str, member_id: str, status: Any) -> MemberRecord:
        """The member's own answer. The owner can't give it in its stead."""
        image = self._shared(caller, image_id)
        self._enforce(caller, "get_member", image)
        self._member(caller, image, member_id)
        self._enforce(caller, "modify_member", image)
        if status not in STATUSES:
            raise Invalid('Status must be "pending", "accepted" or "rejected".')
        member = self._db.transact(lambda tx: self._rows.answer(tx, image.id, member_id, status, self._clock()))
        if member is None:
            raise self._missing(image, member_id)
        return member

    def remove(self, caller: Caller, image_id: str, member_id: str) -> None:
        image = self._shared(caller, image_id)
        self._enforce(caller, "get_member", image)
        self._member(caller, image, member_id)
        self._enforce(caller, "delete_member", image)
        removed = self._db.transact(lambda tx: self._rows.remove(tx, image.id, member_id))
        if not removed:
            raise self._missing(image, member_id)

    def _shared(self, caller: Caller, image_id: str) -> ImageRecord:
        image = self._finder.look_up(caller, image_id)
        if image.visibility != "shared":
            raise Forbidden("Only shared images have members.")
        return image

    def _enforce(self, caller: Caller, operation: str, image: ImageRecord) -> None:
        """Raise `NotFound` for whoever may not see the image, whatever else they may, and `Forbidden`."""
        self._policies.enforce(caller, "get_image", image)
        self._policies.enforce(caller, operation, image)

    def _may_see(self, caller: Caller, image: ImageRecord, member_id: str) -> bool:
        return caller.is_admin or caller.project_id in (image.owner, member_id)

    def _member(self, caller: Caller, image: ImageRecord, member_id: str) -> MemberRecord:
        member = self._rows.get(image.id, member_id)
        if member is None or not self._may_see(caller, image, member_id):
            raise self._missing(image, member_id)
        return member

    def _missing(self, image: ImageRecord, member_id: str) -> NotFound:
        return NotFound(f"{member_id} not found in the member list of the image {image.id}.")

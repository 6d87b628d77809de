"""Sharing as Image API v1 has it: one call adds or changes a member, and a member may be let share on."""

from collections.abc import Mapping

from appliance.db.database import Database
from appliance.db.image_old import OldRows, Sharing
from appliance.db.images import ImageRecord
from appliance.errors import Invalid, NotFound
from appliance.image.members import Lookup
from appliance.image.rules import allowed, enforce
from appliance.settings import Settings
from appliance.values import Caller, Clock


class OldSharing:
    """Members of images. Who may not share is told that there is nothing, as the original does."""

    def __init__(self, db: Database, settings: Settings, clock: Clock, look_up: Lookup) -> None:
        self._db = db
        self._rows = OldRows(db)
        self._quota = settings.image_member_quota
        self._clock = clock
        self._look_up = look_up

    def of_image(self, caller: Caller, image_id: str) -> list[Sharing]:
        """All members for the owner and admins; a member sees only itself."""
        image = self._look_up(caller, image_id)
        enforce(caller, "get_image", image)
        whole = caller.is_admin or caller.project_id == image.owner
        return [one for one in self._rows.of_image(image.id) if whole or one.member_id == caller.project_id]

    def of_member(self, caller: Caller, member_id: str) -> list[Sharing]:
        """The images shared with a project, as far as the caller may know of them."""
        return self._rows.of_member(member_id, caller.project_id, every=caller.is_admin)

    def share(self, caller: Caller, image_id: str, member_id: str, can_share: bool | None) -> None:
        image = self._sharable(caller, image_id)
        _check(member_id)
        with self._db.write() as tx:
            self._rows.share(tx, image.id, member_id, can_share, self._clock(), self._quota)

    def replace(self, caller: Caller, image_id: str, members: Mapping[str, bool | None]) -> None:
        """Make these the members, and nobody else. Those that stay keep what they answered."""
        image = self._sharable(caller, image_id)
        for member_id in members:
            _check(member_id)
        with self._db.write() as tx:
            for one in self._rows.of_image(image.id):
                if one.member_id not in members:
                    self._rows.unshare(tx, image.id, one.member_id)
            for member_id, can_share in members.items():
                self._rows.share(tx, image.id, member_id, can_share, self._clock(), self._quota)

    def unshare(self, caller: Caller, image_id: str, member_id: str) -> None:
        image = self._sharable(caller, image_id)
        with self._db.write() as tx:
            removed = self._rows.unshare(tx, image.id, member_id)
        if not removed:
            raise NotFound("Membership could not be found.")

    def _sharable(self, caller: Caller, image_id: str) -> ImageRecord:
        """The image, if the caller may share it. Raises `NotFound`."""
        image = self._look_up(caller, image_id)
        if image.visibility in ("shared", "public"):
            if allowed(caller, "add_member", image):
                return image
            mine = next((one for one in self._rows.of_image(image.id) if one.member_id == caller.project_id), None)
            if mine is not None and mine.can_share and caller.has_role("member"):
                return image
        raise NotFound("No permission to share that image")


def _check(member_id: str) -> None:
    if not member_id or len(member_id) > 255:
        raise Invalid("A member's id has between 1 and 255 characters.")

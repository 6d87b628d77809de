"""Rows as Image API v1 asks for them: who may share on, and what is recorded of deleted images."""

from dataclasses import dataclass

from appliance.db.engine.base import Database, Tx
from appliance.db.image.images import DeletedImage
from appliance.errors import LimitExceeded
from appliance.values import MIB, Micros

_MOST_DELETED_RECORDS = 10_000
_MOST_DELETED_TEXT = 16 * MIB
"""They are sorted and filtered in memory; whoever wants older ones asks for them by id."""


@dataclass(frozen=True, slots=True)
class Sharing:
    """One project that one image is shared with."""

    image_id: str
    member_id: str
    can_share: bool


class OldRows:
    """Reads outside of transactions, writes inside of the caller's."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def of_image(self, image_id: str) -> list[Sharing]:
        rows = self._db.rows(
            "SELECT image_id, member_id, can_share FROM image_members WHERE image_id = ? "
            "ORDER BY created_at, member_id",
            (image_id,),
        )
        return [Sharing(row["image_id"], row["member_id"], bool(row["can_share"])) for row in rows]

    def of_member(self, member_id: str, viewer: str | None, *, every: bool) -> list[Sharing]:
        """The images shared with a project, as far as `viewer` owns them or is that project, or all of them."""
        rows = self._db.rows(
            "SELECT m.image_id, m.member_id, m.can_share FROM image_members m JOIN images i ON i.id = m.image_id "
            "WHERE m.member_id = :member AND (:every = 1 OR i.owner = :viewer OR m.member_id = :viewer) "
            "ORDER BY m.created_at, m.image_id",
            {"member": member_id, "viewer": viewer, "every": int(every)},
        )
        return [Sharing(row["image_id"], row["member_id"], bool(row["can_share"])) for row in rows]

    def share(self, tx: Tx, image_id: str, member_id: str, can_share: bool | None, at: Micros, quota: int) -> None:
        """Add a member, or say of one whether it may share on; None leaves that as it is.

        Raises `LimitExceeded` past the quota (negative: none).
        """
        changed = tx.execute(
            "UPDATE image_members SET can_share = coalesce(?, can_share) WHERE image_id = ? AND member_id = ?",
            (None if can_share is None else int(can_share), image_id, member_id),
        ).rowcount
        if changed:
            return
        added = tx.execute(
            "INSERT INTO image_members (image_id, member_id, status, created_at, updated_at, can_share) "
            "SELECT :image, :member, 'pending', :at, :at, :can_share WHERE :quota < 0 "
            "OR (SELECT count(*) FROM image_members WHERE image_id = :image) < :quota",
            {"image": image_id, "member": member_id, "at": at, "can_share": int(bool(can_share)), "quota": quota},
        ).rowcount
        if added != 1:
            raise LimitExceeded(f"Image {image_id} can't have more than {quota} members.")

    def unshare(self, tx: Tx, image_id: str, member_id: str) -> bool:
        deleted = tx.execute("DELETE FROM image_members WHERE image_id = ? AND member_id = ?", (image_id, member_id))
        return deleted.rowcount == 1

    def deleted_records(self, since: Micros = 0) -> list[DeletedImage]:
        """What is recorded of the images that were deleted last."""
        rows = self._db.stream(
            "SELECT facts, deleted_at FROM image_tombstones WHERE facts IS NOT NULL AND deleted_at >= ? "
            "ORDER BY deleted_at DESC LIMIT ?",
            (since, _MOST_DELETED_RECORDS),
        )
        found: list[DeletedImage] = []
        room = _MOST_DELETED_TEXT
        for row in rows:
            room -= len(row["facts"])
            if room < 0:
                break
            found.append(DeletedImage.read(row["facts"], row["deleted_at"]))
        return found

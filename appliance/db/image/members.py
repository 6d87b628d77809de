"""Rows of image members: the projects that an image is shared with, and what each of them answered."""

from dataclasses import dataclass

from appliance.db.engine.base import Database, Row, Tx
from appliance.errors import Conflict, LimitExceeded
from appliance.values import Micros


@dataclass(frozen=True, slots=True)
class MemberRecord:
    """One project that an image is shared with."""

    image_id: str
    member_id: str
    status: str
    created_at: Micros
    updated_at: Micros


def _record(row: Row) -> MemberRecord:
    return MemberRecord(*tuple(row))


_SELECT = "SELECT image_id, member_id, status, created_at, updated_at FROM image_members"


class MemberRows:
    """Reads outside of transactions, writes inside of the caller's."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def get(self, image_id: str, member_id: str) -> MemberRecord | None:
        row = self._db.row(f"{_SELECT} WHERE image_id = ? AND member_id = ?", (image_id, member_id))
        return _record(row) if row else None

    def of_image(self, image_id: str) -> list[MemberRecord]:
        """All members in the order in which they were added."""
        rows = self._db.rows(f"{_SELECT} WHERE image_id = ? ORDER BY created_at, member_id", (image_id,))
        return [_record(row) for row in rows]

    def add(self, tx: Tx, member: MemberRecord, quota: int) -> None:
        """Add a member. Raises `Conflict` if it is one already, `LimitExceeded` past the quota (negative: none)."""
        if tx.row(f"{_SELECT} WHERE image_id = ? AND member_id = ?", (member.image_id, member.member_id)):
            raise Conflict(f"Member {member.member_id} is duplicated for image {member.image_id}")
        added = tx.execute(
            "INSERT INTO image_members (image_id, member_id, status, created_at, updated_at) "
            "SELECT :image, :member, :status, :at, :at WHERE :quota < 0 "
            "OR (SELECT count(*) FROM image_members WHERE image_id = :image) < :quota",
            {
                "image": member.image_id,
                "member": member.member_id,
                "status": member.status,
                "at": member.created_at,
                "quota": quota,
            },
        ).rowcount
        if added != 1:
            raise LimitExceeded(f"Image {member.image_id} can't have more than {quota} members.")

    def answer(self, tx: Tx, image_id: str, member_id: str, status: str, at: Micros) -> MemberRecord | None:
        """Set what a member answered; None if it is no member."""
        row = tx.row(
            "UPDATE image_members SET status = ?, updated_at = ? WHERE image_id = ? AND member_id = ? "
            "RETURNING image_id, member_id, status, created_at, updated_at",
            (status, at, image_id, member_id),
        )
        return _record(row) if row else None

    def remove(self, tx: Tx, image_id: str, member_id: str) -> bool:
        deleted = tx.execute("DELETE FROM image_members WHERE image_id = ? AND member_id = ?", (image_id, member_id))
        return deleted.rowcount == 1

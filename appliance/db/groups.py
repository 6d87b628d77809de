"""Rows of user groups and of who is in them."""

from appliance.db.database import Tx
from appliance.db.records import Reader, Record, Shape, read

GROUPS = Shape("user_groups", ("id", "name", "domain_id", "description"))


def by_name(reader: Reader, name: str, domain_id: str) -> Record | None:
    row = reader.row("SELECT * FROM user_groups WHERE domain_id = ? AND name = ?", (domain_id, name))
    return None if row is None else read(GROUPS, row)


def ids_of_user(reader: Reader, user_id: str) -> list[str]:
    rows = reader.rows("SELECT group_id FROM group_members WHERE user_id = ? ORDER BY group_id", (user_id,))
    return [row["group_id"] for row in rows]


def member_ids(reader: Reader, group_id: str) -> list[str]:
    rows = reader.rows("SELECT user_id FROM group_members WHERE group_id = ? ORDER BY user_id", (group_id,))
    return [row["user_id"] for row in rows]


def is_member(reader: Reader, group_id: str, user_id: str) -> bool:
    return reader.row("SELECT 1 FROM group_members WHERE group_id = ? AND user_id = ?", (group_id, user_id)) is not None


def add_member(tx: Tx, group_id: str, user_id: str) -> None:
    tx.execute("INSERT INTO group_members VALUES (?, ?) ON CONFLICT DO NOTHING", (group_id, user_id))


def remove_member(tx: Tx, group_id: str, user_id: str) -> None:
    tx.execute("DELETE FROM group_members WHERE group_id = ? AND user_id = ?", (group_id, user_id))

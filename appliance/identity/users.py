"""Users: who can authenticate."""

from collections.abc import Iterable

from appliance.db import users as rows
from appliance.db.records import ALL, Filter, Page, Record, find, select
from appliance.errors import NotFound
from appliance.identity.ledger import Ledger


class Users:
    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def get(self, user_id: str) -> Record:
        """The user, with `password_expires_at`. Raises `NotFound`."""
        user = find(self._ledger.db, rows.USERS, user_id)
        if user is None:
            raise NotFound(f"Could not find user: {user_id}.")
        password = rows.password(self._ledger.db, user_id)
        return self._shown(user, {user_id: password["expires_at"]} if password is not None else {})

    def search(self, filters: Iterable[Filter] = (), page: Page = ALL) -> list[Record]:
        expiries = rows.password_expiries(self._ledger.db)
        return [self._shown(user, expiries) for user in select(self._ledger.db, rows.USERS, filters, page)]

    def _shown(self, user: Record, expiries: dict[str, int | None]) -> Record:
        user["password_expires_at"] = expiries.get(user["id"])
        return user

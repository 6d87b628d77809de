"""Users: who can authenticate."""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from appliance.db.engine.base import Tx
from appliance.db.identity import delegation as trust_rows
from appliance.db.identity import grants as grant_rows
from appliance.db.identity import projects as project_rows
from appliance.db.identity import users as rows
from appliance.db.identity.users import USERS, User
from appliance.db.records import ALL, Filter, Page, Record, delete, find, insert, select, update
from appliance.errors import Forbidden, Invalid, NotFound
from appliance.identity.auth.compliance import Compliance, NewPassword
from appliance.identity.auth.passwords import Passwords
from appliance.identity.auth.throttle import Throttle
from appliance.identity.store import IdentityStore, given_options, merged, names_unique, require_marker
from appliance.identity.tokens.revocations import Revocations
from appliance.values import Micros, current_client, new_hex_id


class Users:
    def __init__(
        self,
        store: IdentityStore,
        revocations: Revocations,
        compliance: Compliance,
        passwords: Passwords,
        throttle: Throttle,
    ) -> None:
        self._throttle = throttle
        self._store = store
        self._revocations = revocations
        self._compliance = compliance
        self._passwords = passwords

    def get(self, user_id: str) -> User:
        """The user, with `password_expires_at`. Raises `NotFound`."""
        user = self._stored(user_id)
        password = rows.password(self._store.db, user_id)
        return self._shown(user, {user_id: password["expires_at"]} if password is not None else {})

    def search(self, filters: Iterable[Filter] = (), page: Page = ALL, ids: Iterable[str] | None = None) -> list[User]:
        """Users, or those among `ids`. `password_expires_at` may be filtered on though it is no column of users."""
        require_marker(self._store.db, USERS, page)
        given = list(filters)
        plain = [item for item in given if item.attribute != "password_expires_at"]
        more = [rows.expiring(item) for item in given if item.attribute == "password_expires_at"]
        if ids is not None:
            more.append(rows.among(ids))
        expiries = rows.password_expiries(self._store.db)
        return [self._shown(user, expiries) for user in select(self._store.db, USERS, plain, page, more)]

    def _shown(self, user: User, expiries: Mapping[str, Micros | None]) -> User:
        expires_at = None if user.options.get("ignore_password_expiry") else expiries.get(user.id)
        return replace(user, password_expires_at=expires_at, enabled=user.enabled and self._compliance.is_active(user))

    def create(self, user: Record) -> User:
        domain = find(self._store.db, project_rows.PROJECTS, user["domain_id"])
        if domain is None or not domain.is_domain:
            raise NotFound(f"Could not find domain: {user['domain_id']}.")
        self._check_default_project(user)
        sent = {**user, "id": new_hex_id(), "name": user["name"].strip(), "created_at": self._store.clock()}
        sent["options"] = given_options(user.get("options", {}))
        password = sent.pop("password", None)
        created = USERS.made(sent)
        new = self._compliance.given(password, created) if password is not None else None

        def change(tx: Tx) -> None:
            insert(tx, USERS, created)
            if new is not None:
                _store(tx, created.id, new)

        with names_unique("user", created.name):
            self._store.transact(change)
        return self.get(created.id)

    def update(self, user_id: str, changes: Record) -> User:
        """Change a user. A new password, or being disabled, ends every token of the user."""
        user = self._stored(user_id)
        if changes.get("domain_id", user.domain_id) != user.domain_id:
            raise Invalid("Cannot change Domain ID.")
        self._check_default_project(changes)
        password = changes.get("password")
        changed = merged(USERS, user, {name: value for name, value in changes.items() if name != "password"})
        changed = replace(changed, name=changed.name.strip())
        new = self._compliance.given(password, changed) if password is not None else None
        disabled = user.enabled and not changed.enabled

        def change(tx: Tx) -> None:
            update(tx, USERS, changed)
            if new is not None:
                _store(tx, user_id, new)
            if new is not None or disabled:
                self._revocations.add(tx, "user", user_id)
            if changes.get("enabled") is True:
                # Being enabled by hand ends a lock-out and an absence.
                rows.forget_failures(tx, user_id)
                rows.set_active(tx, user_id, self._store.clock())

        with names_unique("user", changed.name):
            self._store.transact(change)
        return self.get(user_id)

    def delete(self, user_id: str) -> None:
        self._stored(user_id)

        def change(tx: Tx) -> None:
            remove_user(tx, user_id, self._store.clock())
            self._revocations.add(tx, "user", user_id)

        self._store.transact(change)

    def change_password(self, user_id: str, original: str, password: str) -> None:
        """A user's own change, for which the old password is enough, expired or not.

        Raises `Unauthenticated` without a word on why if it is wrong or there is no such user.
        """
        with self._throttle.attempt(current_client.get().address) as attempt:
            attempt.on(f"user {user_id}")
            found = find(self._store.db, USERS, user_id)
            stored = rows.password(self._store.db, user_id)
            right = self._passwords.verify(original, stored["hash"] if stored is not None else None, attempt.check)
            user = self._compliance.admitted(found, right=right)
        attempt.succeeded()
        if user.options.get("lock_password"):
            raise Forbidden("The password of this user is locked.")
        if password == original:
            raise Invalid("The new password must differ from the old one.")
        new = self._compliance.chosen(password, user)

        def change(tx: Tx) -> None:
            _store(tx, user_id, new)
            rows.forget_failures(tx, user_id)
            self._revocations.add(tx, "user", user_id)

        self._store.transact(change)

    def _stored(self, user_id: str) -> User:
        user = find(self._store.db, USERS, user_id)
        if user is None:
            raise NotFound(f"Could not find user: {user_id}.")
        return user

    def _check_default_project(self, user: Record) -> None:
        project_id = user.get("default_project_id")
        project = find(self._store.db, project_rows.PROJECTS, project_id) if project_id else None
        if project is not None and project.is_domain:
            raise Invalid("User's default project ID cannot be a domain ID.")


def _store(tx: Tx, user_id: str, new: NewPassword) -> None:
    rows.add_password(
        tx,
        user_id,
        new.hash,
        self_service=new.self_service,
        created_at=new.created_at,
        expires_at=new.expires_at,
        keep=new.keep,
    )


def remove_user(tx: Tx, user_id: str, now: Micros) -> None:
    """Remove one user and all that refers to them. Tables of other modules cascade by their foreign keys."""
    grant_rows.remove_of_actor(tx, "user", user_id)
    trust_rows.end_of_user(tx, user_id, now)
    delete(tx, USERS, user_id)

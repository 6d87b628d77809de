"""Users: who can authenticate."""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from appliance.db.engine.base import Tx
from appliance.db.identity import delegation as trust_rows
from appliance.db.identity import federation as federation_rows
from appliance.db.identity import grants as grant_rows
from appliance.db.identity import projects as project_rows
from appliance.db.identity import users as rows
from appliance.db.identity.federation import FEDERATED_USERS, FederatedUser
from appliance.db.identity.users import USERS, User
from appliance.db.records import ALL, Condition, Filter, Page, Record, delete, find, insert, select, update
from appliance.errors import Conflict, Forbidden, Invalid, NotFound
from appliance.identity.auth.compliance import Compliance, NewPassword
from appliance.identity.auth.passwords import Passwords
from appliance.identity.auth.throttle import Throttle
from appliance.identity.store import IdentityStore, given_options, merged, names_unique, require_marker
from appliance.identity.tokens.revocations import Revocations
from appliance.values import Micros, current_client, new_hex_id

IDENTITY = ("idp_id", "protocol_id", "unique_id")
"""By what users are filtered who are known to an identity provider."""


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
        """The user, with `password_expires_at` and `federated`. Raises `NotFound`."""
        user = self._stored(user_id)
        password = rows.password(self._store.db, user_id)
        known = federation_rows.identities(self._store.db, user_id)
        names = {user_id: known[0].display_name} if known else {}
        shown = self._shown(user, {user_id: password["expires_at"]} if password is not None else {}, names)
        return replace(shown, federated=_federated(known))

    def search(self, filters: Iterable[Filter] = (), page: Page = ALL, ids: Iterable[str] | None = None) -> list[User]:
        """Users, or those among `ids`. Some of what may be filtered on is no column of users."""
        require_marker(self._store.db, USERS, page)
        plain: list[Filter] = []
        more: list[Condition] = [] if ids is None else [rows.among(ids)]
        for item in filters:
            if item.attribute == "password_expires_at":
                more.append(rows.expiring(item))
            elif item.attribute == "name":
                more.append(rows.called(item))
            elif item.attribute in IDENTITY:
                more.append(federation_rows.matching(item.attribute, item.value))
            else:
                plain.append(item)
        expiries = rows.password_expiries(self._store.db)
        names = federation_rows.display_names(self._store.db)
        return [self._shown(user, expiries, names) for user in select(self._store.db, USERS, plain, page, more)]

    def _shown(self, user: User, expiries: Mapping[str, Micros | None], names: Mapping[str, str]) -> User:
        expires_at = None if user.options.get("ignore_password_expiry") else expiries.get(user.id)
        name = names.get(user.id, user.name) if user.is_federated else user.name
        enabled = user.enabled and self._compliance.is_active(user)
        return replace(user, password_expires_at=expires_at, name=name, enabled=enabled)

    def create(self, user: Record) -> User:
        domain = find(self._store.db, project_rows.PROJECTS, user["domain_id"])
        if domain is None or not domain.is_domain:
            raise NotFound(f"Could not find domain: {user['domain_id']}.")
        self._check_default_project(user)
        sent = {**user, "id": new_hex_id(), "name": user["name"].strip(), "created_at": self._store.clock()}
        sent["options"] = given_options(user.get("options", {}))
        password, known_as = sent.pop("password", None), sent.pop("federated", None) or ()
        created = USERS.made(sent)
        known = self._identities(created.id, created.name, known_as)
        new = self._compliance.given(password, created) if password is not None else None

        def change(tx: Tx) -> None:
            insert(tx, USERS, created)
            _know(tx, known)
            if new is not None:
                _store(tx, created.id, new)

        with names_unique("user", created.name):
            self._store.transact(change)
        return self.get(created.id)

    def update(self, user_id: str, changes: Record) -> User:
        """Change a user. A new password, other identities, or being disabled ends every token of the user."""
        user = self._stored(user_id)
        if changes.get("domain_id", user.domain_id) != user.domain_id:
            raise Invalid("Cannot change Domain ID.")
        self._check_default_project(changes)
        password = changes.get("password")
        plain = {name: value for name, value in changes.items() if name not in ("password", "federated")}
        changed = merged(USERS, user, plain)
        changed = replace(changed, name=changed.name.strip())
        known = self._identities(user_id, changed.name, changes.get("federated") or ())
        new = self._compliance.given(password, changed) if password is not None else None
        disabled = user.enabled and not changed.enabled

        def change(tx: Tx) -> None:
            update(tx, USERS, changed)
            if known:
                federation_rows.forget_identities(tx, user_id)
                _know(tx, known)
            if new is not None:
                _store(tx, user_id, new)
            if new is not None or disabled or known:
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

    def _identities(self, user_id: str, name: str, federated: Iterable[Record]) -> list[FederatedUser]:
        """Who the user is to be to identity providers. Raises `Invalid` for one that does not exist."""
        known = []
        for provider in federated:
            for protocol in provider["protocols"]:
                idp_id, protocol_id = provider["idp_id"], protocol["protocol_id"]
                if federation_rows.protocol(self._store.db, idp_id, protocol_id) is None:
                    raise Invalid(f"Could not find federated protocol {protocol_id} for Identity Provider: {idp_id}.")
                known.append(
                    FederatedUser(
                        idp_id=idp_id,
                        protocol_id=protocol_id,
                        unique_id=protocol["unique_id"],
                        user_id=user_id,
                        display_name=name,
                    )
                )
        return known

    def _check_default_project(self, user: Record) -> None:
        project_id = user.get("default_project_id")
        project = find(self._store.db, project_rows.PROJECTS, project_id) if project_id else None
        if project is not None and project.is_domain:
            raise Invalid("User's default project ID cannot be a domain ID.")


def _federated(known: Iterable[FederatedUser]) -> list[Record]:
    """In Keystone's form: each identity provider with its protocols."""
    protocols: dict[str, list[Record]] = {}
    for one in known:
        protocols.setdefault(one.idp_id, []).append({"protocol_id": one.protocol_id, "unique_id": one.unique_id})
    return [{"idp_id": idp_id, "protocols": found} for idp_id, found in protocols.items()]


def _know(tx: Tx, known: Iterable[FederatedUser]) -> None:
    for one in known:
        if federation_rows.known_as(tx, one.idp_id, one.protocol_id, one.unique_id) is not None:
            raise Conflict(
                "Conflict occurred attempting to store federated_user - "
                f"Duplicate entry found with unique ID {one.unique_id}."
            )
        insert(tx, FEDERATED_USERS, one)


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

"""Log-in by an identity provider: from a token of its own to a user here, with groups and projects, and our token."""

import hashlib
import json
import logging
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote

from appliance.db.engine.base import Reader, Tx
from appliance.db.identity import federation as rows
from appliance.db.identity import grants as grant_rows
from appliance.db.identity import projects as project_rows
from appliance.db.identity.federation import FEDERATED_USERS, FederatedUser, IdentityProvider, Protocol
from appliance.db.identity.grants import ROLES, Grant, Role
from appliance.db.identity.users import GROUPS, USERS
from appliance.db.records import Record, find, find_many, insert, one, update
from appliance.errors import Conflict, Forbidden, Invalid, NotFound, Unauthenticated
from appliance.identity.auth.authentication import METHODS, Authentication, MethodsMissing
from appliance.identity.auth.methods import Proof, find_user
from appliance.identity.federation.mapping_rules import LOCAL, Assertion, Mapped, evaluate
from appliance.identity.federation.openid import OpenIdProviders, assertion_of
from appliance.identity.federation.providers import IdentityProviders, Mappings, Protocols
from appliance.identity.lookup import Lookup
from appliance.identity.resources.assignments import closure
from appliance.identity.resources.projects import Projects
from appliance.identity.store import IdentityStore
from appliance.identity.tokens.revocations import Revocations
from appliance.identity.tokens.token import SECOND, FederationInToken, Token

log = logging.getLogger(__name__)

METHOD = "mapped"
_SYNCHRONIZED = "3.0"
"""The version of mappings whose projects are all that their users have."""
_LONGEST_ID = 255
_MINUTE = 60 * SECOND
"""Groups that outlive a log-in are not confirmed more often than this."""


@dataclass(frozen=True, slots=True)
class _Resolved:
    """What a mapping says, with names looked up."""

    user: Record
    """With `id`, as the provider knows the user, `name`, and perhaps `email`."""
    domain_id: str
    group_ids: list[str]
    projects: list[tuple[Record, str, list[Role]]]
    """Each with its domain and the roles on it."""


class FederatedLogIn:
    def __init__(
        self,
        store: IdentityStore,
        registered: tuple[IdentityProviders, Protocols, Mappings],
        openid: OpenIdProviders,
        authentication: Authentication,
        projects: Projects,
        revocations: Revocations,
        *,
        enabled: bool,
    ) -> None:
        self._store = store
        self._providers, self._protocols, self._mappings = registered
        self._openid = openid
        self._authentication = authentication
        self._projects = projects
        self._revocations = revocations
        self._enabled = enabled

    def log_in(self, idp_id: str, protocol_id: str, bearer: str | None) -> Token:
        """A token for whom the bearer token of an identity provider speaks of.

        Raises `Unauthenticated` for whatever is wrong with that token or what the mapping makes of it, `NotFound` and
        `Forbidden` for an identity provider that is not there or disabled, and `Unavailable`.
        """
        if not self._enabled:
            raise Unauthenticated("Log-in by identity providers is not among the auth_methods.")
        if not bearer:
            raise Unauthenticated("There is no bearer token of the identity provider in the request.")
        provider = self._providers.get(idp_id)
        if not provider.enabled:
            raise Forbidden(f"Identity Provider {idp_id} is disabled")
        protocol = self._protocols.get(idp_id, protocol_id)
        mapping = self._mappings.get(protocol.mapping_id)
        assertion = assertion_of(self._openid.verify(idp_id, bearer))
        _refuse_others(provider, protocol, assertion)
        Lookup(self._store).usable_domain(provider.domain_id)
        try:
            mapped = evaluate(mapping.rules, mapping.schema_version, assertion)
            if mapped.user["type"] == LOCAL:
                return self._own_user(protocol, mapped)
            return self._federated_user(provider, protocol, mapped, mapping.schema_version)
        except MethodsMissing:
            raise
        except (Invalid, NotFound, Conflict, Unauthenticated) as error:
            log.warning("mapping %s refuses a user of the identity provider %s: %s", mapping.id, idp_id, error)
            raise Unauthenticated(str(error)) from error

    def _own_user(self, protocol: Protocol, mapped: Mapped) -> Token:
        """A user of our own, whom the mapping names."""
        user = find_user(Lookup(self._store), mapped.user)
        if user is None or user.is_federated:
            raise Unauthenticated("There is no user of the name that the mapping says.")
        return self._token(protocol, user.id, None)

    def _federated_user(self, provider: IdentityProvider, protocol: Protocol, mapped: Mapped, version: str) -> Token:
        resolved = self._resolved(provider, mapped)
        granted = {
            Grant("user", "", "project", self._project_id(project, domain_id), role.id)
            for project, domain_id, roles in resolved.projects
            for role in roles
        }
        only = version == _SYNCHRONIZED

        def change(tx: Tx) -> str:
            user_id, is_new = self._known(tx, protocol, resolved)
            self._set_groups(tx, provider, user_id, resolved.group_ids, is_new=is_new)
            _set_grants(tx, user_id, granted, only=only)
            return user_id

        known = rows.known_as(self._store.db, protocol.idp_id, protocol.id, resolved.user["id"])
        if known is None or not self._is_current(provider, known, resolved, granted, only=only):
            user_id = self._store.transact(change)
        else:
            user_id = known.user_id
        return self._token(protocol, user_id, tuple(resolved.group_ids))

    def _is_current(
        self, provider: IdentityProvider, known: FederatedUser, resolved: _Resolved, granted: set[Grant], *, only: bool
    ) -> bool:
        """Whether the rows say already what this log-in does. Most do: a log-in then writes nothing."""
        db = self._store.db
        user = find(db, USERS, known.user_id)
        same = user is not None and known.display_name == resolved.user["name"]
        same = same and user is not None and resolved.user.get("email") in (None, user.extra.get("email"))
        if not same or rows.groups_of_login(db, known.user_id, provider.id) != sorted(resolved.group_ids):
            return False
        verified = rows.verified_at(db, known.user_id, provider.id)
        if self._providers.lifetime(provider) and (verified or 0) + _MINUTE < self._store.clock():
            return False
        held = {replace(grant, actor_id="") for grant in _grants_of(db, known.user_id)}
        return held == granted if only else held >= granted

    def _token(self, protocol: Protocol, user_id: str, groups: tuple[str, ...] | None) -> Token:
        # A protocol with the name of a method of ours doesn't pass for it.
        method = METHOD if protocol.id in METHODS else protocol.id
        federation = FederationInToken(protocol.idp_id, protocol.id, groups)
        return self._authentication.vouched_for(Proof(user_id, (method,), federation=federation))

    # -- names to ids

    def _resolved(self, provider: IdentityProvider, mapped: Mapped) -> _Resolved:
        user = {name: text for name, text in mapped.user.items() if name in ("id", "name", "email") and text}
        if not user.get("id") and not user.get("name"):
            raise Unauthenticated("Could not map user while setting ephemeral user identity.")
        user.setdefault("name", user.get("id"))
        user["id"] = quote(user.get("id") or user["name"])
        if len(user["id"]) > _LONGEST_ID or len(user["name"]) > _LONGEST_ID:
            raise Invalid("The id or name of the user is too long.")
        domain_id = self._domain_id(mapped.user["domain"]) if mapped.user.get("domain") else provider.domain_id
        projects = [self._resolved_project(provider, project, domain_id, mapped) for project in mapped.projects]
        return _Resolved(user, domain_id, self._group_ids(mapped), projects)

    def _domain_id(self, domain: Record) -> str:
        """The id of the domain that a mapping refers to. Raises `NotFound`."""
        lookup = Lookup(self._store)
        found = lookup.project(domain["id"]) if domain.get("id") else lookup.domain_named(domain.get("name", ""))
        if found is None or not found.is_domain:
            raise NotFound(f"Could not find domain: {domain}.")
        return found.id

    def _group_ids(self, mapped: Mapped) -> list[str]:
        """The groups by id have to exist; those by name that don't are left out, as in Keystone."""
        db = self._store.db
        for group_id in mapped.group_ids:
            if find(db, GROUPS, group_id) is None:
                raise NotFound(f"The mapping names the group {group_id}, which does not exist.")
        found = list(mapped.group_ids)
        for named in mapped.group_names:
            group = one(db, GROUPS, "domain_id = ? AND name = ?", self._domain_id(named["domain"]), named["name"])
            if group is not None and group.id not in found:
                found.append(group.id)
        return found

    def _resolved_project(
        self, provider: IdentityProvider, project: Record, user_domain_id: str, mapped: Mapped
    ) -> tuple[Record, str, list[Role]]:
        domain_id = self._domain_id(project["domain"]) if project.get("domain") else provider.domain_id
        roles = [self._role(named["name"], user_domain_id, provider, mapped) for named in project["roles"]]
        return project, domain_id, roles

    def _role(self, name: str, domain_id: str, provider: IdentityProvider, mapped: Mapped) -> Role:
        db = self._store.db
        role = grant_rows.by_name(db, name) or one(db, ROLES, "name = ? AND domain_id = ?", name, domain_id)
        if role is None:
            if one(db, ROLES, "name = ?", name) is not None:
                raise Forbidden(f"role: {name} must be within the same domain as the identity provider: {provider.id}.")
            raise NotFound(f"Could not find role: {name}.")
        if name in mapped.claimed_roles and self._is_powerful(role):
            raise Invalid(f"The role {name} is given only where the mapping itself names it.")
        return role

    def _is_powerful(self, role: Role) -> bool:
        """Whether a role is, or implies, one that nobody should have by what a provider says of them."""
        implied = find_many(self._store.db, ROLES, closure(self._store.db, [role.id]))
        return any(each.name.lower() in ("admin", "service") for each in implied)

    def _project_id(self, project: Record, domain_id: str) -> str:
        """The project of this name, which is made if it is not there."""
        found = project_rows.by_name(self._store.db, project["name"], domain_id)
        if found is None:
            try:
                found = self._projects.create({"name": project["name"], "domain_id": domain_id})
            except Conflict:
                found = project_rows.by_name(self._store.db, project["name"], domain_id)
        if found is None:
            raise NotFound(f"Could not find project: {project['name']}.")
        return found.id

    # -- rows

    def _known(self, tx: Tx, protocol: Protocol, resolved: _Resolved) -> tuple[str, bool]:
        """The id of the user, who is made if this is their first log-in, and whether it is."""
        unique_id, name = resolved.user["id"], resolved.user["name"]
        known = rows.known_as(tx, protocol.idp_id, protocol.id, unique_id)
        now = self._store.clock()
        email = {"email": resolved.user["email"]} if "email" in resolved.user else {}
        if known is None:
            user_id = _public_id(resolved.domain_id, protocol, unique_id)
            described: dict[str, Any] = {"id": user_id, "name": user_id, "domain_id": resolved.domain_id}
            insert(tx, USERS, USERS.made({**described, "created_at": now, "last_active_at": now, **email}))
            insert(
                tx,
                FEDERATED_USERS,
                FederatedUser(
                    idp_id=protocol.idp_id,
                    protocol_id=protocol.id,
                    unique_id=unique_id,
                    user_id=user_id,
                    display_name=name,
                ),
            )
            return user_id, True
        rows.rename(tx, known, name)
        user = find(tx, USERS, known.user_id)
        if user is not None and email and user.extra.get("email") != email["email"]:
            update(tx, USERS, USERS.changed(user, email))
        return known.user_id, False

    def _set_groups(
        self, tx: Tx, provider: IdentityProvider, user_id: str, group_ids: list[str], *, is_new: bool
    ) -> None:
        """Put the user into exactly these groups, as far as this provider says. If that is news, older tokens end."""
        now = self._store.clock()
        before = rows.groups_of_login(tx, user_id, provider.id)
        rows.set_groups(tx, user_id, provider.id, group_ids, now, now + self._providers.lifetime(provider))
        if set(before) != set(group_ids) and not is_new:
            self._revocations.add(tx, "user", user_id)


def _grants_of(reader: Reader, user_id: str) -> list[Grant]:
    """The user's own roles on projects."""
    return grant_rows.select(reader, actor_type="user", actor_id=user_id, target_type="project", inherited=False)


def _set_grants(tx: Tx, user_id: str, granted: set[Grant], *, only: bool) -> None:
    """Give the user these roles on projects. With `only`, take all others."""
    wanted = {replace(grant, actor_id=user_id) for grant in granted}
    for grant in wanted:
        grant_rows.add(tx, grant)
    for grant in _grants_of(tx, user_id) if only else ():
        if grant not in wanted:
            grant_rows.remove(tx, grant)


def _public_id(domain_id: str, protocol: Protocol, unique_id: str) -> str:
    """The same for the same user everywhere, and never that of another provider's user."""
    text = json.dumps([domain_id, protocol.idp_id, protocol.id, unique_id])
    return hashlib.sha256(text.encode()).hexdigest()


def _refuse_others(provider: IdentityProvider, protocol: Protocol, assertion: Assertion) -> None:
    """Raise `Forbidden` unless the token comes from who the identity provider is said to be."""
    if not provider.remote_ids:
        return
    said = assertion.get(protocol.remote_id_attribute or "iss", ())
    if not said:
        raise Unauthenticated("Could not find Identity Provider identifier in the token.")
    if not set(said) <= set(provider.remote_ids):
        raise Forbidden("Incoming identity provider identifier not included among the accepted identifiers.")

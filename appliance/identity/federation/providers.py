"""What is registered of a federation: identity providers, mappings, protocols, and service providers."""

from collections.abc import Iterable
from dataclasses import replace

from appliance.db.engine.base import Tx
from appliance.db.identity import federation as rows
from appliance.db.identity.federation import (
    IDENTITY_PROVIDERS,
    MAPPINGS,
    PROTOCOLS,
    SERVICE_PROVIDERS,
    AttributeMapping,
    IdentityProvider,
    Protocol,
    ServiceProvider,
)
from appliance.db.identity.projects import PROJECTS, Project
from appliance.db.records import ALL, Filter, Page, Record, delete, find, insert, select, update
from appliance.errors import Conflict, Invalid, NotFound
from appliance.identity.federation.mapping_schema import DEFAULT_VERSION, check_mapping
from appliance.identity.resources.users import remove_user
from appliance.identity.store import IdentityStore, names_unique
from appliance.identity.tokens.revocations import Revocations, Stamps
from appliance.identity.tokens.token import SECOND
from appliance.values import Micros, new_hex_id

RELAY_STATE_PREFIX = "ss:mem:"


class IdentityProviders:
    """Who says who somebody is. Each has a domain, which its users are in unless the mapping says another."""

    def __init__(self, store: IdentityStore, revocations: Revocations, stamps: Stamps, minutes: int) -> None:
        """`minutes` is how long groups outlive a log-in where the identity provider doesn't say."""
        self._store = store
        self._revocations = revocations
        self._stamps = stamps
        self._minutes = minutes

    def lifetime(self, provider: IdentityProvider) -> Micros:
        """How long the groups of a log-in outlive it."""
        minutes = self._minutes if provider.authorization_ttl is None else provider.authorization_ttl
        return minutes * 60 * SECOND

    def get(self, idp_id: str) -> IdentityProvider:
        found = rows.identity_provider(self._store.db, idp_id)
        if found is None:
            raise NotFound(f"Could not find Identity Provider: {idp_id}.")
        return found

    def search(self, filters: Iterable[Filter] = (), page: Page = ALL) -> list[IdentityProvider]:
        return rows.identity_providers(self._store.db, filters, page)

    def create(self, sent: Record) -> IdentityProvider:
        """Add one, with a domain of its own unless one is named."""
        idp_id, domain_id = sent["id"], sent.get("domain_id") or new_hex_id()
        remote_ids = sent.get("remote_ids") or ()
        self._refuse_taken(idp_id, remote_ids)
        created = IDENTITY_PROVIDERS.made({**sent, "domain_id": domain_id, "remote_ids": ()})
        if sent.get("domain_id"):
            domain = find(self._store.db, PROJECTS, domain_id)
            if domain is None or not domain.is_domain:
                raise NotFound(f"Could not find domain: {domain_id}.")

        def change(tx: Tx) -> None:
            if not sent.get("domain_id"):
                insert(tx, PROJECTS, _own_domain(domain_id, idp_id))
            insert(tx, IDENTITY_PROVIDERS, created)
            rows.set_remote_ids(tx, idp_id, remote_ids)

        with names_unique("identity_provider", idp_id):
            self._store.transact(change)
        return self.get(idp_id)

    def update(self, idp_id: str, changes: Record) -> IdentityProvider:
        """Change one. Being disabled ends every token of a log-in by it."""
        stored = self.get(idp_id)
        remote_ids = (changes["remote_ids"] or ()) if "remote_ids" in changes else stored.remote_ids
        self._refuse_taken(None, [one for one in remote_ids if one not in stored.remote_ids])
        changed = IDENTITY_PROVIDERS.changed(stored, {**changes, "remote_ids": ()})

        def change(tx: Tx) -> None:
            update(tx, IDENTITY_PROVIDERS, changed)
            rows.set_remote_ids(tx, idp_id, remote_ids)
            if "authorization_ttl" in changes:
                rows.set_lifetime(tx, idp_id, self.lifetime(changed))
            if stored.enabled and not changed.enabled:
                rows.void_tokens(tx, idp_id, self._stamps.of_revocation(tx))

        with names_unique("identity_provider", idp_id):
            self._store.transact(change)
        return self.get(idp_id)

    def delete(self, idp_id: str) -> None:
        """Remove one, with its protocols, the users whom only it has known, and their tokens."""
        self.get(idp_id)
        self._store.transact(lambda tx: remove_provider(tx, idp_id, self._store.clock(), self._revocations))

    def _refuse_taken(self, idp_id: str | None, remote_ids: Iterable[str]) -> None:
        doubled = "Conflict occurred attempting to store identity_provider - Duplicate"
        if idp_id is not None and rows.identity_provider(self._store.db, idp_id) is not None:
            raise Conflict(f"{doubled} entry: {idp_id}.")
        for remote_id in remote_ids:
            if rows.owner_of_remote_id(self._store.db, remote_id) is not None:
                raise Conflict(f"{doubled} remote ID: {remote_id}.")


def _own_domain(domain_id: str, idp_id: str) -> Project:
    description = f"Auto generated federated domain for Identity Provider: {idp_id}"
    return Project(id=domain_id, name=domain_id, is_domain=True, description=description)


def remove_provider(tx: Tx, idp_id: str, now: int, revocations: Revocations) -> None:
    """Remove one identity provider and all that hangs on it."""
    user_ids = rows.users_of(tx, idp_id)
    delete(tx, IDENTITY_PROVIDERS, idp_id)
    _remove_unknown(tx, user_ids, now, revocations)


def _remove_unknown(tx: Tx, user_ids: Iterable[str], now: int, revocations: Revocations) -> None:
    """Remove those whom a log-in has made and whom nobody knows any more."""
    for user_id in user_ids:
        if rows.unknown_to_all(tx, user_id):
            remove_user(tx, user_id, now)
            revocations.add(tx, "user", user_id)


class Mappings:
    """What is made of what an identity provider says."""

    def __init__(self, store: IdentityStore) -> None:
        self._store = store

    def get(self, mapping_id: str) -> AttributeMapping:
        found = find(self._store.db, MAPPINGS, mapping_id)
        if found is None:
            raise NotFound(f"Could not find mapping: {mapping_id}.")
        return found

    def search(self, filters: Iterable[Filter] = (), page: Page = ALL) -> list[AttributeMapping]:
        return select(self._store.db, MAPPINGS, filters, page)

    def create(self, sent: Record) -> AttributeMapping:
        created = _mapping(sent["id"], sent)
        with names_unique("mapping", created.id):
            self._store.transact(lambda tx: insert(tx, MAPPINGS, created))
        return created

    def update(self, mapping_id: str, changes: Record) -> AttributeMapping:
        """Put other rules in the place of those that are there."""
        changed = _mapping(mapping_id, changes)
        self.get(mapping_id)
        self._store.transact(lambda tx: update(tx, MAPPINGS, changed))
        return changed

    def delete(self, mapping_id: str) -> None:
        self.get(mapping_id)
        self._store.transact(lambda tx: delete(tx, MAPPINGS, mapping_id))


def _mapping(mapping_id: str, sent: Record) -> AttributeMapping:
    versioned = {**sent, "schema_version": sent.get("schema_version") or DEFAULT_VERSION}
    check_mapping(versioned)
    return AttributeMapping(id=mapping_id, rules=versioned["rules"], schema_version=versioned["schema_version"])


class Protocols:
    """The ways in which one identity provider speaks, each with its mapping."""

    def __init__(
        self, store: IdentityStore, providers: IdentityProviders, revocations: Revocations, stamps: Stamps
    ) -> None:
        self._store = store
        self._providers = providers
        self._revocations = revocations
        self._stamps = stamps

    def get(self, idp_id: str, protocol_id: str) -> Protocol:
        found = rows.protocol(self._store.db, idp_id, protocol_id)
        if found is None:
            raise NotFound(f"Could not find federated protocol {protocol_id} for Identity Provider: {idp_id}.")
        return found

    def of_provider(self, idp_id: str) -> list[Protocol]:
        """None of an identity provider that does not exist, as Keystone has it."""
        return rows.protocols(self._store.db, idp_id)

    def create(self, idp_id: str, sent: Record) -> Protocol:
        self._require_mapping(sent)
        self._providers.get(idp_id)

        def create(tx: Tx) -> Protocol:
            created = PROTOCOLS.made({**sent, "idp_id": idp_id, "void_until": self._stamps.of_revocation(tx)})
            insert(tx, PROTOCOLS, created)
            return created

        with names_unique("federation_protocol", sent["id"]):
            return self._store.transact(create)

    def update(self, idp_id: str, protocol_id: str, changes: Record) -> Protocol:
        self._require_mapping(changes)
        changed = replace(self.get(idp_id, protocol_id), **changes)
        self._store.transact(lambda tx: rows.change_protocol(tx, changed))
        return changed

    def delete(self, idp_id: str, protocol_id: str) -> None:
        """Remove one, with the users whom only it has known, and the tokens of log-ins by it."""
        self.get(idp_id, protocol_id)

        def change(tx: Tx) -> None:
            user_ids = rows.users_of(tx, idp_id, protocol_id)
            rows.remove_protocol(tx, idp_id, protocol_id)
            _remove_unknown(tx, user_ids, self._store.clock(), self._revocations)

        self._store.transact(change)

    def _require_mapping(self, sent: Record) -> None:
        if find(self._store.db, MAPPINGS, sent["mapping_id"]) is None:
            raise Invalid(f"Invalid mapping id: {sent['mapping_id']}")


class ServiceProviders:
    """Other clouds that take this one's users. Tokens list those that are enabled."""

    def __init__(self, store: IdentityStore) -> None:
        self._store = store
        self._enabled: tuple[int, list[Record]] = (-1, [])

    def get(self, provider_id: str) -> ServiceProvider:
        found = find(self._store.db, SERVICE_PROVIDERS, provider_id)
        if found is None:
            raise NotFound(f"Could not find Service Provider: {provider_id}.")
        return found

    def search(self, filters: Iterable[Filter] = (), page: Page = ALL) -> list[ServiceProvider]:
        return select(self._store.db, SERVICE_PROVIDERS, filters, page)

    def enabled(self) -> list[Record]:
        """As tokens show them. Only to be read."""
        generation = self._store.generation
        if self._enabled[0] != generation:
            found = self.search([Filter("enabled", 1)])
            shown = [{"id": one.id, "auth_url": one.auth_url, "sp_url": one.sp_url} for one in found]
            self._enabled = (generation, shown)
        return self._enabled[1]

    def create(self, sent: Record) -> ServiceProvider:
        prefix = sent.get("relay_state_prefix") or RELAY_STATE_PREFIX
        created = SERVICE_PROVIDERS.made({**sent, "relay_state_prefix": prefix})
        with names_unique("service_provider", created.id):
            self._store.transact(lambda tx: insert(tx, SERVICE_PROVIDERS, created))
        return created

    def update(self, provider_id: str, changes: Record) -> ServiceProvider:
        changed = SERVICE_PROVIDERS.changed(self.get(provider_id), changes)
        changed = replace(changed, relay_state_prefix=changed.relay_state_prefix or RELAY_STATE_PREFIX)
        self._store.transact(lambda tx: update(tx, SERVICE_PROVIDERS, changed))
        return changed

    def delete(self, provider_id: str) -> None:
        self.get(provider_id)
        self._store.transact(lambda tx: delete(tx, SERVICE_PROVIDERS, provider_id))

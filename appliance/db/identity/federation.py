"""Rows of federation: identity providers, mappings, protocols, service providers, and who their users are here."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from appliance.db.engine.base import Reader, Tx
from appliance.db.identity.users import FEDERATED_ID
from appliance.db.records import ALL, Condition, Filter, Page, Table, computed, find, one, read, select
from appliance.values import Micros


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentityProvider:
    id: str
    domain_id: str
    enabled: bool = False
    description: str | None = None
    authorization_ttl: int | None = None
    """Minutes that the groups of a log-in outlive it; None is what the settings say."""
    remote_ids: Sequence[str] = computed(())


@dataclass(frozen=True, slots=True, kw_only=True)
class AttributeMapping:
    id: str
    rules: Sequence[Any]
    schema_version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Protocol:
    id: str
    idp_id: str
    mapping_id: str
    remote_id_attribute: str | None = None
    void_until: Micros
    """Tokens of log-ins by this protocol whose stamp is no later are void."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceProvider:
    id: str
    auth_url: str
    sp_url: str
    enabled: bool = False
    description: str | None = None
    relay_state_prefix: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FederatedUser:
    """Who a user is to one identity provider."""

    idp_id: str
    protocol_id: str
    unique_id: str
    user_id: str
    display_name: str


IDENTITY_PROVIDERS = Table("identity_providers", IdentityProvider)
MAPPINGS = Table("attribute_mappings", AttributeMapping)
PROTOCOLS = Table("federation_protocols", Protocol)
SERVICE_PROVIDERS = Table("service_providers", ServiceProvider)
FEDERATED_USERS = Table("federated_users", FederatedUser)


# -- identity providers and their protocols ----------------------------------------------------------------------------


def identity_provider(reader: Reader, idp_id: str) -> IdentityProvider | None:
    found = find(reader, IDENTITY_PROVIDERS, idp_id)
    if found is None:
        return None
    rows = reader.rows(
        "SELECT remote_id FROM identity_provider_remote_ids WHERE idp_id = ? ORDER BY remote_id", (idp_id,)
    )
    return replace(found, remote_ids=tuple(row["remote_id"] for row in rows))


def identity_providers(reader: Reader, filters: Iterable[Filter] = (), page: Page = ALL) -> list[IdentityProvider]:
    remote: dict[str, list[str]] = {}
    for row in reader.rows("SELECT idp_id, remote_id FROM identity_provider_remote_ids ORDER BY remote_id"):
        remote.setdefault(row["idp_id"], []).append(row["remote_id"])
    found = select(reader, IDENTITY_PROVIDERS, filters, page)
    return [replace(idp, remote_ids=tuple(remote.get(idp.id, ()))) for idp in found]


def owner_of_remote_id(reader: Reader, remote_id: str) -> str | None:
    row = reader.row("SELECT idp_id FROM identity_provider_remote_ids WHERE remote_id = ?", (remote_id,))
    return None if row is None else row["idp_id"]


def set_remote_ids(tx: Tx, idp_id: str, remote_ids: Iterable[str]) -> None:
    tx.execute("DELETE FROM identity_provider_remote_ids WHERE idp_id = ?", (idp_id,))
    tx.executemany(
        "INSERT INTO identity_provider_remote_ids VALUES (?, ?)", [(remote_id, idp_id) for remote_id in remote_ids]
    )


def of_domain(reader: Reader, domain_id: str) -> list[str]:
    """The ids of the identity providers of a domain."""
    return [found.id for found in select(reader, IDENTITY_PROVIDERS, [Filter("domain_id", domain_id)])]


def protocol(reader: Reader, idp_id: str, protocol_id: str) -> Protocol | None:
    return one(reader, PROTOCOLS, "idp_id = ? AND id = ?", idp_id, protocol_id)


def protocols(reader: Reader, idp_id: str) -> list[Protocol]:
    return select(reader, PROTOCOLS, [Filter("idp_id", idp_id)])


def change_protocol(tx: Tx, changed: Protocol) -> None:
    tx.execute(
        "UPDATE federation_protocols SET mapping_id = ?, remote_id_attribute = ? WHERE idp_id = ? AND id = ?",
        (changed.mapping_id, changed.remote_id_attribute, changed.idp_id, changed.id),
    )


def void_tokens(tx: Tx, idp_id: str, until: Micros) -> None:
    """Void the tokens of all log-ins by an identity provider that exist now."""
    tx.execute("UPDATE federation_protocols SET void_until = ? WHERE idp_id = ?", (until, idp_id))


def remove_protocol(tx: Tx, idp_id: str, protocol_id: str) -> None:
    tx.execute("DELETE FROM federation_protocols WHERE idp_id = ? AND id = ?", (idp_id, protocol_id))


# -- who their users are here ------------------------------------------------------------------------------------------


def known_as(reader: Reader, idp_id: str, protocol_id: str, unique_id: str) -> FederatedUser | None:
    """The user whom an identity provider knows by this id."""
    return one(
        reader, FEDERATED_USERS, "idp_id = ? AND protocol_id = ? AND unique_id = ?", idp_id, protocol_id, unique_id
    )


def identities(reader: Reader, user_id: str) -> list[FederatedUser]:
    """Who a user is to identity providers."""
    sql = "SELECT * FROM federated_users WHERE user_id = ? ORDER BY idp_id, protocol_id, unique_id"
    return [read(FEDERATED_USERS, row) for row in reader.rows(sql, (user_id,))]


def display_names(reader: Reader) -> dict[str, str]:
    """What identity providers call their users, by the users' ids."""
    rows = reader.rows("SELECT user_id, min(display_name) AS name FROM federated_users GROUP BY user_id")
    return {row["user_id"]: row["name"] for row in rows}


def rename(tx: Tx, known: FederatedUser, display_name: str) -> None:
    tx.execute(
        "UPDATE federated_users SET display_name = ? WHERE idp_id = ? AND protocol_id = ? AND unique_id = ?",
        (display_name, known.idp_id, known.protocol_id, known.unique_id),
    )


def forget_identities(tx: Tx, user_id: str) -> None:
    tx.execute("DELETE FROM federated_users WHERE user_id = ?", (user_id,))


def matching(attribute: str, value: str) -> Condition:
    """A condition on users: who they are to an identity provider has this `idp_id`, `protocol_id` or `unique_id`."""
    return f"id IN (SELECT user_id FROM federated_users WHERE {attribute} = ?)", [value]


def users_of(reader: Reader, idp_id: str, protocol_id: str | None = None) -> list[str]:
    """The ids of the users whom an identity provider, or one of its protocols, knows."""
    sql = "SELECT DISTINCT user_id FROM federated_users WHERE idp_id = ?"
    if protocol_id is None:
        return [row["user_id"] for row in reader.rows(sql, (idp_id,))]
    return [row["user_id"] for row in reader.rows(f"{sql} AND protocol_id = ?", (idp_id, protocol_id))]


def unknown_to_all(reader: Reader, user_id: str) -> bool:
    """Whether a log-in has made this user and no identity provider knows them any more."""
    return (
        reader.row(
            "SELECT 1 FROM users WHERE id = ? AND name = id AND length(id) = ? AND NOT EXISTS "
            "(SELECT 1 FROM federated_users WHERE user_id = ?)",
            (user_id, FEDERATED_ID, user_id),
        )
        is not None
    )


def is_vouched_for(reader: Reader, user_id: str) -> bool:
    """Whether an identity provider that is enabled knows the user."""
    sql = "SELECT 1 FROM federated_users JOIN identity_providers ON identity_providers.id = idp_id "
    return reader.row(f"{sql} WHERE user_id = ? AND enabled = 1 LIMIT 1", (user_id,)) is not None


# -- the groups that log-ins have given --------------------------------------------------------------------------------


def groups_of_login(reader: Reader, user_id: str, idp_id: str) -> list[str]:
    """The groups that the last log-in by an identity provider has given."""
    rows = reader.rows(
        "SELECT group_id FROM federated_group_members WHERE user_id = ? AND idp_id = ? ORDER BY group_id",
        (user_id, idp_id),
    )
    return [row["group_id"] for row in rows]


def verified_at(reader: Reader, user_id: str, idp_id: str) -> Micros | None:
    """When a log-in has last said which groups the user is in."""
    row = reader.row(
        "SELECT min(verified_at) AS at FROM federated_group_members WHERE user_id = ? AND idp_id = ?", (user_id, idp_id)
    )
    return None if row is None else row["at"]


def set_groups(tx: Tx, user_id: str, idp_id: str, group_ids: Iterable[str], now: Micros, expires_at: Micros) -> None:
    tx.execute("DELETE FROM federated_group_members WHERE user_id = ? AND idp_id = ?", (user_id, idp_id))
    rows = [(user_id, group_id, idp_id, now, expires_at) for group_id in group_ids]
    tx.executemany("INSERT INTO federated_group_members VALUES (?, ?, ?, ?, ?)", rows)


def set_lifetime(tx: Tx, idp_id: str, lifetime: Micros) -> None:
    """Let the memberships that exist end so long after the log-in that has given them."""
    tx.execute("UPDATE federated_group_members SET expires_at = verified_at + ? WHERE idp_id = ?", (lifetime, idp_id))


def next_end(reader: Reader, now: Micros) -> Micros | None:
    """When the next membership of somebody ends."""
    row = reader.row("SELECT min(expires_at) AS next FROM federated_group_members WHERE expires_at > ?", (now,))
    return None if row is None else row["next"]

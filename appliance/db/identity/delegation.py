"""Rows of application credentials, access rules and trusts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from appliance.db.engine.base import Reader, Row, Tx
from appliance.db.identity.grants import Role
from appliance.db.records import Filter, Page, Table, computed, read, select
from appliance.values import Micros


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessRule:
    id: str
    user_id: str
    service: str
    method: str
    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplicationCredential:
    id: str
    name: str
    user_id: str
    project_id: str
    secret_hash: str
    description: str | None = None
    expires_at: Micros | None = None
    unrestricted: bool = False
    roles: Sequence[Role] = computed(())
    access_rules: Sequence[AccessRule] = computed(())


APPLICATION_CREDENTIALS = Table("application_credentials", ApplicationCredential)
ACCESS_RULES = Table("access_rules", AccessRule)


def replace_hash(tx: Tx, credential_id: str, old: str, new: str) -> None:
    """Keep the same secret in another form."""
    tx.execute(
        "UPDATE application_credentials SET secret_hash = ? WHERE id = ? AND secret_hash = ?", (new, credential_id, old)
    )


def credential_role_ids(reader: Reader, credential_id: str) -> list[str]:
    rows = reader.rows(
        "SELECT role_id FROM application_credential_roles WHERE application_credential_id = ? ORDER BY role_id",
        (credential_id,),
    )
    return [row["role_id"] for row in rows]


def add_credential_role(tx: Tx, credential_id: str, role_id: str) -> None:
    tx.execute("INSERT INTO application_credential_roles VALUES (?, ?)", (credential_id, role_id))


def rules_of(reader: Reader, credential_id: str) -> list[AccessRule]:
    rows = reader.rows(
        "SELECT access_rules.* FROM access_rules JOIN application_credential_access_rules "
        "ON access_rule_id = access_rules.id WHERE application_credential_id = ? ORDER BY id",
        (credential_id,),
    )
    return [read(ACCESS_RULES, row) for row in rows]


def find_rule(reader: Reader, user_id: str, service: str, method: str, path: str) -> str | None:
    """The id of the user's rule that says just this."""
    row = reader.row(
        "SELECT id FROM access_rules WHERE user_id = ? AND service = ? AND method = ? AND path = ?",
        (user_id, service, method, path),
    )
    return None if row is None else row["id"]


def attach_rule(tx: Tx, credential_id: str, rule_id: str) -> None:
    tx.execute(
        "INSERT INTO application_credential_access_rules VALUES (?, ?) ON CONFLICT DO NOTHING", (credential_id, rule_id)
    )


def rule_in_use(reader: Reader, rule_id: str) -> bool:
    row = reader.row("SELECT 1 FROM application_credential_access_rules WHERE access_rule_id = ?", (rule_id,))
    return row is not None


def count_of_user(reader: Reader, user_id: str) -> int:
    row = reader.row("SELECT count(*) AS count FROM application_credentials WHERE user_id = ?", (user_id,))
    return 0 if row is None else row["count"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    id: str
    trustor_user_id: str
    trustee_user_id: str
    project_id: str | None = None
    impersonation: bool
    deleted_at: Micros | None = None
    expires_at: Micros | None = None
    remaining_uses: int | None = None
    redelegated_trust_id: str | None = None
    redelegation_count: int
    extra: Mapping[str, Any] = field(default_factory=dict)
    roles: Sequence[Role] = computed(())


TRUSTS = Table("trusts", Trust)


def trust_role_ids(reader: Reader, trust_id: str) -> list[str]:
    rows = reader.rows("SELECT role_id FROM trust_roles WHERE trust_id = ? ORDER BY role_id", (trust_id,))
    return [row["role_id"] for row in rows]


def has_equal(reader: Reader, trust: Trust) -> bool:
    """Whether there is a trust for the same people and the same project that ends in the same moment."""
    same = ("trustor_user_id", "trustee_user_id", "project_id", "expires_at", "deleted_at")
    filters = [Filter(name, getattr(trust, name)) for name in same]
    return bool(select(reader, TRUSTS, [*filters, Filter("impersonation", int(trust.impersonation))], Page(1)))


def add_trust_role(tx: Tx, trust_id: str, role_id: str) -> None:
    tx.execute("INSERT INTO trust_roles VALUES (?, ?)", (trust_id, role_id))


def use(tx: Tx, trust_id: str) -> bool:
    """Take one of the remaining uses; False if none is left."""
    row: Row | None = tx.row(
        "UPDATE trusts SET remaining_uses = remaining_uses - 1 "
        "WHERE id = ? AND deleted_at IS NULL AND (remaining_uses IS NULL OR remaining_uses > 0) RETURNING id",
        (trust_id,),
    )
    return row is not None


def end(tx: Tx, trust_id: str, now: Micros) -> None:
    """Delete a trust and those that were made from it."""
    tx.execute(
        """
        WITH RECURSIVE chain(id) AS (
            SELECT id FROM trusts WHERE id = ?
            UNION SELECT trusts.id FROM trusts JOIN chain ON trusts.redelegated_trust_id = chain.id)
        UPDATE trusts SET deleted_at = ? WHERE deleted_at IS NULL AND id IN (SELECT id FROM chain)
        """,
        (trust_id, now),
    )


def end_of_project(tx: Tx, project_id: str, now: Micros) -> None:
    tx.execute("UPDATE trusts SET deleted_at = ? WHERE deleted_at IS NULL AND project_id = ?", (now, project_id))


def end_of_user(tx: Tx, user_id: str, now: Micros) -> None:
    tx.execute(
        "UPDATE trusts SET deleted_at = ? WHERE deleted_at IS NULL AND ? IN (trustor_user_id, trustee_user_id)",
        (now, user_id),
    )

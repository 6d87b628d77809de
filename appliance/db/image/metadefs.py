"""Rows of metadata namespaces and of the resource types that they are associated with."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from appliance.db.engine.base import IntegrityError, Reader, Row, Tx
from appliance.db.records import one_of
from appliance.errors import Conflict, Invalid
from appliance.values import Micros


@dataclass(frozen=True, slots=True)
class NamespaceRecord:
    """A namespace as it is in the database; `id` is 0 until it does."""

    namespace: str
    owner: str
    visibility: str
    protected: bool
    created_at: Micros
    updated_at: Micros | None = None
    display_name: str | None = None
    description: str | None = None
    id: int = 0


@dataclass(frozen=True, slots=True)
class ResourceTypeRecord:
    """A kind of resource that some namespace is or was for."""

    name: str
    created_at: Micros
    updated_at: Micros | None = None


@dataclass(frozen=True, slots=True)
class AssociationRecord:
    """A namespace's tie to a resource type."""

    name: str
    prefix: str | None
    properties_target: str | None
    created_at: Micros
    updated_at: Micros | None = None


@dataclass(frozen=True, slots=True)
class Order:
    """How a list is sorted; equal keys follow creation. `key` is one of the columns that the caller allows."""

    key: str
    descending: bool


@dataclass(frozen=True, slots=True)
class NamespaceQuery:
    """Which namespaces are wanted."""

    order: Order
    limit: int
    marker: NamespaceRecord | None = None
    visibility: str | None = None
    resource_types: Sequence[str] | None = None


NAMESPACE_SORT_KEYS = frozenset(
    ("id", "namespace", "display_name", "description", "visibility", "protected", "owner", "created_at", "updated_at")
)

_COLUMNS = "namespace, owner, visibility, protected, created_at, updated_at, display_name, description"
LARGEST = 2**63 - 1
"""What a limit is that limits nothing."""
_NUMBERS = frozenset(("protected", "created_at", "updated_at"))


def read_namespace(row: Row) -> NamespaceRecord:
    return NamespaceRecord(
        namespace=row["namespace"],
        owner=row["owner"],
        visibility=row["visibility"],
        protected=bool(row["protected"]),
        created_at=row["created_at"],
        updated_at=row["updated_at"],
        display_name=row["display_name"],
        description=row["description"],
        id=row["id"],
    )


def _values(record: NamespaceRecord) -> list[Any]:
    return [
        record.namespace,
        record.owner,
        record.visibility,
        int(record.protected),
        record.created_at,
        record.updated_at,
        record.display_name,
        record.description,
    ]


def _taken(name: str) -> Conflict:
    return Conflict(f"The metadata definition namespace={name} already exists.")


# -- namespaces ----------------------------------------------------------------------------------------------------


def find_namespace(reader: Reader, name: str) -> NamespaceRecord | None:
    row = reader.row("SELECT * FROM metadef_namespaces WHERE namespace = ?", (name,))
    return None if row is None else read_namespace(row)


def insert_namespace(tx: Tx, record: NamespaceRecord) -> int:
    """Add a namespace and give its id. Raises `Conflict` if the name is taken."""
    try:
        return tx.insert(
            f"INSERT INTO metadef_namespaces ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?) RETURNING id", _values(record)
        )
    except IntegrityError as error:
        raise _taken(record.namespace) from error


def update_namespace(tx: Tx, record: NamespaceRecord) -> None:
    """Write the namespace with `record.id`. Raises `Conflict` if its new name is taken."""
    assignments = ", ".join(f"{column} = ?" for column in _COLUMNS.split(", "))
    try:
        tx.execute(f"UPDATE metadef_namespaces SET {assignments} WHERE id = ?", [*_values(record), record.id])
    except IntegrityError as error:
        raise _taken(record.namespace) from error


def delete_namespace(tx: Tx, namespace_id: int) -> None:
    """Remove a namespace with all that is in it."""
    tx.execute("DELETE FROM metadef_namespaces WHERE id = ?", (namespace_id,))


def page_of_namespaces(reader: Reader, query: NamespaceQuery, owner: str | None, *, all: bool) -> list[NamespaceRecord]:
    """A page of every namespace (`all`), or of the public ones and those of one owner."""
    clauses: list[str] = []
    parameters: list[Any] = []
    if not all:
        clauses.append("(visibility = 'public' OR owner = ?)")
        parameters.append(owner)
    if query.visibility is not None:
        clauses.append("visibility = ?")
        parameters.append(query.visibility)
    if query.resource_types is not None:
        wanted, names = one_of("t.name", query.resource_types)
        clauses.append(
            "id IN (SELECT namespace_id FROM metadef_associations JOIN metadef_resource_types t ON t.id = "
            f"resource_type_id WHERE {wanted})"
        )
        parameters += names
    marker = None if query.marker is None else query.marker.id
    sql, more = ordered("metadef_namespaces", query.order, marker, clauses)
    return [read_namespace(row) for row in reader.rows(sql, [*parameters, *more, min(query.limit, LARGEST)])]


def ordered(table: str, order: Order, marker: int | None, clauses: list[str]) -> tuple[str, list[Any]]:
    """`SELECT` in a stable order, after the row with the id `marker`. The limit is the last parameter."""
    nothing = "0" if order.key in _NUMBERS else "''"
    key = "created_at" if order.key in ("created_at", "id") else f"coalesce({order.key}, {nothing})"
    keys = f"{key}, created_at, id"
    direction = " DESC" if order.descending else ""
    parameters: list[Any] = []
    if marker is not None:
        comparison = "<" if order.descending else ">"
        clauses = [*clauses, f"({keys}) {comparison} (SELECT {keys} FROM {table} WHERE id = ?)"]
        parameters.append(marker)
    where = f" WHERE {' AND '.join(clauses)}" if clauses else ""
    sorting = ", ".join(f"{part}{direction}" for part in (key, "created_at", "id"))
    return f"SELECT * FROM {table}{where} ORDER BY {sorting} LIMIT ?", parameters


# -- resource types ------------------------------------------------------------------------------------------------


def resource_types(reader: Reader) -> list[ResourceTypeRecord]:
    """Every resource type that was ever associated, oldest first."""
    rows = reader.rows("SELECT * FROM metadef_resource_types ORDER BY id")
    return [ResourceTypeRecord(row["name"], row["created_at"], row["updated_at"]) for row in rows]


def has_resource_type(reader: Reader, name: str) -> bool:
    return reader.row("SELECT 1 FROM metadef_resource_types WHERE name = ?", (name,)) is not None


_ASSOCIATIONS = (
    "SELECT a.*, t.name FROM metadef_associations a JOIN metadef_resource_types t ON t.id = a.resource_type_id"
)


def _association(row: Row) -> AssociationRecord:
    return AssociationRecord(row["name"], row["prefix"], row["properties_target"], row["created_at"], row["updated_at"])


def associations(reader: Reader, namespace_id: int) -> list[AssociationRecord]:
    """The resource types of one namespace, oldest association first."""
    rows = reader.rows(f"{_ASSOCIATIONS} WHERE a.namespace_id = ? ORDER BY a.id", (namespace_id,))
    return [_association(row) for row in rows]


def associations_of_many(reader: Reader, namespace_ids: Iterable[int]) -> dict[int, list[AssociationRecord]]:
    """The same for many namespaces at once, by their ids."""
    found: dict[int, list[AssociationRecord]] = {}
    wanted, ids = one_of("a.namespace_id", list(namespace_ids))
    for row in reader.rows(f"{_ASSOCIATIONS} WHERE {wanted} ORDER BY a.id", ids):
        found.setdefault(row["namespace_id"], []).append(_association(row))
    return found


def insert_association(tx: Tx, namespace: NamespaceRecord, record: AssociationRecord) -> None:
    """Tie a namespace to a resource type, which is made if need be. Raises `Conflict` if they are tied already."""
    tx.execute(
        "INSERT INTO metadef_resource_types (name, created_at, updated_at) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
        (record.name, record.created_at, record.updated_at),
    )
    try:
        tx.execute(
            "INSERT INTO metadef_associations "
            "(namespace_id, resource_type_id, prefix, properties_target, created_at, updated_at) "
            "SELECT ?, id, ?, ?, ?, ? FROM metadef_resource_types WHERE name = ?",
            (
                namespace.id,
                record.prefix,
                record.properties_target,
                record.created_at,
                record.updated_at,
                record.name,
            ),
        )
    except IntegrityError as error:
        raise Conflict(
            f"The association of resource-type={record.name} to namespace={namespace.namespace} already exists."
        ) from error


def update_association(tx: Tx, namespace_id: int, record: AssociationRecord) -> None:
    tx.execute(
        "UPDATE metadef_associations SET prefix = ?, properties_target = ?, updated_at = ? "
        "WHERE namespace_id = ? AND resource_type_id = (SELECT id FROM metadef_resource_types WHERE name = ?)",
        (record.prefix, record.properties_target, record.updated_at, namespace_id, record.name),
    )


def delete_association(tx: Tx, namespace_id: int, name: str) -> bool:
    """Untie a namespace from a resource type; False if they were not tied. The type itself stays known."""
    cursor = tx.execute(
        "DELETE FROM metadef_associations WHERE namespace_id = ? "
        "AND resource_type_id = (SELECT id FROM metadef_resource_types WHERE name = ?)",
        (namespace_id, name),
    )
    return cursor.rowcount > 0


def check_sort_key(key: str, allowed: frozenset[str]) -> None:
    """Column names get into SQL, so that only known ones may. Raises `Invalid`."""
    if key not in allowed:
        raise Invalid(f"Sort key {key} is not one of: {', '.join(sorted(allowed))}.")

"""Rows of what a metadata namespace holds: objects, properties and tags. Each is known by its name there."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from appliance.db.engine.base import IntegrityError, Reader, Row, Tx
from appliance.db.image.metadefs import LARGEST, NamespaceRecord, Order, ordered
from appliance.errors import Conflict
from appliance.values import Micros

Definition = dict[str, Any]
"""What a property may be, as JSON."""


@dataclass(frozen=True, slots=True)
class ObjectRecord:
    """A group of properties that belong together."""

    name: str
    created_at: Micros
    updated_at: Micros | None = None
    description: str | None = None
    required: Sequence[str] | None = None
    properties: dict[str, Definition] | None = None
    """None, here and above, is what a client did not mention; once stored it is empty."""


@dataclass(frozen=True, slots=True)
class PropertyRecord:
    """One property of the namespace."""

    name: str
    definition: Definition
    created_at: Micros
    updated_at: Micros | None = None


@dataclass(frozen=True, slots=True)
class TagRecord:
    """One tag of the namespace; `id` is 0 until it is stored."""

    name: str
    created_at: Micros
    updated_at: Micros | None = None
    id: int = 0


Item = ObjectRecord | PropertyRecord | TagRecord


@dataclass(frozen=True, slots=True)
class _Table:
    name: str
    noun: str


_TABLES: dict[type[Item], _Table] = {
    ObjectRecord: _Table("metadef_objects", "definition object"),
    PropertyRecord: _Table("metadef_properties", "definition property"),
    TagRecord: _Table("metadef_tags", "tag"),
}

TAG_SORT_KEYS = frozenset(("id", "name", "created_at", "updated_at"))


def _columns(item: Item) -> dict[str, Any]:
    columns: dict[str, Any] = {"name": item.name, "created_at": item.created_at, "updated_at": item.updated_at}
    if isinstance(item, ObjectRecord):
        columns["description"] = item.description
        columns["required"] = json.dumps(list(item.required or ()))
        columns["properties"] = json.dumps(item.properties or {})
    elif isinstance(item, PropertyRecord):
        columns["definition"] = json.dumps(item.definition)
    return columns


def insert_item(tx: Tx, namespace: NamespaceRecord, item: Item) -> None:
    """Add an item. Raises `Conflict` if the namespace has one of its name."""
    columns = {"namespace_id": namespace.id, **_columns(item)}
    marks = ", ".join("?" * len(columns))
    try:
        tx.execute(
            f"INSERT INTO {_TABLES[type(item)].name} ({', '.join(columns)}) VALUES ({marks})", list(columns.values())
        )
    except IntegrityError as error:
        raise _taken(namespace, item) from error


def update_item(tx: Tx, namespace: NamespaceRecord, name: str, item: Item) -> None:
    """Write the item called `name`, which may get another name. Raises `Conflict` if that is taken."""
    columns = _columns(item)
    assignments = ", ".join(f"{column} = ?" for column in columns)
    try:
        tx.execute(
            f"UPDATE {_TABLES[type(item)].name} SET {assignments} WHERE namespace_id = ? AND name = ?",
            [*columns.values(), namespace.id, name],
        )
    except IntegrityError as error:
        raise _taken(namespace, item) from error


def _taken(namespace: NamespaceRecord, item: Item) -> Conflict:
    noun = _TABLES[type(item)].noun
    return Conflict(f"A metadata {noun} with name={item.name} already exists in namespace={namespace.namespace}.")


def delete_item(tx: Tx, kind: type[Item], namespace_id: int, name: str) -> None:
    tx.execute(f"DELETE FROM {_TABLES[kind].name} WHERE namespace_id = ? AND name = ?", (namespace_id, name))


def delete_items(tx: Tx, kind: type[Item], namespace_id: int) -> None:
    """Remove every item of one kind from a namespace."""
    tx.execute(f"DELETE FROM {_TABLES[kind].name} WHERE namespace_id = ?", (namespace_id,))


def _find(reader: Reader, kind: type[Item], namespace_id: int, name: str) -> Row | None:
    return reader.row(f"SELECT * FROM {_TABLES[kind].name} WHERE namespace_id = ? AND name = ?", (namespace_id, name))


def _all(reader: Reader, kind: type[Item], namespace_id: int) -> list[Row]:
    return reader.rows(f"SELECT * FROM {_TABLES[kind].name} WHERE namespace_id = ? ORDER BY name", (namespace_id,))


# -- objects -------------------------------------------------------------------------------------------------------


def _object(row: Row) -> ObjectRecord:
    return ObjectRecord(
        name=row["name"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
        description=row["description"],
        required=tuple(json.loads(row["required"])),
        properties=json.loads(row["properties"]),
    )


def find_object(reader: Reader, namespace_id: int, name: str) -> ObjectRecord | None:
    row = _find(reader, ObjectRecord, namespace_id, name)
    return None if row is None else _object(row)


def objects(reader: Reader, namespace_id: int) -> list[ObjectRecord]:
    """Every object of a namespace, by name."""
    return [_object(row) for row in _all(reader, ObjectRecord, namespace_id)]


# -- properties ----------------------------------------------------------------------------------------------------


def _property(row: Row) -> PropertyRecord:
    return PropertyRecord(row["name"], json.loads(row["definition"]), row["created_at"], row["updated_at"])


def find_property(reader: Reader, namespace_id: int, name: str) -> PropertyRecord | None:
    row = _find(reader, PropertyRecord, namespace_id, name)
    return None if row is None else _property(row)


def properties(reader: Reader, namespace_id: int) -> list[PropertyRecord]:
    """Every property of a namespace, by name."""
    return [_property(row) for row in _all(reader, PropertyRecord, namespace_id)]


# -- tags ----------------------------------------------------------------------------------------------------------


def _tag(row: Row) -> TagRecord:
    return TagRecord(row["name"], row["created_at"], row["updated_at"], row["id"])


def find_tag(reader: Reader, namespace_id: int, name: str) -> TagRecord | None:
    row = _find(reader, TagRecord, namespace_id, name)
    return None if row is None else _tag(row)


def tags(reader: Reader, namespace_id: int) -> list[TagRecord]:
    """Every tag of a namespace, by name."""
    return [_tag(row) for row in _all(reader, TagRecord, namespace_id)]


def page_of_tags(
    reader: Reader, namespace_id: int, order: Order, limit: int | None, marker: TagRecord | None
) -> list[TagRecord]:
    sql, parameters = ordered("metadef_tags", order, None if marker is None else marker.id, ["namespace_id = ?"])
    return [_tag(row) for row in reader.rows(sql, [namespace_id, *parameters, LARGEST if limit is None else limit])]

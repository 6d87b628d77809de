"""Records: rows with columns of their own and a JSON column for what clients add, read and written as plain dicts.

An aggregate's file says what its table looks like (`TableSchema`) and adds the queries that are its own.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from appliance.db.engine.base import Reader, Row, Tx
from appliance.errors import Invalid
from appliance.values import TEXT_BYTES, fits

Record = dict[str, Any]
"""One resource as the identity package handles it: column names and invented attributes side by side."""


@dataclass(frozen=True, slots=True)
class TableSchema:
    """A table whose rows are records. `id` is always a column; names here come from us, never from a client."""

    table: str
    columns: tuple[str, ...]
    booleans: frozenset[str] = frozenset()
    json: frozenset[str] = frozenset()
    """Columns whose text is JSON."""
    extra: bool = True
    """Whether the table has the column `extra` for attributes without a column."""


MOST_FILTERS = 60

Condition = tuple[str, Sequence[Any]]
"""An SQL condition and its parameters."""


@dataclass(frozen=True, slots=True)
class Filter:
    """A condition on one attribute. `comparator` is one of `COMPARATORS`."""

    attribute: str
    value: Any
    comparator: str = "equals"


# As long as the value, or all there is of the column.
_AT_END = "substr({0}, CASE WHEN length({0}) > length(?) THEN length({0}) - length(?) ELSE 0 END + 1)"

COMPARATORS = {
    "equals": "{column} = ?",
    "contains": "replace({column}, ?, '') <> {column}",
    "icontains": "replace(lower({column}), lower(?), '') <> lower({column})",
    "startswith": "substr({column}, 1, length(?)) = ?",
    "istartswith": "substr(lower({column}), 1, length(?)) = lower(?)",
    "endswith": f"{_AT_END.format('{column}')} = ?",
    "iendswith": f"lower({_AT_END.format('{column}')}) = lower(?)",
    "before": "{column} < ?",
    "not_after": "{column} <= ?",
    "after": "{column} > ?",
    "not_before": "{column} >= ?",
    "differs": "{column} <> ?",
}


@dataclass(frozen=True, slots=True)
class Page:
    """Which part of a list is wanted: at most `limit` records after the one with the id `marker`."""

    limit: int | None = None
    marker: str | None = None


ALL = Page()


def check_number(filters: int) -> None:
    """Raise `Invalid` for more filters than a statement should have."""
    if filters > MOST_FILTERS:
        raise Invalid(f"Too many filters: a list takes at most {MOST_FILTERS}.")


def conditions(filters: Iterable[Filter], prefix: str = "") -> tuple[list[str], list[Any]]:
    """SQL conditions and their parameters. Attributes must be columns. Raises `Invalid` for more than make sense."""
    clauses: list[str] = []
    parameters: list[Any] = []
    for item in filters:
        check_number(len(clauses) + 1)
        column = f"{prefix}{item.attribute}"
        if item.value is None:
            clauses.append(f"{column} IS NULL")
            continue
        if item.value == "" and item.comparator.removeprefix("i") in ("contains", "startswith", "endswith"):
            continue
        clause = COMPARATORS[item.comparator].format(column=column)
        clauses.append(f"({clause})")
        parameters += [item.value] * clause.count("?")
    return clauses, parameters


def select(
    reader: Reader,
    schema: TableSchema,
    filters: Iterable[Filter] = (),
    page: Page = ALL,
    more: Sequence[Condition] = (),
) -> list[Record]:
    """The records that meet every filter and every further (condition, parameters), in the order of their ids."""
    clauses, parameters = conditions(filters)
    for clause, values in more:
        clauses.append(clause)
        parameters += values
    if page.marker is not None:
        clauses.append("id > ?")
        parameters.append(page.marker)
    sql = f"SELECT * FROM {schema.table}"
    if clauses:
        sql += " WHERE " + " AND ".join(clauses)
    sql += " ORDER BY id"
    if page.limit is not None:
        sql += " LIMIT ?"
        parameters.append(page.limit)
    return [read(schema, row) for row in reader.rows(sql, parameters)]


def find(reader: Reader, schema: TableSchema, record_id: str) -> Record | None:
    """The record with this id."""
    row = reader.row(f"SELECT * FROM {schema.table} WHERE id = ?", (record_id,))
    return None if row is None else read(schema, row)


_AT_ONCE = 250
"""Records found by one statement."""


def one_of(column: str, values: Sequence[Any]) -> Condition:
    """A condition: the column has one of these values."""
    return f"{column} IN ({', '.join('?' * len(values))})" if values else "1 = 0", values


def find_many(reader: Reader, schema: TableSchema, ids: Iterable[str]) -> list[Record]:
    """The records with these ids, in the order of their ids."""
    wanted = sorted(set(ids))
    batches = (wanted[start : start + _AT_ONCE] for start in range(0, len(wanted), _AT_ONCE))
    return [record for batch in batches for record in select(reader, schema, more=[one_of("id", batch)])]


def insert(tx: Tx, schema: TableSchema, record: Record) -> None:
    """Add a record. Raises `IntegrityError` when a name or id is taken."""
    row = write(schema, record)
    names = ", ".join(row)
    marks = ", ".join("?" * len(row))
    tx.execute(f"INSERT INTO {schema.table} ({names}) VALUES ({marks})", list(row.values()))


def update(tx: Tx, schema: TableSchema, record: Record) -> None:
    """Write every column of the record with `record['id']`. Raises `IntegrityError` when a name is taken."""
    row = write(schema, record)
    assignments = ", ".join(f"{name} = ?" for name in row)
    tx.execute(f"UPDATE {schema.table} SET {assignments} WHERE id = ?", [*row.values(), record["id"]])


def delete(tx: Tx, schema: TableSchema, record_id: str) -> bool:
    """Remove the record; False if there was none."""
    return tx.execute(f"DELETE FROM {schema.table} WHERE id = ?", (record_id,)).rowcount > 0


def read(schema: TableSchema, row: Row) -> Record:
    """A row as a record. Invented attributes never hide a column."""
    record: Record = json.loads(row["extra"]) if schema.extra else {}
    for column in schema.columns:
        value = row[column]
        if column in schema.booleans and value is not None:
            value = bool(value)
        elif column in schema.json:
            value = json.loads(value)
        record[column] = value
    return record


def write(schema: TableSchema, record: Record) -> dict[str, Any]:
    """The columns of a record; what has no column of its own goes into `extra`.

    Raises `Invalid` for a text that is longer than Keystone could store.
    """
    row: dict[str, Any] = {}
    for column in schema.columns:
        value = record.get(column)
        if column in schema.booleans and value is not None:
            value = int(value)
        elif column in schema.json:
            value = json.dumps(value if value is not None else {})
        row[column] = value
    if schema.extra:
        row["extra"] = json.dumps({key: value for key, value in record.items() if key not in schema.columns})
    for column, value in row.items():
        if isinstance(value, str) and not fits(value):
            what = "What the attributes without a column of their own say" if column == "extra" else column
            raise Invalid(f"{what} is too long: it may have at most {TEXT_BYTES} bytes.")
    return row

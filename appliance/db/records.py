"""Rows as values: a dataclass for each table, a JSON column for what clients add.

An aggregate's file has its dataclass and its `Table`, and adds the queries that are its own.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import Field, dataclass, field, fields, replace
from typing import Any, Generic, Protocol, TypeVar, get_origin

from appliance.db.engine.base import Parameters, Row, Tx
from appliance.errors import Invalid
from appliance.values import TEXT_BYTES, fits

Record = dict[str, Any]
"""What clients send and are shown of a resource: attributes of its own and invented ones side by side."""

Options = Mapping[str, Any]
"""A column whose text is JSON."""

R = TypeVar("R")


class Reader(Protocol):
    """What can be read from: the database as a whole, or an open transaction."""

    def row(self, sql: str, parameters: Parameters = (), /) -> Row | None: ...

    def rows(self, sql: str, parameters: Parameters = (), /) -> list[Row]: ...


def computed(default: Any = None) -> Any:
    """A field of a row that no column has: whoever reads the row may fill it."""
    return field(default=default, metadata={"computed": True})


class Table(Generic[R]):
    """A table whose rows are values of one dataclass. Its fields are the columns: a `bool` is kept as 0 or 1, a mapping
    or sequence as JSON; `extra` holds the attributes without a column. Names here come from us, never from a client."""

    def __init__(self, name: str, row: type[R]) -> None:
        self.name = name
        self.row = row
        every: tuple[Field[Any], ...] = fields(row)  # type: ignore[arg-type]
        stored = [one for one in every if not one.metadata]
        self.names = frozenset(one.name for one in every) - {"extra"}
        self.columns = tuple(one.name for one in stored)
        self.booleans = frozenset(one.name for one in stored if one.type is bool)
        self.json = frozenset(one.name for one in stored if get_origin(one.type) in (Mapping, Sequence))
        self.extra = "extra" in self.columns

    def made(self, values: Mapping[str, Any]) -> R:
        """A row of attributes; those without a column are its `extra`."""
        return self.row(**self._split(values, {}))

    def changed(self, row: R, changes: Mapping[str, Any]) -> R:
        """The row with other attributes."""
        return replace(row, **self._split(changes, getattr(row, "extra", {})))  # type: ignore[type-var]

    def _split(self, values: Mapping[str, Any], extra: Mapping[str, Any]) -> dict[str, Any]:
        found = {name: value for name, value in values.items() if name in self.names}
        if self.extra:
            found["extra"] = {**extra, **{name: value for name, value in values.items() if name not in self.names}}
        return found


def attributes(row: Any) -> Record:
    """Everything a row says, invented attributes beside the others, which they never hide."""
    own = {one.name: getattr(row, one.name) for one in fields(row)}
    return {**own.pop("extra", {}), **own}


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
    table: Table[R],
    filters: Iterable[Filter] = (),
    page: Page = ALL,
    more: Sequence[Condition] = (),
) -> list[R]:
    """The rows that meet every filter and every further (condition, parameters), in the order of their ids."""
    clauses, parameters = conditions(filters)
    for clause, values in more:
        clauses.append(clause)
        parameters += values
    if page.marker is not None:
        clauses.append("id > ?")
        parameters.append(page.marker)
    sql = f"SELECT {', '.join(table.columns)} FROM {table.name}"
    if clauses:
        sql += " WHERE " + " AND ".join(clauses)
    sql += " ORDER BY id"
    if page.limit is not None:
        sql += " LIMIT ?"
        parameters.append(page.limit)
    return [read(table, row) for row in reader.rows(sql, parameters)]


def find(reader: Reader, table: Table[R], row_id: str) -> R | None:
    """The row with this id."""
    return one(reader, table, "id = ?", row_id)


def one(reader: Reader, table: Table[R], condition: str, *parameters: Any) -> R | None:
    """The one row that meets a condition."""
    row = reader.row(f"SELECT {', '.join(table.columns)} FROM {table.name} WHERE {condition}", parameters)
    return None if row is None else read(table, row)


_AT_ONCE = 250
"""Records found by one statement."""


def one_of(column: str, values: Sequence[Any]) -> Condition:
    """A condition: the column has one of these values."""
    return f"{column} IN ({', '.join('?' * len(values))})" if values else "1 = 0", values


def find_many(reader: Reader, table: Table[R], ids: Iterable[str]) -> list[R]:
    """The rows with these ids, in the order of their ids."""
    wanted = sorted(set(ids))
    batches = (wanted[start : start + _AT_ONCE] for start in range(0, len(wanted), _AT_ONCE))
    return [record for batch in batches for record in select(reader, table, more=[one_of("id", batch)])]


def insert(tx: Tx, table: Table[R], row: R) -> None:
    """Add a row. Raises `IntegrityError` when a name or id is taken."""
    columns = write(table, row)
    marks = ", ".join("?" * len(columns))
    tx.execute(f"INSERT INTO {table.name} ({', '.join(columns)}) VALUES ({marks})", list(columns.values()))


def update(tx: Tx, table: Table[R], row: R) -> None:
    """Write every column of the row with the same id. Raises `IntegrityError` when a name is taken."""
    columns = write(table, row)
    assignments = ", ".join(f"{name} = ?" for name in columns)
    tx.execute(f"UPDATE {table.name} SET {assignments} WHERE id = ?", [*columns.values(), columns["id"]])


def delete(tx: Tx, table: Table[Any], row_id: str) -> bool:
    """Remove the row; False if there was none."""
    return tx.execute(f"DELETE FROM {table.name} WHERE id = ?", (row_id,)).rowcount > 0


def read(table: Table[R], row: Row) -> R:
    """A row of the database as a value."""
    values: dict[str, Any] = {}
    for column in table.columns:
        value = row[column]
        if column in table.booleans and value is not None:
            value = bool(value)
        elif column in table.json:
            value = json.loads(value)
        values[column] = value
    return table.row(**values)


def write(table: Table[R], row: R) -> dict[str, Any]:
    """The columns of a row. Raises `Invalid` for a text that is longer than Keystone could store."""
    columns: dict[str, Any] = {}
    for column in table.columns:
        value = getattr(row, column)
        if column in table.booleans and value is not None:
            value = int(value)
        elif column in table.json:
            value = json.dumps(value if value is not None else {})
        columns[column] = value
    for column, value in columns.items():
        if isinstance(value, str) and not fits(value):
            what = "What the attributes without a column of their own say" if column == "extra" else column
            raise Invalid(f"{what} is too long: it may have at most {TEXT_BYTES} bytes.")
    return columns

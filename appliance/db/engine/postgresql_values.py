"""What PostgreSQL's values and rows look like to the rest: numbers of 64 bits, booleans as 0 and 1, columns by name."""

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any, ClassVar

import psycopg
from psycopg import rows
from psycopg.adapt import Buffer
from psycopg.pq import Format
from psycopg.types.numeric import IntDumper, IntLoader

from appliance.db.engine.base import Parameters, Row


class _Row(tuple[Any, ...]):
    """A row that is asked by name or by number."""

    __slots__ = ()
    _places: ClassVar[dict[str, int]]

    def __getitem__(self, key: Any) -> Any:
        return tuple.__getitem__(self, self._places[key] if type(key) is str else key)

    def keys(self) -> Iterable[str]:
        return self._places.keys()


@lru_cache(maxsize=1024)
def _row_type(names: tuple[str, ...]) -> type[_Row]:
    return type("Row", (_Row,), {"__slots__": (), "_places": {name: place for place, name in enumerate(names)}})


def row_factory(cursor: psycopg.Cursor[Any]) -> rows.RowMaker[Row]:
    return _row_type(tuple(column.name for column in cursor.description or ()))


class _Whole(IntDumper):
    """Numbers of 64 bits, and booleans as numbers."""

    def upgrade(self, obj: int, format: Any) -> Any:
        if not -(2**63) <= obj < 2**63:
            raise OverflowError("Python int too large to convert to a number of 64 bits")
        return super().upgrade(int(obj), format)

    def get_key(self, obj: int, format: Any) -> Any:
        return super().get_key(int(obj), format)


class _Flag(psycopg.adapt.Dumper):
    oid = psycopg.postgres.types["int2"].oid
    format = Format.TEXT

    def dump(self, obj: bool) -> Buffer:
        return b"1" if obj else b"0"


def adapt(connection: psycopg.Connection[Any]) -> None:
    """Have a connection take and give values like that."""
    connection.adapters.register_dumper(int, _Whole)
    connection.adapters.register_dumper(bool, _Flag)
    # What sums give.
    connection.adapters.register_loader("numeric", IntLoader)


def without_nul(parameters: Parameters) -> Parameters:
    """With a character that is none in its place, so that the rest of the question keeps its meaning."""
    if isinstance(parameters, Mapping):
        return {name: _no_nul(value) for name, value in parameters.items()}
    return [_no_nul(value) for value in parameters]


def _no_nul(value: Any) -> Any:
    return value.replace("\0", "\uffff") if isinstance(value, str) else value

"""Pages of images: filters, sort and keyset paging, in one statement for a page.

Every way in which images come onto the page is a branch of its own, which finds its first rows in index order; the
page is merged from the branches. So a page costs the same with a hundred images and with a hundred thousand. Where a
filter finds few rows by an index of its own, the ways are conditions on those. The ids of a page come first, then the
images, a few at a time: a page ends early when those are heavy.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum
from functools import cached_property
from typing import Any

from appliance.db.engine.base import Database
from appliance.db.image.images import AT_ONCE, COLUMNS, SELECT, ImageRecord, bare_record, fill, marks_for

# What a client may sort by, as it is sorted: an index on `coalesce(name, '')` is behind the sort by name.
SORT_KEYS = {
    "name": "coalesce({i}name, '')",
    "status": "{i}status",
    "container_format": "coalesce({i}container_format, '')",
    "disk_format": "coalesce({i}disk_format, '')",
    "size": "coalesce({i}size, 0)",
    "id": "{i}id",
    "created_at": "{i}created_at",
    "updated_at": "{i}updated_at",
}

FILTER_COLUMNS = frozenset(COLUMNS) - {"revision", "staged_store", "staged_content", "held_by"}
_OPERATORS = {"eq": "=", "neq": "<>", "lt": "<", "lte": "<=", "gt": ">", "gte": ">="}
_SELECTIVE = frozenset({"id", "checksum", "os_hash_value"})

_BASE_WEIGHT = 1024
"""What an image without properties takes in an answer, roughly."""
_SIZES = (1, 4, 16, 64, 256, 1024)
"""How many values a list in a statement has. Others are filled up to the next size, so that few statements differ."""


@dataclass(frozen=True, slots=True)
class Condition:
    """One comparison of a column; for the operator `in`, `value` is a list."""

    column: str
    operator: str
    value: Any


class Way(Enum):
    """How images come onto a list. Which ways are a caller's is not decided here."""

    EVERY = "whoever owns them"
    ALL_BUT_FOREIGN_COMMUNITY = "whoever owns them, but of the community images only those of the project"
    PUBLIC = "public"
    COMMUNITY = "of the community"
    OWN = "of the project"
    SHARED = "shared with the project"


@dataclass(slots=True)
class PageQuery:
    """What a page is made of: images that come by one of the `ways`, as far as they meet every condition."""

    project: str | None
    ways: tuple[Way, ...]
    limit: int
    visibility: str | None = None
    """The only one that is wanted; None for all that the ways lead to."""
    member_status: str = "accepted"
    os_hidden: bool = False
    conditions: list[Condition] = field(default_factory=list)
    properties: list[tuple[str, str]] = field(default_factory=list)
    tags: list[str] = field(default_factory=list)
    sort: list[tuple[str, str]] = field(default_factory=lambda: [("created_at", "desc"), ("id", "desc")])
    marker: ImageRecord | None = None

    @property
    def property_names(self) -> list[str]:
        """The extra properties that are looked at."""
        return [name for name, _ in self.properties]


@dataclass(frozen=True, slots=True)
class Page:
    """The images of one page, in order, whole; `more` if the list may go on after them."""

    images: list[ImageRecord]
    more: bool
    cut: bool = False
    """Whether the page ended early."""


def page(db: Database, query: PageQuery, most_bytes: int) -> Page:
    """At most `query.limit` images, fewer if they would take more than `most_bytes` of an answer, but at least one."""
    statement = _Statement(query)
    ids = [row[0] for row in db.rows(statement.sql(), statement.parameters)]
    found: list[ImageRecord] = []
    room, start, size = most_bytes, 0, AT_ONCE
    while start < len(ids):
        wanted = ids[start : start + size]
        read = _read(db, wanted, query.project, room)
        if read is None and size > 1:
            # Heavy ones: as many as there is room for, one by one.
            size = 1
            continue
        if read is None and found:
            return Page(found, more=True, cut=True)
        images, weight = read or _read(db, wanted, query.project, None) or ({}, 0)
        # One that was deleted meanwhile is passed over.
        found += [images[image_id] for image_id in wanted if image_id in images]
        room -= weight
        start += size
    return Page(found, more=len(ids) == query.limit)


def _read(
    db: Database, ids: Sequence[str], project: str | None, room: int | None
) -> tuple[dict[str, ImageRecord], int] | None:
    """Some images by their ids, and what they take of an answer; None if that is more than there is room for."""
    marks, parameters = marks_for(ids)
    with db.snapshot():
        rows = db.rows(f"{SELECT} FROM images i WHERE i.id IN ({marks})", (project, *parameters))
        found = {image.id: image for image in map(bare_record, rows)}
        weight = fill(db, found, None if room is None else room - _BASE_WEIGHT * len(found)) if found else 0
    return None if weight is None else (found, weight + _BASE_WEIGHT * len(found))


class _Statement:
    """The SQL of one page's ids, with its parameters numbered as they come up."""

    def __init__(self, query: PageQuery) -> None:
        self._query = query
        self.parameters: dict[str, Any] = {}
        self._lists: list[str] = []
        # A filter with an index of its own finds few rows: keep the planner from walking a branch's index instead.
        self._selective = bool(query.properties or query.tags) or any(
            condition.column in _SELECTIVE or (condition.column == "status" and condition.value != "active")
            for condition in query.conditions
        )

    def sql(self) -> str:
        tail = f"{self._order('i.')} LIMIT {self._bind(self._query.limit)}"
        common = self._conditions()
        ways = [" AND ".join(conditions) for conditions in self._branches()]
        if self._selective:
            # The filter leads, and finds its rows once for all branches.
            ways = [f"({' OR '.join(f'({way})' for way in ways)})"]
        branches = [
            f"SELECT id FROM (SELECT i.id FROM images i WHERE {' AND '.join([way, *common])} {tail}) AS branch"
            for way in ways
        ]
        page = branches[0]
        if len(branches) > 1:
            page = f"SELECT i.id FROM images i WHERE i.id IN ({' UNION '.join(branches)}) {tail}"
        return f"WITH {', '.join(self._lists)} {page}" if self._lists else page

    @cached_property
    def _project(self) -> str:
        """Bound when it is first asked for: SQLite gives no name to a number that a statement leaves out."""
        return self._bind(self._query.project)

    def _bind(self, value: Any) -> str:
        # By number: SQLite compares each name with all before it, and a list may have a thousand. To sqlite3 `?1` is a
        # parameter named "1"; Python 3.14 takes no sequence for it.
        number = str(len(self.parameters) + 1)
        self.parameters[number] = value
        return f"?{number}"

    def _column(self, name: str) -> str:
        """A column that a branch compares; hidden from the planner if a filter should lead."""
        return (f"i.{name} + 0" if name == "os_hidden" else f"(i.{name} || '')") if self._selective else f"i.{name}"

    def _branches(self) -> list[list[str]]:
        """For each way, what it asks for."""
        return [self._branch(way) for way in self._query.ways] or [["1 = 0"]]

    def _branch(self, way: Way) -> list[str]:
        if way is Way.SHARED:
            return ["(i.visibility || '') = 'shared'", self._membership()]
        if way is Way.OWN:
            return [f"{self._column('owner')} = {self._project}", *self._only_visibility()]
        if way is Way.EVERY:
            return self._only_visibility() or ["1 = 1"]
        if way is Way.ALL_BUT_FOREIGN_COMMUNITY:
            return [f"(i.visibility <> 'community' OR i.owner = {self._project})"]
        return [f"{self._column('visibility')} = '{way.name.lower()}'"]

    def _only_visibility(self) -> list[str]:
        wanted = self._query.visibility
        return [] if wanted is None else [f"i.visibility = {self._bind(wanted)}"]

    def _membership(self) -> str:
        status = self._query.member_status
        answered = "" if status == "all" else f" AND status = {self._bind(status)}"
        return f"i.id IN (SELECT image_id FROM image_members WHERE member_id = {self._project}{answered})"

    def _conditions(self) -> list[str]:
        query = self._query
        found = [
            f"{self._column('os_hidden')} = {self._bind(int(query.os_hidden))}",
            "i.status NOT IN ('killed', 'pending_delete')",
        ]
        found += [self._comparison(condition) for condition in query.conditions]
        found += [
            f"i.id IN (SELECT image_id FROM image_properties WHERE name = {self._bind(name)} "
            f"AND value = {self._bind(value)})"
            for name, value in query.properties
        ]
        found += [f"i.id IN (SELECT image_id FROM image_tags WHERE value = {self._bind(tag)})" for tag in query.tags]
        if query.marker is not None:
            found.append(self._after(query.marker))
        return found

    def _comparison(self, condition: Condition) -> str:
        assert condition.column in FILTER_COLUMNS, condition.column
        if condition.operator == "in":
            if not condition.value:
                return "1 = 0"
            values = ", ".join(f"({self._bind(value)})" for value in _filled_up(condition.value))
            name = f"wanted_{len(self._lists)}"
            self._lists.append(f"{name} (value) AS (VALUES {values})")
            return f"i.{condition.column} IN (SELECT value FROM {name})"
        column = f"i.{condition.column}"
        if condition.column == "name" and condition.operator == "eq" and condition.value:
            column = "coalesce(i.name, '')"
        return f"{column} {_OPERATORS[condition.operator]} {self._bind(condition.value)}"

    def _order(self, prefix: str) -> str:
        keys = (f"{SORT_KEYS[key].format(i=prefix)} {direction.upper()}" for key, direction in self._query.sort)
        return f"ORDER BY {', '.join(keys)}"

    def _after(self, marker: ImageRecord) -> str:
        """True for rows that come after the marker in the sort."""
        keys = [SORT_KEYS[key].format(i="i.") for key, _ in self._query.sort]
        values = [self._bind(_marker_value(marker, key)) for key, _ in self._query.sort]
        signs = ["<" if direction == "desc" else ">" for _, direction in self._query.sort]
        if len(set(signs)) == 1:
            return f"({', '.join(keys)}) {signs[0]} ({', '.join(values)})"
        alternatives = []
        for last in range(len(keys)):
            equal = [f"{keys[n]} = {values[n]}" for n in range(last)]
            alternatives.append(" AND ".join([*equal, f"{keys[last]} {signs[last]} {values[last]}"]))
        return f"({' OR '.join(f'({alternative})' for alternative in alternatives)})"


def _filled_up(values: Sequence[Any]) -> list[Any]:
    """The values, the last one repeated until there are as many as one of the usual sizes."""
    size = next(size for size in _SIZES if size >= len(values))
    return [*values, *([values[-1]] * (size - len(values)))]


def _marker_value(marker: ImageRecord, key: str) -> Any:
    value = getattr(marker, key)
    if value is None:
        return 0 if key == "size" else ""
    return value


def complete_sort(sort: Sequence[tuple[str, str]], direction: str) -> list[tuple[str, str]]:
    """The sort with `created_at` and `id` behind it, in the direction given, so that the order is total."""
    keys = [key for key, _ in sort]
    return [*sort, *((key, direction) for key in ("created_at", "id") if key not in keys)]

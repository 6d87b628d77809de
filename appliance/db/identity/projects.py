"""Rows of projects, which domains are too, their tags, and the domains' configurations."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from appliance.db.engine.base import Reader, Tx
from appliance.db.records import Condition, Options, Table, computed, one, read
from appliance.errors import Invalid


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """A project, or a domain, which has no `domain_id` and no `parent_id`."""

    id: str
    name: str
    domain_id: str | None = None
    parent_id: str | None = None
    is_domain: bool = False
    enabled: bool = True
    description: str = ""
    options: Options = field(default_factory=dict)
    extra: Mapping[str, Any] = field(default_factory=dict)
    tags: Sequence[str] = computed(())

    @property
    def domain(self) -> str:
        """The id of the domain that it is in, or is."""
        return self.domain_id or self.id


PROJECTS = Table("projects", Project)


def by_name(reader: Reader, name: str, domain_id: str) -> Project | None:
    """A project that is no domain."""
    return one(reader, PROJECTS, "domain_id = ? AND name = ? AND is_domain = 0", domain_id, name)


def domain_by_name(reader: Reader, name: str) -> Project | None:
    return one(reader, PROJECTS, "name = ? AND is_domain = 1", name)


_DEEPEST = 1000


def ancestors(reader: Reader, project_id: str) -> list[Project]:
    """The chain of parents, the nearest first, the domain last."""
    rows = reader.rows(
        """
        WITH RECURSIVE above(id, depth) AS (
            SELECT parent_id, 1 FROM projects WHERE id = ?
            UNION SELECT projects.parent_id, depth + 1 FROM projects JOIN above ON projects.id = above.id
             WHERE depth < ?)
        SELECT projects.* FROM projects JOIN above ON projects.id = above.id ORDER BY depth
        """,
        (project_id, _DEEPEST),
    )
    return [read(PROJECTS, row) for row in rows]


def descendants(reader: Reader, project_id: str) -> list[Project]:
    """Everything below, level by level."""
    rows = reader.rows(
        """
        WITH RECURSIVE tree(id, depth) AS (
            SELECT id, 1 FROM projects WHERE parent_id = ?
            UNION SELECT projects.id, depth + 1 FROM projects JOIN tree ON projects.parent_id = tree.id)
        SELECT projects.* FROM projects JOIN tree ON projects.id = tree.id ORDER BY depth, projects.id
        """,
        (project_id,),
    )
    return [read(PROJECTS, row) for row in rows]


def tags(reader: Reader, project_id: str) -> list[str]:
    rows = reader.rows("SELECT name FROM project_tags WHERE project_id = ? ORDER BY name", (project_id,))
    return [row["name"] for row in rows]


def all_tags(reader: Reader) -> dict[str, list[str]]:
    """The tags of every project that has any."""
    found: dict[str, list[str]] = {}
    for row in reader.rows("SELECT project_id, name FROM project_tags ORDER BY name"):
        found.setdefault(row["project_id"], []).append(row["name"])
    return found


def set_tags(tx: Tx, project_id: str, names: Sequence[str]) -> None:
    tx.execute("DELETE FROM project_tags WHERE project_id = ?", (project_id,))
    tx.executemany("INSERT INTO project_tags VALUES (?, ?)", [(project_id, name) for name in dict.fromkeys(names)])


def add_tag(tx: Tx, project_id: str, name: str) -> None:
    tx.execute("INSERT INTO project_tags VALUES (?, ?) ON CONFLICT DO NOTHING", (project_id, name))


def remove_tag(tx: Tx, project_id: str, name: str) -> bool:
    return tx.execute("DELETE FROM project_tags WHERE project_id = ? AND name = ?", (project_id, name)).rowcount > 0


_MOST_TAGS = 80
_HAS_TAGS = "(SELECT count(*) FROM project_tags WHERE project_id = projects.id AND name IN ({marks}))"


def having_tags(names: Sequence[str], *, every: bool, negated: bool) -> Condition:
    """A condition: the project has every one, or any one, of the tags; or, negated, has not."""
    wanted = list(dict.fromkeys(names))
    if len(wanted) > _MOST_TAGS:
        raise Invalid(f"Too many tags: a filter takes at most {_MOST_TAGS}, as many as a project may have.")
    count = _HAS_TAGS.format(marks=", ".join("?" * len(wanted)))
    met = f"{count} = {len(wanted)}" if every else f"{count} > 0"
    return (f"NOT ({met})" if negated else met), wanted


Config = dict[str, dict[str, Any]]
"""Group → option → value."""


def config_of(reader: Reader, domain_id: str) -> Config:
    """Everything that is configured for the domain."""
    rows = reader.rows(
        "SELECT group_name, option_name, value FROM domain_config_options WHERE domain_id = ? ORDER BY 1, 2",
        (domain_id,),
    )
    found: Config = {}
    for row in rows:
        found.setdefault(row["group_name"], {})[row["option_name"]] = json.loads(row["value"])
    return found


def put(tx: Tx, domain_id: str, config: Mapping[str, Mapping[str, Any]]) -> None:
    """Set these options; others stay."""
    rows = [
        (domain_id, group, option, json.dumps(value))
        for group, options in config.items()
        for option, value in options.items()
    ]
    tx.executemany(
        "INSERT INTO domain_config_options VALUES (?, ?, ?, ?) "
        "ON CONFLICT (domain_id, group_name, option_name) DO UPDATE SET value = excluded.value",
        rows,
    )


def remove(tx: Tx, domain_id: str, group: str | None = None, option: str | None = None) -> None:
    """Remove one option, one group, or everything."""
    sql, parameters = "DELETE FROM domain_config_options WHERE domain_id = ?", [domain_id]
    for column, value in (("group_name", group), ("option_name", option)):
        if value is not None:
            sql += f" AND {column} = ?"
            parameters.append(value)
    tx.execute(sql, parameters)

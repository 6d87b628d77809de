"""Rows of domain configuration: one for each option of each group."""

import json
from collections.abc import Mapping
from typing import Any

from appliance.db.database import Tx
from appliance.db.records import Reader

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

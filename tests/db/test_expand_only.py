"""Steps that are new since several nodes may serve: a node of the version before must not notice them.

Tables and columns come, with a default or without a value; none changes its meaning, and none goes, in the version that
stops to use it. What is to go goes in the version after that, and is named here then, with the reason.
"""

import re

import pytest

from appliance.db.migrations.steps import STEPS

FIRST = "0017_nodes"
"""Before that, one process owned a database."""
EXPANDS = re.compile(
    r"\s*(CREATE TABLE \w+ |CREATE INDEX \w+ ON \w+ |INSERT INTO \w+ "
    r"|ALTER TABLE \w+ ADD COLUMN \w+ (TEXT|INTEGER|BLOB)( NOT NULL DEFAULT [^,]+)?\s*\Z)"
)
CONTRACTS: dict[str, str] = {}
"""Steps that take away what the version before no longer uses, and what that is."""


class Recorder:
    """Notes what a step asks of the database."""

    def __init__(self) -> None:
        self.statements: list[str] = []

    def execute(self, sql: str, parameters: object = ()) -> None:
        self.statements.append(sql)


NEW = [name for name, _ in STEPS if name >= FIRST]


@pytest.mark.parametrize("name", NEW)
def test_a_new_step_only_adds(name: str) -> None:
    recorder = Recorder()
    dict(STEPS)[name](recorder)
    if name not in CONTRACTS:
        assert [sql for sql in recorder.statements if not EXPANDS.match(sql)] == []


@pytest.mark.parametrize(
    "sql",
    [
        "DROP TABLE images",
        "ALTER TABLE images DROP COLUMN held_by",
        "ALTER TABLE images RENAME TO pictures",
        "ALTER TABLE images ADD COLUMN held_by TEXT NOT NULL",
        "UPDATE images SET status = 'queued'",
        "CREATE UNIQUE INDEX images_by_name ON images (name)",
        "DELETE FROM tasks",
    ],
)
def test_what_a_node_of_the_version_before_would_notice_is_told_apart(sql: str) -> None:
    assert not EXPANDS.match(sql)


def test_the_steps_are_in_the_order_of_their_numbers() -> None:
    assert [name for name, _ in STEPS] == sorted(name for name, _ in STEPS)

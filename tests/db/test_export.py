"""Exports of the rows of a database file."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from appliance.db.engine.sqlite import SqliteDatabase
from appliance.db.export import TABLES, each, figures, write_sqlite
from appliance.errors import Unavailable

# What is never exported: proofs of who somebody is, what opens other services, and the insides of the store.
WITHHELD = {
    "application_credentials": {"secret_hash"},
    "image_locations": {"id", "content_id", "url", "metadata"},
    "images": {"held_by", "revision", "staged_store", "staged_content"},
    "tasks": {"held_by", "input", "result"},
    "metadef_namespaces": {"id"},
    "projects": {"extra", "options"},
    "roles": {"extra", "options"},
    "regions": {"extra"},
    "services": {"extra"},
    "endpoints": {"extra"},
    "trusts": {"redelegated_trust_id", "redelegation_count", "extra"},
    "user_groups": {"extra"},
    "users": {"extra", "options", "failed_auth_count", "failed_auth_at"},
    "image_members": {"can_share"},
}


@pytest.fixture
def path(tmp_path: Path) -> Iterator[Path]:
    made = tmp_path / "appliance.db"
    database = SqliteDatabase(made)
    with closing(sqlite3.connect(made)) as connection, connection:
        connection.execute(
            "INSERT INTO projects (id, name, domain_id, is_domain, enabled, description, extra, options) "
            "VALUES ('default', 'Default', NULL, 1, 1, '', '{}', '{}')"
        )
        connection.execute(
            "INSERT INTO users (id, name, domain_id, enabled, extra, options, created_at) "
            "VALUES ('u1', 'ann', 'default', 1, '{\"hint\": \"canary-extra\"}', '{}', 1700000000000000)"
        )
        connection.execute(
            "INSERT INTO passwords (user_id, hash, self_service, created_at) VALUES ('u1', 'canary-hash', 0, 1)"
        )
    yield made
    database.close()


def columns(path: Path, table: str) -> set[str]:
    with closing(sqlite3.connect(path)) as connection:
        return {row[1] for row in connection.execute(f"PRAGMA table_info({table})")}


@pytest.mark.parametrize("table", TABLES)
def test_every_column_is_either_exported_or_withheld_on_purpose(path: Path, table: str) -> None:
    assert columns(path, table) == set(TABLES[table].split()) | WITHHELD.get(table, set())


def test_rows_have_readable_times(path: Path) -> None:
    (users,) = [(exported.columns, list(exported.rows)) for exported in each(path, ["users"])]
    assert dict(zip(users[0], users[1][0], strict=True))["created_at"] == "2023-11-14T22:13:20.000000Z"


def test_a_table_without_rows_is_there_with_its_columns(path: Path) -> None:
    (images,) = [list(exported.columns) for exported in each(path, ["images"])]
    assert images == TABLES["images"].split()


def test_the_written_database_has_the_rows(path: Path, tmp_path: Path) -> None:
    assert write_sqlite(path, tmp_path / "out.db", ["users", "images"]) == {"users": 1, "images": 0}
    with closing(sqlite3.connect(tmp_path / "out.db")) as connection:
        assert connection.execute("SELECT id, name, enabled FROM users").fetchall() == [("u1", "ann", 1)]


def test_the_written_database_is_private(path: Path, tmp_path: Path) -> None:
    write_sqlite(path, tmp_path / "out.db", ["users"])
    assert (tmp_path / "out.db").stat().st_mode & 0o777 == 0o600


def test_nothing_of_what_is_withheld_is_in_the_written_file(path: Path, tmp_path: Path) -> None:
    write_sqlite(path, tmp_path / "out.db", list(TABLES))
    assert b"canary" not in (tmp_path / "out.db").read_bytes()


def test_all_tables_are_of_one_moment(path: Path) -> None:
    tables = each(path, ["projects", "users"])
    next(tables)
    with closing(sqlite3.connect(path)) as other, other:
        other.execute(
            "INSERT INTO users (id, name, domain_id, enabled, extra, options, created_at) "
            "VALUES ('u2', 'bob', 'default', 1, '{}', '{}', 1)"
        )
    assert [row[0] for row in next(tables).rows] == ["u1"]


def test_an_older_database_is_refused_with_a_sentence(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "old.db")) as connection, connection:
        connection.execute("CREATE TABLE users (id TEXT, name TEXT)")
    with pytest.raises(Unavailable, match="of an older version"):
        list(each(tmp_path / "old.db", ["users"]))


def test_figures_count_the_rows_of_every_table(path: Path) -> None:
    rows = figures(path)["rows"]
    assert (rows["users"], rows["passwords"], rows["images"]) == (1, 1, 0)


def test_figures_name_the_migration_steps(path: Path) -> None:
    assert figures(path)["steps"][0] == "0001_blocks"

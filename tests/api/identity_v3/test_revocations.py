"""What was revoked stays revoked and nothing else is, whatever the clock does and however much was revoked before."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from appliance.db.engine.base import Parameters, Row, Tx
from appliance.db.engine.sqlite import SqliteDatabase
from appliance.db.identity import revocations as rows
from appliance.settings import Settings
from tests.api.identity_v3.client import Client, password_auth, start
from tests.databases import open_test_database

HOUR = 3600
YEAR = 365 * 24 * HOUR


def works(client: Client, token: str) -> bool:
    return client.call("GET", "/v3/auth/projects", token=token).status == 200


def anna(client: Client) -> str:
    found: str = client.create("user", {"name": "anna", "password": "one"})["id"]
    return found


def change_password(client: Client, user: str, old: str, new: str) -> None:
    body = {"user": {"original_password": old, "password": new}}
    assert client.call("POST", f"/v3/users/{user}/password", body, token="").status == 204


@pytest.mark.parametrize("jump", [-1, -HOUR, -YEAR, HOUR, YEAR])
def test_a_user_whose_password_changed_before_the_clock_was_set_is_not_locked_out(client: Client, jump: float) -> None:
    user = anna(client)
    change_password(client, user, "one", "two")
    client.time.set_clock(jump)
    assert works(client, client.log_in("anna", "two", "unscoped"))


@pytest.mark.parametrize("jump", [-1, -HOUR, -YEAR, HOUR / 2])
def test_a_change_of_password_ends_tokens_that_the_clock_says_come_later(client: Client, jump: float) -> None:
    user = anna(client)
    token = client.log_in("anna", "one", "unscoped")
    assert works(client, token)
    client.time.set_clock(jump)
    change_password(client, user, "one", "two")
    assert not works(client, token)


def test_what_was_revoked_stays_so_though_the_clock_was_far_ahead_for_a_while(client: Client) -> None:
    user, other = anna(client), client.create("user", {"name": "bert", "password": "one"})["id"]
    token = client.log_in("anna", "one", "unscoped")
    change_password(client, user, "one", "two")
    client.time.set_clock(YEAR)
    change_password(client, other, "one", "two")
    client.time.set_clock(-YEAR)
    assert not works(client, token)


def test_tokens_from_before_a_restart_end_though_the_clock_was_set_back_with_it(tmp_path: Path) -> None:
    db = open_test_database(tmp_path / "x.db")
    before = start(tmp_path, Settings(), db)
    before.time.set_clock(HOUR / 2)
    user = anna(before)
    token = before.log_in("anna", "one", "unscoped")
    after = start(tmp_path, Settings(), db)
    change_password(after, user, "one", "two")
    assert not works(after, token)
    assert works(after, after.log_in("anna", "two", "unscoped"))
    db.close()


def test_issuing_tokens_writes_once_a_minute(client: Client) -> None:
    def reserved() -> str:
        row = client.identity.store.db.row("SELECT value FROM notes WHERE key = 'identity:stamps_reserved_until'")
        return str(row["value"]) if row is not None else ""

    found = set()
    for _ in range(20):
        client.log_in()
        found.add(reserved())
    assert len(found) <= 2


class CountingDatabase(SqliteDatabase):
    """Counts what is read."""

    def __init__(self, path: Path) -> None:
        self.queries: list[str] = []
        self.rows_read = 0
        super().__init__(path)

    def row(self, sql: str, parameters: Parameters = ()) -> Row | None:
        found = super().row(sql, parameters)
        self.queries.append(sql)
        self.rows_read += found is not None
        return found

    def rows(self, sql: str, parameters: Parameters = ()) -> list[Row]:
        found = super().rows(sql, parameters)
        self.queries.append(sql)
        self.rows_read += len(found)
        return found


@pytest.fixture
def counted(tmp_path: Path) -> Iterator[tuple[Client, CountingDatabase]]:
    db = CountingDatabase(tmp_path / "counted.db")
    yield start(tmp_path, Settings(), db), db
    db.close()


def cost(client: Client, db: CountingDatabase) -> tuple[int, int]:
    """Queries and rows of a write and of the validation that follows."""
    token = client.token or ""
    queries, read = len(db.queries), db.rows_read
    assert client.call("POST", "/v3/regions", {"region": {}}).status == 201
    assert works(client, token)
    return len(db.queries) - queries, db.rows_read - read


def test_a_write_costs_the_same_however_much_was_revoked(counted: tuple[Client, CountingDatabase]) -> None:
    client, db = counted
    before = cost(client, db)
    far = client.time() + YEAR * 1_000_000

    def change(tx: Tx) -> None:
        for number in range(5000):
            rows.add(tx, "audit", f"token-{number}", client.time(), far)

    db.transact(change)
    assert cost(client, db) == before


@pytest.mark.parametrize(
    ("ask", "index"),
    [
        (lambda db: rows.of_subjects(db, [("user", "a"), ("audit", "b")]), "sqlite_autoindex_revocations"),
        (lambda db: rows.latest(db), "revocations_by_time"),
    ],
)
def test_revocations_are_looked_up_in_an_index(counted: tuple[Client, CountingDatabase], ask: Any, index: str) -> None:
    _, db = counted
    ask(db)
    sql = db.queries[-1]
    plan = [row["detail"] for row in db.rows(f"EXPLAIN QUERY PLAN {sql}", ["x"] * sql.count("?"))]
    assert any("revocations" in step and index in step for step in plan), plan
    assert not any(step.startswith("SCAN revocations") and "INDEX" not in step for step in plan), plan


def test_what_concerns_only_expired_tokens_is_found_by_an_index(counted: tuple[Client, CountingDatabase]) -> None:
    _, db = counted
    plan = [row["detail"] for row in db.rows("EXPLAIN QUERY PLAN DELETE FROM revocations WHERE forget_at < ?", [5])]
    assert any("revocations_by_end" in step for step in plan), plan


def test_a_revocation_counts_at_once_for_a_token_that_was_just_used(client: Client) -> None:
    token = client.log_in(scope="system")
    assert works(client, token)
    assert client.call("DELETE", "/v3/auth/tokens", headers={"X-Subject-Token": token}).status == 204
    assert not works(client, token)


def test_a_receipt_ends_with_a_change_of_password_whatever_the_clock_says(client: Client) -> None:
    user = anna(client)
    options = {"multi_factor_auth_rules": [["password", "token"]]}
    token = client.log_in("anna", "one", "unscoped")
    assert client.call("PATCH", f"/v3/users/{user}", {"user": {"options": options}}).status == 200
    auth = password_auth("anna", "one", "unscoped")
    receipt = client.call("POST", "/v3/auth/tokens", {"auth": auth}, token="").headers["openstack-auth-receipt"]
    client.time.set_clock(-HOUR)
    change_password(client, user, "one", "two")
    shown = {"identity": {"methods": ["token"], "token": {"id": token}}, "scope": "unscoped"}
    headers = {"Openstack-Auth-Receipt": receipt}
    assert client.call("POST", "/v3/auth/tokens", {"auth": shown}, token="", headers=headers).status in (401, 404)


def test_a_password_from_before_the_clock_was_set_back_can_be_changed(tmp_path: Path) -> None:
    db = open_test_database(tmp_path / "x.db")
    client = start(tmp_path, Settings(minimum_password_age=1), db)
    user = anna(client)
    change_password(client, user, "one", "two")
    body = {"user": {"original_password": "two", "password": "three"}}
    assert client.call("POST", f"/v3/users/{user}/password", body, token="").status == 400
    client.time.pass_seconds(-YEAR)
    change_password(client, user, "two", "three")
    db.close()

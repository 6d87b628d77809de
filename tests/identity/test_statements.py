"""How much a log-in and the validation of a token read: each row once."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from appliance.db.engine.base import Parameters, Row
from appliance.db.engine.sqlite import SqliteDatabase
from appliance.settings import Settings
from tests.api.identity_v3.client import PASSWORD, Client, password_auth, start


class Counting(SqliteDatabase):
    """Notes every statement that reads."""

    def __init__(self, path: Path) -> None:
        self.statements: list[str] = []
        super().__init__(path)

    def row(self, sql: str, parameters: Parameters = ()) -> Row | None:
        self.statements.append(sql)
        return super().row(sql, parameters)

    def rows(self, sql: str, parameters: Parameters = ()) -> list[Row]:
        self.statements.append(sql)
        return super().rows(sql, parameters)


@pytest.fixture
def db(tmp_path: Path) -> Iterator[Counting]:
    with closing(Counting(tmp_path / "appliance.db")) as db:
        yield db


@pytest.fixture
def client(tmp_path: Path, db: Counting) -> Client:
    client = start(tmp_path, Settings(data_dir=tmp_path), db)
    assert client.call("POST", "/v3/auth/tokens", _log_in()).status == 201
    return client


def _log_in() -> dict[str, object]:
    scope = {"project": {"name": "admin", "domain": {"id": "default"}}}
    return {"auth": password_auth("admin", PASSWORD, scope)}


def test_a_log_in_reads_each_row_once(client: Client, db: Counting) -> None:
    db.statements.clear()
    assert client.call("POST", "/v3/auth/tokens?nocatalog", _log_in()).status == 201
    # Domain, user, password, failures, project, revocations, ancestors, grants, implications, roles, failures again.
    assert len(db.statements) <= 11, db.statements


def test_a_validation_reads_each_row_once(client: Client, db: Counting) -> None:
    subject = client.call("POST", "/v3/auth/tokens", _log_in()).headers["x-subject-token"]
    client.create("region", {"id": "another"})
    db.statements.clear()
    client.identity.tokens.validate(subject)
    # Next end of a membership, user, domain, project, revocations, ancestors, grants, implications, roles, password.
    assert len(db.statements) <= 10, db.statements


def test_a_token_that_is_known_is_validated_without_reading(client: Client, db: Counting) -> None:
    subject = client.call("POST", "/v3/auth/tokens", _log_in()).headers["x-subject-token"]
    db.statements.clear()
    client.identity.tokens.validate(subject)
    assert db.statements == []

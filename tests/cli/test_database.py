"""`database migrate`, as an operator has it: to a server, back, and when it can't be."""

from pathlib import Path

import pytest

from appliance.db.engine.registry import open_database
from appliance.db.transfer import moved_to, shapes, sums
from appliance.identity.auth.passwords import Cost
from appliance.identity.service import Identity
from appliance.settings import Settings
from appliance.values import now
from tests.cli.conftest import Program
from tests.data_directory import data, opened
from tests.databases import server

Directory = tuple[Path, str, bytes]


@pytest.fixture
def url() -> str:
    return server().create_current()


@pytest.fixture
def directory(tmp_path: Path) -> Directory:
    """One with users and an image: its path, and the image's id and data."""
    path = tmp_path / "var"
    with opened(path) as made:
        settings = Settings(data_dir=path)
        Identity(made.db, made.directory.keys, settings, now, password_cost=Cost(2, 1, 1)).bootstrap("pw", "R")
        body = data()
        return path, made.add(body), body


def test_images_and_users_go_to_a_server_and_come_back(program: Program, directory: Directory, url: str) -> None:
    path, image_id, body = directory
    db = open_database(path / "appliance.db")
    before = sums(db, shapes())
    db.close()
    program("database", "migrate", path, url)
    program("database", "migrate", url, path)
    with opened(path) as made:
        assert sums(made.db, shapes()) == before
        assert made.read(image_id) == body


def test_a_directory_opens_as_before_after_a_move_that_failed(program: Program, directory: Directory, url: str) -> None:
    path, image_id, body = directory
    db = open_database(url)
    db.transact(lambda tx: tx.execute("INSERT INTO notes (key, value) VALUES ('mine', '')"))
    db.close()
    assert "rows of its own" in program("database", "migrate", path, url, code=1).error
    with opened(path) as made:
        assert moved_to(made.db) is None and made.read(image_id) == body


def test_after_the_move_the_old_database_is_refused_and_says_where_to_go(
    program: Program, directory: Directory, url: str
) -> None:
    path, *_ = directory
    moved = program("database", "migrate", path, url.replace("appliance@", "appliance:sesame@"))
    refused = program("store", "stats", "--data-dir", path, code=1)
    assert "were moved to postgresql://" in refused.sentence()
    assert "sesame" not in refused.error + moved.text + moved.error


def test_a_directory_that_is_in_use_is_not_moved(program: Program, directory: Directory, url: str) -> None:
    path, *_ = directory
    with opened(path):
        assert "in use by" in program("database", "migrate", path, url, code=1).sentence()


def test_rows_in_a_file_that_are_in_use_are_not_replaced(program: Program, directory: Directory, url: str) -> None:
    path, *_ = directory
    assert "would be lost" in program("database", "migrate", url, path, code=1).error


def test_the_url_may_be_in_a_file(program: Program, directory: Directory, url: str, tmp_path: Path) -> None:
    path, *_ = directory
    secret = tmp_path / "url"
    secret.write_text(f"{url}\n")
    secret.chmod(0o600)
    assert "are the same there" in program("database", "migrate", path, f"@{secret}").text


def test_a_start_without_the_server_is_refused_in_one_sentence_without_the_password(
    program: Program, tmp_path: Path
) -> None:
    where = f"postgresql://me:sesame@/none?host={tmp_path}"
    said = program(
        "serve",
        "--data-dir",
        tmp_path / "new",
        "--image-port",
        "0",
        "--identity-port",
        "0",
        code=1,
        APPLIANCE_DATABASE=where,
    )
    assert "The database server does not answer" in said.error
    assert "sesame" not in said.error and len(said.error.splitlines()) == 1

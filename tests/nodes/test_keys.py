"""The keys that nodes share: whoever comes later takes them over, and nobody's are lost."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from appliance.db.engine.base import Database
from appliance.db.engine.registry import open_database
from appliance.nodes.keys import SharedKeys, SiteKey


@pytest.fixture
def db(tmp_path: Path) -> Iterator[Database]:
    database = open_database(tmp_path / "a.db")
    yield database
    database.close()


@pytest.fixture
def site_key(tmp_path: Path) -> SiteKey:
    (tmp_path / "site").write_bytes(Fernet.generate_key())
    return SiteKey(tmp_path / "site")


def made(path: Path, **keys: str) -> Path:
    (path / "public").mkdir(parents=True)
    for name, text in keys.items():
        (path / name.replace("__", "/")).write_text(text)
    return path


def test_the_first_nodes_keys_become_those_of_the_second(db: Database, site_key: SiteKey, tmp_path: Path) -> None:
    one, two = made(tmp_path / "1", private="a"), made(tmp_path / "2", private="c")
    for path in (one, two):
        (path / "public" / "x.pem").write_text("b")
        SharedKeys(db, site_key, path).join()
    assert (two / "private").read_text() == "a"


def test_a_kind_of_key_that_the_database_lacks_stays_and_is_shared(
    db: Database, site_key: SiteKey, tmp_path: Path
) -> None:
    one = made(tmp_path / "1", private="a")
    SharedKeys(db, site_key, one).join()
    (one / "other").write_text("new in this version")
    SharedKeys(db, site_key, one).join()
    two = made(tmp_path / "2")
    SharedKeys(db, site_key, two).join()
    assert (one / "other").read_text() == (two / "other").read_text() == "new in this version"


def test_a_public_key_that_was_dropped_goes_everywhere(db: Database, site_key: SiteKey, tmp_path: Path) -> None:
    one, two = made(tmp_path / "1", private="a"), made(tmp_path / "2")
    (one / "public" / "old.pem").write_text("old")
    first, second = SharedKeys(db, site_key, one), SharedKeys(db, site_key, two)
    first.join()
    second.join()
    (one / "public" / "old.pem").unlink()
    assert first.publish() and second.refresh()
    assert not (two / "public" / "old.pem").exists()


def test_nothing_is_new_a_second_time(db: Database, site_key: SiteKey, tmp_path: Path) -> None:
    keys = SharedKeys(db, site_key, made(tmp_path / "1", private="a"))
    keys.join()
    assert not keys.refresh() and not keys.publish()


@pytest.mark.parametrize("looks_first", [False, True])
def test_two_nodes_that_rotate_at_the_same_moment_believe_each_other(
    db: Database, site_key: SiteKey, tmp_path: Path, looks_first: bool
) -> None:
    """The second has made its key before it has heard of the first one's, and hears of that before it tells its own."""
    one, two = made(tmp_path / "1", private="a"), made(tmp_path / "2")
    first, second = SharedKeys(db, site_key, one), SharedKeys(db, site_key, two)
    first.join()
    second.join()
    for path in (one, two):
        (path / "private").write_text(path.name)
        (path / "public" / f"{path.name}.pem").write_text(path.name)
    first.publish()
    if looks_first:
        second.refresh()
    second.publish()
    first.refresh()
    for path in (one, two):
        assert {file.name for file in (path / "public").iterdir()} == {"1.pem", "2.pem"}
        assert (path / "private").read_text() == "2"

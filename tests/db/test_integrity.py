"""Damage to any page of a database that holds something is found."""

import os
import shutil
import sqlite3
from pathlib import Path

import pytest

from appliance.db.engine.sqlite import damage
from tests.data_directory import data, opened

PAGE = 4096


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The database of a directory with images in it."""
    path = tmp_path_factory.mktemp("sound") / "d"
    with opened(path) as it:
        for number in range(20):
            it.add(data(30_000), name=f"image {number}")
    return path / "appliance.db"


def free_pages(path: Path) -> set[int]:
    """Pages that hold nothing: their bytes are nobody's."""
    connection = sqlite3.connect(path)
    try:
        (count,) = connection.execute("PRAGMA freelist_count").fetchone()
    finally:
        connection.close()
    assert count == 0
    return set()


def test_a_sound_database_has_no_damage(database: Path) -> None:
    assert list(damage(database)) == []


def test_every_page_that_is_overwritten_is_found(database: Path, tmp_path: Path) -> None:
    assert not free_pages(database)
    pages = database.stat().st_size // PAGE
    silent = []
    for number in range(pages):
        copy = tmp_path / "copy.db"
        shutil.copy(database, copy)
        with open(copy, "r+b") as file:
            file.seek(number * PAGE)
            file.write(os.urandom(PAGE))
        if not list(damage(copy)):
            silent.append(number)
    assert silent == []


def test_a_reference_to_nothing_is_found(database: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.db"
    shutil.copy(database, copy)
    connection = sqlite3.connect(copy)
    connection.execute("DELETE FROM images WHERE name = 'image 3'")
    connection.commit()
    connection.close()
    assert any("image" in line and "not there" in line for line in damage(copy))

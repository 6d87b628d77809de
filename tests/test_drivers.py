"""A driver that is not installed is told of in a sentence: of an object store, of PostgreSQL."""

import sys
from pathlib import Path
from zipfile import ZipFile

import pytest

from appliance import drivers
from appliance.blobs.backends.registry import Location, connect
from appliance.db.engine.registry import open_database
from appliance.errors import Fatal


def test_a_store_without_its_driver_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "obstore", None)
    monkeypatch.delitem(sys.modules, "appliance.blobs.backends.s3", raising=False)
    with pytest.raises(Fatal, match="The store deep needs the library obstore, which is not installed"):
        connect(Location("deep", "s3", "bucket/prefix", tmp_path))


def test_a_database_without_its_driver_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    monkeypatch.delitem(sys.modules, "appliance.db.engine.postgresql", raising=False)
    with pytest.raises(Fatal, match="needs the library psycopg, which is not installed"):
        open_database("postgresql://nowhere/none")


def test_the_executable_unpacks_libraries_when_a_driver_is_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ZipFile(tmp_path / drivers.PACKED, "w") as packed:
        packed.writestr("driver/library.so", b"code")
    monkeypatch.setattr(sys, "_MEIPASS", str(tmp_path), raising=False)
    for _ in range(2):
        assert drivers.load("appliance.blobs.backends.swift", "The store deep").connect
    assert [path.name for path in tmp_path.iterdir()] == ["driver"]
    assert (tmp_path / "driver" / "library.so").read_bytes() == b"code"


def test_libraries_that_can_not_be_unpacked_are_told_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / drivers.PACKED).mkdir()
    monkeypatch.setattr(sys, "_MEIPASS", str(tmp_path), raising=False)
    with pytest.raises(Fatal, match="The store deep needs a library that can't be unpacked: Is a directory"):
        drivers.load("appliance.blobs.backends.swift", "The store deep")

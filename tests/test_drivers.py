"""A driver that is not installed is told of in a sentence: of an object store, of PostgreSQL."""

import sys
from pathlib import Path

import pytest

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

"""The catalog that a new appliance starts with, and what loading does to what is there."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from appliance.db.engine.base import Database
from appliance.db.engine.registry import open_database
from appliance.errors import Invalid, NotFound
from appliance.image.metadefs.namespaces import NEWEST_FIRST, Metadefs, NamespaceFilter
from appliance.image.metadefs.seed_loader import KEEP, Policy, documents_in, load, load_seed, seed_documents
from appliance.image.policies import ImagePolicies
from appliance.settings import Settings
from appliance.values import Caller

ADMIN = Caller("u", "p", roles=frozenset({"admin", "reader"}))
READER = Caller("u", "p", roles=frozenset({"reader"}))
ALL = NamespaceFilter(NEWEST_FIRST, 1000)


class Clock:
    at = 1_760_000_000_000_000

    def __call__(self) -> int:
        self.at += 1_000_000
        return self.at


@pytest.fixture
def db(tmp_path: Path) -> Iterator[Database]:
    made = open_database(tmp_path / "appliance.db")
    yield made
    made.close()


@pytest.fixture
def metadefs(db: Database) -> Metadefs:
    return Metadefs(db, ImagePolicies(Settings()), Settings(), Clock())


def test_the_catalog_has_every_namespace_for_every_reader(db: Database, metadefs: Metadefs) -> None:
    assert load_seed(db, Clock()) == 33
    listed = {namespace.namespace for namespace, _ in metadefs.namespaces.page(READER, ALL)}
    assert len(listed) == 33
    assert {"CIM::VirtualSystemSettingData", "OS::Compute::Quota", "OS::Glance::Signatures"} <= listed


@pytest.mark.parametrize("document", seed_documents(), ids=lambda document: str(document["namespace"]))
def test_every_file_of_the_catalog_is_complete(document: dict[str, Any]) -> None:
    assert {"namespace", "display_name", "description", "visibility", "resource_type_associations"} <= set(document)
    definitions = list(document.get("properties", {}).values())
    for item in document.get("objects", []):
        assert item["description"]
        definitions += item["properties"].values()
    assert definitions
    for definition in definitions:
        assert definition["title"] and definition["description"] and definition["type"]
        assert definition.get("minimum", 0) <= definition.get("maximum", 2**63)
        if definition["type"] == "integer" and "default" in definition:
            assert isinstance(definition["default"], int)


def test_loading_again_changes_nothing(db: Database, metadefs: Metadefs) -> None:
    load_seed(db, Clock())
    before = metadefs.namespaces.show(ADMIN, "OS::Compute::Quota")
    assert load_seed(db, Clock()) == 0
    assert metadefs.namespaces.show(ADMIN, "OS::Compute::Quota") == before


def test_loading_the_catalog_takes_no_time_worth_noticing(db: Database) -> None:
    load_seed(db, Clock())
    started = time.process_time()
    load_seed(db, Clock(), Policy(overwrite=True))
    assert time.process_time() - started < 0.5


def test_what_was_loaded_was_never_changed(db: Database, metadefs: Metadefs) -> None:
    load_seed(db, Clock())
    namespace, contents = metadefs.namespaces.show(ADMIN, "OS::Compute::Quota")
    assert namespace.updated_at is None
    assert [item.updated_at for item in contents.objects or ()] == [None, None, None]


FILE: dict[str, Any] = {
    "namespace": "N",
    "description": "new",
    "resource_type_associations": [{"name": "T1", "prefix": "new"}, {"name": "T2"}],
    "properties": {"a": {"type": "string", "title": "new"}, "b": {"type": "string", "title": "new"}},
    "objects": [{"name": "o", "description": "new"}, {"name": "o2"}],
    "tags": [{"name": "t"}, {"name": "t2"}],
}
PRESENT: dict[str, Any] = {
    "namespace": "N",
    "description": "old",
    "resource_type_associations": [{"name": "T1", "prefix": "old"}],
    "properties": {"a": {"type": "string", "title": "old"}, "mine": {"type": "string", "title": "old"}},
    "objects": [{"name": "o", "description": "old"}],
    "tags": [{"name": "t"}, {"name": "mine"}],
}


@pytest.mark.parametrize(
    ("policy", "written", "word", "properties"),
    [
        (KEEP, 0, "old", {"a": "old", "mine": "old"}),
        (Policy(merge=True), 1, "old", {"a": "old", "b": "new", "mine": "old"}),
        (Policy(merge=True, prefer_new=True), 1, "new", {"a": "new", "b": "new", "mine": "old"}),
        (Policy(prefer_new=True), 0, "old", {"a": "old", "mine": "old"}),
        (Policy(overwrite=True), 1, "new", {"a": "new", "b": "new"}),
    ],
)
def test_the_policy_decides_what_becomes_of_what_is_there(
    db: Database, metadefs: Metadefs, policy: Policy, written: int, word: str, properties: dict[str, str]
) -> None:
    clock = Clock()
    load(db, clock, [PRESENT])
    assert load(db, clock, [FILE], policy) == written
    namespace, contents = metadefs.namespaces.show(ADMIN, "N")
    assert namespace.description == word
    assert {name: value["title"] for name, value in (contents.properties or {}).items()} == properties
    assert (contents.associations or [])[0].prefix == word
    assert (contents.objects or [])[0].description == word
    assert len(contents.tags or ()) == len(properties)


def test_one_bad_file_loads_none(db: Database, metadefs: Metadefs) -> None:
    with pytest.raises(Invalid):
        load(db, Clock(), [FILE, {"namespace": "M", "unknown": 1}])
    with pytest.raises(NotFound):
        metadefs.namespaces.show(ADMIN, "N")


def test_a_directory_is_read_in_the_order_of_its_names(tmp_path: Path) -> None:
    (tmp_path / "2.json").write_text(json.dumps({"namespace": "B"}))
    (tmp_path / "1.json").write_text(json.dumps({"namespace": "A"}))
    (tmp_path / "note.txt").write_text("no namespace")
    assert [document["namespace"] for document in documents_in(tmp_path)] == ["A", "B"]


@pytest.mark.parametrize("text", ["{", "[]", "\x00"])
def test_a_file_that_is_no_namespace_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "odd.json").write_text(text)
    with pytest.raises(Invalid, match=r"odd\.json"):
        documents_in(tmp_path)

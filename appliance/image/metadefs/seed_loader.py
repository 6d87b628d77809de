"""Loading namespaces from files: our own catalog at the first start, an operator's directory later."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from importlib.resources import files
from pathlib import Path
from typing import Any

from appliance.db.engine.base import Database, Tx
from appliance.db.image import metadef_items as items
from appliance.db.image import metadefs as rows
from appliance.db.image.metadef_items import ObjectRecord, PropertyRecord, TagRecord
from appliance.db.image.metadefs import NamespaceRecord
from appliance.errors import Invalid
from appliance.image.metadefs.bodies import Contents, Json, checked, read_contents, usable
from appliance.image.metadefs.namespaces import fill
from appliance.values import Clock, Micros

OWNER = "admin"
"""Owner of a namespace whose file names none."""


@dataclass(frozen=True, slots=True)
class Policy:
    """What becomes of a namespace that is there already. Without any of these it stays as it is."""

    merge: bool = False
    """Add what it lacks."""
    prefer_new: bool = False
    """When merging, replace what it has by what the file has."""
    overwrite: bool = False
    """Remove it and load it afresh."""


KEEP = Policy()


def load_seed(db: Database, clock: Clock, policy: Policy = KEEP) -> int:
    """Load our own catalog in one transaction; the number of namespaces that were written. May be called again."""
    return load(db, clock, seed_documents(), policy)


def seed_documents() -> list[Json]:
    """The files of our own catalog, by name."""
    folder = files("appliance.image.metadefs.seed")
    names = sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(".json"))
    return [json.loads((folder / name).read_text(encoding="utf-8")) for name in names]


def documents_in(directory: Path) -> list[Json]:
    """The files of a directory, by name. Raises `Invalid` for one that is no JSON object."""
    found = []
    for path in sorted(directory.glob("*.json")):
        try:
            document: Any = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise Invalid(f"{path.name} is not JSON: {error}") from error
        if not isinstance(document, dict):
            raise Invalid(f"{path.name} does not hold a namespace.")
        found.append(document)
    return found


def load(db: Database, clock: Clock, documents: Iterable[Json], policy: Policy = KEEP) -> int:
    """Load namespaces, all or none. Raises `Invalid` if one does not fit the schemas."""
    now = clock()
    prepared = [_prepare(document, now) for document in documents]
    return db.transact(lambda tx: sum(_load_one(tx, *each, policy) for each in prepared))


def _prepare(document: Json, now: Micros) -> tuple[NamespaceRecord, Contents]:
    """What a file says, as it is stored: created now and never changed since."""
    checked("namespace", document)
    contents = read_contents(document, now)
    namespace = NamespaceRecord(
        namespace=usable(document["namespace"], "namespace"),
        owner=document.get("owner", OWNER),
        visibility=document.get("visibility", "private"),
        protected=document.get("protected", False),
        created_at=now,
        display_name=document.get("display_name"),
        description=document.get("description"),
    )
    return namespace, Contents(
        associations=[replace(tie, updated_at=None) for tie in contents.associations or ()],
        properties=contents.properties or {},
        objects=[replace(item, updated_at=None) for item in contents.objects or ()],
        tags=[replace(tag, updated_at=None) for tag in contents.tags or ()],
    )


def _load_one(tx: Tx, namespace: NamespaceRecord, contents: Contents, policy: Policy) -> bool:
    present = rows.find_namespace(tx, namespace.namespace)
    if present is not None and policy.overwrite:
        rows.delete_namespace(tx, present.id)
        present = None
    if present is None:
        fill(tx, replace(namespace, id=rows.insert_namespace(tx, namespace)), contents)
        return True
    if not policy.merge:
        return False
    now = namespace.created_at
    if policy.prefer_new:
        namespace = replace(namespace, id=present.id, created_at=present.created_at, updated_at=now)
        rows.update_namespace(tx, namespace)
    _merge(tx, present, contents, now, prefer_new=policy.prefer_new)
    return True


def _merge(tx: Tx, namespace: NamespaceRecord, contents: Contents, now: Micros, *, prefer_new: bool) -> None:
    """Add what the namespace lacks; with `prefer_new`, replace what it has."""
    ties = {tie.name for tie in rows.associations(tx, namespace.id)}
    for tie in contents.associations or ():
        if tie.name not in ties:
            rows.insert_association(tx, namespace, tie)
        elif prefer_new:
            rows.update_association(tx, namespace.id, replace(tie, updated_at=now))
    wanted: list[ObjectRecord | PropertyRecord | TagRecord] = [
        *(PropertyRecord(name, value, now) for name, value in (contents.properties or {}).items()),
        *(contents.objects or ()),
        *(contents.tags or ()),
    ]
    present = _present(tx, namespace.id)
    for item in wanted:
        created = present.get((type(item), item.name))
        if created is None:
            items.insert_item(tx, namespace, item)
        elif prefer_new:
            items.update_item(tx, namespace, item.name, replace(item, created_at=created, updated_at=now))


def _present(tx: Tx, namespace_id: int) -> dict[tuple[type, str], Micros]:
    """When each item of the namespace was made, by its kind and name."""
    found: list[ObjectRecord | PropertyRecord | TagRecord] = [
        *items.properties(tx, namespace_id),
        *items.objects(tx, namespace_id),
        *items.tags(tx, namespace_id),
    ]
    return {(type(item), item.name): item.created_at for item in found}

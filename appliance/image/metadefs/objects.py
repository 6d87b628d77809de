"""Objects of a metadata namespace: groups of properties that belong together."""

from dataclasses import replace

from appliance.db import metadef_items as rows
from appliance.db.metadef_items import ObjectRecord
from appliance.db.records import Reader
from appliance.errors import NotFound
from appliance.image.metadefs.access import Access
from appliance.image.metadefs.bodies import Json, read_object
from appliance.image.metadefs.rules import check_unprotected
from appliance.values import Caller


class Objects:
    """What can be done to the objects of a namespace."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._db = access.db

    def all(self, caller: Caller, namespace: str) -> list[ObjectRecord]:
        with self._db.snapshot():
            found = self._access.namespace(self._db, caller, namespace, "get_metadef_objects")
            return rows.objects(self._db, found.id)

    def create(self, caller: Caller, namespace: str, body: Json) -> ObjectRecord:
        record = read_object(body, self._access.clock())
        with self._db.write() as tx:
            found = self._access.namespace(tx, caller, namespace, "add_metadef_object")
            rows.insert_item(tx, found, record)
        return record

    def show(self, caller: Caller, namespace: str, name: str) -> ObjectRecord:
        with self._db.snapshot():
            found = self._access.namespace(self._db, caller, namespace, "get_metadef_object")
            return _found(self._db, found.id, name)

    def update(self, caller: Caller, namespace: str, name: str, body: Json) -> ObjectRecord:
        """Replace the object; it may get another name."""
        record = read_object(body, self._access.clock())
        with self._db.write() as tx:
            found = self._access.namespace(tx, caller, namespace, "modify_metadef_object")
            record = replace(record, created_at=_found(tx, found.id, name).created_at)
            rows.update_item(tx, found, name, record)
        return record

    def delete(self, caller: Caller, namespace: str, name: str) -> None:
        with self._db.write() as tx:
            found = self._access.namespace(tx, caller, namespace, "delete_metadef_object")
            _found(tx, found.id, name)
            check_unprotected(found, f"object {name}")
            rows.delete_item(tx, ObjectRecord, found.id, name)


def _found(reader: Reader, namespace_id: int, name: str) -> ObjectRecord:
    record = rows.find_object(reader, namespace_id, name)
    if record is None:
        raise NotFound(f"Could not find metadata object {name}")
    return record

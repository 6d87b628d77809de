"""Properties of a metadata namespace, each with its type, bounds and choices."""

from dataclasses import replace

from appliance.db import metadef_items as rows
from appliance.db.metadef_items import PropertyRecord
from appliance.db.metadefs import associations
from appliance.db.records import Reader
from appliance.errors import NotFound
from appliance.image.metadefs.access import Access
from appliance.image.metadefs.bodies import Json, read_property
from appliance.image.metadefs.rules import check_unprotected
from appliance.values import Caller


class Properties:
    """What can be done to the properties of a namespace."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._db = access.db

    def all(self, caller: Caller, namespace: str) -> list[PropertyRecord]:
        with self._db.snapshot():
            found = self._access.namespace(self._db, caller, namespace, "get_metadef_properties")
            return rows.properties(self._db, found.id)

    def create(self, caller: Caller, namespace: str, body: Json) -> PropertyRecord:
        record = read_property(body, self._access.clock())
        with self._db.write() as tx:
            found = self._access.namespace(tx, caller, namespace, "add_metadef_property")
            rows.insert_item(tx, found, record)
        return record

    def show(self, caller: Caller, namespace: str, name: str, resource_type: str | None = None) -> PropertyRecord:
        """A property, by its name on resources of `resource_type` if one is given."""
        with self._db.snapshot():
            found = self._access.namespace(self._db, caller, namespace, "get_metadef_property")
            if resource_type:
                name = self._bare(found.id, name, resource_type)
            return _found(self._db, found.id, name)

    def _bare(self, namespace_id: int, name: str, resource_type: str) -> str:
        """The name without the prefix that it has on resources of this type."""
        for tie in associations(self._db, namespace_id):
            if tie.name == resource_type:
                if not tie.prefix or not name.startswith(tie.prefix):
                    raise NotFound(f"Property {name} does not start with the prefix for {resource_type}: {tie.prefix}.")
                return name.removeprefix(tie.prefix)
        raise NotFound(f"The namespace is not associated with the resource type {resource_type}.")

    def update(self, caller: Caller, namespace: str, name: str, body: Json) -> PropertyRecord:
        """Replace the property; it may get another name."""
        record = read_property(body, self._access.clock())
        with self._db.write() as tx:
            found = self._access.namespace(tx, caller, namespace, "modify_metadef_property")
            record = replace(record, created_at=_found(tx, found.id, name).created_at)
            rows.update_item(tx, found, name, record)
        return record

    def delete(self, caller: Caller, namespace: str, name: str) -> None:
        with self._db.write() as tx:
            found = self._access.namespace(tx, caller, namespace, "remove_metadef_property")
            _found(tx, found.id, name)
            check_unprotected(found, f"property {name}")
            rows.delete_item(tx, PropertyRecord, found.id, name)


def _found(reader: Reader, namespace_id: int, name: str) -> PropertyRecord:
    record = rows.find_property(reader, namespace_id, name)
    if record is None:
        raise NotFound(f"Could not find property {name}")
    return record

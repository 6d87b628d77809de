"""What a namespace holds: objects, properties and tags."""

from dataclasses import replace

from appliance.db.engine.base import Reader, Tx
from appliance.db.image import metadef_items as rows
from appliance.db.image.metadef_items import TAG_SORT_KEYS, ObjectRecord, PropertyRecord, TagRecord
from appliance.db.image.metadefs import Order, associations, check_sort_key
from appliance.errors import NotFound
from appliance.image.metadefs.access import Access, check_unprotected
from appliance.image.metadefs.bodies import Json, checked, read_object, read_property, read_tag, read_tags, usable
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

        def change(tx: Tx) -> None:
            found = self._access.namespace(tx, caller, namespace, "add_metadef_object")
            rows.insert_item(tx, found, record)

        self._db.transact(change)
        return record

    def show(self, caller: Caller, namespace: str, name: str) -> ObjectRecord:
        with self._db.snapshot():
            found = self._access.namespace(self._db, caller, namespace, "get_metadef_object")
            return _found(self._db, found.id, name)

    def update(self, caller: Caller, namespace: str, name: str, body: Json) -> ObjectRecord:
        """Replace the object; it may get another name."""
        record = read_object(body, self._access.clock())

        def change(tx: Tx) -> ObjectRecord:
            found = self._access.namespace(tx, caller, namespace, "modify_metadef_object")
            changed = replace(record, created_at=_found(tx, found.id, name).created_at)
            rows.update_item(tx, found, name, changed)
            return changed

        return self._db.transact(change)

    def delete(self, caller: Caller, namespace: str, name: str) -> None:
        def change(tx: Tx) -> None:
            found = self._access.namespace(tx, caller, namespace, "delete_metadef_object")
            _found(tx, found.id, name)
            check_unprotected(found, f"object {name}")
            rows.delete_item(tx, ObjectRecord, found.id, name)

        self._db.transact(change)


def _found(reader: Reader, namespace_id: int, name: str) -> ObjectRecord:
    record = rows.find_object(reader, namespace_id, name)
    if record is None:
        raise NotFound(f"Could not find metadata object {name}")
    return record


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

        def change(tx: Tx) -> None:
            found = self._access.namespace(tx, caller, namespace, "add_metadef_property")
            rows.insert_item(tx, found, record)

        self._db.transact(change)
        return record

    def show(self, caller: Caller, namespace: str, name: str, resource_type: str | None = None) -> PropertyRecord:
        """A property, by its name on resources of `resource_type` if one is given."""
        with self._db.snapshot():
            found = self._access.namespace(self._db, caller, namespace, "get_metadef_property")
            if resource_type:
                name = self._bare(found.id, name, resource_type)
            return _property_found(self._db, found.id, name)

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

        def change(tx: Tx) -> PropertyRecord:
            found = self._access.namespace(tx, caller, namespace, "modify_metadef_property")
            changed = replace(record, created_at=_property_found(tx, found.id, name).created_at)
            rows.update_item(tx, found, name, changed)
            return changed

        return self._db.transact(change)

    def delete(self, caller: Caller, namespace: str, name: str) -> None:
        def change(tx: Tx) -> None:
            found = self._access.namespace(tx, caller, namespace, "remove_metadef_property")
            _property_found(tx, found.id, name)
            check_unprotected(found, f"property {name}")
            rows.delete_item(tx, PropertyRecord, found.id, name)

        self._db.transact(change)


def _property_found(reader: Reader, namespace_id: int, name: str) -> PropertyRecord:
    record = rows.find_property(reader, namespace_id, name)
    if record is None:
        raise NotFound(f"Could not find property {name}")
    return record


class Tags:
    """What can be done to the tags of a namespace."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._db = access.db

    def page(
        self, caller: Caller, namespace: str, order: Order, limit: int | None, marker: str | None
    ) -> list[TagRecord]:
        """The tags after the one called `marker`."""
        check_sort_key(order.key, TAG_SORT_KEYS)
        with self._db.snapshot():
            found = self._access.namespace(self._db, caller, namespace, "get_metadef_tags")
            after = _tag_found(self._db, found.id, marker) if marker else None
            return rows.page_of_tags(self._db, found.id, order, limit, after)

    def create(self, caller: Caller, namespace: str, name: str) -> TagRecord:
        now = self._access.clock()

        def add(tx: Tx) -> TagRecord:
            found = self._access.namespace(tx, caller, namespace, "add_metadef_tag")
            checked("tag", {"name": name})
            record = TagRecord(usable(name, "tag"), now, now)
            rows.insert_item(tx, found, record)
            return record

        return self._db.transact(add)

    def create_many(self, caller: Caller, namespace: str, body: Json, *, append: bool) -> list[TagRecord]:
        """Put these tags in the place of all that were there, or beside them. No tags at all change nothing."""
        tags = read_tags(body, self._access.clock())

        def change(tx: Tx) -> None:
            found = self._access.namespace(tx, caller, namespace, "add_metadef_tags")
            if tags and not append:
                rows.delete_items(tx, TagRecord, found.id)
            for tag in tags:
                rows.insert_item(tx, found, tag)

        self._db.transact(change)
        return tags

    def show(self, caller: Caller, namespace: str, name: str) -> TagRecord:
        with self._db.snapshot():
            found = self._access.namespace(self._db, caller, namespace, "get_metadef_tag")
            return _tag_found(self._db, found.id, name)

    def update(self, caller: Caller, namespace: str, name: str, body: Json) -> TagRecord:
        """Give the tag another name."""
        record = read_tag(body, self._access.clock())

        def change(tx: Tx) -> TagRecord:
            found = self._access.namespace(tx, caller, namespace, "modify_metadef_tag")
            changed = replace(record, created_at=_tag_found(tx, found.id, name).created_at)
            rows.update_item(tx, found, name, changed)
            return changed

        return self._db.transact(change)

    def delete(self, caller: Caller, namespace: str, name: str) -> None:
        def change(tx: Tx) -> None:
            found = self._access.namespace(tx, caller, namespace, "delete_metadef_tag")
            _tag_found(tx, found.id, name)
            check_unprotected(found, f"tag {name}")
            rows.delete_item(tx, TagRecord, found.id, name)

        self._db.transact(change)


def _tag_found(reader: Reader, namespace_id: int, name: str) -> TagRecord:
    record = rows.find_tag(reader, namespace_id, name)
    if record is None:
        raise NotFound(f"Could not find metadata tag {name}")
    return record

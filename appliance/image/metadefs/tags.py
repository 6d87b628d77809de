"""Tags of a metadata namespace: words that may be attached to resources."""

from dataclasses import replace

from appliance.db import metadef_items as rows
from appliance.db.metadef_items import TAG_SORT_KEYS, TagRecord
from appliance.db.metadefs import Order, check_sort_key
from appliance.db.records import Reader
from appliance.errors import NotFound
from appliance.image.metadefs.access import Access
from appliance.image.metadefs.bodies import Json, checked, read_tag, read_tags, usable
from appliance.image.metadefs.rules import check_unprotected
from appliance.values import Caller


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
            after = _found(self._db, found.id, marker) if marker else None
            return rows.page_of_tags(self._db, found.id, order, limit, after)

    def create(self, caller: Caller, namespace: str, name: str) -> TagRecord:
        now = self._access.clock()
        with self._db.write() as tx:
            found = self._access.namespace(tx, caller, namespace, "add_metadef_tag")
            checked("tag", {"name": name})
            record = TagRecord(usable(name, "tag"), now, now)
            rows.insert_item(tx, found, record)
        return record

    def create_many(self, caller: Caller, namespace: str, body: Json, *, append: bool) -> list[TagRecord]:
        """Put these tags in the place of all that were there, or beside them. No tags at all change nothing."""
        tags = read_tags(body, self._access.clock())
        with self._db.write() as tx:
            found = self._access.namespace(tx, caller, namespace, "add_metadef_tags")
            if tags and not append:
                rows.delete_items(tx, TagRecord, found.id)
            for tag in tags:
                rows.insert_item(tx, found, tag)
        return tags

    def show(self, caller: Caller, namespace: str, name: str) -> TagRecord:
        with self._db.snapshot():
            found = self._access.namespace(self._db, caller, namespace, "get_metadef_tag")
            return _found(self._db, found.id, name)

    def update(self, caller: Caller, namespace: str, name: str, body: Json) -> TagRecord:
        """Give the tag another name."""
        record = read_tag(body, self._access.clock())
        with self._db.write() as tx:
            found = self._access.namespace(tx, caller, namespace, "modify_metadef_tag")
            record = replace(record, created_at=_found(tx, found.id, name).created_at)
            rows.update_item(tx, found, name, record)
        return record

    def delete(self, caller: Caller, namespace: str, name: str) -> None:
        with self._db.write() as tx:
            found = self._access.namespace(tx, caller, namespace, "delete_metadef_tag")
            _found(tx, found.id, name)
            check_unprotected(found, f"tag {name}")
            rows.delete_item(tx, TagRecord, found.id, name)


def _found(reader: Reader, namespace_id: int, name: str) -> TagRecord:
    record = rows.find_tag(reader, namespace_id, name)
    if record is None:
        raise NotFound(f"Could not find metadata tag {name}")
    return record

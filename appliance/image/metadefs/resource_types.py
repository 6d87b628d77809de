"""Resource types that a metadata namespace is for, with the prefix that its properties have on them."""

from appliance.db import metadefs as rows
from appliance.db.metadefs import AssociationRecord, ResourceTypeRecord
from appliance.errors import NotFound
from appliance.image.metadefs.access import Access
from appliance.image.metadefs.bodies import Json, read_association
from appliance.image.metadefs.rules import check_unprotected, enforce
from appliance.values import Caller


class ResourceTypes:
    """What can be done to resource types and to the associations of a namespace with them."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._db = access.db

    def known(self, caller: Caller) -> list[ResourceTypeRecord]:
        """Every resource type that was ever associated with a namespace."""
        enforce(caller, "list_metadef_resource_types")
        return rows.resource_types(self._db)

    def all(self, caller: Caller, namespace: str) -> list[AssociationRecord]:
        with self._db.snapshot():
            found = self._access.namespace(self._db, caller, namespace, "list_metadef_resource_types")
            return rows.associations(self._db, found.id)

    def associate(self, caller: Caller, namespace: str, body: Json) -> AssociationRecord:
        """Tie the namespace to a resource type, which becomes known by that."""
        record = read_association(body, self._access.clock())
        with self._db.write() as tx:
            found = self._access.namespace(tx, caller, namespace, "add_metadef_resource_type_association")
            rows.insert_association(tx, found, record)
        return record

    def dissociate(self, caller: Caller, namespace: str, name: str) -> None:
        with self._db.write() as tx:
            found = self._access.namespace(tx, caller, namespace, "remove_metadef_resource_type_association")
            if not any(tie.name == name for tie in rows.associations(tx, found.id)):
                raise NotFound(f"Failed to find resource type {name} to delete")
            check_unprotected(found, f"resource-type-association {name}")
            rows.delete_association(tx, found.id, name)

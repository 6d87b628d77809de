"""Namespaces of metadata definitions, the resource types that they are for, and the definitions as a whole."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from appliance.db.engine.base import Database, Tx
from appliance.db.image import metadef_items as items
from appliance.db.image import metadefs as rows
from appliance.db.image.metadef_items import Definition, ObjectRecord, PropertyRecord, TagRecord
from appliance.db.image.metadefs import AssociationRecord, NamespaceQuery, NamespaceRecord, Order, ResourceTypeRecord
from appliance.errors import Invalid, NotFound
from appliance.image.metadefs.access import Access, check_unprotected, visible
from appliance.image.metadefs.bodies import Contents, Json, checked, read_association, read_contents, usable
from appliance.image.metadefs.items import Objects, Properties, Tags
from appliance.image.policies import ImagePolicies
from appliance.settings import Settings
from appliance.values import Caller, Clock

_WITHIN = {
    "resource_type_associations": "add_metadef_resource_type_association",
    "objects": "add_metadef_object",
    "properties": "add_metadef_property",
    "tags": "add_metadef_tag",
}
"""What a new namespace may bring along, and the policy of each."""

NEWEST_FIRST = Order("created_at", descending=True)


@dataclass(frozen=True, slots=True)
class NamespaceFilter:
    """Which namespaces a client wants listed. `marker` is the name of the last one it has seen."""

    order: Order
    limit: int
    marker: str | None = None
    visibility: str | None = None
    resource_types: Sequence[str] | None = None


class Namespaces:
    """What can be done to namespaces as a whole."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._db = access.db

    def page(self, caller: Caller, wanted: NamespaceFilter) -> list[tuple[NamespaceRecord, list[AssociationRecord]]]:
        """A page of the namespaces that the caller may see, each with its resource types."""
        rows.check_sort_key(wanted.order.key, rows.NAMESPACE_SORT_KEYS)
        policies = self._access.policies
        policies.enforce_definition(caller, "get_metadef_namespaces")
        with self._db.snapshot():
            marker = None
            if wanted.marker is not None:
                marker = rows.find_namespace(self._db, wanted.marker)
                if marker is None or not visible(caller, marker):
                    raise NotFound(f"Namespace {wanted.marker} not found")
            query = NamespaceQuery(wanted.order, wanted.limit, marker, wanted.visibility, wanted.resource_types)
            found = rows.page_of_namespaces(self._db, query, caller.project_id, all=caller.is_admin)
            found = [one for one in found if policies.allows_definition(caller, "get_metadef_namespace", one)]
            ties = rows.associations_of_many(self._db, [namespace.id for namespace in found])
        return [(namespace, ties.get(namespace.id, [])) for namespace in found]

    def create(self, caller: Caller, body: Json) -> tuple[NamespaceRecord, Contents]:
        """Make a namespace with everything in the body, or nothing at all."""
        checked("namespace", body)
        now = self._access.clock()
        for operation in ("add_metadef_namespace", *(name for kind, name in _WITHIN.items() if body.get(kind))):
            self._access.policies.enforce_definition(caller, operation)
        record = _record(body, now, body.get("owner", caller.project_id))
        contents = read_contents(body, now)

        def insert(tx: Tx) -> NamespaceRecord:
            stored = replace(record, id=rows.insert_namespace(tx, record))
            fill(tx, stored, contents)
            return stored

        return self._db.transact(insert), contents

    def show(self, caller: Caller, name: str, resource_type: str | None = None) -> tuple[NamespaceRecord, Contents]:
        """A namespace with all that is in it; names of properties as they are on resources of `resource_type`."""
        with self._db.snapshot():
            namespace = self._access.namespace(self._db, caller, name, "get_metadef_namespace")
            contents = Contents(
                associations=rows.associations(self._db, namespace.id),
                properties={record.name: record.definition for record in items.properties(self._db, namespace.id)},
                objects=items.objects(self._db, namespace.id),
                tags=items.page_of_tags(self._db, namespace.id, NEWEST_FIRST, None, None),
            )
        return namespace, _prefixed(contents, resource_type)

    def update(self, caller: Caller, name: str, body: Json) -> NamespaceRecord:
        """Replace what is said of the namespace itself. What the body leaves out goes back to its default."""
        checked("namespace", body)

        def change(tx: Tx) -> NamespaceRecord:
            found = self._access.namespace(tx, caller, name, "modify_metadef_namespace")
            now = self._access.clock()
            record = _record(body, now, body.get("owner") or caller.project_id)
            record = replace(record, id=found.id, created_at=found.created_at)
            rows.update_namespace(tx, record)
            return record

        return self._db.transact(change)

    def delete(self, caller: Caller, name: str) -> None:
        """Remove a namespace with all that is in it."""

        def change(tx: Tx) -> None:
            namespace = self._access.namespace(tx, caller, name, "delete_metadef_namespace")
            check_unprotected(namespace, f"namespace {name}")
            rows.delete_namespace(tx, namespace.id)

        self._db.transact(change)

    def empty(
        self, caller: Caller, name: str, kind: type[ObjectRecord] | type[PropertyRecord] | type[TagRecord]
    ) -> None:
        """Remove everything of one kind from a namespace."""

        def change(tx: Tx) -> None:
            namespace = self._access.namespace(tx, caller, name, "delete_metadef_namespace")
            if kind is TagRecord:
                self._access.policies.enforce_definition(caller, "delete_metadef_tags", namespace)
            check_unprotected(namespace, f"namespace {name}")
            items.delete_items(tx, kind, namespace.id)

        self._db.transact(change)


def _record(body: Json, now: int, owner: str | None) -> NamespaceRecord:
    name = usable(body["namespace"], "namespace")
    if "/" in name:
        raise Invalid("The name of a namespace has no slash in it: it is a part of an address.")
    if owner is None:
        raise Invalid("The namespace needs an owner: the token is for no project.")
    return NamespaceRecord(
        namespace=name,
        owner=owner,
        visibility=body.get("visibility", "private"),
        protected=body.get("protected", False),
        created_at=now,
        updated_at=now,
        display_name=body.get("display_name"),
        description=body.get("description"),
    )


def fill(tx: Tx, namespace: NamespaceRecord, contents: Contents) -> None:
    """Put contents into a new namespace. Raises `Conflict` for two of one name."""
    for association in contents.associations or ():
        rows.insert_association(tx, namespace, association)
    for name, definition in (contents.properties or {}).items():
        record = PropertyRecord(name, definition, namespace.created_at, namespace.updated_at)
        items.insert_item(tx, namespace, record)
    for item in contents.objects or ():
        items.insert_item(tx, namespace, item)
    for tag in contents.tags or ():
        items.insert_item(tx, namespace, tag)


def _prefixed(contents: Contents, resource_type: str | None) -> Contents:
    """The same contents, with the prefix that the association with this resource type has."""
    prefix = next((tie.prefix for tie in contents.associations or () if tie.name == resource_type), None)
    if not prefix:
        return contents
    return replace(
        contents,
        properties=_with_prefix(prefix, contents.properties or {}),
        objects=[
            replace(
                item,
                properties=_with_prefix(prefix, item.properties or {}),
                required=[prefix + name for name in item.required or ()],
            )
            for item in contents.objects or ()
        ],
    )


def _with_prefix(prefix: str, definitions: dict[str, Definition]) -> dict[str, Definition]:
    return {prefix + name: definition for name, definition in definitions.items()}


class ResourceTypes:
    """What can be done to resource types and to the associations of a namespace with them."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._db = access.db

    def known(self, caller: Caller) -> list[ResourceTypeRecord]:
        """Every resource type that was ever associated with a namespace."""
        self._access.policies.enforce_definition(caller, "list_metadef_resource_types")
        return rows.resource_types(self._db)

    def all(self, caller: Caller, namespace: str) -> list[AssociationRecord]:
        with self._db.snapshot():
            found = self._access.namespace(self._db, caller, namespace, "list_metadef_resource_types")
            seen = self._access.policies.allows_definition(caller, "get_metadef_resource_type", found)
            return rows.associations(self._db, found.id) if seen else []

    def associate(self, caller: Caller, namespace: str, body: Json) -> AssociationRecord:
        """Tie the namespace to a resource type, which becomes known by that."""
        record = read_association(body, self._access.clock())

        def change(tx: Tx) -> None:
            found = self._access.namespace(tx, caller, namespace, "add_metadef_resource_type_association")
            rows.insert_association(tx, found, record)

        self._db.transact(change)
        return record

    def dissociate(self, caller: Caller, namespace: str, name: str) -> None:
        def change(tx: Tx) -> None:
            found = self._access.namespace(tx, caller, namespace, "remove_metadef_resource_type_association")
            if not any(tie.name == name for tie in rows.associations(tx, found.id)):
                raise NotFound(f"Failed to find resource type {name} to delete")
            check_unprotected(found, f"resource-type-association {name}")
            rows.delete_association(tx, found.id, name)

        self._db.transact(change)


class Metadefs:
    """The five kinds of definitions, side by side: what wiring makes and the API is given."""

    def __init__(self, db: Database, policies: ImagePolicies, settings: Settings, clock: Clock) -> None:
        access = Access(db, policies, clock)
        self.settings = settings
        self.namespaces = Namespaces(access)
        self.objects = Objects(access)
        self.properties = Properties(access)
        self.tags = Tags(access)
        self.resource_types = ResourceTypes(access)

"""Who may read and change which metadata definitions."""

from appliance.db.engine.base import Database, Reader
from appliance.db.image.metadefs import NamespaceRecord, find_namespace
from appliance.errors import Forbidden, NotFound
from appliance.values import Caller, Clock

READER = "reader"
ADMIN = "admin"

RULES: dict[str, str] = {
    "get_metadef_namespaces": READER,
    "get_metadef_namespace": READER,
    "add_metadef_namespace": ADMIN,
    "modify_metadef_namespace": ADMIN,
    "delete_metadef_namespace": ADMIN,
    "get_metadef_objects": READER,
    "get_metadef_object": READER,
    "add_metadef_object": ADMIN,
    "modify_metadef_object": ADMIN,
    "delete_metadef_object": ADMIN,
    "get_metadef_properties": READER,
    "get_metadef_property": READER,
    "add_metadef_property": ADMIN,
    "modify_metadef_property": ADMIN,
    "remove_metadef_property": ADMIN,
    "get_metadef_tags": READER,
    "get_metadef_tag": READER,
    "add_metadef_tag": ADMIN,
    "add_metadef_tags": ADMIN,
    "modify_metadef_tag": ADMIN,
    "delete_metadef_tag": ADMIN,
    "delete_metadef_tags": ADMIN,
    "list_metadef_resource_types": READER,
    "add_metadef_resource_type_association": ADMIN,
    "remove_metadef_resource_type_association": ADMIN,
}


def visible(caller: Caller, namespace: NamespaceRecord) -> bool:
    """Whether the namespace exists for the caller, before any role is asked for."""
    if caller.is_admin or namespace.visibility == "public":
        return True
    return caller.project_id is not None and caller.project_id == namespace.owner


def may_read(caller: Caller, namespace: NamespaceRecord | None) -> bool:
    """Whether the caller may see the namespace, or anything at all if none is given."""
    if caller.beyond_projects:
        return False
    if caller.is_admin:
        return True
    return caller.has_role(READER) and (namespace is None or visible(caller, namespace))


def enforce(caller: Caller, operation: str, namespace: NamespaceRecord | None = None) -> None:
    """Raise `Forbidden` if the caller may not do it, `NotFound` if not even see what it would be done to."""
    if not may_read(caller, namespace):
        raise NotFound("The resource could not be found.")
    if RULES[operation] == ADMIN and not caller.is_admin:
        raise Forbidden(f"You are not authorized to complete {operation} action.")


def check_unprotected(namespace: NamespaceRecord, what: str) -> None:
    """Raise `Forbidden` if the namespace protects itself and what is in it from deletion."""
    if namespace.protected:
        raise Forbidden(f"Metadata definition {what} is protected and cannot be deleted.")


class Access:
    """What every room of the metadata definitions needs: the rows, the clock, and the way to a namespace."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self.db = db
        self.clock = clock

    def namespace(self, reader: Reader, caller: Caller, name: str, operation: str) -> NamespaceRecord:
        """The namespace, for this operation. Raises `NotFound` or `Forbidden`.

        `reader` is the open transaction when the operation writes, so that what was checked still holds.
        """
        found = find_namespace(reader, name)
        if found is None or not visible(caller, found):
            raise NotFound(f"Namespace {name} not found")
        enforce(caller, operation, found)
        return found

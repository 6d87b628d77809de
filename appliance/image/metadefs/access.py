"""Who may read and change which metadata definitions."""

from appliance.db.engine.base import Database, Reader
from appliance.db.image.metadefs import NamespaceRecord, find_namespace
from appliance.errors import Forbidden, NotFound
from appliance.image.policies import ImagePolicies
from appliance.values import Caller, Clock


def visible(caller: Caller, namespace: NamespaceRecord) -> bool:
    """Whether the namespace exists for the caller, before any role is asked for."""
    if caller.is_admin or namespace.visibility == "public":
        return True
    return caller.project_id is not None and caller.project_id == namespace.owner


def check_unprotected(namespace: NamespaceRecord, what: str) -> None:
    """Raise `Forbidden` if the namespace protects itself and what is in it from deletion."""
    if namespace.protected:
        raise Forbidden(f"Metadata definition {what} is protected and cannot be deleted.")


class Access:
    """What every kind of metadata definition needs: the rows, the policies, the clock, and the way to a namespace."""

    def __init__(self, db: Database, policies: ImagePolicies, clock: Clock) -> None:
        self.db = db
        self.policies = policies
        self.clock = clock

    def namespace(self, reader: Reader, caller: Caller, name: str, operation: str) -> NamespaceRecord:
        """The namespace, for this operation. Raises `NotFound` or `Forbidden`.

        `reader` is the open transaction when the operation writes, so that what was checked still holds.
        """
        found = find_namespace(reader, name)
        if found is None or not visible(caller, found):
            raise NotFound(f"Namespace {name} not found")
        self.policies.enforce_definition(caller, operation, found)
        return found

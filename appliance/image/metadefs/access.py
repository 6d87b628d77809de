"""Finding a namespace for somebody: what they may not see does not exist."""

from appliance.db.database import Database
from appliance.db.metadefs import NamespaceRecord, find_namespace
from appliance.db.records import Reader
from appliance.errors import NotFound
from appliance.image.metadefs.rules import enforce, visible
from appliance.values import Caller, Clock


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

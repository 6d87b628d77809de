"""The metadata definitions as a whole: what wiring makes and the API is given."""

from appliance.db.database import Database
from appliance.image.metadefs.access import Access
from appliance.image.metadefs.namespaces import Namespaces
from appliance.image.metadefs.objects import Objects
from appliance.image.metadefs.properties import Properties
from appliance.image.metadefs.resource_types import ResourceTypes
from appliance.image.metadefs.tags import Tags
from appliance.settings import Settings
from appliance.values import Clock


class Metadefs:
    """The five kinds of definitions, side by side."""

    def __init__(self, db: Database, settings: Settings, clock: Clock) -> None:
        access = Access(db, clock)
        self.settings = settings
        self.namespaces = Namespaces(access)
        self.objects = Objects(access)
        self.properties = Properties(access)
        self.tags = Tags(access)
        self.resource_types = ResourceTypes(access)

"""The metadata definitions as a whole: what wiring makes and the API is given."""

from appliance.db.engine.base import Database
from appliance.image.metadefs.access import Access
from appliance.image.metadefs.items import Objects, Properties, Tags
from appliance.image.metadefs.namespaces import Namespaces, ResourceTypes
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

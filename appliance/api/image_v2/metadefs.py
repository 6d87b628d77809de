"""`/v2/metadefs/…`: the routes of the metadata definitions, one file for each kind."""

from appliance.api.image_v2 import (
    metadefs_namespaces,
    metadefs_objects,
    metadefs_properties,
    metadefs_resource_types,
    metadefs_tags,
)
from appliance.api.service import Route
from appliance.image.metadefs.catalog import Metadefs
from appliance.settings import Settings


def routes(metadefs: Metadefs, settings: Settings) -> list[Route]:
    """Every route of the metadata definitions."""
    return [
        *metadefs_namespaces.routes(metadefs.namespaces, settings),
        *metadefs_objects.routes(metadefs.objects, metadefs.namespaces),
        *metadefs_properties.routes(metadefs.properties, metadefs.namespaces),
        *metadefs_tags.routes(metadefs.tags, metadefs.namespaces),
        *metadefs_resource_types.routes(metadefs.resource_types),
    ]

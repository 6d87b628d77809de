"""Rows of the catalog: regions, services and their endpoints."""

from appliance.db.records import Reader, Record, Shape, read

REGIONS = Shape("regions", ("id", "description", "parent_region_id"))
SERVICES = Shape("services", ("id", "type", "name", "description", "enabled"), booleans=frozenset({"enabled"}))
ENDPOINTS = Shape(
    "endpoints", ("id", "service_id", "region_id", "interface", "url", "enabled"), booleans=frozenset({"enabled"})
)


def enabled_endpoints(reader: Reader) -> list[tuple[Record, Record]]:
    """Every (service, endpoint) that is enabled, services in the order of their ids."""
    services = {
        row["id"]: read(SERVICES, row) for row in reader.rows("SELECT * FROM services WHERE enabled = 1 ORDER BY id")
    }
    rows = reader.rows("SELECT * FROM endpoints WHERE enabled = 1 ORDER BY service_id, id")
    return [(services[row["service_id"]], read(ENDPOINTS, row)) for row in rows if row["service_id"] in services]

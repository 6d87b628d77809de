"""Who may do what to the catalog and to what hangs on it: one table per resource, in Keystone's names."""

from appliance.identity.policy import ANY_SCOPE, SYSTEM_OR_PROJECT, Rule, admin, any_of, anyone, system_reader

_READ = any_of(admin, system_reader)

REGIONS = {
    "get_region": Rule(anyone, ANY_SCOPE),
    "list_regions": Rule(anyone, ANY_SCOPE),
    "create_region": Rule(admin, SYSTEM_OR_PROJECT),
    "update_region": Rule(admin, SYSTEM_OR_PROJECT),
    "delete_region": Rule(admin, SYSTEM_OR_PROJECT),
}

SERVICES = {
    "get_service": Rule(_READ, SYSTEM_OR_PROJECT),
    "list_services": Rule(_READ, SYSTEM_OR_PROJECT),
    "create_service": Rule(admin, SYSTEM_OR_PROJECT),
    "update_service": Rule(admin, SYSTEM_OR_PROJECT),
    "delete_service": Rule(admin, SYSTEM_OR_PROJECT),
}

ENDPOINTS = {
    "get_endpoint": Rule(_READ, SYSTEM_OR_PROJECT),
    "list_endpoints": Rule(_READ, SYSTEM_OR_PROJECT),
    "create_endpoint": Rule(admin, SYSTEM_OR_PROJECT),
    "update_endpoint": Rule(admin, SYSTEM_OR_PROJECT),
    "delete_endpoint": Rule(admin, SYSTEM_OR_PROJECT),
}

CATALOG_RULES: dict[str, Rule] = {**REGIONS, **SERVICES, **ENDPOINTS}

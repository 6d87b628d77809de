"""Who may do what to the catalog and to what hangs on it: one table per resource, in Keystone's names."""

from appliance.identity.policy import (
    ANY_SCOPE,
    SYSTEM_OR_PROJECT,
    Rule,
    admin,
    all_of,
    any_of,
    anyone,
    in_domain,
    in_project,
    role,
    service,
    system_reader,
    user_is,
)

_READ = any_of(admin, system_reader)
_OWN_CREDENTIAL = user_is("credential.user_id")
_MANAGES_EC2 = any_of(admin, all_of(role("member"), _OWN_CREDENTIAL))
_SEES_LIMIT = any_of(
    _READ, in_domain("limit.domain.id"), in_domain("limit.project.domain_id"), in_project("limit.project_id")
)


def _sees(*actions: str) -> dict[str, Rule]:
    """Actions that look at what belongs to the whole cloud."""
    return {action: Rule(_READ, SYSTEM_OR_PROJECT) for action in actions}


def _manages(*actions: str) -> dict[str, Rule]:
    """Actions that change what belongs to the whole cloud."""
    return {action: Rule(admin, SYSTEM_OR_PROJECT) for action in actions}


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

ENDPOINT_GROUPS = {
    **_sees(
        "get_endpoint_group",
        "list_endpoint_groups",
        "list_projects_associated_with_endpoint_group",
        "list_endpoints_associated_with_endpoint_group",
        "get_endpoint_group_in_project",
        "list_endpoint_groups_for_project",
    ),
    **_manages(
        "create_endpoint_group",
        "update_endpoint_group",
        "delete_endpoint_group",
        "add_endpoint_group_to_project",
        "remove_endpoint_group_from_project",
    ),
}

PROJECT_ENDPOINTS = {
    **_sees("list_projects_for_endpoint", "check_endpoint_in_project", "list_endpoints_for_project"),
    **_manages("add_endpoint_to_project", "remove_endpoint_from_project"),
}

POLICIES = {
    **_sees("get_policy", "list_policies"),
    **_manages("create_policy", "update_policy", "delete_policy"),
}

POLICY_ASSOCIATIONS = {
    **_sees(
        "check_policy_association_for_endpoint",
        "check_policy_association_for_service",
        "check_policy_association_for_region_and_service",
        "get_policy_for_endpoint",
        "list_endpoints_for_policy",
    ),
    **_manages(
        "create_policy_association_for_endpoint",
        "delete_policy_association_for_endpoint",
        "create_policy_association_for_service",
        "delete_policy_association_for_service",
        "create_policy_association_for_region_and_service",
        "delete_policy_association_for_region_and_service",
    ),
}

CREDENTIALS = {
    "get_credential": Rule(any_of(_READ, _OWN_CREDENTIAL), ANY_SCOPE),
    "list_credentials": Rule(any_of(_READ, _OWN_CREDENTIAL), ANY_SCOPE),
    "create_credential": Rule(any_of(admin, _OWN_CREDENTIAL), ANY_SCOPE),
    "update_credential": Rule(any_of(admin, _OWN_CREDENTIAL), ANY_SCOPE),
    "delete_credential": Rule(any_of(admin, _OWN_CREDENTIAL), ANY_SCOPE),
}

EC2_CREDENTIALS = {
    "ec2_get_credential": Rule(any_of(_READ, _OWN_CREDENTIAL), SYSTEM_OR_PROJECT),
    "ec2_list_credentials": Rule(any_of(_READ, user_is("user_id")), SYSTEM_OR_PROJECT),
    "ec2_create_credential": Rule(_MANAGES_EC2, SYSTEM_OR_PROJECT),
    "ec2_delete_credential": Rule(_MANAGES_EC2, SYSTEM_OR_PROJECT),
    "ec2tokens_validate": Rule(any_of(admin, service), ANY_SCOPE),
    "s3tokens_validate": Rule(any_of(admin, service), ANY_SCOPE),
}

REGISTERED_LIMITS = {
    "get_registered_limit": Rule(anyone, ANY_SCOPE),
    "list_registered_limits": Rule(anyone, ANY_SCOPE),
    **_manages("create_registered_limits", "update_registered_limit", "delete_registered_limit"),
}

LIMITS = {
    "get_limit_model": Rule(anyone, ANY_SCOPE),
    "get_limit": Rule(_SEES_LIMIT, ANY_SCOPE),
    "list_limits": Rule(anyone, ANY_SCOPE),
    **_manages("create_limits", "update_limit", "delete_limit"),
}

CONSUMERS = {
    **_sees("get_consumer", "list_consumers"),
    **_manages("create_consumer", "update_consumer", "delete_consumer"),
    "list_access_tokens": Rule(admin, SYSTEM_OR_PROJECT),
    "get_access_token": Rule(admin, SYSTEM_OR_PROJECT),
}

DOMAIN_CONFIGS = {
    **_sees("get_domain_config", "get_domain_config_default"),
    **_manages("create_domain_config", "update_domain_config", "delete_domain_config"),
    "get_security_compliance_domain_config": Rule(anyone, ANY_SCOPE),
}

FEDERATION = {
    **_sees(
        "get_identity_provider",
        "list_identity_providers",
        "get_mapping",
        "list_mappings",
        "get_protocol",
        "list_protocols",
        "get_service_provider",
        "list_service_providers",
    ),
    **_manages("manage_federation"),
}

CATALOG_RULES: dict[str, Rule] = {
    **REGIONS,
    **SERVICES,
    **ENDPOINTS,
    **ENDPOINT_GROUPS,
    **PROJECT_ENDPOINTS,
    **POLICIES,
    **POLICY_ASSOCIATIONS,
    **CREDENTIALS,
    **EC2_CREDENTIALS,
    **REGISTERED_LIMITS,
    **LIMITS,
    **CONSUMERS,
    **DOMAIN_CONFIGS,
    **FEDERATION,
}

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
    "identity:get_region": Rule(anyone, ANY_SCOPE),
    "identity:list_regions": Rule(anyone, ANY_SCOPE),
    "identity:create_region": Rule(admin, SYSTEM_OR_PROJECT),
    "identity:update_region": Rule(admin, SYSTEM_OR_PROJECT),
    "identity:delete_region": Rule(admin, SYSTEM_OR_PROJECT),
}

SERVICES = {
    "identity:get_service": Rule(_READ, SYSTEM_OR_PROJECT),
    "identity:list_services": Rule(_READ, SYSTEM_OR_PROJECT),
    "identity:create_service": Rule(admin, SYSTEM_OR_PROJECT),
    "identity:update_service": Rule(admin, SYSTEM_OR_PROJECT),
    "identity:delete_service": Rule(admin, SYSTEM_OR_PROJECT),
}

ENDPOINTS = {
    "identity:get_endpoint": Rule(_READ, SYSTEM_OR_PROJECT),
    "identity:list_endpoints": Rule(_READ, SYSTEM_OR_PROJECT),
    "identity:create_endpoint": Rule(admin, SYSTEM_OR_PROJECT),
    "identity:update_endpoint": Rule(admin, SYSTEM_OR_PROJECT),
    "identity:delete_endpoint": Rule(admin, SYSTEM_OR_PROJECT),
}

ENDPOINT_GROUPS = {
    **_sees(
        "identity:get_endpoint_group",
        "identity:list_endpoint_groups",
        "identity:list_projects_associated_with_endpoint_group",
        "identity:list_endpoints_associated_with_endpoint_group",
        "identity:get_endpoint_group_in_project",
        "identity:list_endpoint_groups_for_project",
    ),
    **_manages(
        "identity:create_endpoint_group",
        "identity:update_endpoint_group",
        "identity:delete_endpoint_group",
        "identity:add_endpoint_group_to_project",
        "identity:remove_endpoint_group_from_project",
    ),
}

PROJECT_ENDPOINTS = {
    **_sees(
        "identity:list_projects_for_endpoint",
        "identity:check_endpoint_in_project",
        "identity:list_endpoints_for_project",
    ),
    **_manages("identity:add_endpoint_to_project", "identity:remove_endpoint_from_project"),
}

POLICIES = {
    **_sees("identity:get_policy", "identity:list_policies"),
    **_manages("identity:create_policy", "identity:update_policy", "identity:delete_policy"),
}

POLICY_ASSOCIATIONS = {
    **_sees(
        "identity:check_policy_association_for_endpoint",
        "identity:check_policy_association_for_service",
        "identity:check_policy_association_for_region_and_service",
        "identity:get_policy_for_endpoint",
        "identity:list_endpoints_for_policy",
    ),
    **_manages(
        "identity:create_policy_association_for_endpoint",
        "identity:delete_policy_association_for_endpoint",
        "identity:create_policy_association_for_service",
        "identity:delete_policy_association_for_service",
        "identity:create_policy_association_for_region_and_service",
        "identity:delete_policy_association_for_region_and_service",
    ),
}

CREDENTIALS = {
    "identity:get_credential": Rule(any_of(_READ, _OWN_CREDENTIAL), ANY_SCOPE),
    "identity:list_credentials": Rule(any_of(_READ, _OWN_CREDENTIAL), ANY_SCOPE),
    "identity:create_credential": Rule(any_of(admin, _OWN_CREDENTIAL), ANY_SCOPE),
    "identity:update_credential": Rule(any_of(admin, _OWN_CREDENTIAL), ANY_SCOPE),
    "identity:delete_credential": Rule(any_of(admin, _OWN_CREDENTIAL), ANY_SCOPE),
}

EC2_CREDENTIALS = {
    "identity:ec2_get_credential": Rule(any_of(_READ, _OWN_CREDENTIAL), SYSTEM_OR_PROJECT),
    "identity:ec2_list_credentials": Rule(any_of(_READ, user_is("user_id")), SYSTEM_OR_PROJECT),
    "identity:ec2_create_credential": Rule(_MANAGES_EC2, SYSTEM_OR_PROJECT),
    "identity:ec2_delete_credential": Rule(_MANAGES_EC2, SYSTEM_OR_PROJECT),
    "identity:ec2tokens_validate": Rule(any_of(admin, service), ANY_SCOPE),
    "identity:s3tokens_validate": Rule(any_of(admin, service), ANY_SCOPE),
}

REGISTERED_LIMITS = {
    "identity:get_registered_limit": Rule(anyone, ANY_SCOPE),
    "identity:list_registered_limits": Rule(anyone, ANY_SCOPE),
    **_manages(
        "identity:create_registered_limits", "identity:update_registered_limit", "identity:delete_registered_limit"
    ),
}

LIMITS = {
    "identity:get_limit_model": Rule(anyone, ANY_SCOPE),
    "identity:get_limit": Rule(_SEES_LIMIT, ANY_SCOPE),
    "identity:list_limits": Rule(anyone, ANY_SCOPE),
    **_manages("identity:create_limits", "identity:update_limit", "identity:delete_limit"),
}

CONSUMERS = {
    **_sees("identity:get_consumer", "identity:list_consumers"),
    **_manages("identity:create_consumer", "identity:update_consumer", "identity:delete_consumer"),
    "identity:list_access_tokens": Rule(admin, SYSTEM_OR_PROJECT),
    "identity:get_access_token": Rule(admin, SYSTEM_OR_PROJECT),
}

DOMAIN_CONFIGS = {
    **_sees("identity:get_domain_config", "identity:get_domain_config_default"),
    **_manages("identity:create_domain_config", "identity:update_domain_config", "identity:delete_domain_config"),
    "identity:get_security_compliance_domain_config": Rule(anyone, ANY_SCOPE),
}

_FEDERATED = ("identity_provider", "mapping", "protocol", "service_provider")
FEDERATION = {
    **_sees(*(f"identity:{doing}" for kind in _FEDERATED for doing in (f"get_{kind}", f"list_{kind}s"))),
    **_manages(*(f"identity:{doing}_{kind}" for kind in _FEDERATED for doing in ("create", "update", "delete"))),
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

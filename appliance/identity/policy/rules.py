"""Who may do what to the catalog and to what hangs on it: one table per resource, in Keystone's names."""

from appliance.identity.policy.checks import (
    ANY_SCOPE,
    PROJECT,
    SYSTEM_OR_PROJECT,
    Check,
    Rule,
    Target,
    admin,
    all_of,
    any_of,
    anyone,
    check,
    in_domain,
    in_project,
    of_domain,
    outside_domains,
    project_in_domain,
    role,
    service,
    system_admin,
    system_reader,
    user_is,
)
from appliance.identity.tokens.token import Token

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


def _domain_reader(*names: str) -> Check:
    return all_of(role("reader"), in_domain(*names))


def _domain_manager(*names: str) -> Check:
    return all_of(role("manager"), in_domain(*names))


_GRANTS_IN_DOMAIN = (
    ("user.domain_id", "project.domain_id"),
    ("user.domain_id", "domain.id"),
    ("group.domain_id", "project.domain_id"),
    ("group.domain_id", "domain.id"),
)
_MANAGED_ROLES = frozenset({"manager", "member", "reader"})


@check(" or ".join(in_domain(*names).text for names in _GRANTS_IN_DOMAIN))
def _within_own_domain(token: Token, target: Target) -> bool:
    return any(in_domain(*names)(token, target) for names in _GRANTS_IN_DOMAIN)


@check("None:%(role.domain_id)s or domain_id:%(role.domain_id)s")
def _role_of_own_domain(token: Token, target: Target) -> bool:
    """The role is global or of the token's domain."""
    return "role.id" in target and target.get("role.domain_id") in (None, token.domain_id)


@check("'manager':%(role.name)s or 'member':%(role.name)s or 'reader':%(role.name)s")
def _managed_role(token: Token, target: Target) -> bool:
    """A role that a domain's manager may hand out and see."""
    return target.get("role.name") in _MANAGED_ROLES


_SEES_USERS = any_of(_READ, _domain_reader("domain_id"))
_MANAGES_USER = any_of(admin, _domain_manager("user.domain_id"))
_SEES_GROUP = any_of(_READ, _domain_reader("group.domain_id"))
_MANAGES_GROUP = any_of(admin, _domain_manager("group.domain_id"))
_SEES_MEMBERS = any_of(_READ, _domain_reader("group.domain_id", "user.domain_id"))
_MANAGES_MEMBERS = any_of(admin, _domain_manager("group.domain_id", "user.domain_id"))
_SEES_PROJECT = any_of(_READ, _domain_reader("project.domain_id"), in_project("project.id"))
_MANAGES_PROJECT = any_of(admin, _domain_manager("project.domain_id"))
_GRANTS = any_of(
    admin,
    all_of(role("admin"), _within_own_domain, _role_of_own_domain),
    all_of(role("manager"), _within_own_domain, _managed_role),
)
_PARTY_TO_TRUST = any_of(_READ, user_is("trust.trustor_user_id"), user_is("trust.trustee_user_id"))

USERS = {
    "identity:get_user": Rule(any_of(_READ, _domain_reader("user.domain_id"), user_is("user.id")), ANY_SCOPE),
    "identity:list_users": Rule(_SEES_USERS, ANY_SCOPE),
    "identity:create_user": Rule(_MANAGES_USER, ANY_SCOPE),
    "identity:update_user": Rule(_MANAGES_USER, ANY_SCOPE),
    "identity:delete_user": Rule(_MANAGES_USER, ANY_SCOPE),
    "identity:list_user_projects": Rule(any_of(_READ, _domain_reader("user.domain_id"), user_is("user.id")), ANY_SCOPE),
    "identity:list_groups_for_user": Rule(
        any_of(_READ, _domain_reader("user.domain_id"), user_is("user_id")), ANY_SCOPE
    ),
}

GROUPS = {
    "identity:get_group": Rule(_SEES_GROUP, ANY_SCOPE),
    "identity:list_groups": Rule(_SEES_GROUP, ANY_SCOPE),
    "identity:create_group": Rule(_MANAGES_GROUP, ANY_SCOPE),
    "identity:update_group": Rule(_MANAGES_GROUP, ANY_SCOPE),
    "identity:delete_group": Rule(_MANAGES_GROUP, ANY_SCOPE),
    "identity:list_users_in_group": Rule(_SEES_GROUP, ANY_SCOPE),
    "identity:check_user_in_group": Rule(_SEES_MEMBERS, ANY_SCOPE),
    "identity:add_user_to_group": Rule(_MANAGES_MEMBERS, ANY_SCOPE),
    "identity:remove_user_from_group": Rule(_MANAGES_MEMBERS, ANY_SCOPE),
}

DOMAINS = {
    "identity:get_domain": Rule(any_of(_READ, in_domain("domain.id"), project_in_domain("domain.id")), ANY_SCOPE),
    "identity:list_domains": Rule(any_of(_READ, _domain_reader("domain.id")), ANY_SCOPE),
    "identity:create_domain": Rule(admin, SYSTEM_OR_PROJECT),
    "identity:update_domain": Rule(admin, SYSTEM_OR_PROJECT),
    "identity:delete_domain": Rule(admin, SYSTEM_OR_PROJECT),
}

PROJECTS = {
    "identity:get_project": Rule(_SEES_PROJECT, ANY_SCOPE),
    "identity:list_projects": Rule(any_of(_READ, _domain_reader("domain_id")), ANY_SCOPE),
    "identity:create_project": Rule(_MANAGES_PROJECT, ANY_SCOPE),
    "identity:update_project": Rule(_MANAGES_PROJECT, ANY_SCOPE),
    "identity:delete_project": Rule(_MANAGES_PROJECT, ANY_SCOPE),
    "identity:list_project_tags": Rule(_SEES_PROJECT, ANY_SCOPE),
    "identity:get_project_tag": Rule(_SEES_PROJECT, ANY_SCOPE),
    "identity:update_project_tags": Rule(_MANAGES_PROJECT, ANY_SCOPE),
    "identity:create_project_tag": Rule(_MANAGES_PROJECT, ANY_SCOPE),
    "identity:delete_project_tags": Rule(_MANAGES_PROJECT, ANY_SCOPE),
    "identity:delete_project_tag": Rule(_MANAGES_PROJECT, ANY_SCOPE),
}

ROLES = {
    "identity:get_role": Rule(any_of(_READ, all_of(role("manager"), _managed_role)), ANY_SCOPE),
    "identity:list_roles": Rule(any_of(_READ, all_of(role("manager"), of_domain)), ANY_SCOPE),
    "identity:create_role": Rule(admin, SYSTEM_OR_PROJECT),
    "identity:update_role": Rule(admin, SYSTEM_OR_PROJECT),
    "identity:delete_role": Rule(admin, SYSTEM_OR_PROJECT),
    "identity:get_domain_role": Rule(_READ, SYSTEM_OR_PROJECT),
    "identity:list_domain_roles": Rule(_READ, SYSTEM_OR_PROJECT),
    "identity:create_domain_role": Rule(admin, SYSTEM_OR_PROJECT),
    "identity:update_domain_role": Rule(admin, SYSTEM_OR_PROJECT),
    "identity:delete_domain_role": Rule(admin, SYSTEM_OR_PROJECT),
    "identity:get_implied_role": Rule(_READ, SYSTEM_OR_PROJECT),
    "identity:list_implied_roles": Rule(_READ, SYSTEM_OR_PROJECT),
    "identity:create_implied_role": Rule(admin, SYSTEM_OR_PROJECT),
    "identity:delete_implied_role": Rule(admin, SYSTEM_OR_PROJECT),
    "identity:check_implied_role": Rule(_READ, SYSTEM_OR_PROJECT),
    "identity:list_role_inference_rules": Rule(_READ, SYSTEM_OR_PROJECT),
}

ASSIGNMENTS = {
    "identity:check_grant": Rule(
        any_of(
            _READ,
            all_of(role("reader"), _within_own_domain, _role_of_own_domain),
        ),
        ANY_SCOPE,
    ),
    "identity:list_grants": Rule(any_of(_READ, all_of(role("reader"), _within_own_domain)), ANY_SCOPE),
    "identity:create_grant": Rule(_GRANTS, ANY_SCOPE),
    "identity:revoke_grant": Rule(_GRANTS, ANY_SCOPE),
    "identity:list_system_grants_for_user": Rule(_READ, SYSTEM_OR_PROJECT),
    "identity:check_system_grant_for_user": Rule(_READ, SYSTEM_OR_PROJECT),
    "identity:create_system_grant_for_user": Rule(admin, SYSTEM_OR_PROJECT),
    "identity:revoke_system_grant_for_user": Rule(admin, SYSTEM_OR_PROJECT),
    "identity:list_system_grants_for_group": Rule(_READ, SYSTEM_OR_PROJECT),
    "identity:check_system_grant_for_group": Rule(_READ, SYSTEM_OR_PROJECT),
    "identity:create_system_grant_for_group": Rule(admin, SYSTEM_OR_PROJECT),
    "identity:revoke_system_grant_for_group": Rule(admin, SYSTEM_OR_PROJECT),
    "identity:list_role_assignments": Rule(any_of(_READ, _domain_reader("domain_id")), ANY_SCOPE),
    "identity:list_role_assignments_for_tree": Rule(any_of(_READ, _domain_reader("domain_id")), ANY_SCOPE),
}

TOKENS = {
    "identity:validate_token": Rule(any_of(_READ, service, user_is("token.user_id")), ANY_SCOPE),
    "identity:check_token": Rule(any_of(_READ, user_is("token.user_id")), ANY_SCOPE),
    "identity:revoke_token": Rule(any_of(admin, user_is("token.user_id")), ANY_SCOPE),
    "identity:get_auth_projects": Rule(anyone, ANY_SCOPE),
    "identity:get_auth_domains": Rule(anyone, ANY_SCOPE),
    "identity:get_auth_system": Rule(anyone, ANY_SCOPE),
    "identity:get_auth_catalog": Rule(anyone, ANY_SCOPE),
    "identity:list_revoke_events": Rule(any_of(admin, service), SYSTEM_OR_PROJECT),
}

APPLICATION_CREDENTIALS = {
    "identity:get_application_credential": Rule(any_of(_READ, user_is("user_id")), SYSTEM_OR_PROJECT),
    "identity:list_application_credentials": Rule(any_of(_READ, user_is("user_id")), SYSTEM_OR_PROJECT),
    "identity:create_application_credential": Rule(user_is("user_id"), PROJECT),
    "identity:delete_application_credential": Rule(any_of(admin, user_is("user_id")), SYSTEM_OR_PROJECT),
    "identity:get_access_rule": Rule(any_of(system_reader, user_is("user_id")), SYSTEM_OR_PROJECT),
    "identity:list_access_rules": Rule(any_of(system_reader, user_is("user_id")), SYSTEM_OR_PROJECT),
    "identity:delete_access_rule": Rule(any_of(system_admin, user_is("user_id")), SYSTEM_OR_PROJECT),
}

TRUSTS = {
    "identity:create_trust": Rule(user_is("trust.trustor_user_id"), PROJECT),
    "identity:list_trusts": Rule(_READ, SYSTEM_OR_PROJECT),
    "identity:list_trusts_for_trustor": Rule(any_of(_READ, user_is("trust.trustor_user_id")), SYSTEM_OR_PROJECT),
    "identity:list_trusts_for_trustee": Rule(any_of(_READ, user_is("trust.trustee_user_id")), SYSTEM_OR_PROJECT),
    "identity:list_roles_for_trust": Rule(_PARTY_TO_TRUST, SYSTEM_OR_PROJECT),
    "identity:get_role_for_trust": Rule(_PARTY_TO_TRUST, SYSTEM_OR_PROJECT),
    "identity:get_trust": Rule(_PARTY_TO_TRUST, SYSTEM_OR_PROJECT),
    "identity:delete_trust": Rule(any_of(admin, user_is("trust.trustor_user_id")), SYSTEM_OR_PROJECT),
}

LEGACY = {
    # What API v2.0 asks of nearly everything, and of what services do.
    "admin_required": Rule(admin, SYSTEM_OR_PROJECT),
    "service_or_admin": Rule(any_of(service, all_of(admin, outside_domains)), ANY_SCOPE),
}

RULES: dict[str, Rule] = {
    **USERS,
    **GROUPS,
    **DOMAINS,
    **PROJECTS,
    **ROLES,
    **ASSIGNMENTS,
    **TOKENS,
    **APPLICATION_CREDENTIALS,
    **TRUSTS,
    **CATALOG_RULES,
    **LEGACY,
}

"""Who may do what: one table per resource, in Keystone's names for the actions. Its default policy, scopes enforced."""

from appliance.identity.policy import (
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
from appliance.identity.rules_catalog import CATALOG_RULES
from appliance.identity.token import Token


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


_READ = any_of(admin, system_reader)
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

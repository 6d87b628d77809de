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
    in_domain,
    in_project,
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


def _within_own_domain(token: Token, target: Target) -> bool:
    return any(in_domain(*names)(token, target) for names in _GRANTS_IN_DOMAIN)


def _role_of_own_domain(token: Token, target: Target) -> bool:
    """The role is global or of the token's domain."""
    return "role.id" in target and target.get("role.domain_id") in (None, token.domain_id)


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
    "get_user": Rule(any_of(_READ, _domain_reader("user.domain_id"), user_is("user.id")), ANY_SCOPE),
    "list_users": Rule(_SEES_USERS, ANY_SCOPE),
    "create_user": Rule(_MANAGES_USER, ANY_SCOPE),
    "update_user": Rule(_MANAGES_USER, ANY_SCOPE),
    "delete_user": Rule(_MANAGES_USER, ANY_SCOPE),
    "list_user_projects": Rule(any_of(_READ, _domain_reader("user.domain_id"), user_is("user.id")), ANY_SCOPE),
    "list_groups_for_user": Rule(any_of(_READ, _domain_reader("user.domain_id"), user_is("user_id")), ANY_SCOPE),
}

GROUPS = {
    "get_group": Rule(_SEES_GROUP, ANY_SCOPE),
    "list_groups": Rule(_SEES_GROUP, ANY_SCOPE),
    "create_group": Rule(_MANAGES_GROUP, ANY_SCOPE),
    "update_group": Rule(_MANAGES_GROUP, ANY_SCOPE),
    "delete_group": Rule(_MANAGES_GROUP, ANY_SCOPE),
    "list_users_in_group": Rule(_SEES_GROUP, ANY_SCOPE),
    "check_user_in_group": Rule(_SEES_MEMBERS, ANY_SCOPE),
    "add_user_to_group": Rule(_MANAGES_MEMBERS, ANY_SCOPE),
    "remove_user_from_group": Rule(_MANAGES_MEMBERS, ANY_SCOPE),
}

DOMAINS = {
    "get_domain": Rule(any_of(_READ, in_domain("domain.id"), project_in_domain("domain.id")), ANY_SCOPE),
    "list_domains": Rule(any_of(_READ, _domain_reader("domain.id")), ANY_SCOPE),
    "create_domain": Rule(admin, SYSTEM_OR_PROJECT),
    "update_domain": Rule(admin, SYSTEM_OR_PROJECT),
    "delete_domain": Rule(admin, SYSTEM_OR_PROJECT),
}

PROJECTS = {
    "get_project": Rule(_SEES_PROJECT, ANY_SCOPE),
    "list_projects": Rule(any_of(_READ, _domain_reader("domain_id")), ANY_SCOPE),
    "create_project": Rule(_MANAGES_PROJECT, ANY_SCOPE),
    "update_project": Rule(_MANAGES_PROJECT, ANY_SCOPE),
    "delete_project": Rule(_MANAGES_PROJECT, ANY_SCOPE),
    "list_project_tags": Rule(_SEES_PROJECT, ANY_SCOPE),
    "get_project_tag": Rule(_SEES_PROJECT, ANY_SCOPE),
    "update_project_tags": Rule(_MANAGES_PROJECT, ANY_SCOPE),
    "create_project_tag": Rule(_MANAGES_PROJECT, ANY_SCOPE),
    "delete_project_tags": Rule(_MANAGES_PROJECT, ANY_SCOPE),
    "delete_project_tag": Rule(_MANAGES_PROJECT, ANY_SCOPE),
}

ROLES = {
    "get_role": Rule(any_of(_READ, all_of(role("manager"), _managed_role)), ANY_SCOPE),
    "list_roles": Rule(any_of(_READ, all_of(role("manager"), lambda token, _: token.domain is not None)), ANY_SCOPE),
    "create_role": Rule(admin, SYSTEM_OR_PROJECT),
    "update_role": Rule(admin, SYSTEM_OR_PROJECT),
    "delete_role": Rule(admin, SYSTEM_OR_PROJECT),
    "get_domain_role": Rule(_READ, SYSTEM_OR_PROJECT),
    "list_domain_roles": Rule(_READ, SYSTEM_OR_PROJECT),
    "create_domain_role": Rule(admin, SYSTEM_OR_PROJECT),
    "update_domain_role": Rule(admin, SYSTEM_OR_PROJECT),
    "delete_domain_role": Rule(admin, SYSTEM_OR_PROJECT),
    "get_implied_role": Rule(_READ, SYSTEM_OR_PROJECT),
    "list_implied_roles": Rule(_READ, SYSTEM_OR_PROJECT),
    "create_implied_role": Rule(admin, SYSTEM_OR_PROJECT),
    "delete_implied_role": Rule(admin, SYSTEM_OR_PROJECT),
    "check_implied_role": Rule(_READ, SYSTEM_OR_PROJECT),
    "list_role_inference_rules": Rule(_READ, SYSTEM_OR_PROJECT),
}

ASSIGNMENTS = {
    "check_grant": Rule(
        any_of(
            _READ,
            all_of(role("reader"), _within_own_domain, _role_of_own_domain),
        ),
        ANY_SCOPE,
    ),
    "list_grants": Rule(any_of(_READ, all_of(role("reader"), _within_own_domain)), ANY_SCOPE),
    "create_grant": Rule(_GRANTS, ANY_SCOPE),
    "revoke_grant": Rule(_GRANTS, ANY_SCOPE),
    "list_system_grants_for_user": Rule(_READ, SYSTEM_OR_PROJECT),
    "check_system_grant_for_user": Rule(_READ, SYSTEM_OR_PROJECT),
    "create_system_grant_for_user": Rule(admin, SYSTEM_OR_PROJECT),
    "revoke_system_grant_for_user": Rule(admin, SYSTEM_OR_PROJECT),
    "list_system_grants_for_group": Rule(_READ, SYSTEM_OR_PROJECT),
    "check_system_grant_for_group": Rule(_READ, SYSTEM_OR_PROJECT),
    "create_system_grant_for_group": Rule(admin, SYSTEM_OR_PROJECT),
    "revoke_system_grant_for_group": Rule(admin, SYSTEM_OR_PROJECT),
    "list_role_assignments": Rule(any_of(_READ, _domain_reader("domain_id")), ANY_SCOPE),
    "list_role_assignments_for_tree": Rule(any_of(_READ, _domain_reader("domain_id")), ANY_SCOPE),
}

TOKENS = {
    "validate_token": Rule(any_of(_READ, service, user_is("token.user_id")), ANY_SCOPE),
    "check_token": Rule(any_of(_READ, user_is("token.user_id")), ANY_SCOPE),
    "revoke_token": Rule(any_of(admin, user_is("token.user_id")), ANY_SCOPE),
    "get_auth_projects": Rule(anyone, ANY_SCOPE),
    "get_auth_domains": Rule(anyone, ANY_SCOPE),
    "get_auth_system": Rule(anyone, ANY_SCOPE),
    "get_auth_catalog": Rule(anyone, ANY_SCOPE),
    "list_revoke_events": Rule(any_of(admin, service), SYSTEM_OR_PROJECT),
}

APPLICATION_CREDENTIALS = {
    "get_application_credential": Rule(any_of(_READ, user_is("user_id")), SYSTEM_OR_PROJECT),
    "list_application_credentials": Rule(any_of(_READ, user_is("user_id")), SYSTEM_OR_PROJECT),
    "create_application_credential": Rule(user_is("user_id"), PROJECT),
    "delete_application_credential": Rule(any_of(admin, user_is("user_id")), SYSTEM_OR_PROJECT),
    "get_access_rule": Rule(any_of(system_reader, user_is("user_id")), SYSTEM_OR_PROJECT),
    "list_access_rules": Rule(any_of(system_reader, user_is("user_id")), SYSTEM_OR_PROJECT),
    "delete_access_rule": Rule(any_of(system_admin, user_is("user_id")), SYSTEM_OR_PROJECT),
}

TRUSTS = {
    "create_trust": Rule(user_is("trust.trustor_user_id"), PROJECT),
    "list_trusts": Rule(_READ, SYSTEM_OR_PROJECT),
    "list_trusts_for_trustor": Rule(any_of(_READ, user_is("trust.trustor_user_id")), SYSTEM_OR_PROJECT),
    "list_trusts_for_trustee": Rule(any_of(_READ, user_is("trust.trustee_user_id")), SYSTEM_OR_PROJECT),
    "list_roles_for_trust": Rule(_PARTY_TO_TRUST, SYSTEM_OR_PROJECT),
    "get_role_for_trust": Rule(_PARTY_TO_TRUST, SYSTEM_OR_PROJECT),
    "get_trust": Rule(_PARTY_TO_TRUST, SYSTEM_OR_PROJECT),
    "delete_trust": Rule(any_of(admin, user_is("trust.trustor_user_id")), SYSTEM_OR_PROJECT),
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
}

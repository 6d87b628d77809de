"""Who may do what: one table per resource, in Keystone's names and in the language of policy files."""

from appliance.policy.rules import ANY_SCOPE, PROJECT, SYSTEM_OR_PROJECT, Default, PolicyRules
from appliance.settings import Settings

_ADMIN = "rule:admin_required"
_READ = f"{_ADMIN} or (role:reader and system_scope:all)"
_SELF = "user_id:%(target.user.id)s"


def _in_domain(role: str, *things: str) -> str:
    """Somebody with a role on the domain of each of these."""
    return " and ".join([f"role:{role}", *(f"domain_id:%(target.{thing})s" for thing in things)])


def _either(*checks: str) -> str:
    return " or ".join(f"({check})" if " " in check else check for check in checks)


def _sees(*actions: str) -> dict[str, Default]:
    """Actions that look at what belongs to the whole cloud."""
    return {action: Default(_READ, SYSTEM_OR_PROJECT) for action in actions}


def _manages(*actions: str) -> dict[str, Default]:
    """Actions that change what belongs to the whole cloud."""
    return {action: Default(_ADMIN, SYSTEM_OR_PROJECT) for action in actions}


def _anyone(*actions: str) -> dict[str, Default]:
    """Actions for whoever has a valid token."""
    return {action: Default("") for action in actions}


def _all(check: str, *actions: str, scopes: frozenset[str] = ANY_SCOPE) -> dict[str, Default]:
    """Actions that one rule is for."""
    return {action: Default(check, scopes) for action in actions}


BASE = {
    "admin_required": Default("role:admin or is_admin:1", SYSTEM_OR_PROJECT),
    "service_role": Default("role:service"),
    "service_or_admin": Default("rule:admin_required or rule:service_role", SYSTEM_OR_PROJECT),
    "owner": Default("user_id:%(user_id)s"),
    "admin_or_owner": Default("rule:admin_required or rule:owner"),
    "token_subject": Default("user_id:%(target.token.user_id)s"),
    "admin_or_token_subject": Default("rule:admin_required or rule:token_subject"),
    "service_admin_or_token_subject": Default("rule:service_or_admin or rule:token_subject"),
    "domain_managed_target_role": Default(
        "'manager':%(target.role.name)s or 'member':%(target.role.name)s or 'reader':%(target.role.name)s"
    ),
}
"""What others ask; and of these, `admin_required` and `service_or_admin` are what API v2.0 asks of nearly everything.
Scopes count for the policy that a route names, not for a rule that it asks."""


def _crud(name: str, plural: str = "", *, readable: bool = False) -> dict[str, Default]:
    """The five actions on a resource of the whole cloud; `readable` for one that everybody may see."""
    seen = (f"identity:get_{name}", f"identity:list_{plural or name + 's'}")
    changed = [f"identity:{doing}_{name}" for doing in ("create", "update", "delete")]
    return {**(_anyone(*seen) if readable else _sees(*seen)), **_manages(*changed)}


REGIONS = _crud("region", readable=True)
SERVICES = _crud("service")
ENDPOINTS = _crud("endpoint")

ENDPOINT_GROUPS = {
    **_crud("endpoint_group"),
    **_sees(
        "identity:list_projects_associated_with_endpoint_group",
        "identity:list_endpoints_associated_with_endpoint_group",
        "identity:get_endpoint_group_in_project",
        "identity:list_endpoint_groups_for_project",
    ),
    **_manages(
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

POLICIES = _crud("policy", "policies")

_ASSOCIATED = ("endpoint", "service", "region_and_service")
POLICY_ASSOCIATIONS = {
    **_sees(
        *(f"identity:check_policy_association_for_{kind}" for kind in _ASSOCIATED),
        "identity:get_policy_for_endpoint",
        "identity:list_endpoints_for_policy",
    ),
    **_manages(
        *(f"identity:{doing}_policy_association_for_{kind}" for kind in _ASSOCIATED for doing in ("create", "delete")),
    ),
}

_OWN_CREDENTIAL = "user_id:%(target.credential.user_id)s"
CREDENTIALS = {
    **_all(_either(_READ, _OWN_CREDENTIAL), "identity:get_credential", "identity:list_credentials"),
    **_all(
        _either(_ADMIN, _OWN_CREDENTIAL),
        "identity:create_credential",
        "identity:update_credential",
        "identity:delete_credential",
    ),
}

EC2_CREDENTIALS = {
    "identity:ec2_get_credential": Default(_either(_READ, _OWN_CREDENTIAL), SYSTEM_OR_PROJECT),
    "identity:ec2_list_credentials": Default(_either(_READ, "rule:owner"), SYSTEM_OR_PROJECT),
    **_all(
        _either(_ADMIN, f"role:member and {_OWN_CREDENTIAL}"),
        "identity:ec2_create_credential",
        "identity:ec2_delete_credential",
        scopes=SYSTEM_OR_PROJECT,
    ),
    **_all("rule:service_or_admin", "identity:ec2tokens_validate", "identity:s3tokens_validate"),
}

REGISTERED_LIMITS = {
    **_anyone("identity:get_registered_limit", "identity:list_registered_limits"),
    **_manages(
        "identity:create_registered_limits", "identity:update_registered_limit", "identity:delete_registered_limit"
    ),
}

LIMITS = {
    **_anyone("identity:get_limit_model", "identity:list_limits"),
    "identity:get_limit": Default(
        _either(
            _READ,
            "domain_id:%(target.limit.domain.id)s or domain_id:%(target.limit.project.domain_id)s",
            "project_id:%(target.limit.project_id)s and not None:%(target.limit.project_id)s",
        )
    ),
    **_manages("identity:create_limits", "identity:update_limit", "identity:delete_limit"),
}

OAUTH1 = {
    **_crud("consumer"),
    **_all(
        _ADMIN,
        "identity:authorize_request_token",
        "identity:get_access_token",
        "identity:list_access_tokens",
        "identity:get_access_token_role",
        "identity:list_access_token_roles",
        "identity:delete_access_token",
        scopes=PROJECT,
    ),
}

DOMAIN_CONFIGS = {
    **_sees("identity:get_domain_config", "identity:get_domain_config_default"),
    **_manages("identity:create_domain_config", "identity:update_domain_config", "identity:delete_domain_config"),
    **_anyone("identity:get_security_compliance_domain_config"),
}

FEDERATION = {
    **_crud("identity_provider"),
    **_crud("mapping"),
    **_crud("protocol"),
    **_crud("service_provider"),
}

USERS = {
    "identity:get_user": Default(_either(_READ, "role:reader and token.domain.id:%(target.user.domain_id)s", _SELF)),
    "identity:list_users": Default(_either(_READ, _in_domain("reader", "domain_id"))),
    **_all(
        _either(_ADMIN, "role:manager and token.domain.id:%(target.user.domain_id)s"),
        "identity:create_user",
        "identity:update_user",
        "identity:delete_user",
    ),
    "identity:list_user_projects": Default(_either(_READ, _in_domain("reader", "user.domain_id"), _SELF)),
    "identity:list_groups_for_user": Default(
        _either(_READ, _in_domain("reader", "user.domain_id"), "user_id:%(user_id)s")
    ),
}

GROUPS = {
    **_all(
        _either(_READ, _in_domain("reader", "group.domain_id")),
        "identity:get_group",
        "identity:list_groups",
        "identity:list_users_in_group",
    ),
    **_all(
        _either(_ADMIN, _in_domain("manager", "group.domain_id")),
        "identity:create_group",
        "identity:update_group",
        "identity:delete_group",
    ),
    "identity:check_user_in_group": Default(_either(_READ, _in_domain("reader", "group.domain_id", "user.domain_id"))),
    **_all(
        _either(_ADMIN, _in_domain("manager", "group.domain_id", "user.domain_id")),
        "identity:add_user_to_group",
        "identity:remove_user_from_group",
    ),
}

DOMAINS = {
    "identity:get_domain": Default(
        _either(_READ, "token.domain.id:%(target.domain.id)s", "token.project.domain.id:%(target.domain.id)s")
    ),
    "identity:list_domains": Default(_either(_READ, _in_domain("reader", "domain.id"))),
    **_manages("identity:create_domain", "identity:update_domain", "identity:delete_domain"),
}

_PROJECTS_OF_DOMAIN = "not None:%(target.project.domain_id)s"
PROJECTS = {
    **_all(
        _either(
            _READ,
            f"{_in_domain('reader', 'project.domain_id')} and {_PROJECTS_OF_DOMAIN}",
            "project_id:%(target.project.id)s",
        ),
        "identity:get_project",
        "identity:list_project_tags",
        "identity:get_project_tag",
    ),
    "identity:list_projects": Default(_either(_READ, _in_domain("reader", "domain_id"))),
    **_all(
        _either(_ADMIN, f"{_in_domain('manager', 'project.domain_id')} and {_PROJECTS_OF_DOMAIN}"),
        "identity:create_project",
        "identity:update_project",
        "identity:delete_project",
        "identity:update_project_tags",
        "identity:create_project_tag",
        "identity:delete_project_tags",
        "identity:delete_project_tag",
    ),
}

ROLES = {
    **_crud("role"),
    "identity:get_role": Default(_either(_READ, "role:manager and rule:domain_managed_target_role")),
    "identity:list_roles": Default(_either(_READ, "role:manager and not domain_id:None")),
    **_crud("domain_role"),
    **_sees(
        "identity:get_implied_role",
        "identity:list_implied_roles",
        "identity:check_implied_role",
        "identity:list_role_inference_rules",
    ),
    **_manages("identity:create_implied_role", "identity:delete_implied_role"),
}


def _grants(role: str) -> str:
    """Somebody with a role on the domain that both sides of a grant are of."""
    places = ("project.domain_id", "domain.id")
    return _either(*(_in_domain(role, f"{actor}.domain_id", on) for actor in ("user", "group") for on in places))


_ROLE_OF_DOMAIN = "(domain_id:%(target.role.domain_id)s or None:%(target.role.domain_id)s)"

_SEEN_GRANTS = (("list", "s"), ("check", ""))

ASSIGNMENTS = {
    "identity:check_grant": Default(
        f"{_ADMIN} or ((role:reader and system_scope:all) or {_grants('reader')}) and {_ROLE_OF_DOMAIN}"
    ),
    "identity:list_grants": Default(f"{_READ} or {_grants('reader')}"),
    **_all(
        f"{_ADMIN} or ({_grants('admin')}) and {_ROLE_OF_DOMAIN}"
        f" or ({_grants('manager')}) and rule:domain_managed_target_role",
        "identity:create_grant",
        "identity:revoke_grant",
    ),
    **_sees(
        *(f"identity:{doing}_system_grant{s}_for_{actor}" for actor in ("user", "group") for doing, s in _SEEN_GRANTS)
    ),
    **_manages(
        *(f"identity:{doing}_system_grant_for_{actor}" for actor in ("user", "group") for doing in ("create", "revoke"))
    ),
    **_all(
        _either(_READ, f"{_in_domain('reader', 'domain_id')} and not None:%(target.domain_id)s"),
        "identity:list_role_assignments",
        "identity:list_role_assignments_for_tree",
    ),
}

TOKENS = {
    "identity:validate_token": Default(_either(_READ, "rule:service_role", "rule:token_subject")),
    "identity:check_token": Default(_either(_READ, "rule:token_subject")),
    "identity:revoke_token": Default(_either(_ADMIN, "rule:token_subject")),
    **_anyone(
        "identity:get_auth_projects",
        "identity:get_auth_domains",
        "identity:get_auth_system",
        "identity:get_auth_catalog",
    ),
    "identity:list_revoke_events": Default("rule:service_or_admin", SYSTEM_OR_PROJECT),
}

APPLICATION_CREDENTIALS = {
    **_all(
        _either(_READ, "rule:owner"),
        "identity:get_application_credential",
        "identity:list_application_credentials",
        scopes=SYSTEM_OR_PROJECT,
    ),
    "identity:create_application_credential": Default("user_id:%(user_id)s", PROJECT),
    "identity:delete_application_credential": Default("rule:admin_or_owner", SYSTEM_OR_PROJECT),
    **_all(
        _either("role:reader and system_scope:all", _SELF),
        "identity:get_access_rule",
        "identity:list_access_rules",
        scopes=SYSTEM_OR_PROJECT,
    ),
    "identity:delete_access_rule": Default(_either("role:admin and system_scope:all", _SELF), SYSTEM_OR_PROJECT),
}

_TRUSTOR, _TRUSTEE = "user_id:%(target.trust.trustor_user_id)s", "user_id:%(target.trust.trustee_user_id)s"
TRUSTS = {
    "identity:create_trust": Default(_TRUSTOR, PROJECT),
    **_sees("identity:list_trusts"),
    "identity:list_trusts_for_trustor": Default(_either(_READ, _TRUSTOR), SYSTEM_OR_PROJECT),
    "identity:list_trusts_for_trustee": Default(_either(_READ, _TRUSTEE), SYSTEM_OR_PROJECT),
    **_all(
        _either(_READ, _TRUSTOR, _TRUSTEE),
        "identity:get_trust",
        "identity:list_roles_for_trust",
        "identity:get_role_for_trust",
        scopes=SYSTEM_OR_PROJECT,
    ),
    "identity:delete_trust": Default(_either(_ADMIN, _TRUSTOR), SYSTEM_OR_PROJECT),
}

NOT_ASKED = frozenset(
    {
        "identity:revocation_list",
        "identity:list_projects_for_user",
        "identity:list_domains_for_user",
        "identity:revoke_tokens_for_user",
    }
)
"""Policies that Keystone has, and that no request here asks."""

RULES: dict[str, Default] = {
    **BASE,
    **USERS,
    **GROUPS,
    **DOMAINS,
    **PROJECTS,
    **ROLES,
    **ASSIGNMENTS,
    **TOKENS,
    **APPLICATION_CREDENTIALS,
    **TRUSTS,
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
    **OAUTH1,
    **DOMAIN_CONFIGS,
    **FEDERATION,
}


def identity_policies(settings: Settings) -> PolicyRules:
    """The policies of the identity service. Raises `WrongUsage` for a file that can't be meant."""
    return PolicyRules(RULES, "identity_policy_file", settings.identity_policy_file, not_asked=NOT_ASKED)

"""Identity API v3 in one table, and the service made of it."""

from collections.abc import Callable
from typing import Any

from appliance.api.http.addresses import AddressBook
from appliance.api.http.cors import identity_cors
from appliance.api.http.healthcheck import Healthcheck
from appliance.api.http.service import Route, Service
from appliance.api.identity_v3 import targets
from appliance.api.identity_v3.auth import Auth, RevocationEvents, Tokens, revoked_subject, shown_subject
from appliance.api.identity_v3.delegation import ApplicationCredentials, Trusts
from appliance.api.identity_v3.dialect import IdentityDialect
from appliance.api.identity_v3.discovery import JsonHome, Versions
from appliance.api.identity_v3.presentation import Presenter, QueryParser
from appliance.api.identity_v3.projects import Domains, Projects, ProjectTags
from appliance.api.identity_v3.roles import ImpliedRoles, RoleAssignments, Roles, assignment_query, grant_routes
from appliance.api.identity_v3.routes_catalog import catalog_routes
from appliance.api.identity_v3.schemas import (
    DOMAIN_CREATE,
    DOMAIN_UPDATE,
    GROUP_CREATE,
    GROUP_UPDATE,
    PROJECT_CREATE,
    PROJECT_UPDATE,
    ROLE_CREATE,
    ROLE_UPDATE,
    TAGS_SENT,
    USER_CREATE,
    USER_UPDATE,
    bodies,
    body,
)
from appliance.api.identity_v3.schemas_delegation import APPLICATION_CREDENTIAL, TRUST
from appliance.api.identity_v3.users import Groups, Users
from appliance.identity.service import Identity
from appliance.identity.tokens.token import Token
from appliance.settings import Settings

Older = Callable[[str], dict[str, Any]]
"""Makes the document of a version that is served beside v3, of the service's address."""


def build(
    identity: Identity, settings: Settings, addresses: AddressBook | None = None, older: Older | None = None
) -> Service[Token]:
    """The WSGI application."""
    addresses = addresses or AddressBook(settings)
    table = routes(identity, settings, addresses, older)
    healthcheck = Healthcheck(settings.disable_by_file_path, dict)
    dialect = IdentityDialect(identity, addresses, healthcheck, identity_cors(settings))
    return Service(dialect, table, head_is_get=True)


def routes(identity: Identity, settings: Settings, addresses: AddressBook, older: Older | None = None) -> list[Route]:
    """Every route. HEAD goes where GET goes."""
    presenter = Presenter(addresses)
    queries = QueryParser(settings)
    found = [
        *_open(identity, presenter),
        *_people(identity, presenter, queries),
        *_delegation(identity, presenter, queries),
        *_roles(identity, presenter, queries),
        *_places(identity, presenter, queries),
        *catalog_routes(identity, presenter, queries),
    ]
    versions = Versions(presenter, JsonHome(found), older)
    return [
        Route("GET", "/", versions.every, public=True),
        Route("GET", "/v3", versions.v3, public=True),
        *found,
    ]


def _open(identity: Identity, presenter: Presenter) -> list[Route]:
    tokens = Tokens(identity, presenter)
    auth = Auth(identity, presenter)
    return [
        Route("POST", "/v3/auth/tokens", tokens.issue, public=True),
        Route(
            "GET", "/v3/auth/tokens", tokens.show, ("identity:validate_token", "identity:check_token"), shown_subject
        ),
        Route("DELETE", "/v3/auth/tokens", tokens.revoke, "identity:revoke_token", revoked_subject),
        Route("GET", "/v3/auth/tokens/OS-PKI/revoked", tokens.revoked_by_id, public=True),
        Route("GET", "/v3/OS-SIMPLE-CERT/ca", tokens.certificates, public=True),
        Route("GET", "/v3/OS-SIMPLE-CERT/certificates", tokens.certificates, public=True),
        Route("GET", "/v3/auth/projects", auth.projects, "identity:get_auth_projects"),
        Route("GET", "/v3/auth/domains", auth.domains, "identity:get_auth_domains"),
        Route("GET", "/v3/auth/system", auth.system, "identity:get_auth_system"),
        Route("GET", "/v3/auth/catalog", auth.catalog, "identity:get_auth_catalog"),
        Route("GET", "/v3/OS-FEDERATION/projects", auth.projects, "identity:get_auth_projects"),
        Route("GET", "/v3/OS-FEDERATION/domains", auth.domains, "identity:get_auth_domains"),
    ]


def _people(identity: Identity, presenter: Presenter, queries: QueryParser) -> list[Route]:
    users = Users(identity, presenter, queries)
    groups = Groups(identity, presenter, queries)
    return [
        Route("GET", "/v3/users", users.list, "identity:list_users", targets.own_domain("domain_id")),
        Route(
            "POST", "/v3/users", users.create, "identity:create_user", targets.new_user, check=body("user", USER_CREATE)
        ),
        Route("GET", "/v3/users/<user_id>", users.show, "identity:get_user", targets.user),
        Route(
            "PATCH",
            "/v3/users/<user_id>",
            users.update,
            "identity:update_user",
            targets.user,
            check=body("user", USER_UPDATE),
        ),
        Route("DELETE", "/v3/users/<user_id>", users.delete, "identity:delete_user", targets.user),
        Route("POST", "/v3/users/<user_id>/password", users.change_password, public=True),
        Route("GET", "/v3/users/<user_id>/projects", users.projects, "identity:list_user_projects", targets.user),
        Route("GET", "/v3/users/<user_id>/groups", users.groups, "identity:list_groups_for_user", targets.user),
        Route("GET", "/v3/groups", groups.list, "identity:list_groups", targets.own_domain("group.domain_id")),
        Route(
            "POST",
            "/v3/groups",
            groups.create,
            "identity:create_group",
            targets.new_group,
            check=body("group", GROUP_CREATE),
        ),
        Route("GET", "/v3/groups/<group_id>", groups.show, "identity:get_group", targets.group),
        Route(
            "PATCH",
            "/v3/groups/<group_id>",
            groups.update,
            "identity:update_group",
            targets.group,
            check=body("group", GROUP_UPDATE),
        ),
        Route("DELETE", "/v3/groups/<group_id>", groups.delete, "identity:delete_group", targets.known_group),
        Route("GET", "/v3/groups/<group_id>/users", groups.members, "identity:list_users_in_group", targets.group),
        Route(
            "GET",
            "/v3/groups/<group_id>/users/<user_id>",
            groups.check_member,
            "identity:check_user_in_group",
            targets.membership,
        ),
        Route(
            "PUT",
            "/v3/groups/<group_id>/users/<user_id>",
            groups.add_member,
            "identity:add_user_to_group",
            targets.membership,
        ),
        Route(
            "DELETE",
            "/v3/groups/<group_id>/users/<user_id>",
            groups.remove_member,
            "identity:remove_user_from_group",
            targets.membership,
        ),
    ]


def _delegation(identity: Identity, presenter: Presenter, queries: QueryParser) -> list[Route]:
    credentials = ApplicationCredentials(identity, presenter, queries)
    trusts = Trusts(identity, presenter)
    events = RevocationEvents(identity, presenter)
    return [
        Route(
            "GET",
            "/v3/users/<user_id>/application_credentials",
            credentials.list,
            "identity:list_application_credentials",
            targets.owner,
        ),
        Route(
            "POST",
            "/v3/users/<user_id>/application_credentials",
            credentials.create,
            "identity:create_application_credential",
            targets.owner,
            check=body("application_credential", APPLICATION_CREDENTIAL),
        ),
        Route(
            "GET",
            "/v3/users/<user_id>/application_credentials/<credential_id>",
            credentials.show,
            "identity:get_application_credential",
            targets.application_credential,
        ),
        Route(
            "DELETE",
            "/v3/users/<user_id>/application_credentials/<credential_id>",
            credentials.delete,
            "identity:delete_application_credential",
            targets.application_credential,
        ),
        Route(
            "GET",
            "/v3/users/<user_id>/access_rules",
            credentials.list_rules,
            "identity:list_access_rules",
            targets.owner,
        ),
        Route(
            "GET",
            "/v3/users/<user_id>/access_rules/<rule_id>",
            credentials.show_rule,
            "identity:get_access_rule",
            targets.owner,
        ),
        Route(
            "DELETE",
            "/v3/users/<user_id>/access_rules/<rule_id>",
            credentials.delete_rule,
            "identity:delete_access_rule",
            targets.owner,
        ),
        Route(
            "GET",
            "/v3/OS-TRUST/trusts",
            trusts.list,
            ("identity:list_trusts", "identity:list_trusts_for_trustor", "identity:list_trusts_for_trustee"),
            targets.listed_trusts,
        ),
        Route(
            "POST",
            "/v3/OS-TRUST/trusts",
            trusts.create,
            "identity:create_trust",
            targets.new_trust,
            check=body("trust", TRUST),
        ),
        Route("GET", "/v3/OS-TRUST/trusts/<trust_id>", trusts.show, "identity:get_trust", targets.trust),
        Route("DELETE", "/v3/OS-TRUST/trusts/<trust_id>", trusts.delete, "identity:delete_trust", targets.trust),
        Route(
            "GET", "/v3/OS-TRUST/trusts/<trust_id>/roles", trusts.roles, "identity:list_roles_for_trust", targets.trust
        ),
        Route(
            "GET",
            "/v3/OS-TRUST/trusts/<trust_id>/roles/<role_id>",
            trusts.role,
            "identity:get_role_for_trust",
            targets.trust,
        ),
        Route("GET", "/v3/OS-REVOKE/events", events.list, "identity:list_revoke_events"),
    ]


def _roles(identity: Identity, presenter: Presenter, queries: QueryParser) -> list[Route]:
    roles = Roles(identity, presenter, queries)
    implied = ImpliedRoles(identity, presenter)
    assignments = RoleAssignments(identity, presenter)
    return [
        Route(
            "GET",
            "/v3/roles",
            roles.list,
            ("identity:list_roles", "identity:list_domain_roles"),
            targets.listed_roles,
            check=roles.listing,
        ),
        Route(
            "POST",
            "/v3/roles",
            roles.create,
            ("identity:create_role", "identity:create_domain_role"),
            targets.new_role,
            check=body("role", ROLE_CREATE),
        ),
        Route(
            "GET",
            "/v3/roles/<role_id>",
            roles.show,
            ("identity:get_role", "identity:get_domain_role"),
            targets.role("get"),
        ),
        Route(
            "PATCH",
            "/v3/roles/<role_id>",
            roles.update,
            ("identity:update_role", "identity:update_domain_role"),
            targets.role("update"),
            check=body("role", ROLE_UPDATE),
        ),
        Route(
            "DELETE",
            "/v3/roles/<role_id>",
            roles.delete,
            ("identity:delete_role", "identity:delete_domain_role"),
            targets.role("delete"),
        ),
        Route("GET", "/v3/roles/<role_id>/implies", implied.list, "identity:list_implied_roles", targets.known_roles),
        Route(
            "GET",
            "/v3/roles/<role_id>/implies/<implied_role_id>",
            implied.show,
            ("identity:get_implied_role", "identity:check_implied_role"),
            targets.implied_role,
        ),
        Route(
            "PUT",
            "/v3/roles/<role_id>/implies/<implied_role_id>",
            implied.create,
            "identity:create_implied_role",
            targets.known_roles,
        ),
        Route(
            "DELETE",
            "/v3/roles/<role_id>/implies/<implied_role_id>",
            implied.delete,
            "identity:delete_implied_role",
            targets.known_roles,
        ),
        Route("GET", "/v3/role_inferences", implied.inferences, "identity:list_role_inference_rules"),
        Route(
            "GET",
            "/v3/role_assignments",
            assignments.list,
            ("identity:list_role_assignments", "identity:list_role_assignments_for_tree"),
            targets.listed_assignments,
            check=assignment_query,
        ),
        *grant_routes(identity, presenter),
    ]


def _places(identity: Identity, presenter: Presenter, queries: QueryParser) -> list[Route]:
    domains = Domains(identity, presenter, queries)
    projects = Projects(identity, presenter, queries)
    tags = ProjectTags(identity, presenter)
    return [
        Route("GET", "/v3/domains", domains.list, "identity:list_domains", targets.own_domain("domain.id")),
        Route("POST", "/v3/domains", domains.create, "identity:create_domain", check=body("domain", DOMAIN_CREATE)),
        Route("GET", "/v3/domains/<domain_id>", domains.show, "identity:get_domain", targets.domain),
        Route(
            "PATCH",
            "/v3/domains/<domain_id>",
            domains.update,
            "identity:update_domain",
            targets.known_domain,
            check=body("domain", DOMAIN_UPDATE),
        ),
        Route("DELETE", "/v3/domains/<domain_id>", domains.delete, "identity:delete_domain", targets.known_domain),
        Route("GET", "/v3/projects", projects.list, "identity:list_projects", targets.own_domain("domain_id")),
        Route(
            "POST",
            "/v3/projects",
            projects.create,
            "identity:create_project",
            targets.new_project,
            check=body("project", PROJECT_CREATE),
        ),
        Route("GET", "/v3/projects/<project_id>", projects.show, "identity:get_project", targets.project),
        Route(
            "PATCH",
            "/v3/projects/<project_id>",
            projects.update,
            "identity:update_project",
            targets.project,
            check=body("project", PROJECT_UPDATE),
        ),
        Route("DELETE", "/v3/projects/<project_id>", projects.delete, "identity:delete_project", targets.project),
        Route("GET", "/v3/projects/<project_id>/tags", tags.list, "identity:list_project_tags", targets.project),
        Route(
            "PUT",
            "/v3/projects/<project_id>/tags",
            tags.replace,
            "identity:update_project_tags",
            targets.project,
            check=bodies("tags", TAGS_SENT),
        ),
        Route("DELETE", "/v3/projects/<project_id>/tags", tags.clear, "identity:delete_project_tags", targets.project),
        Route("GET", "/v3/projects/<project_id>/tags/<value>", tags.check, "identity:get_project_tag", targets.project),
        Route(
            "PUT", "/v3/projects/<project_id>/tags/<value>", tags.add, "identity:create_project_tag", targets.project
        ),
        Route(
            "DELETE",
            "/v3/projects/<project_id>/tags/<value>",
            tags.remove,
            "identity:delete_project_tag",
            targets.project,
        ),
    ]

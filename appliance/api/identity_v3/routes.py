"""Identity API v3 in one table, and the service made of it."""

from collections.abc import Callable
from typing import Any

from appliance.api.addresses import AddressBook
from appliance.api.healthcheck import Healthcheck
from appliance.api.identity_cors import identity_cors
from appliance.api.identity_v3.answers import Answers
from appliance.api.identity_v3.application_credentials import ApplicationCredentials
from appliance.api.identity_v3.auth import Auth
from appliance.api.identity_v3.dialect import IdentityDialect
from appliance.api.identity_v3.domains import Domains
from appliance.api.identity_v3.grants import grant_routes
from appliance.api.identity_v3.groups import Groups
from appliance.api.identity_v3.implied_roles import ImpliedRoles
from appliance.api.identity_v3.json_home import JsonHome
from appliance.api.identity_v3.listing import Lists
from appliance.api.identity_v3.project_tags import ProjectTags
from appliance.api.identity_v3.projects import Projects
from appliance.api.identity_v3.revocation_events import RevocationEvents
from appliance.api.identity_v3.role_assignments import RoleAssignments
from appliance.api.identity_v3.roles import Roles
from appliance.api.identity_v3.routes_catalog import catalog_routes
from appliance.api.identity_v3.tokens import Tokens
from appliance.api.identity_v3.trusts import Trusts
from appliance.api.identity_v3.users import Users
from appliance.api.identity_v3.versions import Versions
from appliance.api.service import Route, Service
from appliance.identity.service import Identity
from appliance.identity.token import Token
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
    answers = Answers(addresses)
    lists = Lists(settings)
    found = [
        *_open(identity, answers),
        *_people(identity, answers, lists),
        *_delegation(identity, answers, lists),
        *_roles(identity, answers, lists),
        *_places(identity, answers, lists),
        *catalog_routes(identity, answers, lists),
    ]
    versions = Versions(answers, JsonHome(found), older)
    return [
        Route("GET", "/", versions.every, public=True),
        Route("GET", "/v3", versions.v3, public=True),
        *found,
    ]


def _open(identity: Identity, answers: Answers) -> list[Route]:
    tokens = Tokens(identity, answers)
    auth = Auth(identity, answers)
    return [
        Route("POST", "/v3/auth/tokens", tokens.issue, public=True),
        Route("GET", "/v3/auth/tokens", tokens.show),
        Route("DELETE", "/v3/auth/tokens", tokens.revoke),
        Route("GET", "/v3/auth/tokens/OS-PKI/revoked", tokens.revoked_by_id, public=True),
        Route("GET", "/v3/OS-SIMPLE-CERT/ca", tokens.certificates, public=True),
        Route("GET", "/v3/OS-SIMPLE-CERT/certificates", tokens.certificates, public=True),
        Route("GET", "/v3/auth/projects", auth.projects),
        Route("GET", "/v3/auth/domains", auth.domains),
        Route("GET", "/v3/auth/system", auth.system),
        Route("GET", "/v3/auth/catalog", auth.catalog),
        Route("GET", "/v3/OS-FEDERATION/projects", auth.projects),
        Route("GET", "/v3/OS-FEDERATION/domains", auth.domains),
    ]


def _people(identity: Identity, answers: Answers, lists: Lists) -> list[Route]:
    users = Users(identity, answers, lists)
    groups = Groups(identity, answers, lists)
    return [
        Route("GET", "/v3/users", users.list),
        Route("POST", "/v3/users", users.create),
        Route("GET", "/v3/users/<user_id>", users.show),
        Route("PATCH", "/v3/users/<user_id>", users.update),
        Route("DELETE", "/v3/users/<user_id>", users.delete),
        Route("POST", "/v3/users/<user_id>/password", users.change_password, public=True),
        Route("GET", "/v3/users/<user_id>/projects", users.projects),
        Route("GET", "/v3/users/<user_id>/groups", users.groups),
        Route("GET", "/v3/groups", groups.list),
        Route("POST", "/v3/groups", groups.create),
        Route("GET", "/v3/groups/<group_id>", groups.show),
        Route("PATCH", "/v3/groups/<group_id>", groups.update),
        Route("DELETE", "/v3/groups/<group_id>", groups.delete),
        Route("GET", "/v3/groups/<group_id>/users", groups.members),
        Route("GET", "/v3/groups/<group_id>/users/<user_id>", groups.check_member),
        Route("PUT", "/v3/groups/<group_id>/users/<user_id>", groups.add_member),
        Route("DELETE", "/v3/groups/<group_id>/users/<user_id>", groups.remove_member),
    ]


def _delegation(identity: Identity, answers: Answers, lists: Lists) -> list[Route]:
    credentials = ApplicationCredentials(identity, answers, lists)
    trusts = Trusts(identity, answers)
    events = RevocationEvents(identity, answers)
    return [
        Route("GET", "/v3/users/<user_id>/application_credentials", credentials.list),
        Route("POST", "/v3/users/<user_id>/application_credentials", credentials.create),
        Route("GET", "/v3/users/<user_id>/application_credentials/<credential_id>", credentials.show),
        Route("DELETE", "/v3/users/<user_id>/application_credentials/<credential_id>", credentials.delete),
        Route("GET", "/v3/users/<user_id>/access_rules", credentials.list_rules),
        Route("GET", "/v3/users/<user_id>/access_rules/<rule_id>", credentials.show_rule),
        Route("DELETE", "/v3/users/<user_id>/access_rules/<rule_id>", credentials.delete_rule),
        Route("GET", "/v3/OS-TRUST/trusts", trusts.list),
        Route("POST", "/v3/OS-TRUST/trusts", trusts.create),
        Route("GET", "/v3/OS-TRUST/trusts/<trust_id>", trusts.show),
        Route("DELETE", "/v3/OS-TRUST/trusts/<trust_id>", trusts.delete),
        Route("GET", "/v3/OS-TRUST/trusts/<trust_id>/roles", trusts.roles),
        Route("GET", "/v3/OS-TRUST/trusts/<trust_id>/roles/<role_id>", trusts.role),
        Route("GET", "/v3/OS-REVOKE/events", events.list),
    ]


def _roles(identity: Identity, answers: Answers, lists: Lists) -> list[Route]:
    roles = Roles(identity, answers, lists)
    implied = ImpliedRoles(identity, answers)
    assignments = RoleAssignments(identity, answers)
    return [
        Route("GET", "/v3/roles", roles.list),
        Route("POST", "/v3/roles", roles.create),
        Route("GET", "/v3/roles/<role_id>", roles.show),
        Route("PATCH", "/v3/roles/<role_id>", roles.update),
        Route("DELETE", "/v3/roles/<role_id>", roles.delete),
        Route("GET", "/v3/roles/<role_id>/implies", implied.list),
        Route("GET", "/v3/roles/<role_id>/implies/<implied_role_id>", implied.show),
        Route("PUT", "/v3/roles/<role_id>/implies/<implied_role_id>", implied.create),
        Route("DELETE", "/v3/roles/<role_id>/implies/<implied_role_id>", implied.delete),
        Route("GET", "/v3/role_inferences", implied.inferences),
        Route("GET", "/v3/role_assignments", assignments.list),
        *grant_routes(identity, answers),
    ]


def _places(identity: Identity, answers: Answers, lists: Lists) -> list[Route]:
    domains = Domains(identity, answers, lists)
    projects = Projects(identity, answers, lists)
    tags = ProjectTags(identity, answers)
    return [
        Route("GET", "/v3/domains", domains.list),
        Route("POST", "/v3/domains", domains.create),
        Route("GET", "/v3/domains/<domain_id>", domains.show),
        Route("PATCH", "/v3/domains/<domain_id>", domains.update),
        Route("DELETE", "/v3/domains/<domain_id>", domains.delete),
        Route("GET", "/v3/projects", projects.list),
        Route("POST", "/v3/projects", projects.create),
        Route("GET", "/v3/projects/<project_id>", projects.show),
        Route("PATCH", "/v3/projects/<project_id>", projects.update),
        Route("DELETE", "/v3/projects/<project_id>", projects.delete),
        Route("GET", "/v3/projects/<project_id>/tags", tags.list),
        Route("PUT", "/v3/projects/<project_id>/tags", tags.replace),
        Route("DELETE", "/v3/projects/<project_id>/tags", tags.clear),
        Route("GET", "/v3/projects/<project_id>/tags/<value>", tags.check),
        Route("PUT", "/v3/projects/<project_id>/tags/<value>", tags.add),
        Route("DELETE", "/v3/projects/<project_id>/tags/<value>", tags.remove),
    ]

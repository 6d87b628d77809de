"""Identity API v3: everything that has routes, in one list, and the service made of it."""

from collections.abc import Callable
from typing import Any

from appliance.api.http.addresses import AddressBook
from appliance.api.http.cors import identity_cors
from appliance.api.http.healthcheck import Healthcheck
from appliance.api.http.service import Route, Service
from appliance.api.identity_v3.auth import Auth, Ec2Tokens, RevocationEvents, Tokens
from appliance.api.identity_v3.credentials import Credentials, Ec2Credentials
from appliance.api.identity_v3.delegation import ApplicationCredentials, Trusts
from appliance.api.identity_v3.dialect import IdentityDialect
from appliance.api.identity_v3.discovery import JsonHome, Versions
from appliance.api.identity_v3.endpoint_filter import EndpointGroups, EndpointPolicies, ProjectEndpoints
from appliance.api.identity_v3.federation import FEDERATION
from appliance.api.identity_v3.kit import Api, Handlers
from appliance.api.identity_v3.oauth1 import AccessTokens, RequestTokens
from appliance.api.identity_v3.oauth2 import OAuth2
from appliance.api.identity_v3.presentation import Presenter, QueryParser
from appliance.api.identity_v3.projects import DomainConfigs, Domains, Projects, ProjectTags
from appliance.api.identity_v3.resources import PLAIN
from appliance.api.identity_v3.roles import ImpliedRoles, RoleAssignments, grants
from appliance.api.identity_v3.users import Groups, Users
from appliance.identity.service import Identity
from appliance.identity.tokens.token import Token
from appliance.settings import Settings

Older = Callable[[str], dict[str, Any]]
"""Makes the document of a version that is served beside v3, of the service's address."""

HANDLERS: tuple[type[Handlers], ...] = (
    Tokens,
    Auth,
    OAuth2,
    RequestTokens,
    AccessTokens,
    Users,
    Groups,
    ApplicationCredentials,
    Trusts,
    RevocationEvents,
    Domains,
    DomainConfigs,
    Projects,
    ProjectTags,
    ImpliedRoles,
    RoleAssignments,
    *PLAIN,
    EndpointGroups,
    ProjectEndpoints,
    EndpointPolicies,
    Credentials,
    Ec2Credentials,
    Ec2Tokens,
    *FEDERATION,
)


def build(
    identity: Identity,
    settings: Settings,
    addresses: AddressBook | None = None,
    older: Older | None = None,
    out_of_service: Callable[[], str] = str,
) -> Service[Token]:
    """The WSGI application."""
    addresses = addresses or AddressBook(settings)
    table = routes(identity, settings, addresses, older)
    healthcheck = Healthcheck(settings.disable_by_file_path, dict, out_of_service)
    dialect = IdentityDialect(identity, addresses, healthcheck, identity_cors(settings))
    return Service(dialect, table, head_is_get=True)


def routes(identity: Identity, settings: Settings, addresses: AddressBook, older: Older | None = None) -> list[Route]:
    """Every route. HEAD goes where GET goes."""
    api = Api(identity, Presenter(addresses), QueryParser(settings))
    handlers = [*(kind(api) for kind in HANDLERS), *grants(api)]
    found = [route for one in handlers for route in one.routes()]
    versions = Versions(api.presenter, JsonHome(found), older)
    return [
        Route("GET", "/", versions.every, public=True),
        Route("GET", "/v3", versions.v3, public=True),
        *found,
    ]

"""The routes of Identity API v2.0, and its version documents."""

from typing import Any

from appliance.api.http.addresses import AddressBook
from appliance.api.http.cors import identity_cors
from appliance.api.http.messages import Request, Response
from appliance.api.http.service import ANY_TOKEN, Handler, Route, Service
from appliance.api.identity_v3.targets import ec2_credentials
from appliance.api.legacy.identity_v2.access import Access
from appliance.api.legacy.identity_v2.dialect import Authenticator, IdentityV2Dialect, Principal
from appliance.api.legacy.identity_v2.roles import Endpoints, Roles, Services
from appliance.api.legacy.identity_v2.tenants import Tenants, Users
from appliance.api.legacy.identity_v2.tokens import Ec2, Tokens
from appliance.db.records import Record
from appliance.errors import NotFound
from appliance.identity.service import Identity
from appliance.settings import Settings

_UPDATED = "2013-07-07T12:00:0-00:00"
_NAMESPACE = "https://docs.openstack.org/identity/api/ext"

_EVERYWHERE = {
    "OS-EC2": "OpenStack EC2 API",
    "OS-KSCRUD": "OpenStack Keystone User CRUD",
}
_FOR_ADMINS = {"OS-KSADM": "OpenStack Keystone Admin"}


def document(url: str) -> Record:
    """What v2.0 says of itself, for an identity service at `url`."""
    return {
        "id": "v2.0",
        "status": "stable",
        "updated": "2014-04-17T00:00:00Z",
        "links": [
            {"rel": "self", "href": f"{url}/v2.0/"},
            {"rel": "describedby", "type": "text/html", "href": "https://docs.openstack.org/"},
        ],
        "media-types": [{"base": "application/json", "type": "application/vnd.openstack.identity-v2.0+json"}],
    }


class Versions:
    def __init__(self, addresses: AddressBook, *, for_admins: bool) -> None:
        self._addresses = addresses
        self._extensions = _EVERYWHERE | (_FOR_ADMINS if for_admins else {})

    def show(self, request: Request[Any]) -> Response:
        """GET /v2.0"""
        return Response(200, {"version": document(self._addresses.identity(request))})

    def extensions(self, request: Request[Any]) -> Response:
        """GET /v2.0/extensions"""
        return Response(200, {"extensions": {"values": [_extension(alias, name) for alias, name in self._all()]}})

    def extension(self, request: Request[Any], alias: str) -> Response:
        """GET /v2.0/extensions/{alias}"""
        if alias not in self._extensions:
            raise NotFound(f"Could not find extension: {alias}.")
        return Response(200, {"extension": _extension(alias, self._extensions[alias])})

    def _all(self) -> list[tuple[str, str]]:
        return list(self._extensions.items())


def _extension(alias: str, name: str) -> Record:
    return {
        "alias": alias,
        "name": name,
        "description": f"{name}.",
        "namespace": f"{_NAMESPACE}/{alias}/v1.0",
        "updated": _UPDATED,
        "links": [{"rel": "describedby", "type": "text/html", "href": "https://docs.openstack.org/"}],
    }


def build(
    identity: Identity, settings: Settings, addresses: AddressBook | None = None, *, for_admins: bool = False
) -> Service[Principal]:
    """The WSGI application of one half. HEAD goes where GET goes."""
    addresses = addresses or AddressBook(settings)
    authenticator = Authenticator(identity, settings, for_admins=for_admins)
    dialect = IdentityV2Dialect(authenticator, addresses, identity_cors(settings))
    half = admin_routes if for_admins else public_routes
    return Service(dialect, half(identity, addresses), head_is_get=True)


def public_routes(identity: Identity, addresses: AddressBook) -> list[Route]:
    """What users need: tokens, their tenants, their password, their EC2 credentials."""
    users = Users(identity, Access(identity, addresses))
    return [
        *_common(identity, addresses, for_admins=False),
        Route("GET", "/v2.0/tenants", Tenants(identity).own, ANY_TOKEN),
        Route("PATCH", "/v2.0/OS-KSCRUD/users/<user_id>", users.change_own_password, ANY_TOKEN, frees=True),
    ]


def admin_routes(identity: Identity, addresses: AddressBook) -> list[Route]:
    """What services and admins need."""
    return [
        *_common(identity, addresses, for_admins=True),
        *_tokens(identity, addresses),
        *_people(identity, addresses),
        *_roles(identity),
        *_catalog(identity, addresses),
    ]


def _common(identity: Identity, addresses: AddressBook, *, for_admins: bool) -> list[Route]:
    versions = Versions(addresses, for_admins=for_admins)
    access = Access(identity, addresses)
    tokens = Tokens(identity, access)
    ec2 = Ec2(identity, access)
    credentials = "/v2.0/users/<user_id>/credentials/OS-EC2"
    return [
        Route("GET", "/v2.0", versions.show, public=True),
        Route("GET", "/v2.0/extensions", versions.extensions, public=True),
        Route("GET", "/v2.0/extensions/<alias>", versions.extension, public=True),
        Route("POST", "/v2.0/tokens", tokens.issue, public=True, frees=True),
        Route("GET", "/v2.0/certificates/ca", tokens.gone, public=True),
        Route("GET", "/v2.0/certificates/signing", tokens.gone, public=True),
        Route("POST", "/v2.0/ec2tokens", ec2.tokens, "service_or_admin", frees=True),
        Route("GET", credentials, ec2.list, "identity:ec2_list_credentials", ec2_credentials),
        Route("POST", credentials, ec2.create, "identity:ec2_create_credential", ec2_credentials),
        Route("GET", f"{credentials}/<access>", ec2.show, "identity:ec2_get_credential", ec2_credentials),
        Route("DELETE", f"{credentials}/<access>", ec2.delete, "identity:ec2_delete_credential", ec2_credentials),
    ]


def _tokens(identity: Identity, addresses: AddressBook) -> list[Route]:
    tokens = Tokens(identity, Access(identity, addresses))
    return [
        _admin("GET", "/v2.0/tokens/revoked", tokens.gone),
        Route("GET", "/v2.0/tokens/<token_id>", tokens.show, "service_or_admin"),
        _admin("DELETE", "/v2.0/tokens/<token_id>", tokens.revoke),
        Route("GET", "/v2.0/tokens/<token_id>/endpoints", tokens.endpoints, "service_or_admin"),
    ]


def _people(identity: Identity, addresses: AddressBook) -> list[Route]:
    users = Users(identity, Access(identity, addresses))
    tenants = Tenants(identity)
    return [
        _admin("GET", "/v2.0/tenants", tenants.list),
        _admin("POST", "/v2.0/tenants", tenants.create),
        _admin("GET", "/v2.0/tenants/<tenant_id>", tenants.show),
        _admin("POST", "/v2.0/tenants/<tenant_id>", tenants.update),
        _admin("PUT", "/v2.0/tenants/<tenant_id>", tenants.update),
        _admin("DELETE", "/v2.0/tenants/<tenant_id>", tenants.delete),
        _admin("GET", "/v2.0/tenants/<tenant_id>/users", tenants.users),
        _admin("GET", "/v2.0/users", users.list),
        _admin("POST", "/v2.0/users", users.create),
        _admin("GET", "/v2.0/users/<user_id>", users.show),
        _admin("PUT", "/v2.0/users/<user_id>", users.update),
        _admin("DELETE", "/v2.0/users/<user_id>", users.delete),
        _admin("PUT", "/v2.0/users/<user_id>/OS-KSADM/password", users.update, frees=True),
        _admin("PUT", "/v2.0/users/<user_id>/OS-KSADM/enabled", users.update, frees=True),
        _admin("PUT", "/v2.0/users/<user_id>/OS-KSADM/tenant", users.update),
        # Before these had an extension of their own.
        _admin("PUT", "/v2.0/users/<user_id>/password", users.update, frees=True),
        _admin("PUT", "/v2.0/users/<user_id>/enabled", users.update, frees=True),
        _admin("PUT", "/v2.0/users/<user_id>/tenant", users.update),
    ]


def _roles(identity: Identity) -> list[Route]:
    roles = Roles(identity)
    granted = "/v2.0/tenants/<tenant_id>/users/<user_id>/roles"
    return [
        _admin("GET", "/v2.0/OS-KSADM/roles", roles.list),
        _admin("POST", "/v2.0/OS-KSADM/roles", roles.create),
        _admin("GET", "/v2.0/OS-KSADM/roles/<role_id>", roles.show),
        _admin("DELETE", "/v2.0/OS-KSADM/roles/<role_id>", roles.delete),
        _admin("GET", granted, roles.of_user),
        _admin("PUT", f"{granted}/OS-KSADM/<role_id>", roles.grant),
        _admin("DELETE", f"{granted}/OS-KSADM/<role_id>", roles.revoke),
        _admin("GET", "/v2.0/users/<user_id>/roles", roles.without_tenant),
        _admin("PUT", "/v2.0/users/<user_id>/roles/OS-KSADM/<role_id>", roles.change_without_tenant),
        _admin("DELETE", "/v2.0/users/<user_id>/roles/OS-KSADM/<role_id>", roles.change_without_tenant),
    ]


def _catalog(identity: Identity, addresses: AddressBook) -> list[Route]:
    services = Services(identity)
    endpoints = Endpoints(identity, addresses)
    return [
        _admin("GET", "/v2.0/OS-KSADM/services", services.list),
        _admin("POST", "/v2.0/OS-KSADM/services", services.create),
        _admin("GET", "/v2.0/OS-KSADM/services/<service_id>", services.show),
        _admin("DELETE", "/v2.0/OS-KSADM/services/<service_id>", services.delete),
        _admin("GET", "/v2.0/endpoints", endpoints.list),
        _admin("POST", "/v2.0/endpoints", endpoints.create),
        _admin("DELETE", "/v2.0/endpoints/<endpoint_id>", endpoints.delete),
    ]


def _admin(method: str, path: str, handler: Handler, *, frees: bool = False) -> Route:
    return Route(method, path, handler, "admin_required", frees=frees)

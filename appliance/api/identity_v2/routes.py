"""Identity API v2.0 in two tables: what anybody may reach, and the admin's half on a port of its own."""

from appliance.api.addresses import AddressBook
from appliance.api.identity_cors import identity_cors
from appliance.api.identity_v2.access import Access
from appliance.api.identity_v2.dialect import IdentityV2Dialect
from appliance.api.identity_v2.ec2 import Ec2
from appliance.api.identity_v2.gate import Gate, Visitor
from appliance.api.identity_v2.roles import Roles
from appliance.api.identity_v2.services import Endpoints, Services
from appliance.api.identity_v2.tenants import Tenants
from appliance.api.identity_v2.tokens import Tokens
from appliance.api.identity_v2.users import Users
from appliance.api.identity_v2.versions import Versions
from appliance.api.identity_v3.targets import ec2_credentials
from appliance.api.service import ANY_TOKEN, Handler, Route, Service
from appliance.identity.service import Identity
from appliance.settings import Settings


def build(
    identity: Identity, settings: Settings, addresses: AddressBook | None = None, *, for_admins: bool = False
) -> Service[Visitor]:
    """The WSGI application of one half. HEAD goes where GET goes."""
    addresses = addresses or AddressBook(settings)
    gate = Gate(identity, settings, for_admins=for_admins)
    dialect = IdentityV2Dialect(gate, addresses, identity_cors(settings))
    half = admin_routes if for_admins else public_routes
    return Service(dialect, half(identity, addresses), head_is_get=True)


def public_routes(identity: Identity, addresses: AddressBook) -> list[Route]:
    """What users need: tokens, their tenants, their password, their EC2 credentials."""
    users = Users(identity, Access(identity, addresses))
    return [
        *_common(identity, addresses, for_admins=False),
        Route("GET", "/v2.0/tenants", Tenants(identity).own, ANY_TOKEN),
        Route("PATCH", "/v2.0/OS-KSCRUD/users/<user_id>", users.change_own_password, ANY_TOKEN),
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
        Route("POST", "/v2.0/tokens", tokens.issue, public=True),
        Route("GET", "/v2.0/certificates/ca", tokens.gone, public=True),
        Route("GET", "/v2.0/certificates/signing", tokens.gone, public=True),
        Route("POST", "/v2.0/ec2tokens", ec2.tokens, "service_or_admin"),
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
        _admin("PUT", "/v2.0/users/<user_id>/OS-KSADM/password", users.update),
        _admin("PUT", "/v2.0/users/<user_id>/OS-KSADM/enabled", users.update),
        _admin("PUT", "/v2.0/users/<user_id>/OS-KSADM/tenant", users.update),
        # Before these had an extension of their own.
        _admin("PUT", "/v2.0/users/<user_id>/password", users.update),
        _admin("PUT", "/v2.0/users/<user_id>/enabled", users.update),
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


def _admin(method: str, path: str, handler: Handler) -> Route:
    return Route(method, path, handler, "admin_required")

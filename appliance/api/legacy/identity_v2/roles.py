"""Roles, services and endpoints of Identity API v2.0."""

from appliance.api.http.addresses import AddressBook
from appliance.api.http.messages import Request, Response
from appliance.api.legacy.identity_v2.access import legacy_address
from appliance.api.legacy.identity_v2.dialect import Principal, document, page_of, required, text
from appliance.api.legacy.identity_v2.tenants import find_tenant, find_user
from appliance.db.identity.catalog import Service
from appliance.db.identity.grants import Grant, Role
from appliance.db.records import Filter, Record
from appliance.errors import Conflict, NotFound, NotSupported
from appliance.identity.catalog.catalog import own_url
from appliance.identity.legacy import INTERFACES
from appliance.identity.service import Identity


class Roles:
    def __init__(self, identity: Identity) -> None:
        self._identity = identity

    def list(self, request: Request[Principal]) -> Response:
        """GET /v2.0/OS-KSADM/roles"""
        found = self._identity.roles.search([Filter("domain_id", None)])
        return Response(200, {"roles": [_shown(role) for role in found]})

    def show(self, request: Request[Principal], role_id: str) -> Response:
        """GET /v2.0/OS-KSADM/roles/{role_id}"""
        return Response(200, {"role": _shown(self._find(role_id))})

    def create(self, request: Request[Principal]) -> Response:
        """POST /v2.0/OS-KSADM/roles"""
        name = required(document(request, "role"), "name")
        return Response(200, {"role": _shown(self._identity.legacy_member_role.create_role(name))})

    def delete(self, request: Request[Principal], role_id: str) -> Response:
        """DELETE /v2.0/OS-KSADM/roles/{role_id}"""
        self._find(role_id)
        self._identity.roles.delete(role_id)
        return Response(204)

    def of_user(self, request: Request[Principal], tenant_id: str, user_id: str) -> Response:
        """GET /v2.0/tenants/{tenant_id}/users/{user_id}/roles"""
        self._check(tenant_id, user_id)
        found = self._identity.grants.roles(Grant("user", user_id, "project", tenant_id, ""))
        return Response(200, {"roles": [_shown(role) for role in found]})

    def without_tenant(self, request: Request[Principal], user_id: str) -> Response:
        """GET /v2.0/users/{user_id}/roles: nobody has a role that is not in a tenant"""
        find_user(self._identity, user_id)
        return Response(200, {"roles": []})

    def change_without_tenant(self, request: Request[Principal], user_id: str, role_id: str) -> Response:
        """PUT and DELETE /v2.0/users/{user_id}/roles/OS-KSADM/{role_id}"""
        raise NotSupported("User roles not supported: tenant_id required")

    def grant(self, request: Request[Principal], tenant_id: str, user_id: str, role_id: str) -> Response:
        """PUT /v2.0/tenants/{tenant_id}/users/{user_id}/roles/OS-KSADM/{role_id}"""
        role = self._find(role_id)
        self._check(tenant_id, user_id)
        grant = Grant("user", user_id, "project", tenant_id, role_id)
        if any(held.id == role_id for held in self._identity.grants.roles(grant)):
            raise Conflict(f"User {user_id} already has role {role_id} in tenant {tenant_id}.")
        self._identity.grants.add(grant)
        return Response(200, {"role": _shown(role)})

    def revoke(self, request: Request[Principal], tenant_id: str, user_id: str, role_id: str) -> Response:
        """DELETE /v2.0/tenants/{tenant_id}/users/{user_id}/roles/OS-KSADM/{role_id}"""
        self._find(role_id)
        self._check(tenant_id, user_id)
        try:
            self._identity.grants.remove(Grant("user", user_id, "project", tenant_id, role_id))
        except NotFound as error:
            raise NotFound(f"Cannot remove role that has not been granted, {role_id}") from error
        return Response(204)

    def _check(self, tenant_id: str, user_id: str) -> None:
        find_user(self._identity, user_id)
        find_tenant(self._identity, tenant_id)

    def _find(self, role_id: str) -> Role:
        role = self._identity.roles.get(role_id)
        if role.domain_id is not None:
            raise NotFound(f"Could not find role: {role_id}.")
        return role


def _shown(role: Role) -> Record:
    return {name: getattr(role, name) for name in ("id", "name", "domain_id")}


_KEY = "OS-KSADM:service"
_LONGEST_URL = 2048


class Services:
    def __init__(self, identity: Identity) -> None:
        self._services = identity.services

    def list(self, request: Request[Principal]) -> Response:
        """GET /v2.0/OS-KSADM/services"""
        found = self._services.search(page=page_of(request))
        return Response(200, {f"{_KEY}s": [_service_shown(service) for service in found]})

    def show(self, request: Request[Principal], service_id: str) -> Response:
        """GET /v2.0/OS-KSADM/services/{service_id}"""
        return Response(200, {_KEY: _service_shown(self._services.get(service_id))})

    def create(self, request: Request[Principal]) -> Response:
        """POST /v2.0/OS-KSADM/services"""
        asked = document(request, _KEY)
        service = {
            "type": required(asked, "type"),
            "name": text(asked, "name") or "",
            "description": text(asked, "description", 65535),
        }
        return Response(200, {_KEY: _service_shown(self._services.create(service))})

    def delete(self, request: Request[Principal], service_id: str) -> Response:
        """DELETE /v2.0/OS-KSADM/services/{service_id}"""
        self._services.delete(service_id)
        return Response(204)


class Endpoints:
    def __init__(self, identity: Identity, addresses: AddressBook) -> None:
        self._identity = identity
        self._addresses = addresses

    def list(self, request: Request[Principal]) -> Response:
        """GET /v2.0/endpoints"""
        types = {service.id: service.type for service in self._identity.services.search()}
        addresses = self._addresses.both(request)
        shown = []
        for triple in self._identity.v2_endpoints.every():
            urls = {
                interface: legacy_address(
                    own_url(triple[interface], addresses), types[triple["service_id"]], interface, addresses
                )
                for interface in INTERFACES
                if interface in triple
            }
            shown.append(_endpoint({**triple, **urls}))
        return Response(200, {"endpoints": shown})

    def create(self, request: Request[Principal]) -> Response:
        """POST /v2.0/endpoints"""
        asked = document(request, "endpoint")
        service_id = required(asked, "service_id", 64)
        urls = {"public": required(asked, "publicurl", _LONGEST_URL)}
        for interface in ("internal", "admin"):
            url = text(asked, f"{interface}url", _LONGEST_URL)
            if url:
                urls[interface] = url
        region = text(asked, "region") or None
        return Response(200, {"endpoint": _endpoint(self._identity.v2_endpoints.create(service_id, region, urls))})

    def delete(self, request: Request[Principal], endpoint_id: str) -> Response:
        """DELETE /v2.0/endpoints/{endpoint_id}"""
        self._identity.v2_endpoints.delete(endpoint_id)
        return Response(204)


def _service_shown(service: Service) -> Record:
    shown = {name: getattr(service, name) for name in ("id", "type", "name", "enabled")}
    if service.extra.get("description") is not None:
        shown["description"] = service.extra["description"]
    return shown


def _endpoint(triple: Record) -> Record:
    """Its addresses under the names of the time; null where there is none."""
    shown = {name: triple[name] for name in ("id", "service_id", "region", "enabled")}
    return shown | {f"{interface}url": triple.get(interface) for interface in INTERFACES}

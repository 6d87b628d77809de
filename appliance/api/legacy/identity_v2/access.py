"""The access document: what v2.0 shows of a token, with the catalog in its form."""

from typing import Any

from appliance.api.http.addresses import AddressBook
from appliance.api.http.messages import Request
from appliance.db.records import Record
from appliance.errors import Unauthenticated
from appliance.identity.bootstrap import DEFAULT_DOMAIN
from appliance.identity.catalog.catalog import Addresses
from appliance.identity.service import Identity
from appliance.identity.tokens.token import Token
from appliance.values import micros_text, seconds_text

_LEGACY = "/v2.0"
_OF_TODAY = "/v3"


class Access:
    """Shows tokens. Those that v2.0 has no words for, of other domains or of the system, it refuses."""

    def __init__(self, identity: Identity, addresses: AddressBook) -> None:
        self._identity = identity
        self._addresses = addresses

    def document(self, request: Request[Any], token: Token) -> Record:
        refuse_foreign(token)
        body: dict[str, Any] = {
            "token": self._token(token),
            "user": {
                "id": token.user.id,
                "name": token.user.name,
                "username": token.user.name,
                "roles": [{"name": role.name} for role in token.roles],
                "roles_links": [],
            },
            "serviceCatalog": self.catalog(request, token),
            "metadata": {"is_admin": 0, "roles": [role.id for role in token.roles]},
        }
        if token.trust is not None:
            body["trust"] = {
                "id": token.trust.id,
                "impersonation": token.trust.impersonation,
                "trustor_user_id": token.trust.trustor_user_id,
                "trustee_user_id": token.trust.trustee_user_id,
            }
        return {"access": body}

    def _token(self, token: Token) -> Record:
        shown: Record = {
            "id": token.text,
            "issued_at": micros_text(token.issued_at),
            "expires": seconds_text(token.expires_at),
            "audit_ids": list(token.audit_ids),
        }
        if token.project is not None:
            project = self._identity.projects.get(token.project.id)
            shown["tenant"] = {name: getattr(project, name) for name in ("id", "name", "description", "enabled")}
        return shown

    def catalog(self, request: Request[Any], token: Token) -> list[Record]:
        """The catalog of a token; ours come first, for clients of the time take the first of a type."""
        if token.project is None:
            return []
        addresses = self._addresses.both(request)
        ours = (addresses.identity, addresses.image)
        services = []
        for service in self._identity.catalog.rendered(addresses, token.project.id, token.user.id):
            endpoints = _by_region(service, addresses)
            if endpoints:
                services.append(
                    {"type": service["type"], "name": service["name"], "endpoints": endpoints, "endpoints_links": []}
                )
        services.sort(key=lambda entry: not str(entry["endpoints"][0].get("publicURL", "")).startswith(ours))
        return services


def _by_region(service: Record, addresses: Addresses) -> list[Record]:
    """A service's endpoints, one for each region and as many more as it has of the same interface there."""
    found: list[Record] = []
    for endpoint in service["endpoints"]:
        name = f"{endpoint['interface']}URL"
        entry = next((e for e in found if e["region"] == endpoint["region"] and name not in e), None)
        if entry is None:
            entry = {"id": endpoint["id"], "region": endpoint["region"]}
            found.append(entry)
        entry[name] = legacy_address(endpoint["url"], service["type"], endpoint["interface"], addresses)
    return found


def legacy_address(url: str, service_type: str, interface: str, addresses: Addresses) -> str:
    """An endpoint's address as a v2.0 client can use it: below an identity service v2.0 is beside v3."""
    if service_type != "identity" or not url.endswith(_OF_TODAY):
        return url
    base = url.removesuffix(_OF_TODAY)
    if interface == "admin" and base == addresses.identity:
        base = addresses.identity_admin or base
    return base + _LEGACY


def refuse_foreign(token: Token) -> None:
    """Raise `Unauthenticated` for a token that v2.0 can't show."""
    project = token.project
    if token.system or token.domain is not None or token.user.domain.id != DEFAULT_DOMAIN:
        raise Unauthenticated("This token is one for the Identity API v3.")
    if project is not None and (project.is_domain or project.domain.id != DEFAULT_DOMAIN):
        raise Unauthenticated("This project can only be reached through the Identity API v3.")

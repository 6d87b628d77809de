"""/v3/OS-FEDERATION: identity providers, mappings, protocols and service providers, and log-in."""

from typing import Any

from appliance.api.http.messages import Request, Response
from appliance.api.http.service import Route
from appliance.api.identity_v3.auth import token_response
from appliance.api.identity_v3.kit import ChosenIdResource, Handlers, Rules
from appliance.api.identity_v3.presentation import done
from appliance.api.identity_v3.schemas import ID_OR_NULL, SWITCH, TEXT_OR_NULL, Schema, body, json_object
from appliance.db.identity.federation import AttributeMapping, IdentityProvider, Protocol, ServiceProvider
from appliance.db.records import Record, attributes
from appliance.errors import Invalid, NotSupported
from appliance.identity.tokens.token import Token

EXTENSION = "OS-FEDERATION"


def _closed(properties: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "additionalProperties": False, **more}


_REMOTE_ID = {"type": "string", "maxLength": 255}
_IDENTITY_PROVIDER = {
    "enabled": SWITCH,
    "description": TEXT_OR_NULL,
    "authorization_ttl": {"type": ["integer", "null"], "minimum": 0, "maximum": 2147483647},
    "remote_ids": {"type": ["array", "null"], "items": _REMOTE_ID, "uniqueItems": True},
}


class IdentityProviders(ChosenIdResource[IdentityProvider]):
    name = "identity_provider"
    key = "idp_id"
    extension = EXTENSION
    new = Schema(_closed({**_IDENTITY_PROVIDER, "domain_id": ID_OR_NULL}), optional=True)
    changes = Schema(_closed(_IDENTITY_PROVIDER, minProperties=1), alone=False)
    filters = ("id",)
    switches = ("enabled",)

    @property
    def rules(self) -> Rules[IdentityProvider]:
        return self._identity.identity_providers

    def present(self, request: Request[Token], row: IdentityProvider) -> Record:
        protocols = self._presenter.url(request, f"{self.path}/{row.id}/protocols")
        return {**attributes(row), "remote_ids": list(row.remote_ids), "links": {"protocols": protocols}}


class Mappings(ChosenIdResource[AttributeMapping]):
    """Their rules have a language, and so a module, of their own, which checks them."""

    name = "mapping"
    extension = EXTENSION
    reads_early = frozenset()

    @property
    def rules(self) -> Rules[AttributeMapping]:
        return self._identity.mappings

    def read_new(self, request: Request[Token]) -> Record:
        sent: Any = json_object(request).get(self.name, {})
        if not isinstance(sent, dict):
            raise Invalid("Expecting to find mapping in request body.")
        return sent

    read_changes = read_new


_URL = {"type": "string", "maxLength": 225, "pattern": "^[a-zA-Z0-9+.-]+:.+"}
_SERVICE_PROVIDER: dict[str, Any] = {
    "auth_url": _URL,
    "sp_url": _URL,
    "description": TEXT_OR_NULL,
    "enabled": SWITCH,
    "relay_state_prefix": {**TEXT_OR_NULL, "maxLength": 256},
}


class ServiceProviders(ChosenIdResource[ServiceProvider]):
    name = "service_provider"
    extension = EXTENSION
    new = Schema(_closed(_SERVICE_PROVIDER, required=["auth_url", "sp_url"]))
    changes = Schema(_closed(_SERVICE_PROVIDER, minProperties=1))
    filters = ("id",)
    switches = ("enabled",)

    @property
    def rules(self) -> Rules[ServiceProvider]:
        return self._identity.service_providers


_MAPPING_ID = {"type": "string", "minLength": 1, "maxLength": 64}
_NEW_PROTOCOL = Schema(
    _closed(
        {"mapping_id": _MAPPING_ID, "remote_id_attribute": {**TEXT_OR_NULL, "maxLength": 64}}, required=["mapping_id"]
    )
)
_CHANGED_PROTOCOL = Schema(
    _closed(
        {"mapping_id": _MAPPING_ID, "remote_id_attribute": {"type": "string", "maxLength": 64}},
        required=["mapping_id"],
    )
)


class Protocols(Handlers):
    """Those of one identity provider. Only their list says all there is of one, as in Keystone."""

    def routes(self) -> list[Route]:
        every = f"/v3/{EXTENSION}/identity_providers/<idp_id>/protocols"
        one = f"{every}/<protocol_id>"
        relation = f"{EXTENSION}:identity_provider_protocol"
        new, changes = body("protocol", _NEW_PROTOCOL), body("protocol", _CHANGED_PROTOCOL)
        return [
            Route("GET", every, self.list, "identity:list_protocols", relation=f"{relation}s"),
            Route("PUT", one, self.create, "identity:create_protocol", reads=new),
            Route("GET", one, self.show, "identity:get_protocol", relation=relation),
            Route("PATCH", one, self.update, "identity:update_protocol", reads=changes),
            Route("DELETE", one, self.delete, "identity:delete_protocol"),
        ]

    def list(self, request: Request[Token], idp_id: str) -> Response:
        found = self._identity.protocols.of_provider(idp_id)
        shown = [
            {**self._shown(request, one), "idp_id": idp_id, "remote_id_attribute": one.remote_id_attribute}
            for one in found
        ]
        return self._presenter.collection(request, "protocols", shown, path=_path(idp_id))

    def create(self, request: Request[Token], idp_id: str, protocol_id: str) -> Response:
        created = self._identity.protocols.create(idp_id, {**request.sent, "id": protocol_id})
        return self._member(request, created, 201)

    def show(self, request: Request[Token], idp_id: str, protocol_id: str) -> Response:
        return self._member(request, self._identity.protocols.get(idp_id, protocol_id))

    def update(self, request: Request[Token], idp_id: str, protocol_id: str) -> Response:
        return self._member(request, self._identity.protocols.update(idp_id, protocol_id, request.sent))

    def delete(self, request: Request[Token], idp_id: str, protocol_id: str) -> Response:
        self._identity.protocols.delete(idp_id, protocol_id)
        return done()

    def _member(self, request: Request[Token], row: Protocol, status: int = 200) -> Response:
        return self._presenter.member(request, "protocol", _path(row.idp_id), self._shown(request, row), status)

    def _shown(self, request: Request[Token], row: Protocol) -> Record:
        provider = self._presenter.url(request, f"{EXTENSION}/identity_providers/{row.idp_id}")
        return {"id": row.id, "mapping_id": row.mapping_id, "links": {"identity_provider": provider}}


def _path(idp_id: str) -> str:
    return f"{EXTENSION}/identity_providers/{idp_id}/protocols"


_SAML = "SAML is not among what this service does: let users log in with OpenID Connect."
_WEB = (
    "Log-in through a browser is not among what this service does: "
    "get a token of the identity provider, and send it to the address of the protocol."
)


class LogIn(Handlers):
    """Log-in by an identity provider, and the ways to do so that there are not."""

    def routes(self) -> list[Route]:
        auth = f"/v3/{EXTENSION}/identity_providers/<idp_id>/protocols/<protocol_id>/auth"
        saml, web = f"/v3/auth/{EXTENSION}/saml2", f"/v3/auth/{EXTENSION}/websso/<protocol_id>"
        web_of_idp = f"/v3/auth/{EXTENSION}/identity_providers/<idp_id>/protocols/<protocol_id>/websso"
        relation = f"{EXTENSION}:identity_provider_protocol_auth"
        return [
            Route("GET", auth, self.log_in, public=True, frees=True, relation=relation),
            Route("POST", auth, self.log_in, public=True, frees=True),
            Route("GET", f"/v3/{EXTENSION}/saml2/metadata", self.saml, public=True, relation=f"{EXTENSION}:metadata"),
            Route("POST", saml, self.saml, public=True, relation=f"{EXTENSION}:saml2"),
            Route("POST", f"{saml}/ecp", self.saml, public=True, relation=f"{EXTENSION}:ecp"),
            Route("GET", web, self.web, public=True, relation=f"{EXTENSION}:websso"),
            Route("POST", web, self.web, public=True),
            Route("GET", web_of_idp, self.web, public=True, relation=f"{EXTENSION}:identity_providers_websso"),
            Route("POST", web_of_idp, self.web, public=True),
        ]

    def log_in(self, request: Request[Token], idp_id: str, protocol_id: str) -> Response:
        """GET and POST …/protocols/{protocol_id}/auth — the bearer token is all that is looked at."""
        scheme, _, bearer = (request.header("authorization") or "").partition(" ")
        shown = bearer.strip() if scheme.lower() == "bearer" else None
        token = self._identity.federated_log_in.log_in(idp_id, protocol_id, shown)
        return token_response(self._api, request, token, 201)

    def saml(self, request: Request[Token], **parts: str) -> Response:
        raise NotSupported(_SAML)

    def web(self, request: Request[Token], **parts: str) -> Response:
        raise NotSupported(_WEB)


FEDERATION: tuple[type[Handlers], ...] = (IdentityProviders, Mappings, ServiceProviders, Protocols, LogIn)

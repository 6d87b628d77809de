"""The plain resources of the API, each in one declaration: the catalog, roles, limits, policies, consumers.

A new one goes here, and its class into `PLAIN`.
"""

from typing import Any

from appliance.api.http.messages import Request, Response
from appliance.api.http.service import Route
from appliance.api.identity_v3 import targets
from appliance.api.identity_v3.kit import BulkResource, Handlers, Resource, Rules
from appliance.api.identity_v3.presentation import Listing, shown_endpoint
from appliance.api.identity_v3.schemas import (
    ID_OR_NULL,
    OPTIONS,
    SHORT_TEXT_OR_NULL,
    SWITCH,
    TEXT,
    TEXT_OR_NULL,
    Schema,
    json_object,
    name_of,
    pair,
)
from appliance.db.identity.catalog import Endpoint, Region, Service
from appliance.db.identity.grants import Role
from appliance.db.identity.limits import Limit, Policy, RegisteredLimit
from appliance.db.identity.oauth1 import Consumer
from appliance.db.records import Record, attributes
from appliance.errors import Invalid
from appliance.identity.resources.limits import MODEL
from appliance.identity.tokens.token import Token

_REGION_ID = {"type": ["string", "null"], "minLength": 1, "maxLength": 255}
_REGION = {"description": SHORT_TEXT_OR_NULL, "id": _REGION_ID, "parent_region_id": _REGION_ID}


class Regions(Resource[Region]):
    name = "region"
    new, _ = pair({**_REGION, "id": {"type": ["string", "null"], "maxLength": 255}}, [], alone=False)
    _, changes = pair(_REGION, [])
    filters = ("parent_region_id",)

    @property
    def rules(self) -> Rules[Region]:
        return self._identity.regions

    def routes(self) -> list[Route]:
        put = Route("PUT", "/v3/regions/<region_id>", self.put, "identity:create_region", reads=self.read_new)
        return [*super().routes(), put]

    def put(self, request: Request[Token], region_id: str) -> Response:
        """PUT /v3/regions/{region_id} — a new region under an id of the client's choice."""
        if request.sent.setdefault("id", region_id) != region_id:
            raise Invalid(f'Conflicting region IDs specified: "{region_id}" != "{request.sent["id"]}"')
        return self.create(request)


class Services(Resource[Service]):
    name = "service"
    new, changes = pair(
        {
            "enabled": SWITCH,
            "type": {"type": "string", "minLength": 1, "maxLength": 255},
            "name": {"type": "string", "minLength": 1, "maxLength": 255},
        },
        ["type"],
        alone=False,
    )
    filters = ("type", "name")

    @property
    def rules(self) -> Rules[Service]:
        return self._identity.services

    def present(self, request: Request[Token], row: Service) -> Record:
        """Always a name, be it empty."""
        return {**attributes(row), "name": row.name or ""}


INTERFACES = ("admin", "internal", "public")
INTERFACE = {"type": "string", "enum": list(INTERFACES)}


_ENDPOINT: dict[str, Any] = {
    "enabled": SWITCH,
    "interface": INTERFACE,
    "region_id": {"type": ["string", "null"]},
    "region": {"type": ["string", "null"], "maxLength": 255},
    "service_id": TEXT,
    "url": {"type": "string", "maxLength": 225, "pattern": "^[a-zA-Z0-9+.-]+:.+"},
    "name": TEXT,
    "description": TEXT_OR_NULL,
}


class Endpoints(Resource[Endpoint]):
    name = "endpoint"
    new, _ = pair({**_ENDPOINT, "id": TEXT}, ["interface", "service_id", "url"])
    _, changes = pair(_ENDPOINT, [])
    filters = ("interface", "service_id", "region_id")
    reads_early = Resource.reads_early | {"list"}

    @property
    def rules(self) -> Rules[Endpoint]:
        return self._identity.endpoints

    def listing(self, request: Request[Token]) -> Listing:
        asked = request.arg("interface")
        if asked is not None and asked not in INTERFACES:
            raise Invalid(f"An interface is one of {', '.join(INTERFACES)}.")
        return super().listing(request)

    def present(self, request: Request[Token], row: Endpoint) -> Record:
        return shown_endpoint(row, self._presenter.addresses(request))


def _either(doing: str) -> tuple[str, str]:
    """The policies of roles, the global ones and those of domains."""
    plural = "s" if doing == "list" else ""
    return f"identity:{doing}_role{plural}", f"identity:{doing}_domain_role{plural}"


class Roles(Resource[Role]):
    name = "role"
    new, changes = pair(
        {"name": name_of(255), "description": SHORT_TEXT_OR_NULL, "domain_id": ID_OR_NULL, "options": OPTIONS},
        ["name"],
    )
    filters = ("name", "domain_id")
    policies = {doing: _either(doing) for doing in ("list", "create", "get", "update", "delete")}
    targets = {
        "list": targets.listed_roles,
        "create": targets.new_role,
        **{doing: targets.role(doing) for doing in ("get", "update", "delete")},
    }
    reads_early = Resource.reads_early | {"list"}

    @property
    def rules(self) -> Rules[Role]:
        return self._identity.roles

    def listing(self, request: Request[Token]) -> Listing:
        """The global ones, unless `domain_id` asks for those of a domain."""
        listing = super().listing(request)
        return listing if listing.value("domain_id") is not None else listing.narrowed("domain_id", None)


class Policies(Resource[Policy]):
    name = "policy"
    plural = "policies"
    new, changes = pair({"blob": TEXT, "type": {"type": "string", "maxLength": 255}}, ["blob", "type"], alone=False)
    filters = ("type",)
    reads_early = frozenset()

    @property
    def rules(self) -> Rules[Policy]:
        return self._identity.policies


class Consumers(Resource[Consumer]):
    """The answer to the making of one is the only one that shows its secret."""

    name = "consumer"
    extension = "OS-OAUTH1"
    new = Schema({"type": "object", "properties": {"description": {**TEXT_OR_NULL, "maxLength": 64}}})
    changes = Schema({**new.data, "minProperties": 1, "not": {"required": ["secret"]}})
    reads_early = frozenset()

    @property
    def rules(self) -> Rules[Consumer]:
        return self._identity.consumers

    def read_new(self, request: Request[Token]) -> Any:
        return self._read(request, self.new)

    def read_changes(self, request: Request[Token]) -> Any:
        return self._read(request, self.changes)

    def present(self, request: Request[Token], row: Consumer) -> Record:
        return {name: value for name, value in attributes(row).items() if name != "secret"}

    def create(self, request: Request[Token]) -> Response:
        return self.member(request, attributes(self.make(request)), 201)

    def _read(self, request: Request[Token], schema: Schema) -> Any:
        """A body without the member is one with an empty member."""
        sent: Any = json_object(request).get(self.name, {})
        schema.check(sent)
        return sent


_AMOUNT = {"type": "integer", "minimum": -1, "maximum": 2147483647}
_LIMIT_OF: dict[str, Any] = {
    "service_id": {"type": "string", "pattern": "^[0-9a-fA-F]{8}(-?[0-9a-fA-F]{4}){3}-?[0-9a-fA-F]{12}$"},
    "region_id": _REGION_ID,
    "resource_name": name_of(255),
    "description": SHORT_TEXT_OR_NULL,
}
_REGISTERED_LIMIT: dict[str, Any] = {**_LIMIT_OF, "default_limit": _AMOUNT}
_LIMIT = {**_LIMIT_OF, "resource_limit": _AMOUNT, "project_id": ID_OR_NULL, "domain_id": ID_OR_NULL}


def _closed(properties: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "additionalProperties": False, **more}


def _several(item: dict[str, Any]) -> Schema:
    return Schema({"type": "array", "minItems": 1, "items": item})


class RegisteredLimits(BulkResource[RegisteredLimit]):
    name = "registered_limit"
    new = _several(_closed(_REGISTERED_LIMIT, required=["service_id", "resource_name", "default_limit"]))
    changes = Schema(_closed(_REGISTERED_LIMIT))
    filters = ("service_id", "region_id", "resource_name")
    policies = {"create": "identity:create_registered_limits"}

    @property
    def rules(self) -> Rules[RegisteredLimit]:
        return self._identity.registered_limits


class Limits(BulkResource[Limit]):
    name = "limit"
    new = _several(
        _closed(
            _LIMIT,
            required=["service_id", "resource_name", "resource_limit"],
            oneOf=[{"required": ["domain_id"]}, {"required": ["project_id"]}],
        )
    )
    changes = Schema(_closed({"resource_limit": _AMOUNT, "description": SHORT_TEXT_OR_NULL}))
    filters = ("service_id", "region_id", "resource_name", "project_id", "domain_id")
    policies = {"create": "identity:create_limits"}
    targets = {"get": targets.limit, "update": targets.known_limit, "delete": targets.known_limit}

    @property
    def rules(self) -> Rules[Limit]:
        return self._identity.limits

    def routes(self) -> list[Route]:
        model = Route("GET", "/v3/limits/model", self.model, "identity:get_limit_model", relation="limit_model")
        return [model, *super().routes()]

    def model(self, request: Request[Token]) -> Response:
        """GET /v3/limits/model"""
        return Response(200, {"model": MODEL})

    def listing(self, request: Request[Token]) -> Listing:
        listing = super().listing(request)
        project_id = None if _sees_all(request.caller) else request.caller.project_id
        return listing if project_id is None else listing.narrowed("project_id", project_id)

    def search(self, request: Request[Token], listing: Listing) -> list[Limit]:
        """Those of the caller's own project or domain, unless it may see all."""
        found = self._identity.limits.search(listing.filters, listing.page)
        token = request.caller
        return found if _sees_all(token) else [limit for limit in found if self._concerns(token, limit)]

    def present(self, request: Request[Token], row: Limit) -> Record:
        return {name: value for name, value in attributes(row).items() if name != "registered_limit_id"}

    def _concerns(self, token: Token, limit: Limit) -> bool:
        """Whether a limit is that of the token's project, of its domain, or of a project of its domain."""
        if token.domain_id is None:
            return token.project_id is not None and limit.project_id == token.project_id
        return token.domain_id in (limit.domain_id, self._domain_of(limit.project_id))

    def _domain_of(self, project_id: str | None) -> str | None:
        return self._identity.projects.get(project_id).domain_id if project_id else None


def _sees_all(token: Token) -> bool:
    return token.system or token.has_role("admin") or token.has_role("service")


PLAIN: tuple[type[Handlers], ...] = (
    Regions,
    Services,
    Endpoints,
    Roles,
    Policies,
    RegisteredLimits,
    Limits,
    Consumers,
)

"""/v3/registered_limits and /v3/limits."""

from appliance.api.http.messages import Request, Response
from appliance.api.identity_v3.presentation import Presenter, QueryParser, done
from appliance.api.identity_v3.schemas import member, members
from appliance.api.identity_v3.schemas_catalog import (
    LIMIT_UPDATE,
    LIMITS_CREATE,
    REGISTERED_LIMIT_UPDATE,
    REGISTERED_LIMITS_CREATE,
)
from appliance.db.records import Record
from appliance.identity.resources.limits import MODEL
from appliance.identity.service import Identity
from appliance.identity.tokens.token import Token

_PATH = "registered_limits"


class RegisteredLimits:
    def __init__(self, identity: Identity, presenter: Presenter, queries: QueryParser) -> None:
        self._identity = identity
        self._presenter = presenter
        self._queries = queries

    def list(self, request: Request[Token]) -> Response:
        """GET /v3/registered_limits"""
        listing = self._queries.read(request, ("service_id", "region_id", "resource_name"))
        found = self._identity.registered_limits.search(listing.filters, listing.page)
        return self._presenter.collection(request, "registered_limits", found, listing)

    def show(self, request: Request[Token], registered_limit_id: str) -> Response:
        """GET /v3/registered_limits/{registered_limit_id}"""
        found = self._identity.registered_limits.get(registered_limit_id)
        return self._presenter.member(request, "registered_limit", _PATH, found)

    def create(self, request: Request[Token]) -> Response:
        """POST /v3/registered_limits — several at once."""
        limits = members(request, "registered_limits", REGISTERED_LIMITS_CREATE)
        created = self._identity.registered_limits.create(limits)
        return Response(201, {_PATH: [self._presenter.linked(request, _PATH, limit) for limit in created]})

    def update(self, request: Request[Token], registered_limit_id: str) -> Response:
        """PATCH /v3/registered_limits/{registered_limit_id}"""
        changes = member(request, "registered_limit", REGISTERED_LIMIT_UPDATE)
        changed = self._identity.registered_limits.update(registered_limit_id, changes)
        return self._presenter.member(request, "registered_limit", _PATH, changed)

    def delete(self, request: Request[Token], registered_limit_id: str) -> Response:
        """DELETE /v3/registered_limits/{registered_limit_id}"""
        self._identity.registered_limits.delete(registered_limit_id)
        return done()


_FILTERS = ("service_id", "region_id", "resource_name", "project_id", "domain_id")


class Limits:
    def __init__(self, identity: Identity, presenter: Presenter, queries: QueryParser) -> None:
        self._identity = identity
        self._presenter = presenter
        self._queries = queries

    def list(self, request: Request[Token]) -> Response:
        """GET /v3/limits — those of the caller's own project or domain, unless it may see all."""
        token = request.caller
        listing = self._queries.read(request, _FILTERS)
        sees_all = token.system or token.has_role("admin") or token.has_role("service")
        if not sees_all and token.project_id is not None:
            listing = listing.narrowed("project_id", token.project_id)
        found = self._identity.limits.search(listing.filters, listing.page)
        if not sees_all:
            found = [limit for limit in found if self._concerns(token, limit)]
        return self._presenter.collection(request, "limits", found, listing)

    def show(self, request: Request[Token], limit_id: str) -> Response:
        """GET /v3/limits/{limit_id}"""
        return self._presenter.member(request, "limit", "limits", self._identity.limits.get(limit_id))

    def create(self, request: Request[Token]) -> Response:
        """POST /v3/limits — several at once."""
        limits = members(request, "limits", LIMITS_CREATE)
        created = self._identity.limits.create(limits)
        return Response(201, {"limits": [self._presenter.linked(request, "limits", limit) for limit in created]})

    def update(self, request: Request[Token], limit_id: str) -> Response:
        """PATCH /v3/limits/{limit_id}"""
        changes = member(request, "limit", LIMIT_UPDATE)
        return self._presenter.member(request, "limit", "limits", self._identity.limits.update(limit_id, changes))

    def delete(self, request: Request[Token], limit_id: str) -> Response:
        """DELETE /v3/limits/{limit_id}"""
        self._identity.limits.delete(limit_id)
        return done()

    def model(self, request: Request[Token]) -> Response:
        """GET /v3/limits/model"""
        return Response(200, {"model": MODEL})

    def _concerns(self, token: Token, limit: Record) -> bool:
        """Whether a limit is that of the token's project, of its domain, or of a project of its domain."""
        if token.domain_id is None:
            return token.project_id is not None and limit["project_id"] == token.project_id
        return token.domain_id in (limit["domain_id"], self._domain_of(limit["project_id"]))

    def _domain_of(self, project_id: str | None) -> str | None:
        domain_id: str | None = self._identity.projects.get(project_id)["domain_id"] if project_id else None
        return domain_id

"""/v3/users and /v3/groups."""

from appliance.api.http.messages import Request, Response
from appliance.api.identity_v3.delegation import refuse_own_log_in
from appliance.api.identity_v3.presentation import Presenter, QueryParser, done, shown_project, shown_user
from appliance.api.identity_v3.schemas import (
    GROUP_CREATE,
    GROUP_UPDATE,
    PASSWORD_CHANGE,
    USER_CREATE,
    USER_UPDATE,
    member,
)
from appliance.api.identity_v3.targets import home_domain
from appliance.db.records import Filter
from appliance.errors import Invalid
from appliance.identity.service import Identity
from appliance.identity.tokens.token import Token
from appliance.values import parse_time

EXACT = ("domain_id", "name")
_OPERATORS = {
    "lt": "before",
    "lte": "not_after",
    "gt": "after",
    "gte": "not_before",
    "eq": "equals",
    "neq": "differs",
}
_OURS = ("id", "created_at", "last_active_at", "password_expires_at", "federated")


class Users:
    def __init__(self, identity: Identity, presenter: Presenter, queries: QueryParser) -> None:
        self._identity = identity
        self._presenter = presenter
        self._queries = queries

    def list(self, request: Request[Token]) -> Response:
        """GET /v3/users"""
        token = request.caller
        listing = self._queries.read(request, EXACT, ("enabled",))
        if token.domain_id is not None:
            listing = listing.narrowed("domain_id", token.domain_id)
        filters = [*listing.filters, *expiry_filters(request)]
        if any(request.arg(name) for name in ("idp_id", "protocol_id", "unique_id")):
            return self._presenter.collection(request, "users", [], listing)
        found = self._identity.users.search(filters, listing.page)
        return self._presenter.collection(request, "users", [shown_user(user) for user in found], listing)

    def show(self, request: Request[Token], user_id: str) -> Response:
        """GET /v3/users/{user_id}"""
        return self._presenter.member(request, "user", "users", shown_user(self._identity.users.get(user_id)))

    def create(self, request: Request[Token]) -> Response:
        """POST /v3/users"""
        user = {key: value for key, value in member(request, "user", USER_CREATE).items() if key not in _OURS}
        user.setdefault("domain_id", home_domain(request.caller))
        created = self._identity.users.create(user)
        return self._presenter.member(request, "user", "users", shown_user(created), 201)

    def update(self, request: Request[Token], user_id: str) -> Response:
        """PATCH /v3/users/{user_id}"""
        changes = member(request, "user", USER_UPDATE)
        if changes.get("id", user_id) != self._identity.users.get(user_id)["id"]:
            raise Invalid("Cannot change user ID.")
        if {"password", "options"} & set(changes):
            refuse_own_log_in(request.caller, user_id)
        changes = {key: value for key, value in changes.items() if key not in _OURS}
        updated = self._identity.users.update(user_id, changes)
        return self._presenter.member(request, "user", "users", shown_user(updated))

    def delete(self, request: Request[Token], user_id: str) -> Response:
        """DELETE /v3/users/{user_id}"""
        self._identity.users.delete(user_id)
        return done()

    def change_password(self, request: Request[Token], user_id: str) -> Response:
        """POST /v3/users/{user_id}/password — needs no token: the old password is the proof."""
        body = member(request, "user", PASSWORD_CHANGE)
        self._identity.users.change_password(user_id, body["original_password"], body["password"])
        return done()

    def projects(self, request: Request[Token], user_id: str) -> Response:
        """GET /v3/users/{user_id}/projects"""
        self._identity.users.get(user_id)
        listing = self._queries.read(request, ("domain_id", "name"), ("enabled",))
        found = [
            shown_project(project)
            for project in self._identity.projects.with_tags(self._identity.assignments.projects_of(user_id))
            if all(project[item.attribute] == item.value for item in listing.filters if item.comparator == "equals")
        ]
        return self._presenter.collection(request, "projects", found, listing)

    def groups(self, request: Request[Token], user_id: str) -> Response:
        """GET /v3/users/{user_id}/groups"""
        token = request.caller
        self._identity.users.get(user_id)
        name = request.arg("name")
        found = [
            group
            for group in self._identity.groups.of_user(user_id)
            if name in (None, group["name"]) and token.domain_id in (None, group["domain_id"])
        ]
        return self._presenter.collection(request, "groups", found)


def expiry_filters(request: Request[Token]) -> list[Filter]:
    """`password_expires_at=lt:2026-01-01T00:00:00Z` as filters. Raises `Invalid`."""
    filters = []
    for value in request.args("password_expires_at"):
        operator, text = value.split(":", 1) if ":" in value[2:4] else ("eq", value)
        try:
            filters.append(Filter("password_expires_at", parse_time(text), _OPERATORS[operator]))
        except (ValueError, KeyError, OverflowError) as error:
            raise Invalid("password_expires_at takes an operator, a colon and a time.") from error
    return filters


class Groups:
    def __init__(self, identity: Identity, presenter: Presenter, queries: QueryParser) -> None:
        self._identity = identity
        self._presenter = presenter
        self._queries = queries

    def list(self, request: Request[Token]) -> Response:
        """GET /v3/groups"""
        token = request.caller
        listing = self._queries.read(request, ("domain_id", "name"))
        if token.domain_id is not None:
            listing = listing.narrowed("domain_id", token.domain_id)
        found = self._identity.groups.search(listing.filters, listing.page)
        return self._presenter.collection(request, "groups", found, listing)

    def show(self, request: Request[Token], group_id: str) -> Response:
        """GET /v3/groups/{group_id}"""
        return self._presenter.member(request, "group", "groups", self._identity.groups.get(group_id))

    def create(self, request: Request[Token]) -> Response:
        """POST /v3/groups"""
        group = member(request, "group", GROUP_CREATE)
        group.setdefault("domain_id", home_domain(request.caller))
        return self._presenter.member(request, "group", "groups", self._identity.groups.create(group), 201)

    def update(self, request: Request[Token], group_id: str) -> Response:
        """PATCH /v3/groups/{group_id}"""
        changes = member(request, "group", GROUP_UPDATE)
        return self._presenter.member(request, "group", "groups", self._identity.groups.update(group_id, changes))

    def delete(self, request: Request[Token], group_id: str) -> Response:
        """DELETE /v3/groups/{group_id}"""
        self._identity.groups.delete(group_id)
        return done()

    def members(self, request: Request[Token], group_id: str) -> Response:
        """GET /v3/groups/{group_id}/users"""
        token = request.caller
        ids = self._identity.groups.member_ids(group_id)
        listing = self._queries.read(request, EXACT, ("enabled",))
        if token.domain_id is not None:
            listing = listing.narrowed("domain_id", token.domain_id)
        filters = [*listing.filters, *expiry_filters(request)]
        found = self._identity.users.search(filters, listing.page, ids)
        return self._presenter.collection(request, "users", [shown_user(user) for user in found], listing)

    def check_member(self, request: Request[Token], group_id: str, user_id: str) -> Response:
        """GET and HEAD /v3/groups/{group_id}/users/{user_id}"""
        self._identity.groups.require_member(group_id, user_id)
        return done()

    def add_member(self, request: Request[Token], group_id: str, user_id: str) -> Response:
        """PUT /v3/groups/{group_id}/users/{user_id}"""
        self._identity.groups.add_member(group_id, user_id)
        return done()

    def remove_member(self, request: Request[Token], group_id: str, user_id: str) -> Response:
        """DELETE /v3/groups/{group_id}/users/{user_id}"""
        self._identity.groups.remove_member(group_id, user_id)
        return done()

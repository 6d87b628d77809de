"""/v3/users and /v3/groups."""

from typing import Any

from appliance.api.http.messages import Request, Response
from appliance.api.http.service import Route
from appliance.api.identity_v3 import targets
from appliance.api.identity_v3.delegation import refuse_own_log_in
from appliance.api.identity_v3.kit import Resource, Rules
from appliance.api.identity_v3.presentation import Listing, done, shown_project
from appliance.api.identity_v3.schemas import ID, SWITCH, TEXT, TEXT_OR_NULL, Schema, body, name_of, pair
from appliance.api.identity_v3.targets import home_domain
from appliance.db.identity.users import Group, User
from appliance.db.records import Filter, Record, attributes
from appliance.errors import Invalid
from appliance.identity.resources.users import IDENTITY
from appliance.identity.tokens.token import Token
from appliance.values import micros_text, parse_time

_OPERATORS = {
    "lt": "before",
    "lte": "not_after",
    "gt": "after",
    "gte": "not_before",
    "eq": "equals",
    "neq": "differs",
}
_OURS = ("id", "created_at", "last_active_at", "password_expires_at")
_INTERNAL = ("created_at", "last_active_at")
_SWITCH_OR_NULL = {"type": ["boolean", "null"]}
_OPTIONS = {
    "type": "object",
    "properties": {
        "ignore_change_password_upon_first_use": _SWITCH_OR_NULL,
        "ignore_password_expiry": _SWITCH_OR_NULL,
        "ignore_lockout_failure_attempts": _SWITCH_OR_NULL,
        "ignore_user_inactivity": _SWITCH_OR_NULL,
        "lock_password": _SWITCH_OR_NULL,
        "multi_factor_auth_enabled": _SWITCH_OR_NULL,
        "multi_factor_auth_rules": {
            "type": ["array", "null"],
            "items": {"type": "array", "items": TEXT, "minItems": 1, "uniqueItems": True},
            "uniqueItems": True,
        },
    },
    "additionalProperties": False,
}
_FEDERATED = {
    "type": "object",
    "properties": {
        "idp_id": TEXT,
        "protocols": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"protocol_id": TEXT, "unique_id": TEXT},
                "required": ["protocol_id", "unique_id"],
            },
            "minItems": 1,
        },
    },
    "required": ["idp_id", "protocols"],
}
_PASSWORD_CHANGE = Schema(
    {
        "type": "object",
        "properties": {"original_password": TEXT, "password": TEXT},
        "required": ["original_password", "password"],
        "additionalProperties": False,
    },
    alone=False,
)


class Users(Resource[User]):
    name = "user"
    frees = True
    new, changes = pair(
        {
            "name": name_of(255),
            "domain_id": ID,
            "enabled": SWITCH,
            "default_project_id": {**TEXT_OR_NULL, "maxLength": 64},
            "description": TEXT_OR_NULL,
            "password": TEXT_OR_NULL,
            "federated": {"type": "array", "items": _FEDERATED},
            "options": _OPTIONS,
        },
        ["name"],
    )
    filters = ("domain_id", "name")
    switches = ("enabled",)
    domain_filter = "domain_id"
    targets = {
        "list": targets.own_domain("domain_id"),
        "create": targets.new_user,
        **dict.fromkeys(("get", "update", "delete"), targets.user),
    }

    @property
    def rules(self) -> Rules[User]:
        return self._identity.users

    def routes(self) -> list[Route]:
        one = "/v3/users/<user_id>"
        return [
            *super().routes(),
            Route(
                "POST",
                f"{one}/password",
                self.change_password,
                public=True,
                reads=body("user", _PASSWORD_CHANGE),
                frees=True,
                relation="user_change_password",
            ),
            Route(
                "GET",
                f"{one}/projects",
                self.projects,
                "identity:list_user_projects",
                targets.user,
                relation="user_projects",
            ),
            Route(
                "GET",
                f"{one}/groups",
                self.groups,
                "identity:list_groups_for_user",
                targets.user,
                relation="user_groups",
            ),
        ]

    def listing(self, request: Request[Token]) -> Listing:
        identity = [Filter(name, value) for name in IDENTITY if (value := request.arg(name))]
        return super().listing(request).also([*expiry_filters(request), *identity])

    def make(self, request: Request[Token]) -> User:
        user = {key: value for key, value in request.sent.items() if key not in _OURS}
        user.setdefault("domain_id", home_domain(request.caller))
        return self._identity.users.create(user)

    def change(self, request: Request[Token], record_id: str) -> User:
        changes = request.sent
        if changes.get("id", record_id) != self._identity.users.get(record_id).id:
            raise Invalid("Cannot change user ID.")
        if {"password", "options"} & set(changes):
            refuse_own_log_in(request.caller, record_id)
        return self._identity.users.update(
            record_id, {key: value for key, value in changes.items() if key not in _OURS}
        )

    def present(self, request: Request[Token], row: User) -> Record:
        return shown_user(row)

    def change_password(self, request: Request[Token], user_id: str) -> Response:
        """POST /v3/users/{user_id}/password — needs no token: the old password is the proof."""
        self._identity.users.change_password(user_id, request.sent["original_password"], request.sent["password"])
        return done()

    def projects(self, request: Request[Token], user_id: str) -> Response:
        """GET /v3/users/{user_id}/projects"""
        self._identity.users.get(user_id)
        listing = self._api.queries.read(request, ("domain_id", "name"), ("enabled",))
        found = [
            shown_project(project)
            for project in self._identity.projects.with_tags(self._identity.assignments.projects_of(user_id))
            if all(
                getattr(project, item.attribute) == item.value
                for item in listing.filters
                if item.comparator == "equals"
            )
        ]
        return self._presenter.collection(request, "projects", found, listing)

    def groups(self, request: Request[Token], user_id: str) -> Response:
        """GET /v3/users/{user_id}/groups"""
        token = request.caller
        self._identity.users.get(user_id)
        name = request.arg("name")
        found = [
            {
                **attributes(group),
                "membership_expires_at": None if ends is None else micros_text(ends).removesuffix("Z"),
            }
            for group, ends in self._identity.groups.of_user(user_id)
            if name in (None, group.name) and token.domain_id in (None, group.domain_id)
        ]
        return self._presenter.collection(request, "groups", found)


def shown_user(user: User) -> Record:
    """Never a password; a default project and identities only if there are some; times as Keystone writes them."""
    view = {key: value for key, value in attributes(user).items() if key not in _INTERNAL}
    if user.default_project_id is None:
        del view["default_project_id"]
    if not user.federated:
        del view["federated"]
    expires_at = user.password_expires_at
    view["password_expires_at"] = None if expires_at is None else micros_text(expires_at).removesuffix("Z")
    return view


def expiry_filters(request: Request[Any]) -> list[Filter]:
    """`password_expires_at=lt:2026-01-01T00:00:00Z` as filters. Raises `Invalid`."""
    filters = []
    for value in request.args("password_expires_at"):
        operator, text = value.split(":", 1) if ":" in value[2:4] else ("eq", value)
        try:
            filters.append(Filter("password_expires_at", parse_time(text), _OPERATORS[operator]))
        except (ValueError, KeyError, OverflowError) as error:
            raise Invalid("password_expires_at takes an operator, a colon and a time.") from error
    return filters


class Groups(Resource[Group]):
    name = "group"
    new, changes = pair({"name": name_of(64), "description": TEXT_OR_NULL, "domain_id": ID}, ["name"])
    filters = ("domain_id", "name")
    domain_filter = "domain_id"
    targets = {
        "list": targets.own_domain("group.domain_id"),
        "create": targets.new_group,
        "get": targets.group,
        "update": targets.group,
        "delete": targets.known_group,
    }

    @property
    def rules(self) -> Rules[Group]:
        return self._identity.groups

    def routes(self) -> list[Route]:
        members = "/v3/groups/<group_id>/users"
        one = f"{members}/<user_id>"
        member = targets.membership
        return [
            *super().routes(),
            Route("GET", members, self.members, "identity:list_users_in_group", targets.group, relation="group_users"),
            Route("GET", one, self.check_member, "identity:check_user_in_group", member, relation="group_user"),
            Route("PUT", one, self.add_member, "identity:add_user_to_group", member),
            Route("DELETE", one, self.remove_member, "identity:remove_user_from_group", member),
        ]

    def make(self, request: Request[Token]) -> Group:
        return self._identity.groups.create({"domain_id": home_domain(request.caller), **request.sent})

    def members(self, request: Request[Token], group_id: str) -> Response:
        """GET /v3/groups/{group_id}/users"""
        ids = self._identity.groups.member_ids(group_id)
        listing = Users(self._api).listing(request)
        found = self._identity.users.search(listing.filters, listing.page, ids)
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

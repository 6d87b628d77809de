"""Trusts and application credentials: roles that a user hands on."""

import re
from datetime import datetime

from appliance.api.http.messages import Request, Response
from appliance.api.http.service import Route
from appliance.api.identity_v3 import targets
from appliance.api.identity_v3.kit import Handlers
from appliance.api.identity_v3.presentation import done
from appliance.api.identity_v3.schemas import ID, SWITCH, TEXT, TEXT_OR_NULL, Schema, body, name_of
from appliance.db.identity.delegation import ApplicationCredential, Trust
from appliance.db.records import Filter, Record, attributes
from appliance.errors import Forbidden, Invalid, NotFound
from appliance.identity.resources.application_credentials import LONGEST_PATH, shown_rule
from appliance.identity.tokens.token import SECOND, Token
from appliance.values import Micros, micros_text, parse_time

_BEGINNING = re.compile(r"\d{4}-?\d\d-?\d\d[T ]\d\d")
"""Of a calendar's date with a time; Python reads weeks, and dates alone, too."""


def future(text: str | None, now: Micros) -> Micros | None:
    """Read `expires_at`; None stays None. Raises `Invalid` for what is past or no date with a time, in UTC, said or
    not: Keystone adds the `Z` that is missing, and so refuses every offset."""
    if text is None:
        return None
    text = text.removesuffix("Z")
    try:
        at = parse_time(text)
        if not _BEGINNING.match(text) or datetime.fromisoformat(text).tzinfo is not None:
            raise ValueError("this is no date with a time in UTC")
    except (ValueError, OverflowError) as error:
        raise Invalid(
            "Timestamp not in expected format. The server could not comply with the request since it is either "
            "malformed or otherwise incorrect. The client is assumed to be in error."
        ) from error
    if at <= now:
        raise Invalid(
            "The 'expires_at' must not be before now. The server could not comply with the request since it is either "
            "malformed or otherwise incorrect. The client is assumed to be in error."
        )
    return at


_APPLICATION_CREDENTIAL = "application_credential"


def refuse_delegated(token: Token) -> None:
    """Raise `Forbidden` for credentials of every kind: EC2 keys, TOTP seeds, certificates."""
    if token.delegated:
        raise Forbidden("Delegated tokens cannot access credentials directly")


def refuse_for_trusts(token: Token) -> None:
    """Raise `Forbidden` for all but a user's own log-in and a trust, which may be handed on."""
    if token.delegated_by_method:
        raise Forbidden("Delegated tokens cannot manage trusts.")


def refuse_for_application_credentials(token: Token) -> None:
    """Raise `Forbidden` for tokens of trusts and of signed requests."""
    if token.trust is None and _APPLICATION_CREDENTIAL in token.methods:
        return
    if token.delegated:
        raise Forbidden("Cannot manage application credentials with a token issued via delegation.")


def refuse_restricted(token: Token) -> None:
    """Raise `Forbidden` for the token of an application credential that may not make or remove others."""
    credential = token.application_credential
    if credential is not None and not credential.unrestricted:
        raise Forbidden(
            "Using method 'application_credential' is not allowed for managing additional application credentials."
        )


def refuse_own_log_in(token: Token, user_id: str) -> None:
    """Raise `Forbidden` for a delegated token that would change how its own user logs in."""
    if token.delegated and user_id in (token.user.id, token.authenticated_user_id):
        raise Forbidden("Delegated tokens cannot change how their user logs in.")


_ROLES = {
    "type": "array",
    "items": {
        "type": "object",
        "properties": {"id": ID, "name": name_of(255)},
        "minProperties": 1,
        "maxProperties": 1,
        "additionalProperties": False,
    },
}

_NEW_TRUST = Schema(
    {
        "type": "object",
        "properties": {
            "trustor_user_id": TEXT,
            "trustee_user_id": TEXT,
            "impersonation": SWITCH,
            "project_id": TEXT_OR_NULL,
            "remaining_uses": {"type": ["integer", "null"], "minimum": 1, "maximum": 2**31 - 1},
            "expires_at": TEXT_OR_NULL,
            "allow_redelegation": {"type": ["boolean", "null"]},
            "redelegated_trust_id": TEXT_OR_NULL,
            "redelegation_count": {"type": ["integer", "null"], "minimum": 0, "maximum": 2**31 - 1},
            "roles": _ROLES,
        },
        "required": ["trustor_user_id", "trustee_user_id", "impersonation"],
    }
)

_PATH = "OS-TRUST/trusts"


class Trusts(Handlers):
    """After the policy, each handler refuses the delegated tokens that may not manage trusts."""

    def routes(self) -> list[Route]:
        every = f"/v3/{_PATH}"
        one, roles = f"{every}/<trust_id>", f"{every}/<trust_id>/roles"
        policy, target, extension = "identity:list_trusts", targets.trust, "OS-TRUST"
        listed = (policy, f"{policy}_for_trustor", f"{policy}_for_trustee")
        sent = body("trust", _NEW_TRUST)
        its_roles, its_role = "identity:list_roles_for_trust", "identity:get_role_for_trust"
        return [
            Route("GET", every, self.list, listed, targets.listed_trusts, relation=f"{extension}:trusts"),
            Route("POST", every, self.create, "identity:create_trust", targets.new_trust, reads=sent),
            Route("GET", one, self.show, "identity:get_trust", target, relation=f"{extension}:trust"),
            Route("DELETE", one, self.delete, "identity:delete_trust", target),
            Route("GET", roles, self.roles, its_roles, target, relation=f"{extension}:trust_roles"),
            Route("GET", f"{roles}/<role_id>", self.role, its_role, target, relation=f"{extension}:trust_role"),
        ]

    def list(self, request: Request[Token]) -> Response:
        """GET /v3/OS-TRUST/trusts"""
        asked = {party: user_id for party in ("trustor", "trustee") if (user_id := request.arg(f"{party}_user_id"))}
        refuse_for_trusts(request.caller)
        filters = [Filter(f"{party}_user_id", user_id) for party, user_id in asked.items()]
        found = [_shown(trust) for trust in self._identity.trusts.search(filters)]
        return self._presenter.collection(request, "trusts", found, None, _PATH)

    def show(self, request: Request[Token], trust_id: str) -> Response:
        """GET /v3/OS-TRUST/trusts/{trust_id}"""
        refuse_for_trusts(request.caller)
        return self._whole(request, self._identity.trusts.get(trust_id))

    def create(self, request: Request[Token]) -> Response:
        """POST /v3/OS-TRUST/trusts — by the trustor themselves."""
        asked: Record = request.sent
        refuse_for_trusts(request.caller)
        expires_at = future(asked.get("expires_at"), self._identity.store.clock())
        return self._whole(request, self._identity.trusts.create(request.caller, asked, expires_at), 201)

    def delete(self, request: Request[Token], trust_id: str) -> Response:
        """DELETE /v3/OS-TRUST/trusts/{trust_id}"""
        refuse_for_trusts(request.caller)
        self._identity.trusts.delete(trust_id)
        return done()

    def roles(self, request: Request[Token], trust_id: str) -> Response:
        """GET /v3/OS-TRUST/trusts/{trust_id}/roles"""
        refuse_for_trusts(request.caller)
        trust = self._identity.trusts.get(trust_id)
        return self._presenter.collection(request, "roles", [attributes(role) for role in trust.roles])

    def role(self, request: Request[Token], trust_id: str, role_id: str) -> Response:
        """GET and HEAD /v3/OS-TRUST/trusts/{trust_id}/roles/{role_id}"""
        refuse_for_trusts(request.caller)
        for role in self._identity.trusts.get(trust_id).roles:
            if role.id == role_id:
                return self._presenter.member(request, "role", "roles", attributes(role))
        raise NotFound(f"Could not find role: {role_id}.")

    def _whole(self, request: Request[Token], trust: Trust, status: int = 200) -> Response:
        shown = _shown(trust)
        shown["roles"] = [self._presenter.linked(request, "roles", attributes(role)) for role in trust.roles]
        own = self._presenter.url(request, f"{_PATH}/{trust.id}/roles")
        shown["roles_links"] = {"self": own, "next": None, "previous": None}
        return self._presenter.member(request, "trust", _PATH, shown, status)


def _shown(trust: Trust) -> Record:
    """Without what is for our own use; times as Keystone writes them, whose trusts show no fraction."""
    view = {key: value for key, value in attributes(trust).items() if key != "roles"}
    for name in ("expires_at", "deleted_at"):
        view[name] = None if view[name] is None else micros_text(view[name] // SECOND * SECOND)
    return view


_NEW_APPLICATION_CREDENTIAL = Schema(
    {
        "type": "object",
        "properties": {
            "id": TEXT,
            "name": name_of(255),
            "description": TEXT_OR_NULL,
            "project_id": TEXT,
            "system": TEXT_OR_NULL,
            "secret": TEXT_OR_NULL,
            "expires_at": TEXT_OR_NULL,
            "unrestricted": {"type": ["boolean", "null"]},
            "roles": _ROLES,
            "access_rules": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {
                        "id": ID,
                        "path": {"type": "string", "maxLength": LONGEST_PATH, "pattern": "^/"},
                        "service": ID,
                        "method": {"enum": ["DELETE", "GET", "HEAD", "PATCH", "POST", "PUT"]},
                    },
                },
            },
        },
        "required": ["name"],
        "additionalProperties": False,
    }
)


class ApplicationCredentials(Handlers):
    """Credentials and their rules. After the policy, each handler refuses the delegated tokens that it must."""

    def routes(self) -> list[Route]:
        every, rules = "/v3/users/<user_id>/application_credentials", "/v3/users/<user_id>/access_rules"
        one, rule = f"{every}/<application_credential_id>", f"{rules}/<access_rule_id>"
        owner, its = targets.owner, targets.application_credential
        name = "application_credential"
        policy = f"identity:create_{name}"
        sent = body(name, _NEW_APPLICATION_CREDENTIAL)
        return [
            Route("GET", every, self.list, f"identity:list_{name}s", owner, relation=f"{name}s"),
            Route("POST", every, self.create, policy, owner, reads=sent),
            Route("GET", one, self.show, f"identity:get_{name}", its, relation=name),
            Route("DELETE", one, self.delete, f"identity:delete_{name}", its),
            Route("GET", rules, self.list_rules, "identity:list_access_rules", owner, relation="access_rules"),
            Route("GET", rule, self.show_rule, "identity:get_access_rule", owner, relation="access_rule"),
            Route("DELETE", rule, self.delete_rule, "identity:delete_access_rule", owner),
        ]

    def list(self, request: Request[Token], user_id: str) -> Response:
        """GET /v3/users/{user_id}/application_credentials"""
        refuse_for_application_credentials(request.caller)
        listing = self._api.queries.read(request, ("name",))
        found = self._identity.application_credentials.search(user_id, listing.filters, listing.page)
        shown = [_application_credential_shown(credential) for credential in found]
        return self._presenter.collection(request, "application_credentials", shown, listing, _path(user_id))

    def show(self, request: Request[Token], user_id: str, application_credential_id: str) -> Response:
        """GET /v3/users/{user_id}/application_credentials/{id}"""
        refuse_for_application_credentials(request.caller)
        credential = self._owned(user_id, application_credential_id)
        return self._presenter.member(
            request, "application_credential", _path(user_id), _application_credential_shown(credential)
        )

    def create(self, request: Request[Token], user_id: str) -> Response:
        """POST /v3/users/{user_id}/application_credentials"""
        asked: Record = request.sent
        refuse_for_application_credentials(request.caller)
        refuse_restricted(request.caller)
        expires_at = future(asked.get("expires_at"), self._identity.store.clock())
        created, secret = self._identity.application_credentials.create(request.caller, asked, expires_at)
        shown = {**_application_credential_shown(created), "secret": secret}
        return self._presenter.member(request, "application_credential", _path(user_id), shown, 201)

    def delete(self, request: Request[Token], user_id: str, application_credential_id: str) -> Response:
        """DELETE /v3/users/{user_id}/application_credentials/{id}"""
        refuse_for_application_credentials(request.caller)
        self._owned(user_id, application_credential_id)
        refuse_restricted(request.caller)
        self._identity.application_credentials.delete(application_credential_id)
        return done()

    def list_rules(self, request: Request[Token], user_id: str) -> Response:
        """GET /v3/users/{user_id}/access_rules"""
        refuse_for_application_credentials(request.caller)
        listing = self._api.queries.read(request, ("service", "path", "method"))
        found = self._identity.application_credentials.access_rules(user_id, listing.filters)
        shown = [shown_rule(rule) for rule in found]
        return self._presenter.collection(request, "access_rules", shown, None, f"users/{user_id}/access_rules")

    def show_rule(self, request: Request[Token], user_id: str, access_rule_id: str) -> Response:
        """GET /v3/users/{user_id}/access_rules/{id}"""
        refuse_for_application_credentials(request.caller)
        rule = self._identity.application_credentials.access_rule(user_id, access_rule_id)
        return self._presenter.member(request, "access_rule", f"users/{user_id}/access_rules", shown_rule(rule))

    def delete_rule(self, request: Request[Token], user_id: str, access_rule_id: str) -> Response:
        """DELETE /v3/users/{user_id}/access_rules/{id}"""
        refuse_for_application_credentials(request.caller)
        self._identity.application_credentials.delete_access_rule(user_id, access_rule_id)
        return done()

    def _owned(self, user_id: str, credential_id: str) -> ApplicationCredential:
        """The credential, if it is the user's of the path. Raises `NotFound`."""
        credential = self._identity.application_credentials.get(credential_id)
        if credential.user_id != user_id:
            raise NotFound(f"Could not find application credential: {credential_id}.")
        return credential


def _path(user_id: str) -> str:
    return f"users/{user_id}/application_credentials"


def _application_credential_shown(credential: ApplicationCredential) -> Record:
    view = {name: value for name, value in attributes(credential).items() if name != "secret_hash"}
    expires_at = credential.expires_at
    view["expires_at"] = None if expires_at is None else micros_text(expires_at).removesuffix("Z")
    view["system"] = None
    view["roles"] = [attributes(role) for role in credential.roles]
    view["access_rules"] = [shown_rule(rule) for rule in credential.access_rules]
    if not view["access_rules"]:
        del view["access_rules"]
    return view

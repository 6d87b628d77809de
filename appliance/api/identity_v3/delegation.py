"""Trusts and application credentials: roles that a user hands on."""

import re
from datetime import datetime

from appliance.api.http.messages import Request, Response
from appliance.api.identity_v3.presentation import Presenter, QueryParser, done
from appliance.api.identity_v3.schemas import member
from appliance.api.identity_v3.schemas_delegation import APPLICATION_CREDENTIAL, TRUST
from appliance.db.records import Filter, Record
from appliance.errors import Forbidden, Invalid, NotFound
from appliance.identity.service import Identity
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


_PATH = "OS-TRUST/trusts"


class Trusts:
    """After the policy, each handler refuses the delegated tokens that may not manage trusts."""

    def __init__(self, identity: Identity, presenter: Presenter) -> None:
        self._identity = identity
        self._presenter = presenter

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
        asked = member(request, "trust", TRUST)
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
        return self._presenter.collection(request, "roles", self._identity.trusts.get(trust_id)["roles"])

    def role(self, request: Request[Token], trust_id: str, role_id: str) -> Response:
        """GET and HEAD /v3/OS-TRUST/trusts/{trust_id}/roles/{role_id}"""
        refuse_for_trusts(request.caller)
        for role in self._identity.trusts.get(trust_id)["roles"]:
            if role["id"] == role_id:
                return self._presenter.member(request, "role", "roles", role)
        raise NotFound(f"Could not find role: {role_id}.")

    def _whole(self, request: Request[Token], trust: Record, status: int = 200) -> Response:
        shown = _shown(trust)
        shown["roles"] = [self._presenter.linked(request, "roles", role) for role in trust["roles"]]
        own = self._presenter.url(request, f"{_PATH}/{trust['id']}/roles")
        shown["roles_links"] = {"self": own, "next": None, "previous": None}
        return self._presenter.member(request, "trust", _PATH, shown, status)


def _shown(trust: Record) -> Record:
    """Without what is for our own use; times as Keystone writes them, whose trusts show no fraction."""
    view = {key: value for key, value in trust.items() if key != "roles"}
    for name in ("expires_at", "deleted_at"):
        view[name] = None if view[name] is None else micros_text(view[name] // SECOND * SECOND)
    return view


class ApplicationCredentials:
    """Credentials and their rules. After the policy, each handler refuses the delegated tokens that it must."""

    def __init__(self, identity: Identity, presenter: Presenter, queries: QueryParser) -> None:
        self._identity = identity
        self._presenter = presenter
        self._queries = queries

    def list(self, request: Request[Token], user_id: str) -> Response:
        """GET /v3/users/{user_id}/application_credentials"""
        refuse_for_application_credentials(request.caller)
        listing = self._queries.read(request, ("name",))
        found = self._identity.application_credentials.search(user_id, listing.filters, listing.page)
        shown = [_application_credential_shown(credential) for credential in found]
        return self._presenter.collection(request, "application_credentials", shown, listing, _path(user_id))

    def show(self, request: Request[Token], user_id: str, credential_id: str) -> Response:
        """GET /v3/users/{user_id}/application_credentials/{id}"""
        refuse_for_application_credentials(request.caller)
        credential = self._owned(user_id, credential_id)
        return self._presenter.member(
            request, "application_credential", _path(user_id), _application_credential_shown(credential)
        )

    def create(self, request: Request[Token], user_id: str) -> Response:
        """POST /v3/users/{user_id}/application_credentials"""
        asked = member(request, "application_credential", APPLICATION_CREDENTIAL)
        refuse_for_application_credentials(request.caller)
        refuse_restricted(request.caller)
        expires_at = future(asked.get("expires_at"), self._identity.store.clock())
        created, secret = self._identity.application_credentials.create(request.caller, asked, expires_at)
        shown = {**_application_credential_shown(created), "secret": secret}
        return self._presenter.member(request, "application_credential", _path(user_id), shown, 201)

    def delete(self, request: Request[Token], user_id: str, credential_id: str) -> Response:
        """DELETE /v3/users/{user_id}/application_credentials/{id}"""
        refuse_for_application_credentials(request.caller)
        self._owned(user_id, credential_id)
        refuse_restricted(request.caller)
        self._identity.application_credentials.delete(credential_id)
        return done()

    def list_rules(self, request: Request[Token], user_id: str) -> Response:
        """GET /v3/users/{user_id}/access_rules"""
        refuse_for_application_credentials(request.caller)
        listing = self._queries.read(request, ("service", "path", "method"))
        found = self._identity.application_credentials.access_rules(user_id, listing.filters)
        shown = [_shown_rule(rule) for rule in found]
        return self._presenter.collection(request, "access_rules", shown, None, f"users/{user_id}/access_rules")

    def show_rule(self, request: Request[Token], user_id: str, rule_id: str) -> Response:
        """GET /v3/users/{user_id}/access_rules/{id}"""
        refuse_for_application_credentials(request.caller)
        rule = self._identity.application_credentials.access_rule(user_id, rule_id)
        return self._presenter.member(request, "access_rule", f"users/{user_id}/access_rules", _shown_rule(rule))

    def delete_rule(self, request: Request[Token], user_id: str, rule_id: str) -> Response:
        """DELETE /v3/users/{user_id}/access_rules/{id}"""
        refuse_for_application_credentials(request.caller)
        self._identity.application_credentials.delete_access_rule(user_id, rule_id)
        return done()

    def _owned(self, user_id: str, credential_id: str) -> Record:
        """The credential, if it is the user's of the path. Raises `NotFound`."""
        credential = self._identity.application_credentials.get(credential_id)
        if credential["user_id"] != user_id:
            raise NotFound(f"Could not find application credential: {credential_id}.")
        return credential


def _path(user_id: str) -> str:
    return f"users/{user_id}/application_credentials"


def _application_credential_shown(credential: Record) -> Record:
    expires_at = credential["expires_at"]
    view = {**credential, "expires_at": None if expires_at is None else micros_text(expires_at).removesuffix("Z")}
    view["system"] = None
    if not view["access_rules"]:
        del view["access_rules"]
    return view


def _shown_rule(rule: Record) -> Record:
    return {key: rule[key] for key in ("id", "service", "method", "path")}

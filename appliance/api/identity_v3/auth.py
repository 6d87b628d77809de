"""/v3/auth: tokens, what a token may be scoped to, EC2 and S3 signatures, revocation events."""

from typing import Any

from appliance.api.http.messages import Request, Response
from appliance.api.http.service import Route
from appliance.api.identity_v3.dialect import HEADER
from appliance.api.identity_v3.kit import Api, Handlers
from appliance.api.identity_v3.oauth1 import signed
from appliance.api.identity_v3.presentation import done, shown_domain, shown_project, switch
from appliance.api.identity_v3.schemas import TEXT, Schema, json_object, member
from appliance.api.identity_v3.targets import Chosen
from appliance.errors import Forbidden, Gone, Invalid, NotFound, Unauthenticated
from appliance.identity.auth.ec2 import Check, check_ec2, check_s3
from appliance.identity.auth.oauth1 import METHOD as OAUTH1
from appliance.identity.policy.checks import Target
from appliance.identity.service import Identity
from appliance.identity.tokens.token import Named, Token
from appliance.values import micros_text, parse_time


class Auth(Handlers):
    def routes(self) -> list[Route]:
        projects, domains = ("auth_projects", "OS-FEDERATION:projects"), ("auth_domains", "OS-FEDERATION:domains")
        return [
            Route("GET", "/v3/auth/projects", self.projects, "identity:get_auth_projects", relation=projects),
            Route("GET", "/v3/auth/domains", self.domains, "identity:get_auth_domains", relation=domains),
            Route("GET", "/v3/auth/system", self.system, "identity:get_auth_system", relation="auth_system"),
            Route("GET", "/v3/auth/catalog", self.catalog, "identity:get_auth_catalog", relation="auth_catalog"),
            Route("GET", "/v3/OS-FEDERATION/projects", self.projects, "identity:get_auth_projects"),
            Route("GET", "/v3/OS-FEDERATION/domains", self.domains, "identity:get_auth_domains"),
        ]

    def projects(self, request: Request[Token]) -> Response:
        """GET /v3/auth/projects"""
        token = request.caller
        found = self._identity.projects.with_tags(self._identity.assignments.projects_of(token.user.id, token.idp_id))
        return self._presenter.collection(request, "projects", [shown_project(project) for project in found])

    def domains(self, request: Request[Token]) -> Response:
        """GET /v3/auth/domains"""
        found = self._identity.assignments.domains_of(request.caller.user.id, request.caller.idp_id)
        return self._presenter.collection(request, "domains", [shown_domain(domain) for domain in found])

    def system(self, request: Request[Token]) -> Response:
        """GET /v3/auth/system"""
        roles = self._identity.assignments.system_roles(request.caller.user.id, request.caller.idp_id)
        links = {"self": self._presenter.url(request, "auth/system")}
        return Response(200, {"system": [{"all": True}] if roles else [], "links": links})

    def catalog(self, request: Request[Token]) -> Response:
        """GET /v3/auth/catalog"""
        token = request.caller
        if token.project is None:
            raise Forbidden("A project-scoped token is required to produce a service catalog.")
        rendered = self._identity.catalog.rendered(self._presenter.addresses(request), token.project.id, token.user.id)
        links = {"self": self._presenter.url(request, "auth/catalog")}
        return Response(200, {"catalog": rendered, "links": links})


_ACCESS_RULES_VERSION = 1.0


_ID_OR_NAME = [{"required": ["id"]}, {"required": ["name"]}]


def _reference(**more: Any) -> dict[str, Any]:
    return {"type": "object", "properties": {"id": TEXT, "name": TEXT, **more}, "anyOf": _ID_OR_NAME}


_DOMAIN = _reference()
_USER = {"user": _reference(domain=_DOMAIN, password=TEXT, passcode=TEXT)}

_AUTH = Schema(
    {
        "type": "object",
        "properties": {
            "identity": {
                "type": "object",
                "properties": {
                    "methods": {"type": "array", "items": TEXT},
                    "password": {"type": "object", "properties": _USER},
                    "totp": {"type": "object", "properties": _USER},
                    "token": {"type": "object", "properties": {"id": TEXT}, "required": ["id"]},
                    "oauth1": {"type": "object"},
                    "application_credential": {
                        "type": "object",
                        "properties": {
                            "id": TEXT,
                            "name": TEXT,
                            "secret": TEXT,
                            "user": _reference(domain=_DOMAIN),
                        },
                    },
                },
                "required": ["methods"],
            },
            "scope": {
                "type": ["object", "string"],
                "properties": {
                    "project": _reference(domain=_DOMAIN),
                    "domain": _DOMAIN,
                    "OS-TRUST:trust": {"type": "object", "properties": {"id": TEXT}},
                    "system": {"type": "object", "properties": {"all": {"type": "boolean"}}},
                },
            },
        },
        "required": ["identity"],
    },
    alone=False,
)


class Tokens(Handlers):
    def routes(self) -> list[Route]:
        path, seen = "/v3/auth/tokens", ("identity:validate_token", "identity:check_token")
        certificates, extension = "/v3/OS-SIMPLE-CERT", "OS-SIMPLE-CERT"
        revoked = f"{path}/OS-PKI/revoked"
        return [
            Route("POST", path, self.issue, public=True, reads=_auth, frees=True, relation="auth_tokens"),
            Route("GET", path, self.show, seen, shown_subject),
            Route("DELETE", path, self.revoke, "identity:revoke_token", revoked_subject),
            Route("GET", revoked, self.revoked_by_id, public=True, relation="OS-PKI:revocations"),
            Route("GET", f"{certificates}/ca", self.certificates, public=True, relation=f"{extension}:ca_certificate"),
            Route(
                "GET",
                f"{certificates}/certificates",
                self.certificates,
                public=True,
                relation=f"{extension}:certificates",
            ),
        ]

    def issue(self, request: Request[Token]) -> Response:
        """POST /v3/auth/tokens"""
        auth = request.sent
        identity = auth["identity"]
        if OAUTH1 in identity["methods"]:
            identity = {**identity, OAUTH1: {"request": signed(self._identity, request)}}
        token = self._identity.authentication.authenticate(identity, auth.get("scope"), request.header(HEADER))
        return token_response(self._api, request, token, 201)

    def show(self, request: Request[Token]) -> Response:
        """GET and HEAD /v3/auth/tokens"""
        return token_response(self._api, request, request.loaded, 200)

    def revoke(self, request: Request[Token]) -> Response:
        """DELETE /v3/auth/tokens"""
        self._identity.tokens.revoke(request.loaded, cascade=switch(request.arg("cascade") or "yes"))
        return done()

    def revoked_by_id(self, request: Request[Token]) -> Response:
        """GET /v3/auth/tokens/OS-PKI/revoked, which stateless tokens can't answer."""
        raise Forbidden("Tokens are not stored, so there is no list of revoked ones.")

    def certificates(self, request: Request[Token]) -> Response:
        """GET /v3/OS-SIMPLE-CERT/ca and /certificates, gone with PKI tokens."""
        raise Gone("PKI tokens are no more.")


def token_response(api: Api, request: Request[Token], token: Token, status: int) -> Response:
    """A token with its catalog, in the header and for the eyes of clients."""
    body = token_body(token)
    if token.scoped and not any(key == "nocatalog" for key, _ in request.query):
        addresses = api.presenter.addresses(request)
        body["catalog"] = api.identity.catalog.rendered(addresses, token.project_id, token.user.id)
    if service_providers := api.identity.service_providers.enabled():
        body["service_providers"] = service_providers
    return Response(status, {"token": body}, [("X-Subject-Token", token.text)])


def _auth(request: Request[Token]) -> Any:
    """`auth` of the body."""
    return member(request, "auth", _AUTH)


def shown_subject(identity: Identity, request: Request[Token]) -> Chosen:
    """The token of `X-Subject-Token`, if the asking service knows how to treat it. Raises `NotFound`."""
    subject = _subject(identity, request, switch(request.arg("allow_expired") or "no"))
    credential = subject.application_credential
    if credential is not None and credential.access_rules and not _knows_access_rules(request):
        raise NotFound("The asking service does not know access rules.")
    policy = "identity:check_token" if request.method == "HEAD" else "identity:validate_token"
    return Chosen(policy, {"target.token.user_id": subject.user.id, "target.token": subject})


def revoked_subject(identity: Identity, request: Request[Token]) -> Target:
    """The token of `X-Subject-Token`. Raises `NotFound`."""
    subject = _subject(identity, request)
    return {"target.token.user_id": subject.user.id, "target.token": subject}


def _subject(identity: Identity, request: Request[Token], allow_expired: bool = False) -> Token:
    """Validated once: the handler finds it in `request.loaded`."""
    text = request.header("x-subject-token")
    if not text:
        raise NotFound("There is no token in X-Subject-Token.")
    try:
        token = identity.tokens.validate(text, allow_expired=allow_expired)
    except Unauthenticated as error:
        raise NotFound("Could not find token.") from error
    request.loaded = token
    return token


def _knows_access_rules(request: Request[Token]) -> bool:
    try:
        return float(request.header("openstack-identity-access-rules") or "0") >= _ACCESS_RULES_VERSION
    except ValueError:
        return False


def token_body(token: Token) -> dict[str, Any]:
    """A token as clients see it, without the catalog."""
    expires_at = token.user.password_expires_at
    body: dict[str, Any] = {
        "methods": list(token.methods),
        "user": {
            "domain": _named(token.user.domain),
            "id": token.user.id,
            "name": token.user.name,
            "password_expires_at": None if expires_at is None else micros_text(expires_at).removesuffix("Z"),
        },
        "audit_ids": list(token.audit_ids),
        "expires_at": micros_text(token.expires_at),
        "issued_at": micros_text(token.issued_at),
    }
    if token.scoped:
        body["roles"] = [_named(role) for role in token.roles]
    if token.system:
        body["system"] = {"all": True}
    elif token.domain is not None:
        body["domain"] = _named(token.domain)
    elif token.project is not None:
        project = token.project
        body["project"] = {"domain": _named(project.domain), "id": project.id, "name": project.name}
        if token.trust is None:
            body["is_domain"] = project.is_domain
    _add_delegation(body, token)
    _add_federation(body["user"], token)
    return body


def _add_federation(user: dict[str, Any], token: Token) -> None:
    """Who has vouched for the user, who has no password then."""
    federation = token.federation
    if federation is None or federation.groups is None:
        return
    user["OS-FEDERATION"] = {
        "groups": [{"id": group_id} for group_id in federation.groups],
        "identity_provider": {"id": federation.identity_provider},
        "protocol": {"id": federation.protocol},
    }
    del user["password_expires_at"]


def _add_delegation(body: dict[str, Any], token: Token) -> None:
    trust, credential = token.trust, token.application_credential
    if trust is not None:
        body["OS-TRUST:trust"] = {
            "id": trust.id,
            "impersonation": trust.impersonation,
            "trustor_user": {"id": trust.trustor_user_id},
            "trustee_user": {"id": trust.trustee_user_id},
        }
    if credential is not None:
        shown = {"id": credential.id, "name": credential.name, "restricted": not credential.unrestricted}
        if credential.access_rules:
            shown["access_rules"] = list(credential.access_rules)
        body["application_credential"] = shown
    if token.access_token is not None:
        body["OS-OAUTH1"] = {"access_token_id": token.access_token.id, "consumer_id": token.access_token.consumer_id}


def _named(thing: Named) -> dict[str, str]:
    return {"id": thing.id, "name": thing.name}


class Ec2Tokens(Handlers):
    def routes(self) -> list[Route]:
        ec2, s3 = "OS-EC2:ec2tokens", "s3tokens:s3tokens"
        return [
            Route("POST", "/v3/ec2tokens", self.ec2, "identity:ec2tokens_validate", frees=True, relation=ec2),
            Route("POST", "/v3/s3tokens", self.s3, "identity:s3tokens_validate", frees=True, relation=s3),
        ]

    def ec2(self, request: Request[Token]) -> Response:
        """POST /v3/ec2tokens"""
        token = self._authenticated(request, check_ec2)
        return Response(200, self._body(request, token), [("X-Subject-Token", token.text)])

    def s3(self, request: Request[Token]) -> Response:
        """POST /v3/s3tokens — without the token itself: a presigned address must not become one."""
        return Response(200, self._body(request, self._authenticated(request, check_s3)))

    def _authenticated(self, request: Request[Token], check: Check) -> Token:
        return self._identity.ec2_authentication.authenticate(json_object(request), check)

    def _body(self, request: Request[Token], token: Token) -> dict[str, object]:
        addresses = self._presenter.addresses(request)
        catalog = self._identity.catalog.rendered(addresses, token.project_id, token.user.id)
        return {"token": {**token_body(token), "catalog": catalog}}


_SUBJECTS = {
    "user": "user_id",
    "project": "project_id",
    "domain": "domain_id",
    "audit": "audit_id",
    "chain": "audit_chain_id",
}


class RevocationEvents(Handlers):
    def routes(self) -> list[Route]:
        path, policy = "/v3/OS-REVOKE/events", "identity:list_revoke_events"
        return [Route("GET", path, self.list, policy, relation="OS-REVOKE:events")]

    def list(self, request: Request[Token]) -> Response:
        """GET /v3/OS-REVOKE/events"""
        since = 0
        if request.arg("since"):
            try:
                since = parse_time(request.arg("since") or "")
            except (ValueError, OverflowError) as error:
                raise Invalid("since is not a time in ISO 8601.") from error
        events = [
            {_SUBJECTS[kind]: subject, "issued_before": micros_text(at), "revoked_at": micros_text(at)}
            for kind, subject, at in self._identity.revocations.since(since)
        ]
        links = {"next": None, "self": self._presenter.self_url(request), "previous": None}
        return Response(200, {"events": events, "links": links})

"""/v3/OS-OAUTH1: request tokens, what a user authorizes, and access tokens with their roles."""

from typing import Any
from urllib.parse import urlencode

from appliance.api.http.messages import Request, Response
from appliance.api.http.service import Route
from appliance.api.identity_v3.delegation import refuse_delegated
from appliance.api.identity_v3.kit import Handlers
from appliance.api.identity_v3.presentation import done
from appliance.api.identity_v3.schemas import TEXT, Schema, json_object
from appliance.db.identity.oauth1 import AccessToken
from appliance.db.records import Filter, Record, attributes
from appliance.errors import Conflict, Forbidden, Invalid, NotFound, Unauthenticated
from appliance.identity.auth.oauth1 import SignedRequest
from appliance.identity.resources.oauth1 import Issued, role_ids
from appliance.identity.service import Identity
from appliance.identity.tokens.token import Token
from appliance.values import micros_text

_FORM = [("Content-Type", "application/x-www-form-urlencoded")]


_ROLES = Schema(
    {
        "type": "array",
        "items": {
            "type": "object",
            "properties": {"id": TEXT, "name": TEXT},
            "minProperties": 1,
            "maxProperties": 1,
            "additionalProperties": False,
        },
    }
)


def signed(identity: Identity, request: Request[Token]) -> SignedRequest:
    """The request as it is signed. Raises `Invalid` for one without a header of OAuth."""
    query = request.environ.get("QUERY_STRING", "")
    url = request.base_url + request.path + (f"?{query}" if query else "")
    return identity.oauth_signatures.read(url, request.header("authorization"))


def _authorized(request: Request[Token]) -> Any:
    """The roles of a body."""
    roles: Any = json_object(request).get("roles", [])
    _ROLES.check(roles)
    return roles


class RequestTokens(Handlers):
    """From the consumer's wish to its access token. The consumer's requests are signed and have no token of ours."""

    def routes(self) -> list[Route]:
        every, one, access = (f"/v3/OS-OAUTH1/{name}" for name in ("request_token", "authorize", "access_token"))
        authorize = "identity:authorize_request_token"
        relation = "OS-OAUTH1:{}".format
        return [
            Route("POST", every, self.request, public=True, relation=relation("request_tokens")),
            Route("POST", access, self.exchange, public=True, relation=relation("access_tokens")),
            Route(
                "PUT",
                f"{one}/<request_token_id>",
                self.authorize,
                authorize,
                reads=_authorized,
                late=True,
                relation=relation("authorize_request_token"),
            ),
        ]

    def request(self, request: Request[Token]) -> Response:
        """POST /v3/OS-OAUTH1/request_token"""
        asked = signed(self._identity, request)
        consumer_id = asked.parameter("oauth_consumer_key")
        project_id = request.header("requested-project-id")
        if not project_id:
            raise Invalid("Expecting to find Requested-Project-Id in request.")
        # Before the project is looked for: nobody but a consumer learns which ones there are.
        self._identity.oauth_signatures.of_consumer(asked)
        self._identity.projects.get(project_id)
        return _issued(self._identity.oauth_tokens.request(consumer_id, project_id))

    def authorize(self, request: Request[Token], request_token_id: str) -> Response:
        """PUT /v3/OS-OAUTH1/authorize/{request_token_id}"""
        if request.caller.delegated:
            raise Forbidden("Cannot authorize a request token with a token issued via delegation.")
        tokens = self._identity.oauth_tokens
        tokens.requested(request_token_id)
        wanted = [role["id"] if "id" in role else self._named(role["name"]) for role in request.sent]
        verifier = tokens.authorize(request_token_id, request.caller.user.id, wanted)
        return Response(200, {"token": {"oauth_verifier": verifier}})

    def exchange(self, request: Request[Token]) -> Response:
        """POST /v3/OS-OAUTH1/access_token"""
        asked = signed(self._identity, request)
        for name in ("oauth_consumer_key", "oauth_token", "oauth_verifier"):
            asked.parameter(name)
        tokens, token_id = self._identity.oauth_tokens, asked.parameter("oauth_token")
        tokens.requested(token_id)
        self._identity.oauth_signatures.of_request_token(asked)
        return _issued(tokens.exchange(token_id))

    def _named(self, name: str) -> str:
        """The id of the one role of this name. Raises `NotFound` or `Conflict`."""
        found = self._identity.roles.search([Filter("name", name)])
        if not found:
            raise NotFound(f"Role {name} is not defined")
        if len(found) > 1:
            raise Conflict(f"There is more than one role called {name}: name it by its id.")
        return found[0].id


def _issued(token: Issued) -> Response:
    told = {"oauth_token": token.id, "oauth_token_secret": token.secret}
    if token.expires_at is not None:
        told["oauth_expires_at"] = micros_text(token.expires_at)
    return Response(201, urlencode(told, safe=":"), _FORM)


class AccessTokens(Handlers):
    """The access tokens that a user has let consumers have."""

    def routes(self) -> list[Route]:
        every = "/v3/users/<user_id>/OS-OAUTH1/access_tokens"
        one = f"{every}/<access_token_id>"
        roles = f"{one}/roles"
        relation = "OS-OAUTH1:user_access_token"
        listed, got = "identity:list_access_token_roles", "identity:get_access_token_role"
        return [
            Route("GET", every, self.list, "identity:list_access_tokens", relation=f"{relation}s"),
            Route("GET", one, self.show, "identity:get_access_token", relation=relation),
            Route("DELETE", one, self.delete, "identity:delete_access_token"),
            Route("GET", roles, self.roles, listed, relation=f"{relation}_roles"),
            Route("GET", f"{roles}/<role_id>", self.role, got, relation=f"{relation}_role"),
        ]

    def list(self, request: Request[Token], user_id: str) -> Response:
        """GET /v3/users/{user_id}/OS-OAUTH1/access_tokens"""
        refuse_delegated(request.caller)
        shown = [self._shown(request, token) for token in self._identity.oauth_tokens.of_user(user_id)]
        links = {"next": None, "self": self._presenter.self_url(request), "previous": None}
        return Response(200, {"access_tokens": shown, "links": links})

    def show(self, request: Request[Token], user_id: str, access_token_id: str) -> Response:
        """GET /v3/users/{user_id}/OS-OAUTH1/access_tokens/{access_token_id}"""
        refuse_delegated(request.caller)
        return Response(200, {"access_token": self._shown(request, self._of(user_id, access_token_id))})

    def delete(self, request: Request[Token], user_id: str, access_token_id: str) -> Response:
        """DELETE /v3/users/{user_id}/OS-OAUTH1/access_tokens/{access_token_id}"""
        refuse_delegated(request.caller)
        self._identity.oauth_tokens.delete(user_id, access_token_id)
        return done()

    def roles(self, request: Request[Token], user_id: str, access_token_id: str) -> Response:
        """GET /v3/users/{user_id}/OS-OAUTH1/access_tokens/{access_token_id}/roles"""
        ids = role_ids(self._of(user_id, access_token_id))
        return self._presenter.collection(request, "roles", [self._role(request, role_id) for role_id in ids])

    def role(self, request: Request[Token], user_id: str, access_token_id: str, role_id: str) -> Response:
        """GET /v3/users/{user_id}/OS-OAUTH1/access_tokens/{access_token_id}/roles/{role_id}"""
        token = self._identity.oauth_tokens.access(access_token_id)
        if token.authorizing_user_id != user_id:
            raise Unauthenticated("The access token is another user's.")
        if role_id not in role_ids(token):
            raise NotFound(f"Could not find role: {role_id}.")
        return Response(200, {"role": self._role(request, role_id)})

    def _of(self, user_id: str, token_id: str) -> AccessToken:
        token = self._identity.oauth_tokens.access(token_id)
        if token.authorizing_user_id != user_id:
            raise NotFound("Access token not found")
        return token

    def _role(self, request: Request[Token], role_id: str) -> Record:
        role = self._identity.roles.get(role_id)
        return {**attributes(role), "links": {"self": self._presenter.url(request, f"roles/{role_id}")}}

    def _shown(self, request: Request[Token], token: AccessToken) -> Record:
        path = f"users/{token.authorizing_user_id}/OS-OAUTH1/access_tokens/{token.id}"
        return {
            "id": token.id,
            "consumer_id": token.consumer_id,
            "project_id": token.project_id,
            "authorizing_user_id": token.authorizing_user_id,
            "expires_at": None if token.expires_at is None else micros_text(token.expires_at),
            "links": {
                "roles": self._presenter.url(request, f"{path}/roles"),
                "self": self._presenter.url(request, path),
            },
        }

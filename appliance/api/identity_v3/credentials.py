"""Stored secrets: credentials, and EC2 credentials among them."""

from collections.abc import Sequence
from typing import Any

from appliance.api.http.messages import Request, Response
from appliance.api.http.service import Route
from appliance.api.identity_v3 import targets
from appliance.api.identity_v3.delegation import refuse_delegated
from appliance.api.identity_v3.kit import Handlers, Resource, Rules
from appliance.api.identity_v3.presentation import Listing, done
from appliance.api.identity_v3.schemas import TEXT, json_object, pair
from appliance.db.identity.credentials import Credential
from appliance.db.records import Record, attributes
from appliance.identity.resources.credentials import EC2, Ec2Pair
from appliance.identity.tokens.token import Token

_CREDENTIAL: dict[str, Any] = {
    "id": TEXT,
    "blob": TEXT,
    "project_id": {"type": ["string", "null"], "maxLength": 64},
    "type": {"type": "string", "maxLength": 255},
    "user_id": {"type": "string", "maxLength": 64},
}
_NEW_FOR_EC2, _ = pair(_CREDENTIAL, ["blob", "type", "user_id", "project_id"], alone=False)


class Credentials(Resource[Credential]):
    """Refused to delegated tokens, after the policy has had its say."""

    name = "credential"
    new, _ = pair(_CREDENTIAL, ["blob", "type", "user_id"], alone=False)
    _, changes = pair(_CREDENTIAL, [], alone=False)
    filters = ("user_id", "type")
    targets = {
        "list": targets.own_user("credential.user_id"),
        "create": targets.new_credential,
        **dict.fromkeys(("get", "update", "delete"), targets.credential),
    }

    @property
    def rules(self) -> Rules[Credential]:
        return self._identity.credentials

    def read_new(self, request: Request[Token]) -> Any:
        """One for EC2 needs a project."""
        credential = super().read_new(request)
        if credential["type"] == EC2:
            _NEW_FOR_EC2.check(credential)
        return credential

    def listing(self, request: Request[Token]) -> Listing:
        listing = super().listing(request)
        if self._identity.allows(request.caller, "identity:get_credential"):
            return listing
        return listing.narrowed("user_id", request.caller.user.id)

    def search(self, request: Request[Token], listing: Listing) -> Sequence[Credential]:
        return [] if request.caller.delegated else super().search(request, listing)

    def present(self, request: Request[Token], row: Credential) -> Record:
        return {name: value for name, value in attributes(row).items() if name != "sealed_blob"}

    def make(self, request: Request[Token]) -> Credential:
        refuse_delegated(request.caller)
        return super().make(request)

    def show(self, request: Request[Token], **parts: str) -> Response:
        self._refuse(request, parts)
        return super().show(request, **parts)

    def change(self, request: Request[Token], record_id: str) -> Credential:
        current = self._identity.credentials.get(record_id)
        refuse_delegated(request.caller)
        # A second time, as Keystone does: the caller must be allowed to do it to what it becomes, too.
        target = {"target.credential.user_id": request.sent.get("user_id", current.user_id)}
        self._identity.enforce(request.caller, "identity:update_credential", target)
        return super().change(request, record_id)

    def delete(self, request: Request[Token], **parts: str) -> Response:
        self._refuse(request, parts)
        return super().delete(request, **parts)

    def _refuse(self, request: Request[Token], parts: dict[str, str]) -> None:
        self._identity.credentials.get(parts["credential_id"])
        refuse_delegated(request.caller)


SHOWN_OF_EC2 = ("user_id", "tenant_id", "access", "secret", "trust_id")


class Ec2Credentials(Handlers):
    def routes(self) -> list[Route]:
        every = "/v3/users/<user_id>/credentials/OS-EC2"
        one = f"{every}/<credential_id>"
        of_user, its = targets.ec2_credentials, targets.ec2_credential
        relation = "OS-EC2:user_credential"
        return [
            Route("GET", every, self.list, "identity:ec2_list_credentials", of_user, relation=f"{relation}s"),
            Route("POST", every, self.create, "identity:ec2_create_credential", of_user),
            Route("GET", one, self.show, "identity:ec2_get_credential", its, relation=relation),
            Route("DELETE", one, self.delete, "identity:ec2_delete_credential", its),
        ]

    def list(self, request: Request[Token], user_id: str) -> Response:
        """GET /v3/users/{user_id}/credentials/OS-EC2"""
        refuse_delegated(request.caller)
        self._identity.users.get(user_id)
        found = [self._shown(request, credential) for credential in self._identity.ec2_credentials.of_user(user_id)]
        links = {"next": None, "self": self._presenter.self_url(request), "previous": None}
        return Response(200, {"credentials": found, "links": links})

    def create(self, request: Request[Token], user_id: str) -> Response:
        """POST /v3/users/{user_id}/credentials/OS-EC2"""
        refuse_delegated(request.caller)
        self._identity.users.get(user_id)
        project_id = str(json_object(request).get("tenant_id"))
        self._identity.projects.get(project_id)
        created = self._identity.ec2_credentials.create(user_id, project_id)
        return Response(201, {"credential": self._shown(request, created)})

    def show(self, request: Request[Token], user_id: str, credential_id: str) -> Response:
        """GET /v3/users/{user_id}/credentials/OS-EC2/{credential_id}"""
        self._identity.users.get(user_id)
        refuse_delegated(request.caller)
        credential = self._identity.ec2_credentials.get(credential_id)
        return Response(200, {"credential": self._shown(request, credential)})

    def delete(self, request: Request[Token], user_id: str, credential_id: str) -> Response:
        """DELETE /v3/users/{user_id}/credentials/OS-EC2/{credential_id}"""
        self._identity.users.get(user_id)
        refuse_delegated(request.caller)
        self._identity.ec2_credentials.delete(credential_id)
        return done()

    def _shown(self, request: Request[Token], pair: Ec2Pair) -> Record:
        path = f"users/{pair.user_id}/credentials/OS-EC2/{pair.access}"
        return {
            **{name: getattr(pair, name) for name in SHOWN_OF_EC2},
            "links": {"self": self._presenter.url(request, path)},
        }

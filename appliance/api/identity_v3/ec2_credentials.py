"""/v3/users/…/credentials/OS-EC2: pairs of access key and secret that a user makes for itself."""

from appliance.api.exchange import Reply, Request
from appliance.api.identity_v3.answers import Answers, done
from appliance.api.identity_v3.bodies import json_object
from appliance.api.identity_v3.delegation import refuse_delegated
from appliance.db.records import Record
from appliance.identity.service import Identity
from appliance.identity.token import Token

_SHOWN = ("user_id", "tenant_id", "access", "secret", "trust_id")


class Ec2Credentials:
    def __init__(self, identity: Identity, answers: Answers) -> None:
        self._identity = identity
        self._answers = answers

    def list(self, request: Request[Token], user_id: str) -> Reply:
        """GET /v3/users/{user_id}/credentials/OS-EC2"""
        refuse_delegated(request.caller)
        self._identity.users.get(user_id)
        found = [self._shown(request, credential) for credential in self._identity.ec2_credentials.of_user(user_id)]
        links = {"next": None, "self": self._answers.self_url(request), "previous": None}
        return Reply(200, {"credentials": found, "links": links})

    def create(self, request: Request[Token], user_id: str) -> Reply:
        """POST /v3/users/{user_id}/credentials/OS-EC2"""
        refuse_delegated(request.caller)
        self._identity.users.get(user_id)
        project_id = str(json_object(request).get("tenant_id"))
        self._identity.projects.get(project_id)
        created = self._identity.ec2_credentials.create(user_id, project_id)
        return Reply(201, {"credential": self._shown(request, created)})

    def show(self, request: Request[Token], user_id: str, access: str) -> Reply:
        """GET /v3/users/{user_id}/credentials/OS-EC2/{access}"""
        self._identity.users.get(user_id)
        refuse_delegated(request.caller)
        credential = self._identity.ec2_credentials.get(access)
        return Reply(200, {"credential": self._shown(request, credential)})

    def delete(self, request: Request[Token], user_id: str, access: str) -> Reply:
        """DELETE /v3/users/{user_id}/credentials/OS-EC2/{access}"""
        self._identity.users.get(user_id)
        refuse_delegated(request.caller)
        self._identity.ec2_credentials.delete(access)
        return done()

    def _shown(self, request: Request[Token], credential: Record) -> Record:
        path = f"users/{credential['user_id']}/credentials/OS-EC2/{credential['access']}"
        return {
            **{key: credential[key] for key in _SHOWN},
            "links": {"self": self._answers.url(request, path)},
        }

"""A cloud that takes the tokens of an OpenID provider, and that provider: what the tests of federation share."""

from typing import Any

from tests.api.identity_v3.client import Answer, Client
from tests.api.identity_v3.federation.openid_tokens import Issuer

FEDERATION = "/v3/OS-FEDERATION"
AUTH = f"{FEDERATION}/identity_providers/corp/protocols/openid/auth"
USER = {"user": {"id": "{0}", "name": "{1}", "email": "{2}"}}
REMOTE = [{"type": "sub"}, {"type": "preferred_username"}, {"type": "email"}]
WITH_GROUPS: dict[str, Any] = {
    "local": [USER, {"groups": "{3}", "domain": {"id": "default"}}],
    "remote": [*REMOTE, {"type": "groups"}],
}


class World:
    """A cloud that takes the tokens of one OpenID provider, and that provider."""

    def __init__(self, client: Client, issuer: Issuer) -> None:
        self.client = client
        self.issuer = issuer

    def put(self, path: str, sent: dict[str, Any]) -> None:
        answer = self.client.call("PUT", f"{FEDERATION}/{path}", sent)
        assert answer.status == 201, answer.text

    def register(self, idp_id: str = "corp", **values: Any) -> None:
        self.put(f"identity_providers/{idp_id}", {"identity_provider": {"enabled": True, **values}})
        self.put(f"identity_providers/{idp_id}/protocols/openid", {"protocol": {"mapping_id": "rules"}})

    def map(self, *rules: Any, version: str = "1.0") -> None:
        sent = {"mapping": {"rules": list(rules), "schema_version": version}}
        answer = self.client.call("PATCH", f"{FEDERATION}/mappings/rules", sent)
        assert answer.status == 200, answer.text

    def show(self, token: str, auth: str = AUTH, method: str = "POST", **headers: str) -> Answer:
        """Log in with a token of the provider."""
        return self.client.call(method, auth, token="", headers={"Authorization": f"Bearer {token}", **headers})

    def log_in(self, **claims: Any) -> Answer:
        answer = self.show(self.issuer.token(**claims))
        assert answer.status == 201, answer.text
        return answer

    def scoped(self, token: str, scope: Any) -> Answer:
        identity = {"methods": ["token"], "token": {"id": token}}
        return self.client.call("POST", "/v3/auth/tokens", {"auth": {"identity": identity, "scope": scope}}, token="")

    def group(self, name: str, role: str = "member", project: str = "admin") -> str:
        """A group of the default domain with a role on a project; its id."""
        made: str = self.client.create("group", {"name": name})["id"]
        self.grant(f"groups/{made}", role, project)
        return made

    def grant(self, actor: str, role: str, project: str) -> None:
        path = f"/v3/projects/{self.id_of('projects', project)}/{actor}/roles/{self.id_of('roles', role)}"
        assert self.client.call("PUT", path).status == 204

    def id_of(self, kind: str, name: str) -> str:
        found: str = self.client.call("GET", f"/v3/{kind}?name={name}").json[kind][0]["id"]
        return found

    def is_valid(self, token: str) -> bool:
        return self.client.call("GET", "/v3/auth/tokens", headers={"X-Subject-Token": token}).status == 200


def text_of(answer: Answer) -> str:
    return answer.headers["x-subject-token"]

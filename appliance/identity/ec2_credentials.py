"""EC2 credentials: pairs of access key and secret, made here and kept among the other credentials."""

import json
import secrets

from appliance.db.records import Record
from appliance.errors import NotFound
from appliance.identity.credentials import EC2, Credentials, ec2_blob, hash_access_key


class Ec2Credentials:
    def __init__(self, credentials: Credentials) -> None:
        self._credentials = credentials

    def get(self, access: str) -> Record:
        """The credential with this access key. Raises `NotFound`."""
        found = self._credentials.get(hash_access_key(access))
        if found["type"] != EC2:
            raise NotFound("EC2 access key not found.")
        return _pair(found)

    def of_user(self, user_id: str) -> list[Record]:
        return [_pair(found) for found in self._credentials.of_user(user_id, EC2)]

    def check_delegation(self, credential: Record) -> None:
        """Raise `Forbidden` for one that acts by somebody else's trust or application credential."""
        self._credentials.check_delegation(credential, credential["user_id"], credential["tenant_id"])

    def create(self, user_id: str, project_id: str) -> Record:
        blob = {"access": secrets.token_hex(16), "secret": secrets.token_hex(16), "trust_id": None}
        credential = {"type": EC2, "user_id": user_id, "project_id": project_id, "blob": json.dumps(blob)}
        return _pair(self._credentials.create(credential))

    def delete(self, access: str) -> None:
        self._credentials.delete(hash_access_key(access))


def _pair(credential: Record) -> Record:
    """A credential as the EC2 API shows it, and what it remembers of the token that made it."""
    blob = ec2_blob(credential["blob"])
    return {
        "user_id": credential["user_id"],
        "tenant_id": credential["project_id"],
        "access": blob["access"],
        "secret": blob.get("secret"),
        "trust_id": blob.get("trust_id"),
        "app_cred_id": blob.get("app_cred_id"),
        "access_token_id": blob.get("access_token_id"),
    }

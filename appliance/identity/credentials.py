"""Credentials: secrets of users for other ways of signing in (EC2, TOTP, certificates), sealed at rest."""

import hashlib
import json
from collections.abc import Iterable
from typing import Any

from appliance.db.application_credentials import APPLICATION_CREDENTIALS
from appliance.db.credentials import CREDENTIALS
from appliance.db.records import ALL, Filter, Page, Record, delete, find, insert, select, update
from appliance.db.trusts import TRUSTS
from appliance.errors import Forbidden, Invalid, NotFound
from appliance.identity.changes import merged, names_unique
from appliance.identity.ledger import Ledger
from appliance.identity.sealing import Sealer
from appliance.values import new_hex_id

EC2 = "ec2"
_DELEGATIONS = ("trust_id", "app_cred_id", "access_token_id")
_FIXED = (*_DELEGATIONS, "access_id")
"""What the blob of an EC2 credential says of the token that made it, as earlier versions let delegated tokens."""


class Credentials:
    def __init__(self, ledger: Ledger, sealer: Sealer) -> None:
        self._ledger = ledger
        self._sealer = sealer

    def get(self, credential_id: str) -> Record:
        credential = find(self._ledger.db, CREDENTIALS, credential_id)
        if credential is None:
            raise NotFound(f"Could not find credential: {credential_id}.")
        return self._opened(credential)

    def search(self, filters: Iterable[Filter] = (), page: Page = ALL) -> list[Record]:
        return [self._opened(found) for found in select(self._ledger.db, CREDENTIALS, filters, page)]

    def of_user(self, user_id: str, kind: str) -> list[Record]:
        """The credentials of one type that a user has."""
        return self.search([Filter("user_id", user_id), Filter("type", kind)])

    def create(self, credential: Record) -> Record:
        """Keep a credential. One for EC2 goes by the hash of its access key."""
        created = {**credential, "id": new_hex_id()}
        if created["type"].lower() == EC2:
            blob = ec2_blob(created["blob"])
            created["id"] = hash_access_key(blob["access"])
            self.check_delegation(blob, created["user_id"], created.get("project_id"))
        sealed = self._sealed(created)
        with names_unique("credential", created["id"]), self._ledger.write() as tx:
            insert(tx, CREDENTIALS, sealed)
        return self.get(created["id"])

    def update(self, credential_id: str, changes: Record) -> Record:
        """Change what a credential holds, or whose it is. Its type stays: each is proof of something else."""
        credential = self.get(credential_id)
        changed = merged(credential, changes)
        if changed["type"] != credential["type"]:
            raise Invalid("type can not be updated for credential")
        if changed["type"].lower() == EC2:
            _check_same_delegation(str(credential["blob"]), str(changed["blob"]))
            if not changed["project_id"]:
                raise Invalid("Expecting to find project_id in credential.")
            self.check_delegation(ec2_blob(changed["blob"]), changed["user_id"], changed["project_id"])
        sealed = self._sealed(changed)
        with self._ledger.write() as tx:
            update(tx, CREDENTIALS, sealed)
        return self.get(credential_id)

    def delete(self, credential_id: str) -> None:
        with self._ledger.write() as tx:
            if not delete(tx, CREDENTIALS, credential_id):
                raise NotFound(f"Could not find credential: {credential_id}.")

    def check_delegation(self, blob: Record, user_id: str, project_id: str | None) -> None:
        """Raise `Forbidden` for an EC2 credential that acts by a trust or application credential which is not its own
        user's: one that exists, on the same project. A trust is its trustee's; and its trustor's if it impersonates
        them, for that is who the tokens that made such credentials acted as."""
        named = [key for key in _DELEGATIONS if blob.get(key) is not None]
        if not named:
            return
        (key, *others) = named
        if others or not isinstance(blob[key], str) or not self._owns(key, blob[key], user_id, project_id):
            raise Forbidden(f"{key} is not a delegation of the credential's user on its project")

    def _owns(self, key: str, delegation_id: str, user_id: str, project_id: str | None) -> bool:
        if key == "app_cred_id":
            credential = find(self._ledger.db, APPLICATION_CREDENTIALS, delegation_id)
            return (
                credential is not None and credential["user_id"] == user_id and credential["project_id"] == project_id
            )
        trust = find(self._ledger.db, TRUSTS, delegation_id) if key == "trust_id" else None
        if trust is None or trust["deleted_at"] is not None or trust["project_id"] != project_id:
            return False
        parties = {trust["trustee_user_id"], trust["trustor_user_id"] if trust["impersonation"] else None}
        return user_id in parties

    def _opened(self, stored: Record) -> Record:
        blob = self._sealer.open(stored["sealed_blob"])
        return {**{key: value for key, value in stored.items() if key != "sealed_blob"}, "blob": blob}

    def _sealed(self, credential: Record) -> Record:
        sealed = self._sealer.seal(credential["blob"])
        return {**{key: value for key, value in credential.items() if key != "blob"}, "sealed_blob": sealed}


def hash_access_key(access: str) -> str:
    """The id of the EC2 credential with this access key."""
    return hashlib.sha256(access.encode()).hexdigest()


def ec2_blob(text: str) -> dict[str, Any]:
    """What the blob of an EC2 credential says. Raises `Invalid`."""
    try:
        blob = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Invalid("Invalid blob in credential") from error
    if not isinstance(blob, dict) or not blob:
        raise Invalid("Expecting to find blob in credential.")
    if not isinstance(blob.get("access"), str):
        raise Invalid("Expecting to find access in credential.")
    return blob


def _check_same_delegation(old: str, new: str) -> None:
    before, after = ec2_blob(old), ec2_blob(new)
    for key in _FIXED:
        if before.get(key) != after.get(key):
            raise Invalid(f"{key} can not be updated for credential")

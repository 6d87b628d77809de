"""Stored secrets of users: credentials, EC2 credentials."""

import hashlib
import json
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from appliance.db.engine.base import Tx
from appliance.db.identity.credentials import CREDENTIALS, Credential
from appliance.db.identity.delegation import APPLICATION_CREDENTIALS, TRUSTS
from appliance.db.records import ALL, Filter, Page, Record, delete, find, insert, select, update
from appliance.errors import Forbidden, Invalid, NotFound
from appliance.identity.store import IdentityStore, merged, names_unique
from appliance.identity.tokens.keyring import Sealer
from appliance.values import new_hex_id

EC2 = "ec2"
_DELEGATIONS = ("trust_id", "app_cred_id", "access_token_id")
_FIXED = (*_DELEGATIONS, "access_id")
"""What the blob of an EC2 credential says of the token that made it, as earlier versions let delegated tokens."""


class Credentials:
    def __init__(self, store: IdentityStore, sealer: Sealer) -> None:
        self._store = store
        self._sealer = sealer

    def get(self, credential_id: str) -> Credential:
        credential = find(self._store.db, CREDENTIALS, credential_id)
        if credential is None:
            raise NotFound(f"Could not find credential: {credential_id}.")
        return self._opened(credential)

    def search(self, filters: Iterable[Filter] = (), page: Page = ALL) -> list[Credential]:
        return [self._opened(found) for found in select(self._store.db, CREDENTIALS, filters, page)]

    def of_user(self, user_id: str, kind: str) -> list[Credential]:
        """The credentials of one type that a user has."""
        return self.search([Filter("user_id", user_id), Filter("type", kind)])

    def create(self, credential: Record) -> Credential:
        """Keep a credential. One for EC2 goes by the hash of its access key."""
        created = CREDENTIALS.made({**credential, "id": new_hex_id(), "sealed_blob": ""})
        if created.type.lower() == EC2:
            blob = ec2_blob(created.blob)
            created = replace(created, id=hash_access_key(blob["access"]))
            self.check_delegation(blob, created.user_id, created.project_id)
        sealed = self._sealed(created)
        with names_unique("credential", created.id):
            self._store.transact(lambda tx: insert(tx, CREDENTIALS, sealed))
        return self.get(created.id)

    def update(self, credential_id: str, changes: Record) -> Credential:
        """Change what a credential holds, or whose it is. Its type stays: each is proof of something else."""
        credential = self.get(credential_id)
        changed = merged(CREDENTIALS, credential, changes)
        if changed.type != credential.type:
            raise Invalid("type can not be updated for credential")
        if changed.type.lower() == EC2:
            _check_same_delegation(credential.blob, changed.blob)
            if not changed.project_id:
                raise Invalid("Expecting to find project_id in credential.")
            self.check_delegation(ec2_blob(changed.blob), changed.user_id, changed.project_id)
        sealed = self._sealed(changed)
        self._store.transact(lambda tx: update(tx, CREDENTIALS, sealed))
        return self.get(credential_id)

    def delete(self, credential_id: str) -> None:

        def change(tx: Tx) -> None:
            if not delete(tx, CREDENTIALS, credential_id):
                raise NotFound(f"Could not find credential: {credential_id}.")

        self._store.transact(change)

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
            credential = find(self._store.db, APPLICATION_CREDENTIALS, delegation_id)
            return credential is not None and (credential.user_id, credential.project_id) == (user_id, project_id)
        trust = find(self._store.db, TRUSTS, delegation_id) if key == "trust_id" else None
        if trust is None or trust.deleted_at is not None or trust.project_id != project_id:
            return False
        parties = {trust.trustee_user_id, trust.trustor_user_id if trust.impersonation else None}
        return user_id in parties

    def _opened(self, credential: Credential) -> Credential:
        return replace(credential, blob=self._sealer.open(credential.sealed_blob))

    def _sealed(self, credential: Credential) -> Credential:
        return replace(credential, sealed_blob=self._sealer.seal(credential.blob))


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


@dataclass(frozen=True, slots=True)
class Ec2Pair:
    """A credential as the EC2 API shows it, and what it remembers of the token that made it."""

    user_id: str
    tenant_id: str | None
    access: str
    secret: Any
    trust_id: str | None
    app_cred_id: str | None
    access_token_id: str | None


class Ec2Credentials:
    def __init__(self, credentials: Credentials) -> None:
        self._credentials = credentials

    def get(self, access: str) -> Ec2Pair:
        """The credential with this access key. Raises `NotFound`."""
        found = self._credentials.get(hash_access_key(access))
        if found.type != EC2:
            raise NotFound("EC2 access key not found.")
        return _pair(found)

    def of_user(self, user_id: str) -> list[Ec2Pair]:
        return [_pair(found) for found in self._credentials.of_user(user_id, EC2)]

    def check_delegation(self, pair: Ec2Pair) -> None:
        """Raise `Forbidden` for one that acts by somebody else's trust or application credential."""
        delegation = {name: getattr(pair, name) for name in _DELEGATIONS}
        self._credentials.check_delegation(delegation, pair.user_id, pair.tenant_id)

    def create(self, user_id: str, project_id: str) -> Ec2Pair:
        blob = {"access": secrets.token_hex(16), "secret": secrets.token_hex(16), "trust_id": None}
        credential = {"type": EC2, "user_id": user_id, "project_id": project_id, "blob": json.dumps(blob)}
        return _pair(self._credentials.create(credential))

    def delete(self, access: str) -> None:
        self._credentials.delete(hash_access_key(access))


def _pair(credential: Credential) -> Ec2Pair:
    blob = ec2_blob(credential.blob)
    delegation = {name: blob.get(name) for name in _DELEGATIONS}
    return Ec2Pair(credential.user_id, credential.project_id, blob["access"], blob.get("secret"), **delegation)

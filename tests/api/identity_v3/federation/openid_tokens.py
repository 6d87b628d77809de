"""An OpenID provider without a network: a file of keys, and tokens signed with them."""

import json
import time
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa

ISSUER = "https://sso.example/realms/corp"
AUDIENCE = "openstack"
_PRIVATE = {"RS256": rsa.generate_private_key(65537, 2048), "ES256": ec.generate_private_key(ec.SECP256R1())}


class Issuer:
    """Signs with one of its keys, and keeps the public halves in a file."""

    def __init__(self, keys: Path, issuer: str = ISSUER) -> None:
        self.keys = keys
        self.issuer = issuer
        self.private: dict[str, tuple[str, Any]] = {}
        for algorithm, key in _PRIVATE.items():
            self.private[algorithm.lower()] = (algorithm, key)
        self.publish()

    def publish(self, *more: dict[str, Any]) -> None:
        """Write the file of keys."""
        found = []
        for kid, (algorithm, key) in self.private.items():
            made = jwt.get_algorithm_by_name(algorithm).to_jwk(key.public_key(), as_dict=True)
            found.append({**made, "kid": kid, "use": "sig", "alg": algorithm})
        fresh = self.keys.with_suffix(".new")
        fresh.write_text(json.dumps({"keys": [*found, *more]}))
        fresh.replace(self.keys)

    def rotate(self, kid: str) -> None:
        """Sign with a new key from now on, and forget the others."""
        self.private = {kid: ("RS256", rsa.generate_private_key(65537, 2048))}
        self.publish()

    def claims(self, **other: Any) -> dict[str, Any]:
        """What a good token says; None takes a claim away."""
        now = int(time.time())
        said = {
            "iss": self.issuer,
            "aud": AUDIENCE,
            "sub": "248289761001",
            "preferred_username": "alice",
            "email": "alice@corp.example",
            "groups": ["staff", "operators"],
            "iat": now,
            "exp": now + 300,
            **other,
        }
        return {name: value for name, value in said.items() if value is not None}

    def token(self, kid: str = "rs256", headers: dict[str, Any] | None = None, **other: Any) -> str:
        algorithm, key = self.private[kid]
        return jwt.encode(self.claims(**other), key, algorithm, headers={"kid": kid, **(headers or {})})

"""Tokens that are kept between commands, so that a command costs no check of a password.

Each is a file of mode 0600 in the user's cache directory, under a name made of who signed in where, without any secret.
That the password is still the same is seen by 16 bits of a digest of it: enough to notice one that was mistyped, and
too little to find it out by.
"""

import contextlib
import hashlib
import json
import os
import time
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from appliance.blobs.durable import Disk
from appliance.cli.client.credentials import Credentials

_SECRETS = ("password", "application_credential_secret", "token")
_MARGIN = 60
"""Seconds of a token's life that are too few to begin with."""


class KeptToken(NamedTuple):
    """A token, and what the identity service said about it."""

    id: str
    document: dict[str, Any]


class TokenCache:
    """The tokens of this user of the machine. Whatever goes wrong with it is as if there were none."""

    def __init__(self, environment: Mapping[str, str] | None = None) -> None:
        environment = os.environ if environment is None else environment
        home = environment.get("HOME")
        base = environment.get("XDG_CACHE_HOME") or (f"{home}/.cache" if home else "")
        self._directory = Path(base) / "glance-appliance" / "tokens" if base.startswith("/") else None

    def get(self, credentials: Credentials) -> KeptToken | None:
        """The token that these credentials got, if it is still good for a while."""
        path = self._path(credentials)
        if path is None:
            return None
        try:
            if path.stat().st_mode & 0o077:
                return None
            kept = json.loads(path.read_text())
            token = KeptToken(str(kept["id"]), dict(kept["token"]))
            fresh = datetime.fromisoformat(str(token.document["expires_at"])).timestamp() > time.time() + _MARGIN
            same = kept["mark"] == _mark(credentials, token.id)
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return token if fresh and same else None

    def put(self, credentials: Credentials, token: KeptToken) -> None:
        """Keep a token."""
        path = self._path(credentials)
        if path is None:
            return
        document = {"id": token.id, "token": token.document, "mark": _mark(credentials, token.id)}
        staged = path.with_name(f"{path.name}.{os.getpid()}")
        with contextlib.suppress(OSError):
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            staged.unlink(missing_ok=True)
            with open(os.open(staged, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
                json.dump(document, file)
            Disk().rename(staged, path)

    def forget(self, credentials: Credentials) -> None:
        """Keep a token no longer."""
        path = self._path(credentials)
        if path is not None:
            with contextlib.suppress(OSError):
                path.unlink(missing_ok=True)

    def _path(self, credentials: Credentials) -> Path | None:
        """None where nothing is kept: a token that one signs in with is one already."""
        if self._directory is None or credentials.auth.get("token"):
            return None
        public = {name: value for name, value in credentials.auth.items() if name not in _SECRETS}
        who = json.dumps([public, credentials.auth_type], sort_keys=True)
        return self._directory / hashlib.sha256(who.encode()).hexdigest()[:32]


def _mark(credentials: Credentials, token_id: str) -> str:
    """16 bits of the secret's digest, different for each token; empty where the secret was asked for."""
    secret = next((credentials.auth[name] for name in _SECRETS if credentials.auth.get(name)), "")
    return hashlib.sha256(f"{token_id}\0{secret}".encode()).hexdigest()[:4] if secret else ""

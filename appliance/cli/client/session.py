"""A session: signs in once, finds the services in the catalog, and makes calls with the token, which it keeps on disk.

A token is kept in a file of mode 0600 in the user's cache directory, under a name made of who signed in where, without
any secret. That the password is still the same is seen by 16 bits of a digest of it: enough to notice one that was
mistyped, and too little to find it out by.
"""

import contextlib
import hashlib
import json
import os
import sys
import time
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlencode, urljoin, urlsplit

import click

from appliance.blobs.durable import Disk
from appliance.cli.client.calls import Answer, Http, Refused
from appliance.cli.client.credentials import Credentials
from appliance.errors import Fatal

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


PATCH_TYPE = "application/openstack-images-v2.1-json-patch"


class Session:
    """Calls to the services of one cloud, made as one user in one scope.

    With a `cache` the token is kept for the next command. Without `may_ask` nobody is asked for a password.
    """

    def __init__(self, credentials: Credentials, cache: TokenCache | None = None, *, may_ask: bool = True) -> None:
        self.http = Http(verify=credentials.verify, cacert=credentials.cacert)
        self._credentials = credentials
        self._cache = cache
        self._may_ask = may_ask
        self._is_kept = False
        """Whether the token comes from an earlier command, so that a refusal may be about what has changed since."""
        self._identity = identity_address(credentials.auth["auth_url"])
        self._token_id = ""
        self._token: dict[str, Any] = {}

    @property
    def password(self) -> str:
        """The password that one signs in with; empty if it is something else."""
        return self._credentials.auth.get("password", "")

    @property
    def region(self) -> str:
        """The region of the services; that of the catalog's first image service if none is asked for."""
        if self._credentials.region:
            return self._credentials.region
        entries = (entry for entry in self.token().get("catalog", ()) if entry["type"] == "image")
        return next((str(endpoint["region_id"]) for entry in entries for endpoint in entry["endpoints"]), "")

    # -- the token

    def token(self) -> dict[str, Any]:
        """What the identity service says about the token; signs in if need be."""
        if not self._token_id and not self._take_kept():
            self.sign_in()
        return self._token

    def token_id(self) -> str:
        """The token itself."""
        self.token()
        return self._token_id

    def _take_kept(self) -> bool:
        kept = self._cache.get(self._credentials) if self._cache else None
        if kept is None:
            return False
        self._token_id, self._token, self._is_kept = kept.id, kept.document, True
        return True

    def forget(self) -> None:
        """Use the token no longer, and keep it no longer."""
        self._token_id, self._is_kept = "", False
        if self._cache:
            self._cache.forget(self._credentials)

    def sign_in(self) -> None:
        """Get a new token."""
        request = auth_request(self._credentials, may_ask=self._may_ask)
        body = json.dumps({"auth": request}).encode()
        try:
            answer = self.http.call("POST", f"{self._identity}/auth/tokens", _JSON, body)
        except Refused as error:
            # Keystone does not find an invalid token that is shown to it, and a wrong password it refuses.
            if error.status == 401 or (error.status == 404 and self._credentials.auth.get("token")):
                raise Fatal(
                    f"the identity service does not accept the credentials of {self._credentials.source}"
                ) from error
            raise
        self._token_id = answer.headers.get("X-Subject-Token") or ""
        document = answer.json()
        if not self._token_id or not isinstance(document, dict) or "token" not in document:
            raise Fatal(f"{self._identity} does not answer like an identity service")
        self._token, self._is_kept = document["token"], False
        if self._cache:
            self._cache.put(self._credentials, KeptToken(self._token_id, self._token))

    # -- calls

    def address(self, service: str) -> str:
        """Where a service is, `image` or `identity`, without a slash at the end and any image API version."""
        if service == "identity":
            return self._identity
        if self._credentials.image_url:
            return _unversioned(self._credentials.image_url)
        wanted = self._credentials
        if "catalog" not in self.token():
            raise Fatal(f"{wanted.source} names no project, so there is no catalog to find the {service} service in")
        for entry in self._token["catalog"]:
            for endpoint in entry["endpoints"] if entry["type"] == service else ():
                if endpoint["interface"] == wanted.interface and wanted.region in ("", endpoint["region_id"]):
                    return _unversioned(str(endpoint["url"]))
        where = f" in the region {wanted.region}" if wanted.region else ""
        raise Fatal(f"the catalog has no {wanted.interface} address of an {service} service{where}")

    def call(
        self,
        method: str,
        service: str,
        path: str,
        document: Any = None,
        *,
        query: Mapping[str, Any] | list[tuple[str, Any]] | None = None,
        content_type: str = "application/json",
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """One call with the token; signs in anew if the token has ended, or is older than what it is refused for."""
        url = self.address(service) + path + (f"?{urlencode(query)}" if query else "")
        body = None if document is None else json.dumps(document).encode()
        head = {"Accept": "application/json", **(headers or {})}
        if body is not None:
            head["Content-Type"] = content_type
        fresh = not self._token_id
        try:
            return self.http.call(method, url, {**head, "X-Auth-Token": self.token_id()}, body)
        except Refused as error:
            ended = error.status == 401 and not fresh and not self._credentials.auth.get("token")
            if not ended and not (self._is_kept and error.status in (401, 403)):
                raise
            self.forget()
            self.sign_in()
            return self.http.call(method, url, {**head, "X-Auth-Token": self.token_id()}, body)

    def get(self, service: str, path: str, query: Mapping[str, Any] | list[tuple[str, Any]] | None = None) -> Any:
        """The document at a path."""
        return self.call("GET", service, path, query=query).json()

    def pages(self, service: str, path: str, key: str, query: list[tuple[str, Any]]) -> Iterator[dict[str, Any]]:
        """The members of a collection, page by page."""
        document = self.get(service, path, query)
        base = self.address(service)
        while True:
            yield from document[key]
            following = document.get("next") or (document.get("links") or {}).get("next")
            if not following:
                return
            address = urlsplit(urljoin(f"{base}/", str(following)))
            prefix = urlsplit(base).path
            rest = address.path.removeprefix(prefix) if prefix else address.path
            document = self.get(service, f"{rest}?{address.query}")


_JSON = {"Accept": "application/json", "Content-Type": "application/json"}


def identity_address(auth_url: str) -> str:
    """The address of identity v3 below `auth_url`, which may name a version or none."""
    base = auth_url.rstrip("/")
    return base if base.endswith("/v3") else base.removesuffix("/v2.0") + "/v3"


_LOOPBACK = {"127.0.0.1": "localhost", "::1": "localhost"}


def same_address(one: str, other: str) -> bool:
    """Whether two addresses lead to the same service, whatever name of this machine they use."""
    a, b = urlsplit(one), urlsplit(other)
    hosts = [_LOOPBACK.get(parts.hostname or "", parts.hostname) for parts in (a, b)]
    return hosts[0] == hosts[1] and (a.scheme, a.port, a.path) == (b.scheme, b.port, b.path)


def _unversioned(url: str) -> str:
    base = url.rstrip("/")
    head, _, tail = base.rpartition("/")
    return head if tail in ("v1", "v2", "v2.0") else base


# -- how one signs in --------------------------------------------------------------------------------------------------


def auth_request(credentials: Credentials, *, may_ask: bool = True) -> dict[str, Any]:
    """The body of a sign-in."""
    auth = credentials.auth
    kind = credentials.auth_type.removeprefix("v3") or _kind(auth)
    if kind == "applicationcredential":
        return {"identity": {"methods": ["application_credential"], "application_credential": _application(auth)}}
    if kind == "token":
        _need(credentials, "token")
        identity: dict[str, Any] = {"methods": ["token"], "token": {"id": auth["token"]}}
    elif kind == "password":
        user = {**_user(credentials), "password": _password(credentials, may_ask)}
        identity = {"methods": ["password"], "password": {"user": user}}
    else:
        raise Fatal(f"signing in with auth_type {credentials.auth_type} is not known here; password and token are")
    scope = _scope(auth)
    return {"identity": identity, **({"scope": scope} if scope else {})}


def _kind(auth: Mapping[str, str]) -> str:
    if auth.get("application_credential_secret"):
        return "applicationcredential"
    return "token" if auth.get("token") else "password"


def _need(credentials: Credentials, name: str) -> None:
    if not credentials.auth.get(name):
        raise Fatal(f"{credentials.source} has no {name}")


def _password(credentials: Credentials, may_ask: bool) -> str:
    password = credentials.auth.get("password")
    if not password and may_ask and sys.stdin.isatty():
        who = credentials.auth.get("username") or credentials.auth["user_id"]
        password = click.prompt(f"Password of {who}", hide_input=True, err=True, default="", show_default=False)
    if not password:
        raise Fatal(f"{credentials.source} has no password")
    return password


def _user(credentials: Credentials) -> dict[str, Any]:
    auth = credentials.auth
    if auth.get("user_id"):
        return {"id": auth["user_id"]}
    _need(credentials, "username")
    return {"name": auth["username"], "domain": _domain(auth, "user_domain")}


def _domain(auth: Mapping[str, str], prefix: str) -> dict[str, str]:
    if auth.get(f"{prefix}_id"):
        return {"id": auth[f"{prefix}_id"]}
    if auth.get(f"{prefix}_name"):
        return {"name": auth[f"{prefix}_name"]}
    return {"id": "default"}


def _application(auth: Mapping[str, str]) -> dict[str, Any]:
    secret = {"secret": auth.get("application_credential_secret", "")}
    if auth.get("application_credential_id"):
        return {"id": auth["application_credential_id"], **secret}
    user = (
        {"id": auth["user_id"]}
        if auth.get("user_id")
        else {
            "name": auth.get("username", ""),
            "domain": _domain(auth, "user_domain"),
        }
    )
    return {"name": auth.get("application_credential_name", ""), "user": user, **secret}


def _scope(auth: Mapping[str, str]) -> dict[str, Any] | None:
    if auth.get("trust_id"):
        return {"OS-TRUST:trust": {"id": auth["trust_id"]}}
    if auth.get("system_scope"):
        return {"system": {"all": True}}
    if auth.get("project_id"):
        return {"project": {"id": auth["project_id"]}}
    if auth.get("project_name"):
        return {"project": {"name": auth["project_name"], "domain": _domain(auth, "project_domain")}}
    if auth.get("domain_id") or auth.get("domain_name"):
        return {"domain": _domain(auth, "domain")}
    return None

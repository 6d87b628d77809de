"""OpenID Connect: bearer tokens of providers, checked against the providers' keys, and what they say of their users.

Whom to trust is the operator's to say, in `openid_options`: the issuer, the audience, the algorithms, the keys. Nothing
of that is taken from a token, and nothing of a request but its bearer token is looked at.
"""

import ipaddress
import json
import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

import jwt
from jwt.types import Options

from appliance.errors import Unauthenticated, Unavailable, WrongUsage

log = logging.getLogger(__name__)

Fetch = Callable[[str, str], bytes]
"""Reads a small document at an address; the origin of the second one is trusted, whatever it resolves to. Raises
`ApplianceError`."""


def fetch_nothing(address: str, trusted: str) -> bytes:
    """For where there is no network to fetch from."""
    raise Unavailable(f"{address} can't be fetched here.")


ALGORITHMS = frozenset(
    {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519"}
)
"""Those with a public key: who can check a signature can't make one."""
_OPTIONS = ("issuer", "audience", "clients", "algorithms", "keys", "leeway")
_DEFAULT_ALGORITHMS = "RS256 ES256"
_LONGEST = 32 * 1024
_TYPES = frozenset({"jwt", "at+jwt", "application/at+jwt", "application/jwt"})
_SMALLEST_RSA = 2048
_CHECKS: Options = {"require": ["exp", "iss", "aud", "sub"], "verify_iat": True, "verify_nbf": True}


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenIdProvider:
    """What the operator says of one."""

    issuer: str
    audience: tuple[str, ...]
    clients: tuple[str, ...] = ()
    """Those whose tokens are taken; all if none is named."""
    algorithms: tuple[str, ...]
    keys: str = ""
    """A file or an address with the provider's keys (JWKS); empty to find it through the issuer."""
    leeway: int = 30
    """Seconds that the clocks may differ."""


def parse(options: Iterable[str]) -> dict[str, OpenIdProvider]:
    """The providers of `openid_options`, by the ids of the identity providers. Raises `WrongUsage`."""
    found: dict[str, dict[str, str]] = {}
    for option in options:
        idp_id, colon, rest = option.partition(":")
        name, equals, value = rest.partition("=")
        if not colon or not equals or name not in _OPTIONS:
            raise WrongUsage(f"openid_options: {option!r} is not idp:option=value; there are {', '.join(_OPTIONS)}")
        found.setdefault(idp_id, {})[name] = value.strip()
    return {idp_id: _provider(idp_id, values) for idp_id, values in found.items()}


def _provider(idp_id: str, values: Mapping[str, str]) -> OpenIdProvider:
    for name in ("issuer", "audience"):
        if not values.get(name):
            raise WrongUsage(f"openid_options: {idp_id} has no {name}")
    algorithms = tuple(values.get("algorithms", _DEFAULT_ALGORITHMS).split())
    unsafe = [name for name in algorithms if name not in ALGORITHMS]
    if unsafe or not algorithms:
        raise WrongUsage(f"openid_options: the algorithms of {idp_id} are some of {', '.join(sorted(ALGORITHMS))}")
    leeway = values.get("leeway", "30")
    if not leeway.isdecimal() or int(leeway) > 300:
        raise WrongUsage(f"openid_options: the leeway of {idp_id} is a number of seconds up to 300")
    keys = values.get("keys", "")
    for address in (values["issuer"], *([keys] if "://" in keys else [])):
        if not _is_safe(address):
            raise WrongUsage(f"openid_options: {address} of {idp_id} has to begin with https://")
    return OpenIdProvider(
        issuer=values["issuer"],
        audience=tuple(values["audience"].split()),
        clients=tuple(values.get("clients", "").split()),
        algorithms=algorithms,
        keys=keys,
        leeway=int(leeway),
    )


def _is_safe(address: str) -> bool:
    """Whether nobody in between can read and change what comes from there."""
    parts = urlsplit(address)
    if parts.scheme == "https":
        return bool(parts.hostname)
    try:
        return parts.scheme == "http" and ipaddress.ip_address(parts.hostname or "").is_loopback
    except ValueError:
        return parts.scheme == "http" and parts.hostname == "localhost"


class Keys(Protocol):
    def get_signing_key(self, kid: str) -> jwt.PyJWK:
        """The key of this name. Raises `jwt.PyJWTError` if there is none, `Unavailable` if that can't be known now."""
        ...


class KeyFile:
    """Keys in a file, for sites that can't reach the provider. Read again when the file has changed."""

    def __init__(self, path: Path) -> None:
        """Raises `WrongUsage` for a file without keys."""
        self._path = path
        self._lock = threading.Lock()
        self._seen: object = None
        self._keys: jwt.PyJWKSet | None = None
        try:
            self._read()
        except (OSError, ValueError, jwt.PyJWTError) as error:
            raise WrongUsage(f"openid_options: {path} has no keys of a provider: {error}") from error

    def get_signing_key(self, kid: str) -> jwt.PyJWK:
        with self._lock:
            try:
                self._read()
            except (OSError, ValueError, jwt.PyJWTError) as error:
                log.error("%s can't be read; the keys that it had before are used on: %s", self._path, error)
            if self._keys is None:
                raise Unavailable("The identity provider's keys can't be read.")
            return self._keys[kid]

    def _read(self) -> None:
        status = self._path.stat()
        seen = (status.st_mtime_ns, status.st_size, status.st_ino)
        if seen != self._seen:
            self._keys = jwt.PyJWKSet.from_json(self._path.read_text())
            self._seen = seen


class RemoteKeys(jwt.PyJWKClient):
    """Keys at the provider, read again every few minutes, and when a token names one that is not known yet.

    While the provider can't be reached the last ones are good for an hour. At most a few log-ins wait for it at once:
    the threads that they wait in are others', too.
    """

    LIFESPAN, COOLDOWN = 300, 30
    _STALE = 3600
    _WAITING = 3

    def __init__(self, provider: OpenIdProvider, fetch: Fetch) -> None:
        super().__init__(provider.keys or provider.issuer, lifespan=self.LIFESPAN, cooldown_duration=self.COOLDOWN)
        self._provider = provider
        self._fetch = fetch
        self._last: tuple[float, Any] | None = None
        self._failed_at: float | None = None
        self._places = threading.BoundedSemaphore(self._WAITING)

    def get_signing_key(self, kid: str) -> jwt.PyJWK:
        if not self._places.acquire(timeout=1):
            raise Unavailable("The identity provider's keys are being fetched. Try again.")
        try:
            return super().get_signing_key(kid)
        finally:
            self._places.release()

    def fetch_data(self) -> Any:
        now = time.monotonic()
        if self._failed_at is None or now - self._failed_at >= self.COOLDOWN:
            try:
                found = self._document(self._address())
                jwt.PyJWKSet.from_dict(found)
                self._last, self._failed_at = (now, found), None
                return found
            except (Unavailable, ValueError, jwt.PyJWTError, LookupError, TypeError) as error:
                self._failed_at = now
                log.error("the keys of %s can't be fetched: %s", self._provider.issuer, error)
        if self._last is not None and now - self._last[0] < self._STALE:
            return self._last[1]
        raise Unavailable("The identity provider's keys can't be fetched now. Try again later.")

    def _address(self) -> str:
        """Where the keys are: where the operator says, or where the issuer does."""
        if self._provider.keys:
            return self._provider.keys
        issuer = self._provider.issuer.rstrip("/")
        found = self._document(f"{issuer}/.well-known/openid-configuration")
        if found["issuer"] != self._provider.issuer:
            raise ValueError(f"it calls itself {found['issuer']}")
        return str(found["jwks_uri"])

    def _document(self, address: str) -> Any:
        found = json.loads(self._fetch(address, self._provider.keys or self._provider.issuer))
        if not isinstance(found, dict):
            raise ValueError(f"{address} has no JSON object")
        return found


class OpenIdProviders:
    """Checks the bearer tokens of every provider that the settings name."""

    def __init__(self, providers: Mapping[str, OpenIdProvider], fetch: Fetch) -> None:
        self._providers = providers
        self._keys: dict[str, Keys] = {
            idp_id: KeyFile(Path(provider.keys))
            if provider.keys and "://" not in provider.keys
            else RemoteKeys(provider, fetch)
            for idp_id, provider in providers.items()
        }

    def verify(self, idp_id: str, text: str) -> dict[str, Any]:
        """What a token says, if this provider has issued it to us and it is good now. Raises `Unauthenticated`, and
        `Unavailable` if the provider's keys can't be had."""
        provider = self._providers.get(idp_id)
        if provider is None:
            raise Unauthenticated(f"The settings have no openid_options for the identity provider {idp_id}.")
        try:
            return self._claims(provider, self._keys[idp_id], text)
        except (jwt.PyJWTError, ValueError, TypeError, KeyError) as error:
            log.info("a token of the identity provider %s was refused: %s", idp_id, error)
            raise Unauthenticated(f"The identity provider's token can't be used: {error}") from error

    def _claims(self, provider: OpenIdProvider, keys: Keys, text: str) -> dict[str, Any]:
        if len(text) > _LONGEST or not text.isascii() or text.count(".") != 2:
            raise ValueError("it is no signed JWT; opaque access tokens are not looked up")
        header = jwt.get_unverified_header(text)
        if header.get("alg") not in provider.algorithms:
            raise ValueError("it is signed by another algorithm")
        if "crit" in header or str(header.get("typ", "JWT")).lower() not in _TYPES:
            raise ValueError("it is of another kind")
        if not isinstance(header.get("kid"), str):
            raise ValueError("it does not say by which key it is signed")
        claims: dict[str, Any] = jwt.decode(
            text,
            _public_key(keys.get_signing_key(header["kid"])),
            algorithms=list(provider.algorithms),
            audience=provider.audience,
            issuer=provider.issuer,
            leeway=provider.leeway,
            options=_CHECKS,
        )
        if {"cnf", "events"} & set(claims):
            raise ValueError("it is bound to a key of its holder, or no token to log in with")
        if provider.clients and (claims.get("azp") or claims.get("client_id")) not in provider.clients:
            raise ValueError("it was issued to another client")
        return claims


def _public_key(key: jwt.PyJWK) -> Any:
    """Raises `ValueError` for one that is no public key, or a weak one."""
    if key.key_type not in ("RSA", "EC", "OKP") or key.public_key_use not in ("sig", None):
        raise ValueError("its key is none to check signatures with")
    if key.key_type == "RSA" and key.key.key_size < _SMALLEST_RSA:
        raise ValueError("its key is too short")
    return key.key


_PREFIXES = ("OIDC-", "HTTP_OIDC_")


# -- what a token says of its user -------------------------------------------------------------------------------------


def assertion_of(claims: Mapping[str, Any]) -> dict[str, list[str]]:
    """Claims as mappings know them: each as it is called, as `OIDC-name`, and as `HTTP_OIDC_NAME`, which is how Apache
    names them to Keystone. What is inside of a claim is there as `claim.part`, too. None hides another."""
    plain = {name: _texts(value) for name, value in claims.items() if not name.startswith(_PREFIXES)}
    found = plain | {name: values for name, values in _inside(claims) if name not in plain}
    aliases: dict[str, list[str]] = {}
    for name in sorted(found, key=lambda name: (not name.isidentifier(), name)):
        header = "".join(character if character.isalnum() else "_" for character in name).upper()
        aliases.setdefault(f"OIDC-{name}", found[name])
        aliases.setdefault(f"HTTP_OIDC_{header}", found[name])
    return aliases | found


def _inside(claims: Mapping[str, Any], above: str = "", depth: int = 0) -> Iterator[tuple[str, list[str]]]:
    for name, value in claims.items():
        if above:
            yield f"{above}{name}", _texts(value)
        if isinstance(value, dict) and depth < 4:
            yield from _inside(value, f"{above}{name}.", depth + 1)


def _texts(value: Any) -> list[str]:
    if value is None:
        return []
    parts: Sequence[Any] = value if isinstance(value, list) else [value]
    return [_text(part) for part in parts if part is not None]


def _text(value: Any) -> str:
    """As mod_auth_openidc writes it: yes and no as 1 and 0, objects as JSON."""
    if isinstance(value, bool):
        return str(int(value))
    return value if isinstance(value, str) else json.dumps(value)

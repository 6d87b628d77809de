"""Tokens of somebody else's Keystone, validated there: what `[keystone_authtoken]` is to Glance.

An answer is kept for `external_cache_seconds`, as the middleware does. When Keystone can't be reached, an older one is
good for up to `external_outage_seconds` more, never past the token's own end; that is 0 unless the operator decides
that a site that is cut off should rather go on than notice revocations.
"""

import hashlib
import threading
from dataclasses import dataclass
from typing import Any

from appliance.errors import Forbidden, NotFound, Unauthenticated, Unavailable
from appliance.identity.access_rules import permit
from appliance.identity.keystone_client import KeystoneClient
from appliance.settings import Settings
from appliance.values import Caller, Clock, Micros, elapsed, parse_time

_SECOND = 1_000_000
_KEPT = 10_000
_HEADERS = {"OpenStack-Identity-Access-Rules": "1.0"}


@dataclass(frozen=True, slots=True)
class _Answer:
    """What Keystone said of a token, and when. A None caller is a token that it does not know."""

    caller: Caller | None
    access_rules: tuple[dict[str, Any], ...]
    expires_at: Micros
    asked_at: Micros
    """On a clock that nobody sets: what was true a while ago must not stay true because that one was set back."""


class ExternalIdentity:
    """Validates tokens for the image package by asking a Keystone."""

    def __init__(self, client: KeystoneClient, settings: Settings, clock: Clock, elapsed: Clock = elapsed) -> None:
        self._elapsed = elapsed
        self._client = client
        self._clock = clock
        self._fresh = settings.external_cache_seconds * _SECOND
        self._outage = settings.external_outage_seconds * _SECOND
        self._known: dict[str, _Answer] = {}
        self._lock = threading.Lock()

    @property
    def url(self) -> str:
        """Where tokens come from."""
        return self._client.url

    def validate(self, text: str, method: str = "", path: str = "") -> Caller:
        """Who a token stands for. Raises `Unauthenticated`, or `Unavailable` if that can't be known now."""
        answer = self._answer(text)
        if answer.caller is None or answer.expires_at <= self._clock():
            raise Unauthenticated("The identity service does not know the token.")
        if answer.access_rules and not permit(answer.access_rules, "image", method, path):
            raise Unauthenticated("The application credential's access rules do not permit this.")
        return answer.caller

    def catalog(self, text: str) -> list[dict[str, Any]]:
        """The services that the token's catalog has: none if it has no catalog. Asked anew each time."""
        try:
            body = self._client.get("auth/tokens", {}, {**_HEADERS, "X-Subject-Token": text})
            services = body["token"].get("catalog")
        except NotFound:
            raise Unauthenticated("The identity service does not know the token.") from None
        except (KeyError, AttributeError, Unauthenticated, Forbidden) as error:
            raise Unavailable("The identity service can't be asked.") from error
        return services if isinstance(services, list) else []

    def _answer(self, text: str) -> _Answer:
        # Tokens are not kept: whoever reads our memory finds digests.
        key = hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()
        known = self._known.get(key)
        now = self._elapsed()
        if known is not None and now < known.asked_at + self._fresh:
            return known
        try:
            answer = self._ask(text)
        except (Unavailable, Unauthenticated, Forbidden) as error:
            if known is not None and known.caller is not None and now < known.asked_at + self._fresh + self._outage:
                return known
            raise Unavailable("The identity service can't be asked.") from error
        self._keep(key, answer)
        return answer

    def _ask(self, text: str) -> _Answer:
        if not text.isascii() or not text.isprintable():
            return _Answer(None, (), 0, self._elapsed())
        try:
            body = self._client.get("auth/tokens", {"nocatalog": "1"}, {**_HEADERS, "X-Subject-Token": text})
        except NotFound:
            return _Answer(None, (), 0, self._elapsed())
        return self._read(text, body)

    def _read(self, text: str, body: dict[str, Any]) -> _Answer:
        try:
            token = body["token"]
            project = token.get("project") or {}
            credential = token.get("application_credential") or {}
            caller = Caller(
                user_id=token["user"]["id"],
                project_id=project.get("id"),
                domain_id=(token.get("domain") or {}).get("id"),
                system=bool((token.get("system") or {}).get("all")),
                roles=frozenset(role["name"].lower() for role in token.get("roles", [])),
                user_name=token["user"].get("name"),
                user_domain_id=(token["user"].get("domain") or {}).get("id"),
                project_name=project.get("name"),
                project_domain_id=(project.get("domain") or {}).get("id"),
                token=text,
            )
            rules = tuple(credential.get("access_rules") or ())
            return _Answer(caller, rules, parse_time(token["expires_at"]), self._elapsed())
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise Unavailable("the identity service answers what is no token") from error

    def _keep(self, key: str, answer: _Answer) -> None:
        with self._lock:
            self._known.pop(key, None)
            if len(self._known) >= _KEPT:
                for old in list(self._known)[: _KEPT // 10]:
                    del self._known[old]
            self._known[key] = answer

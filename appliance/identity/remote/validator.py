"""Token validators: our own identity, an external Keystone, or a local copy of one at an edge site."""

import hashlib
import logging
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import parse_qsl, urlsplit

from appliance.db.engine.base import IntegrityError, Tx
from appliance.db.identity import edge as rows
from appliance.db.identity.grants import SYSTEM, Grant
from appliance.db.key_values import KeyValues
from appliance.db.records import Record
from appliance.errors import Fatal, Forbidden, NotFound, Unauthenticated, Unavailable
from appliance.identity.remote.keystone_client import KeystoneClient
from appliance.identity.resources.application_credentials import permit
from appliance.identity.service import Identity
from appliance.identity.tokens.token import SECOND
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


log = logging.getLogger(__name__)

_KEY = "edge:copied_at"
_NOT_COPIED = ("links", "password_expires_at", "federated", "tags")
_EVENTS = {
    "user_id": "user",
    "project_id": "project",
    "domain_id": "domain",
    "audit_id": "audit",
    "audit_chain_id": "chain",
}


class Edge:
    """Keeps the copy, and validates tokens by it."""

    def __init__(
        self,
        identity: Identity,
        client: KeystoneClient,
        key_values: KeyValues,
        settings: Settings,
        elapsed: Clock = elapsed,
    ) -> None:
        self._elapsed = elapsed
        self._copied_by_elapsed: Micros | None = None
        self._identity = identity
        self._client = client
        self._key_values = key_values
        self._max_age = settings.edge_max_age * SECOND
        self._kept = (settings.token_lifetime + settings.allow_expired_window) * SECOND
        self._copied_at: Micros | None = None
        self._look()

    def validate(self, text: str, method: str = "", path: str = "") -> Caller:
        """Who a token of the centre stands for, by the last copy. Raises `Unavailable` if that is too old."""
        if self._is_too_old() and not (self._look() and not self._is_too_old()):
            raise Unavailable("The copy of the central identity service's state is too old.")
        return self._identity.validate(text, method, path)

    def _is_too_old(self) -> bool:
        return self._copied_at is None or bool(self._max_age and self._age(self._copied_at) > self._max_age)

    def _look(self) -> bool:
        """See when the last copy was made, by this process or by another node; whether there is one that is new."""
        stored = self._key_values.get(_KEY)
        if stored is None or int(stored) == self._copied_at:
            return False
        # How much of its age has passed before now is for the clock to say, as after a start.
        self._copied_at, self._copied_by_elapsed = int(stored), self._elapsed()
        return True

    def _age(self, copied_at: Micros) -> Micros:
        """How long ago the copy was made: what the clock says, before or after, or what has passed since for sure."""
        passed = self._elapsed() - self._copied_by_elapsed if self._copied_by_elapsed is not None else 0
        return max(abs(self._identity.store.clock() - copied_at), passed)

    def copy(self) -> None:
        """Copy the centre's state in one step. Raises `Unavailable`; then the former copy stays."""
        started, by_elapsed = self._identity.store.clock(), self._elapsed()
        try:
            records = self._records()
            members = [
                (group.id, user["id"])
                for group in records["groups"]
                for user in self._list("users", f"groups/{group.id}/users")
            ]
            implied = list(self._implied())
            grants = list(self._grants())
            events = list(self._revocations())
        except (KeyError, TypeError, ValueError) as error:
            raise Unavailable("The central identity service answers what can't be understood.") from error
        try:

            def change(tx: Tx) -> None:
                rows.replace(tx, records)
                rows.relate(tx, members, implied, grants)
                rows.revoke(tx, events, started + self._kept)

            self._identity.store.transact(change)
        except IntegrityError as error:
            raise Unavailable("The central identity service changed while it was copied.") from error
        self._key_values.set(_KEY, str(started))
        self._copied_at, self._copied_by_elapsed = started, by_elapsed
        log.info("copied %s users and %s projects", len(records["users"]), len(records["projects"]))

    def _records(self) -> dict[str, list[Any]]:
        domains = [
            {**_kept(domain), "is_domain": True, "domain_id": None, "parent_id": None}
            for domain in self._list("domains", "domains")
        ]
        roles = [_kept(role) for role in self._list("roles", "roles")]
        for domain in domains:
            roles += [_kept(role) for role in self._list("roles", "roles", domain_id=domain["id"])]
        users = [{"created_at": 0, "options": {}, **_kept(user)} for user in self._list("users", "users")]
        _tell_apart(users)
        projects = [_kept(project) for project in self._list("projects", "projects")]
        groups = [_kept(group) for group in self._list("groups", "groups")]
        for record in (*domains, *projects, *groups):
            record["description"] = record.get("description") or ""
        records = {"projects": [*domains, *projects], "users": users, "groups": groups, "roles": roles}
        return {kind: [table.made(record) for record in records[kind]] for kind, table in rows.KINDS.items()}

    def _list(self, key: str, path: str, **query: str) -> Iterator[Record]:
        """Every record of a collection, page by page."""
        while True:
            answer = self._client.get(path, query)
            yield from answer[key]
            following = (answer.get("links") or {}).get("next")
            if not following:
                return
            query = dict(parse_qsl(urlsplit(following).query))

    def _implied(self) -> Iterator[tuple[str, str]]:
        for inference in self._client.get("role_inferences")["role_inferences"]:
            for implied in inference["implies"]:
                yield inference["prior_role"]["id"], implied["id"]

    def _grants(self) -> Iterator[Grant]:
        for row in self._list("role_assignments", "role_assignments"):
            actor_type = "user" if "user" in row else "group"
            target_type, target_id = _target(row["scope"])
            inherited = row["scope"].get("OS-INHERIT:inherited_to") == "projects"
            yield Grant(actor_type, row[actor_type]["id"], target_type, target_id, row["role"]["id"], inherited)

    def _revocations(self) -> Iterable[tuple[str, str, Micros]]:
        for event in self._client.get("OS-REVOKE/events").get("events", []):
            subjects = [(kind, event[name]) for name, kind in _EVENTS.items() if event.get(name)]
            # An event that names two things is narrower than either; nothing of ours says so, and ends too much.
            for kind, subject in subjects:
                yield kind, subject, parse_time(event["issued_before"])


def _tell_apart(users: Iterable[Record]) -> None:
    """Give users of identity providers names of their own where several of a domain have the same."""
    seen: set[tuple[str, str]] = set()
    for user in users:
        if (user["domain_id"], user["name"]) in seen:
            user["name"] = f"{user['name']} ({user['id']})"
        seen.add((user["domain_id"], user["name"]))


def _kept(record: Record) -> Record:
    return {key: value for key, value in record.items() if key not in _NOT_COPIED}


def _target(scope: dict[str, Any]) -> tuple[str, str]:
    for kind in ("project", "domain"):
        if kind in scope:
            return kind, scope[kind]["id"]
    return "system", SYSTEM


class Verification(Protocol):
    """Says who a token stands for, given what it is used for."""

    def validate(self, text: str, method: str = "", path: str = "") -> Caller:
        """Raises `Unauthenticated`, or `Unavailable` if that can't be known now."""
        ...


def token_validator(identity: Identity, key_values: KeyValues, settings: Settings, clock: Clock) -> Verification:
    """What `identity_mode` asks for. An `Edge` wants its `copy` called every `edge_sync_seconds`. Raises `Fatal`."""
    if settings.identity_mode == "own":
        return identity
    if settings.use_keystone_limits:
        raise Fatal("use_keystone_limits needs the limits of our own identity service; set user_storage_quota instead")
    if settings.identity_mode == "external":
        return ExternalIdentity(KeystoneClient(settings), settings, clock)
    if settings.identity_mode == "edge":
        return Edge(identity, KeystoneClient(settings), key_values, settings)
    raise Fatal(f"identity_mode is own, external or edge, not {settings.identity_mode}")

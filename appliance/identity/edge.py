"""An edge site: a copy of a central Keystone's state, good enough to validate its JWS tokens while cut off from it.

The central's public keys lie in `keys/public`. Who there is, what belongs where and who has which role is copied every
minute or so, with the revocations known by then. What can't be known while cut off is what was revoked since; so a copy
that is older than `edge_max_age` validates nothing. Passwords, application credentials and trusts stay at the centre:
tokens are issued there, and tokens of trusts and application credentials are refused here.
"""

import logging
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from appliance.db import edge as rows
from appliance.db.database import IntegrityError
from appliance.db.grants import SYSTEM, Grant
from appliance.db.notes import Notes
from appliance.db.records import Record
from appliance.errors import Unavailable
from appliance.identity.claims import SECOND
from appliance.identity.keystone_client import KeystoneClient
from appliance.identity.service import Identity
from appliance.settings import Settings
from appliance.values import Caller, Clock, Micros, elapsed, parse_time

log = logging.getLogger(__name__)

_NOTE = "edge:copied_at"
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
        notes: Notes,
        settings: Settings,
        elapsed: Clock = elapsed,
    ) -> None:
        self._elapsed = elapsed
        self._copied_by_elapsed: Micros | None = None
        self._identity = identity
        self._client = client
        self._notes = notes
        self._max_age = settings.edge_max_age * SECOND
        self._kept = (settings.token_lifetime + settings.allow_expired_window) * SECOND
        stored = notes.get(_NOTE)
        self._copied_at: Micros | None = int(stored) if stored else None

    def validate(self, text: str, method: str = "", path: str = "") -> Caller:
        """Who a token of the centre stands for, by the last copy. Raises `Unavailable` if that is too old."""
        if self._copied_at is None or (self._max_age and self._age(self._copied_at) > self._max_age):
            raise Unavailable("The copy of the central identity service's state is too old.")
        return self._identity.validate(text, method, path)

    def _age(self, copied_at: Micros) -> Micros:
        """How long ago the copy was made: what the clock says, before or after, or what has passed since for sure."""
        passed = self._elapsed() - self._copied_by_elapsed if self._copied_by_elapsed is not None else 0
        return max(abs(self._identity.ledger.clock() - copied_at), passed)

    def copy(self) -> None:
        """Copy the centre's state in one step. Raises `Unavailable`; then the former copy stands."""
        started, by_elapsed = self._identity.ledger.clock(), self._elapsed()
        try:
            records = self._records()
            members = [
                (group["id"], user["id"])
                for group in records["groups"]
                for user in self._list("users", f"groups/{group['id']}/users")
            ]
            implied = list(self._implied())
            grants = list(self._grants())
            events = list(self._revocations())
        except (KeyError, TypeError, ValueError) as error:
            raise Unavailable("The central identity service answers what can't be understood.") from error
        try:
            with self._identity.ledger.write() as tx:
                rows.replace(tx, records)
                rows.relate(tx, members, implied, grants)
                rows.revoke(tx, events, started + self._kept)
        except IntegrityError as error:
            raise Unavailable("The central identity service changed while it was copied.") from error
        self._notes.set(_NOTE, str(started))
        self._copied_at, self._copied_by_elapsed = started, by_elapsed
        log.info("copied %s users and %s projects", len(records["users"]), len(records["projects"]))

    def _records(self) -> dict[str, list[Record]]:
        domains = [
            {**_kept(domain), "is_domain": True, "domain_id": None, "parent_id": None}
            for domain in self._list("domains", "domains")
        ]
        roles = [_kept(role) for role in self._list("roles", "roles")]
        for domain in domains:
            roles += [_kept(role) for role in self._list("roles", "roles", domain_id=domain["id"])]
        users = [{"created_at": 0, "options": {}, **_kept(user)} for user in self._list("users", "users")]
        projects = [_kept(project) for project in self._list("projects", "projects")]
        groups = [_kept(group) for group in self._list("groups", "groups")]
        for record in (*domains, *projects, *groups):
            record["description"] = record.get("description") or ""
        return {"projects": [*domains, *projects], "users": users, "groups": groups, "roles": roles}

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


def _kept(record: Record) -> Record:
    return {key: value for key, value in record.items() if key not in _NOT_COPIED}


def _target(scope: dict[str, Any]) -> tuple[str, str]:
    for kind in ("project", "domain"):
        if kind in scope:
            return kind, scope[kind]["id"]
    return "system", SYSTEM

"""Trusts: a trustor lets a trustee act on a project, with some of the trustor's roles, and perhaps in their name."""

from collections.abc import Iterable
from dataclasses import replace

from appliance.db.engine.base import Tx
from appliance.db.identity import delegation as rows
from appliance.db.identity.delegation import TRUSTS, Trust
from appliance.db.identity.grants import ROLES
from appliance.db.identity.grants import by_name as role_by_name
from appliance.db.identity.users import USERS
from appliance.db.records import Filter, Record, find, find_many, insert, select
from appliance.errors import Conflict, Forbidden, Invalid, NotFound, Unauthenticated
from appliance.identity.resources.assignments import Assignments, closure
from appliance.identity.resources.projects import Projects
from appliance.identity.store import IdentityStore, refuse_doubled
from appliance.identity.tokens.token import Claims, Token, TrustInToken
from appliance.identity.tokens.tokens import Delegated
from appliance.values import Micros, new_hex_id

_ASKED = ("allow_redelegation", "roles_links", "links")
"""What is asked for a trust, or was shown of another one, and isn't kept with it under this name."""


class Trusts:
    def __init__(
        self, store: IdentityStore, assignments: Assignments, projects: Projects, max_redelegations: int
    ) -> None:
        self._store = store
        self._assignments = assignments
        self._projects = projects
        self._max_redelegations = max_redelegations

    def get(self, trust_id: str) -> Trust:
        """A trust that can still be used, with its `roles`. Raises `NotFound`."""
        trust = find(self._store.db, TRUSTS, trust_id)
        if trust is None or trust.deleted_at is not None or self._spent(trust):
            raise NotFound(f"Could not find trust: {trust_id}.")
        return replace(trust, roles=find_many(self._store.db, ROLES, rows.trust_role_ids(self._store.db, trust_id)))

    def search(self, filters: Iterable[Filter] = ()) -> list[Trust]:
        """Trusts that were not deleted, without their roles."""
        return select(self._store.db, TRUSTS, [*filters, Filter("deleted_at", None)])

    def create(self, token: Token, asked: Record, expires_at: Micros | None) -> Trust:
        """A new trust of the token's user; in the name of a trust, if the token is one of a trust."""
        parent = self.get(token.trust.id) if token.trust is not None else None
        project_id = asked.get("project_id")
        if project_id and not asked.get("roles"):
            raise Forbidden("At least one role should be specified.")
        if find(self._store.db, USERS, asked["trustee_user_id"]) is None:
            raise NotFound(f"Could not find user: {asked['trustee_user_id']}.")
        role_ids = [self._role_id(reference) for reference in asked.get("roles", [])]
        trust_id = new_hex_id()
        refuse_doubled("trust", f"ID {trust_id}", role_ids)
        self._check_parent(asked.get("redelegated_trust_id"), parent)
        origin = self._origin(parent).trustor_user_id if parent is not None else token.user.id
        self._require_roles(origin, project_id, role_ids)
        trust = Trust(
            id=trust_id,
            trustor_user_id=token.user.id,
            trustee_user_id=asked["trustee_user_id"],
            project_id=project_id,
            impersonation=asked["impersonation"],
            expires_at=expires_at,
            remaining_uses=asked.get("remaining_uses"),
            redelegation_count=self._redelegation_count(asked),
            extra={name: value for name, value in asked.items() if name not in (*_ASKED, *TRUSTS.names)},
        )
        if parent is not None:
            trust = self._bound_to(parent, trust, asked, role_ids)

        def change(tx: Tx) -> None:
            if trust.expires_at is not None and rows.has_equal(tx, trust):
                raise Conflict(
                    f"Conflict occurred attempting to store trust - Duplicate entry found with ID {trust_id}."
                )
            insert(tx, TRUSTS, trust)
            for role_id in role_ids:
                rows.add_trust_role(tx, trust.id, role_id)

        self._store.transact(change)
        return self.get(trust.id)

    def _check_parent(self, named: str | None, parent: Trust | None) -> None:
        """A client may name the trust that its token is of. Raises `NotFound` for any other."""
        if named and (parent is None or parent.id != named):
            raise NotFound(f"Could not find trust: {named}.")

    def _redelegation_count(self, asked: Record) -> int:
        """How often the new trust may be handed on."""
        count: int | None = asked.get("redelegation_count")
        if not asked.get("allow_redelegation") or count == 0:
            return 0
        if count is not None and count > self._max_redelegations:
            raise Forbidden(f"A trust may be handed on at most {self._max_redelegations} times.")
        if asked.get("remaining_uses") is not None:
            raise Invalid("remaining_uses must not be set if redelegation is allowed.")
        return self._max_redelegations if count is None else count

    def _bound_to(self, parent: Trust, trust: Trust, asked: Record, role_ids: list[str]) -> Trust:
        """The trust, made from another one. Raises `Forbidden` if it gives more than that one."""
        left = parent.redelegation_count
        if not 0 < left <= self._max_redelegations:
            raise Forbidden("The trust may not be handed on any more.")
        if asked.get("remaining_uses") is not None:
            raise Forbidden("remaining_uses must not be set when a trust is handed on.")
        if trust.redelegation_count and asked.get("redelegation_count") not in (None, left - 1):
            raise Forbidden("redelegation_count can't be chosen when a trust is handed on.")
        if None not in (parent.expires_at, trust.expires_at) and (trust.expires_at or 0) > (parent.expires_at or 0):
            raise Forbidden("A trust can't outlive the one that it is made from.")
        if not set(role_ids) <= {role.id for role in parent.roles}:
            raise Forbidden("Some of the roles are not in the trust that is handed on.")
        if trust.impersonation and not parent.impersonation:
            raise Forbidden("A trust without impersonation can't be handed on with it.")
        if trust.project_id != parent.project_id:
            raise Forbidden("A trust is handed on for its own project.")
        return replace(
            trust,
            expires_at=trust.expires_at or parent.expires_at,
            redelegated_trust_id=parent.id,
            redelegation_count=left - 1 if trust.redelegation_count else 0,
        )

    def delete(self, trust_id: str) -> None:
        """End a trust, those made from it, and their tokens."""
        self.get(trust_id)
        self._store.transact(lambda tx: rows.end(tx, trust_id, self._store.clock()))

    def consume(self, trust_id: str) -> None:
        """Take one of the remaining uses, if they are counted. Raises `Unauthenticated` when none is left."""
        trust = find(self._store.db, TRUSTS, trust_id)
        if trust is not None and trust.remaining_uses is None:
            return

        def change(tx: Tx) -> None:
            if not rows.use(tx, trust_id):
                raise Unauthenticated("The trust has no use left.")

        self._store.transact(change)

    def delegated(self, claims: Claims) -> Delegated:
        """What a token of a trust amounts to: the trust's roles, as long as the trustor has every one of them."""
        trust = self._in_force(claims.trust_id or "")
        if claims.user_id != trust.trustee_user_id:
            raise Forbidden("User is not a trustee.")
        if claims.project_id != trust.project_id:
            raise Unauthenticated("The trust is for another project.")
        self._check_chain(trust)
        role_ids = closure(self._store.db, rows.trust_role_ids(self._store.db, trust.id))
        if trust.project_id is not None:
            held = self._held(self._origin(trust).trustor_user_id, trust.project_id)
            if not role_ids or not role_ids <= held:
                raise Forbidden("Trustee has no delegated roles.")
        shown = TrustInToken(trust.id, trust.impersonation, trust.trustor_user_id, trust.trustee_user_id)
        return Delegated(
            self._assignments.with_implied(role_ids),
            user_id=trust.trustor_user_id if trust.impersonation else None,
            trust=shown,
        )

    def _in_force(self, trust_id: str) -> Trust:
        """The trust, its uses spent or not: a token that has taken the last one is valid."""
        trust = find(self._store.db, TRUSTS, trust_id)
        if trust is None or trust.deleted_at is not None or self._expired(trust):
            raise Unauthenticated("The trust is gone.")
        return trust

    def _check_chain(self, trust: Trust) -> None:
        """Every trustor up to the first one must still be there and enabled, and every trust in force."""
        step: Trust | None = trust
        while step is not None:
            trustor = find(self._store.db, USERS, step.trustor_user_id)
            if trustor is None or not trustor.enabled:
                raise Forbidden("Trustor is disabled.")
            parent_id = step.redelegated_trust_id
            step = self._in_force(parent_id) if parent_id is not None else None

    def _origin(self, trust: Trust) -> Trust:
        """The first trust of the chain: whose roles they are in the end."""
        while trust.redelegated_trust_id is not None:
            trust = self._in_force(trust.redelegated_trust_id)
        return trust

    def _held(self, user_id: str, project_id: str) -> set[str]:
        return self._assignments.project_role_ids(user_id, project_id)

    def _require_roles(self, user_id: str, project_id: str | None, role_ids: list[str]) -> None:
        held = set()
        if project_id is not None:
            self._projects.get(project_id)
            held = self._held(user_id, project_id)
        for role_id in role_ids:
            if role_id not in held:
                raise NotFound(f"Could not find role: {role_id}.")

    def _role_id(self, reference: Record) -> str:
        if reference.get("id"):
            return str(reference["id"])
        role = role_by_name(self._store.db, str(reference.get("name")))
        if role is None:
            raise NotFound(f"Could not find role: {reference.get('name')}.")
        return role.id

    def _expired(self, trust: Trust) -> bool:
        return trust.expires_at is not None and trust.expires_at <= self._store.clock()

    def _spent(self, trust: Trust) -> bool:
        return self._expired(trust) or trust.remaining_uses == 0

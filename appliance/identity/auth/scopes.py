"""What a client asks a token to be good for, and what that is once names are looked up."""

from dataclasses import dataclass, replace
from typing import Any

from appliance.db.identity.projects import Project
from appliance.db.records import Record
from appliance.errors import Invalid, Unauthenticated
from appliance.identity.lookup import Lookup
from appliance.identity.tokens.token import Claims

TRUST = "OS-TRUST:trust"
_KINDS = ("project", "domain", "system", TRUST, "unscoped")


@dataclass(frozen=True, slots=True)
class Scope:
    """At most one of these is set; none is a token without scope."""

    project_id: str | None = None
    domain_id: str | None = None
    system: bool = False
    trust_id: str | None = None

    def onto(self, claims: Claims) -> Claims:
        return replace(
            claims,
            project_id=self.project_id,
            domain_id=self.domain_id,
            system="all" if self.system else None,
            trust_id=self.trust_id,
        )


UNSCOPED = Scope()


def resolve(lookup: Lookup, asked: Any) -> Scope | None:
    """The scope that `auth.scope` asks for; None if it asks for none, so that the default may be used.

    Everything that can't be found or used is the same `Unauthenticated`.
    """
    if asked is None:
        return None
    if asked == "unscoped":
        return UNSCOPED
    if not isinstance(asked, dict) or len([kind for kind in _KINDS if kind in asked]) != 1:
        raise Invalid(f"Expecting to find exactly one of {', '.join(_KINDS)} in scope.")
    if "unscoped" in asked:
        return UNSCOPED
    if "system" in asked:
        return Scope(system=True)
    if TRUST in asked:
        trust_id = asked[TRUST].get("id")
        if not trust_id:
            raise Invalid(f"Expecting to find id in {TRUST}.")
        return Scope(trust_id=trust_id)
    if "domain" in asked:
        return Scope(domain_id=find_domain(lookup, asked["domain"]).id)
    return Scope(project_id=_find_project(lookup, asked["project"]).id)


def find_domain(lookup: Lookup, reference: Record) -> Project:
    """The domain that `{"id": …}` or `{"name": …}` refers to. Raises `Unauthenticated`."""
    if reference.get("name"):
        found = lookup.domain_named(reference["name"])
    elif reference.get("id"):
        found = lookup.project(reference["id"])
    else:
        raise Invalid("Expecting to find id or name in domain.")
    if found is None or not found.is_domain or not found.enabled:
        raise Unauthenticated("The domain is not there or disabled.")
    return found


def _find_project(lookup: Lookup, reference: Record) -> Project:
    if reference.get("name"):
        if "domain" not in reference:
            raise Invalid("Expecting to find domain in project.")
        found = lookup.project_named(reference["name"], find_domain(lookup, reference["domain"]).id)
    elif reference.get("id"):
        found = lookup.project(reference["id"])
    else:
        raise Invalid("Expecting to find id or name in project.")
    if found is None or found.domain_id is None or not found.enabled:
        raise Unauthenticated("The project is not there or disabled.")
    return found

"""What identity policies are told: of the caller, of the scope of the token, and of the thing acted upon."""

from collections.abc import Mapping
from typing import Any

from appliance.identity.tokens.token import Token
from appliance.policy.language import MISSING, Credentials, step

Target = Mapping[str, Any]
"""What is known of the thing acted upon, under Keystone's names; a record stands for all its fields: `target.user` for
`target.user.domain_id`. Of what a name is missing, no rule is true."""
NOTHING: Target = {}


def scope_of(token: Token) -> str:
    """An unscoped token counts as one of a project, as oslo.policy has it."""
    if token.system:
        return "system"
    return "domain" if token.domain is not None else "project"


def credentials(token: Token) -> Credentials:
    """What rules may ask of a token."""
    project = token.project
    return {
        "user_id": token.user.id,
        "user_domain_id": token.user.domain.id,
        "project_id": project.id if project else None,
        "project_domain_id": project.domain.id if project else None,
        "domain_id": token.domain_id,
        "system_scope": "all" if token.system else None,
        "roles": frozenset(role.name.lower() for role in token.roles),
        "token": token,
        "is_admin_project": True,
        "service_user_id": None,
        "service_user_domain_id": None,
        "service_project_id": None,
        "service_project_domain_id": None,
        "service_roles": (),
    }


class Looked:
    """A target that finds the fields of records behind the dots of a name, and what they have in `extra`."""

    def __init__(self, known: Target) -> None:
        self._known = known

    def get(self, name: str, default: Any = None, /) -> Any:
        found = self._known.get(name, MISSING)
        if found is not MISSING:
            return found
        of, dot, last = name.rpartition(".")
        record = self.get(of, MISSING) if dot else MISSING
        if record is MISSING:
            return default
        found = step(record, last)
        return step(getattr(record, "extra", {}), last, default) if found is MISSING else found

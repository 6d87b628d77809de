"""What a token carries: the claims of Keystone's `jws` provider, and one of ours for the fraction of a second."""

import base64
import uuid
from dataclasses import dataclass, replace
from typing import Any

from appliance.errors import Unauthenticated
from appliance.values import Micros

SECOND = 1_000_000
_STAMP = "appliance_issued_micros"
_OPTIONAL = {
    "openstack_system": "system",
    "openstack_domain_id": "domain_id",
    "openstack_project_id": "project_id",
    "openstack_trust_id": "trust_id",
    "openstack_app_cred_id": "application_credential_id",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Claims:
    """A token before roles, names and the catalog are looked up. `user_id` is who authenticated."""

    user_id: str
    methods: tuple[str, ...]
    audit_ids: tuple[str, ...]
    issued_at: Micros
    """By the clock, for whoever reads it; what came before what is for the stamp to say."""
    expires_at: Micros
    stamp: Micros
    system: str | None = None
    domain_id: str | None = None
    project_id: str | None = None
    trust_id: str | None = None
    application_credential_id: str | None = None

    def until(self, at: Micros | None) -> "Claims":
        """The same, ending at `at` if that is earlier."""
        return self if at is None else replace(self, expires_at=min(self.expires_at, at // SECOND * SECOND))

    def payload(self) -> dict[str, Any]:
        """As they are signed."""
        payload: dict[str, Any] = {
            "sub": self.user_id,
            "iat": self.issued_at // SECOND,
            "exp": self.expires_at // SECOND,
            "openstack_methods": list(self.methods),
            "openstack_audit_ids": list(self.audit_ids),
            _STAMP: self.stamp,
        }
        for claim, attribute in _OPTIONAL.items():
            value = getattr(self, attribute)
            if value is not None:
                payload[claim] = value
        return payload


def from_payload(payload: dict[str, Any]) -> Claims:
    """Read signed claims. Raises `Unauthenticated` for a shape that we never sign."""
    try:
        issued = int(payload["iat"]) * SECOND
        optional = {attribute: payload.get(claim) for claim, attribute in _OPTIONAL.items()}
        if not all(value is None or isinstance(value, str) for value in optional.values()):
            raise TypeError("a scope is text")
        return Claims(
            user_id=str(payload["sub"]),
            methods=tuple(str(method) for method in payload["openstack_methods"]),
            audit_ids=tuple(str(audit_id) for audit_id in payload["openstack_audit_ids"]),
            issued_at=issued,
            expires_at=int(payload["exp"]) * SECOND,
            stamp=int(payload.get(_STAMP, issued)),
            **optional,
        )
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise Unauthenticated("The token does not say what a token says.") from error


def new_audit_id() -> str:
    return base64.urlsafe_b64encode(uuid.uuid4().bytes).rstrip(b"=").decode()

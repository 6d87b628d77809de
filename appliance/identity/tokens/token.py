"""A token: what it says of its user, scope and roles, and the claims that are signed."""

import base64
import uuid
from dataclasses import dataclass, field, replace
from typing import Any

from appliance.errors import Unauthenticated
from appliance.values import Caller, Micros

PRIMARY_METHODS = frozenset({"external", "kerberos", "mapped", "openid", "password", "saml2", "token", "totp", "x509"})
"""The methods by which users show themselves who they are. A token of any other, also of one that is only known to
the Keystone that issued it, was made from something that they handed out."""


@dataclass(frozen=True, slots=True)
class Named:
    """A thing as tokens show it: `{"id": …, "name": …}`."""

    id: str
    name: str


@dataclass(frozen=True, slots=True)
class UserInToken:
    id: str
    name: str
    domain: Named
    password_expires_at: Micros | None


@dataclass(frozen=True, slots=True)
class ProjectInToken:
    id: str
    name: str
    domain: Named
    is_domain: bool


@dataclass(frozen=True, slots=True)
class TrustInToken:
    id: str
    impersonation: bool
    trustor_user_id: str
    trustee_user_id: str


@dataclass(frozen=True, slots=True)
class ApplicationCredentialInToken:
    id: str
    name: str
    unrestricted: bool
    access_rules: tuple[dict[str, Any], ...]


@dataclass(frozen=True, slots=True)
class FederationInToken:
    """By whom a user was vouched for. `groups` are the ids of those that the log-in has put them into; it is None for
    a user of our own, whom the mapping has only named."""

    identity_provider: str
    protocol: str
    groups: tuple[str, ...] | None


@dataclass(frozen=True, slots=True)
class AccessTokenInToken:
    """Of OAuth 1.0a."""

    id: str
    consumer_id: str


@dataclass(frozen=True, slots=True)
class Token:
    """A valid token. `user` is who acts: the trustor, if a trust lets the trustee impersonate them."""

    text: str = field(repr=False)
    authenticated_user_id: str
    """Who authenticated: the trustee, in a token of a trust."""
    user: UserInToken
    methods: tuple[str, ...]
    audit_ids: tuple[str, ...]
    issued_at: Micros
    expires_at: Micros
    project: ProjectInToken | None = None
    domain: Named | None = None
    system: bool = False
    roles: tuple[Named, ...] = ()
    trust: TrustInToken | None = None
    application_credential: ApplicationCredentialInToken | None = None
    access_token: AccessTokenInToken | None = None
    federation: FederationInToken | None = None

    @property
    def idp_id(self) -> str | None:
        """The identity provider whose groups count for this token."""
        return self.federation.identity_provider if self.federation is not None else None

    @property
    def project_id(self) -> str | None:
        return self.project.id if self.project else None

    @property
    def domain_id(self) -> str | None:
        return self.domain.id if self.domain else None

    @property
    def scoped(self) -> bool:
        return self.project is not None or self.domain is not None or self.system

    @property
    def delegated(self) -> bool:
        """Whether it acts in someone's name without being their own log-in: made by a trust, an application
        credential, a signed request, or from a token of one of these."""
        handed_out = self.trust is not None or self.application_credential is not None
        return handed_out or self.delegated_by_method

    @property
    def delegated_by_method(self) -> bool:
        """Whether another than a primary method made it, whatever its scope. A log-in by a protocol bears its name."""
        own = PRIMARY_METHODS if self.federation is None else PRIMARY_METHODS | {self.federation.protocol}
        return not self.methods or not own.issuperset(self.methods)

    def has_role(self, name: str) -> bool:
        return any(role.name.lower() == name for role in self.roles)

    def caller(self) -> Caller:
        """The same, as the image package needs to know it."""
        project = self.project
        return Caller(
            user_id=self.user.id,
            project_id=self.project_id,
            domain_id=self.domain_id,
            system=self.system,
            roles=frozenset(role.name.lower() for role in self.roles),
            user_name=self.user.name,
            user_domain_id=self.user.domain.id,
            project_name=project.name if project else None,
            project_domain_id=project.domain.id if project else None,
            token=self.text,
        )


SECOND = 1_000_000
_STAMP = "appliance_issued_micros"
_OPTIONAL = {
    "openstack_system": "system",
    "openstack_domain_id": "domain_id",
    "openstack_project_id": "project_id",
    "openstack_trust_id": "trust_id",
    "openstack_app_cred_id": "application_credential_id",
    "openstack_idp_id": "idp_id",
    "openstack_protocol_id": "protocol_id",
    "openstack_access_token_id": "access_token_id",
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
    access_token_id: str | None = None
    idp_id: str | None = None
    """The identity provider that has vouched for the user, by `protocol_id`."""
    protocol_id: str | None = None

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

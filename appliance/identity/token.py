"""What a token says once it has been validated: who acts, where, and with which roles. The identity API's caller."""

from dataclasses import dataclass, field
from typing import Any

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
        """Whether another than a primary method made it, whatever its scope."""
        return not self.methods or not PRIMARY_METHODS.issuperset(self.methods)

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

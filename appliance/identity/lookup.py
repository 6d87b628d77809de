"""What a log-in or the validation of a token has to know of a user, a scope and the domains of both.

Made anew for each, it reads each row once, and all that follows sees the same. What changes meanwhile does no harm: a
token's stamp is taken before anything is looked at, and a change that ends tokens leaves a revocation.
"""

from collections.abc import Callable

from appliance.db.engine.base import Row
from appliance.db.identity import projects as project_rows
from appliance.db.identity import users as user_rows
from appliance.db.identity.federation import (
    IdentityProvider,
    Protocol,
    groups_of_login,
    identities,
    identity_provider,
    is_vouched_for,
    protocol,
)
from appliance.db.identity.projects import PROJECTS, Project
from appliance.db.identity.users import USERS, User
from appliance.db.records import find
from appliance.errors import Unauthenticated
from appliance.identity.store import IdentityStore


class Lookup:
    def __init__(self, store: IdentityStore) -> None:
        self.generation = store.generation
        self._reader = store.db
        self._users: dict[str, User | None] = {}
        self._projects: dict[str, Project | None] = {}
        self._passwords: dict[str, Row | None] = {}

    def user(self, user_id: str) -> User | None:
        if user_id not in self._users:
            self._users[user_id] = find(self._reader, USERS, user_id)
        return self._users[user_id]

    def user_named(self, name: str, domain_id: str) -> User | None:
        known = (user for user in self._users.values() if user and (user.name, user.domain_id) == (name, domain_id))
        user = next(known, None) or user_rows.by_name(self._reader, name, domain_id)
        if user is not None:
            self._users[user.id] = user
        return user

    def display_name(self, user: User) -> str:
        """What the user is called: by an identity provider, if a log-in has made them."""
        known = identities(self._reader, user.id) if user.is_federated else []
        return known[0].display_name if known else user.name

    def login_groups(self, user_id: str, idp_id: str, protocol_id: str) -> tuple[str, ...] | None:
        """The groups that a log-in has put a user into; None for one of our own, whom it has only named."""
        known = any((one.idp_id, one.protocol_id) == (idp_id, protocol_id) for one in identities(self._reader, user_id))
        return tuple(groups_of_login(self._reader, user_id, idp_id)) if known else None

    def password(self, user_id: str) -> Row | None:
        """The password in force."""
        if user_id not in self._passwords:
            self._passwords[user_id] = user_rows.password(self._reader, user_id)
        return self._passwords[user_id]

    def project(self, project_id: str) -> Project | None:
        """A project or domain."""
        if project_id not in self._projects:
            self._projects[project_id] = find(self._reader, PROJECTS, project_id)
        return self._projects[project_id]

    def project_named(self, name: str, domain_id: str) -> Project | None:
        return self._named(
            lambda one: (one.name, one.domain_id) == (name, domain_id),
            lambda: project_rows.by_name(self._reader, name, domain_id),
        )

    def domain_named(self, name: str) -> Project | None:
        return self._named(
            lambda one: one.is_domain and one.name == name, lambda: project_rows.domain_by_name(self._reader, name)
        )

    def _named(self, fits: Callable[[Project], bool], read: Callable[[], Project | None]) -> Project | None:
        project = next((one for one in self._projects.values() if one is not None and fits(one)), None) or read()
        if project is not None:
            self._projects[project.id] = project
        return project

    # -- what tokens can be of

    def usable_user(self, user_id: str) -> User:
        """The user, if they may use tokens. Raises `Unauthenticated`."""
        user = self.user(user_id)
        if user is None or not user.enabled:
            raise Unauthenticated("The user is gone or disabled.")
        if user.is_federated and not is_vouched_for(self._reader, user.id):
            raise Unauthenticated("No identity provider vouches for the user any more.")
        self.usable_domain(user.domain_id)
        return user

    def usable_project(self, project_id: str) -> Project:
        project = self.project(project_id)
        if project is None or not project.enabled:
            raise Unauthenticated("The project is gone or disabled.")
        if project.domain_id is not None:
            self.usable_domain(project.domain_id)
        return project

    def usable_domain(self, domain_id: str) -> Project:
        domain = self.project(domain_id)
        if domain is None or not domain.is_domain or not domain.enabled:
            raise Unauthenticated("The domain is gone or disabled.")
        return domain

    def usable_protocol(self, idp_id: str, protocol_id: str) -> tuple[IdentityProvider, Protocol]:
        """The identity provider and its protocol, if it may vouch for users."""
        found, provider = protocol(self._reader, idp_id, protocol_id), identity_provider(self._reader, idp_id)
        if found is None or provider is None or not provider.enabled:
            raise Unauthenticated("The identity provider or its protocol is gone or disabled.")
        self.usable_domain(provider.domain_id)
        return provider, found

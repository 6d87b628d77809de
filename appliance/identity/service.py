"""The identity package put together: what the APIs and the composition root see of them."""

from dataclasses import replace
from pathlib import Path

from appliance.db.engine.base import Database
from appliance.db.identity.users import User
from appliance.db.records import Filter
from appliance.errors import Forbidden, Invalid, Unauthenticated, WrongUsage
from appliance.identity.auth.authentication import METHODS, Authentication, Receipts
from appliance.identity.auth.compliance import Compliance
from appliance.identity.auth.ec2 import METHOD as EC2_METHOD
from appliance.identity.auth.ec2 import Ec2Authentication
from appliance.identity.auth.hash_queue import HashQueue
from appliance.identity.auth.methods import (
    ApplicationCredentialMethod,
    MappedMethod,
    Method,
    PasswordMethod,
    TokenMethod,
)
from appliance.identity.auth.oauth1 import METHOD as OAUTH1_METHOD
from appliance.identity.auth.oauth1 import OAuth1Method, Signatures
from appliance.identity.auth.passwords import DEFAULT_COST, Cost, Passwords
from appliance.identity.auth.shared_throttle import SharedThrottle
from appliance.identity.auth.throttle import Allowed, Throttle
from appliance.identity.auth.totp import Once, TotpMethod
from appliance.identity.bootstrap import ADMIN, DEFAULT_DOMAIN, Bootstrap, administrators, has_password
from appliance.identity.catalog.catalog import Catalog
from appliance.identity.catalog.entries import Endpoints, Regions, Services
from appliance.identity.catalog.filters import EndpointGroups, ProjectEndpoints
from appliance.identity.federation.login import FederatedLogIn
from appliance.identity.federation.openid import Fetch, OpenIdProviders, fetch_nothing, parse
from appliance.identity.federation.providers import IdentityProviders, Mappings, Protocols, ServiceProviders
from appliance.identity.legacy import LegacyMemberRole, V2Endpoints
from appliance.identity.lookup import Lookup
from appliance.identity.policy.checks import NOTHING, Looked, Target, credentials, scope_of
from appliance.identity.policy.rules import identity_policies
from appliance.identity.resources.application_credentials import ApplicationCredentials, permit
from appliance.identity.resources.assignments import AssignmentList, Assignments, Grants
from appliance.identity.resources.credentials import Credentials, Ec2Credentials
from appliance.identity.resources.domain_configs import DomainConfigs
from appliance.identity.resources.groups import Groups
from appliance.identity.resources.limits import Limits, RegisteredLimits
from appliance.identity.resources.oauth1 import Consumers, OAuthTokens
from appliance.identity.resources.policies import EndpointPolicies, Policies
from appliance.identity.resources.projects import Domains, Projects
from appliance.identity.resources.roles import ImpliedRoles, Roles
from appliance.identity.resources.trusts import Trusts
from appliance.identity.resources.users import Users
from appliance.identity.store import IdentityStore
from appliance.identity.tokens.keyring import Keyring, Sealer
from appliance.identity.tokens.revocations import Revocations, SharedStamps, Stamps
from appliance.identity.tokens.token import SECOND, Token
from appliance.identity.tokens.tokens import Tokens
from appliance.settings import Settings
from appliance.values import Caller, Clock, SteadyClock, elapsed


class Identity:
    """One identity service: its parts, by name, on one database and one directory of keys."""

    def __init__(
        self,
        db: Database,
        keys_dir: Path,
        settings: Settings,
        clock: Clock,
        *,
        password_cost: Cost = DEFAULT_COST,
        elapsed: Clock = elapsed,
        fetch: Fetch = fetch_nothing,
        shared_key: bytes | None = None,
    ) -> None:
        """`fetch` reads the keys of OpenID providers. With a `shared_key`, others who have it serve the same users from
        the same database."""
        self._clock = clock
        self.rules = identity_policies(settings)
        self._longest_life = (settings.token_lifetime + settings.allow_expired_window) * SECOND
        shared = shared_key is not None
        store = IdentityStore(db, clock, shared=shared)
        self.store = store
        self.keyring = Keyring(keys_dir, clock())
        hashing = HashQueue(settings.password_threads, settings.password_queue)
        self.passwords = Passwords(password_cost, settings.max_password_length, hashing)
        self.compliance = Compliance(store, self.passwords, settings, SteadyClock(clock, elapsed))
        allowed = Allowed(
            pair=settings.failed_logins,
            account=settings.failed_logins_account,
            address=settings.failed_logins_address,
            delay=settings.failed_logins_delay,
        )
        self.throttle = Throttle(allowed, elapsed) if shared_key is None else SharedThrottle(db, shared_key, allowed)
        self.assignments = Assignments(store)
        self._stamps = SharedStamps(store) if shared else Stamps(store)
        self.revocations = Revocations(store, self._stamps, self._longest_life, elapsed)
        self.projects = Projects(store, self.revocations, settings.max_project_tree_depth)
        self.trusts = Trusts(store, self.assignments, self.projects, settings.max_redelegation_count)
        self.application_credentials = ApplicationCredentials(
            store, self.assignments, self.passwords, settings.user_credential_limit
        )
        self.sealer = Sealer(keys_dir)
        self.consumers = Consumers(store)
        self.oauth_tokens = OAuthTokens(store, self.assignments, self.sealer, settings)
        self.tokens = Tokens(
            store,
            self.keyring,
            self.assignments,
            self.revocations,
            lifetime=settings.token_lifetime,
            expired_window=settings.allow_expired_window,
            stamps=self._stamps,
            trusts=self.trusts.delegated,
            application_credentials=self.application_credentials.delegated,
            access_tokens=self.oauth_tokens.delegated,
            federated=settings.identity_mode == "own",
        )
        self._make_authentication(settings)
        self._make_resources()
        self._make_catalog(settings)
        self._make_federation(settings, fetch)

    def _make_authentication(self, settings: Settings) -> None:
        """The ways in."""
        store = self.store
        once = Once(store)
        self.oauth_signatures = Signatures(self.consumers, self.oauth_tokens, once)
        receipts = Receipts(store, self.keyring, self.revocations, self._stamps, once, settings.receipt_lifetime)
        methods: dict[str, Method] = {
            "password": PasswordMethod(store, self.passwords, self.compliance),
            "token": TokenMethod(self.tokens),
            "mapped": MappedMethod(TokenMethod(self.tokens)),
            "application_credential": ApplicationCredentialMethod(self.application_credentials),
            OAUTH1_METHOD: OAuth1Method(self.oauth_signatures, self.oauth_tokens),
            "totp": TotpMethod(store, self.compliance, once, self._totp_seeds),
        }
        wanted = _wanted_methods(settings)
        self.authentication = Authentication(
            store,
            self.assignments,
            self.tokens,
            self.trusts,
            receipts,
            {name: method for name, method in methods.items() if name in wanted},
            self.throttle,
            self.compliance,
            totp_alone=settings.totp_alone,
        )

    def _make_resources(self) -> None:
        """People, places, roles, and who has which where."""
        store = self.store
        self.users = Users(store, self.revocations, self.compliance, self.passwords, self.throttle)
        self.groups = Groups(store, self.revocations)
        self.domains = Domains(store, self.projects, self.revocations)
        self.roles = Roles(store)
        self.implied_roles = ImpliedRoles(store, self.roles)
        self.grants = Grants(store, self.users, self.groups, self.projects, self.domains, self.roles)
        self.assignment_list = AssignmentList(store)

    def _make_catalog(self, settings: Settings) -> None:
        """The catalog and what hangs on it."""
        store = self.store
        self.regions = Regions(store)
        self.services = Services(store)
        self.endpoints = Endpoints(store, self.regions)
        self.endpoint_groups = EndpointGroups(store, self.projects)
        self.project_endpoints = ProjectEndpoints(store, self.endpoints, self.projects)
        self.catalog = Catalog(store, self.project_endpoints)
        self.policies = Policies(store)
        self.endpoint_policies = EndpointPolicies(store, self.policies, self.services, self.regions, self.endpoints)
        self.credentials = Credentials(store, self.sealer)
        self.ec2_credentials = Ec2Credentials(self.credentials)
        self.ec2_authentication = Ec2Authentication(
            store,
            self.ec2_credentials,
            self.tokens,
            self.trusts,
            self.throttle,
            enabled=EC2_METHOD in settings.auth_methods,
        )
        self.registered_limits = RegisteredLimits(store)
        self.limits = Limits(store)
        self.domain_configs = DomainConfigs(store, settings)
        self.v2_endpoints = V2Endpoints(store, self.regions)
        self.legacy_member_role = LegacyMemberRole(store, self.roles, self.grants)

    def _make_federation(self, settings: Settings, fetch: Fetch) -> None:
        """Who else may say who somebody is, and who takes our word for it."""
        store = self.store
        self.identity_providers = IdentityProviders(
            store, self.revocations, self._stamps, settings.default_authorization_ttl
        )
        self.mappings = Mappings(store)
        self.protocols = Protocols(store, self.identity_providers, self.revocations, self._stamps)
        self.service_providers = ServiceProviders(store)
        self.federated_log_in = FederatedLogIn(
            store,
            (self.identity_providers, self.protocols, self.mappings),
            OpenIdProviders(parse(settings.openid_options), fetch),
            self.authentication,
            self.projects,
            self.revocations,
            enabled="mapped" in settings.auth_methods,
        )

    def bootstrapped(self) -> bool:
        """Whether the first rows are there."""
        return Bootstrap(self.store, self.passwords).done()

    def bootstrap(self, password: str, region: str) -> None:
        """Make the first rows: domain, admin with this password, roles, catalog. Does nothing where they are there."""
        if not self.bootstrapped():
            Bootstrap(self.store, self.passwords).run(password, region)

    def restore_administrator(self, password: str | None, region: str) -> None:
        """Make or enable whatever of the first rows is missing or disabled. With a password, the admin gets it.

        Raises `Invalid` if there is no admin and no password.
        """
        first = Bootstrap(self.store, self.passwords)
        found = first.admin()
        if found is None and password is None:
            raise Invalid("A new administrator needs a password.")
        first.run(password or "", region)
        if found is not None:
            changes = {"enabled": True} | ({"password": password} if password is not None else {})
            self.users.update(found.id, changes)

    def is_password_of_admin(self, password: str) -> bool:
        """Whether it is; counts as no attempt to log in."""
        return has_password(self.store.db, self.passwords, ADMIN, DEFAULT_DOMAIN, password)

    def administrators(self) -> list[User]:
        """The users who could log in and manage everything."""
        return administrators(self.store.db)

    def first_admin(self) -> Caller:
        """Whoever acts for the appliance itself: an admin on the project of the same name."""
        projects = self.projects.search([Filter("name", "admin"), Filter("domain_id", DEFAULT_DOMAIN)])
        project_id = projects[0].id if projects else None
        return Caller(user_id="appliance", project_id=project_id, roles=frozenset(("admin", "member", "reader")))

    def log_in_first_admin(self) -> Token:
        """A token of an administrator on the project `admin`, for whoever has shown to own the process."""
        administrators = self.administrators()
        if not administrators:
            raise Unauthenticated("There is no administrator.")
        stamp = self.tokens.stamp()
        claims = self.tokens.claims(administrators[0].id, ("external",), stamp)
        return self.tokens.issue(Lookup(self.store), replace(claims, project_id=self.first_admin().project_id))

    def validate(self, text: str, method: str = "", path: str = "") -> Caller:
        """Who a token stands for, as the image package needs to know it. Raises `Unauthenticated`.

        `method` and `path` are what the token is used for: one whose application credential has access rules is only
        valid for what they permit on the image service.
        """
        token = self.tokens.validate(text)
        self.check_access(token, "image", method, path)
        return token.caller()

    def _totp_seeds(self, user_id: str) -> list[str]:
        """The seeds of a user's credentials of type `totp`."""
        return [credential.blob for credential in self.credentials.of_user(user_id, "totp")]

    def check_access(self, token: Token, service: str, method: str, path: str) -> None:
        """Raise `Unauthenticated` if the token's application credential has rules and none permits this."""
        credential = token.application_credential
        if credential is None or not credential.access_rules:
            return
        if not permit(credential.access_rules, service, method, path):
            raise Unauthenticated("The application credential's access rules do not permit this.")

    def enforce(self, token: Token, action: str, target: Target = NOTHING) -> None:
        """Raise `Forbidden` unless the token may do `action` to the target."""
        if not self.allows(token, action, target):
            raise Forbidden(f"You are not authorized to perform the requested action: {action}.")

    def allows(self, token: Token, action: str, target: Target = NOTHING) -> bool:
        return self.rules.allows(action, credentials(token), Looked(target), scope_of(token))

    def reload_keys(self) -> None:
        """Read the keys again, after someone else has changed their files."""
        self.keyring.reload()
        self.sealer.reload()

    def rotate_keys(self) -> None:
        """Sign tokens with a new key from now on. Tokens in use stay valid until they end."""
        self.keyring.rotate(self._clock(), self._longest_life)


def _wanted_methods(settings: Settings) -> frozenset[str]:
    """What `auth_methods` asks for. Raises `WrongUsage` for a method that the appliance has not."""
    wanted = frozenset(settings.auth_methods)
    unknown = sorted(wanted - METHODS)
    if unknown:
        raise WrongUsage(
            f"auth_methods: there is no method {', '.join(unknown)}; there are {', '.join(sorted(METHODS))}"
        )
    return wanted

"""What every identity service begins with, and who can always get in: the administrators."""

from dataclasses import replace
from typing import TypeVar

from appliance.db.engine.base import Database, Reader, Tx
from appliance.db.identity import catalog as catalog_rows
from appliance.db.identity import grants as grant_rows
from appliance.db.identity import projects as project_rows
from appliance.db.identity import users as user_rows
from appliance.db.identity.grants import ROLES as ROLE_TABLE
from appliance.db.identity.grants import SYSTEM, Grant, Role
from appliance.db.identity.projects import PROJECTS, Project
from appliance.db.identity.users import USERS, User
from appliance.db.records import Table, find, find_many, insert, select, update
from appliance.identity.auth.passwords import Passwords
from appliance.identity.catalog.catalog import IDENTITY_PLACEHOLDER, IMAGE_PLACEHOLDER
from appliance.identity.resources.assignments import AssignmentList, Wanted
from appliance.identity.store import IdentityStore
from appliance.values import new_hex_id, now

DEFAULT_DOMAIN = "default"
ADMIN = "admin"
"""The name of the first administrator, of the project and of the role."""
ROLES = ("reader", "member", "manager", "admin", "service")
_IMPLICATIONS = (("admin", "manager"), ("manager", "member"), ("member", "reader"))
_SERVICES = (("identity", "keystone", f"{IDENTITY_PLACEHOLDER}/v3"), ("image", "glance", IMAGE_PLACEHOLDER))
_INTERFACES = ("public", "internal", "admin")


class Bootstrap:
    """Makes what is missing, enables what is disabled and changes nothing else, so that it can run again."""

    def __init__(self, store: IdentityStore, passwords: Passwords) -> None:
        self._store = store
        self._passwords = passwords

    def done(self) -> bool:
        return find(self._store.db, PROJECTS, DEFAULT_DOMAIN) is not None

    def admin(self) -> User | None:
        """The user admin of the default domain, if there is one."""
        return user_rows.by_name(self._store.db, ADMIN, DEFAULT_DOMAIN)

    def run(self, password: str, region: str) -> None:
        """The default domain, the admin, the roles and the catalog. An admin who is there keeps the old password."""
        hashed = self._passwords.hash(password)

        def change(tx: Tx) -> None:
            self._domain(tx)
            project = self._project(tx, ADMIN, "Project of the first administrator.")
            self._project(tx, "service", "Project of the users that services act as.")
            user = self._user(tx, hashed)
            roles = self._roles(tx)
            for target_type, target_id in (("project", project.id), ("system", SYSTEM)):
                grant_rows.add(tx, Grant("user", user.id, target_type, target_id, roles[ADMIN]))
            self._catalog(tx, region)

        self._store.transact(change)

    def _domain(self, tx: Tx) -> None:
        domain = Project(id=DEFAULT_DOMAIN, name="Default", is_domain=True, description="The default domain")
        found = find(tx, PROJECTS, DEFAULT_DOMAIN)
        if found is None:
            insert(tx, PROJECTS, domain)
        else:
            _enable(tx, PROJECTS, found)

    def _project(self, tx: Tx, name: str, description: str) -> Project:
        found = project_rows.by_name(tx, name, DEFAULT_DOMAIN)
        if found is not None:
            return _enable(tx, PROJECTS, found)
        project = Project(
            id=new_hex_id(), name=name, domain_id=DEFAULT_DOMAIN, parent_id=DEFAULT_DOMAIN, description=description
        )
        insert(tx, PROJECTS, project)
        return project

    def _user(self, tx: Tx, hashed: str) -> User:
        found = user_rows.by_name(tx, ADMIN, DEFAULT_DOMAIN)
        if found is not None:
            return _enable(tx, USERS, found)
        now = self._store.clock()
        user = User(id=new_hex_id(), name=ADMIN, domain_id=DEFAULT_DOMAIN, created_at=now)
        insert(tx, USERS, user)
        user_rows.add_password(tx, user.id, hashed, self_service=False, created_at=now, expires_at=None, keep=1)
        return user

    def _roles(self, tx: Tx) -> dict[str, str]:
        ids: dict[str, str] = {}
        for name in ROLES:
            found = grant_rows.by_name(tx, name)
            if found is None:
                found = Role(id=new_hex_id(), name=name, options={"immutable": True})
                insert(tx, ROLE_TABLE, found)
            ids[name] = found.id
        for prior, implied in _IMPLICATIONS:
            grant_rows.imply(tx, ids[prior], ids[implied])
        return ids

    def _catalog(self, tx: Tx, region: str) -> None:
        if find(tx, catalog_rows.REGIONS, region) is None:
            insert(tx, catalog_rows.REGIONS, catalog_rows.Region(id=region, description=""))
        known = {service.type: service.id for service in select(tx, catalog_rows.SERVICES)}
        reachable = {endpoint.service_id for endpoint in select(tx, catalog_rows.ENDPOINTS)}
        for service_type, name, url in _SERVICES:
            service_id = known.get(service_type) or new_hex_id()
            if service_type not in known:
                service = catalog_rows.Service(id=service_id, type=service_type, name=name)
                insert(tx, catalog_rows.SERVICES, service)
            for interface in _INTERFACES if service_id not in reachable else ():
                endpoint = catalog_rows.Endpoint(
                    id=new_hex_id(), service_id=service_id, region_id=region, interface=interface, url=url
                )
                insert(tx, catalog_rows.ENDPOINTS, endpoint)


Switched = TypeVar("Switched", User, Project)


def _enable(tx: Tx, table: Table[Switched], row: Switched) -> Switched:
    if not row.enabled:
        row = replace(row, enabled=True)
        update(tx, table, row)
    return row


def administrators(db: Database) -> list[User]:
    """The users who have a password and the role admin, by whatever way, on something; all of it enabled."""
    role = grant_rows.by_name(db, ADMIN)
    if role is None:
        return []
    wanted = Wanted(role_id=role.id, effective=True)
    grants = [one.grant for one in AssignmentList(IdentityStore(db, now)).search(wanted)]
    ids = {grant.actor_id for grant in grants if _is_open(db, grant)}
    return [
        user
        for user in find_many(db, USERS, sorted(ids))
        if user.enabled and _is_enabled(db, user.domain_id) and user_rows.password(db, user.id) is not None
    ]


def has_users(db: Database) -> bool:
    """Whether the first rows were ever made; a database that was rebuilt has none until the next start."""
    return find(db, PROJECTS, DEFAULT_DOMAIN) is not None


def has_password(db: Reader, passwords: Passwords, name: str, domain_id: str, password: str) -> bool:
    """Whether this is the user's password. Counts as no attempt to log in."""
    user = user_rows.by_name(db, name, domain_id)
    stored = user_rows.password(db, user.id) if user is not None else None
    return stored is not None and passwords.verify(password, stored["hash"])


def _is_open(db: Database, grant: Grant) -> bool:
    """Whether a token for what the grant is on can be had."""
    return grant.target_type == "system" or _is_enabled(db, grant.target_id)


def _is_enabled(db: Database, project_id: str) -> bool:
    """Whether a project and its domain, or a domain, are enabled."""
    project = find(db, PROJECTS, project_id)
    if project is None or not project.enabled:
        return False
    return project.domain_id is None or _is_enabled(db, project.domain_id)

"""The first rows: what Keystone's bootstrap makes, and the catalog of our own two services."""

from appliance.db import catalog as catalog_rows
from appliance.db import grants as grant_rows
from appliance.db import projects as project_rows
from appliance.db import roles as role_rows
from appliance.db import users as user_rows
from appliance.db.database import Tx
from appliance.db.grants import SYSTEM, Grant
from appliance.db.records import Record, Shape, find, insert, select, update
from appliance.identity.catalog import IDENTITY_PLACEHOLDER, IMAGE_PLACEHOLDER
from appliance.identity.ledger import Ledger
from appliance.identity.passwords import Passwords
from appliance.values import new_hex_id

DEFAULT_DOMAIN = "default"
ADMIN = "admin"
"""The name of the first administrator, of the project and of the role."""
ROLES = ("reader", "member", "manager", "admin", "service")
_IMPLICATIONS = (("admin", "manager"), ("manager", "member"), ("member", "reader"))
_SERVICES = (("identity", "keystone", f"{IDENTITY_PLACEHOLDER}/v3"), ("image", "glance", IMAGE_PLACEHOLDER))
_INTERFACES = ("public", "internal", "admin")


class Bootstrap:
    """Makes what is missing, enables what is disabled and changes nothing else, so that it can run again."""

    def __init__(self, ledger: Ledger, passwords: Passwords) -> None:
        self._ledger = ledger
        self._passwords = passwords

    def done(self) -> bool:
        return find(self._ledger.db, project_rows.PROJECTS, DEFAULT_DOMAIN) is not None

    def admin(self) -> Record | None:
        """The user admin of the default domain, if there is one."""
        return user_rows.by_name(self._ledger.db, ADMIN, DEFAULT_DOMAIN)

    def run(self, password: str, region: str) -> None:
        """The default domain, the admin, the roles and the catalog. An admin who is there keeps the old password."""
        hashed = self._passwords.hash(password)
        with self._ledger.write() as tx:
            self._domain(tx)
            project = self._project(tx, ADMIN, "Project of the first administrator.")
            self._project(tx, "service", "Project of the users that services act as.")
            user = self._user(tx, hashed)
            roles = self._roles(tx)
            for target_type, target_id in (("project", project["id"]), ("system", SYSTEM)):
                grant_rows.add(tx, Grant("user", user["id"], target_type, target_id, roles[ADMIN]))
            self._catalog(tx, region)

    def _domain(self, tx: Tx) -> None:
        domain: Record = {
            "id": DEFAULT_DOMAIN,
            "name": "Default",
            "is_domain": True,
            "enabled": True,
            "description": "The default domain",
        }
        found = find(tx, project_rows.PROJECTS, DEFAULT_DOMAIN)
        if found is None:
            insert(tx, project_rows.PROJECTS, domain)
        else:
            _enable(tx, project_rows.PROJECTS, found)

    def _project(self, tx: Tx, name: str, description: str) -> Record:
        found = project_rows.by_name(tx, name, DEFAULT_DOMAIN)
        if found is not None:
            return _enable(tx, project_rows.PROJECTS, found)
        project: Record = {
            "id": new_hex_id(),
            "name": name,
            "domain_id": DEFAULT_DOMAIN,
            "parent_id": DEFAULT_DOMAIN,
            "is_domain": False,
            "enabled": True,
            "description": description,
        }
        insert(tx, project_rows.PROJECTS, project)
        return project

    def _user(self, tx: Tx, hashed: str) -> Record:
        found = user_rows.by_name(tx, ADMIN, DEFAULT_DOMAIN)
        if found is not None:
            return _enable(tx, user_rows.USERS, found)
        now = self._ledger.clock()
        user: Record = {
            "id": new_hex_id(),
            "name": ADMIN,
            "domain_id": DEFAULT_DOMAIN,
            "enabled": True,
            "created_at": now,
        }
        insert(tx, user_rows.USERS, user)
        user_rows.add_password(tx, user["id"], hashed, self_service=False, created_at=now, expires_at=None, keep=1)
        return user

    def _roles(self, tx: Tx) -> dict[str, str]:
        ids: dict[str, str] = {}
        for name in ROLES:
            found = role_rows.by_name(tx, name)
            if found is None:
                found = {"id": new_hex_id(), "name": name, "options": {"immutable": True}}
                insert(tx, role_rows.ROLES, found)
            ids[name] = found["id"]
        for prior, implied in _IMPLICATIONS:
            role_rows.imply(tx, ids[prior], ids[implied])
        return ids

    def _catalog(self, tx: Tx, region: str) -> None:
        if find(tx, catalog_rows.REGIONS, region) is None:
            insert(tx, catalog_rows.REGIONS, {"id": region, "description": ""})
        known = {service["type"]: service["id"] for service in select(tx, catalog_rows.SERVICES)}
        reachable = {endpoint["service_id"] for endpoint in select(tx, catalog_rows.ENDPOINTS)}
        for service_type, name, url in _SERVICES:
            service_id = known.get(service_type) or new_hex_id()
            if service_type not in known:
                service = {"id": service_id, "type": service_type, "name": name, "enabled": True}
                insert(tx, catalog_rows.SERVICES, service)
            for interface in _INTERFACES if service_id not in reachable else ():
                endpoint = {
                    "id": new_hex_id(),
                    "service_id": service_id,
                    "region_id": region,
                    "interface": interface,
                    "url": url,
                    "enabled": True,
                }
                insert(tx, catalog_rows.ENDPOINTS, endpoint)


def _enable(tx: Tx, shape: Shape, record: Record) -> Record:
    if not record["enabled"]:
        record["enabled"] = True
        update(tx, shape, record)
    return record

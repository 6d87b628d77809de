"""What Identity API v2.0 knows otherwise than v3: the role of a tenant's members, endpoints of three addresses."""

from collections.abc import Mapping

from appliance.db.engine.base import Tx
from appliance.db.identity import catalog
from appliance.db.identity import grants as rows
from appliance.db.identity.catalog import ENDPOINTS, SERVICES, Endpoint
from appliance.db.identity.grants import ROLES, Grant, Role
from appliance.db.records import Record, delete, find, insert, select
from appliance.errors import Invalid, NotFound
from appliance.identity.catalog.entries import Regions, substitutable
from appliance.identity.resources.assignments import Grants
from appliance.identity.resources.roles import Roles
from appliance.identity.store import IdentityStore, names_unique
from appliance.values import new_hex_id

NAME = "_member_"
ID = "9fe2ff9ee4384b1894a90878d3e92bab"
"""The same in every cloud of the time."""

_TODAY = "member"


class LegacyMemberRole:
    def __init__(self, store: IdentityStore, roles: Roles, grants: Grants) -> None:
        self._store = store
        self._roles = roles
        self._grants = grants

    def create_role(self, name: str) -> Role:
        """A role as one made it then.

        `_member_`, or `Member` as the guides had it, meant: may work in this tenant. So it implies today's `member`,
        which is what other services and we ourselves ask for.
        """
        if name != NAME:
            role = self._roles.create({"name": name})
            if name.lower() == _TODAY:
                self._imply(role.id)
            return role
        with names_unique("role", name):
            self._store.transact(lambda tx: insert(tx, ROLES, Role(id=ID, name=NAME)))
        self._imply(ID)
        return self._roles.get(ID)

    def join(self, user_id: str, project_id: str) -> None:
        """Give a user the role on a project, making the role if this is the first time."""
        known = rows.by_name(self._store.db, NAME)
        role = known if known is not None else self.create_role(NAME)
        self._grants.add(Grant("user", user_id, "project", project_id, role.id))

    def leave(self, user_id: str, project_id: str) -> None:
        """Take it again, if it was given."""
        role = rows.by_name(self._store.db, NAME)
        if role is None:
            return
        try:
            self._grants.remove(Grant("user", user_id, "project", project_id, role.id))
        except NotFound:
            return

    def _imply(self, role_id: str) -> None:
        today = rows.by_name(self._store.db, _TODAY)
        if today is None or find(self._store.db, ROLES, role_id) is None:
            return
        self._store.transact(lambda tx: rows.imply(tx, role_id, today.id))


INTERFACES = ("public", "internal", "admin")


class V2Endpoints:
    def __init__(self, store: IdentityStore, regions: Regions) -> None:
        self._store = store
        self._regions = regions

    def every(self) -> list[Record]:
        """All of them: `id`, `service_id`, `region`, `enabled`, and an address as `public`, `internal` and `admin`.

        Endpoints that were made one by one belong together if service and region are the same; the public one's id
        is theirs.
        """
        found: dict[str, Record] = {}
        for key, members in self._members().items():
            first = members[0]
            found[key] = {
                "id": key,
                "service_id": first.service_id,
                "region": first.region_id,
                "enabled": any(member.enabled for member in members),
                **{member.interface: member.url for member in reversed(members)},
            }
        return list(found.values())

    def create(self, service_id: str, region: str | None, urls: Mapping[str, str]) -> Record:
        """Make one from its addresses by interface; the region is made where it is not there."""
        if find(self._store.db, SERVICES, service_id) is None:
            raise Invalid(f"Could not find service: {service_id}.")
        for url in urls.values():
            if not substitutable(url):
                raise Invalid(f"The address {url} asks for something that is not known.")
        if region is not None:
            self._regions.ensure(region)
        legacy_id = new_hex_id()

        def add(tx: Tx) -> None:
            for interface, url in urls.items():
                endpoint = Endpoint(
                    id=new_hex_id(), service_id=service_id, region_id=region, interface=interface, url=url
                )
                insert(tx, ENDPOINTS, endpoint)
                catalog.add(tx, endpoint.id, legacy_id)

        self._store.transact(add)
        return {"id": legacy_id, "service_id": service_id, "region": region, "enabled": True, **urls}

    def delete(self, legacy_id: str) -> None:
        members = self._members().get(legacy_id)
        if members is None:
            raise NotFound(f"Could not find endpoint: {legacy_id}.")

        def change(tx: Tx) -> None:
            for member in members:
                delete(tx, ENDPOINTS, member.id)

        self._store.transact(change)

    def _members(self) -> dict[str, list[Endpoint]]:
        """The endpoints of each, the public one first."""
        groups = catalog.groups(self._store.db)
        found: dict[tuple[str, ...], list[Endpoint]] = {}
        for endpoint in select(self._store.db, ENDPOINTS):
            legacy_id = groups.get(endpoint.id)
            key = (legacy_id,) if legacy_id else (endpoint.service_id, endpoint.region_id or "")
            found.setdefault(key, []).append(endpoint)
        for members in found.values():
            members.sort(key=lambda member: INTERFACES.index(member.interface))
        return {key[0] if len(key) == 1 else members[0].id: members for key, members in found.items()}

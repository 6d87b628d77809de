"""Which endpoints a project sees: endpoint groups and direct associations."""

from collections.abc import Iterable

from appliance.db.engine.base import IntegrityError, Tx
from appliance.db.identity import catalog as rows
from appliance.db.identity.catalog import ENDPOINT_GROUPS, Endpoint, EndpointGroup
from appliance.db.identity.projects import Project
from appliance.db.records import ALL, Filter, Page, Record, delete, find, insert, select, update
from appliance.errors import Conflict, Invalid, NotFound
from appliance.identity.catalog.entries import Endpoints
from appliance.identity.resources.projects import Projects
from appliance.identity.store import IdentityStore, merged
from appliance.values import new_hex_id

_FILTERS = ("service_id", "region_id", "interface")


class EndpointGroups:
    def __init__(self, store: IdentityStore, projects: Projects) -> None:
        self._store = store
        self._projects = projects

    def get(self, group_id: str) -> EndpointGroup:
        group = find(self._store.db, ENDPOINT_GROUPS, group_id)
        if group is None:
            raise NotFound(f"Could not find Endpoint Group: {group_id}.")
        return group

    def search(self, filters: Iterable[Filter] = (), page: Page = ALL) -> list[EndpointGroup]:
        return select(self._store.db, ENDPOINT_GROUPS, filters, page)

    def create(self, group: Record) -> EndpointGroup:
        _check_filters(group["filters"])
        created = ENDPOINT_GROUPS.made({**group, "id": new_hex_id()})
        self._store.transact(lambda tx: insert(tx, ENDPOINT_GROUPS, created))
        return self.get(created.id)

    def update(self, group_id: str, changes: Record) -> EndpointGroup:
        _check_filters(changes.get("filters", {}))
        changed = merged(ENDPOINT_GROUPS, self.get(group_id), changes)
        self._store.transact(lambda tx: update(tx, ENDPOINT_GROUPS, changed))
        return self.get(group_id)

    def delete(self, group_id: str) -> None:
        self.get(group_id)
        self._store.transact(lambda tx: delete(tx, ENDPOINT_GROUPS, group_id))

    def endpoints(self, group_id: str) -> list[Endpoint]:
        """The endpoints that the group's filters let through."""
        return rows.matching_endpoints(self._store.db, self.get(group_id))

    # -- projects that are given a group

    def projects(self, group_id: str) -> list[Project]:
        return self._projects.with_tags(rows.projects_of_group(self._store.db, group_id))

    def of_project(self, project_id: str) -> list[EndpointGroup]:
        self._projects.get(project_id)
        return rows.groups_of_project(self._store.db, project_id)

    def check_given(self, group_id: str, project_id: str) -> None:
        """Raise `NotFound` unless the project was given the group."""
        self._check_both(group_id, project_id)
        if not rows.project_has_group(self._store.db, project_id, group_id):
            raise NotFound("Endpoint Group Project Association not found")

    def give(self, group_id: str, project_id: str) -> None:
        self._check_both(group_id, project_id)
        try:
            self._store.transact(lambda tx: rows.give_group(tx, project_id, group_id))
        except IntegrityError as error:
            raise Conflict("Conflict occurred attempting to store project_endpoint_group - Duplicate entry.") from error

    def take(self, group_id: str, project_id: str) -> None:
        self.check_given(group_id, project_id)
        self._store.transact(lambda tx: rows.take_group(tx, project_id, group_id))

    def _check_both(self, group_id: str, project_id: str) -> None:
        self._projects.get(project_id)
        self.get(group_id)


def _check_filters(filters: Record) -> None:
    if any(name not in _FILTERS for name in filters):
        raise Invalid(f"Expecting to find {' or '.join(_FILTERS)} in endpoint_group.")


class ProjectEndpoints:
    def __init__(self, store: IdentityStore, endpoints: Endpoints, projects: Projects) -> None:
        self._store = store
        self._endpoints = endpoints
        self._projects = projects

    def of_project(self, project_id: str) -> list[Endpoint]:
        """The endpoints that a project was given, singly or in groups."""
        self._projects.get(project_id)
        db = self._store.db
        found = {endpoint.id: endpoint for endpoint in rows.endpoints_of_project(db, project_id)}
        for group in rows.groups_of_project(db, project_id):
            found |= {endpoint.id: endpoint for endpoint in rows.matching_endpoints(db, group)}
        return list(found.values())

    def projects(self, endpoint_id: str) -> list[Project]:
        self._endpoints.get(endpoint_id)
        return self._projects.with_tags(rows.projects_of_endpoint(self._store.db, endpoint_id))

    def check_given(self, project_id: str, endpoint_id: str) -> None:
        """Raise `NotFound` unless the project was given this endpoint itself."""
        self._check_both(project_id, endpoint_id)
        if not rows.project_has_endpoint(self._store.db, project_id, endpoint_id):
            raise _not_given(project_id, endpoint_id)

    def give(self, project_id: str, endpoint_id: str) -> None:
        self._check_both(project_id, endpoint_id)
        try:
            self._store.transact(lambda tx: rows.give_endpoint(tx, project_id, endpoint_id))
        except IntegrityError as error:
            raise Conflict("Conflict occurred attempting to store project_endpoint - Duplicate entry.") from error

    def take(self, project_id: str, endpoint_id: str) -> None:

        def change(tx: Tx) -> None:
            if not rows.take_endpoint(tx, project_id, endpoint_id):
                raise _not_given(project_id, endpoint_id)

        self._store.transact(change)

    def _check_both(self, project_id: str, endpoint_id: str) -> None:
        self._endpoints.get(endpoint_id)
        self._projects.get(project_id)


def _not_given(project_id: str, endpoint_id: str) -> NotFound:
    return NotFound(f"Endpoint {endpoint_id} not found in project {project_id}")

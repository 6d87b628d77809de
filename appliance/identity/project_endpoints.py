"""Endpoints that projects are given one by one, and what that makes of their catalogs."""

from appliance.db import endpoint_groups as rows
from appliance.db.database import IntegrityError
from appliance.db.records import Record
from appliance.errors import Conflict, NotFound
from appliance.identity.endpoints import Endpoints
from appliance.identity.ledger import Ledger
from appliance.identity.projects import Projects


class ProjectEndpoints:
    def __init__(self, ledger: Ledger, endpoints: Endpoints, projects: Projects) -> None:
        self._ledger = ledger
        self._endpoints = endpoints
        self._projects = projects

    def of_project(self, project_id: str) -> list[Record]:
        """The endpoints that a project was given, singly or in groups."""
        self._projects.get(project_id)
        db = self._ledger.db
        found = {endpoint["id"]: endpoint for endpoint in rows.endpoints_of_project(db, project_id)}
        for group in rows.groups_of_project(db, project_id):
            found |= {endpoint["id"]: endpoint for endpoint in rows.matching_endpoints(db, group)}
        return list(found.values())

    def projects(self, endpoint_id: str) -> list[Record]:
        self._endpoints.get(endpoint_id)
        return self._projects.with_tags(rows.projects_of_endpoint(self._ledger.db, endpoint_id))

    def check_given(self, project_id: str, endpoint_id: str) -> None:
        """Raise `NotFound` unless the project was given this endpoint itself."""
        self._check_both(project_id, endpoint_id)
        if not rows.project_has_endpoint(self._ledger.db, project_id, endpoint_id):
            raise _not_given(project_id, endpoint_id)

    def give(self, project_id: str, endpoint_id: str) -> None:
        self._check_both(project_id, endpoint_id)
        try:
            with self._ledger.write() as tx:
                rows.give_endpoint(tx, project_id, endpoint_id)
        except IntegrityError as error:
            raise Conflict("Conflict occurred attempting to store project_endpoint - Duplicate entry.") from error

    def take(self, project_id: str, endpoint_id: str) -> None:
        with self._ledger.write() as tx:
            if not rows.take_endpoint(tx, project_id, endpoint_id):
                raise _not_given(project_id, endpoint_id)

    def _check_both(self, project_id: str, endpoint_id: str) -> None:
        self._endpoints.get(endpoint_id)
        self._projects.get(project_id)


def _not_given(project_id: str, endpoint_id: str) -> NotFound:
    return NotFound(f"Endpoint {endpoint_id} not found in project {project_id}")

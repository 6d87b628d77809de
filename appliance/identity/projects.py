"""Projects, and the domains at the root of each tree of them."""

from collections.abc import Iterable, Sequence

from appliance.db import projects as rows
from appliance.db.records import ALL, Filter, Page, Record, find, select
from appliance.errors import NotFound
from appliance.identity.ledger import Ledger


class Projects:
    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def get(self, project_id: str) -> Record:
        """The project or domain, with its `tags`. Raises `NotFound`."""
        project = find(self._ledger.db, rows.PROJECTS, project_id)
        if project is None:
            raise NotFound(f"Could not find project: {project_id}.")
        project["tags"] = rows.tags(self._ledger.db, project_id)
        return project

    def search(
        self, filters: Iterable[Filter] = (), page: Page = ALL, tagged: Sequence[rows.Condition] = ()
    ) -> list[Record]:
        return self.with_tags(select(self._ledger.db, rows.PROJECTS, filters, page, more=tagged))

    def with_tags(self, projects: list[Record]) -> list[Record]:
        """The same records, each with its `tags`."""
        tags = rows.all_tags(self._ledger.db)
        return [{**project, "tags": tags.get(project["id"], [])} for project in projects]

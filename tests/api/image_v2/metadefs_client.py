"""The metadata definitions of one directory, behind the image API's own dialect."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from appliance.api.http.healthcheck import Healthcheck
from appliance.api.http.service import Service
from appliance.api.image_v2 import discovery, metadef_items
from appliance.api.image_v2.dialect import ImageDialect
from appliance.image.metadefs.namespaces import Metadefs
from appliance.image.policies import ImagePolicies
from appliance.settings import Settings
from tests.api.image_v2.client import Answer, Clock, Cloud
from tests.databases import open_test_database

NAMESPACES = "/v2/metadefs/namespaces"
PROPERTY = {"name": "p", "type": "string", "title": "P"}


class Catalog(Cloud):
    """A cloud that has nothing but metadata definitions and discovery."""

    def __init__(self, directory: Path, **settings: Any) -> None:
        self.settings = Settings(data_dir=directory, **settings)
        self.clock = Clock()
        self.db = open_test_database(directory / "appliance.db")
        policies = ImagePolicies(self.settings)
        routes = [
            *metadef_items.routes(Metadefs(self.db, policies, self.settings, self.clock), self.settings),
            *discovery.routes(self.settings),
        ]
        healthcheck = Healthcheck("", dict)
        dialect = ImageDialect(self.settings, policies, self.authenticate, healthcheck, lambda _: "http://id.test/v3")
        self.app = Service(dialect, routes, head_is_get=False)

    def close(self) -> None:
        self.db.close()

    def admin(self, method: str, path: str = "", body: Any = None, **headers: str) -> Answer:
        """A call by an administrator, below the namespaces."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.call(method, NAMESPACES + path, token="admin", body=body, headers=named)

    def good(self, method: str, path: str = "", body: Any = None, **headers: str) -> Any:
        """The same, which must succeed; the document that came back."""
        answer = self.admin(method, path, body, **headers)
        assert answer.status < 300, answer
        return answer.json if answer.body else None

    def namespace(self, name: str, **more: Any) -> Any:
        """A new public namespace."""
        return self.good("POST", "", {"namespace": name, "visibility": "public", **more})

    def furnish(self, name: str, **more: Any) -> None:
        """A new namespace with one thing of each kind in it."""
        self.good(
            "POST",
            "",
            {
                "namespace": name,
                "objects": [{"name": "o"}],
                "properties": {"p": {"type": "string", "title": "P"}},
                "tags": [{"name": "t"}],
                "resource_type_associations": [{"name": "OS::Glance::Image", "prefix": "x_"}],
                **more,
            },
        )


def catalog(directory: Path, **settings: Any) -> Iterator[Catalog]:
    made = Catalog(directory, **settings)
    yield made
    made.close()

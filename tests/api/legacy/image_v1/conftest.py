"""Image API v1 and v2 on the same images, in a temporary directory."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from appliance.api.legacy.image_v1 import dialect
from appliance.api.legacy.image_v1.images import build
from appliance.api.legacy.versions import WithLegacy
from appliance.image.legacy.images import LegacyImages
from tests.api.image_v2.client import Answer, Cloud

OCTETS = "application/octet-stream"
RAW = {"disk_format": "raw", "container_format": "bare"}


class Clouds(Cloud):
    """The image service of one directory with both of its APIs."""

    def __init__(self, directory: Path, **settings: Any) -> None:
        super().__init__(directory, legacy=True, **settings)
        legacy = LegacyImages(self.images)
        first = build(legacy, self.authenticate, self.settings, identity_url=lambda _: "http://id.test")
        self.app = WithLegacy(self.app, first, dialect.VERSIONS, dialect.MEDIA_TYPE)  # type: ignore[assignment]

    def v1(
        self, method: str, path: str, token: str | None = "member", body: Any = None, **meta: str | int | bool
    ) -> Answer:
        """One request; `name="x"` is the header `x-image-meta-name`, `_purge="x"` one without that prefix."""
        headers = {_BARE.get(name, f"x-image-meta-{name}"): str(value) for name, value in meta.items()}
        if not isinstance(body, dict):
            headers.setdefault("Content-Type", OCTETS)
        return self.call(method, f"/v1{path}", token=token, body=body, headers=headers)

    def make(self, token: str = "member", body: Any = None, **meta: str | int | bool) -> dict[str, Any]:
        """An image made through v1: raw and bare unless said otherwise."""
        answer = self.v1("POST", "/images", token, body, **{**RAW, **meta})
        assert answer.status == 201, answer
        made: dict[str, Any] = answer.json["image"]
        return made

    def listed(self, query: str = "", token: str = "member") -> list[str]:
        """The names of a list, in its order."""
        answer = self.v1("GET", f"/images/detail?{query}", token)
        assert answer.status == 200, answer
        return [image["name"] for image in answer.json["images"]]


_BARE = {"_purge": "x-glance-registry-purge-props", "_copy_from": "x-glance-api-copy-from", "_type": "Content-Type"}


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clouds]:
    """One for a whole module, for tests that leave nothing in it."""
    made = Clouds(tmp_path_factory.mktemp("bare"))
    yield made
    made.close()


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[Clouds]:
    made = Clouds(tmp_path)
    yield made
    made.close()

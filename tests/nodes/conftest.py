"""A site of two nodes for the tests of a module, and the servers that it needs."""

from collections.abc import Iterator

import pytest

from tests.api.served import Served
from tests.blobs.backends.conftest import bucket, server  # noqa: F401 - fixtures
from tests.blobs.backends.seaweed import Seaweed
from tests.nodes.site import Site


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, server: Seaweed, bucket: str) -> Iterator[Site]:  # noqa: F811
    """Two nodes: `one`, which was there first, and `two`."""
    made = Site(tmp_path_factory.mktemp("site"), server, bucket)
    made.start("one")
    made.start("two")
    yield made
    made.close()


@pytest.fixture
def one(site: Site) -> Served:
    return site.nodes["one"]


@pytest.fixture
def two(site: Site) -> Served:
    return site.nodes["two"]

"""Two or three sites in temporary directories."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fleet.sites import Site, site


@pytest.fixture
def center(tmp_path: Path) -> Iterator[Site]:
    with site(tmp_path / "center") as it:
        yield it


@pytest.fixture
def edge(tmp_path: Path) -> Iterator[Site]:
    with site(tmp_path / "edge") as it:
        yield it


@pytest.fixture
def third(tmp_path: Path) -> Iterator[Site]:
    with site(tmp_path / "third") as it:
        yield it

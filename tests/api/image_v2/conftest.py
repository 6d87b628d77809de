"""Image services for the tests of this folder."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.api.image_v2.client import Cloud
from tests.api.image_v2.client import cloud as make


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[Cloud]:
    """With the settings of a first start."""
    yield from make(tmp_path)


@pytest.fixture
def stores(tmp_path: Path) -> Iterator[Cloud]:
    """With two stores that hold data and one that only reads."""
    yield from make(
        tmp_path, enabled_backends=("cheap:file", "fast:file", "web:http"), store_weights=("cheap:10", "fast:20")
    )

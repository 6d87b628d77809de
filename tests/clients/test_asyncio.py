"""AsyncOpenStackClient (Python, asyncio): six images at once over one event loop."""

import pytest

from tests.clients.conftest import MD5, Seen

pytestmark = pytest.mark.clients


def test_the_client_finds_the_current_version(asyncio_client: Seen) -> None:
    assert asyncio_client["api_url"].endswith("/v2/")


@pytest.mark.parametrize(
    ("step", "outcome"),
    [
        ("created", [True, "queued", ["a"], 64]),
        ("uploaded", 204),
        ("checksum", MD5),
        ("downloaded", MD5),
        ("listed", True),
        ("no_such_patch", 415),
        ("deleted", 404),
    ],
)
def test_each_image_goes_its_whole_way(asyncio_client: Seen, step: str, outcome: object) -> None:
    assert [one[step] for one in asyncio_client["tours"]] == [outcome] * 6

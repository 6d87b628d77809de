"""With `recompress_after`, what nobody reads takes less room, and clients get the same bytes."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance.blobs.codec import ZSTD
from tests.api.served import Served, serving
from tests.blobs.world import text
from tests.waiting import eventually

DATA = text(600_000)


@pytest.fixture(scope="module")
def image_id(served: Served) -> str:
    """An image that was stored long ago, after a collection."""
    image_id = served.upload("cold", DATA)
    served.appliance.db.transact(lambda tx: tx.execute("UPDATE segments SET created_at = 0"))
    served.ask("POST", "/appliance/v1/jobs/collect")
    eventually(lambda: ZSTD in codecs(served))
    return image_id


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(tmp_path_factory.mktemp("cold") / "d", recompress_after=1) as made:
        yield made


def codecs(served: Served) -> set[int]:
    return {row["codec"] for row in served.appliance.db.rows("SELECT DISTINCT codec FROM blocks")}


def test_a_download_gives_the_same_bytes(served: Served, image_id: str) -> None:
    answer = served.ask("GET", f"/v2/images/{image_id}/file")
    assert (answer.status, answer.body) == (200, DATA)


def test_a_range_gives_the_same_bytes(served: Served, image_id: str) -> None:
    answer = served.ask("GET", f"/v2/images/{image_id}/file", Range="bytes=123456-345678")
    assert (answer.status, answer.body) == (206, DATA[123_456:345_679])


def test_the_figures_say_what_it_saves(served: Served, image_id: str) -> None:
    store = served.ask("GET", "/appliance/v1/store").json["stores"][0]
    assert store["stored"] < store["unique"] / 3 and store["saved_by_lz4"] == store["unique"] - store["stored"]


def test_what_was_read_is_noted_by_a_job(served: Served, image_id: str) -> None:
    served.ask("GET", f"/v2/images/{image_id}/file")
    served.appliance.services.scheduler.wake("reads")
    eventually(lambda: served.appliance.db.row("SELECT 1 FROM segments WHERE read_at > 0"))


def test_without_it_nobody_remembers_what_was_read(tmp_path: Path) -> None:
    with serving(tmp_path / "d") as made:
        image_id = made.upload("read", DATA)
        assert made.ask("GET", f"/v2/images/{image_id}/file").body == DATA
        assert made.appliance.stores.default.writer.reader.take_reads() == []

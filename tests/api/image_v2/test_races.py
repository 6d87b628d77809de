"""Many at once on one image: one wins where there can be one, nothing is lost where all may."""

import threading
from collections.abc import Callable

import pytest

from tests.api.image_v2.client import Cloud


def at_once(*calls: Callable[[], int]) -> list[int]:
    """Run the calls in threads of their own that begin together; what each returned."""
    results: list[int] = []
    barrier = threading.Barrier(len(calls))

    def run(call: Callable[[], int]) -> None:
        barrier.wait()
        results.append(call())

    threads = [threading.Thread(target=run, args=(call,)) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sorted(results)


@pytest.mark.parametrize("attempt", range(4))
def test_one_of_many_uploads_wins_whole(cloud: Cloud, attempt: int) -> None:
    image = cloud.new()["id"]
    sent = [bytes([n]) * 100_000 for n in range(4)]
    statuses = at_once(*(lambda data=data: cloud.put(image, data).status for data in sent))
    assert statuses == [204, 409, 409, 409]
    assert cloud.call("GET", f"/v2/images/{image}/file").body in sent
    assert len(cloud.db.rows("SELECT 1 FROM image_locations WHERE image_id = ?", (image,))) == 1


def test_no_change_of_many_is_lost(cloud: Cloud) -> None:
    image = cloud.new()["id"]

    def change(n: int) -> Callable[[], int]:
        return lambda: cloud.patch(image, {"op": "add", "path": f"/p{n}", "value": str(n)}).status

    assert at_once(*(change(n) for n in range(6))) == [200] * 6
    shown = cloud.show(image)
    assert [shown[f"p{n}"] for n in range(6)] == [str(n) for n in range(6)]


def test_the_quota_of_tags_holds_among_many(cloud: Cloud) -> None:
    image = cloud.new(tags=[f"t{n}" for n in range(126)])["id"]
    statuses = at_once(*(lambda n=n: cloud.call("PUT", f"/v2/images/{image}/tags/new{n}").status for n in range(5)))
    assert statuses == [204, 204, 413, 413, 413]


@pytest.mark.parametrize("attempt", range(4))
def test_deleting_among_changes_ends_in_nothing(cloud: Cloud, attempt: int) -> None:
    image = cloud.active()["id"]
    statuses = at_once(
        lambda: cloud.call("DELETE", f"/v2/images/{image}").status,
        lambda: cloud.call("DELETE", f"/v2/images/{image}").status,
        lambda: cloud.patch(image, {"op": "add", "path": "/k", "value": "v"}).status,
        lambda: cloud.call("PUT", f"/v2/images/{image}/tags/t").status,
    )
    assert set(statuses) <= {200, 204, 404, 410} and 204 in statuses
    assert cloud.call("GET", f"/v2/images/{image}").status == 404
    assert cloud.db.row("SELECT 1 FROM contents WHERE state = 1") is None

"""What a list's query and its answer may at most be."""

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

import pytest

from appliance.image.listing import PAGE_BYTES
from tests.api.image_v2.client import Cloud

LARGE = "x" * 65535


@pytest.fixture
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    made = Cloud(tmp_path_factory.mktemp("bounds"))
    yield made
    made.close()


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("&".join(f"p{n}=v" for n in range(60)), 200),
        ("&".join(f"p{n}=v" for n in range(61)), 400),
        ("&".join(f"p{n}=v" for n in range(990)), 400),
        ("&".join(f"tag=t{n}" for n in range(61)), 400),
        ("&".join("tag=t" for n in range(500)), 200),
        ("&".join(f"p{n}=v" for n in range(40)) + "&" + "&".join(f"tag=t{n}" for n in range(40)), 400),
        ("name=in:" + ",".join(f"n{n}" for n in range(1000)), 200),
        ("name=in:" + ",".join(f"n{n}" for n in range(1001)), 400),
        ("id=in:" + ",".join("a" for n in range(30_000)), 400),
        (urlencode([("sort_key", "name"), ("sort_key", "size")] * 500), 200),
    ],
)
def test_filters_and_their_values_are_counted(cloud: Cloud, query: str, status: int) -> None:
    cloud.new(name="n7")
    for who in ("member", "admin"):
        assert cloud.call("GET", f"/v2/images?{query}", token=who).status == status


@pytest.mark.parametrize("count", [1, 2, 4, 5, 16, 63, 64, 65, 1000])
def test_every_value_of_a_long_list_counts(cloud: Cloud, count: int) -> None:
    cloud.new(name="first")
    cloud.new(name="last")
    cloud.new(name="none")
    middle = [f"n{n}" for n in range(count - 2)]
    names = ["first", *middle, "last"][:count] if count > 1 else ["first"]
    assert cloud.names("sort=name:asc&name=in:" + ",".join(names)) == [one for one in ("first", "last") if one in names]


def test_a_heavy_page_ends_early_and_nothing_is_lost(cloud: Cloud) -> None:
    made = [cloud.new(name=f"i{n:02}", **{f"p{p}": LARGE for p in range(12)})["name"] for n in range(12)]
    found: list[str] = []
    pages = 0
    path = "/v2/images?limit=100&sort=name:asc"
    while path:
        answer = cloud.call("GET", path)
        assert len(answer.body) < PAGE_BYTES * 1.1
        found += [image["name"] for image in answer.json["images"]]
        path = answer.json.get("next", "")
        pages += 1
    assert found == made and 2 < pages < 6


def test_the_first_image_is_shown_however_heavy(tmp_path: Path) -> None:
    cloud = Cloud(tmp_path, image_metadata_quota=-1)
    for name in ("a", "b"):
        image = cloud.new(name=name)["id"]
        for part in range(5):
            wide = {f"p{part}{p}": "é" * 32_000 for p in range(5)}
            added = [{"op": "add", "path": f"/{key}", "value": value} for key, value in wide.items()]
            assert cloud.patch(image, *added).status == 200
    answer = cloud.call("GET", "/v2/images?sort=name:asc")
    assert [image["name"] for image in answer.json["images"]] == ["a"] and answer.json["next"]
    cloud.close()

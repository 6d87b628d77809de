"""Numbers of a length that Python does not convert, wherever Image API v1 takes numbers."""

import pytest

from tests.api.legacy.image_v1.conftest import Clouds

DIGITS = "9" * 5_000


@pytest.mark.parametrize("name", ["size", "min_ram", "min_disk"])
@pytest.mark.parametrize("value", [DIGITS, str(2**64), f"-{DIGITS}", "1e400", "١٢", "²"])
def test_in_a_header(cloud: Clouds, name: str, value: str) -> None:
    assert cloud.v1("POST", "/images", **{"disk_format": "raw", "container_format": "bare", name: value}).status == 400


@pytest.mark.parametrize("name", ["size_min", "size_max", "min_ram", "min_disk", "limit"])
def test_in_a_query(cloud: Clouds, name: str) -> None:
    assert cloud.v1("GET", f"/images/detail?{name}={DIGITS}").status == 400
    assert cloud.v1("GET", f"/images/detail?{name}={2**63}").status in (200, 400)


def test_filters_are_counted(cloud: Clouds) -> None:
    for count, status in ((60, 200), (61, 400), (990, 400)):
        query = "&".join(f"property-p{n}=v" for n in range(count))
        assert cloud.v1("GET", f"/images?{query}").status == status


def test_an_owner_has_a_name_of_bounded_length(cloud: Clouds) -> None:
    for length, status in ((255, 201), (256, 400)):
        assert cloud.v1("POST", "/images", "admin", name="x", owner="o" * length).status == status


def test_a_page_that_is_too_heavy_is_refused_for_there_is_no_link_to_the_rest(cloud: Clouds) -> None:
    for n in range(18):
        cloud.new(name=f"i{n:02}", **{f"p{p}": "x" * 65_000 for p in range(15)})
    assert cloud.v1("GET", "/images/detail?limit=20").status == 413
    assert len(cloud.listed("limit=10")) == 10

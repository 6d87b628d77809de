"""Byte ranges as headers say them, however many blanks and digits they have."""

from typing import Any

import pytest

from appliance.api.http.messages import Request
from appliance.api.image_v2.data import requested
from appliance.errors import RangeNotSatisfiable

MANY = 60_000


def asked(text: str) -> tuple[int, int] | None:
    request: Request[Any] = Request({"REQUEST_METHOD": "GET", "HTTP_RANGE": text})
    return requested(request, 100)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (" bytes = 5 - 9 ", (5, 5)),
        ("bytes=90-", (90, 10)),
        ("bytes=-10", (90, 10)),
        ("bytes=0-" + "9" * 5000, (0, 100)),
        ("bytes=-" + "9" * 5000, (0, 100)),
        ("bytes=" + "0" * 5000 + "5-9", (5, 5)),
        ("bytes=5" + " " * MANY + "-9", (5, 5)),
    ],
    ids=lambda part: str(part)[:20],
)
def test_a_range_is_understood(text: str, found: tuple[int, int]) -> None:
    assert asked(text) == found


@pytest.mark.parametrize(
    "text", ["bytes=" + " " * MANY + "x", "bytes=5" + " " * MANY + "x", "bytes=" + "9" * 5000 + "-", "bytes=-"]
)
def test_a_range_that_can_not_be_met_is_refused(text: str) -> None:
    with pytest.raises(RangeNotSatisfiable):
        asked(text)

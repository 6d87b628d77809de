"""A route is found by method and path, the literal before the named."""

import pytest

from appliance.api.http.router import NotRouted, Router


@pytest.fixture
def router() -> Router[str]:
    made: Router[str] = Router()
    for method, path in (
        ("GET", "/"),
        ("GET", "/v2/images"),
        ("POST", "/v2/images"),
        ("GET", "/v2/images/<image_id>"),
        ("GET", "/v2/images/<image_id>/file"),
        ("DELETE", "/v2/images/<image_id>/members/<member_id>"),
        ("POST", "/v2/images/<image_id>/members/all"),
        ("GET", "/v2/images/detail"),
        ("HEAD", "/v2/images/detail"),
    ):
        made.add(method, path, f"{method} {path}")
    return made


def test_literal_path(router: Router[str]) -> None:
    assert router.match(("POST",), "/v2/images") == ("POST /v2/images", {})


def test_root(router: Router[str]) -> None:
    assert router.match(("GET",), "/") == ("GET /", {})


def test_named_segments_are_handed_over(router: Router[str]) -> None:
    found = router.match(("DELETE",), "/v2/images/a%b/members/c d")
    assert found == ("DELETE /v2/images/<image_id>/members/<member_id>", {"image_id": "a%b", "member_id": "c d"})


def test_a_literal_segment_goes_before_a_named_one(router: Router[str]) -> None:
    assert router.match(("GET",), "/v2/images/detail") == ("GET /v2/images/detail", {})


def test_a_named_segment_fits_where_the_literal_one_does_not_take_the_method(router: Router[str]) -> None:
    assert router.match(("DELETE",), "/v2/images/1/members/all")[1] == {"image_id": "1", "member_id": "all"}


def test_a_named_segment_fits_where_the_literal_one_leads_nowhere(router: Router[str]) -> None:
    assert router.match(("GET",), "/v2/images/detail/file")[1] == {"image_id": "detail"}


def test_the_first_method_that_is_taken_counts(router: Router[str]) -> None:
    assert router.match(("HEAD", "GET"), "/v2/images/detail")[0] == "HEAD /v2/images/detail"
    assert router.match(("HEAD", "GET"), "/v2/images")[0] == "GET /v2/images"


@pytest.mark.parametrize("path", ["/v2", "/v2/images/", "/v2/images/1/", "/v2/images/1/file/2", "/v2/images//file", ""])
def test_a_path_without_a_route(router: Router[str], path: str) -> None:
    with pytest.raises(NotRouted) as caught:
        router.match(("GET",), path)
    assert caught.value.allowed == []


def test_another_method_is_told_all_that_the_path_takes(router: Router[str]) -> None:
    with pytest.raises(NotRouted) as caught:
        router.match(("PATCH",), "/v2/images/detail")
    assert caught.value.allowed == ["GET", "HEAD"]


def test_a_segment_with_a_line_end_is_not_the_one_without(router: Router[str]) -> None:
    with pytest.raises(NotRouted):
        router.match(("GET",), "/v2/images/1/file\n")

"""The error table is complete, and both error shapes are pinned here for every producer."""

import inspect
import json

import pytest

from appliance import errors
from appliance.api.http import error_responses
from appliance.api.http.messages import Response

ABSTRACT = {errors.ApplianceError, errors.Refusal, errors.Failure}
OPERATOR = {errors.Fatal, errors.WrongUsage}
KINDS = [
    kind
    for _, kind in inspect.getmembers(errors, inspect.isclass)
    if issubclass(kind, errors.ApplianceError) and kind not in ABSTRACT | OPERATOR
]


@pytest.mark.parametrize("kind", KINDS)
def test_every_domain_error_has_a_row(kind: type[Exception]) -> None:
    assert any(base in error_responses.TABLE for base in kind.__mro__), f"{kind.__name__} has no status code"


def text_of(response: Response) -> str:
    return response.body if isinstance(response.body, str) else json.dumps(response.body)


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        (None, "text/plain"),
        ("", "text/plain"),
        ("application/octet-stream", "text/plain"),
        ("*/*", "text/html"),
        ("text/html", "text/html"),
        ("application/json", None),
        ("application/json;q=0.9, text/html;q=0.1", None),
        ("text/*, application/json;q=0.5", "text/html"),
        ("application/json;q=bad, */*;q=0", "text/plain"),
    ],
)
def test_image_errors_follow_accept(accept: str | None, kind: str | None) -> None:
    response = error_responses.image_fault(errors.NotFound("No image <x> found"), accept)
    assert response.status == 404
    content_type = dict(response.headers).get("Content-Type", "")
    assert content_type.startswith(kind) if kind else content_type == ""
    assert "No image" in text_of(response)


def test_an_image_error_in_json_has_webobs_three_keys() -> None:
    response = error_responses.image_fault(errors.Conflict("taken"), "application/json")
    assert response.body == {"message": "taken<br /><br />\n\n\n", "code": "409 Conflict", "title": "Conflict"}


def test_an_image_error_in_text_keeps_the_sentence_on_its_own_line() -> None:
    response = error_responses.image_fault(errors.Forbidden("You may not."), None)
    assert response.body.splitlines()[:3] == ["403 Forbidden", "", "You may not."]


def test_an_image_error_in_html_is_escaped() -> None:
    assert "&lt;script&gt;" in error_responses.image_fault(errors.Invalid("<script>"), "*/*").body


def test_an_identity_error_has_keystones_object() -> None:
    response = error_responses.identity_fault(errors.Conflict("taken"), "http://h:5000")
    assert response.body == {"error": {"code": 409, "message": "taken", "title": "Conflict"}}


def test_an_identity_401_says_nothing_but_where_to_go() -> None:
    response = error_responses.identity_fault(errors.Unauthenticated("user bob has a wrong password"), "http://h:5000")
    assert dict(response.headers)["WWW-Authenticate"] == 'Keystone uri="http://h:5000/v3"'
    assert "bob" not in text_of(response)


@pytest.mark.parametrize("render", [error_responses.image_fault, error_responses.identity_fault])
def test_an_unexpected_error_keeps_its_detail_to_itself(render: object) -> None:
    response = render(ZeroDivisionError("secret"), "application/json")  # type: ignore[operator]
    assert response.status == 500
    assert "secret" not in text_of(response)

"""`events`, `jobs` and `uploads`, against a real appliance."""

import pytest

from tests.cli.conftest import Program
from tests.waiting import eventually


def test_events_say_who_did_what(admin: Program) -> None:
    image = admin("image", "create", "traced", "-f", "value", "-c", "id").text.strip()
    admin("image", "delete", image)
    flags = ("--subject", image, "-f", "value", "-c", "user_name", "-c", "action", "-c", "result")
    eventually(lambda: "admin delete_image success" in admin("events", *flags).text)
    assert len(admin("events", "--limit", "1", "-f", "json").json) == 1
    assert admin("events", "--subject", image, "--result", "failure", "-f", "json").json == []


def test_jobs_are_listed_and_run(admin: Program) -> None:
    assert {"collect", "scrub"} <= set(admin("jobs", "list", "-f", "value", "-c", "name").text.split())
    assert admin("jobs", "run", "collect").text == ""


def test_no_upload_runs(admin: Program) -> None:
    assert admin("uploads", "-f", "json").json == []


@pytest.mark.parametrize(
    "words", [("jobs", "run", "nonsense"), ("events", "--limit", "0"), ("events", "--result", "x")]
)
def test_what_there_is_not_is_wrong_usage(admin: Program, words: tuple[str, ...]) -> None:
    assert admin(*words, code=2).sentence()

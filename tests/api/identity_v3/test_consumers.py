"""OAuth1 consumers."""

from typing import Any

import pytest

from tests.api.identity_v3.client import Client
from tests.api.identity_v3.scenarios import Scenario, play

CONSUMERS = "/v3/OS-OAUTH1/consumers"


def consumer(**values: Any) -> dict[str, Any]:
    return {"consumer": values}


SCENARIOS: list[Scenario] = [
    ("POST", CONSUMERS, consumer(description="d"), 201, '"secret": "', f"{CONSUMERS}/"),
    ("POST", CONSUMERS, {}, 201, '"description": null'),
    ("POST", CONSUMERS, consumer(secret="mine", id="mine"), 201, "!mine"),
    ("POST", CONSUMERS, consumer(description=5), 400),
    ("POST", CONSUMERS, consumer(description="x" * 65), 400),
    ("POST", CONSUMERS, {"consumer": []}, 400),
    ("GET", CONSUMERS, None, 200, "{C}", "!secret"),
    ("GET", f"{CONSUMERS}/{{C}}", None, 200, '"d"', "!secret"),
    ("GET", f"{CONSUMERS}/none", None, 404),
    ("PATCH", f"{CONSUMERS}/{{C}}", consumer(description=None, color="red"), 200, '"red"', "!secret"),
    ("PATCH", f"{CONSUMERS}/{{C}}", consumer(secret="mine"), 400),
    ("PATCH", f"{CONSUMERS}/{{C}}", consumer(id="x"), 400),
    ("PATCH", f"{CONSUMERS}/{{C}}", consumer(), 400),
    ("PATCH", f"{CONSUMERS}/none", consumer(description="x"), 404),
    ("DELETE", f"{CONSUMERS}/{{C}}", None, 204),
    ("DELETE", f"{CONSUMERS}/none", None, 404),
    ("GET", "/v3/users/x/OS-OAUTH1/access_tokens", None, 200, '"access_tokens": []'),
    ("GET", "/v3/users/x/OS-OAUTH1/access_tokens/y", None, 404),
]


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda row: f"{row[0]} {row[1]}")
def test_consumers_answer_as_keystone(client: Client, scenario: Scenario) -> None:
    made = client.create("consumer", {"description": "d"}, CONSUMERS)
    play(client, scenario, {"C": made["id"]})

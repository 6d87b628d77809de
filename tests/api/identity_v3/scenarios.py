"""Scenarios as rows: method, path, body, expected status, and parts that the answer must hold (or, with a `!`, not)."""

from typing import Any

from tests.api.identity_v3.client import Client

Scenario = tuple[Any, ...]


def filled(value: Any, names: dict[str, str]) -> Any:
    """`{name}` replaced everywhere in a body."""
    if isinstance(value, str):
        for name, text in names.items():
            value = value.replace("{" + name + "}", text)
        return value
    if isinstance(value, dict):
        return {key: filled(part, names) for key, part in value.items()}
    return [filled(part, names) for part in value] if isinstance(value, list) else value


def play(client: Client, scenario: Scenario, names: dict[str, str], token: str | None = None) -> Any:
    """Play one row and check it; the answer."""
    method, path, body, status, *parts = scenario
    answer = client.call(method, filled(path, names), filled(body, names), token)
    assert answer.status == status, f"{method} {path} {body}: {answer.status} {answer.text}"
    for part in parts:
        part = filled(part, names)
        if part.startswith("!"):
            assert part[1:] not in answer.text, answer.text
        else:
            assert part in answer.text, answer.text
    return answer

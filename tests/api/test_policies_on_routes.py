"""Every route of every API, asked by callers of every kind: who is let in, compared with a table of them all.

The table, `policy_table.txt`, has a line for each route: a letter for each caller in the order of `CALLERS` (`-` 401,
`x` 403, `.` 404, `+` anything else), method, path, policies. A route without a line fails, and so does a line without
a route. Run this file to write the table anew, and read what changes in it.
"""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from appliance.api.http.service import ANY_TOKEN, Route
from appliance.db.engine.registry import open_database
from appliance.identity.policy.rules import RULES as IDENTITY
from appliance.image.policies import RULES as IMAGE
from tests.api.policy_world import CALLERS, SERVICES, World

TABLE = Path(__file__).with_name("policy_table.txt")
KNOWN: dict[str, dict[str, Any]] = {"identity": IDENTITY, "image": IMAGE}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    directory = tmp_path_factory.mktemp("world")
    world = World(directory, open_database(directory / "appliance.db"))
    yield world
    world.close()


def line(route: Route, letters: str) -> str:
    policies = "public" if route.public else " | ".join(route.policies)
    return f"{letters}  {route.method:6} {route.path}  {policies}"


def sections() -> dict[str, list[str]]:
    """The lines of the table by service."""
    found: dict[str, list[str]] = {}
    for text in TABLE.read_text().splitlines():
        if text.startswith("["):
            lines = found.setdefault(text.strip("[]"), [])
        elif text and not text.startswith("#"):
            lines.append(text)
    return found


@pytest.mark.parametrize("service", SERVICES)
def test_each_route_lets_in_whom_the_table_says(world: World, service: str) -> None:
    found = [line(route, world.letters(service, route)) for route in world.services[service].routes]
    assert found == sections()[service]


@pytest.mark.parametrize("service", SERVICES)
def test_each_policy_of_a_route_is_in_the_table_of_its_service(world: World, service: str) -> None:
    named = {policy for route in world.services[service].routes for policy in route.policies}
    assert named - {ANY_TOKEN} - set(KNOWN[service.split("-")[0]]) == set()


def write() -> None:
    """Write the table as the services answer now."""
    with tempfile.TemporaryDirectory() as name:
        world = World(Path(name), open_database(Path(name) / "appliance.db"))
        text = ["# Letters, in this order: " + ", ".join(CALLERS) + "."]
        for service in SERVICES:
            text += ["", f"[{service}]"]
            text += [line(route, world.letters(service, route)) for route in world.services[service].routes]
        world.close()
    TABLE.write_text("\n".join(text) + "\n")


if __name__ == "__main__":
    write()

"""The audit trail: every route that changes something leaves an event, and none of them a secret."""

import json
from collections.abc import Iterator
from typing import Any, cast

import pytest

from appliance.api.http.observe import SAFE, Observed, auditing
from appliance.api.http.service import Route
from appliance.db.engine.registry import open_database
from appliance.values import now
from tests.api.identity_v3.scenarios import filled
from tests.api.policy_world import BODIES, SERVICES, World

SECRETS = ("a very secret word", "secret-in-a-header")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    directory = tmp_path_factory.mktemp("world")
    world = World(directory, open_database(directory / "appliance.db"))
    observers = [auditing(world.trail, now)]
    for name, service in list(world.services.items()):
        world.services[name] = cast("Any", Seen)(service.routes, Observed(name, service, world.transfers, observers))
    yield world
    world.trail.close()
    world.close()


class Seen:
    """A service with those that look on."""

    def __init__(self, routes: Any, app: Any) -> None:
        self.routes = routes
        self._app = app

    def __call__(self, environ: Any, start_response: Any) -> Any:
        environ["HTTP_X_SERVICE_TOKEN"] = ""
        environ["HTTP_COOKIE"] = SECRETS[1]
        return self._app(environ, start_response)


def unsafe(world: World, service: str) -> list[Route]:
    return [route for route in world.services[service].routes if route.method not in SAFE]


def newest(world: World) -> Any:
    found = world.trail.page({}, before=2**62, most=1)
    return found[0] if found else None


def test_every_route_that_changes_something_leaves_one_event(world: World) -> None:
    silent = []
    for service in SERVICES:
        for route in unsafe(world, service):
            before = newest(world)
            token = world.tokens["reader"]
            body = filled(BODIES.get(f"{route.method} {route.path}", {}), world.ids)
            status, _ = world.send(service, route.method, world._path(service, route), body, token)
            event = newest(world)
            if event == before or (event.method, event.service, event.status) != (route.method, service, status):
                silent.append(f"{service} {route.method} {route.path}")
    assert silent == []


def test_what_is_told_apart_by_the_policy_is_named_by_it(world: World) -> None:
    world.send("image", "PATCH", f"/v2/images/{world.ids['image']}", [], world.tokens["member"])
    event = newest(world)
    assert (event.action, event.subject_kind, event.subject, event.user_name) == (
        "modify_image",
        "image",
        world.ids["image"],
        "member",
    )


def test_the_name_of_what_was_acted_on_is_in_the_event(world: World) -> None:
    world.send("image", "PATCH", f"/v2/images/{world.ids['image']}", [], world.tokens["member"])
    assert newest(world).subject_name == "i"


def test_no_secret_is_ever_written(world: World) -> None:
    secret = SECRETS[0]
    bodies = [
        {"auth": {"identity": {"methods": ["password"], "password": {"user": {"name": secret, "password": secret}}}}},
        {"auth": {"passwordCredentials": {"username": secret, "password": secret}}},
        {"user": {"name": "x", "password": secret}},
        {"credential": {"type": "t", "blob": secret, "user_id": "x"}},
        {"application_credential": {"name": "x", "secret": secret}},
    ]
    world.ids["token"] = world._subject("identity")
    for service in SERVICES:
        for route in unsafe(world, service):
            for body in bodies:
                world.send(service, route.method, world._path(service, route), body, world.tokens["manager"])
    rows = world.trail._rows.page({}, most=100_000)
    text = json.dumps([str(row) for row in rows])
    tokens = [token for token in world.tokens.values() if token] + [world.ids["token"]]
    assert [word for word in (*SECRETS, *tokens) if word in text] == []


def test_a_log_in_that_fails_names_the_account(world: World) -> None:
    user = {"name": "member", "domain": {"id": world.ids["domain"]}, "password": "wrong"}
    body = {"auth": {"identity": {"methods": ["password"], "password": {"user": user}}}}
    world.send("identity", "POST", "/v3/auth/tokens", body, None)
    event = newest(world)
    assert (event.action, event.user_name, event.status) == ("log_in", "member", 401)


def test_a_member_reads_the_events_of_their_project_alone(world: World) -> None:
    world.send("image", "PATCH", f"/v2/images/{world.ids['image']}", [], world.tokens["admin of another project"])
    world.send("image", "PATCH", f"/v2/images/{world.ids['image']}", [], world.tokens["member"])
    status, text = world.send("image", "GET", "/appliance/v1/events", None, world.tokens["member"])
    projects = {event["project_id"] for event in json.loads(text)["events"]}
    assert (status, projects) == (200, {world.ids["project"]})


def test_events_go_on_after_a_number(world: World) -> None:
    first = newest(world)
    world.send("image", "PATCH", f"/v2/images/{world.ids['image']}", [], world.tokens["member"])
    assert [event.id > first.id for event in world.trail.page({}, after=first.id, most=10)] == [True]

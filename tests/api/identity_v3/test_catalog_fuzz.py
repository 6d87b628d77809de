"""Hypothesis against the routes of the catalog side, with ids that exist: nothing it sends is answered with a 500."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from appliance.settings import Settings
from tests.api.identity_v3.client import Client, start
from tests.databases import open_test_database

MEMBERS = {
    "regions": "region",
    "services": "service",
    "endpoints": "endpoint",
    "endpoint_groups": "endpoint_group",
    "policies": "policy",
    "credentials": "credential",
    "OS-EC2": "tenant_id",
    "registered_limits": "registered_limits",
    "limits": "limits",
    "consumers": "consumer",
    "config": "config",
    "ec2tokens": "credentials",
    "s3tokens": "credentials",
}
_KEYS = """
    id name type enabled description parent_region_id interface url service_id region_id region filters blob project_id
    user_id default_limit resource_limit resource_name domain_id access signature token params headers verb host path
    body_hash ldap identity driver secret
"""
KEYS = re.findall(r"\w+", _KEYS)
WORDS = [
    "",
    "x",
    "public",
    "ec2",
    "RegionOne",
    "http://x/$(project_id)s",
    '{"access": "key", "secret": "s"}',
    "\x00",
    "\ud800",
]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Client, dict[str, list[str]]]]:
    """A service, and for each variable of its paths ids that exist and ids that don't."""
    directory = tmp_path_factory.mktemp("fuzz")
    db = open_test_database(directory / "appliance.db")
    client = start(directory, Settings(), db)
    service = client.create("service", {"type": "t"})["id"]
    endpoint = client.create("endpoint", {"service_id": service, "interface": "public", "url": "http://x"})["id"]
    user = client.call("GET", "/v3/users?name=admin").json["users"][0]["id"]
    project = client.call("GET", "/v3/projects?name=admin").json["projects"][0]["id"]
    blob = '{"access": "key", "secret": "s"}'
    credential = {"type": "ec2", "blob": blob, "user_id": user, "project_id": project}
    client.create("credential", credential)
    ids = {
        "service_id": [service],
        "endpoint_id": [endpoint],
        "region_id": ["RegionOne"],
        "user_id": [user],
        "project_id": [project],
        "domain_id": ["default"],
        "access": ["key"],
        "group": ["ldap", "security_compliance"],
        "option": ["url", "password"],
    }
    yield client, ids
    db.close()


def values(ids: list[str]) -> st.SearchStrategy[Any]:
    leaf = st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(2**65), 2**65),
        st.floats(allow_nan=False, allow_infinity=False),
        st.sampled_from([*WORDS, *ids]),
        st.text(max_size=5),
    )
    return st.recursive(
        leaf,
        lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=6),
        max_leaves=8,
    )


@settings(
    max_examples=400,
    deadline=None,
    database=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(data=st.data())
def test_nothing_sent_to_the_catalog_side_is_a_500(
    world: tuple[Client, dict[str, list[str]]], data: st.DataObject
) -> None:
    client, ids = world
    routes = [route for route in client.app.routes if any(f"/{part}" in route.path for part in MEMBERS)]
    route = data.draw(st.sampled_from(routes))
    known = [one for found in ids.values() for one in found]
    path = re.sub(
        r"<(\w+)>", lambda m: data.draw(st.sampled_from([*ids.get(m[1], ["x"]) * 3, "none", "%00", "é"])), route.path
    )
    member = next(member for part, member in MEMBERS.items() if f"/{part}" in route.path)
    body = None
    if route.method in ("POST", "PUT", "PATCH"):
        one = st.dictionaries(st.sampled_from(KEYS), values(known), max_size=8)
        body = data.draw(st.fixed_dictionaries({member: st.one_of(one, st.lists(one, max_size=2), values(known))}))
    answer = client.call(route.method, path, body)
    assert answer.status < 500 or answer.status == 501, f"{route.method} {path} {body}: {answer.text}"
    if answer.status == 401:
        client.token = client.log_in(scope="project:admin")

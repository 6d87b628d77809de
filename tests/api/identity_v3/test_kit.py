"""A declaration makes a resource: its routes, what they check and answer, and its names in JSON Home."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from appliance.api.http.service import Service
from appliance.api.identity_v3 import routes
from appliance.api.identity_v3.kit import Resource, Rules
from appliance.api.identity_v3.schemas import TEXT, name_of, pair
from appliance.db.identity.limits import Policy
from appliance.identity.policy.rules import RULES
from appliance.settings import Settings
from tests.api.identity_v3.client import Client, start
from tests.databases import open_test_database


class Widgets(Resource[Policy]):
    """Kept where policies are: with a type and a blob."""

    name = "widget"
    new, changes = pair({"type": name_of(8), "blob": TEXT}, ["type", "blob"])
    filters = ("type",)

    @property
    def rules(self) -> Rules[Policy]:
        return self._identity.policies


@pytest.fixture
def client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Client]:
    for doing in ("list_widgets", "create_widget", "get_widget", "update_widget", "delete_widget"):
        monkeypatch.setitem(RULES, f"identity:{doing}", RULES["identity:create_policy"])
    monkeypatch.setattr(routes, "HANDLERS", (*routes.HANDLERS, Widgets))
    db = open_test_database(tmp_path / "appliance.db")
    yield start(tmp_path, Settings(data_dir=tmp_path), db)
    db.close()


def sent(**attributes: Any) -> Any:
    return {"widget": attributes}


def test_a_declared_resource_is_made_and_shown_with_its_link(client: Client) -> None:
    made = client.call("POST", "/v3/widgets", sent(type="round", blob="b", color="red"))
    assert made.status == 201, made.text
    widget = made.json["widget"]
    assert widget["links"]["self"].endswith(f"/v3/widgets/{widget['id']}")
    assert client.call("GET", f"/v3/widgets/{widget['id']}").json["widget"] == {**widget, "color": "red"}


def test_a_declared_resource_is_changed_and_removed(client: Client) -> None:
    path = f"/v3/widgets/{client.call('POST', '/v3/widgets', sent(type='round', blob='b')).json['widget']['id']}"
    assert client.call("PATCH", path, sent(type="flat")).json["widget"]["type"] == "flat"
    assert client.call("DELETE", path).status == 204
    assert client.call("GET", path).status == 404


def test_its_list_takes_the_declared_filters(client: Client) -> None:
    for kind in ("round", "flat"):
        assert client.call("POST", "/v3/widgets", sent(type=kind, blob="b")).status == 201
    found = client.call("GET", "/v3/widgets?type=flat").json["widgets"]
    assert [widget["type"] for widget in found] == ["flat"]


def test_a_body_that_breaks_the_schema_is_refused_before_the_policy(client: Client) -> None:
    unscoped = client.log_in(scope="unscoped")
    assert client.call("POST", "/v3/widgets", sent(type="far too long", blob="b"), unscoped).status == 400
    assert client.call("POST", "/v3/widgets", sent(type="round", blob="b"), unscoped).status == 403


def test_it_has_its_names_in_json_home(client: Client) -> None:
    home = client.call("GET", "/v3", headers={"Accept": "application/json-home"}).json["resources"]
    relation = "https://docs.openstack.org/api/openstack-identity/3/rel"
    assert home[f"{relation}/widgets"] == {"href": "/widgets"}
    assert home[f"{relation}/widget"]["href-template"] == "/widgets/{widget_id}"


def test_no_two_routes_are_the_same(client: Client) -> None:
    service: Service[Any] = client.app
    found = [(route.method, route.path) for route in service.routes]
    assert len(set(found)) == len(found)

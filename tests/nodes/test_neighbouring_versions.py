"""A node of a later version beside those of this one: its steps add to every table, and nobody notices.

That a step only adds is what `tests/db/test_expand_only.py` sees to.
"""

from collections.abc import Iterator

import pytest

from appliance.db.engine import postgresql
from appliance.db.engine.base import Schema
from appliance.db.migrations.steps import STEPS
from appliance.errors import Fatal
from tests.api.served import PASSWORD, Served
from tests.nodes.site import Site

_TABLES = "SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'schema_steps'"
RAW = {"disk_format": "raw", "container_format": "bare"}


def add_to_everything(db: Schema) -> None:
    """As much as a step of a later version may do."""
    for (table,) in db.execute(_TABLES).fetchall():
        db.execute(f"ALTER TABLE {table} ADD COLUMN of_a_later_version TEXT NOT NULL DEFAULT 'new'")
    db.execute("CREATE TABLE of_a_later_version (id TEXT PRIMARY KEY)")


@pytest.fixture(scope="module")
def beside(site: Site) -> Iterator[tuple[Served, Served]]:
    """A node of this version that was busy all the time, and one of the next that has come up meanwhile."""
    one = site.nodes["one"]
    # So often that its statements are prepared.
    for _ in range(4):
        life_of_everything(one, one)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(postgresql, "STEPS", (*STEPS, ("9999_of_a_later_version", add_to_everything)))
        site.start("later")
    yield one, site.nodes["later"]


def life_of_everything(maker: Served, other: Served) -> None:
    """What a client of one node does, the other sees: images with all that belongs to them, users, roles, tokens."""
    image = maker.ask("POST", "/v2/images", {**RAW, "tags": ["t"], "property": "value", "visibility": "shared"}).json[
        "id"
    ]
    assert maker.ask("PUT", f"/v2/images/{image}/file", b"data").status == 204
    assert maker.ask("POST", f"/v2/images/{image}/members", {"member": "p"}).status == 200
    assert other.ask("GET", f"/v2/images/{image}/file").body == b"data"
    assert other.ask("GET", "/v2/images?tag=t&property=value").json["images"][0]["id"] == image
    url = maker.report.identity_url
    project = maker.ask("POST", f"{url}/v3/projects", {"project": {"name": image}}).json["project"]["id"]
    user = maker.ask("POST", f"{url}/v3/users", {"user": {"name": image, "password": PASSWORD}}).json["user"]["id"]
    group = maker.ask("POST", f"{url}/v3/groups", {"group": {"name": image}}).json["group"]["id"]
    role = maker.ask("GET", f"{url}/v3/roles?name=member").json["roles"][0]["id"]
    assert maker.ask("PUT", f"{url}/v3/groups/{group}/users/{user}").status == 204
    grant = f"{url}/v3/projects/{project}/groups/{group}/roles/{role}"
    assert maker.ask("PUT", grant).status == 204
    password = {"methods": ["password"], "password": {"user": {"id": user, "password": PASSWORD}}}
    auth = {"auth": {"identity": password, "scope": {"project": {"id": project}}}}
    token = other.call("POST", f"{other.report.identity_url}/v3/auth/tokens", auth).headers["x-subject-token"]
    assert maker.call("GET", "/v2/images", X_Auth_Token=token).status == 200
    assert maker.ask("DELETE", grant).status == 204
    assert other.call("GET", "/v2/images", X_Auth_Token=token).status == 401
    for path in (f"{url}/v3/users/{user}", f"{url}/v3/groups/{group}", f"{url}/v3/projects/{project}"):
        assert maker.ask("DELETE", path).status == 204
    assert maker.ask("DELETE", f"/v2/images/{image}").status == 204
    assert other.ask("GET", f"/v2/images/{image}").status == 404


def test_a_node_of_this_version_serves_on(beside: tuple[Served, Served]) -> None:
    this, _ = beside
    life_of_everything(this, this)


@pytest.mark.parametrize("maker", [0, 1])
def test_what_is_made_at_one_is_there_at_the_other(beside: tuple[Served, Served], maker: int) -> None:
    life_of_everything(beside[maker], beside[1 - maker])


def test_a_node_of_this_version_can_not_start_any_more(site: Site, beside: tuple[Served, Served]) -> None:
    with pytest.raises(Fatal, match="newer version of the appliance"), site.running("earlier"):
        pass

"""The catalog side with the `openstack` command, unmodified: one session that makes, changes, lists and deletes."""

from pathlib import Path

import pytest

from tests.e2e.conftest import Appliance

SESSION = """
region create --description North north
region create --parent-region north north-1
region set --description Changed north
region list --parent-region north
service create --name nova --description Compute compute
service set --name nova2 nova
endpoint create --region north-1 nova2 public http://c/$(project_id)s
endpoint list --service nova2
endpoint group create group {filters}
endpoint group add project group admin
endpoint group list --project admin
endpoint group remove project group admin
endpoint group delete group
policy create --type application/json {filters}
policy list --long
credential create --type totp admin seed
credential list --type totp --user admin
ec2 credentials create
ec2 credentials list
registered limit create --service nova2 --region north --default-limit 10 cores
limit create --project admin --service nova2 --region north --resource-limit 20 cores
limit list --resource-name cores
registered limit list --service nova2
identity provider list
service provider list
"""


@pytest.fixture
def shown(appliance: Appliance, tmp_path: Path) -> str:
    """What the client prints for the whole session."""
    filters = tmp_path / "filters.json"
    filters.write_text('{"interface": "public"}')
    session = tmp_path / "session"
    session.write_text(SESSION.format(filters=filters).strip() + "\n")
    # The client's own shell exits with 1 at the end of its input, whatever its commands did.
    return appliance.run("openstack", stdin=session, fails=True)


def test_the_catalog_side_can_be_worked_with_the_openstack_client(appliance: Appliance, shown: str) -> None:
    for word in ("north-1", "nova2", "http://c/$(project_id)s", "group", "application/json", "seed", "cores", "Secret"):
        assert word in shown, shown
    assert "Exception" not in shown and "No " not in shown, shown
    (limit,) = appliance.openstack("limit", "list")
    assert limit["Resource Limit"] == 20
    (endpoint,) = appliance.openstack("endpoint", "list", "--service", "nova2")
    for command in (
        ("limit", "delete", limit["ID"]),
        ("endpoint", "delete", endpoint["ID"]),
        ("region", "delete", "north"),
        ("service", "delete", "nova2"),
    ):
        appliance.run("openstack", *command)
    assert [row["Region"] for row in appliance.openstack("region", "list")] == ["RegionOne"]

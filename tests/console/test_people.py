"""Projects and users, and the one administrator who has to stay."""

import pytest
from playwright.sync_api import Page, expect

from tests.console.conftest import PASSWORD, Cloud, go


def enabled(cloud: Cloud) -> bool:
    return bool(cloud.call("GET", "/v3/users?name=admin")["users"][0]["enabled"])


def test_the_last_administrator_is_not_disabled(admin: Page, cloud: Cloud) -> None:
    go(admin, cloud, "people/users")
    admin.get_by_role("button", name="Disable admin").click()
    expect(admin.get_by_role("status")).to_contain_text("This is the last administrator")
    assert enabled(cloud)


def test_the_last_administrator_is_not_deleted(admin: Page, cloud: Cloud) -> None:
    go(admin, cloud, "people/users")
    admin.get_by_role("button", name="Delete admin").click()
    admin.get_by_label("Type admin to delete it").fill("admin")
    admin.get_by_role("button", name="Delete", exact=True).click()
    expect(admin.get_by_role("dialog").get_by_role("alert")).to_contain_text("This is the last administrator")
    assert enabled(cloud)


@pytest.mark.parametrize("button", ["Take the role admin from admin", "Disable"])
def test_the_last_administrator_is_not_stripped(admin: Page, cloud: Cloud, button: str) -> None:
    go(admin, cloud, "people/projects")
    admin.get_by_role("button", name=button, exact=True).click()
    expect(admin.get_by_role("status")).to_contain_text("This is the last administrator")
    assert cloud.log_in("admin", PASSWORD, "admin")


def test_with_two_administrators_one_may_go(admin: Page, cloud: Cloud) -> None:
    cloud.user("second", "seconds", "admin")
    go(admin, cloud, "people/users")
    admin.get_by_role("button", name="Delete second").click()
    admin.get_by_label("Type second to delete it").fill("second")
    admin.get_by_role("button", name="Delete", exact=True).click()
    expect(admin.get_by_role("dialog")).to_have_count(0)
    assert cloud.call("GET", "/v3/users?name=second")["users"] == []


def test_a_user_and_a_project_are_made(admin: Page, cloud: Cloud) -> None:
    go(admin, cloud, "people/projects")
    admin.get_by_role("button", name="Project", exact=True).click()
    admin.get_by_label("Name", exact=True).fill("edge")
    admin.get_by_role("button", name="Create").click()
    expect(admin.get_by_role("heading", name="edge")).to_be_visible()
    go(admin, cloud, "people/users")
    admin.get_by_role("button", name="User", exact=True).click()
    admin.get_by_label("Name", exact=True).fill("carol")
    admin.get_by_label("Password", exact=True).fill(PASSWORD)
    admin.get_by_label("Project", exact=True).select_option(label="edge")
    admin.get_by_label("Role", exact=True).select_option("member")
    admin.get_by_role("button", name="Create").click()
    expect(admin.get_by_role("cell", name="carol", exact=True)).to_be_visible()
    assert cloud.log_in("carol", PASSWORD, "edge")


def test_a_project_shows_what_it_has_and_may_have(admin: Page, cloud: Cloud) -> None:
    project = cloud.user("dave", "measured")
    token = cloud.log_in("dave", PASSWORD, "measured")
    cloud.call("POST", "/v2/images", {"name": "one"}, token)
    service = cloud.call("GET", "/v3/services?type=image")["services"][0]["id"]
    limit = {"service_id": service, "resource_name": "image_count_total", "region_id": None}
    if not cloud.call("GET", "/v3/registered_limits?resource_name=image_count_total")["registered_limits"]:
        cloud.call("POST", "/v3/registered_limits", {"registered_limits": [{**limit, "default_limit": 9}]})
    cloud.call("POST", "/v3/limits", {"limits": [{**limit, "project_id": project, "resource_limit": 7}]})
    go(admin, cloud, f"people/projects/{project}")
    card = admin.locator("section.card")
    expect(card).to_contain_text("1 image, 0 B")
    expect(card).to_contain_text("Most images7")

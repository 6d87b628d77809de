"""Several sites, and several nodes of one appliance, as the page shows them."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.console.conftest import OURS, ROOT, SHOTS, Cloud, Start, go, log_in, open_page


def pair(page: Page, name: str, fingerprint: str, *, url: str = "", key: str = "") -> None:
    """Accept another site by its fingerprint, on the page."""
    page.get_by_role("button", name="Pair a site").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Name", exact=True).fill(name)
    dialog.get_by_label("Its fingerprint").fill(fingerprint)
    if url:
        dialog.get_by_label("Address of its images").fill(url)
    if key:
        dialog.get_by_text("A site that can't be reached").click()
        dialog.get_by_label("Its key").fill(key)
    expect(dialog).to_contain_text(f"glance-appliance peer pair {name} --fingerprint {fingerprint}")
    dialog.get_by_role("button", name="Pair").click()
    expect(dialog).to_have_count(0)


def test_images_follow_each_other_from_site_to_site(admin: Page, cloud: Cloud, browser: Browser, start: Start) -> None:
    edge = start()
    cloud.upload("for the edge", b"some data", tags=["edge"])
    there = open_page(browser, edge)
    log_in(there, edge)
    shown = there.get_by_role("navigation", name="Pages")
    expect(shown).not_to_contain_text("Fleet")
    go(there, edge, "fleet")
    expect(there.get_by_role("heading", name="No other sites yet")).to_be_visible()
    site, centre = edge.call("GET", "/appliance/v1/fleet"), cloud.call("GET", "/appliance/v1/fleet")
    expect(there.get_by_text(site["fingerprint"])).to_be_visible()
    pair(there, "centre", centre["fingerprint"], url=cloud.image)
    expect(shown).to_contain_text("Fleet")

    go(admin, cloud, "fleet")
    pair(admin, "edge-7", site["fingerprint"], key=site["key"])
    admin.get_by_role("button", name="Feed", exact=True).click()
    dialog = admin.get_by_role("dialog")
    dialog.get_by_label("Name", exact=True).fill("edges")
    dialog.get_by_label("Which").fill("edge")
    dialog.get_by_label("edge-7").check()
    expect(dialog).to_contain_text("glance-appliance feed create edges --tag edge --reader edge-7")
    dialog.get_by_role("button", name="Create").click()
    expect(admin.get_by_role("row", name="edges")).to_contain_text("tag edge")

    there.get_by_role("button", name="Follow a feed of centre").click()
    there.get_by_label("Feed", exact=True).fill("edges")
    there.get_by_role("dialog").get_by_role("button", name="Follow").click()
    row = there.get_by_role("row", name="edges")
    row.get_by_role("button", name="Sync now: edges").click()
    expect(row).to_contain_text("up to date")
    expect(row.locator("td").nth(2)).to_have_text("1")
    go(there, edge, "images")
    expect(there.get_by_role("link", name="for the edge")).to_be_visible()

    go(there, edge, "fleet")
    there.screenshot(path=SHOTS / "light-fleet-edge.png")
    there.get_by_role("button", name="Forget the feed edges").click()
    there.get_by_role("dialog").get_by_role("button", name="Forget").click()
    there.get_by_role("button", name="Part with centre").click()
    there.get_by_role("dialog").get_by_role("button", name="Forget").click()
    expect(there.get_by_role("heading", name="No other sites yet")).to_be_visible()
    there.context.close()
    there.seen.check()


def test_who_may_follow_a_feed_is_changed_on_the_page(admin: Page, cloud: Cloud) -> None:
    cloud.call("POST", "/appliance/v1/fleet/feeds", {"name": "told", "filter": {"all": True}, "readers": []})
    go(admin, cloud, "fleet")
    admin.get_by_role("button", name="Readers of told").click()
    admin.get_by_label("every site that is paired").check()
    admin.get_by_role("button", name="Save").click()
    expect(admin.get_by_role("row", name="told")).to_contain_text("every site that is paired")
    assert cloud.call("GET", "/appliance/v1/fleet/feeds/told")["feed"]["readers"] == ["all"]


def test_a_refusal_of_the_fleet_stays_in_the_dialog(admin: Page, cloud: Cloud) -> None:
    go(admin, cloud, "fleet")
    admin.get_by_role("button", name="Pair a site").click()
    dialog = admin.get_by_role("dialog")
    dialog.get_by_label("Name", exact=True).fill("nobody")
    dialog.get_by_label("Its fingerprint").fill("not-a-fingerprint")
    dialog.get_by_role("button", name="Pair").click()
    expect(dialog.get_by_role("alert")).not_to_be_empty()


def test_one_appliance_alone_has_no_nodes(admin: Page, cloud: Cloud) -> None:
    expect(admin.get_by_role("navigation", name="Pages")).not_to_contain_text("Nodes")
    go(admin, cloud, "nodes")
    expect(admin.get_by_role("heading", name="One appliance alone")).to_be_visible()


@pytest.fixture
def nodes(tmp_path: Path) -> Iterator[dict[str, Any]]:
    """Two nodes of one appliance, in a process that has what they need."""
    command = [OURS[0], "-m", "tests.console.two_nodes", str(tmp_path)]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None and process.stdout is not None
        told = process.stdout.readline()
        assert told, "two nodes could not be started"
        if not told.startswith("{"):
            pytest.skip(told.strip())
        yield json.loads(told)
        process.stdin.close()


@pytest.mark.slow
def test_a_node_is_drained_and_serves_again(browser: Browser, nodes: dict[str, Any]) -> None:
    page = browser.new_page()
    page.goto(f"{nodes['image']}/console/")
    page.get_by_label("User", exact=True).fill("admin")
    page.get_by_label("Password", exact=True).fill(nodes["password"])
    page.get_by_role("button", name="Log in").click()
    page.get_by_role("link", name="Nodes").click()
    rows = page.get_by_role("row")
    expect(rows.filter(has_text="one")).to_contain_text("answers this page")
    expect(rows.filter(has_text="one")).to_contain_text("collect")
    page.get_by_role("button", name="Drain two").click()
    expect(rows.filter(has_text="two").locator(".state")).to_have_text("draining")
    page.screenshot(path=SHOTS / "light-nodes-two.png")
    page.get_by_role("button", name="Serve again: two").click()
    expect(rows.filter(has_text="two").locator(".state")).to_have_text("serving")
    page.context.close()

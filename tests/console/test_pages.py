"""All pages: for eyes, keyboards and screen readers, in light and dark, on a phone; and what they tell."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.console.conftest import PAGES, PASSWORD, ROOT, SHOTS, Cloud, Start, go, log_in, open_page

AXE = ROOT / "build" / "vendor" / "node_modules" / "axe-core" / "axe.min.js"
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
LOOKS: dict[str, dict[str, Any]] = {
    "light": {"color_scheme": "light"},
    "dark": {"color_scheme": "dark"},
    "phone": {"color_scheme": "light", "viewport": {"width": 390, "height": 844}},
}


def faults(page: Page) -> list[str]:
    """What axe finds. It is put into the page by the debugger, which no policy of the page's stops."""
    session = page.context.new_cdp_session(page)
    session.send("Runtime.evaluate", {"expression": AXE.read_text()})
    asked = f"axe.run({{ runOnly: {json.dumps(TAGS)} }}).then(found => JSON.stringify(found.violations))"
    answer = session.send("Runtime.evaluate", {"expression": asked, "awaitPromise": True, "returnByValue": True})
    found = json.loads(answer["result"]["value"])
    return [f"{one['id']}: {node['html'][:160]}" for one in found for node in one["nodes"]]


@pytest.mark.parametrize("look", LOOKS)
def test_axe_finds_nothing_on_any_page(browser: Browser, cloud: Cloud, look: str) -> None:
    page = open_page(browser, cloud, reduced_motion="reduce", **LOOKS[look])
    page.goto(cloud.console)
    page.get_by_role("button", name="Log in").wait_for()
    page.screenshot(path=SHOTS / f"{look}-log-in.png")
    found = {"log in": faults(page)}
    log_in(page, cloud)
    image = cloud.call("GET", "/v2/images?name=debian-12-patched")["images"][0]["id"]
    for place in (*PAGES, f"images/{image}"):
        go(page, cloud, place)
        page.wait_for_timeout(700)
        name = "image" if place.startswith("images/") else place.replace("/", "-") or "overview"
        page.screenshot(path=SHOTS / f"{look}-{name}.png", full_page=True)
        found[place] = faults(page)
    for button in ("Edit", "Share", "Delete…"):
        page.get_by_role("button", name=button, exact=True).click()
        page.get_by_role("dialog").wait_for()
        found[button] = faults(page)
        page.keyboard.press("Escape")
    page.context.close()
    assert {place: list(dict.fromkeys(said)) for place, said in found.items() if said} == {}


@pytest.mark.parametrize("width", [390, 640])
def test_no_page_is_wider_than_a_phone_or_a_window_at_200_percent(browser: Browser, cloud: Cloud, width: int) -> None:
    page = open_page(browser, cloud, viewport={"width": width, "height": 844})
    log_in(page, cloud)
    image = cloud.call("GET", "/v2/images?name=debian-12")["images"][0]["id"]
    wide = {}
    for place in (*PAGES, f"images/{image}"):
        go(page, cloud, place)
        page.wait_for_timeout(300)
        wide[place] = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    page.context.close()
    assert {place: more for place, more in wide.items() if more > 0} == {}


def test_the_keyboard_is_enough(page: Page, cloud: Cloud) -> None:
    page.goto(cloud.console)
    page.get_by_label("User", exact=True).wait_for()
    page.keyboard.type("admin")
    page.keyboard.press("Tab")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Overview").wait_for()
    for keys, heading in (("gi", "Images"), ("ga", "Activity"), ("gs", "Store"), ("gc", "Connect"), ("gi", "Images")):
        for key in keys:
            page.keyboard.press(key)
        expect(page.get_by_role("heading", name=heading, level=1)).to_be_focused()
    page.keyboard.press("/")
    page.keyboard.type("debian-12-patched")
    page.keyboard.press("Tab")
    page.get_by_role("link", name="debian-12-patched").focus()
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Edit").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_label("Name", exact=True)).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="Edit")).to_be_focused()
    page.get_by_role("button", name="Log out").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Log in")).to_be_visible()


def test_a_link_keeps_the_page_and_its_filter(admin: Page, cloud: Cloud) -> None:
    go(admin, cloud, "images?q=patched&sort=name:asc")
    expect(admin.locator(".images tbody tr")).to_have_count(1)
    admin.reload()
    expect(admin.get_by_role("searchbox")).to_have_value("patched")


def test_activity_tells_who_did_what_from_where(admin: Page, cloud: Cloud) -> None:
    cloud.upload("told of", b"some data")
    go(admin, cloud, "activity?subject=told of")
    row = admin.get_by_role("row", name="uploaded told of")
    expect(row).to_contain_text("admin")
    expect(row).to_contain_text("127.0.0.1")


def test_a_check_from_the_page_finds_a_flipped_byte(browser: Browser, start: Start) -> None:
    cloud = start()
    cloud.upload("rotten", os.urandom(200_000))
    segment = max((cloud.directory / "blobs").rglob("*"), key=lambda path: path.stat().st_size if path.is_file() else 0)
    with segment.open("r+b") as file:
        file.seek(100_000)
        byte = file.read(1)
        file.seek(100_000)
        file.write(bytes([byte[0] ^ 1]))
    page = open_page(browser, cloud)
    log_in(page, cloud)
    go(page, cloud, "store")
    page.get_by_role("button", name="Check now").click()
    expect(page.get_by_role("link", name="rotten")).to_be_visible()
    page.context.close()


def test_the_downloaded_clouds_yaml_works(admin: Page, cloud: Cloud, tmp_path: Path) -> None:
    client = ROOT / ".venv-clients" / "bin" / "openstack"
    if not client.exists():
        pytest.skip("the stock clients are made by `make clients`")
    go(admin, cloud, "connect")
    with admin.expect_download() as waiting:
        admin.get_by_role("button", name="Download clouds.yaml").click()
    file = tmp_path / "clouds.yaml"
    waiting.value.save_as(file)
    environment = {**os.environ, "OS_CLIENT_CONFIG_FILE": str(file), "OS_PASSWORD": PASSWORD, "OS_CLOUD": "appliance"}
    command = [str(client), "image", "list", "-f", "value", "-c", "Name"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
    assert "debian-12" in done.stdout, done.stderr


def test_an_application_credential_is_shown_once(admin: Page, cloud: Cloud) -> None:
    go(admin, cloud, "connect")
    admin.get_by_role("button", name="Application credential").click()
    admin.get_by_label("What is it for?").fill("packer")
    admin.get_by_role("button", name="Make it").click()
    secret = admin.locator("#secret").inner_text()
    admin.get_by_role("button", name="Done").click()
    expect(admin.get_by_role("listitem").filter(has_text="packer")).to_be_visible()
    assert (len(secret) > 20, secret in admin.content()) == (True, False)


def test_a_user_and_a_project_are_made(admin: Page, cloud: Cloud) -> None:
    go(admin, cloud, "people/projects")
    admin.get_by_role("button", name="Project", exact=True).click()
    admin.get_by_label("Name", exact=True).fill("edge")
    admin.get_by_role("button", name="Make it").click()
    expect(admin.get_by_role("heading", name="edge")).to_be_visible()
    go(admin, cloud, "people/users")
    admin.get_by_role("button", name="User", exact=True).click()
    admin.get_by_label("Name", exact=True).fill("carol")
    admin.get_by_label("Password", exact=True).fill(PASSWORD)
    admin.get_by_label("Project", exact=True).select_option(label="edge")
    admin.get_by_label("Role", exact=True).select_option("member")
    admin.get_by_role("button", name="Make them").click()
    expect(admin.get_by_role("cell", name="carol", exact=True)).to_be_visible()
    assert cloud.log_in("carol", PASSWORD, "edge")


def test_the_licences_of_what_is_vendored_are_told(admin: Page, cloud: Cloud) -> None:
    go(admin, cloud, "connect")
    url = admin.get_by_role("link", name="licences").get_attribute("href") or ""
    text = admin.request.get(url).text()
    assert [name for name in ("preact", "htm", "@preact/signals", "lucide-static") if f"{name} " not in text] == []

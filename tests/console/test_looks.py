"""All pages: for eyes, keyboards and screen readers, in light and dark, on a phone."""

import json
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.console.conftest import PAGES, PASSWORD, ROOT, SHOTS, Cloud, go, log_in, open_page

AXE = ROOT / "build" / "vendor" / "node_modules" / "axe-core" / "axe.min.js"
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
PHONE = {"width": 390, "height": 844}
WINDOW = {"width": 1280, "height": 860}
# Half of a usual window, which is what one is at 200 percent.
NARROW = {"width": 640, "height": 430}
DIALOGS = {
    "images": ["Import"],
    "people/projects": ["Project", "Member", "Delete…"],
    "people/users": ["User", "New password for alice"],
    "fleet": ["Feed", "Pair a site"],
    "connect": ["Application credential"],
}
needs_axe = pytest.mark.skipif(not AXE.exists(), reason="the checker of accessibility comes from npm")


class Checker:
    """axe in a page. It is put there by the debugger, which no policy of the page's stops."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self._session = page.context.new_cdp_session(page)
        self.found: dict[str, list[str]] = {}

    def check(self, place: str, rules: str = json.dumps(TAGS)) -> None:
        """Look for all that the rules know, or for what they name."""
        self._session.send("Runtime.evaluate", {"expression": f"window.axe ?? (() => {{ {AXE.read_text()} }})()"})
        asked = f"axe.run({{ runOnly: {rules} }}).then(found => JSON.stringify(found.violations))"
        more = {"awaitPromise": True, "returnByValue": True}
        answer = self._session.send("Runtime.evaluate", {"expression": asked, **more})
        faults = json.loads(answer["result"]["value"])
        said = [f"{one['id']}: {node['html'][:160]}" for one in faults for node in one["nodes"]]
        if said:
            self.found[place] = list(dict.fromkeys(said))


CONTRAST = json.dumps({"type": "rule", "values": ["color-contrast", "link-in-text-block"]})


def settled(page: Page) -> None:
    """Wait until the page has what it asked for."""
    page.wait_for_load_state("networkidle")
    expect(page.locator(".waiting")).to_have_count(0)


@pytest.fixture(scope="module")
def walker(browser: Browser, cloud: Cloud) -> Iterator[Page]:
    """An administrator who looks at everything, without what moves."""
    cloud.call("POST", "/appliance/v1/fleet/feeds", {"name": "golden", "filter": {"tag": ["lts"]}, "readers": []})
    page = open_page(browser, cloud, reduced_motion="reduce", viewport=WINDOW)
    log_in(page, cloud)
    yield page
    page.context.close()
    page.seen.check()


def places(cloud: Cloud) -> list[str]:
    image = cloud.call("GET", "/v2/images?name=debian-12-patched")["images"][0]["id"]
    return [*PAGES, f"images/{image}"]


def title(place: str) -> str:
    return "image" if place.startswith("images/") else place.replace("/", "-") or "overview"


@needs_axe
def test_axe_finds_nothing_on_any_page(walker: Page, cloud: Cloud) -> None:
    """Everything in light and as on a phone; of what is dark, what colours can do wrong."""
    checker = Checker(walker)
    for place in places(cloud):
        go(walker, cloud, place)
        settled(walker)
        for look in ("light", "dark", "phone"):
            walker.emulate_media(color_scheme="dark" if look == "dark" else "light", reduced_motion="reduce")
            walker.set_viewport_size(PHONE if look == "phone" else WINDOW)
            walker.screenshot(path=SHOTS / f"{look}-{title(place)}.png", full_page=look == "phone")
            checker.check(f"{place} {look}", CONTRAST if look == "dark" else json.dumps(TAGS))
    walker.set_viewport_size(WINDOW)
    assert checker.found == {}


@needs_axe
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_in_dialogs(walker: Page, cloud: Cloud, scheme: str) -> None:
    checker = Checker(walker)
    walker.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    for place, buttons in {**DIALOGS, places(cloud)[-1]: ["Edit", "Share", "Delete…"]}.items():
        go(walker, cloud, place)
        settled(walker)
        for button in buttons:
            walker.get_by_role("button", name=button, exact=True).first.click()
            walker.get_by_role("dialog").wait_for()
            settled(walker)
            walker.screenshot(path=SHOTS / f"{scheme}-dialog-{title(place)}-{button.strip('…').replace(' ', '-')}.png")
            checker.check(f"{place} {button}")
            walker.keyboard.press("Escape")
            expect(walker.get_by_role("dialog")).to_have_count(0)
    walker.keyboard.press("?")
    walker.get_by_role("dialog", name="Keys").wait_for()
    checker.check("keys")
    walker.keyboard.press("Escape")
    assert checker.found == {}


@needs_axe
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_where_one_logs_in(page: Page, cloud: Cloud, scheme: str) -> None:
    page.emulate_media(color_scheme=scheme)
    page.goto(cloud.console)
    page.get_by_role("button", name="Log in").wait_for()
    page.screenshot(path=SHOTS / f"{scheme}-log-in.png")
    checker = Checker(page)
    checker.check("log in")
    assert checker.found == {}


@pytest.mark.parametrize("view", [PHONE, NARROW], ids=["phone", "200 percent"])
def test_no_page_has_to_be_moved_sideways(walker: Page, cloud: Cloud, view: dict[str, int]) -> None:
    walker.set_viewport_size(view)
    wide = {}
    for place in places(cloud):
        go(walker, cloud, place)
        settled(walker)
        wide[place] = walker.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    walker.set_viewport_size(WINDOW)
    assert {place: more for place, more in wide.items() if more > 0} == {}


def test_who_wants_no_motion_gets_none(walker: Page, cloud: Cloud) -> None:
    go(walker, cloud, "store")
    settled(walker)
    moves = """() => [...document.querySelectorAll("*")].filter(one => {
        const { transitionDuration, animationName } = getComputedStyle(one);
        return transitionDuration.split(", ").some(each => each !== "0s") || animationName !== "none"; }).length"""
    still = walker.evaluate(moves)
    walker.emulate_media(reduced_motion="no-preference")
    moving = walker.evaluate(moves)
    walker.emulate_media(reduced_motion="reduce")
    assert (still, moving > 0) == (0, True)


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
    link = page.get_by_role("link", name="debian-12-patched")
    for _ in range(12):
        page.keyboard.press("Tab")
        if link.evaluate("one => one === document.activeElement"):
            break
    page.keyboard.press("Enter")
    edit = page.get_by_role("button", name="Edit")
    edit.wait_for()
    for _ in range(25):
        page.keyboard.press("Tab")
        if edit.evaluate("one => one === document.activeElement"):
            break
    page.keyboard.press("Enter")
    expect(page.get_by_label("Name", exact=True)).to_be_focused()
    page.keyboard.press("Escape")
    expect(edit).to_be_focused()
    out = page.get_by_role("button", name="Log out")
    for _ in range(25):
        page.keyboard.press("Shift+Tab")
        if out.evaluate("one => one === document.activeElement"):
            break
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Log in")).to_be_visible()


def test_a_link_keeps_the_page_its_filter_and_its_order(admin: Page, cloud: Cloud) -> None:
    go(admin, cloud, "images?q=debian&sort=name:asc")
    names = admin.locator(".images tbody .name")
    expect(names).to_have_text(["debian-12", "debian-12-patched"])
    admin.reload()
    expect(admin.get_by_role("searchbox")).to_have_value("debian")
    admin.get_by_role("button", name="Name").click()
    expect(names).to_have_text(["debian-12-patched", "debian-12"])
    names.first.get_by_role("link").click()
    admin.get_by_role("heading", name="debian-12-patched").wait_for()
    admin.go_back()
    expect(admin.get_by_role("searchbox")).to_have_value("debian")

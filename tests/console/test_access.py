"""The way in, and what the page may not do."""

import json
import time
import urllib.request
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Response, expect

from tests.console.conftest import (
    PAGES,
    PASSWORD,
    Cloud,
    Start,
    call_status,
    go,
    log_in,
    open_page,
    send,
    throttle,
    upload,
)
from tests.console.proxy import behind_prefix


def test_the_link_of_the_first_start_opens_one_session(browser: Browser, cloud: Cloud) -> None:
    first, second = (open_page(browser, cloud) for _ in range(2))
    first.goto(cloud.link)
    expect(first.get_by_role("heading", name="Overview")).to_be_visible()
    second.goto(cloud.link)
    expect(second.get_by_role("alert")).to_contain_text("The link has been used")
    for page in (first, second):
        page.context.close()


def test_the_printed_address_is_answered_at_once(page: Page, cloud: Cloud) -> None:
    page.goto(cloud.console)
    page.get_by_role("button", name="Log in").wait_for()
    begun = time.monotonic()
    page.reload()
    page.get_by_role("button", name="Log in").wait_for()
    assert time.monotonic() - begun < 5, "a second on a machine that does nothing else"


def test_a_browser_at_the_root_is_sent_to_the_console(page: Page, cloud: Cloud) -> None:
    page.goto(cloud.image)
    expect(page.get_by_role("button", name="Log in")).to_be_visible()


def test_a_client_at_the_root_is_answered_as_by_glance(cloud: Cloud) -> None:
    assert call_status(cloud.image, headers={"Accept": "application/json"}) == 300


def test_a_wrong_password_is_one_sentence_and_no_cookie(page: Page, cloud: Cloud) -> None:
    page.goto(cloud.console)
    page.get_by_label("User", exact=True).fill("admin")
    page.get_by_label("Password", exact=True).fill("wrong")
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("alert")).to_have_text("The user name or the password is wrong.")
    assert (page.context.cookies(), page.evaluate("document.activeElement.id")) == ([], "password")


def test_no_script_can_read_the_session(admin: Page) -> None:
    cookies = admin.context.cookies()
    flags = [(cookie["httpOnly"], cookie["sameSite"], cookie["path"]) for cookie in cookies]
    assert (flags, admin.evaluate("document.cookie")) == ([(True, "Strict", "/console")], "")


def test_every_answer_has_the_policy(admin: Page, cloud: Cloud) -> None:
    answers: list[Response] = []
    admin.on("response", lambda answer: answers.append(answer))
    for place in PAGES:
        go(admin, cloud, place)
        admin.wait_for_load_state("networkidle")
    admin.reload()
    admin.locator("h1").wait_for()
    without = [answer.url for answer in answers if not answer.headers.get("content-security-policy")]
    assert (len(answers) > 20, without) == (True, [])


def test_a_script_that_gets_into_the_page_can_do_nothing(browser: Browser, cloud: Cloud) -> None:
    page = open_page(browser, cloud)
    page.goto(cloud.console)
    refused = page.evaluate(
        """async () => { const said = [];
        const blocked = new Promise(resolve => document.addEventListener("securitypolicyviolation",
          event => event.effectiveDirective === "connect-src" && resolve("connect-src")));
        try { document.body.innerHTML = "<b>x</b>"; } catch { said.push("markup"); }
        const script = document.createElement("script");
        try { script.src = "https://evil.example/x.js"; } catch { said.push("script"); }
        await fetch("http://evil.example/").catch(() => said.push("fetch"));
        return [...said, await blocked]; }"""
    )
    page.context.close()
    assert refused == ["markup", "script", "fetch", "connect-src"]


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize("told", [{"Sec-Fetch-Site": "cross-site"}, {"Origin": "http://evil.example"}, {}])
def test_a_page_of_another_site_changes_nothing(cloud: Cloud, method: str, told: dict[str, str]) -> None:
    url = f"{cloud.console}api/image/v2/images/x"
    assert call_status(url, method, {"Content-Type": "application/json", **told}, b"{}") == 403


def test_the_page_never_sees_a_token(cloud: Cloud) -> None:
    who = {"user": "admin", "password": PASSWORD}
    own = {"Sec-Fetch-Site": "same-origin", "Content-Type": "application/json"}
    request = urllib.request.Request(f"{cloud.console}session", json.dumps(who).encode(), own)
    with urllib.request.urlopen(request) as answer:
        cookie, text, names = answer.headers["Set-Cookie"], answer.read().decode(), set(map(str.lower, answer.headers))
    token = cookie.partition("=")[2].partition(";")[0]
    assert (token in text, "x-subject-token" in names) == (False, False)


def test_who_am_i_of_nobody_is_no_error(cloud: Cloud) -> None:
    assert call_status(f"{cloud.console}session") == 204


def test_logging_out_ends_the_token(page: Page, cloud: Cloud) -> None:
    log_in(page, cloud)
    token = page.context.cookies()[0]["value"]
    page.get_by_role("button", name="Log out").click()
    expect(page.get_by_role("button", name="Log in")).to_be_visible()
    assert call_status(f"{cloud.image}/v2/images", headers={"X-Auth-Token": token}) == 401


def test_an_image_that_is_a_page_does_not_run_as_ours(admin: Page, cloud: Cloud) -> None:
    image = cloud.upload("a page", b"<script>document.title='ours'</script>")
    answer = admin.request.get(f"{cloud.console}api/image/v2/images/{image}/file")
    found = [answer.headers.get(name) for name in ("content-disposition", "x-content-type-options")]
    assert (found, "sandbox" in answer.headers["content-security-policy"]) == (["attachment", "nosniff"], True)


FORBIDDEN = {
    "people/projects": "/v3/projects",
    "people/users": "/v3/users",
    "store": "/appliance/v1/store",
    "nodes": "/appliance/v1/nodes",
    "fleet": "/appliance/v1/fleet/peers",
}


def test_a_member_sees_neither_stores_nor_people_nor_images_of_others(page: Page, cloud: Cloud) -> None:
    log_in(page, cloud, "alice")
    pages = page.get_by_role("navigation", name="Pages").get_by_role("listitem")
    expect(pages).to_have_text(["Overview", "Images", "Activity", "Connect"])
    for place, path in FORBIDDEN.items():
        service = "identity" if path.startswith("/v3") else "image"
        assert page.request.get(f"{cloud.console}api/{service}{path}").status == 403
        go(page, cloud, place)
        expect(page.get_by_role("alert").first).to_contain_text("authorized")
    go(page, cloud, "images")
    expect(page.locator(".images tbody .name")).to_contain_text(["debian-12"])
    expect(page.get_by_role("link", name="debian-12-patched")).to_have_count(0)


def test_a_short_session_asks_for_the_password_and_disturbs_no_upload(
    browser: Browser, start: Start, tmp_path: Path
) -> None:
    cloud = start("--token-lifetime", "600")
    file = tmp_path / "long.img"
    file.write_bytes(bytes(1 << 20) + b"x" * (8 << 20))
    page = open_page(browser, cloud)
    page.clock.install()
    log_in(page, cloud)
    go(page, cloud, "images")
    throttle(page, 2 << 20)
    send(page, file)
    expect(upload(page, "long")).to_have_attribute("data-state", "sending")
    # A filter that is typed stays, and so does a dialog that is open.
    page.get_by_role("searchbox").fill("lon")
    page.get_by_role("button", name="Import").click()
    page.get_by_label("Address", exact=True).fill("https://example.org/half-typed")
    page.clock.fast_forward(301_000)
    asked = page.get_by_role("dialog", name="Stay logged in")
    asked.get_by_label("Password").fill("wrong")
    asked.get_by_role("button", name="Stay logged in").click()
    expect(asked.get_by_role("alert")).to_have_text("The user name or the password is wrong.")
    page.clock.set_system_time(time.time() * 1000)
    asked.get_by_label("Password").fill(PASSWORD)
    asked.get_by_role("button", name="Stay logged in").click()
    expect(asked).to_have_count(0)
    expect(page.get_by_label("Address", exact=True)).to_have_value("https://example.org/half-typed")
    page.keyboard.press("Escape")
    throttle(page, 0)
    expect(upload(page, "long")).to_have_attribute("data-state", "stored")
    expect(page.get_by_role("searchbox")).to_have_value("lon")
    page.context.close()


@pytest.mark.slow
def test_an_upload_outlives_the_session_that_began_it(browser: Browser, start: Start, tmp_path: Path) -> None:
    cloud = start("--token-lifetime", "60")
    file = tmp_path / "longer.img"
    file.write_bytes(b"x" * (72 << 20))
    page = open_page(browser, cloud)
    log_in(page, cloud)
    go(page, cloud, "images")
    throttle(page, 1 << 20)
    send(page, file)
    asked = page.get_by_role("dialog", name="Stay logged in")
    asked.wait_for(timeout=45_000)
    asked.get_by_label("Password").fill(PASSWORD)
    asked.get_by_role("button", name="Stay logged in").click()
    expect(upload(page, "longer")).to_have_attribute("data-state", "stored", timeout=120_000)
    page.context.close()


def test_one_port_for_all_serves_the_console_behind_a_prefix_too(browser: Browser, start: Start) -> None:
    cloud = start("--single-port", "--trusted-proxies", "127.0.0.1")
    with behind_prefix(cloud.image.removesuffix("/image"), "/clouds/one") as outside:
        for where in (cloud.console, f"{outside}/console/"):
            cloud.console = where
            page = open_page(browser, cloud)
            log_in(page, cloud)
            go(page, cloud, "people/users")
            expect(page.get_by_role("cell", name="admin", exact=True)).to_be_visible()
            path = page.context.cookies()[0]["path"]
            page.context.close()
    assert path == "/clouds/one/console"


def test_with_a_certificate_of_its_own_it_gives_clients_the_authority(browser: Browser, start: Start) -> None:
    cloud = start("--tls-cert", "self")
    page = open_page(browser, cloud, ignore_https_errors=True)
    log_in(page, cloud)
    go(page, cloud, "connect")
    expect(page.get_by_role("heading", name="appliance-ca.pem")).to_be_visible()
    expect(page.get_by_text('cacert: "~/.config/openstack/appliance-ca.pem"')).to_be_visible()
    secure = [cookie["secure"] for cookie in page.context.cookies()]
    page.context.close()
    assert secure == [True]

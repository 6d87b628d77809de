"""The way in, and what the page may not do."""

import json
import urllib.request

import pytest
from playwright.sync_api import Browser, Page, Response, expect

from tests.console.conftest import PAGES, PASSWORD, Cloud, Start, call_status, go, log_in, open_page


def test_the_link_of_the_first_start_opens_one_session(browser: Browser, cloud: Cloud) -> None:
    first, second = (open_page(browser, cloud) for _ in range(2))
    first.goto(cloud.link)
    expect(first.get_by_role("heading", name="Overview")).to_be_visible()
    second.goto(cloud.link)
    expect(second.get_by_role("alert")).to_contain_text("The link has been used")
    for page in (first, second):
        page.context.close()


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
    admin.on("response", answers.append)
    for place in PAGES:
        go(admin, cloud, place)
    admin.reload()
    admin.locator("h1").wait_for()
    assert [answer.url for answer in answers if not answer.headers.get("content-security-policy")] == []


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


def test_logging_out_ends_the_token(admin: Page, cloud: Cloud) -> None:
    token = admin.context.cookies()[0]["value"]
    admin.get_by_role("button", name="Log out").click()
    expect(admin.get_by_role("button", name="Log in")).to_be_visible()
    assert call_status(f"{cloud.image}/v2/images", headers={"X-Auth-Token": token}) == 401


def test_an_image_that_is_a_page_does_not_run_as_ours(admin: Page, cloud: Cloud) -> None:
    image = cloud.upload("a page", b"<script>document.title='ours'</script>")
    answer = admin.request.get(f"{cloud.console}api/image/v2/images/{image}/file")
    found = [answer.headers.get(name) for name in ("content-disposition", "x-content-type-options")]
    assert (found, "sandbox" in answer.headers["content-security-policy"]) == (["attachment", "nosniff"], True)


def test_a_member_sees_neither_stores_nor_users(page: Page, cloud: Cloud) -> None:
    log_in(page, cloud, "alice")
    pages = page.get_by_role("navigation", name="Pages").get_by_role("listitem")
    expect(pages).to_have_text(["Overview", "Images", "Activity", "Connect"])
    go(page, cloud, "store")
    expect(page.get_by_role("alert").first).to_contain_text("Only an administrator may look at the store.")


def test_the_last_administrator_stays(admin: Page, cloud: Cloud) -> None:
    go(admin, cloud, "people/users")
    admin.get_by_role("button", name="Disable admin").click()
    expect(admin.get_by_role("status")).to_contain_text("This is the last administrator")
    assert cloud.call("GET", "/v3/users?name=admin")["users"][0]["enabled"] is True


def test_a_short_session_asks_for_the_password(browser: Browser, start: Start) -> None:
    cloud = start("--token-lifetime", "60")
    page = open_page(browser, cloud)
    log_in(page, cloud)
    page.get_by_role("dialog", name="Stay logged in").wait_for(timeout=60_000)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Stay logged in").click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.context.close()


def test_one_port_for_all_serves_the_console_too(browser: Browser, start: Start) -> None:
    cloud = start("--single-port")
    page = open_page(browser, cloud)
    log_in(page, cloud)
    go(page, cloud, "people/users")
    expect(page.get_by_role("cell", name="admin", exact=True)).to_be_visible()
    page.context.close()


def test_a_console_that_is_switched_off_is_not_there(start: Start) -> None:
    cloud = start("--no-console")
    found = (cloud.console, call_status(f"{cloud.image}/console/"))
    assert found == ("", 300)

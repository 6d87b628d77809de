"""What the pages tell: figures, events, checks, files for clients, licences."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.console.conftest import PASSWORD, ROOT, SHOTS, Cloud, Start, go, log_in, open_page

EXECUTABLE = ROOT / "dist" / "glance-appliance"


def test_the_figures_are_those_of_the_api(admin: Page, cloud: Cloud) -> None:
    go(admin, cloud, "")
    figures = admin.locator(".figures > div")
    expect(figures).to_have_count(4)
    for _ in range(10):
        before = cloud.call("GET", "/appliance/v1/status")["stores"]
        admin.wait_for_timeout(3500)
        shown = figures.nth(1).locator("dd").inner_text(), admin.locator(".legend b").first.inner_text()
        if before == cloud.call("GET", "/appliance/v1/status")["stores"]:
            break
    assert shown == (str(before["images"]), written(before["stored"]))


def written(size: float) -> str:
    unit = 0
    while size >= 1000 and unit < 5:
        size, unit = size / 1024, unit + 1
    return f"{round(size) if size >= 100 or not unit else f'{size:.1f}'} {('B', 'KiB', 'MiB', 'GiB')[unit]}"


def test_activity_tells_who_did_what_from_where(admin: Page, browser: Browser, cloud: Cloud) -> None:
    token = cloud.log_in("alice", PASSWORD, "lab")
    image = cloud.call(
        "POST", "/v2/images", {"name": "told of", "disk_format": "raw", "container_format": "bare"}, token
    )
    cloud.call("PUT", f"/v2/images/{image['id']}/file", b"some data", token)
    cloud.call("POST", f"/v2/images/{image['id']}/members", {"member": "0" * 32}, token)
    cloud.call("DELETE", f"/v2/images/{cloud.call('POST', '/v2/images', {'name': 'gone'}, token)['id']}", token=token)
    go(admin, cloud, "activity?user=alice")
    for deed in ("logged in", "registered told of", "uploaded told of", "shared told of", "deleted"):
        row = admin.get_by_role("row").filter(has_text=deed).first
        expect(row).to_contain_text("alice")
        expect(row).to_contain_text("127.0.0.1")
        expect(row).to_contain_text("ok")


def test_jobs_run_when_asked(admin: Page, cloud: Cloud) -> None:
    def ended() -> str:
        return str(
            next(job["ended_at"] for job in cloud.call("GET", "/appliance/v1/jobs")["jobs"] if job["name"] == "collect")
        )

    before = ended()
    admin.wait_for_timeout(1100)
    go(admin, cloud, "activity")
    button = admin.get_by_role("button", name="Run now: collect")
    expect(button).to_have_attribute("title", "glance-appliance jobs run collect")
    button.click()
    expect(admin.get_by_role("status").filter(has_text="The job collect has begun.")).to_be_visible()
    for _ in range(100):
        if ended() != before:
            break
        admin.wait_for_timeout(100)
    assert ended() != before


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
    expect(page.get_by_role("progressbar", name="Checked")).to_have_attribute("aria-valuenow", "100")
    page.get_by_role("link", name="rotten").click()
    expect(page.get_by_text("upload the same image again")).to_be_visible()
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
    admin.get_by_role("button", name="Create").click()
    secret = admin.locator("#secret").inner_text()
    admin.get_by_role("button", name="Done").click()
    expect(admin.get_by_role("listitem").filter(has_text="packer")).to_be_visible()
    assert (len(secret) > 20, secret in admin.content()) == (True, False)


def test_the_licences_of_what_is_vendored_are_told(admin: Page, cloud: Cloud) -> None:
    go(admin, cloud, "connect")
    url = admin.get_by_role("link", name="licences").get_attribute("href") or ""
    text = admin.request.get(url).text()
    assert [name for name in ("preact", "htm", "@preact/signals", "lucide-static") if f"{name} " not in text] == []


def test_a_service_that_does_not_answer_is_told_and_asked_again(admin: Page, cloud: Cloud) -> None:
    admin.route("**/appliance/v1/store", lambda route: route.abort())
    go(admin, cloud, "store")
    expect(admin.get_by_role("alert")).to_contain_text("The appliance does not answer.")
    admin.unroute("**/appliance/v1/store")
    admin.get_by_role("button", name="Try again").click()
    expect(admin.get_by_role("heading", name="Damaged")).to_be_visible()
    admin.seen.complaints.clear()


@pytest.fixture
def executable(tmp_path: Path) -> Iterator[Cloud]:
    """The executable alone in an empty directory."""
    program = Path(os.environ.get("EXECUTABLE", EXECUTABLE))
    if not program.exists():
        pytest.skip("no executable: make binary")
    shutil.copy(program, tmp_path / "glance-appliance")
    made = Cloud(tmp_path / "d", program=(str(tmp_path / "glance-appliance"),))
    yield made
    made.stop()


@pytest.mark.slow
def test_the_executable_in_an_empty_directory_shows_the_same(browser: Browser, executable: Cloud) -> None:
    page = open_page(browser, executable)
    page.goto(executable.link)
    page.get_by_role("heading", name="Overview").wait_for()
    for place in ("images", "store", "connect"):
        go(page, executable, place)
        page.wait_for_load_state("networkidle")
    page.screenshot(path=SHOTS / "executable-connect.png")
    page.context.close()
    page.seen.check()

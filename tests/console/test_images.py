"""Images in the page: uploaded, imported, found, changed, shared, deleted."""

import http.server
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Dialog, Page, expect

from tests.console.conftest import Cloud, Start, go, log_in, open_page

DROP = """([names, size]) => {
  const files = new DataTransfer();
  for (const name of names) {
    const parts = [];
    for (let done = 0; done < size; done += 65536) parts.push(crypto.getRandomValues(new Uint8Array(65536)));
    files.items.add(new File(parts, name));
  }
  window.dispatchEvent(new DragEvent("drop", { dataTransfer: files, bubbles: true, cancelable: true }));
}"""


def resident(cloud: Cloud) -> int:
    """Bytes of memory that the server has."""
    fields = Path(f"/proc/{cloud.process.pid}/status").read_text().split("\n")
    return int(next(line for line in fields if line.startswith("VmRSS")).split()[1]) * 1024


def send(page: Page, *files: Path) -> None:
    page.get_by_label("Disk images to upload").set_input_files([str(file) for file in files])


def upload(page: Page, name: str) -> Any:
    return page.get_by_role("region", name="Uploads").locator(".upload", has_text=name)


def test_files_that_are_dropped_anywhere_are_stored(admin: Page, cloud: Cloud) -> None:
    admin.evaluate(DROP, [["first.img", "second.img"], 24 << 20])
    go(admin, cloud, "activity")
    go(admin, cloud, "images")
    for name in ("first", "second"):
        expect(upload(admin, name)).to_have_attribute("data-state", "stored", timeout=60_000)


def test_a_bar_moves_while_a_file_is_sent(admin: Page, cloud: Cloud, tmp_path: Path) -> None:
    file = tmp_path / "moving.img"
    file.write_bytes(os.urandom(96 << 20))
    go(admin, cloud, "images")
    admin.evaluate(
        """() => { window.seenValues = new Set();
        new MutationObserver(() => { for (const bar of document.querySelectorAll(".upload [role=progressbar]"))
          window.seenValues.add(bar.getAttribute("aria-valuenow")); })
        .observe(document.body, { subtree: true, childList: true, attributes: true }); }"""
    )
    send(admin, file)
    expect(upload(admin, "moving")).to_have_attribute("data-state", "stored", timeout=60_000)
    assert admin.evaluate("window.seenValues.size") >= 5


def test_closing_the_page_asks_while_an_upload_runs(admin: Page, cloud: Cloud, tmp_path: Path) -> None:
    file = tmp_path / "large.img"
    with file.open("wb") as large:
        large.truncate(4 << 30)
    go(admin, cloud, "images")
    send(admin, file)
    expect(upload(admin, "large")).to_have_attribute("data-state", "sending")
    asked: list[str] = []

    def dismiss(dialog: Dialog) -> None:
        asked.append(dialog.type)
        dialog.dismiss()

    admin.on("dialog", dismiss)
    admin.close(run_before_unload=True)
    admin.context.pages[0].wait_for_timeout(500)
    assert asked == ["beforeunload"]
    admin.get_by_role("button", name="Cancel the upload of large").click()
    expect(upload(admin, "large")).to_have_attribute("data-state", "cancelled")


@pytest.mark.parametrize("size", [1 << 30, pytest.param(10 << 30, marks=pytest.mark.slow)])
def test_a_large_file_takes_no_memory(admin: Page, cloud: Cloud, tmp_path: Path, size: int) -> None:
    file = tmp_path / "sparse.raw"
    with file.open("wb") as sparse:
        sparse.truncate(size)
    go(admin, cloud, "images")
    before = resident(cloud)
    send(admin, file)
    expect(upload(admin, "sparse")).to_have_attribute("data-state", "stored", timeout=600_000)
    assert resident(cloud) - before < 64 << 20


def test_a_refusal_is_in_the_words_of_the_api_and_leaves_nothing(admin: Page, cloud: Cloud, tmp_path: Path) -> None:
    file = tmp_path / "odd.vmdk"
    file.write_bytes(b"no disk at all")
    go(admin, cloud, "images")
    send(admin, file)
    expect(upload(admin, "odd")).to_contain_text("does not match stream data")
    upload(admin, "odd").get_by_role("button", name="Try again").click()
    expect(upload(admin, "odd")).to_have_attribute("data-state", "failed")
    assert cloud.call("GET", "/v2/images?name=odd")["images"] == []


def test_a_file_that_is_too_large_is_told_so(browser: Browser, tmp_path: Path, start: Start) -> None:
    cloud = start("--image-size-cap", "1M")
    page = open_page(browser, cloud)
    log_in(page, cloud)
    go(page, cloud, "images")
    file = tmp_path / "later.img"
    file.write_bytes(os.urandom(2 << 20))
    send(page, file)
    expect(upload(page, "later")).to_contain_text("too large")
    page.context.close()


def test_try_again_works_once_the_server_is_back(browser: Browser, tmp_path: Path) -> None:
    cloud = Cloud(tmp_path / "d")
    page = open_page(browser, cloud)
    log_in(page, cloud)
    go(page, cloud, "images")
    file = tmp_path / "cut.raw"
    with file.open("wb") as sparse:
        sparse.truncate(2 << 30)
    send(page, file)
    expect(upload(page, "cut").get_by_role("progressbar")).not_to_have_attribute("aria-valuenow", "0")
    cloud.kill()
    expect(upload(page, "cut")).to_have_attribute("data-state", "failed")
    again = Cloud(tmp_path / "d", *cloud.same_ports)
    upload(page, "cut").get_by_role("button", name="Try again").click()
    expect(upload(page, "cut")).to_have_attribute("data-state", "stored", timeout=120_000)
    left = [image["status"] for image in again.call("GET", "/v2/images")["images"]]
    page.context.close()
    again.stop()
    assert left == ["active"]


def test_a_file_that_is_here_already_is_recognized(admin: Page, cloud: Cloud, tmp_path: Path) -> None:
    data = os.urandom(300_000)
    cloud.upload("the original", data)
    file = tmp_path / "copy.img"
    file.write_bytes(data)
    go(admin, cloud, "images")
    send(admin, file)
    expect(upload(admin, "copy")).to_contain_text("already here as the original")


def test_a_duplicate_raises_what_is_shared(admin: Page, cloud: Cloud, tmp_path: Path) -> None:
    shared = cloud.call("GET", "/appliance/v1/status")["stores"]["shared"]
    data = os.urandom(700_000)
    cloud.upload("once", data)
    cloud.upload("twice", data)
    now = cloud.call("GET", "/appliance/v1/status")["stores"]["shared"]
    go(admin, cloud, "")
    expect(admin.locator(".legend li", has_text="shared")).to_contain_text(f"{now / 2**20:.1f} MiB", timeout=8000)
    assert now - shared >= 700_000


def test_ten_thousand_images_are_as_quick_as_ten(admin: Page, cloud: Cloud) -> None:
    one = cloud.call("GET", "/v2/images?name=debian-12")["images"][0]
    many = [
        {**one, "id": f"{number:08d}-0000-4000-8000-000000000000", "name": f"many-{number}"} for number in range(10_000)
    ]
    admin.route(
        "**/v2/images?limit=100&sort=*",
        lambda route: route.fulfill(json={"images": many[:100], "next": "/v2/images?limit=100&marker=x"}),
    )
    admin.route("**/v2/images?limit=1000&marker=x", lambda route: route.fulfill(json={"images": many[100:]}))
    go(admin, cloud, "images")
    expect(admin.get_by_role("status").filter(has_text="10,000 images")).to_be_visible()
    took = admin.evaluate(
        """async () => { const input = document.getElementById("filter"); const begun = performance.now();
        input.value = "many-9999"; input.dispatchEvent(new Event("input", { bubbles: true }));
        while (document.querySelectorAll(".images tbody tr").length !== 1) await new Promise(requestAnimationFrame);
        return performance.now() - begun; }"""
    )
    admin.get_by_role("searchbox").fill("")
    expect(admin.locator(".images tbody tr").nth(10)).to_be_visible()
    assert (admin.locator(".images tbody tr").count() < 100, took < 2000) == (True, True)


def test_an_image_is_changed_tagged_and_protected(admin: Page, cloud: Cloud) -> None:
    image = cloud.upload("to be changed", b"some data")
    go(admin, cloud, f"images/{image}")
    admin.get_by_role("button", name="Edit").click()
    admin.get_by_label("Name", exact=True).fill("changed")
    admin.get_by_label("Protected").check()
    admin.get_by_role("button", name="Property").click()
    admin.get_by_label("Property", exact=True).fill("os_distro")
    admin.get_by_label("Value of os_distro").fill("debian")
    expect(admin.get_by_role("dialog")).to_contain_text("openstack image set --name changed --protected")
    admin.get_by_role("button", name="Save").click()
    expect(admin.get_by_role("heading", name="changed", exact=True)).to_be_visible()
    admin.get_by_label("New tag").fill("blue")
    admin.get_by_label("New tag").press("Enter")
    expect(admin.get_by_role("group", name="Tags")).to_contain_text("blue")
    found = cloud.call("GET", f"/v2/images/{image}")
    assert (found["protected"], found["os_distro"], found["tags"]) == (True, "debian", ["blue"])


def test_a_protected_image_stays_and_the_page_says_why(admin: Page, cloud: Cloud) -> None:
    image = cloud.upload("kept", b"some data", protected=True)
    go(admin, cloud, f"images/{image}")
    admin.get_by_role("button", name="Delete…").click()
    admin.get_by_label("Type kept to delete it").fill("kept")
    admin.get_by_role("button", name="Delete", exact=True).click()
    expect(admin.get_by_role("dialog").get_by_role("alert")).to_contain_text("is protected and cannot be deleted")


def test_deleting_asks_for_the_name(admin: Page, cloud: Cloud) -> None:
    image = cloud.upload("short lived", b"some data")
    go(admin, cloud, f"images/{image}")
    admin.get_by_role("button", name="Delete…").click()
    expect(admin.get_by_role("button", name="Delete", exact=True)).to_be_disabled()
    admin.get_by_label("Type short lived to delete it").fill("short lived")
    admin.get_by_role("button", name="Delete", exact=True).click()
    expect(admin.get_by_role("heading", name="Images", exact=True)).to_be_visible()
    assert cloud.call("GET", "/v2/images?name=short%20lived")["images"] == []


def test_an_image_is_shared_by_name_and_accepted(admin: Page, browser: Browser, cloud: Cloud) -> None:
    image = cloud.upload("golden", b"golden data", visibility="shared")
    go(admin, cloud, f"images/{image}")
    admin.get_by_role("button", name="Share", exact=True).click()
    admin.get_by_label("Project", exact=True).fill("web")
    admin.get_by_role("dialog").get_by_role("button", name="Share").click()
    expect(admin.get_by_text("pending")).to_be_visible()
    other = open_page(browser, cloud)
    log_in(other, cloud, "bob")
    go(other, cloud, "images")
    other.get_by_role("button", name="Accept").click()
    expect(other.get_by_role("link", name="golden")).to_be_visible()
    other.context.close()


@pytest.fixture
def site(tmp_path: Path, start: Start) -> Iterator[str]:
    """A web server with one file."""
    (tmp_path / "small.img").write_bytes(os.urandom(100_000))

    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments, directory=str(tmp_path))

        def log_message(self, *_: Any) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_an_import_that_fails_says_why_on_the_image(admin: Page, cloud: Cloud) -> None:
    go(admin, cloud, "images")
    admin.get_by_role("button", name="Import").click()
    admin.get_by_label("Address", exact=True).fill("http://nowhere.invalid/broken.img")
    admin.get_by_role("button", name="Import", exact=True).last.click()
    expect(admin.get_by_role("status").filter(has_text="The import failed")).to_contain_text("nowhere.invalid")


def test_an_import_ends_with_an_active_image(browser: Browser, start: Start, site: str) -> None:
    port = site.rpartition(":")[2]
    cloud = start("--import-allowed-hosts", "127.0.0.1", "--import-allowed-ports", port)
    page = open_page(browser, cloud)
    log_in(page, cloud)
    go(page, cloud, "images")
    page.get_by_role("button", name="Import").click()
    page.get_by_label("Address", exact=True).fill(f"{site}/small.img")
    page.get_by_label("Format", exact=True).select_option("raw")
    page.get_by_role("button", name="Import", exact=True).last.click()
    expect(page.locator(".facts .state")).to_have_text("active")
    page.context.close()


def test_a_patched_image_shows_how_little_is_its_own(admin: Page, cloud: Cloud) -> None:
    image = cloud.call("GET", "/v2/images?name=debian-12-patched")["images"][0]["id"]
    found = cloud.call("GET", f"/appliance/v1/images/{image}/map?cells=50")
    go(admin, cloud, f"images/{image}")
    expect(admin.locator(".legend li", has_text="shared with others")).to_be_visible()
    whole = sum(sum(cell[:4]) for cell in found["cells"])
    assert (found["sums"]["own"] < found["sums"]["shared"], abs(whole - found["size"]) < 200) == (True, True)

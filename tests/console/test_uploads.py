"""Files on their way in: dropped, sent, refused, sent again, and recognized."""

import os
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Dialog, Page, expect

from tests.console.conftest import Cloud, Start, go, log_in, open_page, send, throttle, upload

MOST = 64 << 20
DROP = """([names, size]) => {
  const files = new DataTransfer();
  for (const name of names) {
    const parts = [];
    for (let done = 0; done < size; done += 65536) parts.push(crypto.getRandomValues(new Uint8Array(65536)));
    files.items.add(new File(parts, name));
  }
  window.dispatchEvent(new DragEvent("drop", { dataTransfer: files, bubbles: true, cancelable: true }));
}"""
WATCH = """() => { window.seen = {};
  new MutationObserver(() => {
    for (const bar of document.querySelectorAll(".upload [role=progressbar]"))
      (window.seen[bar.getAttribute("aria-label")] ??= new Set()).add(bar.getAttribute("aria-valuenow")); })
    .observe(document.body, { subtree: true, childList: true, attributes: true }); }"""


def sparse(path: Path, size: int) -> Path:
    with path.open("wb") as file:
        file.truncate(size)
    return path


def resident(*processes: int) -> int:
    """Bytes of memory that processes have."""
    status = "".join(Path(f"/proc/{one}/status").read_text() for one in processes)
    return sum(int(line.split()[1]) * 1024 for line in status.split("\n") if line.startswith("VmRSS"))


def processes(browser: Browser) -> list[int]:
    """The browser's own, of all its kinds."""
    session = browser.new_browser_cdp_session()
    return [one["id"] for one in session.send("SystemInfo.getProcessInfo")["processInfo"]]


def test_two_files_that_are_dropped_anywhere_move_and_are_stored(admin: Page, cloud: Cloud) -> None:
    admin.evaluate(WATCH)
    throttle(admin, 6 << 20)
    admin.evaluate(DROP, [["first.img", "second.img"], 6 << 20])
    for name in ("first", "second"):
        expect(upload(admin, name).get_by_role("progressbar")).not_to_have_attribute("aria-valuenow", "0")
    go(admin, cloud, "activity")
    expect(admin.get_by_label("2 uploads run")).to_be_visible()
    go(admin, cloud, "images")
    for name in ("first", "second"):
        expect(upload(admin, name)).to_have_attribute("data-state", "stored")
        expect(admin.locator(".images").get_by_role("link", name=name, exact=True)).to_be_visible()
    values = admin.evaluate("Object.values(window.seen).map(each => each.size)")
    assert (len(values), min(values) >= 5) == (2, True)


def test_closing_the_page_asks_while_an_upload_runs(admin: Page, cloud: Cloud, tmp_path: Path) -> None:
    go(admin, cloud, "images")
    send(admin, sparse(tmp_path / "large.img", 4 << 30))
    expect(upload(admin, "large")).to_have_attribute("data-state", "sending")
    asked: list[str] = []

    def dismiss(dialog: Dialog) -> None:
        asked.append(dialog.type)
        dialog.dismiss()

    admin.on("dialog", lambda dialog: dismiss(dialog))
    admin.close(run_before_unload=True)
    admin.context.pages[0].wait_for_timeout(500)
    assert asked == ["beforeunload"]
    admin.get_by_role("button", name="Cancel the upload of large").click()
    expect(upload(admin, "large")).to_have_attribute("data-state", "cancelled")


@pytest.mark.parametrize("size", [256 << 20, pytest.param(10 << 30, marks=pytest.mark.slow)])
def test_a_large_file_takes_no_memory(admin: Page, cloud: Cloud, tmp_path: Path, size: int) -> None:
    go(admin, cloud, "images")
    browser = admin.context.browser
    assert browser is not None
    ours, theirs = resident(cloud.process.pid), resident(*processes(browser))
    send(admin, sparse(tmp_path / "sparse.raw", size))
    expect(upload(admin, "sparse")).to_have_attribute("data-state", "stored", timeout=600_000)
    grown = resident(cloud.process.pid) - ours, resident(*processes(browser)) - theirs
    assert (grown[0] < MOST, grown[1] < MOST) == (True, True), grown


def test_a_wrong_format_is_told_in_the_words_of_the_api_and_leaves_nothing(
    admin: Page, cloud: Cloud, tmp_path: Path
) -> None:
    file = tmp_path / "odd.vmdk"
    file.write_bytes(b"no disk at all")
    go(admin, cloud, "images")
    send(admin, file)
    expect(upload(admin, "odd")).to_contain_text("does not match stream data")
    upload(admin, "odd").get_by_role("button", name="Try again").click()
    expect(upload(admin, "odd")).to_have_attribute("data-state", "failed")
    assert cloud.call("GET", "/v2/images?name=odd")["images"] == []


def test_a_full_disk_is_told_before_anything_is_sent(admin: Page, cloud: Cloud, tmp_path: Path) -> None:
    go(admin, cloud, "images")
    send(admin, sparse(tmp_path / "huge.raw", 900 << 30))
    expect(upload(admin, "huge")).to_contain_text("Image storage media is full")
    assert cloud.call("GET", "/v2/images?name=huge")["images"] == []


def test_a_name_that_is_too_long_is_told_so(admin: Page, cloud: Cloud) -> None:
    admin.evaluate(DROP, [["n" * 300 + ".img"], 65536])
    expect(upload(admin, "nnn")).to_contain_text("must be shorter than or equal to 255 characters")


def test_a_file_that_is_too_large_or_over_the_quota_is_told_so(browser: Browser, tmp_path: Path, start: Start) -> None:
    cloud = start("--image-size-cap", "3M", "--user-storage-quota", "2M")
    page = open_page(browser, cloud)
    log_in(page, cloud)
    go(page, cloud, "images")
    for name, size in (("larger", 4 << 20), ("over", 5 << 19)):
        file = tmp_path / f"{name}.img"
        file.write_bytes(os.urandom(size))
        send(page, file)
    expect(upload(page, "larger")).to_contain_text("too large")
    expect(upload(page, "over")).to_contain_text("quota")
    left = cloud.call("GET", "/v2/images")["images"]
    page.context.close()
    assert left == []


def test_try_again_works_once_the_server_is_back(browser: Browser, tmp_path: Path) -> None:
    cloud = Cloud(tmp_path / "d")
    page = open_page(browser, cloud)
    log_in(page, cloud)
    go(page, cloud, "images")
    throttle(page, 2 << 20)
    send(page, sparse(tmp_path / "cut.raw", 12 << 20))
    expect(upload(page, "cut").get_by_role("progressbar")).not_to_have_attribute("aria-valuenow", "0")
    cloud.kill()
    expect(upload(page, "cut")).to_have_attribute("data-state", "failed")
    expect(upload(page, "cut")).to_contain_text("the appliance does not answer")
    throttle(page, 0)
    again = Cloud(tmp_path / "d", *cloud.same_ports)
    upload(page, "cut").get_by_role("button", name="Try again").click()
    expect(upload(page, "cut")).to_have_attribute("data-state", "stored")
    left = [image["status"] for image in again.call("GET", "/v2/images")["images"]]
    page.context.close()
    again.stop()
    assert left == ["active"]


def test_a_file_that_is_here_already_is_recognized_while_it_is_sent(admin: Page, cloud: Cloud, tmp_path: Path) -> None:
    data = os.urandom(24 << 20)
    cloud.upload("the original", data)
    file = tmp_path / "copy.img"
    file.write_bytes(data)
    go(admin, cloud, "images")
    throttle(admin, 6 << 20)
    send(admin, file)
    expect(upload(admin, "copy")).to_contain_text("so far the same as the original")
    throttle(admin, 0)
    expect(upload(admin, "copy")).to_contain_text("already here as the original")


def test_a_duplicate_that_is_dropped_raises_what_is_shared(admin: Page, cloud: Cloud, tmp_path: Path) -> None:
    data = os.urandom(3_000_000)
    cloud.upload("once", data)
    file = tmp_path / "twice.img"
    file.write_bytes(data)
    go(admin, cloud, "images")
    shared = cloud.call("GET", "/appliance/v1/status")["stores"]["shared"]
    send(admin, file)
    expect(upload(admin, "twice")).to_have_attribute("data-state", "stored")
    go(admin, cloud, "")
    now = cloud.call("GET", "/appliance/v1/status")["stores"]["shared"]
    shown = admin.locator(".legend li", has_text="shared")
    expect(shown).to_contain_text(f"{now / 2**20:.1f} MiB", timeout=8000)
    assert now - shared >= 3_000_000

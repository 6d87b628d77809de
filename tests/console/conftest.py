"""A real appliance, a real browser, and a page in it that must never complain."""

import http.server
import importlib.util
import json
import os
import re
import shutil
import signal
import ssl
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.answering import answering

if importlib.util.find_spec("playwright") is None:
    # `make test-console` has an environment of its own for them.
    collect_ignore_glob = ["test_*.py"]
else:
    from playwright.sync_api import Browser, Page, expect, sync_playwright

    expect.set_options(timeout=20_000)

ROOT = Path(__file__).parents[2]
OURS = (str(ROOT / ".venv" / "bin" / "python"), str(ROOT / "appliance.py"))
SHOTS = ROOT / "build" / "console"
PASSWORD = "an admin's password"
BROWSER = os.environ.get("CHROMIUM", "chromium-headless-shell")
# No name can be looked up: whatever works, works with the cable out.
OFFLINE = ["--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"]
WAIT = 20_000
"""Milliseconds that the page gets at the most: a loaded machine is no failure."""
PAGES = ("", "images", "people/projects", "people/users", "activity", "store", "nodes", "fleet", "connect")


class Cloud:
    """One `serve` process, and calls of its APIs."""

    def __init__(self, directory: Path, *flags: str, program: tuple[str, ...] = OURS) -> None:
        command = [*program, "serve", "--data-dir", str(directory), "--image-port", "0"]
        command += ["--identity-port", "0", "--disk-reserve", "1M", *flags]
        environment = {**os.environ, "APPLIANCE_ADMIN_PASSWORD": PASSWORD}
        self.directory = directory
        self.output: list[str] = []
        self.log = directory.parent / f"{directory.name}.log"
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                command, env=environment, cwd=directory.parent, stdout=subprocess.PIPE, stderr=log, text=True
            )
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.output.append(line.rstrip())
            if "openstack image create" in line:
                break
        self.context = ssl.create_default_context()
        if (authority := directory / "tls" / "ca.pem").exists():
            self.context.load_verify_locations(authority)
        told = dict(line.split(" ", 1) for line in self.output if re.match(r"(image|identity|console) http", line))
        self.image, self.identity, self.console = told["image"], told["identity"], told.get("console", "")
        self.token = self.log_in("admin", PASSWORD, "admin")

    @property
    def link(self) -> str:
        return next(line.strip() for line in self.output if "#start=" in line)

    def log_in(self, user: str, password: str, project: str) -> str:
        who = {"name": user, "password": password, "domain": {"id": "default"}}
        auth = {"identity": {"methods": ["password"], "password": {"user": who}}}
        scope = {"project": {"name": project, "domain": {"id": "default"}}}
        request = urllib.request.Request(
            f"{self.identity}/auth/tokens", json.dumps({"auth": {**auth, "scope": scope}}).encode()
        )
        request.add_header("Content-Type", "application/json")
        with urllib.request.urlopen(request, context=self.context) as answer:
            return str(answer.headers["X-Subject-Token"])

    def call(self, method: str, path: str, body: Any = None, token: str = "") -> Any:
        """A call of the API that a path belongs to."""
        base = self.identity.removesuffix("/v3") if path.startswith("/v3") else self.image
        data = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        request = urllib.request.Request(base + path, data, method=method)
        request.add_header("X-Auth-Token", token or self.token)
        kind = "application/octet-stream" if isinstance(body, bytes) else "application/json"
        request.add_header("Content-Type", kind)
        with urllib.request.urlopen(request, context=self.context) as answer:
            text = answer.read()
            return json.loads(text) if text else None

    def upload(self, name: str, data: bytes, **more: Any) -> str:
        body = {"name": name, "disk_format": "raw", "container_format": "bare", **more}
        image_id = str(self.call("POST", "/v2/images", body)["id"])
        self.call("PUT", f"/v2/images/{image_id}/file", data)
        return image_id

    def user(self, name: str, project: str, role: str = "member") -> str:
        """A user with a project of their own."""
        made = self.call("POST", "/v3/projects", {"project": {"name": project}})["project"]["id"]
        user = self.call("POST", "/v3/users", {"user": {"name": name, "password": PASSWORD}})["user"]["id"]
        roles = {one["name"]: one["id"] for one in self.call("GET", "/v3/roles")["roles"]}
        self.call("PUT", f"/v3/projects/{made}/users/{user}/roles/{roles[role]}")
        return str(made)

    @property
    def same_ports(self) -> list[str]:
        """The flags that make another one listen where this one does."""
        image, identity = (urlsplit(url).port for url in (self.image, self.identity))
        return ["--image-port", str(image), "--identity-port", str(identity)]

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(60)
        assert self.process.stdout is not None
        self.process.stdout.close()


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A web server with a file that comes at once, and one that comes slowly."""
    directory = tmp_path_factory.mktemp("site")
    (directory / "small.img").write_bytes(os.urandom(100_000))

    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments, directory=str(directory))

        def do_GET(self) -> None:
            if self.path != "/slow.img":
                return super().do_GET()
            self.send_response(200)
            self.send_header("Content-Length", "4000")
            self.end_headers()
            for _ in range(20):
                self.wfile.write(os.urandom(200))
                time.sleep(0.2)
            return None

        def log_message(self, *_: Any) -> None:
            pass

    with answering(Handler) as address:
        yield address


@pytest.fixture(scope="session")
def cloud(tmp_path_factory: pytest.TempPathFactory, site: str) -> Iterator[Cloud]:
    """The appliance of most tests: two images that are much alike, and three people."""
    allowed = ["--import-allowed-hosts", "127.0.0.1", "--import-allowed-ports", site.rpartition(":")[2]]
    made = Cloud(tmp_path_factory.mktemp("cloud") / "d", *allowed)
    base = os.urandom(600_000) + b"text that compresses well " * 40_000 + bytes(2_000_000)
    made.upload("debian-12", base, visibility="public", tags=["lts"])
    made.upload("debian-12-patched", base[:100_000] + b"patched" + base[100_007:], visibility="shared")
    made.user("alice", "lab")
    made.user("bob", "web")
    yield made
    made.stop()


@pytest.fixture(scope="session")
def browser() -> Iterator["Browser"]:
    found = shutil.which(BROWSER)
    assert found is not None, "there is no Chromium: apt-get install chromium-headless-shell"
    SHOTS.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=found, args=OFFLINE)
        yield launched
        launched.close()


class Seen:
    """What a page has said and asked for."""

    def __init__(self, page: "Page", origin: str) -> None:
        self.origin = origin
        self.complaints: list[str] = []
        self.elsewhere: list[str] = []
        page.on("console", lambda said: self._said(said.type, said.text))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("request", lambda request: self._asked(request.url))

    def check(self) -> None:
        assert (self.complaints, self.elsewhere) == ([], [])

    def _said(self, kind: str, text: str) -> None:
        # The browser itself says so of each refusal; the page shows those.
        if kind in ("error", "warning") and not text.startswith("Failed to load resource"):
            self.complaints.append(text)

    def _asked(self, url: str) -> None:
        if not url.startswith((self.origin, "data:", "blob:")):
            self.elsewhere.append(url)


def open_page(browser: "Browser", cloud: Cloud, **options: Any) -> "Page":
    page = browser.new_context(**{"viewport": {"width": 1280, "height": 860}, **options}).new_page()
    page.set_default_timeout(WAIT)
    page.seen = Seen(page, cloud.console.removesuffix("/console/"))
    return page


def log_in(page: "Page", cloud: Cloud, user: str = "admin", password: str = PASSWORD) -> None:
    page.goto(cloud.console)
    page.get_by_label("User", exact=True).fill(user)
    page.get_by_label("Password", exact=True).fill(password)
    page.get_by_role("button", name="Log in").click()
    page.get_by_role("navigation", name="Pages").wait_for()


def go(page: "Page", cloud: Cloud, place: str) -> None:
    page.goto(f"{cloud.console}#/{place}")
    page.locator("h1").wait_for()


Start = Callable[..., Cloud]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts an appliance with flags of its own, and stops it at the end."""
    started: list[Cloud] = []

    def make(*flags: str) -> Cloud:
        started.append(Cloud(tmp_path / f"d{len(started)}", *flags))
        return started[-1]

    yield make
    for each in started:
        each.stop()


@pytest.fixture
def page(browser: "Browser", cloud: Cloud) -> Iterator["Page"]:
    """A page that nobody is logged in to. It asks nobody else, and has nothing to complain of."""
    opened = open_page(browser, cloud)
    yield opened
    opened.context.close()
    opened.seen.check()


@pytest.fixture(scope="session")
def opened_session(browser: "Browser", cloud: Cloud) -> Any:
    """What the browser keeps of the administrator's session."""
    opened = open_page(browser, cloud)
    log_in(opened, cloud)
    kept = opened.context.storage_state()
    opened.context.close()
    return kept


@pytest.fixture
def admin(browser: "Browser", cloud: Cloud, opened_session: Any) -> Iterator["Page"]:
    """The page as the administrator sees it."""
    opened = open_page(browser, cloud, storage_state=opened_session)
    opened.goto(cloud.console)
    opened.get_by_role("navigation", name="Pages").wait_for()
    yield opened
    opened.context.close()
    opened.seen.check()


def send(page: "Page", *files: Path) -> None:
    """Choose files to upload on the list of images."""
    page.get_by_label("Disk images to upload").set_input_files([str(file) for file in files])


def upload(page: "Page", name: str) -> Any:
    """The line of an upload."""
    return page.get_by_role("region", name="Uploads").locator(".upload", has_text=name)


def throttle(page: "Page", rate: int) -> None:
    """Send at most so many bytes a second; 0 for as many as go."""
    session = page.context.new_cdp_session(page)
    limits = {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": rate or -1}
    session.send("Network.emulateNetworkConditions", limits)


def call_status(url: str, method: str = "GET", headers: dict[str, str] | None = None, body: bytes | None = None) -> int:
    """The status of an answer, refusals included."""
    try:
        with urllib.request.urlopen(urllib.request.Request(url, body, headers or {}, method=method)) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return int(error.code)

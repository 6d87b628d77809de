"""An appliance that serves the legacy APIs, in a process of its own, and the real clients of the time pointed at it."""

import http.server
import json
import os
import subprocess
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.e2e.conftest import Appliance

ROOT = Path(__file__).parents[2]
CLIENTS = Path(os.environ.get("LEGACY_CLIENTS", ROOT / ".venv-legacy" / "bin"))
"""Where `keystone` and `glance` are: LEGACY_CLIENTS names the folder of another pair, such as 0.4.1 and 0.12.0."""

BOOTSTRAP = "a-bootstrap-token"
PASSWORD = "an admin's password: 'quoted'"


@dataclass
class Done:
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def rows(self) -> list[dict[str, str]]:
        """The table that was printed, a dictionary a row."""
        lines = [line for line in self.out.splitlines() if line.startswith("|")]
        if not lines:
            return []
        head, *body = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]
        head = [cell.strip("| ") for cell in head]
        return [dict(zip(head, [cell.strip("| ") for cell in row], strict=False)) for row in body]

    @property
    def fields(self) -> dict[str, str]:
        """The table of one thing: its properties and their values."""
        return {row["Property"]: row["Value"] for row in self.rows}

    @property
    def text(self) -> str:
        return self.out + self.err


class OldCloud(Appliance):
    """`serve --legacy` on free ports, with whatever else a test needs."""

    def __init__(self, directory: Path, *flags: str) -> None:
        self.admin = ""
        super().__init__(
            directory,
            *("--legacy", "--legacy-admin-port", "0"),
            *flags,
            environment={"APPLIANCE_ADMIN_TOKEN": BOOTSTRAP},
        )

    def start(self) -> None:
        super().start()
        while not any(line.startswith("identity-admin ") for line in self.output):
            assert self.process.poll() is None, self.log()
        self.admin = next(line for line in self.output if line.startswith("identity-admin ")).split(" ")[1]

    @property
    def auth_url(self) -> str:
        return self.identity.removesuffix("/v3") + "/v2.0"

    def variables(self, **more: str) -> dict[str, Any]:
        """The environment of a shell of 2013."""
        usual = {
            "OS_AUTH_URL": self.auth_url,
            "OS_USERNAME": "admin",
            "OS_PASSWORD": PASSWORD,
            "OS_TENANT_NAME": "admin",
        }
        home = self.directory.parent / "home"
        home.mkdir(exist_ok=True)
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "LC_ALL": "C.UTF-8",
            "PYTHONIOENCODING": "utf-8",
            "PYTHONWARNINGS": "ignore",
            **{name: value for name, value in (usual | more).items() if value},
        }

    def command(self, *words: str, stdin: Path | None = None, **variables: Any) -> Done:
        """Run a client. Without a file its standard input is a terminal: they take anything else for data."""
        with ExitStack() as opened:
            ours, source = os.openpty()
            opened.callback(os.close, ours)
            opened.callback(os.close, source)
            if stdin is not None:
                source = opened.enter_context(open(stdin, "rb")).fileno()
            done = subprocess.run(
                [CLIENTS / words[0], *words[1:]],
                env=self.variables(**variables),
                stdin=source,
                capture_output=True,
                timeout=120,
                check=False,
            )
        err = "\n".join(line for line in done.stderr.decode().splitlines() if "Warning: " not in line)
        return Done(done.returncode, done.stdout.decode(), err)

    def keystone(self, *words: str, fails: bool = False, **variables: Any) -> Done:
        return self._checked(self.command("keystone", *words, **variables), fails, words)

    def glance(self, *words: str, fails: bool = False, stdin: Path | None = None, **variables: Any) -> Done:
        done = self.command("glance", "--os-image-api-version", "1", *words, stdin=stdin, **variables)
        return self._checked(done, fails, words)

    def attempt(self, *words: str, **variables: Any) -> str:
        """What `glance` says, where some clients end with 0 although they failed."""
        return self.command("glance", "--os-image-api-version", "1", *words, **variables).text

    def _checked(self, done: Done, fails: bool, words: tuple[str, ...]) -> Done:
        assert (done.code != 0) == fails, f"{words} → {done.code}\n{done.text}\n{self.log()[-3000:]}"
        assert "Traceback" not in done.text, done.text
        return done

    # -- the state, through today's APIs

    def token(self) -> str:
        user = {"name": "admin", "domain": {"id": "default"}, "password": PASSWORD}
        scope = {"project": {"name": "admin", "domain": {"id": "default"}}}
        body = {"auth": {"identity": {"methods": ["password"], "password": {"user": user}}, "scope": scope}}
        request = urllib.request.Request(f"{self.identity}/auth/tokens", json.dumps(body).encode(), _JSON)
        with urllib.request.urlopen(request) as answer:
            return str(answer.headers["X-Subject-Token"])

    def ask(self, url: str) -> Any:
        """The document at an address; None if there is nothing."""
        request = urllib.request.Request(url, headers={"X-Auth-Token": self.token()})
        try:
            with urllib.request.urlopen(request) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                assert error.code == 404, error.read()
            return None

    def v3(self, path: str) -> Any:
        return self.ask(f"{self.identity}/{path}")

    def image_of(self, image_id: str) -> Any:
        """The image as Image API v2 shows it; None if it is not there."""
        return self.ask(f"{self.image}/v2/images/{image_id}")

    def rename(self, image_id: str, name: str) -> None:
        """Give an image another name, through Image API v2."""
        headers = {"X-Auth-Token": self.token(), "Content-Type": "application/openstack-images-v2.1-json-patch"}
        body = json.dumps([{"op": "replace", "path": "/name", "value": name}]).encode()
        url = f"{self.image}/v2/images/{image_id}"
        urllib.request.urlopen(urllib.request.Request(url, body, headers, method="PATCH")).close()

    def named(self, kind: str, name: str) -> dict[str, Any] | None:
        """The user, project, role or service of that name."""
        found: list[dict[str, Any]] = self.v3(f"{kind}?name={name}")[kind]
        return found[0] if found else None


_JSON = {"Content-Type": "application/json"}


class FileServer:
    """A web server on loopback that has one file for every path but /missing."""

    def __init__(self, data: bytes) -> None:
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                if self.path == "/missing":
                    self.send_error(404)
                    return
                self.send_response(200)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                if self.command == "GET":
                    self.wfile.write(data)

            do_HEAD = do_GET

            def log_message(self, format: str, *arguments: Any) -> None:
                """Say nothing."""

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        return self._server.server_address[1]

    def url(self, name: str) -> str:
        return f"http://127.0.0.1:{self.port}/{name}"

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def serving(data: bytes) -> Iterator[FileServer]:
    """A file server for a fixture."""
    server = FileServer(data)
    yield server
    server.close()

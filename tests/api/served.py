"""A whole appliance in this process, on real ports, and a client without any cleverness."""

import gzip
import http.client
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from appliance.settings import Settings
from appliance.startup import StartupReport
from appliance.wiring import Appliance
from tests.databases import setting_for

PASSWORD = "an admin's password"
OWN = {"Sec-Fetch-Site": "same-origin"}


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(gzip.decompress(self.body) if self.headers.get("content-encoding") == "gzip" else self.body)


@dataclass
class Served:
    """The appliance and where it is."""

    appliance: Appliance
    report: StartupReport
    token: str = ""

    def call(self, method: str, url: str, body: Any = None, **headers: str) -> Answer:
        """One request; a path alone is one of the image service. Underscores in names of headers are dashes."""
        parts = urlsplit(url if "://" in url else self.report.image_url + url)
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=60)
        data = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if data is not None:
            sent.setdefault("Content-Type", "application/json" if data is not body else "application/octet-stream")
        connection.request(method, parts.path + (f"?{parts.query}" if parts.query else ""), data, sent)
        answer = connection.getresponse()
        found = Answer(answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read())
        connection.close()
        return found

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        """A call as the administrator."""
        return self.call(method, path, body, **{"X-Auth-Token": self.token, **headers})

    def log_in(self, name: str = "admin", project: str = "admin") -> str:
        user = {"name": name, "password": PASSWORD, "domain": {"id": "default"}}
        scope = {"project": {"name": project, "domain": {"id": "default"}}}
        auth = {"identity": {"methods": ["password"], "password": {"user": user}}, "scope": scope}
        answer = self.call("POST", f"{self.report.identity_url}/v3/auth/tokens", {"auth": auth})
        return answer.headers["x-subject-token"]

    def member(self, name: str, project: str) -> str:
        """The token of a new user, who is a member of a new project."""
        identity = f"{self.report.identity_url}/v3"
        where = self.ask("POST", f"{identity}/projects", {"project": {"name": project}}).json["project"]["id"]
        who = self.ask("POST", f"{identity}/users", {"user": {"name": name, "password": PASSWORD}}).json["user"]["id"]
        role = self.ask("GET", f"{identity}/roles?name=member").json["roles"][0]["id"]
        assert self.ask("PUT", f"{identity}/projects/{where}/users/{who}/roles/{role}").status == 204
        return self.log_in(name, project)

    def upload(self, name: str, data: bytes) -> str:
        body = {"name": name, "disk_format": "raw", "container_format": "bare"}
        image_id = str(self.ask("POST", "/v2/images", body).json["id"])
        assert self.ask("PUT", f"/v2/images/{image_id}/file", data).status == 204
        return image_id


@contextmanager
def serving(directory: Path, **settings: Any) -> Iterator[Served]:
    """Serve until the block ends."""
    usual = {"image_port": 0, "identity_port": 0, "disk_reserve": 0, "admin_password": PASSWORD}
    made = Settings(data_dir=directory, **{"database": setting_for(directory), **usual, **settings})
    with Appliance(made) as appliance:
        report = appliance.start()
        thread = threading.Thread(target=appliance.run)
        thread.start()
        try:
            served = Served(appliance, report)
            served.token = served.log_in() if made.identity_mode == "own" else ""
            yield served
        finally:
            appliance.stop()
            thread.join()

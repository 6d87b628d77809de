"""Node processes on one database and one bucket, behind a balancer, and calls of them that are recorded."""

import http.client
import json
import os
import random
import signal
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from cryptography.fernet import Fernet

from tests.blobs.backends.fault_proxy import Plan
from tests.blobs.backends.seaweed import KEY, SECRET, free_ports
from tests.databases import server
from tests.e2e.conftest import PASSWORD, Appliance
from tests.nodes.balancer import balancing
from tests.nodes.history import OK, REFUSED, UNKNOWN, Call, History

LEASE = 6
_TIMEOUT = 30
Body = bytes | dict[str, Any] | None


class Cluster:
    """Node processes on one database and one bucket, behind a balancer."""

    def __init__(self, directory: Path, endpoint: str, plan: Plan, bucket: str, count: int, seed: int) -> None:
        """`plan` says what happens between the nodes and the store at `endpoint`."""
        self.plan = plan
        self.random = random.Random(seed)
        self.history = History()
        self.url = server().create_current()
        key = directory / "site-key"
        key.write_bytes(Fernet.generate_key())
        self.prefix = os.urandom(6).hex()
        self._flags = {
            "--database": self.url,
            "--site-key-file": str(key),
            "--node-lease": str(LEASE),
            "--store-url": f"s3://{bucket}/{self.prefix}",
            "--store-options": f"main:endpoint={endpoint}",
            "--collect-grace": "1",
            "--collect-interval": "2",
            "--scrub-interval-days": "1",
        }
        self._environment = {"AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET}
        self._directory = directory
        self._held = ExitStack()
        self.nodes = [self._start(f"node{number}") for number in range(count)]
        bases = {node.directory.parent.name: (node.image, node.identity) for node in self.nodes}
        self.balancer = self._held.enter_context(balancing(directory, bases))

    def _start(self, name: str) -> Appliance:
        (self._directory / name).mkdir()
        # The same after each death, for the balancer.
        ports = map(str, free_ports(2))
        flags = [part for flag in self._flags.items() for part in flag]
        flags += ["--no-console", "--use-keystone-limits", "--node-name", name]
        flags += [part for flag in zip(("--image-port", "--identity-port"), ports, strict=True) for part in flag]
        return Appliance(self._directory / name / "data", *flags, environment=self._environment)

    def close(self) -> None:
        self._held.close()
        for node in self.nodes:
            node.process.send_signal(signal.SIGCONT)
            node.kill()

    def log(self) -> str:
        return "\n".join(f"--- {node.directory.parent.name}\n{node.log()[-4000:]}" for node in self.nodes)

    # -- calls ---------------------------------------------------------------------------------------------------------

    def request(
        self, method: str, service: str, path: str, body: Body = None, **headers: str
    ) -> tuple[int, dict[str, str], bytes]:
        """One request to whichever node the balancer chooses.

        Raises `OSError` or `HTTPException` if there is no whole answer.
        """
        parts = urlsplit(self.balancer.image if service == "image" else self.balancer.identity)
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=_TIMEOUT)
        try:
            data = json.dumps(body).encode() if isinstance(body, dict) else body
            kind = "application/json" if isinstance(body, dict) else "application/octet-stream"
            sent = {"Content-Type": kind} if data is not None else {}
            sent |= {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(method, parts.path + path, data, sent)
            answer = connection.getresponse()
            return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
        finally:
            connection.close()

    def log_in(self) -> str:
        """A token of the administrator; tried until there is one."""
        user = {"name": "admin", "password": PASSWORD, "domain": {"id": "default"}}
        scope = {"project": {"name": "admin", "domain": {"id": "default"}}}
        auth = {"auth": {"identity": {"methods": ["password"], "password": {"user": user}}, "scope": scope}}
        end = time.monotonic() + 90
        while True:
            try:
                status, headers, _ = self.request("POST", "identity", "/auth/tokens", auth)
                if status == 201:
                    return headers["x-subject-token"]
            except (OSError, http.client.HTTPException):
                pass
            assert time.monotonic() < end, self.log()
            time.sleep(0.1)

    def ask(
        self,
        call: Call,
        good: int,
        method: str,
        path: str,
        body: Body = None,
        service: str = "image",
        refusals: tuple[int, ...] = (),
        *,
        token: str,
        **headers: str,
    ) -> bytes:
        """Make a call and note how it ended: what is neither good nor a refusal may have happened or not."""
        try:
            status, _, data = self.request(method, service, path, body, X_Auth_Token=token, **headers)
        except (OSError, http.client.HTTPException) as error:
            call.note = type(error).__name__
            return b""
        call.outcome = OK if status in (good, 200 if good == 204 else good) else UNKNOWN
        if status in refusals:
            call.outcome = REFUSED
        call.note = "" if call.outcome == OK else f"HTTP {status} {data[:200]!r}"
        return data if call.outcome == OK else b""

"""Clients at work on several node processes while these are killed, stopped and cut off; all of it recorded."""

import hashlib
import http.client
import json
import os
import random
import signal
import threading
import time
from collections.abc import Callable
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

QUOTA = 4
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


class Clients:
    """Threads that use a cluster until they are told to stop."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._history = cluster.history
        self._stopping = threading.Event()
        self._token = cluster.log_in()
        self._limit()
        works: list[Callable[[], None]] = [self.image, self.image, self.quota, self.revocation]
        self._threads = [threading.Thread(target=self._repeat, args=(work,)) for work in works]
        self.errors: list[BaseException] = []
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._stopping.set()
        for thread in self._threads:
            thread.join()

    def _repeat(self, work: Callable[[], None]) -> None:
        while not self._stopping.is_set():
            try:
                work()
            except BaseException as error:
                self.errors.append(error)
                raise

    def _limit(self) -> None:
        """The project of the quota's clients may have so many images."""
        self._project, self._project_token = self._new_project()
        service = json.loads(self._admin("GET", "/services?type=image"))["services"][0]["id"]
        where = {"service_id": service, "region_id": "RegionOne"}
        # What is not registered, nobody may have any of.
        names = ("image_count_total", "image_count_uploading", "image_size_total", "image_stage_total")
        made = [{**where, "resource_name": name, "default_limit": 1_000_000} for name in names]
        self._admin("POST", "/registered_limits", {"registered_limits": made})
        limit = {**where, "resource_name": "image_count_total", "resource_limit": QUOTA, "project_id": self._project}
        self._admin("POST", "/limits", {"limits": [limit]})

    def _admin(self, method: str, path: str, body: Body = None) -> bytes:
        status, _, data = self._cluster.request(method, "identity", path, body, X_Auth_Token=self._token)
        assert status < 300, (path, status, data)
        return data

    def _new_project(self) -> tuple[str, str]:
        project = json.loads(self._admin("POST", "/projects", {"project": {"name": os.urandom(4).hex()}}))["project"]
        name = os.urandom(4).hex()
        user = json.loads(self._admin("POST", "/users", {"user": {"name": name, "password": "pw"}}))["user"]["id"]
        role = json.loads(self._admin("GET", "/roles?name=member"))["roles"][0]["id"]
        self._admin("PUT", f"/projects/{project['id']}/users/{user}/roles/{role}")
        self._auth = {"identity": {"methods": ["password"], "password": {"user": {"id": user, "password": "pw"}}}}
        self._scope = {"project": {"id": project["id"]}}
        return project["id"], self._member_token()

    def _member_token(self) -> str:
        """A token of a member; empty if none can be had at present."""
        try:
            status, headers, _ = self._cluster.request(
                "POST", "identity", "/auth/tokens", {"auth": {**self._auth, "scope": self._scope}}
            )
        except (OSError, http.client.HTTPException):
            return ""
        return headers["x-subject-token"] if status == 201 else ""

    # -- what they do --------------------------------------------------------------------------------------------------

    def image(self) -> None:
        """The life of an image: made, filled, read at other nodes, deleted, and looked for again."""
        image_id = _new_id()
        body = {"id": image_id, "name": "x", "disk_format": "raw", "container_format": "bare"}
        with self._history.call("create", image_id) as call:
            self._cluster.ask(call, 201, "POST", "/v2/images", body, token=self._token)
        if call.outcome != OK:
            return
        data = os.urandom(self._cluster.random.choice((1_000, 200_000, 2_000_000)))
        digest = hashlib.sha256(data).hexdigest()
        with self._history.call("upload", image_id, digest) as call:
            self._cluster.ask(call, 204, "PUT", f"/v2/images/{image_id}/file", data, refusals=(409,), token=self._token)
        for _ in range(2):
            self.look(image_id)
        if self._cluster.random.random() < 0.6:
            with self._history.call("delete", image_id) as call:
                self._cluster.ask(call, 204, "DELETE", f"/v2/images/{image_id}", refusals=(409,), token=self._token)
            self.look(image_id)

    def look(self, image_id: str) -> None:
        """Read it, and ask how it is."""
        with self._history.call("show", image_id) as call:
            data = self._cluster.ask(call, 200, "GET", f"/v2/images/{image_id}", refusals=(404,), token=self._token)
            call.value = json.loads(data)["status"] if data else call.value
        with self._history.call("read", image_id) as call:
            # 204 is an image without data.
            data = self._cluster.ask(
                call, 204, "GET", f"/v2/images/{image_id}/file", refusals=(404,), token=self._token
            )
            call.value = hashlib.sha256(data).hexdigest() if data else call.value

    def quota(self) -> None:
        """Take one image more than there may be, now and then give one back."""
        token = self._project_token
        image_id = _new_id()
        body = {"id": image_id, "name": "x", "disk_format": "raw", "container_format": "bare"}
        with self._history.call("take", image_id) as call:
            self._cluster.ask(call, 201, "POST", "/v2/images", body, refusals=(413,), token=token)
        if call.outcome == OK and self._cluster.random.random() < 0.7:
            time.sleep(0.05)
            with self._history.call("free", image_id) as call:
                self._cluster.ask(call, 204, "DELETE", f"/v2/images/{image_id}", token=token)
        else:
            time.sleep(0.1)
            self._free_one(token)

    def _free_one(self, token: str) -> None:
        freed = {call.subject for call in self._history.of("free")}
        taken = [call.subject for call in self._history.of("take") if call.outcome == OK and call.subject not in freed]
        if len(taken) >= QUOTA:
            with self._history.call("free", taken[0]) as call:
                self._cluster.ask(call, 204, "DELETE", f"/v2/images/{taken[0]}", token=token)

    def revocation(self) -> None:
        """A token, good at all nodes until it is revoked at one."""
        token = self._member_token()
        if not token:
            time.sleep(0.1)
            return
        name = hashlib.sha256(token.encode()).hexdigest()[:12]
        for _ in range(2):
            self._use(name, token)
        with self._history.call("revoke", name) as call:
            self._cluster.ask(
                call, 204, "DELETE", "/auth/tokens", service="identity", token=token, X_Subject_Token=token
            )
        for _ in range(3):
            self._use(name, token)

    def _use(self, name: str, token: str) -> None:
        with self._history.call("use", name) as call:
            self._cluster.ask(call, 200, "GET", "/v2/images?limit=1", refusals=(401,), token=token)


class Faults:
    """What goes wrong, one thing after the other."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self.done: list[str] = []

    def kill(self, away: float | None = None) -> None:
        """A node dies in the middle of everything, and starts again, at once or when the others have taken over."""
        node = self._cluster.random.choice(self._cluster.nodes)
        node.kill()
        time.sleep(self._cluster.random.choice((0.0, LEASE + 3.0)) if away is None else away)
        node.start()

    def pause(self) -> None:
        """A node sleeps for longer than its lease, and wakes up as if nothing had been."""
        node = self._cluster.random.choice(self._cluster.nodes)
        node.process.send_signal(signal.SIGSTOP)
        time.sleep(LEASE * 2.0)
        node.process.send_signal(signal.SIGCONT)

    def database(self) -> None:
        """The database's server is stopped, and started again."""
        server().restart()

    def store(self) -> None:
        """The object store is cut off for a while."""
        self._cluster.plan.set("reset", times=-1)
        time.sleep(3)
        self._cluster.plan.heal()

    def run(self, until: float) -> None:
        faults = [self.kill, self.pause, self.database, self.store]
        while time.monotonic() < until:
            for fault in faults:
                if time.monotonic() < until:
                    time.sleep(self._cluster.random.uniform(0.5, 2))
                    self.done.append(fault.__name__)
                    fault()


def _new_id() -> str:
    raw = os.urandom(16).hex()
    return f"{raw[:8]}-{raw[8:12]}-4{raw[13:16]}-a{raw[17:20]}-{raw[20:]}"

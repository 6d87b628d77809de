"""Clients at work on several node processes while these are killed, stopped and cut off; all of it recorded."""

import hashlib
import http.client
import json
import os
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from tests.databases import server
from tests.nodes.cluster import LEASE, Body, Cluster
from tests.nodes.history import OK, REFUSED, Call

QUOTA = 4


@dataclass(frozen=True)
class Member:
    """A user, a project, and where the one's role on the other is."""

    user: str
    project: str
    grant: str


class Clients:
    """Threads that use a cluster until they are told to stop."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._history = cluster.history
        self._stopping = threading.Event()
        self._token = cluster.log_in()
        self._role = str(json.loads(self._admin("GET", "/roles?name=member"))["roles"][0]["id"])
        self._limited, self._revoked = self._limit(), self._new_member()
        self._dismissed: Member | None = None
        self._limited_token = self._token_of(self._limited)
        works: list[Callable[[], None]] = [self.image, self.image, self.quota, self.revocation, self.dismissal]
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

    def _limit(self) -> "Member":
        """A member whose project may have so many images."""
        member = self._new_member()
        service = json.loads(self._admin("GET", "/services?type=image"))["services"][0]["id"]
        where = {"service_id": service, "region_id": "RegionOne"}
        # What is not registered, nobody may have any of.
        names = ("image_count_total", "image_count_uploading", "image_size_total", "image_stage_total")
        made = [{**where, "resource_name": name, "default_limit": 1_000_000} for name in names]
        self._admin("POST", "/registered_limits", {"registered_limits": made})
        limit = {**where, "resource_name": "image_count_total", "resource_limit": QUOTA, "project_id": member.project}
        self._admin("POST", "/limits", {"limits": [limit]})
        return member

    def _admin(self, method: str, path: str, body: Body = None) -> bytes:
        status, _, data = self._cluster.request(method, "identity", path, body, X_Auth_Token=self._token)
        assert status < 300, (path, status, data)
        return data

    def _new_member(self) -> "Member":
        """A user who is a member of a project, both new."""
        name = os.urandom(4).hex()
        project = json.loads(self._admin("POST", "/projects", {"project": {"name": name}}))["project"]["id"]
        user = json.loads(self._admin("POST", "/users", {"user": {"name": name, "password": "pw"}}))["user"]["id"]
        member = Member(user, project, f"/projects/{project}/users/{user}/roles/{self._role}")
        self._admin("PUT", member.grant)
        return member

    def _token_of(self, member: "Member") -> str:
        """A token; empty if none can be had at present."""
        password = {"user": {"id": member.user, "password": "pw"}}
        identity = {"methods": ["password"], "password": password}
        auth = {"identity": identity, "scope": {"project": {"id": member.project}}}
        try:
            status, headers, _ = self._cluster.request("POST", "identity", "/auth/tokens", {"auth": auth})
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
        token = self._limited_token
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
        # One whose answer was lost may be there as well.
        takes = [call for call in self._history.of("take") if call.outcome != REFUSED]
        taken = [call.subject for call in takes if call.subject not in freed]
        if len(taken) >= QUOTA:
            with self._history.call("free", taken[0]) as call:
                self._cluster.ask(call, 204, "DELETE", f"/v2/images/{taken[0]}", token=token)

    def revocation(self) -> None:
        """A token, good at all nodes until it is revoked at one."""
        self._barrier(self._revoked, "/auth/tokens")

    def dismissal(self) -> None:
        """A role on a project, and with it a token, good at all nodes until it is taken away at one."""
        try:
            member = self._dismissed or self._new_member()
            self._dismissed = None
            call = self._barrier(member, member.grant)
            # One whose answer was lost may come to it later: then nothing more is asked of this user.
            if call is not None and call.outcome == OK:
                self._admin("PUT", member.grant)
                self._dismissed = member
        except (AssertionError, OSError, http.client.HTTPException):
            time.sleep(0.1)

    def _barrier(self, member: "Member", path: str) -> Call | None:
        """Use a new token before and after a DELETE that ends it."""
        token = self._token_of(member)
        if not token:
            time.sleep(0.1)
            return None
        name = hashlib.sha256(token.encode()).hexdigest()[:12]
        for _ in range(2):
            self._use(name, token)
        by = token if path == "/auth/tokens" else self._token
        with self._history.call("revoke", name) as call:
            self._cluster.ask(call, 204, "DELETE", path, service="identity", token=by, X_Subject_Token=token)
        for _ in range(3):
            self._use(name, token)
        return call

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

    def restart(self) -> None:
        """A node is stopped and started again, as for an upgrade: what runs there ends before."""
        node = self._cluster.random.choice(self._cluster.nodes)
        assert node.stop() == 0, node.log()
        node.start()

    def database(self) -> None:
        """The database's server is stopped, and started again."""
        server().restart()

    def store(self) -> None:
        """The object store is cut off for a while."""
        self._cluster.plan.set("reset", times=-1)
        time.sleep(3)
        self._cluster.plan.heal()

    def run(self, until: float) -> None:
        faults = [self.kill, self.pause, self.restart, self.database, self.store]
        while time.monotonic() < until:
            for fault in faults:
                if time.monotonic() < until:
                    time.sleep(self._cluster.random.uniform(0.5, 2))
                    self.done.append(fault.__name__)
                    fault()


def _new_id() -> str:
    raw = os.urandom(16).hex()
    return f"{raw[:8]}-{raw[8:12]}-4{raw[13:16]}-a{raw[17:20]}-{raw[20:]}"

"""Log-ins by the dozen on a real socket, with hashes that take as long as the test wants: who waits for whom."""

import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest

from appliance.api.http.proxy import BehindProxies, Mount, TrustedProxies
from appliance.api.legacy.identity_v2.routes import build as build_v2
from appliance.db.engine.base import Database
from appliance.db.engine.registry import open_database
from appliance.identity.auth.hash_queue import HashQueue
from appliance.server.limits import Limits
from appliance.settings import Settings
from tests.api.identity_v3.client import PASSWORD, Client, password_auth, start
from tests.server.conftest import Client as Connection
from tests.server.conftest import Running

T = TypeVar("T")

_PATIENCE = 20.0


class SlowHashes(HashQueue):
    """One hash at a time, and each only when the test lets it."""

    def __init__(self, waiting: int) -> None:
        super().__init__(1, waiting)
        self.allowed = threading.Semaphore(0)
        self.computed = 0

    def run(self, work: Callable[[], T]) -> T:
        def slow() -> T:
            assert self.allowed.acquire(timeout=_PATIENCE)
            self.computed += 1
            return work()

        return super().run(slow)

    def allow(self, count: int) -> None:
        self.allowed.release(count)

    def wait_for(self, entered: int) -> None:
        """Until so many were ever accepted."""
        pause = threading.Event()
        while self.entered < entered:
            pause.wait(0.002)


class Storm:
    """An identity service behind a proxy that reports addresses, with a single thread for ordinary requests."""

    def __init__(self, directory: Path, db: Database) -> None:
        settings = Settings(legacy=True)
        self.client: Client = start(directory, settings, db)
        self.user_id = self.client.create("user", {"name": "anna", "password": PASSWORD})["id"]
        self.admin_id = self.client.call("GET", "/v3/users?name=admin").json["users"][0]["id"]
        self.hashes = self.client.identity.passwords.queue = SlowHashes(waiting=8)
        v2 = build_v2(self.client.identity, settings)
        app = BehindProxies(Mount({"/today": self.client.app, "/old": v2}), TrustedProxies(["127.0.0.1"]))
        self.running = Running((app,), Limits(worker_threads=1, transfer_slots=1, linger_seconds=1.0), identify=None)

    def send(self, method: str, path: str, body: Any = None, address: str = "192.0.2.1", **headers: str) -> Connection:
        raw = b"" if body is None else json.dumps(body).encode()
        headers = {"X_Auth_Token": self.client.token or "", "X_Forwarded_For": address, **headers}
        if path.endswith("/tokens") and method == "POST":
            del headers["X_Auth_Token"]
        if headers.get("Transfer_Encoding") == "chunked":
            raw = b"%x\r\n%s\r\n0\r\n\r\n" % (len(raw), raw)
            head = f"{method} {path} HTTP/1.1\r\nHost: here\r\n"
            head += "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
            return self.running.client().send(head.encode() + b"\r\n", raw)
        return self.running.client().request(method, path, raw, **headers)

    def log_in(self, user: str, password: str, address: str = "192.0.2.1", **headers: str) -> Connection:
        return self.send("POST", "/today/v3/auth/tokens", {"auth": password_auth(user, password)}, address, **headers)

    def show(self) -> int:
        """Another tenant's request."""
        answer = self.send("GET", "/today/v3/auth/tokens", X_Subject_Token=self.client.token or "").response()
        return answer.status


@pytest.fixture
def storm(tmp_path: Path) -> Iterator[Storm]:
    db = open_database(tmp_path / "appliance.db")
    made = Storm(tmp_path, db)
    yield made
    made.hashes.allow(1000)
    made.running.close()
    db.close()


def test_others_are_served_while_log_ins_wait(storm: Storm) -> None:
    waiting = [storm.log_in(f"user {n}", "wrong") for n in range(9)]
    storm.hashes.wait_for(9)
    assert [storm.show() for _ in range(20)] == [200] * 20
    assert storm.hashes.computed == 0
    storm.hashes.allow(9)
    assert [each.response().status for each in waiting] == [401] * 9


WAYS: list[tuple[str, str, Any]] = [
    ("POST", "/today/v3/auth/tokens", {"auth": password_auth("anna", PASSWORD)}),
    ("POST", "/old/v2.0/tokens", {"auth": {"passwordCredentials": {"username": "anna", "password": PASSWORD}}}),
    (
        "POST",
        "/today/v3/auth/tokens",
        {
            "auth": {
                "identity": {
                    "methods": ["application_credential"],
                    "application_credential": {"id": "unknown", "secret": "wrong"},
                }
            }
        },
    ),
    (
        "POST",
        "/today/v3/users/{anna}/password",
        {"user": {"original_password": PASSWORD, "password": "another"}},
    ),
    ("POST", "/today/v3/users", {"user": {"name": "bert", "password": "secret"}}),
    ("PATCH", "/today/v3/users/{anna}", {"user": {"password": "secret"}}),
    ("POST", "/today/v3/users/{admin}/application_credentials", {"application_credential": {"name": "robot"}}),
]


@pytest.mark.parametrize(("method", "path", "body"), WAYS)
def test_whatever_takes_a_hash_holds_no_thread_that_others_need(
    storm: Storm, method: str, path: str, body: Any
) -> None:
    waiting = storm.send(method, path.format(anna=storm.user_id, admin=storm.admin_id), body)
    storm.hashes.wait_for(1)
    assert storm.show() == 200
    storm.hashes.allow(10)
    assert waiting.response().status in (200, 201, 204, 401)


def test_a_log_in_in_chunks_holds_no_slot_of_transfers(storm: Storm) -> None:
    waiting = [storm.log_in(f"user {n}", "wrong", Transfer_Encoding="chunked") for n in range(3)]
    storm.hashes.wait_for(3)
    assert storm.hashes.computed == 0
    storm.hashes.allow(3)
    assert [each.response().status for each in waiting] == [401] * 3


def test_a_right_log_in_from_elsewhere_waits_for_one_hash_and_not_for_all(storm: Storm) -> None:
    for n in range(8):
        storm.log_in(f"user {n}", "wrong")
    storm.hashes.wait_for(8)
    right = storm.log_in("anna", PASSWORD, "198.51.100.1")
    storm.hashes.wait_for(9)
    # The one that is being computed, one more of those that were first, and this.
    storm.hashes.allow(3)
    assert right.response().status == 201
    assert storm.hashes.computed == 3


def test_more_than_may_wait_is_refused_and_the_rest_is_not_forgotten(storm: Storm) -> None:
    waiting = [storm.log_in(f"user {n}", "wrong") for n in range(9)]
    storm.hashes.wait_for(9)
    answer = storm.log_in("anna", PASSWORD).response()
    assert answer.status == 429
    assert int(answer.headers["retry-after"]) >= 1
    storm.hashes.allow(9)
    assert [each.response().status for each in waiting] == [401] * 9


def test_who_has_left_takes_no_hash(storm: Storm) -> None:
    first = storm.log_in("first", "wrong")
    storm.hashes.wait_for(1)
    leaving = [storm.log_in(f"user {n}", "wrong") for n in range(4)]
    storm.hashes.wait_for(5)
    for each in leaving[:2]:
        each.close()
    for each in leaving[2:]:
        each.reset()
    last = storm.log_in("last", "wrong")
    storm.hashes.wait_for(6)
    storm.hashes.allow(2)
    assert [first.response().status, last.response().status] == [401, 401]
    assert storm.hashes.computed == 2


def test_sixty_four_right_log_ins_at_once_are_all_let_in(storm: Storm) -> None:
    storm.hashes = storm.client.identity.passwords.queue = SlowHashes(waiting=Settings().password_queue)
    storm.hashes.allow(64)
    clients = [storm.log_in("anna", PASSWORD) for _ in range(64)]
    assert [each.response().status for each in clients] == [201] * 64


def test_of_many_guesses_at_once_few_are_tried(storm: Storm) -> None:
    storm.hashes = storm.client.identity.passwords.queue = SlowHashes(waiting=Settings().password_queue)
    storm.hashes.allow(64)
    clients = [storm.log_in("anna", "wrong") for _ in range(64)]
    seen = [each.response().status for each in clients]
    # Between the end of one hash and its being counted, another may begin.
    assert seen.count(401) <= 10 + 1 + 3
    assert seen.count(429) == 64 - seen.count(401)


def test_guesses_from_one_address_of_a_proxy_leave_the_owner_in_at_another(storm: Storm) -> None:
    storm.hashes.allow(100)
    for _ in range(12):
        storm.log_in("anna", "wrong", "2001:db8::1").response()
    assert storm.log_in("anna", PASSWORD, "2001:db8::2").response().status == 429
    assert storm.log_in("anna", PASSWORD, "2001:db8:0:1::1").response().status == 201

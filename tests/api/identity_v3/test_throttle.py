"""Every secret has its limits, and neither they nor the time they take tell what exists, is locked or disabled."""

import base64
import hashlib
import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import pytest

from appliance.api.legacy.identity_v2.routes import build as build_v2
from appliance.db.engine.base import Database, Tx
from appliance.db.identity import users as user_rows
from appliance.identity.auth.hash_queue import HashQueue
from appliance.identity.auth.totp import passcode
from appliance.settings import Settings
from tests.api.identity_v3.client import PASSWORD, Answer, Client, password_auth, start
from tests.databases import SQLITE_ALONE

T = TypeVar("T")

METHODS = (*Settings().auth_methods, "totp")

FREE = 10
"""Wrong secrets that go unpunished, unless set otherwise."""
SEED = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
ELSEWHERE = "198.51.100.7"


class World:
    """People in every state that a log-in may find them in, and a secret of each kind."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.users: dict[str, str] = {}
        for name in ("anna", "locked", "disabled", "expired", "passwordless"):
            values = {"name": name} | ({"password": PASSWORD} if name != "passwordless" else {})
            self.users[name] = client.create("user", values)["id"]
        self.users["unknown"] = "0" * 32
        client.call("PATCH", f"/v3/users/{self.users['disabled']}", {"user": {"enabled": False}})

        def change(tx: Tx) -> None:
            for _ in range(100):
                user_rows.count_failure(tx, self.users["locked"], client.time())
            tx.execute("UPDATE passwords SET expires_at = 1 WHERE user_id = ?", (self.users["expired"],))

        client.identity.store.transact(change)
        body = {"application_credential": {"name": "robot"}}
        admin = client.call("GET", "/v3/users?name=admin").json["users"][0]["id"]
        made = client.call("POST", f"/v3/users/{admin}/application_credentials", body)
        self.robot: dict[str, Any] = made.json["application_credential"]
        anna = self.users["anna"]
        client.create("credential", {"type": "totp", "blob": SEED, "user_id": anna})
        role = client.call("GET", "/v3/roles?name=service").json["roles"][0]["id"]
        project = client.call("GET", "/v3/projects?name=admin").json["projects"][0]["id"]
        client.call("PUT", f"/v3/projects/{project}/users/{admin}/roles/{role}")
        blob = json.dumps({"access": "key", "secret": "shared"})
        client.create("credential", {"type": "ec2", "blob": blob, "user_id": admin, "project_id": project})

    def auth(self, identity: dict[str, Any], **headers: str) -> Answer:
        return self.client.call("POST", "/v3/auth/tokens", {"auth": {"identity": identity}}, token="", headers=headers)

    def by_name(self, user: str, secret: str) -> Answer:
        return self.client.call("POST", "/v3/auth/tokens", {"auth": password_auth(user, secret)}, token="")

    def by_id(self, user: str, secret: str) -> Answer:
        shown = {"user": {"id": self.users[user], "password": secret}}
        return self.auth({"methods": ["password"], "password": shown})

    def by_v2(self, user: str, secret: str) -> Answer:
        auth = {"passwordCredentials": {"username": user, "password": secret}}
        today = self.client.app
        self.client.app = build_v2(self.client.identity, Settings())
        try:
            return self.client.call("POST", "/v2.0/tokens", {"auth": auth}, token="")
        finally:
            self.client.app = today

    def by_passcode(self, user: str, code: str) -> Answer:
        return self.auth({"methods": ["totp"], "totp": {"user": {"id": self.users[user], "passcode": code}}})

    def by_change(self, user: str, secret: str) -> Answer:
        body = {"user": {"original_password": secret, "password": "another"}}
        return self.client.call("POST", f"/v3/users/{self.users[user]}/password", body, token="")

    def by_credential(self, credential: str, secret: str) -> Answer:
        shown = {"id": self.robot["id"] if credential == "robot" else credential, "secret": secret}
        return self.auth({"methods": ["application_credential"], "application_credential": shown})

    def by_credential_name(self, credential: str, secret: str) -> Answer:
        owner = {"name": "admin" if credential == "robot" else "nobody", "domain": {"id": "default"}}
        shown = {"name": credential, "user": owner, "secret": secret}
        return self.auth({"methods": ["application_credential"], "application_credential": shown})

    def by_signature(self, access: str, signature: str) -> Answer:
        params = {"SignatureVersion": "0", "Action": "act", "Timestamp": "now"}
        shown = {"access": access, "signature": signature, "params": params}
        return self.client.call("POST", "/v3/ec2tokens", {"credentials": shown})


@pytest.fixture
def settings() -> Settings:
    return Settings(lockout_failure_attempts=50, auth_methods=METHODS)


@pytest.fixture
def world(client: Client) -> World:
    return World(client)


def statuses(call: Callable[[], Answer], count: int) -> list[int]:
    return [call().status for _ in range(count)]


PASSWORDS = ("by_name", "by_id", "by_v2", "by_change")
STATES = ("anna", "unknown", "locked", "disabled", "expired", "passwordless")


@pytest.mark.parametrize("way", PASSWORDS)
def test_wrong_passwords_are_held_back_and_the_answers_are_the_same_for_everybody(world: World, way: str) -> None:
    def seen(user: str) -> list[tuple[int, str, str | None]]:
        presenter = [getattr(world, way)(user, "wrong") for _ in range(FREE + 3)]
        return [(answer.status, answer.text, answer.headers.get("retry-after")) for answer in presenter]

    first = seen("anna")
    assert [status for status, _, _ in first] == [401] * (FREE + 1) + [429] * 2
    assert first[-1][2] == "1"
    assert all(seen(user) == first for user in STATES[1:])


@pytest.mark.parametrize("user", ["locked", "disabled", "expired", "passwordless"])
def test_a_right_password_of_who_may_not_log_in_is_like_a_wrong_one(world: World, user: str) -> None:
    assert statuses(lambda: world.by_name(user, PASSWORD), FREE + 2) == [401] * (FREE + 1) + [429]


@pytest.mark.parametrize("credential", ["robot", "unknown"])
@pytest.mark.parametrize("way", ["by_credential", "by_credential_name"])
def test_wrong_secrets_of_application_credentials_are_held_back(world: World, way: str, credential: str) -> None:
    assert statuses(lambda: getattr(world, way)(credential, "wrong"), FREE + 2) == [401] * (FREE + 1) + [429]


def test_wrong_passcodes_are_held_back_sooner(world: World) -> None:
    for user in STATES:
        assert statuses(partial(world.by_passcode, user, "000000"), 6) == [401] * 4 + [429] * 2, user


@pytest.mark.parametrize(("access", "status"), [("key", 401), ("unknown", 404)])
def test_wrong_signatures_are_held_back_later(world: World, access: str, status: int) -> None:
    assert statuses(lambda: world.by_signature(access, "wrong"), 102) == [status] * 101 + [429]


def test_a_wrong_receipt_counts_as_a_wrong_password(world: World) -> None:
    def show() -> Answer:
        shown = {"user": {"id": world.users["anna"], "password": PASSWORD}}
        return world.auth({"methods": ["password"], "password": shown}, **{"Openstack-Auth-Receipt": "junk"})

    assert statuses(show, FREE + 2) == [401] * (FREE + 1) + [429]


def test_the_ways_to_one_password_share_one_count(world: World) -> None:
    ways = [getattr(world, way) for way in PASSWORDS] * 4
    assert [way("anna", "wrong").status for way in ways[: FREE + 2]] == [401] * (FREE + 1) + [429]


def test_who_has_to_wait_is_told_how_long_and_let_in_then(world: World, client: Client) -> None:
    for _ in range(FREE + 1):
        world.by_name("anna", "wrong")
    answer = world.by_name("anna", PASSWORD)
    assert (answer.status, answer.headers["retry-after"]) == (429, "1")
    assert answer.json["error"]["title"] == "Too Many Requests"
    client.time.pass_seconds(1)
    assert world.by_name("anna", PASSWORD).status == 201


def test_guesses_from_elsewhere_do_not_keep_anybody_out(world: World, client: Client) -> None:
    statuses(lambda: world.by_name("anna", "wrong"), 50)
    client.address = ELSEWHERE
    assert world.by_name("anna", PASSWORD).status == 201


def test_setting_the_clock_does_not_end_the_wait(world: World, client: Client) -> None:
    statuses(lambda: world.by_name("anna", "wrong"), FREE + 1)
    client.time.set_clock(3600)
    assert world.by_name("anna", PASSWORD).status == 429
    client.time.set_clock(-7200)
    client.time.pass_seconds(1)
    assert world.by_name("anna", PASSWORD).status == 201


def test_a_right_password_on_a_scope_without_roles_is_no_guess(world: World) -> None:
    def show() -> Answer:
        auth = password_auth("anna", PASSWORD, "project:admin")
        return world.client.call("POST", "/v3/auth/tokens", {"auth": auth}, token="")

    assert statuses(show, 30) == [401] * 30
    assert world.by_name("anna", PASSWORD).status == 201


def test_a_right_password_does_not_buy_more_guesses_at_the_passcode(world: World, client: Client) -> None:
    options = {"multi_factor_auth_rules": [["password", "totp"]]}
    client.call("PATCH", f"/v3/users/{world.users['anna']}", {"user": {"options": options}})

    def guess(code: str | None) -> int:
        shown = {"id": world.users["anna"]}
        totp = {"user": {**shown, "passcode": code}}
        identity = {
            "methods": ["password", "totp"],
            "password": {"user": {**shown, "password": PASSWORD}},
            "totp": totp,
        }
        return world.auth(identity).status

    seen = []
    for _ in range(5):
        seen.append(guess("000000"))
        # Enough for a receipt, and no more.
        world.by_name("anna", PASSWORD)
    assert seen == [401] * 4 + [429]
    client.time.pass_seconds(60)
    assert guess(passcode(SEED, client.time())) == 201


class Counting(HashQueue):
    """Counts the hashes that are computed."""

    def __init__(self) -> None:
        super().__init__(1, 8)
        self.computed = 0

    def run(self, work: Callable[[], T]) -> T:
        self.computed += 1
        return super().run(work)


@pytest.mark.parametrize(
    ("way", "shown"),
    [
        *((way, STATES) for way in PASSWORDS),
        *((way, ("robot", "unknown")) for way in ("by_credential", "by_credential_name")),
    ],
)
def test_every_refusal_takes_one_hash(world: World, way: str, shown: tuple[str, ...]) -> None:
    for name in shown:
        counting = world.client.identity.passwords.queue = Counting()
        assert getattr(world, way)(name, "wrong").status == 401
        assert counting.computed == 1, name


@SQLITE_ALONE
def test_every_refusal_writes_once_where_failures_are_kept(world: World) -> None:
    def changes() -> int:
        row = world.client.identity.store.transact(lambda tx: tx.row("SELECT total_changes() AS count"))
        assert row is not None
        return int(row["count"])

    for user in STATES:
        before = changes()
        world.by_name(user, "wrong")
        assert changes() == before + 1, user


def test_an_attempt_that_has_to_wait_takes_no_hash(world: World) -> None:
    statuses(lambda: world.by_name("anna", "wrong"), FREE + 1)
    counting = world.client.identity.passwords.queue = Counting()
    assert world.by_name("anna", PASSWORD).status == 429
    assert counting.computed == 0


# -- secrets that scrypt alone can't tell apart ------------------------------------------------------------------------


@pytest.mark.parametrize("way", ["by_name", "by_id", "by_v2", "by_change"])
def test_zeros_behind_a_password_make_it_a_wrong_one(world: World, way: str) -> None:
    assert getattr(world, way)("anna", PASSWORD + "\0").status == 401


@pytest.mark.parametrize("way", ["by_credential", "by_credential_name"])
def test_zeros_behind_the_secret_of_an_application_credential_make_it_a_wrong_one(world: World, way: str) -> None:
    assert getattr(world, way)("robot", world.robot["secret"] + "\0").status == 401
    assert getattr(world, way)("robot", world.robot["secret"]).status == 201


def of_before(secret: str) -> str:
    """A hash as it was stored before version 2."""
    digest = hashlib.scrypt(secret.encode(), salt=b"salt", n=16, r=1, p=1, dklen=32)
    parts = (base64.b64encode(part).decode().rstrip("=") for part in (b"salt", digest))
    return "$".join(("", "scrypt", "n=16,r=1,p=1", *parts))


def test_hashes_of_before_are_renewed_by_the_next_log_in(world: World, client: Client) -> None:
    db = client.identity.store.db

    def change(tx: Tx) -> None:
        tx.execute("UPDATE passwords SET hash = ? WHERE user_id = ?", (of_before("short"), world.users["anna"]))
        tx.execute("UPDATE application_credentials SET secret_hash = ?", (of_before("long" * 20),))

    client.identity.store.transact(change)
    assert world.by_name("anna", "short\0").status == 401
    assert world.by_name("anna", "short").status == 201
    assert world.by_credential("robot", "long" * 20).status == 201
    password = user_rows.password(db, world.users["anna"])
    robot = db.row("SELECT secret_hash FROM application_credentials")
    assert password is not None and password["hash"].startswith("$scrypt$v=2,")
    assert robot is not None and robot["secret_hash"].startswith("$scrypt$v=2,")
    assert world.by_name("anna", "short").status == 201
    assert world.by_credential("robot", "long" * 20).status == 201


# -- lock-outs and a clock that is set ---------------------------------------------------------------------------------


class TestLockout:
    @pytest.fixture
    def settings(self) -> Settings:
        return Settings(lockout_failure_attempts=2, lockout_duration=600, auth_methods=METHODS, totp_alone=True)

    @pytest.fixture
    def locked(self, client: Client) -> str:
        user_id: str = client.create("user", {"name": "anna", "password": PASSWORD})["id"]
        for _ in range(2):
            assert self.log_in(client, "wrong") == 401
        return user_id

    def log_in(self, client: Client, password: str = PASSWORD) -> int:
        return client.call("POST", "/v3/auth/tokens", {"auth": password_auth("anna", password)}, token="").status

    @pytest.mark.parametrize("jump", [-86400, -3600, 3600, 86400 * 365])
    def test_it_lasts_as_long_as_it_should_however_the_clock_is_set(
        self, client: Client, locked: str, jump: float
    ) -> None:
        client.time.set_clock(jump)
        client.time.pass_seconds(590)
        assert self.log_in(client) == 401
        client.time.pass_seconds(20)
        assert self.log_in(client) == 201

    def test_a_clock_set_back_before_a_restart_begins_it_anew_and_once(
        self, client: Client, locked: str, tmp_path: Path, settings: Settings
    ) -> None:
        client.time.set_clock(-86400 * 30)
        client.identity.store.transact(
            lambda tx: user_rows.begin_lockout(tx, locked, client.time() + 86400 * 30 * 1_000_000)
        )
        again = start_again(client, tmp_path, settings)
        assert self.log_in(again) == 401
        again.time.pass_seconds(590)
        assert self.log_in(again) == 401
        again.time.pass_seconds(20)
        assert self.log_in(again) == 201

    def test_it_outlives_a_restart(self, client: Client, locked: str, tmp_path: Path, settings: Settings) -> None:
        again = start_again(client, tmp_path, settings)
        assert self.log_in(again) == 401
        again.time.pass_seconds(601)
        assert self.log_in(again) == 201

    def test_wrong_passwords_meanwhile_do_not_prolong_it(self, client: Client, locked: str) -> None:
        client.time.pass_seconds(300)
        assert self.log_in(client, "wrong") == 401
        client.time.pass_seconds(301)
        assert self.log_in(client) == 201

    def test_after_it_the_count_begins_at_nothing(self, client: Client, locked: str) -> None:
        client.time.pass_seconds(601)
        assert self.log_in(client, "wrong") == 401
        assert self.log_in(client) == 201

    def test_only_a_whole_log_in_ends_the_count(self, client: Client) -> None:
        user_id = client.create("user", {"name": "anna", "password": PASSWORD})["id"]
        client.create("credential", {"type": "totp", "blob": SEED, "user_id": user_id})
        options = {"multi_factor_auth_rules": [["password", "totp"]]}
        client.call("PATCH", f"/v3/users/{user_id}", {"user": {"options": options}})
        shown = {"id": user_id}
        for _ in range(2):
            totp = {"user": {**shown, "passcode": "000000"}}
            password = {"user": {**shown, "password": PASSWORD}}
            identity = {"methods": ["password", "totp"], "password": password, "totp": totp}
            answer = client.call("POST", "/v3/auth/tokens", {"auth": {"identity": identity}}, token="")
            assert answer.status == 401
        assert user_rows.failures(client.identity.store.db, user_id)[0] == 2


def start_again(client: Client, directory: Path, settings: Settings) -> Client:
    """The same rows under a new process."""
    db: Database = client.identity.store.db
    again = start(directory, settings, db, client.time)
    return again

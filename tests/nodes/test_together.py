"""Two nodes as one appliance: what is done at one is so at the other, at once."""

import os
import threading
from typing import Any

import pytest
from cryptography.fernet import Fernet

from appliance import __version__
from appliance.blobs.garbage_collection import GarbageCollector
from appliance.errors import ApplianceError, Fatal, Unavailable
from appliance.image.rules import IMPORT_LOCK
from appliance.values import Caller
from tests.api.image_v2.web import Page, web_server
from tests.api.served import PASSWORD, Served
from tests.nodes.site import Site
from tests.waiting import eventually

ADMIN = Caller("u", "p", roles=frozenset(("admin", "manager", "member", "reader")))


RAW = {"name": "x", "disk_format": "raw", "container_format": "bare"}


def create(node: Served, name: str = "x") -> str:
    body = {**RAW, "name": name}
    return str(node.ask("POST", "/v2/images", body).json["id"])


def status(node: Served, image_id: str) -> str:
    return str(node.ask("GET", f"/v2/images/{image_id}").json["status"])


class Upload:
    """One that has begun and waits in the middle, until it is told to go on."""

    def __init__(self, node: Served, image_id: str, method: str = "upload") -> None:
        self._first = threading.Event()
        self._go = threading.Event()
        self._sent = 0
        self.error: ApplianceError | None = None
        data = node.appliance.images.data

        def run() -> None:
            try:
                getattr(data, method)(ADMIN, image_id, self)
            except ApplianceError as error:
                self.error = error

        self._thread = threading.Thread(target=run)
        self._thread.start()
        assert self._first.wait(30)

    def read(self, size: int = -1) -> bytes:
        self._sent += 1
        if self._sent == 1:
            self._first.set()
            return b"beginning"
        assert self._go.wait(120)
        return b"" if self._sent > 2 else b"end"

    def end(self) -> ApplianceError | None:
        """Let it go on, and say how it ended."""
        self._go.set()
        self._thread.join(60)
        return self.error


# -- any node serves any request


def test_an_image_that_was_uploaded_at_one_reads_back_at_the_other(one: Served, two: Served) -> None:
    data = os.urandom(200_000)
    image_id = one.upload("x", data)
    assert two.ask("GET", f"/v2/images/{image_id}/file").body == data


def test_a_token_of_one_is_valid_at_the_other(one: Served, two: Served) -> None:
    answer = two.call("GET", "/v2/images", X_Auth_Token=one.token)
    assert answer.status == 200


def test_what_is_staged_at_one_can_be_imported_at_the_other(one: Served, two: Served) -> None:
    image_id = create(one)
    assert one.ask("PUT", f"/v2/images/{image_id}/stage", b"staged").status == 204
    body = {"method": {"name": "glance-direct"}}
    assert two.ask("POST", f"/v2/images/{image_id}/import", body).status == 202
    eventually(lambda: status(one, image_id) == "active")
    assert one.ask("GET", f"/v2/images/{image_id}/file").body == b"staged"


# -- revocation is a barrier


def user_token(node: Served, name: str) -> tuple[str, str]:
    """A new user with a role on the project admin; the user's id and a token."""
    url = node.report.identity_url
    made = node.ask("POST", f"{url}/v3/users", {"user": {"name": name, "password": PASSWORD}}).json["user"]["id"]
    project = node.ask("GET", f"{url}/v3/projects?name=admin").json["projects"][0]["id"]
    role = node.ask("GET", f"{url}/v3/roles?name=member").json["roles"][0]["id"]
    node.ask("PUT", f"{url}/v3/projects/{project}/users/{made}/roles/{role}")
    user = {"id": made, "password": PASSWORD}
    auth = {"identity": {"methods": ["password"], "password": {"user": user}}, "scope": {"project": {"id": project}}}
    answer = node.call("POST", f"{url}/v3/auth/tokens", {"auth": auth})
    assert answer.status == 201, answer
    return made, answer.headers["x-subject-token"]


def seen(node: Served, token: str) -> int:
    return node.call("GET", "/v2/images", X_Auth_Token=token).status


def test_a_token_revoked_at_one_is_refused_at_the_other_at_once(one: Served, two: Served) -> None:
    _, token = user_token(one, "revoked")
    assert (seen(one, token), seen(two, token)) == (200, 200)
    answer = one.call("DELETE", f"{one.report.identity_url}/v3/auth/tokens", X_Auth_Token=token, X_Subject_Token=token)
    assert answer.status == 204
    assert (seen(two, token), seen(one, token)) == (401, 401)


def test_a_user_disabled_at_one_is_refused_at_the_other_at_once(one: Served, two: Served) -> None:
    user, token = user_token(one, "disabled")
    assert seen(two, token) == 200
    one.ask("PATCH", f"{one.report.identity_url}/v3/users/{user}", {"user": {"enabled": False}})
    assert seen(two, token) == 401


@pytest.mark.parametrize("ahead", [3_600_000_000, -3_600_000_000])
def test_a_revocation_is_in_force_whatever_the_nodes_clocks_say(
    one: Served, two: Served, ahead: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A token of a node whose clock is ahead is revoked by one whose clock is behind, and the other way round."""
    store = one.appliance.identity.store
    usual = store.clock
    monkeypatch.setattr(store, "clock", lambda: usual() + ahead // 3600)
    user, token = user_token(one, f"clock{ahead}")
    two.ask("PATCH", f"{two.report.identity_url}/v3/users/{user}", {"user": {"password": "another one"}})
    assert (seen(one, token), seen(two, token)) == (401, 401)


def test_a_new_token_is_good_right_after_a_revocation_elsewhere(one: Served, two: Served) -> None:
    user, _ = user_token(one, "again")
    two.ask("PATCH", f"{two.report.identity_url}/v3/users/{user}", {"user": {"password": PASSWORD}})
    auth = {"identity": {"methods": ["password"], "password": {"user": {"id": user, "password": PASSWORD}}}}
    answer = one.call("POST", f"{one.report.identity_url}/v3/auth/tokens", {"auth": auth})
    assert answer.status == 201


def test_a_catalog_changed_at_one_is_shown_by_the_other_at_once(one: Served, two: Served) -> None:
    url = one.report.identity_url

    def shown() -> Any:
        return two.ask("GET", f"{two.report.identity_url}/v3/auth/catalog").json["catalog"]

    before = [service["name"] for service in shown()]
    made = one.ask("POST", f"{url}/v3/services", {"service": {"type": "volume", "name": "extra"}}).json["service"]
    endpoint = {"interface": "public", "service_id": made["id"], "url": "http://volume.test"}
    one.ask("POST", f"{url}/v3/endpoints", {"endpoint": endpoint})
    assert sorted(service["name"] for service in shown()) == sorted([*before, "extra"])


# -- keys


def test_a_key_rotated_at_one_signs_tokens_that_the_other_takes(one: Served, two: Served) -> None:
    one.appliance.identity.rotate_keys()
    one.appliance.site.reload_keys()
    token = one.log_in()
    assert (seen(one, token), seen(two, token), seen(two, one.token)) == (200, 200, 200)


def test_no_key_is_in_the_database_as_it_is(site: Site, one: Served) -> None:
    rows = site.execute("SELECT name, sealed FROM site_keys")
    assert {"private.pem", "credential-keys"} <= {name for name, _ in rows}
    secret = (one.appliance.directory.keys / "credential-keys").read_text().strip()
    assert not any("PRIVATE" in sealed or secret in sealed for _, sealed in rows)


def test_a_secret_sealed_at_one_is_opened_by_the_other(one: Served, two: Served) -> None:
    url = one.report.identity_url
    user = one.ask("GET", f"{url}/v3/users?name=admin").json["users"][0]["id"]
    body = {"credential": {"type": "totp", "blob": "GEZDGNBVGY3TQOJQ", "user_id": user}}
    made = one.ask("POST", f"{url}/v3/credentials", body).json["credential"]["id"]
    found = two.ask("GET", f"{two.report.identity_url}/v3/credentials/{made}").json["credential"]
    assert found["blob"] == "GEZDGNBVGY3TQOJQ"


def test_a_node_with_another_sites_key_is_refused(site: Site) -> None:
    other = site.directory / "other-key"
    other.write_bytes(Fernet.generate_key())
    with (
        pytest.raises(Fatal, match="another key than that of site_key_file"),
        site.running("three", site_key_file=str(other)),
    ):
        pass


def test_a_node_whose_store_is_a_local_directory_is_refused(site: Site) -> None:
    with (
        pytest.raises(Fatal, match="a directory of this machine"),
        site.running("four", store_url="", store_options=()),
    ):
        pass


# -- wrong secrets


def test_wrong_secrets_are_counted_together(one: Served, two: Served) -> None:
    def guess(node: Served) -> int:
        user = {"name": "nobody", "password": "guess", "domain": {"id": "default"}}
        auth = {"identity": {"methods": ["password"], "password": {"user": user}}}
        return node.call("POST", f"{node.report.identity_url}/v3/auth/tokens", {"auth": auth}).status

    answers = [guess(node) for _ in range(6) for node in (one, two)]
    assert answers[:10] == [401] * 10 and 429 in answers[10:]


# -- uploads


def test_an_upload_at_one_is_left_alone_when_the_other_starts(site: Site, one: Served) -> None:
    image_id = create(one)
    upload = Upload(one, image_id)
    with site.running("late") as late:
        assert status(late, image_id) == "saving"
    assert upload.end() is None
    assert status(one, image_id) == "active"


def test_what_a_lost_node_was_at_is_put_back_by_the_other(site: Site, one: Served, two: Served) -> None:
    image_id = create(one)
    upload = Upload(one, image_id)
    with site.asleep("one"):
        two.appliance.services.recover_others()
        assert status(two, image_id) == "queued"
        assert upload.end() is not None
    assert status(one, image_id) == "queued"


def test_an_upload_from_before_the_lease_was_lost_never_ends_up_in_one_from_after_it(
    site: Site, one: Served, two: Served
) -> None:
    """The image is `saving` once more, for another upload: the status alone would let the old one in."""
    image_id = create(one)
    old = Upload(one, image_id)
    with site.asleep("one"):
        two.appliance.services.recover_others()
    new = Upload(two, image_id)
    assert old.end() is not None
    assert status(one, image_id) == "saving"
    assert new.end() is None
    assert status(one, image_id) == "active"


def test_a_lost_node_can_not_commit(site: Site, one: Served, two: Served) -> None:
    image_id = create(one)
    upload = Upload(one, image_id)
    with site.asleep("one"):
        assert isinstance(upload.end(), Unavailable)
    two.appliance.services.recover_others()
    assert status(two, image_id) == "queued"


def test_an_import_of_a_lost_node_is_ended_by_the_other(site: Site, one: Served, two: Served) -> None:
    image_id = create(one)
    rows, tasks = one.appliance.images.context.rows, one.appliance.images.tasks

    def begin(tx: Any) -> str:
        task = tasks.add(tx, ADMIN, "api_image_import", {"image_id": image_id}, image_id=image_id)
        rows.change(tx, image_id, ("queued",), {"status": "importing"})
        rows.claim_property(tx, image_id, IMPORT_LOCK, task.id)
        return str(task.id)

    task_id = one.appliance.db.transact(begin)
    two.appliance.services.recover_others()
    assert status(two, image_id) == "importing"
    with site.asleep("one"):
        two.appliance.services.recover_others()
    assert status(two, image_id) == "queued"
    found = tasks.find(task_id)
    assert found is not None and found.status == "failure"


def test_an_import_of_the_older_kind_is_left_alone_while_its_node_lives(one: Served, two: Served) -> None:
    gate = threading.Event()
    with web_server() as web:
        web.pages["/slow"] = Page(b"data", gate=gate)
        given = {"import_from": f"{web.base}/slow", "import_from_format": "raw", "image_properties": RAW}
        task = one.ask("POST", "/v2/tasks", {"type": "import", "input": given}).json["id"]
        eventually(lambda: web.requests)
        two.appliance.services.recover_others()
        gate.set()
        eventually(lambda: two.ask("GET", f"/v2/tasks/{task}").json["status"] not in ("pending", "processing"))
    assert two.ask("GET", f"/v2/tasks/{task}").json["status"] == "success"


# -- jobs and the collection


def test_one_node_runs_each_job(one: Served, two: Served) -> None:
    assert [node.appliance.site.nodes.runs("scrub") for node in (one, two, one)] == [True, False, True]


def test_a_job_goes_to_another_node_when_its_own_drains(site: Site, one: Served, two: Served) -> None:
    assert one.appliance.site.nodes.runs("history")
    assert two.ask("PUT", "/appliance/v1/nodes/one/drain").status == 202
    assert two.appliance.site.nodes.runs("history")
    eventually(lambda: one.call("GET", "/healthcheck").body == b"NODE IS DRAINING")
    assert one.call("GET", "/healthcheck").status == 503
    two.ask("DELETE", "/appliance/v1/nodes/one/drain")
    eventually(lambda: one.call("GET", "/healthcheck").status == 200)


def renewed(site: Site) -> None:
    """Every node has told what is the oldest that it is at."""
    for node in site.nodes.values():
        for _ in range(2):
            node.appliance.db.lease.renew()  # type: ignore[attr-defined]


def passes(site: Site, node: Served, count: int) -> None:
    collector = GarbageCollector(node.appliance.stores.default.writer, grace=0)
    for _ in range(count):
        collector.run()
        renewed(site)


def test_what_is_read_at_one_is_not_collected_by_the_other(site: Site, one: Served, two: Served) -> None:
    data = os.urandom(300_000)
    image_id = one.upload("read", data)
    downloads = one.appliance.images.downloads
    content = downloads.open(downloads.begin(ADMIN, image_id))
    begin = content.read(1000)
    assert two.ask("DELETE", f"/v2/images/{image_id}").status == 204
    passes(site, two, 4)
    assert begin + b"".join(iter(lambda: content.read(1 << 20), b"")) == data
    content.close()


def test_what_nobody_reads_any_more_is_collected(site: Site, one: Served, two: Served) -> None:
    image_id = one.upload("gone", os.urandom(300_000))
    before = set(two.appliance.stores.default.writer.backend.names())
    two.ask("DELETE", f"/v2/images/{image_id}")
    passes(site, two, 5)
    assert before - set(two.appliance.stores.default.writer.backend.names())


def test_a_segment_of_an_upload_at_one_is_no_orphan_to_the_other(site: Site, one: Served, two: Served) -> None:
    """The upload is in the bucket already, and in no row yet."""
    store = one.appliance.stores.default.writer
    with store.begin() as ingest:
        ingest.write(os.urandom(100_000))
        sealed = ingest.seal()
        passes(site, two, 4)
        content_id = one.appliance.db.transact(lambda tx: store.index.commit(tx, sealed))
    assert len(store.open_content(content_id).read(1 << 20)) == 100_000
    one.appliance.db.transact(lambda tx: store.index.release(tx, content_id))


def test_a_node_without_a_lease_removes_nothing(site: Site, one: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(one.appliance.db.lease, "_good_until", 0.0)  # type: ignore[attr-defined]
    with one.appliance.stores.default.writer.gc_guard.removing() as allowed:
        assert not allowed


# -- looking after the nodes


def test_the_nodes_are_listed(one: Served, two: Served) -> None:
    found = two.ask("GET", "/appliance/v1/nodes").json["nodes"]
    shown = {node["name"]: (node["state"], node["here"]) for node in found if node["name"] in ("one", "two")}
    assert shown == {"one": ("serving", False), "two": ("serving", True)}
    assert one.report.image_url in [node["addresses"].get("image") for node in found]


def test_a_node_that_runs_can_not_be_removed_and_one_that_was_stopped_can(site: Site, one: Served) -> None:
    assert one.ask("DELETE", "/appliance/v1/nodes/two").status == 409
    with site.running("brief"):
        pass
    assert one.ask("DELETE", "/appliance/v1/nodes/brief").status == 204
    assert one.ask("GET", "/appliance/v1/nodes/brief").status == 404


def test_it_is_seen_that_a_node_of_another_version_runs(one: Served, two: Served) -> None:
    assert one.appliance.site.nodes.are_of_this_version()

    def say(version: str) -> None:
        one.appliance.db.transact(lambda tx: tx.execute("UPDATE nodes SET version = ? WHERE name = 'two'", (version,)))

    say("0.0.9")
    assert not one.appliance.site.nodes.are_of_this_version()
    say(__version__)

"""What a process that is alone keeps in its memory, and several nodes have to keep together."""

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from appliance.api.appliance_v1.fleet_peers import PREFIX, peer_service
from appliance.db.key_values import KeyValues
from appliance.errors import ApplianceError
from appliance.fleet.feed_locks import BeingReceived
from appliance.fleet.keys import SiteKey
from appliance.fleet.peer_requests import sign_request
from appliance.fleet.syncing import FollowTerms
from appliance.server.limits import Limits
from appliance.values import now
from tests.api.served import OWN, PASSWORD, Answer, Served
from tests.blobs.backends.fault_proxy import Plan, fault_proxy
from tests.data_directory import data
from tests.fleet.sites import Site as Center
from tests.fleet.sites import site as another_site
from tests.nodes.site import Site
from tests.server.conftest import Running
from tests.waiting import eventually

BALANCER = {"Host": "images.test", **OWN}
"""What a node is sent by a balancer in front of all of them."""


def at_once(*works: Callable[[], object]) -> list[BaseException]:
    """Do all of it at the same time; what was raised."""
    raised: list[BaseException] = []
    begin = threading.Barrier(len(works))

    def run(work: Callable[[], object]) -> None:
        begin.wait()
        try:
            work()
        except BaseException as error:
            raised.append(error)

    threads = [threading.Thread(target=run, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return raised


# -- the console


def open_session(node: Served, asked: dict[str, str]) -> Answer:
    return node.call("POST", "/console/session", asked, **BALANCER)


def shown(node: Served, opened: Answer) -> int:
    """200 for the session of somebody, 204 for nobody's."""
    cookie = opened.headers["set-cookie"].partition(";")[0]
    return node.call("GET", "/console/session", Cookie=cookie, **BALANCER).status


def test_the_first_link_is_good_at_any_node_and_only_once(one: Served, two: Served) -> None:
    start = {"start": one.report.console_link.partition("#start=")[2]}
    answers = [open_session(node, start).status for node in (two, one, two)]
    assert answers == [200, 401, 401]


def test_a_link_that_is_shown_to_both_at_the_same_moment_opens_one_session(one: Served, two: Served) -> None:
    start = {"start": one.appliance.services.link.make()}
    answers: list[int] = []
    at_once(*(lambda node=node: answers.append(open_session(node, start).status) for node in (one, two) * 4))
    assert sorted(answers) == [200, *[401] * 7]


def test_a_session_of_one_is_a_session_at_the_other_until_it_is_ended_at_either(one: Served, two: Served) -> None:
    opened = open_session(one, {"user": "admin", "password": PASSWORD})
    assert (shown(one, opened), shown(two, opened)) == (200, 200)
    cookie = opened.headers["set-cookie"].partition(";")[0]
    two.call("DELETE", "/console/session", Cookie=cookie, **BALANCER)
    assert (shown(one, opened), shown(two, opened)) == (204, 204)


# -- the fleet


@pytest.fixture
def other(tmp_path: Path) -> SiteKey:
    return SiteKey(tmp_path)


def test_a_signed_request_is_taken_by_one_node_once(one: Served, two: Served, other: SiteKey) -> None:
    one.appliance.fleet.peers.pair("other", other.fingerprint, key=other.public, url="")
    header = sign_request(other, one.appliance.fleet.key.public, "GET", f"{PREFIX}/feeds", b"", now())
    answers = [node.call("GET", f"{PREFIX}/feeds", Authorization=header) for node in (one, two, one)]
    assert [answer.status for answer in answers] == [200, 401, 401]
    assert b"was made before" in answers[1].body


def test_other_sites_know_all_nodes_by_one_key(one: Served, two: Served) -> None:
    assert one.appliance.fleet.key.public == two.appliance.fleet.key.public


def test_a_feed_is_received_by_one_node_at_a_time(one: Served, two: Served) -> None:
    locks = [node.appliance.fleet.context.locks for node in (one, two)]
    with locks[0].with_feed("golden"), pytest.raises(BeingReceived), locks[1].with_feed("golden"):
        pass
    with locks[1].with_feed("golden"):
        assert "golden" in locks[0].busy()
    assert "golden" not in locks[0].busy()


def test_a_feed_of_a_node_that_is_gone_is_received_by_another(site: Site, one: Served, two: Served) -> None:
    locks = [node.appliance.fleet.context.locks for node in (one, two)]
    with locks[0].with_feed("golden"), site.asleep("one"), locks[1].with_feed("golden"):
        pass


def test_both_nodes_write_down_what_has_changed_in_a_feed_and_it_is_written_once(one: Served, two: Served) -> None:
    fleets = [node.appliance.fleet for node in (one, two)]
    fleets[0].publisher.create("made", {"tag": ["made"]}, [])
    body = {"disk_format": "raw", "container_format": "bare", "tags": ["made"]}
    ids = [str(one.ask("POST", "/v2/images", body).json["id"]) for _ in range(3)]
    for image_id in ids:
        assert one.ask("PUT", f"/v2/images/{image_id}/file", b"data").status == 204
    assert at_once(*(lambda fleet=fleet: fleet.publisher.refresh("made") for fleet in fleets * 3)) == []
    assert sorted(entry.image_id for entry in fleets[1].context.rows.entries("made", 0, 100)) == sorted(ids)


def states(*nodes: Served) -> list[str]:
    """What each says of the feed that is followed."""
    return [node.ask("GET", "/appliance/v1/fleet/sync").json["sync"][0]["state"] for node in nodes]


@pytest.fixture
def center(tmp_path: Path) -> Iterator[tuple[Center, str, Plan]]:
    """Another site with one image in its feed golden, its address, and what it is asked there."""
    with another_site(tmp_path / "center") as made, ExitStack() as held:
        made.add(data(), "debian")
        made.publish("golden")
        running = Running((peer_service(made.fleet),), Limits(linger_seconds=1.0))
        held.callback(running.close)
        yield made, *held.enter_context(fault_proxy(f"http://127.0.0.1:{running.address[1]}"))


def test_a_feed_that_is_asked_for_at_several_nodes_comes_once(
    one: Served, two: Served, center: tuple[Center, str, Plan]
) -> None:
    there, url, plan = center
    ours, theirs = one.appliance.fleet.key, there.fleet.key
    there.fleet.peers.pair("site", ours.fingerprint, key=ours.public, url="")
    there.db.transact(lambda tx: there.fleet.context.rows.change_feed(tx, "golden", {"readers": ["site"]}))
    one.appliance.fleet.peers.pair("center", theirs.fingerprint, key=theirs.public, url=url)
    one.appliance.fleet.syncer.follow("center", "golden", FollowTerms(every=1))
    assert (
        at_once(*(lambda node=node: node.ask("POST", "/appliance/v1/fleet/sync/golden") for node in (one, two))) == []
    )
    eventually(lambda: states(one, two) == ["waiting", "waiting"])
    (image_id,) = there.ids()
    assert two.ask("GET", f"/v2/images/{image_id}/file").body == there.read(image_id)
    assert len([path for _, path in plan.requests if path.endswith("/blocks")]) == 1
    one.appliance.fleet.publisher.delete("golden")


def test_a_feed_that_was_asked_for_at_one_is_on_its_way_at_the_other_as_well(one: Served, two: Served) -> None:
    locks = [node.appliance.fleet.context.locks for node in (one, two)]
    locks[0].ask("unknown")
    assert ["unknown" in lock.busy() for lock in locks] == [True, True]
    with locks[1].with_feed("unknown"):
        assert "unknown" not in locks[0].asked()
    assert ["unknown" in lock.busy() for lock in locks] == [False, False]


# -- what one node notes is there for the other


def test_a_note_is_taken_once(one: Served, two: Served) -> None:
    notes = [KeyValues(node.appliance.db) for node in (one, two)]
    notes[0].set("once", "value")
    taken: list[bool] = []
    assert at_once(*(lambda note=note: taken.append(note.take("once", "value")) for note in notes * 3)) == []
    assert sorted(taken) == [False] * 5 + [True]


def test_keys_rotated_at_both_nodes_at_the_same_moment_are_all_believed(one: Served, two: Served) -> None:
    def rotate(node: Served) -> None:
        node.appliance.identity.rotate_keys()
        node.appliance.site.reload_keys()

    assert at_once(lambda: rotate(one), lambda: rotate(two)) == []
    tokens = [node.log_in() for node in (one, two)]
    answers = [node.call("GET", "/v2/images", X_Auth_Token=token).status for node in (one, two) for token in tokens]
    assert answers == [200] * 4


def test_each_node_knows_what_it_has_cached_itself(site: Site, tmp_path: Path) -> None:
    def cached(node: Served) -> list[str]:
        return [one["image_id"] for one in node.ask("GET", "/v2/cache").json["cached_images"]]

    with (
        site.running("three", image_cache_dir=str(tmp_path / "3")) as three,
        site.running("four", image_cache_dir=str(tmp_path / "4")) as four,
    ):
        image_id = three.upload("cached", b"data")
        assert three.ask("GET", f"/v2/images/{image_id}/file").body == b"data"
        assert (cached(three), cached(four)) == ([image_id], [])
        three.ask("DELETE", f"/v2/images/{image_id}")


def test_a_node_whose_clock_is_a_month_ahead_brings_no_revoked_token_back(
    one: Served, two: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It thinks that every token has expired whose revocation it finds."""
    token = one.log_in()
    one.ask("DELETE", f"{one.report.identity_url}/v3/auth/tokens", X_Subject_Token=token)
    identity, ahead = two.appliance.identity, now() + 30 * 86_400 * 1_000_000
    monkeypatch.setattr(identity.store, "clock", lambda: ahead)
    monkeypatch.setattr(identity.revocations, "_started", (ahead, identity.revocations._elapsed()))
    identity.store.transact(lambda tx: identity.revocations.add(tx, "user", "nobody"))
    assert one.call("GET", "/v2/images", X_Auth_Token=token).status == 401


# -- a node that has lost its lease


def image(node: Served) -> str:
    return str(node.ask("POST", "/v2/images", {"disk_format": "raw", "container_format": "bare"}).json["id"])


TASK = {
    "type": "import",
    "input": {"import_from": "http://127.0.0.1/x", "import_from_format": "raw", "image_properties": {}},
}
WRITES: dict[str, Callable[[Served, str], object]] = {
    "create an image": lambda node, _: node.ask("POST", "/v2/images", {}),
    "change one": lambda node, it: node.ask(
        "PATCH",
        f"/v2/images/{it}",
        [{"op": "replace", "path": "/name", "value": "x"}],
        Content_Type="application/openstack-images-v2.1-json-patch",
    ),
    "delete one": lambda node, it: node.ask("DELETE", f"/v2/images/{it}"),
    "upload": lambda node, it: node.ask("PUT", f"/v2/images/{it}/file", b"data"),
    "stage": lambda node, it: node.ask("PUT", f"/v2/images/{it}/stage", b"data"),
    "tag": lambda node, it: node.ask("PUT", f"/v2/images/{it}/tags/t"),
    "make a task": lambda node, _: node.ask("POST", "/v2/tasks", TASK),
    "make a user": lambda node, _: node.ask("POST", f"{node.report.identity_url}/v3/users", {"user": {"name": "late"}}),
    "make a limit": lambda node, _: node.ask(
        "POST",
        f"{node.report.identity_url}/v3/services",
        {"service": {"type": "late"}},
    ),
    "revoke a token": lambda node, _: node.ask(
        "DELETE", f"{node.report.identity_url}/v3/auth/tokens", X_Subject_Token=node.log_in()
    ),
}


@pytest.mark.parametrize("what", WRITES)
def test_a_node_that_lost_its_lease_writes_nothing(site: Site, one: Served, two: Served, what: str) -> None:
    """It has slept, say, and does not know; the others have gone on without it."""
    it = image(two)
    before = site.snapshot()
    with site.asleep("one"):
        answer = WRITES[what](one, it)
        after = site.snapshot()
    assert (getattr(answer, "status", None), after) == (503, before)


def test_neither_does_its_rotation_of_keys(site: Site, one: Served, two: Served) -> None:
    before = site.execute("SELECT * FROM site_keys ORDER BY name")
    with site.asleep("one"):
        one.appliance.identity.rotate_keys()
        with pytest.raises(ApplianceError):
            one.appliance.site.reload_keys()
        assert site.execute("SELECT * FROM site_keys ORDER BY name") == before
    one.appliance.site.reload_keys()
    assert two.call("GET", "/v2/images", X_Auth_Token=one.log_in()).status == 200

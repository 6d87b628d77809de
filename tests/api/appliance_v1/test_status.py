"""What is to be seen of a whole appliance: status, uploads, jobs, maps, metrics, and ids that are carried through."""

import http.client
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.api.served import Served, serving

PATCH = {"Content-Type": "application/openstack-images-v2.1-json-patch"}
TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(tmp_path_factory.mktemp("status") / "d", metrics_port=0, metrics_token="a token") as made:
        yield made


def test_a_status_that_has_not_changed_is_not_sent_again(served: Served) -> None:
    found = []
    for _ in range(20):
        # A job, or another user of the disk, may change something in between.
        tag = served.ask("GET", "/appliance/v1/status").headers["etag"]
        found.append(served.ask("GET", "/appliance/v1/status", If_None_Match=tag).status)
        if found[-1] == 304:
            break
    assert found[-1] == 304


def test_the_figures_of_the_status_are_those_of_the_stores(served: Served) -> None:
    served.upload("counted", os.urandom(100_000))
    held = served.ask("GET", "/appliance/v1/status").json["stores"]
    store = served.ask("GET", "/appliance/v1/store").json["stores"][0]
    assert (held["logical"], held["on_disk"]) == (store["logical"], store["file"])


@contextmanager
def halfway(served: Served, token: str, data: bytes, sent: int) -> Iterator[str]:
    """An upload of which so many bytes have gone; the rest goes at the end of the block."""
    body = {"name": "slow", "disk_format": "raw", "container_format": "bare"}
    image = served.call("POST", "/v2/images", body, **{"X-Auth-Token": token}).json["id"]
    parts = urlsplit(served.report.image_url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port)
    connection.putrequest("PUT", f"/v2/images/{image}/file")
    for name, value in {
        "X-Auth-Token": token,
        "Content-Type": "application/octet-stream",
        "Content-Length": str(len(data)),
    }.items():
        connection.putheader(name, value)
    connection.endheaders()
    connection.send(data[:sent])
    yield image
    connection.send(data[sent:])
    connection.getresponse().read()
    connection.close()


def awaited(served: Served, token: str, shows: Callable[[Any], Any]) -> Any:
    """The upload that runs, once it shows what is waited for."""
    running: list[Any] = []
    for _ in range(200):
        running = served.call("GET", "/appliance/v1/uploads", **{"X-Auth-Token": token}).json["uploads"]
        if running and shows(running[0]):
            break
        time.sleep(0.05)
    return running[0]


def test_an_upload_shows_while_it_runs(served: Served) -> None:
    with halfway(served, served.token, bytes(3_000_000), 2_000_000) as image:
        one = awaited(served, served.token, lambda found: found["bytes"])
    shown = (one["image_id"], one["image_name"], one["user_name"], one["size"])
    rest = served.ask("GET", "/appliance/v1/uploads").json["uploads"]
    assert (shown, rest) == ((image, "slow", "admin", 3000000), [])


def test_an_upload_that_is_here_already_is_told_so_while_it_runs(served: Served) -> None:
    data = os.urandom(20_000_000)
    known = served.upload("here before", data)
    with halfway(served, served.token, data, 15_000_000):
        one = awaited(served, served.token, lambda found: found["same_as"])
    assert one["same_as"] == {"id": known, "name": "here before"}


def test_what_another_project_has_is_recognized_for_nobody_else(served: Served) -> None:
    data = os.urandom(20_000_000)
    served.upload("secret", data)
    stranger = served.member("mallory", "elsewhere")
    with halfway(served, stranger, data, 15_000_000):
        one = awaited(served, stranger, lambda found: found["bytes"] == 15_000_000)
        time.sleep(0.3)
        one = awaited(served, stranger, lambda found: True)
    assert (one["bytes"], one["same_as"]) == (15_000_000, None)


def test_what_images_cost_is_told_for_many_at_once(served: Served) -> None:
    data = os.urandom(100_000)
    ids = [served.upload("first of two", data + bytes(200_000)), served.upload("second of two", data)]
    found = served.ask("GET", f"/appliance/v1/images/space?id={','.join(ids)}").json["images"]
    spaces = {one["image_id"]: one for one in found}
    first, second = (spaces[one] for one in ids)
    told = (first["logical"], first["zeros"] > 100_000, first["stored"] >= 100_000, second["new"] < 100_000)
    assert told == (300_000, True, True, True)


def test_what_images_of_others_cost_is_told_to_nobody_else(served: Served) -> None:
    stranger = served.member("eve", "far away")
    image = served.upload("of the administrators", os.urandom(10_000))
    served.ask("PATCH", f"/v2/images/{image}", [{"op": "replace", "path": "/visibility", "value": "public"}], **PATCH)
    found = served.call("GET", f"/appliance/v1/images/space?id={image}", **{"X-Auth-Token": stranger})
    assert (found.status, found.json) == (200, {"images": []})


def test_what_images_cost_is_not_asked_for_without_end(served: Served) -> None:
    assert served.ask("GET", f"/appliance/v1/images/space?id={','.join(['x'] * 201)}").status == 400


def test_what_a_project_has_is_told_to_administrators(served: Served) -> None:
    project = served.ask("GET", f"{served.report.identity_url}/v3/projects?name=admin").json["projects"][0]["id"]
    found = served.ask("GET", f"/appliance/v1/projects/{project}/usage").json
    mine = served.ask("GET", "/appliance/v1/status").json["project"]
    assert {key: found[key] for key in mine} == mine


def test_a_map_adds_up_to_the_image(served: Served) -> None:
    image = served.upload("mapped", os.urandom(200_000) + bytes(300_000))
    found = served.ask("GET", f"/appliance/v1/images/{image}/map?cells=7").json
    sums = found["sums"]
    whole = sums["own"] + sums["shared"] + sums["zero"] + sums["damaged"]
    assert (len(found["cells"]), abs(whole - 500_000) < 20, sums["zero"] > 250_000) == (7, True, True)


def test_a_duplicate_is_all_shared(served: Served) -> None:
    data = os.urandom(150_000)
    served.upload("first", data)
    image = served.upload("second", data)
    sums = served.ask("GET", f"/appliance/v1/images/{image}/map").json["sums"]
    assert (sums["own"], abs(sums["shared"] - 150_000) < 400) == (0, True)


def test_a_job_that_is_asked_for_runs(served: Served) -> None:
    before = {job["name"]: job.get("ended_at") for job in served.ask("GET", "/appliance/v1/jobs").json["jobs"]}
    time.sleep(1.1)
    asked = served.ask("POST", "/appliance/v1/jobs/collect").status
    for _ in range(200):
        now = {job["name"]: job.get("ended_at") for job in served.ask("GET", "/appliance/v1/jobs").json["jobs"]}
        if now["collect"] and now["collect"] != before["collect"]:
            break
        time.sleep(0.05)
    assert (asked, now["collect"] != before["collect"]) == (202, True)


def test_history_has_the_hour_that_runs(served: Served) -> None:
    served.appliance.services.history.keep()
    assert len(served.ask("GET", "/appliance/v1/history").json["history"]) >= 1


def test_events_come_as_lines_for_programs(served: Served) -> None:
    served.upload("told", b"some data")
    answer = served.ask("GET", "/appliance/v1/events?limit=2", Accept="application/x-ndjson")
    assert len(answer.body.splitlines()) == 2


def test_metrics_are_for_those_who_have_the_token(served: Served) -> None:
    url = served.report.metrics_url
    found = [served.call("GET", url).status, served.call("GET", url, Authorization="Bearer a token").status]
    assert found == [401, 200]


def test_a_trace_is_in_the_event_of_its_request(served: Served) -> None:
    served.ask("POST", "/v2/images", {"name": "traced"}, traceparent=TRACE, X_OpenStack_Request_ID="req-mine")
    event = served.ask("GET", "/appliance/v1/events?request_id=req-mine").json["events"][0]
    assert event["trace_id"] == "4bf92f3577b34da6a3ce929d0e0e4736"


@pytest.mark.parametrize("text", ["", "00-0-0-0", "ff" + TRACE[2:], TRACE + "\tx", TRACE.replace("4bf", "4BF")])
def test_what_is_no_trace_is_passed_over(served: Served, text: str) -> None:
    name = f"req-{abs(hash(text))}"
    served.ask("POST", "/v2/images", {"name": "x"}, traceparent=text, X_OpenStack_Request_ID=name)
    assert served.ask("GET", f"/appliance/v1/events?request_id={name}").json["events"][0]["trace_id"] == ""


def test_a_backup_is_told_of(served: Served, tmp_path: Path) -> None:
    before = served.ask("GET", "/appliance/v1/status").json["last_backup"]
    served.appliance.directory.note_backup()
    assert (before, bool(served.ask("GET", "/appliance/v1/status").json["last_backup"])) == (None, True)

"""What is to be seen of a whole appliance: status, uploads, jobs, maps, metrics, and ids that are carried through."""

import http.client
import os
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.api.served import Served, serving

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


def test_an_upload_shows_while_it_runs(served: Served) -> None:
    body = {"name": "slow", "disk_format": "raw", "container_format": "bare"}
    image = served.ask("POST", "/v2/images", body).json["id"]
    parts = urlsplit(served.report.image_url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port)
    connection.putrequest("PUT", f"/v2/images/{image}/file")
    for name, value in {
        "X-Auth-Token": served.token,
        "Content-Type": "application/octet-stream",
        "Content-Length": "3000000",
    }.items():
        connection.putheader(name, value)
    connection.endheaders()
    connection.send(bytes(2_000_000))
    running: list[dict[str, object]] = []
    for _ in range(200):
        running = served.ask("GET", "/appliance/v1/uploads").json["uploads"]
        if running and running[0]["bytes"]:
            break
        time.sleep(0.05)
    connection.send(bytes(1_000_000))
    connection.getresponse().read()
    connection.close()
    shown = [(one["image_id"], one["user_name"], one["size"]) for one in running]
    assert (shown, served.ask("GET", "/appliance/v1/uploads").json["uploads"]) == ([(image, "admin", 3000000)], [])


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

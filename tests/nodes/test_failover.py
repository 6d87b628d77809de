"""The database's primary dies under a node, and its standby takes over; or it hangs, and comes back.

What the node's clients are told meanwhile, and what is there afterwards.
"""

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from appliance.db.engine.registry import open_database
from tests import postgresql
from tests.api.served import Served, serving
from tests.blobs.backends.seaweed import Seaweed, free_ports
from tests.nodes.site import Site
from tests.waiting import eventually

IMAGE = {"disk_format": "raw", "container_format": "bare"}
AWAY = 2.0
"""Seconds from the death of the one to the promotion of the other: longer than several attempts of a call."""


@dataclass
class Told:
    """The status of each call, in the order of their ends, and the images whose making was acknowledged."""

    writes: list[int] = field(default_factory=list)
    reads: list[int] = field(default_factory=list)
    made: set[str] = field(default_factory=set)
    generations: set[int] = field(default_factory=set)
    survivors: set[str] = field(default_factory=set)
    answered_after: float = 0.0


def busy(node: Served, told: Told, stopping: threading.Event) -> list[threading.Thread]:
    """Clients that make images, and others that list them, until they are told to stop."""

    def write() -> None:
        while not stopping.is_set():
            answer = node.ask("POST", "/v2/images", IMAGE)
            told.writes.append(answer.status)
            if answer.status == 201:
                told.made.add(answer.json["id"])

    def read() -> None:
        while not stopping.is_set():
            told.reads.append(node.ask("GET", "/v2/images?limit=1").status)

    threads = [threading.Thread(target=work) for work in (write, read, write, read)]
    for thread in threads:
        thread.start()
    return threads


def more(told: Told) -> Callable[[], bool]:
    """Whether reads and writes have both succeeded since now."""
    writes, reads = len(told.writes), len(told.reads)
    return lambda: 201 in told.writes[writes:] and 200 in told.reads[reads:]


def images(node: Served) -> Iterator[str]:
    """The ids of all of them, page by page."""
    page = "/v2/images?limit=500"
    while page:
        found = node.ask("GET", page).json
        yield from (image["id"] for image in found["images"])
        page = found.get("next", "")


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Told]:
    """A fail-over under load."""
    seen, stopping, ports = Told(), threading.Event(), free_ports(2)
    with ExitStack() as held:
        primary = held.enter_context(postgresql.server(ports[0]))
        primary.administer("CREATE DATABASE site TEMPLATE template0")
        hosts = ",".join(f"127.0.0.1:{port}" for port in ports)
        url = f"postgresql://{postgresql.USER}@{hosts}/site?target_session_attrs=read-write"
        open_database(url).close()
        standby = held.enter_context(postgresql.standby_of(primary, ports[1]))
        directory: Path = tmp_path_factory.mktemp("failover")
        node = held.enter_context(serving(directory / "d", database=url, node_lease=6))
        seen.generations.add(node.appliance.db.lease.generation)  # type: ignore[attr-defined]
        threads = busy(node, seen, stopping)
        eventually(more(seen))
        primary.kill()
        began = time.monotonic()
        time.sleep(AWAY)
        standby.administer("SELECT pg_promote()")
        eventually(more(seen))
        seen.answered_after = time.monotonic() - began
        stopping.set()
        for thread in threads:
            thread.join()
        seen.generations.add(node.appliance.db.lease.generation)  # type: ignore[attr-defined]
        seen.survivors = set(images(node))
        if os.environ.get("NODES_NOTES"):
            print(
                f"answered {seen.answered_after:.1f} s after the death;",
                {s: seen.writes.count(s) for s in {*seen.writes}},
            )
        yield seen


def test_whoever_asks_meanwhile_waits_or_is_told_to_come_again(told: Told) -> None:
    assert {*told.writes, *told.reads} <= {200, 201, 503}


def test_what_was_acknowledged_is_there_afterwards(told: Told) -> None:
    assert told.made and told.made <= told.survivors


def test_nothing_is_there_that_nobody_was_told_of_but_what_lost_its_answer(told: Told) -> None:
    assert len(told.survivors - told.made) <= told.writes.count(503)


def test_the_node_goes_on_with_the_lease_that_it_had(told: Told) -> None:
    assert len(told.generations) == 1


def test_a_database_that_hangs_takes_its_node_out_of_service_until_it_answers_again(
    tmp_path: Path, server: Seaweed, bucket: str
) -> None:
    with postgresql.server() as database:
        site = Site(tmp_path, server, bucket, database.create())
        with site.running("one", node_lease=2) as node:
            with database.hanging():
                eventually(lambda: node.call("GET", "/healthcheck").body == b"NODE HAS LOST ITS LEASE")
            eventually(lambda: node.call("GET", "/healthcheck").status == 200)
            assert node.ask("GET", "/v2/images").status == 200

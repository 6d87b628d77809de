"""Leases on a database: who may write, who has lost it, and what the others learn of a node."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import psycopg
import pytest

from appliance.db.engine.base import Database, Tx
from appliance.db.engine.registry import open_database
from appliance.db.nodes import LOST, NodeCard, NodeRows, live_holders
from appliance.errors import Fatal, Unavailable
from tests.databases import server

Open = Callable[..., Any]


@pytest.fixture
def url() -> str:
    return server().create_current()


@pytest.fixture
def opened(url: str) -> Iterator[Open]:
    """Opens the database as a node; closes them all in the end."""
    with ExitStack() as held:

        def opening(name: str = "", *, shares: bool = True, seconds: int = 30, **card: Any) -> Database:
            made = NodeCard(name=name, place=f"here:{name}", shares=shares, lease_seconds=seconds, **card)
            database = open_database(url, card=made)
            held.callback(database.close)
            return database

        yield opening


def write(tx: Tx) -> None:
    tx.execute("INSERT INTO notes VALUES ('a', '1') ON CONFLICT DO NOTHING")


def end(url: str, node_id: str) -> None:
    """What time does: the lease has ended, and nobody has renewed it."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("UPDATE nodes SET expires_at = 1 WHERE id = %s", (node_id,))


def test_nodes_that_share_use_it_together(opened: Open) -> None:
    first, second = opened("one"), opened("two")
    first.transact(write)
    second.transact(write)
    assert [node.name for node in NodeRows(first).every()] == ["one", "two"]


@pytest.mark.parametrize(("before", "after"), [(True, False), (False, True), (False, False)])
def test_one_that_does_not_share_is_alone(opened: Open, url: str, before: bool, after: bool) -> None:
    opened("one", shares=before, seconds=2)
    with pytest.raises(Fatal, match="Another appliance is running on this database: one in here:one"):
        opened("two", shares=after, seconds=2)


def test_one_that_has_died_is_waited_for(opened: Open, url: str) -> None:
    dead = opened("one", shares=False, seconds=30)
    dead.lease._ending.set()
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("UPDATE nodes SET expires_at = expires_at - 29500000")
    opened("two", shares=False).transact(write)


def test_one_that_was_stopped_is_not_waited_for(opened: Open) -> None:
    opened("one", shares=False).close()
    began = time.monotonic()
    opened("two", shares=False)
    assert time.monotonic() - began < 15


def test_a_node_that_starts_again_takes_its_lease_back_and_the_former_process_writes_no_more(opened: Open) -> None:
    former = opened("one", id="abc")
    again = opened("one", id="abc")
    again.transact(write)
    with pytest.raises(Unavailable, match="lost its lease"):
        former.transact(write)


def test_a_copy_of_a_directory_that_is_in_use_is_told_what_to_do(opened: Open) -> None:
    opened("one", id="abc", seconds=2)
    with pytest.raises(Fatal, match="copy of that of here:one.*remove the file `node`"):
        opened("two", id="abc", seconds=2)


def test_a_node_that_was_expelled_writes_no_more(opened: Open, url: str) -> None:
    gone, other = opened("one"), opened("two")
    end(url, gone.lease.card.id)
    assert [node.name for node in NodeRows(other).expel()] == ["one"]
    with pytest.raises(Unavailable, match="lost its lease"):
        gone.transact(write)


def test_a_transaction_that_began_before_the_node_was_expelled_ends_first(opened: Open, url: str) -> None:
    """Whoever expels waits for it, so that it finds whatever was written."""
    gone, other = opened("one"), opened("two")
    end(url, gone.lease.card.id)
    order: list[str] = []

    def expel() -> None:
        NodeRows(other).expel()
        order.append("expelled")

    def slow(tx: Tx) -> None:
        thread = threading.Thread(target=expel)
        thread.start()
        time.sleep(0.3)
        order.append("written")
        threads.append(thread)

    threads: list[Any] = []
    gone.transact(slow)
    threads[0].join()
    assert order == ["written", "expelled"]


def test_a_lease_that_ended_and_that_nobody_took_away_goes_on(opened: Open, url: str) -> None:
    node = opened("one")
    end(url, node.lease.card.id)
    node.lease.renew()
    node.transact(write)
    assert node.lease.generation == 1 and node.lease.is_held


def test_an_expelled_node_begins_anew_under_another_name_for_its_work(opened: Open, url: str) -> None:
    node, other = opened("one"), opened("two")
    before, told = node.holder, []
    node.lease.when_lost(lambda: told.append(node.holder))
    end(url, node.lease.card.id)
    NodeRows(other).expel()
    node.lease.renew()
    node.transact(write)
    assert told == [node.holder] and node.holder != before
    assert node.holder in live_holders(other) and before not in live_holders(other)


def test_a_live_node_is_not_expelled(opened: Open) -> None:
    opened("one")
    assert NodeRows(opened("two")).expel() == []


def test_only_a_node_that_is_dead_can_be_removed(opened: Open, url: str) -> None:
    dead, rows = opened("one"), NodeRows(opened("two"))
    assert not rows.remove(dead.lease.card.id)
    end(url, dead.lease.card.id)
    rows.expel()
    assert rows.every()[0].state == LOST
    assert rows.remove(dead.lease.card.id)
    assert [node.name for node in rows.every()] == ["two"]


def test_one_node_has_a_job_until_it_is_gone(opened: Open, url: str) -> None:
    first, second = opened("one"), opened("two")
    rows = NodeRows(second)
    assert rows.take_job("collect", first.holder)
    assert not rows.take_job("collect", second.holder)
    end(url, first.lease.card.id)
    assert not rows.take_job("collect", second.holder)
    rows.expel()
    assert rows.take_job("collect", second.holder)


def test_a_node_that_drains_leaves_its_jobs_to_others(opened: Open) -> None:
    first, second = opened("one"), opened("two")
    rows = NodeRows(second)
    rows.take_job("collect", first.holder)
    assert rows.set_state(first.lease.card.id, "serving", "draining")
    assert rows.take_job("collect", second.holder)
    first.lease.renew()
    assert first.lease.draining


def test_an_epoch_has_passed_when_nobody_has_anything_older(opened: Open) -> None:
    first, second = opened("one"), opened("two")
    rows = NodeRows(second)
    open_reader = first.lease.epoch
    first.lease.watch(lambda: open_reader)
    epoch = rows.begin_epoch()
    for database in (first, second):
        database.lease.renew()
        database.lease.renew()
    assert rows.passed_epoch() < epoch
    first.lease._oldest.clear()
    first.lease.renew()
    assert rows.passed_epoch() == epoch


def test_a_dead_nodes_readers_count_until_it_is_expelled(opened: Open, url: str) -> None:
    first, second = opened("one"), opened("two")
    rows = NodeRows(second)
    epoch = rows.begin_epoch()
    second.lease.renew()
    second.lease.renew()
    end(url, first.lease.card.id)
    assert rows.passed_epoch() < epoch
    rows.expel()
    assert rows.passed_epoch() == epoch


def test_a_server_that_is_away_costs_no_lease(opened: Open, url: str) -> None:
    node = opened("one", seconds=5)
    name = url.split("/")[3].split("?")[0]
    server().administer(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'")
    end_of_patience = time.monotonic() + 10
    while not node.lease.is_held or node.lease._connection.broken or node.lease._connection.closed:
        assert time.monotonic() < end_of_patience
        time.sleep(0.05)
    node.transact(write)
    assert node.lease.generation == 1

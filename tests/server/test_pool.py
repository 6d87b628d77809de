"""Threads that come when needed, up to a bound, and go when idle."""

import threading
from functools import partial

import pytest

from appliance.server.pool import Pool, waiting

_PATIENCE = 20.0


def _begin_and_wait(started: threading.Event, go_on: threading.Event) -> None:
    started.set()
    go_on.wait(_PATIENCE)


def test_pool_runs_jobs_at_once_up_to_its_bound() -> None:
    pool = Pool("test", 4)
    together = threading.Barrier(5)
    for _ in range(4):
        assert pool.submit(lambda: together.wait(_PATIENCE))
    assert pool.threads == 4
    together.wait(_PATIENCE)
    assert pool.close(_PATIENCE) == 0


def test_pool_refuses_what_its_queue_cannot_hold() -> None:
    pool = Pool("test", 1, waiting=1)
    started, go_on = threading.Event(), threading.Event()
    assert pool.submit(partial(_begin_and_wait, started, go_on))
    assert started.wait(_PATIENCE)
    assert pool.submit(started.set)
    assert not pool.submit(started.set)
    go_on.set()
    assert pool.close(_PATIENCE) == 0


def test_pool_ends_idle_threads_and_makes_new_ones() -> None:
    pool = Pool("test", 2, idle_seconds=0.05)
    for _ in range(3):
        done = threading.Event()
        assert pool.submit(done.set)
        assert done.wait(_PATIENCE)
        while pool.threads:
            pass
    assert pool.close(_PATIENCE) == 0


def test_pool_survives_a_job_that_fails(caplog: pytest.LogCaptureFixture) -> None:
    pool = Pool("test", 1)
    done = threading.Event()
    pool.submit(lambda: 1 // 0)
    pool.submit(done.set)
    assert done.wait(_PATIENCE)
    assert "ZeroDivisionError" in caplog.text
    assert pool.close(_PATIENCE) == 0


def test_closed_pool_refuses_drops_or_finishes_what_waits() -> None:
    for drop in (True, False):
        pool = Pool("test", 1)
        started, go_on, later = threading.Event(), threading.Event(), threading.Event()
        pool.submit(partial(_begin_and_wait, started, go_on))
        pool.submit(later.set)
        assert started.wait(_PATIENCE)
        assert pool.close(0, drop=drop) == 1
        assert not pool.submit(later.set)
        go_on.set()
        assert pool.close(_PATIENCE, drop=drop) == 0
        assert later.is_set() is not drop


def test_a_job_that_waits_lets_another_have_its_thread() -> None:
    pool = Pool("test", 1)
    go_on, done = threading.Event(), threading.Event()

    def wait() -> None:
        with waiting():
            go_on.wait(_PATIENCE)

    for _ in range(5):
        assert pool.submit(wait)
    assert pool.submit(done.set)
    assert done.wait(_PATIENCE)
    go_on.set()
    assert pool.close(_PATIENCE, drop=False) == 0


def test_threads_beyond_the_bound_end_with_their_jobs() -> None:
    pool = Pool("test", 2)
    go_on = threading.Event()
    ready = threading.Semaphore(0)

    def wait() -> None:
        with waiting():
            ready.release()
            go_on.wait(_PATIENCE)

    for _ in range(6):
        assert pool.submit(wait)
    for _ in range(6):
        assert ready.acquire(timeout=_PATIENCE)
    assert pool.threads >= 6
    go_on.set()
    while pool.threads > 2:
        pass
    together = threading.Barrier(3)
    for _ in range(2):
        assert pool.submit(lambda: together.wait(_PATIENCE))
    together.wait(_PATIENCE)
    assert pool.close(_PATIENCE) == 0


def test_a_thread_of_no_pool_may_wait_too() -> None:
    with waiting():
        pass

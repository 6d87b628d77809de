"""One job at a time, unless it waits."""

import threading
import time
from functools import partial

import pytest

from appliance.server.pool import TurnPool
from tests.waiting import eventually

_PATIENCE = 20.0


def test_jobs_run_one_at_a_time_and_in_order() -> None:
    pool = TurnPool("test", 8, patience=_PATIENCE)
    ran: list[int] = []
    inside = threading.Lock()
    done = threading.Event()

    def job(number: int) -> None:
        assert inside.acquire(blocking=False)
        time.sleep(0.001)
        ran.append(number)
        inside.release()
        if number == 19:
            done.set()

    for number in range(20):
        assert pool.submit(partial(job, number))
    assert done.wait(_PATIENCE)
    assert ran == list(range(20))
    assert pool.close(_PATIENCE) == 0


def test_jobs_that_wait_are_overtaken_up_to_the_bound() -> None:
    pool = TurnPool("test", 4, patience=0.005)
    together = threading.Barrier(5)
    for _ in range(4):
        pool.submit(lambda: together.wait(_PATIENCE))
    together.wait(_PATIENCE)
    assert pool.threads == 4
    assert pool.close(_PATIENCE) == 0


class Computing(TurnPool):
    """One whose jobs are taken to compute."""

    def _computes(self, elapsed: float) -> bool:
        return True


def test_a_job_that_computes_keeps_the_turn() -> None:
    pool = Computing("test", 4, patience=0.05)
    pool.longest = 10_000
    began, other, go = threading.Event(), threading.Event(), threading.Event()

    def first() -> None:
        began.set()
        go.wait(_PATIENCE)

    pool.submit(first)
    assert began.wait(_PATIENCE)
    pool.submit(other.set)
    assert not other.wait(0.2)
    go.set()
    assert other.wait(_PATIENCE)
    assert pool.close(_PATIENCE) == 0


def test_a_job_that_computes_for_long_is_overtaken() -> None:
    pool = Computing("test", 4, patience=0.005)
    together = threading.Barrier(3)
    for _ in range(2):
        pool.submit(lambda: together.wait(_PATIENCE))
    together.wait(_PATIENCE)
    assert pool.close(_PATIENCE) == 0


def test_what_a_job_computes_is_seen_from_outside() -> None:
    pool = TurnPool("test", 4, patience=_PATIENCE)
    done, go = threading.Event(), threading.Event()

    def job() -> None:
        end = time.thread_time() + 0.05
        while time.thread_time() < end:
            pass
        done.set()
        go.wait(_PATIENCE)

    pool.submit(job)
    assert done.wait(_PATIENCE)
    assert pool._computes(0.1) and not pool._computes(_PATIENCE)
    go.set()
    assert pool.close(_PATIENCE) == 0


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_job_that_ends_its_thread_keeps_no_turn() -> None:
    pool, other = TurnPool("test", 4, patience=0.005), threading.Event()
    ended: list[threading.Thread] = []

    def first() -> None:
        ended.append(threading.current_thread())
        raise SystemExit

    pool.submit(first)
    pool.submit(other.set)
    assert other.wait(_PATIENCE)
    ended[0].join()
    pool.close(0)


def test_every_job_is_run_whoever_submits_it() -> None:
    pool = TurnPool("test", 4, patience=0.0005)
    left = threading.Semaphore(0)

    def job(number: int) -> None:
        time.sleep(0.002 if number % 50 == 0 else 0)
        left.release()

    def submit() -> None:
        for number in range(300):
            pool.submit(partial(job, number))

    threads = [threading.Thread(target=submit) for _ in range(4)]
    for thread in threads:
        thread.start()
    for _ in range(1200):
        assert left.acquire(timeout=_PATIENCE)
    for thread in threads:
        thread.join()
    assert pool.close(_PATIENCE) == 0


def test_job_that_steps_aside_leaves_the_turn_to_others() -> None:
    pool = TurnPool("test", 4, patience=_PATIENCE)
    aside, other, back = threading.Event(), threading.Event(), []

    def first() -> None:
        assert pool.step_aside()
        aside.set()
        assert other.wait(_PATIENCE)
        back.append(pool.step_back(go_on=True))

    pool.submit(first)
    assert aside.wait(_PATIENCE)
    pool.submit(other.set)
    assert other.wait(_PATIENCE)
    assert pool.close(_PATIENCE) == 0
    assert back


def test_job_does_not_step_aside_while_others_wait() -> None:
    pool = TurnPool("test", 1, patience=_PATIENCE)
    queued, said, after = threading.Event(), [], threading.Event()

    def first() -> None:
        assert queued.wait(_PATIENCE)
        said.append(pool.step_aside())

    pool.submit(first)
    pool.submit(after.set)
    queued.set()
    assert after.wait(_PATIENCE)
    assert said == [False]
    assert pool.close(_PATIENCE) == 0


def test_idle_threads_end() -> None:
    pool = TurnPool("test", 2, patience=_PATIENCE, idle_seconds=0.05)
    done = threading.Event()
    pool.submit(done.set)
    assert done.wait(_PATIENCE)
    eventually(lambda: not pool.threads)
    assert pool.close(_PATIENCE) == 0

"""Jobs run in steps, a failing one fails alone, and stopping waits for the step that runs."""

import threading

import pytest

from appliance.errors import Unavailable
from appliance.jobs.scheduler import Job, Scheduler

LONG = 3600.0


def test_a_job_with_more_to_do_is_called_until_it_has_none() -> None:
    steps: list[int] = []
    done = threading.Event()

    def step() -> bool:
        steps.append(len(steps))
        if len(steps) == 5:
            done.set()
        return len(steps) < 5

    scheduler = Scheduler([Job("count", step, LONG, pause=0)])
    scheduler.start()
    assert done.wait(30)
    scheduler.stop()
    assert steps == [0, 1, 2, 3, 4]


def test_a_failing_job_is_logged_and_does_not_stop_the_others(caplog: pytest.LogCaptureFixture) -> None:
    done = threading.Event()

    def fail() -> bool:
        raise ZeroDivisionError("in a job")

    def work() -> bool:
        done.set()
        return False

    scheduler = Scheduler([Job("bad", fail, LONG, pause=0), Job("good", work, LONG, pause=0.01)])
    scheduler.start()
    assert done.wait(30)
    scheduler.stop()
    assert "the job bad failed" in caplog.text


def test_a_failing_job_is_tried_again() -> None:
    calls: list[int] = []
    again = threading.Event()

    def fail_once() -> bool:
        calls.append(1)
        if len(calls) == 1:
            raise ZeroDivisionError("once")
        again.set()
        return False

    scheduler = Scheduler([Job("flaky", fail_once, 0.01, pause=0)])
    scheduler.start()
    assert again.wait(30)
    scheduler.stop()


def test_stop_waits_for_the_step_that_runs() -> None:
    begun, finish, ended = threading.Event(), threading.Event(), threading.Event()

    def step() -> bool:
        begun.set()
        finish.wait(30)
        ended.set()
        return False

    scheduler = Scheduler([Job("slow", step, LONG, pause=0)])
    scheduler.start()
    assert begun.wait(30)
    threading.Timer(0.05, finish.set).start()
    scheduler.stop()
    assert ended.is_set()


def test_stop_without_start_and_twice_is_fine() -> None:
    scheduler = Scheduler([])
    scheduler.stop()
    scheduler.start()
    scheduler.stop()
    scheduler.stop()


def test_a_job_can_be_woken_before_its_time() -> None:
    calls = threading.Semaphore(0)

    def step() -> bool:
        calls.release()
        return False

    scheduler = Scheduler([Job("rare", step, LONG, pause=0)])
    scheduler.start()
    assert calls.acquire(timeout=30)
    assert scheduler.wake("rare")
    assert calls.acquire(timeout=30)
    assert not scheduler.wake("unheard of")
    scheduler.stop()


def test_a_job_that_has_to_wait_says_so_in_one_sentence_and_when_it_goes_on(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("appliance.jobs.scheduler._AGAIN", 0.01)
    calls: list[int] = []
    done = threading.Event()

    def step() -> bool:
        calls.append(1)
        if len(calls) < 4:
            raise Unavailable("the database does not answer")
        if len(calls) == 5:
            done.set()
        return len(calls) < 5

    scheduler = Scheduler([Job("collect", step, LONG, pause=0)])
    with caplog.at_level("INFO"):
        scheduler.start()
        assert done.wait(30)
        scheduler.stop()
    assert [(record.levelname, record.exc_info) for record in caplog.records] == [("WARNING", None), ("INFO", None)]

"""Whose import comes next."""

import threading
from collections.abc import Callable

from appliance import logs
from appliance.image.imports.queue import ImportQueue


def blocking(gate: threading.Event, begun: threading.Semaphore) -> Callable[[], None]:
    def work() -> None:
        begun.release()
        gate.wait(20)

    return work


def test_one_project_never_holds_all_threads() -> None:
    queue, gate, begun, done = ImportQueue(4), threading.Event(), threading.Semaphore(0), threading.Event()
    for _ in range(20):
        queue.submit("greedy", blocking(gate, begun))
    for _ in range(3):
        assert begun.acquire(timeout=5)
    queue.submit("modest", done.set)
    assert done.wait(5)
    assert not begun.acquire(timeout=0.05)
    gate.set()
    queue.close()


def test_projects_take_turns() -> None:
    queue, gate, begun = ImportQueue(1), threading.Event(), threading.Semaphore(0)
    order: list[str] = []
    queue.submit("first", blocking(gate, begun))
    assert begun.acquire(timeout=5)
    for owner in ("a", "a", "a", "b"):
        queue.submit(owner, lambda owner=owner: order.append(owner))  # type: ignore[misc]
    last = threading.Event()
    queue.submit("c", last.set)
    gate.set()
    assert last.wait(5)
    queue.close()
    assert order[:2] == ["a", "b"]


def test_work_that_breaks_off_takes_no_thread_with_it() -> None:
    queue, done = ImportQueue(1), threading.Event()
    queue.submit("a", lambda: 1 / 0)  # type: ignore[arg-type]
    queue.submit("a", done.set)
    assert done.wait(5)
    queue.close()


def test_what_waits_at_the_end_is_forgotten() -> None:
    queue, gate, begun = ImportQueue(1), threading.Event(), threading.Semaphore(0)
    queue.submit("a", blocking(gate, begun))
    assert begun.acquire(timeout=5)
    late = threading.Event()
    queue.submit("a", late.set)
    threading.Timer(0.1, gate.set).start()
    queue.close()
    queue.submit("a", late.set)
    assert not late.is_set()


def test_work_runs_as_part_of_the_request_that_asked_for_it() -> None:
    queue, done, seen = ImportQueue(1), threading.Event(), list[str]()

    def work() -> None:
        seen.append(logs.request_id.get())
        done.set()

    set_by = logs.request_id.set("req-1")
    queue.submit("a", work)
    logs.request_id.reset(set_by)
    assert done.wait(5) and seen == ["req-1"]
    queue.close()

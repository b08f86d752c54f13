"""Which thread gets a request, and that no request is left without one."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import pytest

from tests.support.waiting import PATIENCE, until
from web.server.dispatcher import Dispatcher


class Task:
    """A connection with one request, which calls a function in the thread that serves it."""

    def __init__(self, serve: Callable[[], object]) -> None:
        self.requests: list[object] = []
        self.service = serve

    def cancel(self) -> None:
        """Do nothing: all tasks are served before the tests end."""


@pytest.fixture
def dispatcher() -> Iterator[Dispatcher]:
    found = Dispatcher()
    found.set_thread_count(4)
    until(lambda: found.active_count == 0)
    yield found
    assert found.shutdown() is True
    until(lambda: not found.threads)


def test_requests_one_after_the_other_get_the_same_thread(dispatcher: Dispatcher) -> None:
    threads: list[str] = []
    for done in range(1, 21):
        dispatcher.add_task(Task(lambda: threads.append(threading.current_thread().name)))
        until(lambda done=done: len(threads) == done and dispatcher.active_count == 0)
    assert len(set(threads)) == 1


def test_requests_at_once_get_all_threads_and_the_rest_wait_for_one(dispatcher: Dispatcher) -> None:
    goes_on = threading.Event()
    begun: list[str] = []

    def work() -> None:
        begun.append(threading.current_thread().name)
        assert goes_on.wait(PATIENCE)

    for _ in range(7):
        dispatcher.add_task(Task(work))
    until(lambda: len(begun) == 4)
    assert len(set(begun)) == 4
    goes_on.set()
    until(lambda: len(begun) == 7 and dispatcher.active_count == 0)


def test_many_requests_at_once_are_all_served_once(dispatcher: Dispatcher) -> None:
    served: list[int] = []

    def add(start: int) -> None:
        for number in range(start, start + 500):
            dispatcher.add_task(Task(lambda number=number: served.append(number)))

    senders = [threading.Thread(target=add, args=(500 * at,)) for at in range(4)]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join(PATIENCE)
    until(lambda: len(served) == 2000 and dispatcher.active_count == 0)
    assert sorted(served) == list(range(2000))


def test_a_request_that_fails_leaves_its_thread_to_others(dispatcher: Dispatcher) -> None:
    def fail() -> None:
        raise SystemExit

    served: list[int] = []
    for _ in range(8):
        dispatcher.add_task(Task(fail))
    dispatcher.add_task(Task(lambda: served.append(1)))
    until(lambda: served == [1])


def test_fewer_threads_are_ended_and_the_others_go_on(dispatcher: Dispatcher) -> None:
    dispatcher.set_thread_count(1)
    until(lambda: len(dispatcher.threads) == 1 and dispatcher.active_count == 0)
    served: list[int] = []
    for number in range(3):
        dispatcher.add_task(Task(lambda number=number: served.append(number)))
    until(lambda: served == [0, 1, 2])

"""Workers: their thread ends with nothing left open, and is woken again."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from indexer.work.worker import Worker
from search.catalogue import open_catalogue
from search.settings import Settings
from tests.support.waiting import PATIENCE, until


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs /proc")
def test_a_worker_that_sleeps_and_wakes_leaves_no_file_open(tmp_path: Path) -> None:
    with open_catalogue(Settings(data=tmp_path)) as catalogue:
        asked: list[int] = []

        def work() -> bool:
            asked.append(catalogue.memes.count())
            return False

        ended: list[bool] = []
        worker = Worker("test", lambda: work, on_idle=lambda: ended.append(True), idle_seconds=0.01)
        counts = []
        for round in range(1, 21):
            worker.wake()
            assert worker.wait_until_ended(PATIENCE) and len(ended) == round
            files = [one.readlink() for one in Path("/proc/self/fd").iterdir() if one.is_symlink()]
            counts.append(sum(file.is_relative_to(tmp_path) for file in files))
        assert len(asked) >= 20 and set(counts) == {counts[0]}, counts
        worker.close()


class _Resource:
    """What a thread holds until it ends, and what is not closed before it may be."""

    def __init__(self, may_close: threading.Event, closed: threading.Event) -> None:
        self._may_close, self._closed = may_close, closed

    def __del__(self) -> None:
        self._may_close.wait(PATIENCE)
        self._closed.set()


@pytest.mark.parametrize("end", [Worker.close, lambda worker: worker.wait_until_ended(PATIENCE)])
def test_a_worker_has_ended_when_what_its_thread_held_is_closed(end: Callable[[Worker], object]) -> None:
    local = threading.local()
    idle, may_close, closed = threading.Event(), threading.Event(), threading.Event()

    def prepare() -> Callable[[], bool]:
        local.resource = _Resource(may_close, closed)
        return lambda: False

    worker = Worker("closing", prepare, on_idle=idle.set, idle_seconds=0.0)
    worker.wake()
    assert idle.wait(PATIENCE)
    until(lambda: not any(one.name == "closing" for one in threading.enumerate()))
    assert not worker.wait_until_ended(0)
    may_close.set()
    end(worker)
    assert closed.is_set()


def test_a_worker_that_was_never_woken_has_ended() -> None:
    worker = Worker("never woken", lambda: lambda: False)
    assert worker.wait_until_ended(0)
    worker.close()


def test_a_worker_whose_thread_could_not_start_is_woken_again(monkeypatch: pytest.MonkeyPatch) -> None:
    pieces = [1, 2]
    worker = Worker("test", lambda: lambda: bool(pieces) and bool(pieces.pop()))

    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", refuse)
        with pytest.raises(RuntimeError):
            worker.wake()
    worker.wake()
    assert worker.wait_until_idle(PATIENCE) and not pieces
    worker.close()


class _ClosedMeanwhile(Worker):
    """A worker that is closed just after its thread has seen that it is not."""

    _is_closed = False

    @property
    def _closed(self) -> bool:
        seen = self._is_closed
        if threading.current_thread().name == "closed meanwhile" and not seen:
            threading.Thread(target=self.close).start()
            until(lambda: self._is_closed)
            with self._lock:  # `close` has said so
                pass
        return seen

    @_closed.setter
    def _closed(self, is_closed: bool) -> None:
        self._is_closed = is_closed


def test_a_worker_that_is_closed_before_it_looks_for_work_does_not_sleep() -> None:
    worker = _ClosedMeanwhile("closed meanwhile", lambda: lambda: False, idle_seconds=10 * PATIENCE)
    worker.wake()
    assert worker.wait_until_ended(PATIENCE)


def test_work_that_failed_unexpectedly_is_prepared_again_and_told() -> None:
    prepared: list[Worker] = []
    failed, may_go_on = threading.Event(), threading.Event()

    def prepare() -> Callable[[], bool]:
        prepared.append(worker)
        if len(prepared) == 1:
            return lambda: bool(1 // 0)
        failed.set()
        may_go_on.wait(PATIENCE)
        return lambda: False

    worker = Worker("failing", prepare, retry_seconds=0.0)
    worker.wake()
    assert failed.wait(PATIENCE)
    assert worker.error is not None and "ZeroDivisionError" in worker.error.message
    may_go_on.set()
    assert worker.wait_until_idle(PATIENCE) and worker.error is None and len(prepared) == 2
    worker.close()

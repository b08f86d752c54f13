"""Processes that run tasks within limits: they are killed at the deadline, replaced, and end with their parent."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from time import sleep

import pytest

from indexer.work.process_pool import NoProcessReady, ProcessDied, ProcessPool, TaskTimedOut
from search.errors import MemeticaError
from tests.support.paths import ROOT
from tests.support.waiting import PATIENCE, until

pytestmark = pytest.mark.slow

MODULE = "tests.support.pooled_tasks"


@pytest.fixture
def pool() -> Iterator[ProcessPool]:
    found = ProcessPool(MODULE, idle=2)
    yield found
    found.close()


def lives(id: int) -> bool:
    """Return whether a process runs; one that has ended and was not waited for does not."""
    try:
        state = Path(f"/proc/{id}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def wait_for_the_end(ids: list[int]) -> None:
    until(lambda: not any(map(lives, ids)))


def test_a_reply_has_the_json_and_every_byte_of_the_parts(pool: ProcessPool) -> None:
    sizes = [0, 1, 3_000_000]
    reply = pool.run({"do": "parts", "sizes": sizes}, seconds=30, megabytes=100)
    assert reply.head["sizes"] == sizes
    assert [bytes(part) for part in reply.parts] == [bytes([size % 251]) * size for size in sizes]


def test_one_process_runs_one_task_after_another(pool: ProcessPool) -> None:
    ids = {pool.run({"do": "id"}, seconds=30, megabytes=100).head["id"] for _ in range(5)}
    assert ids == set(pool.process_ids())
    assert len(ids) == 1
    assert os.getpid() not in ids


@pytest.mark.parametrize("way", ["spin", "sleep"])
def test_a_task_that_passes_its_deadline_is_killed_and_the_next_one_succeeds(pool: ProcessPool, way: str) -> None:
    before = pool.run({"do": "id"}, seconds=30, megabytes=100).head["id"]
    with pytest.raises(TaskTimedOut) as caught:
        pool.run({"do": way}, seconds=0.5, megabytes=100)
    wait_for_the_end([before])
    if way == "sleep":  # it had no processor, which the caller may tell from an endless task
        assert caught.value.cpu_seconds < 0.25
    assert pool.run({"do": "id"}, seconds=30, megabytes=100).head["id"] != before


def test_a_process_that_dies_in_a_task_costs_no_other_task(pool: ProcessPool) -> None:
    with pytest.raises(ProcessDied):
        pool.run({"do": "die"}, seconds=30, megabytes=100)
    assert pool.run({"do": "id"}, seconds=30, megabytes=100).head["id"]


def test_a_process_that_was_killed_while_idle_is_replaced(pool: ProcessPool) -> None:
    for _ in range(3):
        id = pool.run({"do": "id"}, seconds=30, megabytes=100).head["id"]
        os.kill(id, signal.SIGKILL)
        wait_for_the_end([id])


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits the memory")
def test_a_task_gets_no_more_memory_than_it_may_have(pool: ProcessPool) -> None:
    assert pool.run({"do": "allocate", "megabytes": 50}, seconds=30, megabytes=100).head["allocated"] is True
    assert pool.run({"do": "allocate", "megabytes": 150}, seconds=30, megabytes=100).head["allocated"] is False
    # The limit is the task's, not the process's.
    assert pool.run({"do": "allocate", "megabytes": 150}, seconds=30, megabytes=300).head["allocated"] is True


@pytest.mark.parametrize("way", ["shout", "garble"])
def test_what_a_library_prints_is_no_reply_and_a_garbled_reply_is_refused(pool: ProcessPool, way: str) -> None:
    if way == "shout":
        assert pool.run({"do": "shout"}, seconds=30, megabytes=100).head["shouted"] is True
    else:
        with pytest.raises(ProcessDied):
            pool.run({"do": "garble"}, seconds=30, megabytes=100)


def test_a_pool_that_is_warm_has_its_processes_before_the_first_task_and_replaces_those_killed(
    pool: ProcessPool,
) -> None:
    pool.warm(2)
    first = pool.process_ids()
    assert len(first) == 2
    with pytest.raises(TaskTimedOut):
        pool.run({"do": "spin"}, seconds=0.3, megabytes=100)
    assert len(pool.process_ids()) == 2
    assert len(set(first) & set(pool.process_ids())) == 1


def test_a_task_waits_no_longer_than_it_may_for_a_process_to_start(
    pool: ProcessPool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pool.run({"do": "id"}, seconds=30, megabytes=100, start_seconds=0.001)  # it is not kept warm: there is no hurry
    pool.warm(2)
    monkeypatch.setenv("POOLED_TASKS_BEGIN_WITH", str(tmp_path / "begin"))
    for id in pool.process_ids():
        os.kill(id, signal.SIGKILL)
    wait_for_the_end(pool.process_ids())
    with pytest.raises(NoProcessReady):
        pool.run({"do": "id"}, seconds=30, megabytes=100, start_seconds=0.001)
    (tmp_path / "begin").touch()
    assert pool.run({"do": "id"}, seconds=30, megabytes=100).head["id"] in pool.process_ids()


def test_a_module_that_cannot_be_imported_is_an_error_that_says_how_to_see_why() -> None:
    pool = ProcessPool("tests.support.there_is_no_such_module", idle=1)
    with pytest.raises(MemeticaError, match="cannot be started") as caught:
        pool.run({}, seconds=30, megabytes=100)
    assert "there_is_no_such_module" in caught.value.hint
    pool.close()


def test_many_threads_share_a_pool(pool: ProcessPool) -> None:
    seen: list[int] = []

    def ask(number: int) -> None:
        for _ in range(5):
            reply = pool.run({"do": "parts", "sizes": [number * 1000]}, seconds=30, megabytes=100)
            seen.append(len(reply.parts[0]) - number * 1000)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == [0] * 20
    assert len(pool.process_ids()) <= 2


def test_closing_a_pool_ends_its_processes_in_the_middle_of_a_task(tmp_path: Path) -> None:
    pool = ProcessPool(MODULE, idle=2)
    pool.run({"do": "id"}, seconds=30, megabytes=100)
    failed: list[BaseException] = []

    def spin() -> None:
        try:
            pool.run({"do": "spin", "tell": str(tmp_path / "begun")}, seconds=PATIENCE, megabytes=100)
        except ProcessDied as error:
            failed.append(error)

    thread = threading.Thread(target=spin)
    thread.start()
    until((tmp_path / "begun").exists)
    ids = pool.process_ids()
    pool.close()
    thread.join(PATIENCE)
    assert len(failed) == 1
    wait_for_the_end(ids)
    with pytest.raises(MemeticaError):
        pool.run({"do": "id"}, seconds=30, megabytes=100)


PAUSED = f"""
import sys
from indexer.work.process_pool import ProcessPool
pool = ProcessPool({MODULE!r}, idle=1)
pool.run({{"do": "id"}}, seconds=30, megabytes=100)
pool.run({{"do": "wait", "tell": sys.argv[1], "until": sys.argv[2]}}, seconds=2, megabytes=100)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGSTOP")
def test_while_all_processes_are_stopped_no_deadline_passes(tmp_path: Path) -> None:
    begun, goes_on = tmp_path / "begun", tmp_path / "goes on"
    parent = subprocess.Popen(
        [sys.executable, "-c", PAUSED, str(begun), str(goes_on)], cwd=ROOT, start_new_session=True
    )
    until(begun.exists)
    os.killpg(parent.pid, signal.SIGSTOP)
    sleep(4)  # beyond the deadline
    goes_on.touch()
    os.killpg(parent.pid, signal.SIGCONT)
    assert parent.wait(PATIENCE) == 0


PARENT = f"""
import sys, threading, time
from pathlib import Path
from tests.support.waiting import until
from indexer.work.process_pool import ProcessPool
pool = ProcessPool({MODULE!r}, idle=2)
pool.warm(2)
pool.run({{"do": "id"}}, seconds=30, megabytes=100)
task = {{"do": "hold", "tell": sys.argv[1]}}
threading.Thread(target=lambda: pool.run(task, seconds=1000, megabytes=100), daemon=True).start()
until(Path(sys.argv[1]).exists)
print(*pool.process_ids(), flush=True)
time.sleep(1000)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a task ends at its deadline")
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT], ids=lambda one: one.name)
def test_no_process_outlives_its_parent_not_even_one_that_holds_pythons_lock(
    how: signal.Signals, tmp_path: Path
) -> None:
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, str(tmp_path / "begun")],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        cwd=ROOT,
        start_new_session=True,
    )
    assert parent.stdout is not None
    ids = [int(id) for id in parent.stdout.readline().split()]
    assert len(ids) == 2
    parent.send_signal(how)
    parent.wait(PATIENCE)
    parent.stdout.close()
    wait_for_the_end(ids)

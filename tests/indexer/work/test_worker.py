"""Workers: a thread that sleeps and wakes again leaves nothing open."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from indexer.work.worker import Worker
from search.catalogue import open_catalogue
from search.settings import Settings
from tests.support.waiting import until


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
            until(
                lambda round=round: len(ended) == round and not any(one.name == "test" for one in threading.enumerate())
            )
            files = [one.readlink() for one in Path("/proc/self/fd").iterdir() if one.is_symlink()]
            counts.append(sum(file.is_relative_to(tmp_path) for file in files))
        assert len(asked) >= 20 and counts[-1] == counts[0], counts
        worker.close()

"""Leases: work is done by one process at a time, and a dead one's work is not lost."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from indexer.work.leases import WorkLease, reclaim_stale, work_lease
from search.catalogue import Catalogue, open_catalogue
from search.meme import Stage
from search.settings import Settings
from tests.support.waiting import until


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(library=tmp_path / "memes", data=tmp_path / "data")


@pytest.fixture
def catalogue(settings: Settings) -> Iterator[Catalogue]:
    with open_catalogue(settings) as opened:
        yield opened


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time by which leases run out: one number, which the test moves."""
    found = [1000.0]
    monkeypatch.setattr("search.catalogue.leases.time", SimpleNamespace(time=lambda: found[0]))
    return found


def test_what_one_shift_has_taken_another_does_not_get(catalogue: Catalogue) -> None:
    with work_lease(catalogue, Stage.OCR) as one, work_lease(catalogue, Stage.OCR) as other:
        assert one.acquire("c0ffee")
        assert not other.acquire("c0ffee")
        assert not one.acquire("c0ffee"), "another thread of the same lease must not do it either"
        one.release("c0ffee")
        assert other.acquire("c0ffee")


def test_stages_and_sources_do_not_stand_in_each_others_way(catalogue: Catalogue) -> None:
    one, other = WorkLease(catalogue, Stage.DESCRIBE), WorkLease(catalogue, Stage.OCR)
    assert one.acquire("c0ffee", sources=("a",))
    assert one.acquire("c0ffee", sources=("b",))
    assert other.acquire("c0ffee", sources=("a",))


def test_several_sources_are_taken_together_or_not_at_all(catalogue: Catalogue) -> None:
    one, other = WorkLease(catalogue, Stage.DESCRIBE), WorkLease(catalogue, Stage.DESCRIBE)
    assert one.acquire("c0ffee", sources=("b",))
    assert not other.acquire("c0ffee", sources=("a", "b"))
    assert [(lease.source, lease.owner) for lease in catalogue.leases.held()] == [("b", one.owner)]


def test_a_lease_that_is_not_renewed_runs_out(catalogue: Catalogue, now: list[float]) -> None:
    gone, next_one = WorkLease(catalogue, Stage.OCR, seconds=5), WorkLease(catalogue, Stage.OCR)
    assert gone.acquire("c0ffee")
    now[0] += 4.9
    assert not next_one.acquire("c0ffee")
    now[0] += 0.1
    assert catalogue.leases.held() == []
    assert next_one.acquire("c0ffee")
    gone.release("c0ffee")  # it is not its own any more
    assert [lease.owner for lease in catalogue.leases.held()] == [next_one.owner]


def test_a_shift_that_lives_keeps_its_leases_beyond_their_time(catalogue: Catalogue, now: list[float]) -> None:
    with work_lease(catalogue, Stage.OCR, seconds=0.3) as one:
        assert one.acquire("c0ffee")
        for _ in range(3):
            now[0] += 0.2
            until(lambda: [lease.expires_at for lease in catalogue.leases.held()] == [now[0] + 0.3])
        assert not WorkLease(catalogue, Stage.OCR).acquire("c0ffee")


def test_memes_are_taken_one_at_a_time_past_those_of_others(tiny_indexed: Catalogue) -> None:
    memes = tiny_indexed.memes.everything()
    one, other = WorkLease(tiny_indexed, Stage.OCR), WorkLease(tiny_indexed, Stage.OCR)
    assert one.acquire(memes[1].content_hash)
    under_way = other.acquire_each(memes)
    assert [next(under_way), next(under_way)] == [memes[0], memes[2]]
    assert len(tiny_indexed.leases.held()) == 3


def test_what_a_process_held_that_died_in_the_last_round_is_done_too(tiny_indexed: Catalogue) -> None:
    memes = tiny_indexed.memes.everything()[:1]
    with subprocess.Popen([sys.executable, "-c", ""]) as dead:
        dead.wait()
    own, other = WorkLease(tiny_indexed, Stage.OCR), WorkLease(tiny_indexed, Stage.OCR)
    machine, _, name = other.owner.rsplit(" ", 2)
    other.owner = f"{machine} {dead.pid} {name}"
    assert other.acquire(memes[0].content_hash)
    assert list(own.until_done(lambda: memes, is_missing=lambda _: True)) == memes


def test_everything_is_given_back_at_the_end_even_after_an_error(catalogue: Catalogue) -> None:
    with pytest.raises(ZeroDivisionError), work_lease(catalogue, Stage.OCR) as lease:
        lease.acquire("c0ffee")
        raise ZeroDivisionError
    assert catalogue.leases.held() == []


def test_what_a_killed_process_held_is_free_at_once(settings: Settings, catalogue: Catalogue) -> None:
    code = (
        "import os, signal, sys; from pathlib import Path; from indexer.work.leases import WorkLease; "
        "from search.catalogue import open_catalogue; from search.meme import Stage; "
        "from search.settings import Settings; "
        "catalogue = open_catalogue(Settings(data=Path(sys.argv[1]))); "
        "assert WorkLease(catalogue, Stage.DESCRIBE).acquire('c0ffee'); os.kill(os.getpid(), signal.SIGKILL)"
    )
    ended = subprocess.run([sys.executable, "-c", code, str(settings.data)], check=False)
    assert ended.returncode == -9
    assert [lease.content_hash for lease in catalogue.leases.held()] == ["c0ffee"]
    with work_lease(catalogue, Stage.DESCRIBE) as lease:
        assert lease.acquire("c0ffee")
        assert reclaim_stale(catalogue) == 0, "a living process keeps its own"


def test_many_threads_get_each_piece_of_work_once(catalogue: Catalogue) -> None:
    work = [f"{number:064x}" for number in range(40)]
    got: list[str] = []

    def grab() -> None:
        lease = WorkLease(catalogue, Stage.OCR)
        for one in work:
            if lease.acquire(one):
                got.append(one)

    threads = [threading.Thread(target=grab) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(got) == work

"""Leases: work is done by one process at a time, and a dead one's work is not lost."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from indexer.work.leases import Shift, free_the_dead, shift_on
from search.catalogue import Catalogue, open_catalogue
from search.meme import Stage
from search.settings import Settings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(library=tmp_path / "memes", data=tmp_path / "data")


@pytest.fixture
def catalogue(settings: Settings) -> Iterator[Catalogue]:
    with open_catalogue(settings) as opened:
        yield opened


def test_what_one_shift_has_taken_another_does_not_get(catalogue: Catalogue) -> None:
    with shift_on(catalogue, Stage.OCR) as one, shift_on(catalogue, Stage.OCR) as other:
        assert one.take("c0ffee")
        assert not other.take("c0ffee")
        assert not one.take("c0ffee"), "another thread of the same shift must not do it either"
        one.give_back("c0ffee")
        assert other.take("c0ffee")


def test_stages_and_sources_do_not_stand_in_each_others_way(catalogue: Catalogue) -> None:
    one, other = Shift(catalogue, Stage.DESCRIBE), Shift(catalogue, Stage.OCR)
    assert one.take("c0ffee", sources=("a",))
    assert one.take("c0ffee", sources=("b",))
    assert other.take("c0ffee", sources=("a",))


def test_several_sources_are_taken_together_or_not_at_all(catalogue: Catalogue) -> None:
    one, other = Shift(catalogue, Stage.DESCRIBE), Shift(catalogue, Stage.DESCRIBE)
    assert one.take("c0ffee", sources=("b",))
    assert not other.take("c0ffee", sources=("a", "b"))
    assert [(lease.source, lease.owner) for lease in catalogue.leases.held()] == [("b", one.owner)]


def test_a_lease_that_is_not_renewed_runs_out(catalogue: Catalogue) -> None:
    gone, next_one = Shift(catalogue, Stage.OCR, seconds=0.05), Shift(catalogue, Stage.OCR)
    assert gone.take("c0ffee")
    time.sleep(0.06)
    assert catalogue.leases.held() == []
    assert next_one.take("c0ffee")
    gone.give_back("c0ffee")  # it is not its own any more
    assert [lease.owner for lease in catalogue.leases.held()] == [next_one.owner]


def test_a_shift_that_lives_keeps_its_leases_beyond_their_time(catalogue: Catalogue) -> None:
    with shift_on(catalogue, Stage.OCR, seconds=0.3) as one:
        assert one.take("c0ffee")
        time.sleep(0.7)
        assert not Shift(catalogue, Stage.OCR).take("c0ffee")


def test_memes_are_taken_one_at_a_time_past_those_of_others(tiny_indexed: Catalogue) -> None:
    memes = tiny_indexed.memes.everything()
    one, other = Shift(tiny_indexed, Stage.OCR), Shift(tiny_indexed, Stage.OCR)
    assert one.take(memes[1].content_hash)
    under_way = other.taken(memes)
    assert [next(under_way), next(under_way)] == [memes[0], memes[2]]
    assert len(tiny_indexed.leases.held()) == 3


def test_everything_is_given_back_at_the_end_even_after_an_error(catalogue: Catalogue) -> None:
    with pytest.raises(ZeroDivisionError), shift_on(catalogue, Stage.OCR) as shift:
        shift.take("c0ffee")
        raise ZeroDivisionError
    assert catalogue.leases.held() == []


def test_what_a_killed_process_held_is_free_at_once(settings: Settings, catalogue: Catalogue) -> None:
    code = (
        "import os, signal, sys; from pathlib import Path; from indexer.work.leases import Shift; "
        "from search.catalogue import open_catalogue; from search.meme import Stage; "
        "from search.settings import Settings; "
        "catalogue = open_catalogue(Settings(data=Path(sys.argv[1]))); "
        "assert Shift(catalogue, Stage.DESCRIBE).take('c0ffee'); os.kill(os.getpid(), signal.SIGKILL)"
    )
    ended = subprocess.run([sys.executable, "-c", code, str(settings.data)], check=False)
    assert ended.returncode == -9
    assert [lease.content_hash for lease in catalogue.leases.held()] == ["c0ffee"]
    with shift_on(catalogue, Stage.DESCRIBE) as shift:
        assert shift.take("c0ffee")
        assert free_the_dead(catalogue) == 0, "a living process keeps its own"


def test_many_threads_get_each_piece_of_work_once(catalogue: Catalogue) -> None:
    work = [f"{number:064x}" for number in range(40)]
    got: list[str] = []

    def grab() -> None:
        shift = Shift(catalogue, Stage.OCR)
        for one in work:
            if shift.take(one):
                got.append(one)

    threads = [threading.Thread(target=grab) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(got) == work

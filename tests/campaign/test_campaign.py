"""Small forms of the campaign in every run of the suite, and with `-m campaign` the whole of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.campaign.__main__ import PARTS, run_part
from tests.campaign.damages import run_damages
from tests.campaign.hostile import run_hostile
from tests.campaign.kills import run_kills
from tests.campaign.library import mixed
from tests.campaign.mutations import MUTATIONS, mutations, valid_files
from tests.campaign.report import Report, percentile
from tests.campaign.tracing import Point, points_in
from tests.support.hostile_pictures import KINDS


@pytest.fixture
def report(request: pytest.FixtureRequest) -> Report:
    return Report(request.node.name, is_timed=False)


def _passes(report: Report) -> None:
    if report.skipped:
        pytest.skip(report.skipped)
    assert report.cases and report.faults == []


@pytest.mark.campaign
@pytest.mark.parametrize("part", PARTS)
def test_the_whole_part_finds_no_fault(part: str) -> None:
    report, _ = run_part(part, cases=None, seed=0)
    _passes(report)


def test_commands_killed_at_system_calls_lose_nothing(report: Report) -> None:
    run_kills(report, cases=3, only=("duplicates decide", "index", "verdict"))
    _passes(report)


def test_damages_are_told_with_a_way_back_that_works(report: Report) -> None:
    run_damages(report, cases=2)
    _passes(report)


def test_hostile_pictures_do_not_stop_a_server_or_an_index(report: Report) -> None:
    few = tuple(kind for kind in KINDS if kind.name in ("gif-65535", "jpeg-65500", "svg-entities"))
    assert len(few) == 3
    run_hostile(report, cases=20, kinds=few)
    _passes(report)


def test_mutations_are_of_every_format_and_kind_and_the_same_for_a_seed() -> None:
    count = len(valid_files()) * len(MUTATIONS)
    made = dict(mutations(count, seed=1))
    assert len(made) == count and made == dict(mutations(count, seed=1))
    assert {name.split()[0] for name in made} == set(valid_files())
    assert sum(body in valid_files().values() for body in made.values()) < 5
    assert dict(mutations(count, seed=2)) != made


def test_points_are_the_calls_on_a_folders_files_counted_by_thread(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text(
        '7 openat(AT_FDCWD</>, "/etc/passwd", O_RDONLY) = 3</etc/passwd>\n'
        '7 openat(AT_FDCWD</>, "/data/x", O_RDONLY) = 3</data/x>\n'
        '7 openat(AT_FDCWD</>, "/data/y", O_WRONLY|O_CREAT, 0666) = 4</data/y>\n'
        '7 write(4</data/y>, "a", 1) = 1\n'
        '8 write(1</dev/null>, "a", 1) = 1\n'
        '8 write(4</data/y>, "a", 1 <unfinished ...>\n'
        "7 fsync(4</data/y>) = 0\n"
        "8 <... write resumed>) = 1\n"
        "8 +++ exited with 0 +++\n"
    )
    assert points_in(log, Path("/data")) == {
        "openat": [Point("openat", 3)],
        "write": [Point("write", 1), Point("write", 2)],
        "fsync": [Point("fsync", 1)],
    }


def test_a_state_is_mixed_where_it_is_neither_the_old_nor_the_new() -> None:
    old, new = {"a": 1, "b": 1}, {"a": 2, "c": 1}
    assert mixed({"a": 2, "b": 1}, old=old, new=new) == []
    assert len(mixed({"a": 3, "d": 1}, old=old, new=new)) == 2


def test_percentiles_are_values_that_were_measured() -> None:
    assert percentile([], 0.99) == 0.0
    assert percentile([float(one) for one in range(100)], 0.99) == 99.0
    assert percentile([3.0, 1.0, 2.0], 0.5) == 2.0
    assert percentile([3.0, 1.0, 2.0], 1) == 3.0

"""The ledger: only ever added to, the last standing verdict on a pair counts, whatever order it came in."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import combinations
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from search.catalogue import Catalogue, Verdict, VerdictKind, open_catalogue
from search.catalogue.verdicts import settled, standing
from search.errors import DataFolderError, NotFound, WrongUse
from search.settings import Settings

A, B, C, D = (letter * 64 for letter in "abcd")
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


@pytest.fixture
def catalogue(tmp_path: Path) -> Iterator[Catalogue]:
    with open_catalogue(Settings(data=tmp_path / "data")) as opened:
        yield opened


def test_a_verdict_settles_every_pair_of_its_memes_in_either_order(catalogue: Catalogue) -> None:
    catalogue.verdicts.add(VerdictKind.DISTINCT, [C, A, B])
    assert catalogue.verdicts.settled() == {(A, B), (A, C), (B, C)}


def test_keeping_two_files_of_the_same_bytes_settles_them(catalogue: Catalogue) -> None:
    catalogue.verdicts.add(VerdictKind.KEEP_ALL, [A, A, B])
    assert catalogue.verdicts.settled() == {(A, A), (A, B)}


def test_undo_restores_and_is_a_line_of_its_own(catalogue: Catalogue) -> None:
    first = catalogue.verdicts.add(VerdictKind.DISTINCT, [A, B], note="other joke", paths=["X/a.png", "Y/b.png"])
    line = catalogue.verdicts.undo(first.uid)
    assert catalogue.verdicts.settled() == set()
    assert (line.kind, line.undoes) == (VerdictKind.UNDONE, first.uid)
    assert catalogue.verdicts.all() == [first, line]
    assert catalogue.verdicts.get(first.uid) == first
    with pytest.raises(WrongUse, match="undone already"):
        catalogue.verdicts.undo(first.uid)
    with pytest.raises(WrongUse, match="cannot be undone"):
        catalogue.verdicts.undo(line.uid)
    with pytest.raises(NotFound):
        catalogue.verdicts.undo("0" * 16)


def test_the_last_standing_verdict_on_a_pair_counts(catalogue: Catalogue) -> None:
    catalogue.verdicts.add(VerdictKind.DISTINCT, [A, B, C])
    again = catalogue.verdicts.add(VerdictKind.DUPLICATES, [A, B])
    assert catalogue.verdicts.settled() == {(A, C), (B, C)}
    catalogue.verdicts.undo(again.uid)
    assert catalogue.verdicts.settled() == {(A, B), (A, C), (B, C)}


def test_a_merge_settles_nothing_because_a_file_that_comes_back_is_a_duplicate_again(catalogue: Catalogue) -> None:
    catalogue.verdicts.add(VerdictKind.MERGED, [A, B], keep=A)
    assert catalogue.verdicts.settled() == set()


def test_what_is_no_copy_of_a_merged_content_is_none_of_the_kept_one(catalogue: Catalogue) -> None:
    catalogue.verdicts.add(VerdictKind.DISTINCT, [A, C])
    merged = catalogue.verdicts.add(VerdictKind.MERGED, [A, B], keep=B)
    assert catalogue.verdicts.settled() == {(A, C), (B, C)}
    again = catalogue.verdicts.add(VerdictKind.MERGED, [B, D], keep=D)
    assert catalogue.verdicts.settled() == {(A, C), (C, D)}
    catalogue.verdicts.undo(again.uid)
    said = catalogue.verdicts.add(VerdictKind.DUPLICATES, [B, C])  # what is said of the pair itself counts more
    assert catalogue.verdicts.settled() == {(A, C)}
    catalogue.verdicts.undo(said.uid)
    catalogue.verdicts.undo(merged.uid)
    assert catalogue.verdicts.settled() == {(A, C)}


def test_contents_that_were_merged_into_each_other_in_turn_settle_what_the_last_merge_kept(
    catalogue: Catalogue,
) -> None:
    catalogue.verdicts.add(VerdictKind.DISTINCT, [A, C])
    catalogue.verdicts.add(VerdictKind.MERGED, [A, B], keep=B)
    catalogue.verdicts.add(VerdictKind.MERGED, [A, B], keep=A)
    assert catalogue.verdicts.settled() == {(A, C)}
    catalogue.verdicts.add(VerdictKind.MERGED, [A, C], keep=C)  # against what was said before: both files are one now
    assert catalogue.verdicts.settled() == {(A, C)}


def test_no_line_can_be_changed_or_removed(catalogue: Catalogue) -> None:
    catalogue.verdicts.add(VerdictKind.DISTINCT, [A, B])
    for statement in ("UPDATE verdicts SET kind = 'keep all'", "DELETE FROM verdicts"):
        with pytest.raises(DataFolderError, match="a verdict is never"):
            catalogue._database.write(statement)
    assert catalogue.verdicts.settled() == {(A, B)}


def test_a_verdict_about_one_meme_is_refused(catalogue: Catalogue) -> None:
    with pytest.raises(WrongUse, match="two memes"):
        catalogue.verdicts.add(VerdictKind.DISTINCT, [A])
    assert catalogue.verdicts.all() == []


def test_lines_come_in_once_however_often_they_are_put(catalogue: Catalogue, tmp_path: Path) -> None:
    mine = catalogue.verdicts.add(VerdictKind.DISTINCT, [A, B])
    with open_catalogue(Settings(data=tmp_path / "other")) as other:
        theirs = other.verdicts.add(VerdictKind.KEEP_ALL, [C, D])
        assert other.verdicts.put(catalogue.verdicts.all()) == 1
        assert other.verdicts.put(catalogue.verdicts.all()) == 0
        assert catalogue.verdicts.put(other.verdicts.all()) == 1
        assert other.verdicts.all() == catalogue.verdicts.all() == [mine, theirs]


KINDS = [VerdictKind.DISTINCT, VerdictKind.KEEP_ALL, VerdictKind.DUPLICATES, VerdictKind.MERGED]
lines = st.lists(
    st.tuples(st.sampled_from(KINDS), st.lists(st.sampled_from([A, B, C, D]), min_size=2, max_size=4), st.booleans()),
    max_size=12,
)


def _ledger(made: Sequence[tuple[VerdictKind, list[str], bool]]) -> list[Verdict]:
    """Return a ledger in which some lines are undone later on."""
    found = []
    for number, (kind, contents, _) in enumerate(made):
        found.append(Verdict(f"{number:016x}", kind, tuple(sorted(contents)), NOON + timedelta(seconds=number)))
    for number, (_, contents, undone) in enumerate(made):
        if undone:
            at = NOON + timedelta(seconds=100 + number)
            found.append(
                Verdict(f"{100 + number:016x}", VerdictKind.UNDONE, tuple(contents), at, undoes=f"{number:016x}")
            )
    return found


def _brute_force(made: Sequence[tuple[VerdictKind, list[str], bool]]) -> set[tuple[str, str]]:
    """Ask of each pair what the last line about it says that is neither undone nor a merge."""
    found = set()
    pairs = [(one, other) for one in (A, B, C, D) for other in (A, B, C, D) if one <= other]
    for one, other in pairs:
        about = [
            kind
            for kind, contents, undone in made
            if not undone
            and kind is not VerdictKind.MERGED
            and (contents.count(one) >= 2 if one == other else one in contents and other in contents)
        ]
        if about and about[-1] is not VerdictKind.DUPLICATES:
            found.add((one, other))
    return found


@settings(deadline=None)
@given(made=lines, order=st.randoms(use_true_random=False))
def test_what_is_settled_does_not_depend_on_the_order_in_which_ledgers_are_joined(made, order) -> None:
    ledger = _ledger(made)
    shuffled = list(ledger)
    order.shuffle(shuffled)
    assert settled(ledger) == settled(shuffled) == _brute_force(made)


@settings(deadline=None)
@given(made=lines, contents=st.lists(st.sampled_from([A, B, C, D]), min_size=2, max_size=4))
def test_a_verdict_is_never_proposed_again_and_its_undo_restores(made, contents) -> None:
    ledger = _ledger(made)
    later = NOON + timedelta(days=1)
    verdict = Verdict("f" * 16, VerdictKind.DISTINCT, tuple(sorted(contents)), later)
    pairs = set(combinations(sorted(contents), 2))
    assert settled([*ledger, verdict]) == settled(ledger) | pairs
    undo = Verdict("e" * 16, VerdictKind.UNDONE, verdict.contents, later + timedelta(days=1), undoes=verdict.uid)
    assert settled([*ledger, verdict, undo]) == settled(ledger)
    assert standing([*ledger, verdict, undo]) == standing(ledger)

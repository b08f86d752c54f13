"""Which hits match: the depth grows until all memes above the cut-off are found; matches come before weaker hits."""

from __future__ import annotations

import numpy as np
import pytest

from search.meme import Field
from search.ranking import matching
from search.ranking.fusion import FusedRanking, fuse
from search.ranking.matching import HitList, order_hits, raise_named, rank_relevant
from search.searcher import Searcher
from search.signals import Signal, lexical
from search.workspace import Workspace
from tests.support.fakes import HashingTextEncoder

OCR = Signal.parse("lexical.ocr")
NONE = np.empty(0, np.int64)


def ranking_of(scores: dict[int, float]) -> FusedRanking:
    ids = np.array(sorted(scores), np.int64)
    return fuse({OCR: np.array([scores[id] for id in ids.tolist()])}, {OCR: 1.0}, ids=ids)


@pytest.mark.parametrize(("above", "depths"), [(10, [60]), (59, [60]), (60, [60, 240]), (700, [60, 240, 960])])
def test_retrievers_are_asked_for_more_while_all_that_they_propose_is_above_the_cut_off(
    above: int, depths: list[int]
) -> None:
    asked: list[int] = []

    def rank(depth: int) -> FusedRanking:
        asked.append(depth)
        return ranking_of({id: 1 - id / 5000 for id in range(depth)})

    _, found, is_all = rank_relevant(rank, lambda ranking: ranking.ids[ranking.ids < above], known=NONE)
    assert (asked, found.tolist(), is_all) == (depths, list(range(above)), True)


def test_what_is_known_to_match_needs_no_greater_depth() -> None:
    ranking, found, is_all = rank_relevant(
        lambda depth: ranking_of({id: 0.5 for id in range(depth)}), lambda one: one.ids, known=np.arange(500)
    )
    assert (len(ranking.ids), len(found), is_all) == (60, 60, True)


def test_a_count_that_the_greatest_depth_ends_is_not_exact(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(matching, "MAX_DEPTH", 100)
    _, found, is_all = rank_relevant(
        lambda depth: ranking_of({id: 0.5 for id in range(depth)}), lambda one: one.ids, known=NONE
    )
    assert (len(found), is_all) == (100, False)


def test_matches_come_by_score_then_those_without_a_score_newest_first_then_weaker_hits(workspace: Workspace) -> None:
    with Searcher(workspace, text_encoder=HashingTextEncoder()) as searcher:
        columns = searcher.index.columns
        ranking = ranking_of({1: 0.9, 2: 0.8, 3: 0.0, 4: 0.7, 5: 0.6})
        ids, matches = order_hits(ranking, matching=np.array([2, 3, 5, 7, 9]), columns=columns)
        newest = columns.newest_of(np.array([7, 9])).tolist()
        assert (ids.tolist(), matches) == ([2, 5, 3, *newest, 1, 4], 5)


def test_keeping_some_hits_keeps_the_line_between_matches_and_weaker_hits() -> None:
    found = HitList(np.array([4, 2, 9, 1]), 3).keep(np.array([True, False, True, True]))
    assert (found.ids.tolist(), found.matches) == ([4, 9, 1], 2)


def test_a_named_meme_gets_at_least_the_score_of_a_name_and_shares_still_add_up() -> None:
    ranking = raise_named(ranking_of({1: 0.9, 2: 0.3, 3: 0.0}), np.array([2, 3]), is_whole=True)
    assert ranking.scores.tolist() == pytest.approx([0.9, 1.0, 1.0])
    assert ranking.ids[ranking.order].tolist() == [2, 3, 1]
    assert sum(ranking.contributions.values()).tolist() == pytest.approx(ranking.scores.tolist())
    assert ranking.contributions[lexical(Field.NAME)].tolist() == pytest.approx([0.0, 0.7, 1.0])
    part = raise_named(ranking_of({1: 0.9, 2: 0.3}), np.array([1, 2]), is_whole=False)
    assert part.scores.tolist() == pytest.approx([0.9, matching.PART_OF_NAME])

"""Fusion compared with sums worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from search.meme import Field
from search.ranking.fusion import SMOOTHING, FusedRanking, Scores, fuse
from search.signals import SIGNALS, lexical, semantic

NAN = math.nan
ALL, OCR, NAME, DESCRIPTION = lexical(None), lexical(Field.OCR), lexical(Field.NAME), lexical(Field.DESCRIPTION)
MEANING = semantic(Field.OCR)


def fused(scores: dict, *, ids: list[int], **weights: float) -> FusedRanking:
    """Return the fused ranking; a weight is 1 unless it is given by the field's name."""
    return fuse(
        {signal: np.array(own, np.float64) for signal, own in scores.items()},
        {signal: weights.get(signal.field.value if signal.field else "all", 1.0) for signal in scores},
        ids=ids,
    )


def test_the_score_is_the_weighted_mean_of_the_signals_scores() -> None:
    found = fused({ALL: [0.2, 0.8], MEANING: [0.6, 0.4]}, ids=[7, 9], all=3)
    assert found.scores == pytest.approx([(3 * 0.2 + 0.6) / 4, (3 * 0.8 + 0.4) / 4])
    assert found.order.tolist() == [1, 0] and found.ranked_ids.tolist() == [9, 7]


def test_the_contributions_add_up_to_the_score() -> None:
    found = fused({ALL: [0.2, NAN], MEANING: [0.6, 0.4]}, ids=[1, 2], ocr=2)
    assert found.contributions[ALL] + found.contributions[MEANING] == pytest.approx(found.scores)


def test_a_field_that_a_meme_lacks_gives_its_weight_to_the_others() -> None:
    described = [0.5, 0.5, 0.1]
    ocr = [0.5, 0.5, 0.9]
    whole = fused({DESCRIPTION: described, OCR: ocr}, ids=[1, 2, 3])
    lacking = fused({DESCRIPTION: [0.5, NAN, 0.1], OCR: ocr}, ids=[1, 2, 3])
    assert whole.scores[1] == pytest.approx(0.5)
    # Worked out: half of the weight is there, a tenth of all counts as 0.
    assert lacking.scores[1] == pytest.approx(0.5 * (1 + SMOOTHING) / (1 + 2 * SMOOTHING))
    assert lacking.scores[1] > 0.9 * whole.scores[1], "the missing field sank it"


def test_a_meme_of_which_little_is_known_ranks_below_one_of_which_much_is() -> None:
    assert fused({OCR: [0.5, NAN], NAME: [0.5, 0.5]}, ids=[1, 2], ocr=9).order.tolist() == [0, 1]


def test_a_field_alike_for_all_does_not_change_the_order() -> None:
    scores = [0.31, 0.3, 0.29, 0.5]
    alone = fused({OCR: scores}, ids=[4, 3, 2, 1])
    joined = fused({OCR: scores, NAME: [0.9] * 4}, ids=[4, 3, 2, 1], name=5)
    assert joined.order.tolist() == alone.order.tolist()


def test_ties_go_to_the_lower_id() -> None:
    assert fused({OCR: [0.5, 0.5, 0.5]}, ids=[9, 3, 5]).order.tolist() == [1, 2, 0]


def test_scores_below_0_count_as_0() -> None:
    found = fused({OCR: [-0.5, 0.0], NAME: [0.4, 0.4]}, ids=[1, 2])
    assert found.scores[0] == found.scores[1] == pytest.approx(0.2)


def test_a_signal_without_weight_contributes_nothing() -> None:
    found = fused({OCR: [0.5, 0.1], NAME: [0.0, 1.0]}, ids=[1, 2], name=0)
    assert found.order.tolist() == [0, 1]
    assert set(found.contributions) == {OCR}


def test_without_signals_or_candidates_the_ranking_is_by_id_or_empty() -> None:
    assert fused({}, ids=[5, 4]).order.tolist() == [1, 0]
    assert fused({OCR: []}, ids=[]).order.tolist() == []


def test_what_is_asked_for_is_ranked_where_no_retriever_proposes_it() -> None:
    ids = np.array([3, 8])
    asked_for = np.array([False, True])
    assert Scores(ids, {}, {}, {}, asked_for=asked_for).fuse().ids.tolist() == [8]
    scores, nobody = {SIGNALS[0]: np.array([0.2, 0.7])}, {SIGNALS[0]: np.array([False, False])}
    assert Scores(ids, scores, nobody, {SIGNALS[0]: 1.0}, asked_for=asked_for).fuse().ids.tolist() == [8]
    assert Scores(ids, scores, nobody, {SIGNALS[0]: 1.0}).fuse().ids.tolist() == []


def test_scores_of_other_candidates_are_refused() -> None:
    with pytest.raises(ValueError, match="2 scores"):
        fused({OCR: [0.5]}, ids=[1, 2])


def test_signals_are_added_up_in_one_order() -> None:
    assert sorted(reversed(SIGNALS)) == list(SIGNALS)


score = st.one_of(st.just(NAN), st.floats(-0.2, 1.0))


@given(st.lists(st.tuples(score, score, score), min_size=1, max_size=20), st.randoms(use_true_random=False))
def test_neither_the_order_of_the_signals_nor_of_the_candidates_matters(rows: list[tuple], random) -> None:
    weights = {"ocr": 0.3, "name": 0.1, "description": 0.7}
    ids = list(range(len(rows)))
    by_signal = {signal: [row[at] for row in rows] for at, signal in enumerate((OCR, NAME, DESCRIPTION))}
    shuffled = random.sample(ids, len(ids))
    moved = {signal: [own[place] for place in shuffled] for signal, own in reversed(by_signal.items())}
    assert (
        fused(moved, ids=shuffled, **weights).ranked_ids.tolist()
        == fused(by_signal, ids=ids, **weights).ranked_ids.tolist()
    )


@given(st.lists(st.tuples(score, score), min_size=1, max_size=20))
def test_scores_stay_between_0_and_1(rows: list[tuple]) -> None:
    found = fused(
        {OCR: [row[0] for row in rows], NAME: [row[1] for row in rows]}, ids=list(range(len(rows))), ocr=0.4, name=2
    ).scores
    assert ((found >= 0) & (found <= 1 + 1e-12)).all()

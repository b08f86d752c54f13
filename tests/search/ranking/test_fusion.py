"""Fusion compared with sums worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from search.ranking.fusion import SILENT, Vote, fuse

NAN = math.nan


def vote(name: str, *scores: float, weight: float = 1.0) -> Vote:
    return Vote(name, np.array(scores, np.float64), weight)


def test_the_score_is_the_weighted_mean_of_the_votes() -> None:
    fused = fuse([vote("words", 0.2, 0.8, weight=3), vote("meaning", 0.6, 0.4, weight=1)], ids=[7, 9])
    assert fused.scores == pytest.approx([(3 * 0.2 + 0.6) / 4, (3 * 0.8 + 0.4) / 4])
    assert fused.order == (1, 0)


def test_the_parts_add_up_to_the_score() -> None:
    fused = fuse([vote("words", 0.2, NAN), vote("meaning", 0.6, 0.4, weight=2)], ids=[1, 2])
    assert fused.parts["words"] + fused.parts["meaning"] == pytest.approx(fused.scores)


def test_a_field_that_a_meme_lacks_gives_its_weight_to_the_others() -> None:
    described = [0.5, 0.5, 0.1]
    ocr = [0.5, 0.5, 0.9]
    whole = fuse([vote("description", *described), vote("ocr", *ocr)], ids=[1, 2, 3])
    lacking = fuse([vote("description", 0.5, NAN, 0.1), vote("ocr", *ocr)], ids=[1, 2, 3])
    assert whole.scores[1] == pytest.approx(0.5)
    # Worked out: half of the weight is there, a tenth of all is silent.
    assert lacking.scores[1] == pytest.approx(0.5 * (1 + SILENT) / (1 + 2 * SILENT))
    assert lacking.scores[1] > 0.9 * whole.scores[1], "what is missing sank it"


def test_what_little_is_known_is_trusted_less_than_much() -> None:
    fused = fuse([vote("ocr", 0.5, NAN, weight=9), vote("name", 0.5, 0.5)], ids=[1, 2])
    assert fused.order == (0, 1)


def test_a_field_alike_for_all_does_not_change_the_order() -> None:
    scores = [0.31, 0.3, 0.29, 0.5]
    alone = fuse([vote("ocr", *scores)], ids=[4, 3, 2, 1])
    joined = fuse([vote("ocr", *scores), vote("visual", 0.9, 0.9, 0.9, 0.9, weight=5)], ids=[4, 3, 2, 1])
    assert joined.order == alone.order


def test_ties_go_to_the_lower_id() -> None:
    assert fuse([vote("ocr", 0.5, 0.5, 0.5)], ids=[9, 3, 5]).order == (1, 2, 0)


def test_scores_below_nothing_count_as_nothing() -> None:
    fused = fuse([vote("ocr", -0.5, 0.0), vote("name", 0.4, 0.4)], ids=[1, 2])
    assert fused.scores[0] == fused.scores[1] == pytest.approx(0.2)


def test_a_vote_of_no_weight_has_no_part() -> None:
    fused = fuse([vote("ocr", 0.5, 0.1), vote("name", 0.0, 1.0, weight=0)], ids=[1, 2])
    assert fused.order == (0, 1)
    assert set(fused.parts) == {"ocr"}


def test_without_votes_or_candidates_there_is_an_empty_or_even_ranking() -> None:
    assert fuse([], ids=[5, 4]).order == (1, 0)
    assert fuse([vote("ocr")], ids=[]).order == ()


def test_a_vote_for_other_candidates_is_refused() -> None:
    with pytest.raises(ValueError, match="2 scores"):
        fuse([vote("ocr", 0.5)], ids=[1, 2])


scores = st.one_of(st.just(NAN), st.floats(-0.2, 1.0))


@given(st.lists(st.tuples(scores, scores, scores), min_size=1, max_size=20), st.randoms(use_true_random=False))
def test_neither_the_order_of_the_votes_nor_of_the_candidates_matters(rows: list[tuple], random) -> None:
    names, weights = ("ocr", "name", "description"), (0.3, 0.1, 0.7)
    ids = list(range(len(rows)))
    votes = [Vote(name, np.array([row[at] for row in rows]), weights[at]) for at, name in enumerate(names)]
    shuffled = random.sample(ids, len(ids))
    moved = [
        Vote(name, np.array([rows[place][at] for place in shuffled]), weights[at]) for at, name in enumerate(names)
    ]
    ranked = [ids[at] for at in fuse(votes, ids=ids).order]
    assert [shuffled[at] for at in fuse(moved[::-1], ids=shuffled).order] == ranked


@given(st.lists(st.tuples(scores, scores), min_size=1, max_size=20))
def test_scores_stay_between_none_and_all(rows: list[tuple]) -> None:
    found = fuse(
        [vote("ocr", *[row[0] for row in rows], weight=0.4), vote("name", *[row[1] for row in rows], weight=2)],
        ids=list(range(len(rows))),
    ).scores
    assert ((found >= 0) & (found <= 1 + 1e-12)).all()

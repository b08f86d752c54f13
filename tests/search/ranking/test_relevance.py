"""Judgements compared with odds worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from search.ranking.fusion import Vote, fuse
from search.ranking.relevance import BELIEF, FIRST, SIGNS, VOUCHING, Asked, Belief, evidence, judge, judged


def signs(*scores: float) -> np.ndarray:
    found = np.zeros((len(scores), len(SIGNS)))
    found[:, 0] = scores
    return found


BY_SCORE = Belief((1.0, *[0.0] * (len(SIGNS) - 1)), -0.5)  # above .5 a hit is believed


def test_hits_end_where_belief_does() -> None:
    assert judged(signs(0.9, 0.8, 0.2, 0.1, 0.1, 0.1), BY_SCORE).certain == 2


def test_a_weak_reading_between_good_ones_does_not_end_an_answer() -> None:
    scores = [0.9] + [0.2] * (VOUCHING - 1) + [0.8] + [0.1] * 9
    assert judged(signs(*scores), BY_SCORE).certain == VOUCHING + 1


def test_nothing_believed_is_no_good_match_and_says_how_far_it_is() -> None:
    found = judged(signs(0.4, 0.3), BY_SCORE)
    assert found.none_matches and found.odds == pytest.approx(-0.1)


def test_an_empty_ranking_has_no_good_match() -> None:
    found = judge(fuse([], ids=[]), Asked(0, 0, 0))
    assert found.none_matches and found.odds == -math.inf


def test_the_evidence_is_what_the_ranking_shows() -> None:
    words = Vote("words.ocr", np.array([0.2] * FIRST + [0.1, 0.9]), 1.0)
    meaning = Vote("meaning.ocr", np.array([0.4] * FIRST + [0.1, 0.5]), 1.0)
    fused = fuse([words, meaning], ids=list(range(FIRST + 2)))
    first = dict(zip(SIGNS, evidence(fused, Asked(known=6, unknown=2, terms=3))[0], strict=True))
    # By hand: the best has (.9 + .5) / 2; those after the first ten, .3 and .1, are the crowd.
    expected = {
        "score": 0.7,
        "words": 0.45,
        "meaning": 0.25,
        "quoted": 0.0,
        "above the crowd": 0.5,
        "above the next": 0.4,
        "unknown": 0.25,
        "length": math.log(4),
        "quoted times length": 0.0,
        "root of above the crowd": math.sqrt(0.5),
        "length squared": math.log(4) ** 2,
    }
    assert first == pytest.approx(expected)


def test_the_fitted_belief_weighs_every_sign() -> None:
    assert len(BELIEF.weights) == len(SIGNS)


def test_all_words_found_in_one_meme_alone_are_believed_and_faint_likeness_is_not() -> None:
    count = 60
    faint = np.full(count, 0.04)
    strong = faint.copy()
    strong[0] = 0.75
    for scores, none_matches in ((strong, False), (faint, True)):
        fused = fuse([Vote("words.everything", scores, 0.3), Vote("meaning.ocr", scores, 0.3)], ids=list(range(count)))
        assert judge(fused, Asked(known=30, unknown=0, terms=5)).none_matches is none_matches

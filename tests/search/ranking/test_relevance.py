"""The relevance cut-off compared with log-odds worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from search.meme import Field
from search.ranking.fusion import fuse
from search.ranking.relevance import (
    FEATURES,
    PAGE,
    PATIENCE,
    RELEVANCE_MODEL,
    QueryStats,
    RelevanceModel,
    relevance_cutoff,
    relevance_features,
)
from search.signals import LEXICAL_ALL, LEXICAL_OCR, semantic

SEMANTIC = semantic(Field.OCR)


def features(*scores: float) -> np.ndarray:
    found = np.zeros((len(scores), len(FEATURES)))
    found[:, 0] = scores
    return found


BY_SCORE = RelevanceModel((1.0, *[0.0] * (len(FEATURES) - 1)), -0.5)  # above .5 a hit is relevant


def test_hits_are_relevant_up_to_the_first_below_the_limit() -> None:
    assert BY_SCORE.cutoff(features(0.9, 0.8, 0.2, 0.1, 0.1, 0.1)).relevant == 2


def test_a_low_score_between_good_ones_does_not_end_an_answer() -> None:
    scores = [0.9] + [0.2] * (PATIENCE - 1) + [0.8] + [0.1] * 9
    assert BY_SCORE.cutoff(features(*scores)).relevant == PATIENCE + 1


def test_no_relevant_hit_still_has_log_odds() -> None:
    found = BY_SCORE.cutoff(features(0.4, 0.3))
    assert found.relevant == 0 and found.log_odds == pytest.approx(-0.1)


def test_an_empty_ranking_has_no_relevant_hit() -> None:
    found = relevance_cutoff(fuse({}, {}, ids=[]), QueryStats(0, 0, 0))
    assert found.relevant == 0 and found.log_odds == -math.inf


def test_the_features_describe_the_ranking() -> None:
    scores = {
        LEXICAL_OCR: np.array([0.2] * PAGE + [0.1, 0.9]),
        SEMANTIC: np.array([0.4] * PAGE + [0.1, 0.5]),
    }
    ranking = fuse(scores, dict.fromkeys(scores, 1.0), ids=list(range(PAGE + 2)))
    stats = QueryStats(known_idf=6, unknown_idf=2, terms=3)
    first = dict(zip(FEATURES, relevance_features(ranking, stats)[0], strict=True))
    # By hand: the best has (.9 + .5) / 2; those after the first ten, .3 and .1, are the background.
    expected = {
        "score": 0.7,
        "words": 0.45,
        "meaning": 0.25,
        "quoted": 0.0,
        "above the background": 0.5,
        "above the next": 0.4,
        "unknown": 0.25,
        "length": math.log(4),
        "quoted times length": 0.0,
        "root of above the background": math.sqrt(0.5),
        "length squared": math.log(4) ** 2,
    }
    assert first == pytest.approx(expected)


def test_the_fitted_model_weighs_every_feature() -> None:
    assert len(RELEVANCE_MODEL.weights) == len(FEATURES)


def test_all_words_found_in_one_meme_alone_are_relevant_and_a_faint_likeness_is_not() -> None:
    count = 60
    faint = np.full(count, 0.04)
    strong = faint.copy()
    strong[0] = 0.75
    for scores, is_relevant in ((strong, True), (faint, False)):
        ranking = fuse(
            {LEXICAL_ALL: scores, SEMANTIC: scores}, {LEXICAL_ALL: 0.3, SEMANTIC: 0.3}, ids=list(range(count))
        )
        cutoff = relevance_cutoff(ranking, QueryStats(known_idf=30, unknown_idf=0, terms=5))
        assert (cutoff.relevant > 0) is is_relevant

"""The relevance cut-off compared with features worked out by hand, and belief that never rises with weakness."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from search.meme import Field
from search.ranking.fusion import FusedRanking, fuse
from search.ranking.relevance import (
    FEATURES,
    LOOKED_AT,
    OF_QUERY,
    RELEVANCE_MODEL,
    QueryStats,
    RelevanceModel,
    relevance_cutoff,
    relevance_features,
)
from search.signals import LEXICAL_ALL, semantic

SEMANTIC = semantic(Field.OCR)


class Holders:
    """A stand-in for the lexical index: which memes have which terms."""

    def __init__(self, holders: dict[str, set[int]]) -> None:
        self.holders = holders

    def document_frequency(self, term: str) -> int:
        return len(self.holders.get(term, ()))

    def held(self, terms: list[str], ids: np.ndarray) -> np.ndarray:
        return np.array([[int(id) in self.holders.get(term, ()) for id in ids] for term in terms])


def stats(holders: dict[str, set[int]], idf: float = 2.0) -> QueryStats:
    return QueryStats(tuple(holders), (idf,) * len(holders), Holders(holders))  # type: ignore[arg-type]


def ranking(lexical: np.ndarray, meaning: np.ndarray) -> FusedRanking:
    return fuse(
        {LEXICAL_ALL: lexical, SEMANTIC: meaning}, {LEXICAL_ALL: 0.5, SEMANTIC: 0.5}, ids=list(range(len(lexical)))
    )


def features(*values: float) -> np.ndarray:
    found = np.zeros((len(values), len(FEATURES)))
    found[:, 0] = values
    return found


BY_WORDS = RelevanceModel((1.0, *[0.0] * (len(FEATURES) - 1)), -0.5)


def test_hits_are_relevant_up_to_the_first_below_the_line() -> None:
    assert BY_WORDS.cutoff(features(0.9, 0.8, 0.2, 0.8)).relevant == 2
    assert BY_WORDS.cutoff(features(0.9, 0.8, 0.2, 0.8), line=0.35).relevant == 1


def test_log_odds_never_rise_along_the_ranking() -> None:
    random = np.random.default_rng(5)
    for _ in range(100):
        found = RELEVANCE_MODEL.cutoff(random.random((40, len(FEATURES)))).log_odds
        assert (np.diff(found) <= 0).all()


def test_no_feature_of_a_hit_counts_against_it() -> None:
    assert len(RELEVANCE_MODEL.weights) == len(FEATURES)
    for name, weight in zip(FEATURES, RELEVANCE_MODEL.weights, strict=True):
        assert weight >= 0 or name in OF_QUERY


def test_a_hit_that_gets_weaker_is_never_believed_more() -> None:
    random = np.random.default_rng(6)
    for trial in range(200):
        count = int(random.integers(2, 60))
        lexical, meaning = random.random(count), random.random(count) * 0.6
        holders = {term: set(np.flatnonzero(random.random(count) < 0.3).tolist()) for term in "abc"}
        at = trial % count
        weaker = meaning.copy()
        weaker[at] *= random.random()
        odds = []
        for one in (ranking(lexical, meaning), ranking(lexical, weaker)):
            place = int(np.flatnonzero(one.order == at)[0])
            odds.append(relevance_features(one, stats(holders))[place] @ np.array(RELEVANCE_MODEL.weights))
        assert odds[1] <= odds[0] + 1e-9


@pytest.mark.parametrize("many", [1, 10, 100, 1000])
def test_the_holders_of_a_popular_word_are_relevant_and_no_other_is(many: int) -> None:
    count = many + 200
    random = np.random.default_rng(many)
    lexical = np.where(np.arange(count) < many, 0.3 + 0.4 * random.random(count), 0.0)
    meaning = np.where(np.arange(count) < many, 0.1, 0.0) + 0.08 * random.random(count)
    found = relevance_cutoff(
        ranking(lexical, meaning), stats({"cat": set(range(many))}, idf=math.log(1 + count / many))
    )
    assert found.relevant == many


@pytest.mark.parametrize("holding", [0.0, 0.05, 0.5, 0.95, 1.0])
def test_the_best_candidates_tell_the_cutoff_of_all(holding: float) -> None:
    random = np.random.default_rng(8)
    for count in (5, 31, 32, 33, 200):
        one = ranking(np.sort(random.random(count))[::-1], random.random(count) * 0.6)
        # Those with the words come first, so that all of the best may have them, and no near miss is among these.
        held = {term: set(one.ranked_ids[: int(holding * count)].tolist()) for term in "ab"}
        whole = relevance_features(one, stats(held))
        for line in (-9.0, 0.0, 2.0, 6.0, 99.0):
            found = relevance_cutoff(one, stats(held), line=line)
            truth = RELEVANCE_MODEL.cutoff(whole, line=line)
            assert found.relevant == truth.relevant
            assert found.log_odds.tolist() == pytest.approx(truth.log_odds[: len(found.log_odds)].tolist())


def test_words_are_looked_up_for_the_best_candidates_alone() -> None:
    asked: list[int] = []

    class Counting(Holders):
        def held(self, terms: list[str], ids: np.ndarray) -> np.ndarray:
            asked.append(len(ids))
            return super().held(terms, ids)

    holders = {"a": {0, 1}, "b": {0}}
    one = ranking(np.linspace(0.9, 0.1, 300), np.linspace(0.9, 0.1, 300))
    relevance_cutoff(one, QueryStats(tuple(holders), (2.0, 2.0), Counting(holders)))  # type: ignore[arg-type]
    assert asked == [LOOKED_AT]


def test_nothing_to_look_for_is_never_found() -> None:
    strong = ranking(np.ones(20), np.ones(20))
    assert relevance_cutoff(strong, QueryStats()).relevant == 0
    assert relevance_cutoff(fuse({}, {}, ids=[]), stats({"cat": set()})).relevant == 0


def test_the_features_describe_the_ranking() -> None:
    # By hand: meme 0 has both words, memes 1 to 8 have the first, with scores .45, .4, …, .1.
    lexical = np.array([0.9, 0.6, 0.55, 0.5, 0.45, 0.4, 0.35, 0.3, 0.25])
    meaning = np.array([0.5, 0.3, 0.25, 0.2, 0.15, 0.1, 0.05, 0.0, 0.0])
    found = replace(stats({"cat": set(range(9)), "mat": {0}}), idf=(1.0, 3.0))
    first, second = (
        dict(zip(FEATURES, row, strict=True)) for row in relevance_features(ranking(lexical, meaning), found)[:2]
    )
    length = math.log(3)
    near = ((lexical + meaning) / 2)[3:9].mean()  # of those without all words, the third to the eighth
    assert first == pytest.approx(
        {
            "words": 1.0,
            "all words": 1.0,
            "information": 0.4,
            "meaning": 0.5,
            "picture": 0.0,
            "length": length,
            "alone": (0.7 - 0.45) / 0.7 * length,
            "above the near misses": (0.7 - near) * length,
        }
    )
    assert second == pytest.approx(
        {
            "words": 0.25,
            "all words": 0.0,
            "information": 0.1,
            "meaning": 0.3,
            "picture": 0.0,
            "length": length,
            "alone": 0.0,
            "above the near misses": (0.45 - near) * length,
        }
    )

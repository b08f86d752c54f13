"""The quality of search on the frozen library: floors per kind of query, and pinned answers of some queries.

Each floor lies 0.01 below the figure measured when it was set. With frozen texts and embeddings the only noise is the
order of float additions: shuffling the rows that the whitening is fitted to (twice) moved no nDCG, and no score of a
pinned query by more than 0.000002. `pins.json` holds the first hits of every
eighth query with their scores; `python -m tests.quality.pins` writes it again when a change of the ranking is meant.
"""

from __future__ import annotations

import numpy as np
import pytest

from search.searcher import Searcher
from tests.quality import frozen
from tests.quality.frozen import read_pins
from tests.quality.limits import search_limits
from tests.quality.rankings import answers, similar


def test_pinned_answers_have_the_same_hits_scores_and_certainty(frozen_searcher: Searcher) -> None:
    pinned, found = read_pins("answers"), answers(frozen_searcher)
    assert found.keys() == pinned.keys()
    for query, expected in pinned.items():
        got = found[query]
        assert got["certain"] == pytest.approx(expected["certain"], abs=1), query
        assert [score for _, score in got["hits"]] == pytest.approx(
            [score for _, score in expected["hits"]], abs=0.002
        ), query
        assert got["snippets"] == expected["snippets"], query


def test_pinned_memes_have_the_same_similar_memes(frozen_searcher: Searcher) -> None:
    pinned, found = read_pins("similar"), similar(frozen_searcher)
    assert found.keys() == pinned.keys()
    for query, expected in pinned.items():
        got = found[query]
        assert got["variants"] == expected["variants"], query
        assert [score for _, score in got["hits"]] == pytest.approx(
            [score for _, score in expected["hits"]], abs=0.002
        ), query


def test_variants_corrections_and_image_scores_change_at_the_pinned_step(frozen_searcher: Searcher) -> None:
    pinned, found = read_pins("search limits"), search_limits(frozen_searcher)
    assert found["image scores"].pop("fits") == pytest.approx(pinned["image scores"].pop("fits"), abs=0.0005)
    assert found == pinned


NDCG_FLOORS = {"describes": 0.887, "quotes": 0.897, "means": 0.799, "misspelled": 0.893}


@pytest.mark.parametrize("kind", ["describes", "quotes", "means", "misspelled"])
def test_ndcg_of_a_kind_of_query_stays_at_its_floor(kind: str, frozen_searcher: Searcher) -> None:
    asked = [query for query in frozen.queries() if query.kind == kind]
    found = [
        frozen.ndcg([hit.path for hit in frozen_searcher.search(query.text, k=10)], query.relevant) for query in asked
    ]
    assert np.mean(found) >= NDCG_FLOORS[kind]


def certain_share(searcher: Searcher, queries: list[frozen.FrozenQuery]) -> float:
    return float(np.mean([bool(searcher.search(query.text, k=10).understood.certain) for query in queries]))


def test_queries_with_an_answer_are_believed_and_queries_without_are_not(frozen_searcher: Searcher) -> None:
    asked = frozen.queries()
    answered = certain_share(frozen_searcher, [query for query in asked if query.relevant])
    unanswered = certain_share(frozen_searcher, [query for query in asked if not query.relevant])
    assert answered >= 0.95
    assert unanswered <= 0.55

"""Queries as search serves them by any weights: the same hits as a searcher with those weights finds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import cast

import numpy as np
import pytest

from search.catalogue import open_catalogue
from search.evaluation.served import FoundHits, RememberedIndex, serve_query
from search.index.columns import Ids
from search.index.conditions import Seen, Where
from search.index.contract import Ask, Index, RawScores, Words
from search.meme import Field
from search.pipeline import QueryPipeline
from search.ranking.fusion import Weights
from search.ranking.relevance import RELEVANCE_MODEL
from search.searcher import Searcher
from search.settings import WEIGHTS
from search.signals import LEXICAL_ALL, semantic
from search.workspace import Workspace
from tests.support.fakes import HashingTextEncoder
from tests.support.small_library import searched_library

TEXTS = {
    "Pets/IMG_00001.png": "the cat sleeps on the keyboard",
    "Pets/IMG_00002.png": "a dog in a burning room says this is fine",
    "Pets/IMG_00003.png": "cat cat cat cat",
    "Pets/sleeping.png": "monday morning without coffee",
    "Work/IMG_00005.png": "the keyboard of the boss sleeps in a room",
    "Work/IMG_00006.png": "fine, this is monday",
    "Work/IMG_00007.png": "coffee for the dog and the cat",
}
QUERIES = (
    "cat",
    "cat keyboard",
    "this is fine",
    '"this is fine"',
    'fine "this is"',
    "IMG_00003.png",
    "cat category:Work",
    "sleeps -cat",
    "2:cat dog",
    "like:1",
    "dog like:3",
    "type:image",
    "coffe",
    "?",
)
OTHER_WEIGHTS: tuple[Weights, ...] = (
    dict(WEIGHTS),
    {LEXICAL_ALL: 1.0},
    {semantic(Field.OCR): 0.9, LEXICAL_ALL: 0.05},
)


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    folder = tmp_path_factory.mktemp("served")
    with searched_library(folder, TEXTS, apart=timedelta(days=3)) as (_, settings), open_catalogue(settings) as found:
        yield Workspace(settings, found)


@pytest.mark.parametrize("weights", OTHER_WEIGHTS)
@pytest.mark.parametrize("line", [0.0, 2.0])
def test_a_query_has_the_hits_that_a_searcher_with_these_weights_finds(
    weights: Weights, line: float, workspace: Workspace
) -> None:
    chosen = Workspace(replace(workspace.settings, weights=weights, certain_above=line), workspace.catalogue)
    with Searcher(chosen, text_encoder=HashingTextEncoder()) as searcher:
        pipeline = QueryPipeline(
            workspace.catalogue, searcher.index, HashingTextEncoder(), weights=dict(WEIGHTS), line=line
        )
        for query in QUERIES:
            served = serve_query(pipeline, query)
            served.rank()  # what is remembered of one ranking does not change another
            assert served.rank(weights) == [hit.meme.id for hit in searcher.search(query, k=50)], query


def test_what_matches_at_a_line_is_what_search_says_matches(workspace: Workspace) -> None:
    for line in (-2.0, 0.0, 3.0):
        chosen = Workspace(replace(workspace.settings, certain_above=line), workspace.catalogue)
        with Searcher(chosen, text_encoder=HashingTextEncoder()) as searcher:
            pipeline = QueryPipeline(workspace.catalogue, searcher.index, HashingTextEncoder(), weights=dict(WEIGHTS))
            for query in QUERIES:
                if "like:" in query:
                    continue  # no line decides what is alike
                found = serve_query(pipeline, query).found()
                above = found.ids[found.log_odds(RELEVANCE_MODEL) > line]
                answer = searcher.search(query, k=50)
                assert set(above.tolist()) == {hit.meme.id for hit in answer if hit.certain}, query


def test_an_index_is_asked_once_for_each_list_and_each_meme() -> None:
    asked: list[int] = []

    class Counted:
        name = "000007"

        def propose(self, asks: Sequence[Ask], k: int, where: Where | None = None, *, pool: object = None) -> list[Ids]:
            asked.extend(-k for _ in asks)
            return [np.arange(k) for _ in asks]

        def judge(self, asks: Sequence[Ask], ids: Ids) -> list[RawScores]:
            asked.extend(ids.tolist())
            return [ids / 10 for _ in asks]

    one, ask = RememberedIndex(cast(Index, Counted())), Words(("dog",))
    assert one.name == "000007"
    assert one.judge([ask], np.array([4, 2]))[0].tolist() == [0.4, 0.2]
    assert one.judge([ask, ask], np.array([2, 7, 4]))[1].tolist() == [0.2, 0.7, 0.4]
    assert one.propose([ask], 3)[0].tolist() == one.propose([ask], 3)[0].tolist() == [0, 1, 2]
    one.propose([ask], 3, Seen(since=1))
    assert one.judge([ask], np.empty(0, np.int64))[0].tolist() == []
    assert asked == [2, 4, 7, -3, -3]


def test_exact_hits_match_at_every_line() -> None:
    found = FoundHits(np.array([1, 2]), np.array([True, False]), None)
    assert found.log_odds(RELEVANCE_MODEL).tolist() == [np.inf, -np.inf]

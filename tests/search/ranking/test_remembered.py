"""What is remembered of the last queries: further pages and facets are the same, and nothing outlives a change."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from indexer.stages.build_index import build_index
from search.pipeline import QueryPipeline
from search.ranking import remembered
from search.ranking.remembered import RememberedAnswers
from search.searcher import Searcher
from search.workspace import Workspace
from tests.support.fakes import HashingTextEncoder


def test_the_least_recently_used_is_forgotten_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remembered, "MOST", 2)
    answers = RememberedAnswers()
    for key in ("a", "b", "a", "c"):
        answers.get(1, key, lambda key=key: key)
    assert [answers.get(1, key, lambda: "new") for key in ("a", "c", "b")] == ["a", "c", "new"]


def test_the_ids_that_are_remembered_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remembered, "MOST_IDS", 10)
    answers = RememberedAnswers()
    for key, size in (("a", 6), ("b", 4), ("large", 11), ("c", 5)):
        answers.get(1, key, lambda size=size: np.zeros(size), ids=len)
    assert [len(answers.get(1, key, lambda: np.zeros(0), ids=len)) for key in ("b", "c", "large", "a")] == [4, 5, 0, 0]


def test_what_is_not_to_be_kept_is_computed_again() -> None:
    answers = RememberedAnswers()
    assert [answers.get(1, "a", lambda made=made: made, is_kept=lambda: False) for made in (1, 2)] == [1, 2]


@pytest.fixture
def ranked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The texts of the queries that were ranked, in order."""
    texts: list[str] = []
    original = QueryPipeline.relevant
    monkeypatch.setattr(
        QueryPipeline, "relevant", lambda self, plan: texts.append(str(plan.query)) or original(self, plan)
    )
    return texts


@pytest.fixture
def searcher(workspace: Workspace) -> Iterator[Searcher]:
    with Searcher(workspace, text_encoder=HashingTextEncoder()) as opened:
        yield opened


def test_pages_orders_and_facets_are_ranked_once_and_are_those_of_a_new_searcher(
    workspace: Workspace, searcher: Searcher, ranked: list[str]
) -> None:
    asked = [
        {"k": 2},
        {"k": 2, "offset": 2},
        {"sort": "newest"},
        {"collapse": True},
        {"category": "Dogs"},
        {"category": "Cats", "k": 1},
        {"category": "Dogs", "offset": 1},
    ]
    answers = [searcher.search("dog cat", **one) for one in asked]  # type: ignore[arg-type]
    assert ranked == ["dog cat"]
    for one, answer in zip(asked, answers, strict=True):
        with Searcher(workspace, text_encoder=HashingTextEncoder()) as new:
            expected = new.search("dog cat", **one)  # type: ignore[arg-type]
        assert answer.hits == expected.hits and answer.understood == expected.understood
        assert (answer.total, answer.weaker, answer.facets) == (expected.total, expected.weaker, expected.facets)
    searcher.search("dog cat", verbatim=True)
    assert ranked[-1] == "dog cat" and len(ranked) == 2 + len(asked)


def test_nothing_outlives_a_change_of_the_catalogue_or_of_the_index(
    workspace: Workspace, searcher: Searcher, ranked: list[str]
) -> None:
    first = searcher.search("robot").hits[0].meme
    workspace.catalogue.memes.mark_vanished([first.id])
    assert first.id not in [hit.meme.id for hit in searcher.search("robot")]
    assert ranked == ["robot", "robot"]
    build_index(workspace, text_encoder=HashingTextEncoder.name)
    assert first.id not in [hit.meme.id for hit in searcher.search("robot")]
    assert len(ranked) == 3
    searcher.search("robot")
    assert len(ranked) == 3

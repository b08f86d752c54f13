"""Answers beyond the first stage of the ranking: counts, orders, pages and facets cover everything that matches."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from search.meme import Sort
from search.pipeline import MIN_CERTAIN
from search.ranking import retrievers
from search.ranking.fusion import fuse
from search.ranking.remembered import RememberedAnswers
from search.searcher import Searcher
from search.signals import LEXICAL_ALL
from tests.support.small_library import searched_library

VERBS = ("sleeps", "eats", "runs", "hides", "jumps")
CATS, DOGS = 200, 40  # more cats than all retrievers together propose
TEXTS = {f"Pets/IMG_{i:05}.png": f"the cat {VERBS[i % 5]} number {i}" for i in range(CATS)} | {
    f"Pets - Dogs/IMG_{CATS + i:05}.png": f"the dog {VERBS[i % 5]} number {CATS + i}" for i in range(DOGS)
}
PATHS = tuple(TEXTS)
TRUTH = {
    "cat": [path for path in PATHS if " cat " in TEXTS[path]],
    "the cat": [path for path in PATHS if " cat " in TEXTS[path]],
    "cat sleeps": [path for path in PATHS if "cat sleeps" in TEXTS[path]],
    "sleeping dogs": [path for path in PATHS if "dog sleeps" in TEXTS[path]],
    '"cat sleeps"': [path for path in PATHS if "cat sleeps" in TEXTS[path]],
    '"number 7"': ["Pets/IMG_00007.png"],
}


@pytest.fixture(scope="module")
def searcher(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Searcher]:
    folder: Path = tmp_path_factory.mktemp("pets")
    with searched_library(folder, TEXTS, apart=timedelta(days=3)) as (found, _):
        yield found


def matches(searcher: Searcher, query: str, *, sort: Sort = Sort.RELEVANCE) -> list[str]:
    answer = searcher.search(query, k=1000, sort=sort)
    paths = [hit.path for hit in answer]
    assert [hit.certain for hit in answer] == [True] * answer.total + [False] * answer.weaker
    assert answer.understood.certain == answer.total
    return paths[: answer.total]


def test_the_library_is_larger_than_what_all_retrievers_propose() -> None:
    assert CATS > 3 * retrievers.DEPTH


@pytest.mark.parametrize("query", ["cat", "the cat", "cat sleeps", "sleeping dogs", '"cat sleeps"', '"number 7"'])
def test_every_meme_that_holds_the_words_matches_in_either_order(searcher: Searcher, query: str) -> None:
    by_relevance, by_age = matches(searcher, query), matches(searcher, query, sort=Sort.NEWEST)
    assert set(TRUTH[query]) <= set(by_relevance)
    assert set(by_age) == set(by_relevance)
    # What is above the relevance cut-off matches too, except beside a quoted phrase.
    assert [path for path in by_age if path in TRUTH[query]] == TRUTH[query][::-1]
    assert query[0] != '"' or set(by_age) == set(TRUTH[query])


def test_excluded_phrases_and_times_select_among_the_matches(searcher: Searcher) -> None:
    cats = matches(searcher, "cat", sort=Sort.NEWEST)
    asleep, late = set(TRUTH['"cat sleeps"']), set(PATHS[366 // 3 :])
    assert matches(searcher, 'cat -"cat sleeps"', sort=Sort.NEWEST) == [one for one in cats if one not in asleep]
    assert matches(searcher, "cat after:2025", sort=Sort.NEWEST) == [one for one in cats if one in late]


@pytest.mark.parametrize("query", ["cat", "cat sleeps", '"number 7"'])
@pytest.mark.parametrize("sort", Sort)
def test_pages_go_on_to_the_last_hit_without_gap_or_repeat(searcher: Searcher, query: str, sort: Sort) -> None:
    whole = searcher.search(query, k=1000, sort=sort)
    pages = [searcher.search(query, k=30, offset=at, sort=sort) for at in range(0, len(whole), 30)]
    assert [hit.path for page in pages for hit in page] == [hit.path for hit in whole]
    assert len({hit.path for hit in whole}) == len(whole) == whole.total + whole.weaker
    assert {(page.total, page.weaker) for page in pages} == {(whole.total, whole.weaker)}
    assert not searcher.search(query, k=30, offset=len(whole), sort=sort).hits


@pytest.mark.parametrize("query", ["cat", "sleeps", "sleeping dogs", "number", '"cat sleeps"', '"the"', "IMG_00007"])
def test_a_facet_counts_what_a_search_narrowed_to_it_finds(searcher: Searcher, query: str) -> None:
    answer = searcher.search(query)
    assert answer.total and set(answer.facets["type"].values()) == {answer.total}
    for category, memes in answer.facets["category"].items():
        assert searcher.search(f'{query} category:"{category}"').total == memes
    for year, memes in answer.facets["year"].items():
        assert searcher.search(f"{query} after:{year} before:{int(year) + 1}").total == memes
    assert sum(answer.facets["year"].values()) == answer.total


@pytest.mark.parametrize("query", ["cat sleeps", "number", "dog number"])
def test_filters_give_the_same_hits_whether_or_not_the_retrievers_are_asked_again(
    searcher: Searcher, query: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = []
    for enough in (0, 10_000):
        monkeypatch.setattr("search.pipeline.ENOUGH", enough)
        answers.append(searcher.search(f"{query} after:2024-03", k=30))
    once, again = answers
    assert (once.total, once.facets) == (again.total, again.facets)
    matching = slice(0, min(30, once.total))
    assert [(hit.path, hit.score) for hit in once[matching]] == [(hit.path, hit.score) for hit in again[matching]]


def test_matches_beyond_those_that_are_scored_come_newest_first(
    searcher: Searcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("search.pipeline.MAX_SCORED", 50)
    monkeypatch.setattr("search.ranking.retrievers.DEPTH", 20)
    monkeypatch.setattr("search.pipeline.DEPTH", 20)
    monkeypatch.setattr("search.ranking.matching.DEPTH", 20)
    monkeypatch.setattr(searcher, "_remembered", RememberedAnswers())  # not what other tests asked
    answer = searcher.search("cat", k=1000)
    assert answer.total == CATS and {hit.path for hit in answer[:CATS]} == set(TRUTH["cat"])
    last = [hit.path for hit in answer[100:CATS]]
    assert last == sorted(last, reverse=True) and len(last) == 100
    assert [hit.path for hit in searcher.search("cat", k=30, offset=120)] == [hit.path for hit in answer[120:150]]
    assert all(hit.score > 0 for hit in answer[:CATS])


@pytest.mark.parametrize("query", ["?", "!!!", "(", '"?!"', '"…"'])
def test_a_query_without_a_word_matches_nothing(searcher: Searcher, query: str) -> None:
    answer = searcher.search(query)
    assert (answer.total, answer.facets["category"]) == (0, {})


def test_a_query_of_stop_words_alone_is_what_holds_them(searcher: Searcher) -> None:
    assert searcher.search("the").total == CATS + DOGS
    assert searcher.search('"the cat"').total == CATS


def test_words_beside_a_meme_do_not_make_everything_that_holds_them_match(searcher: Searcher) -> None:
    # Weighed this little, words leave the score to the likeness, which is low to most of the memes that hold them.
    beside = searcher.search(f"0.01:number like:{searcher.search('number 3', k=1)[0].meme.id}", k=1000)
    assert 0 < beside.total == sum(hit.score >= MIN_CERTAIN for hit in beside)


def test_a_tenth_is_the_least_score_of_a_match_beside_a_meme(
    searcher: Searcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = [hit.meme.id for hit in searcher.search("number", k=5)]
    scores = {LEXICAL_ALL: np.array([0.5, 0.13, 0.105, 0.095, 0.05])}
    fused = SimpleNamespace(fuse=lambda: fuse(scores, {LEXICAL_ALL: 1.0}, ids=ids))
    monkeypatch.setattr("search.pipeline.score_candidates", lambda *_, **__: fused)
    monkeypatch.setattr(searcher, "_remembered", RememberedAnswers())
    answer = searcher.search(f"number like:{searcher.search('', k=1)[0].meme.id}", k=10)
    assert [hit.meme.id for hit in answer[: answer.total]] == ids[:3]


def test_what_matches_a_meme_and_words_is_like_the_one_or_holds_the_others(searcher: Searcher) -> None:
    beside = searcher.search(f"sleeps like:{searcher.search('number 3', k=1)[0].meme.id}", k=1000)
    assert beside.total and all("sleeps" in TEXTS[hit.path] or hit.reasons for hit in beside[: beside.total])

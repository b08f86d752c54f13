"""Reasons for hits: what they name stands where they say, in the tiny library and in a drawn demo library."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from html import unescape
from pathlib import Path

import numpy as np
import pytest

from demo.library import draw_demo
from search.catalogue import open_catalogue
from search.index.lexical.analyzer import query_terms
from search.meme import Field
from search.ranking.explain import explain
from search.ranking.fusion import FusedRanking
from search.ranking.highlight import Highlighter
from search.ranking.likeness import LOOKS, reaches
from search.ranking.reasons import reasons_of
from search.results import Answer, Hit, Place, Reason, ReasonKind
from search.searcher import Searcher
from search.signals import DESCRIPTOR, SignalKind, lexical, semantic
from tests.support.small_library import indexed_searcher
from tests.support.tiny import draw_tiny_library


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Searcher]:
    folder = tmp_path_factory.mktemp("tiny")
    draw_tiny_library(folder / "memes")
    with indexed_searcher(folder) as (searcher, _):
        yield searcher


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Searcher]:
    """Thirty drawn memes, whose captions are beside them as the text in the picture."""
    folder = tmp_path_factory.mktemp("demo")
    for meme in draw_demo(folder / "memes", memes=30, seed=3).as_json()["memes"]:
        file = folder / meme["path"]
        file.with_name(file.name + ".txt").write_text("\n".join(meme["caption"]), "utf-8")
    with indexed_searcher(folder) as (searcher, _):
        yield searcher


def reasons(answer: Answer, path: str) -> list[str]:
    return [reason.in_words() for hit in answer if hit.path == path for reason in hit.reasons]


def said(hit: Hit) -> list[Reason]:
    return [reason for reason in hit.reasons if reason.kind is ReasonKind.SAYS]


def assert_true(hit: Hit, query: str) -> None:
    """Assert that each reason "says" names words that stand where it says and come from the query."""
    asked = set(query_terms(query))
    for reason in said(hit):
        assert reason.words
        assert {term for word in reason.words for term in query_terms(word)} <= asked
        if reason.place is Place.NAME:
            text = Path(hit.meme.name).stem
        elif reason.place is Place.CATEGORY:
            text = hit.meme.category
        else:
            [snippet] = [one for one in hit.snippets if one.field.value == reason.place.value]
            assert snippet.source == reason.source
            text = unescape(" ".join(re.findall("(?s)<mark>(.*?)</mark>", snippet.html)))
        assert all(word in " ".join(text.split()) for word in reason.words)


def test_a_reason_names_the_words_and_where_they_stand(tiny: Searcher) -> None:
    answer = tiny.search("alarm clock glares")
    assert "description by tiny-artist says “glares”, “alarm”, “clock”" in reasons(answer, "Cats/monday.png")
    assert "text says “mondays”" in reasons(tiny.search("monday"), "Cats/monday.png")


def test_a_category_is_never_called_a_name(tiny: Searcher) -> None:
    hit = tiny.search("cats")[0]
    by_place = {reason.place: reason.words for hit in tiny.search("cats") for reason in said(hit)}
    assert by_place[Place.CATEGORY] == ("Cats",)
    assert "category has “Cats”" in [reason.in_words() for reason in hit.reasons]
    named = [hit.path for hit in tiny.search("cats") for one in said(hit) if one.place is Place.NAME]
    assert named == ["Cats/keyboard cat.jpg"]


def test_a_stem_is_named_as_it_is_written(tiny: Searcher) -> None:
    words = {word for hit in tiny.search("laughing repairs") for reason in said(hit) for word in reason.words}
    assert {"laughs", "repairs"} <= words


def test_a_misspelled_word_is_named_as_the_text_has_it(tiny: Searcher) -> None:
    hit = tiny.search("i hate mondyas")[0]
    assert "mondays" in {word for reason in said(hit) for word in reason.words}


def test_a_hit_that_shares_nothing_has_no_reason(tiny: Searcher) -> None:
    weak = [hit for hit in tiny.search("zzyzx qwrtp xvbn") if not hit.certain]
    assert weak and all(not hit.reasons for hit in weak)


@pytest.mark.slow
def test_every_reason_is_true_over_a_library(tiny: Searcher, demo: Searcher) -> None:
    for searcher in (tiny, demo):
        words = [word for word in searcher.index.lexical.vocabulary if word.isalpha()]
        threes = zip(words[::7], words[3::7], words[5::7], strict=False)
        queries = [*words[::31], *(" ".join(three) for three in list(threes)[::3])][:40]
        checked = 0
        for query in queries:
            for hit in searcher.search(query, k=8, verbatim=True):
                assert_true(hit, query)
                checked += len(said(hit))
        assert checked > len(queries)


@pytest.mark.slow
def test_no_reason_reads_like_another_of_the_same_hit(tiny: Searcher, demo: Searcher) -> None:
    several = 0
    for searcher in (tiny, demo):
        for word in [word for word in searcher.index.lexical.vocabulary if word.isalpha()][::11]:
            for hit in searcher.search(word, k=8):
                phrases = [reason.in_words() for reason in hit.reasons]
                assert len(phrases) == len(set(phrases)), phrases
                several += len(phrases) > 1
    assert several > 10


@pytest.mark.slow
def test_a_match_of_all_words_has_a_reason(demo: Searcher) -> None:
    for word in [word for word in demo.index.lexical.vocabulary if word.isalpha() and len(word) > 3][::23][:15]:
        for hit in demo.search(word, k=5):
            assert said(hit) or not hit.certain, (word, hit)


def test_json_has_the_reason_and_the_phrase(tiny: Searcher) -> None:
    hit = tiny.search("burning room")[0]
    assert hit.reasons[0].to_json() == {
        "kind": "says",
        "place": "description",
        "source": "tiny-artist",
        "words": ["burning", "room"],
        "in_words": "description by tiny-artist says “burning”, “room”",
    }


def test_a_match_names_its_words_also_where_they_are_little_of_its_score(tiny: Searcher) -> None:
    answer = tiny.search("burning", k=1)
    id = answer[0].meme.id
    ranking = tiny.scores("burning").fuse()
    by_words = {signal: own for signal, own in ranking.contributions.items() if signal.kind is SignalKind.LEXICAL}
    assert by_words
    little = {signal: own / 1000 for signal, own in by_words.items()} | {DESCRIPTOR: np.ones(len(ranking.ids))}
    with open_catalogue(tiny._settings) as catalogue:
        for certain, is_named in (([id], True), ([], False)):
            [hit] = explain(
                catalogue,
                tiny.index,
                replace(ranking, contributions=little),
                memes=[answer[0].meme],
                terms=query_terms("burning"),
                certain=certain,
            )
            assert any(reason.place in (Place.OCR, Place.DESCRIPTION) for reason in said(hit)) == is_named


@pytest.mark.parametrize(
    ("share", "cosine", "is_reason"), [(0.17, 0.5, True), (0.13, 0.5, False), (0.17, 0.27, True), (0.17, 0.23, False)]
)
def test_closeness_is_a_reason_from_a_seventh_of_the_score_and_a_rare_cosine(
    tiny: Searcher, share: float, cosine: float, is_reason: bool
) -> None:
    [hit] = tiny.search("monday", k=1)
    meaning, words = semantic(Field.DESCRIPTION), lexical(Field.OCR)
    ranking = FusedRanking(
        ids=np.array([hit.meme.id]),
        order=np.array([0]),
        scores=np.array([0.8]),
        contributions={meaning: np.array([0.8 * share]), words: np.array([0.8 * (1 - share)])},
        by_signal={meaning: np.array([cosine]), words: np.array([0.9])},
    )
    found = reasons_of(hit.meme, (), ranking, place=0, highlighter=Highlighter(frozenset()))
    assert [one.kind for one in found] == ([ReasonKind.MEANING] if is_reason else [])


@pytest.mark.parametrize(("score", "is_alike"), [(LOOKS[DESCRIPTOR], True), (LOOKS[DESCRIPTOR] - 0.01, False)])
def test_what_looks_similar_enough_to_be_shown_has_that_as_its_reason(
    tiny: Searcher, score: float, is_alike: bool
) -> None:
    [hit] = tiny.search("monday", k=1)
    ranking = FusedRanking(
        ids=np.array([hit.meme.id]),
        order=np.array([0]),
        scores=np.array([score]),
        contributions={DESCRIPTOR: np.array([score])},
        by_signal={DESCRIPTOR: np.array([score])},
    )
    found = reasons_of(hit.meme, (), ranking, place=0, highlighter=Highlighter(frozenset()))
    assert [one.kind for one in found] == ([ReasonKind.LOOKS] if is_alike else [])
    assert reaches(ranking, LOOKS).tolist() == [is_alike]

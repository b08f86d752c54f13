"""Slips of the finger against a small library of words."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from search.index.lexical.index import LexicalIndex
from search.index.lexical.writer import Document, build_lexical
from search.meme import Field
from search.query.parser import parse
from search.query.spelling import Correction, correct_spelling

TEXTS = (
    "one does not simply walk into Mordor",
    "I hate mondays and mornings",
    "mourning a monday",
    "the resignation letter",
    "well done",
    "Кот хочет спать",
)


@pytest.fixture(scope="module")
def words(tmp_path_factory: pytest.TempPathFactory) -> LexicalIndex:
    folder = tmp_path_factory.mktemp("words") / "words"
    build_lexical(folder, (Document(id, {Field.OCR: text}) for id, text in enumerate(TEXTS, start=1)))
    return LexicalIndex.open(folder)


def corrected(words: LexicalIndex, query: str) -> Correction:
    return correct_spelling(parse(query), words)


@pytest.mark.parametrize(
    ("slip", "text"),
    [
        ("wlak into mordor", "walk into mordor"),  # two letters swapped
        ("smply walk", "simply walk"),  # one left out
        ("Morrdor!", "mordor!"),  # one too many
        ("i hste mondays", "i hate mondays"),  # one beside it
        ("resigantoin letter", "resignation letter"),  # two slips in a long word
    ],
)
def test_a_slip_stands_for_the_word_that_it_is_near_to(words: LexicalIndex, slip: str, text: str) -> None:
    found = corrected(words, slip)
    assert found.query.text == text
    assert set(parse(text).terms) <= set(found.query.terms)


def test_a_slip_near_to_several_words_stands_for_all(words: LexicalIndex) -> None:
    found = corrected(words, "mondayz")
    assert set(found.corrections["mondayz"]) == {"mondays", "monday"}


@pytest.mark.parametrize(
    "query",
    [
        *("walk into mordor", "wall of text", "MONDAYS", "wl", "xylophone quartet", "", "???", "123456"),
        *("dont", "Don't", "d'one", "doesn't", "Don’t"),  # near to "done", "one" and "does"
    ],
)
def test_words_that_memes_hold_short_ones_and_strangers_stay(words: LexicalIndex, query: str) -> None:
    asked = parse(query)
    assert correct_spelling(asked, words) == Correction(asked, {})


def test_a_query_in_another_language_is_not_corrected(words: LexicalIndex) -> None:
    assert corrected(words, "walkk").corrections
    assert not corrected(words, "ein walkk im zimmer").corrections


@pytest.mark.parametrize("query", ["gato y mordorr", "perro con sonbrero hate", "hundd und katze", "xyzzy walkk plugh"])
def test_a_query_that_is_mostly_unknown_and_not_near_to_the_library_is_not_corrected(
    words: LexicalIndex, query: str
) -> None:
    assert not corrected(words, query).corrections


@pytest.mark.parametrize("query", ["wlak smply", "mondayz", "xyzzy one simply walkk", "hte resignatoin letterr"])
def test_slips_are_corrected_beside_slips_and_beside_known_words(words: LexicalIndex, query: str) -> None:
    assert corrected(words, query).corrections


@pytest.mark.parametrize(
    ("typed", "word"), [("WALKKKK", "walk"), ("onnnne", "one"), ("wellllll", "well"), ("hhhaaattteee", "hate")]
)
def test_a_letter_repeated_for_effect_is_a_slip(words: LexicalIndex, typed: str, word: str) -> None:
    found = corrected(words, typed)
    assert found.corrections[typed][0] == word
    assert set(parse(typed).terms) < set(found.query.terms)


def test_a_query_of_unknown_words_costs_no_more_than_a_few_looks(words: LexicalIndex) -> None:
    assert len(corrected(words, " ".join(f"mondaay{letter}" for letter in "abcdefgh")).corrections) <= 4


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(query=st.text(max_size=60))
def test_what_was_asked_stays_among_the_terms(words: LexicalIndex, query: str) -> None:
    asked = parse(query)
    assert set(asked.terms) <= set(correct_spelling(asked, words).query.terms)

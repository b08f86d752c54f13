"""Queries in another language are told by their stop words, never by words that are merely unknown."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from search.index.lexical.word_table import WordTable
from search.query.language import is_another_language, reads_as_english, sounds_foreign


@pytest.mark.parametrize(
    "query",
    [
        "ein hund im brennenden zimmer",
        "die katze schläft auf dem sofa",
        "el perro está en llamas",
        "le chat dort sur le canapé",
        "un gatto che dorme sul divano",
        "o gato dorme no sofá",
        "hunden sover på soffan",
        "mi gato es naranja",
    ],
)
def test_a_sentence_in_another_language_is_told(query: str) -> None:
    assert sounds_foreign(query.split())


@pytest.mark.parametrize(
    "query",
    [
        "teh cta is sleping on teh sofaa",
        "burnin room doog",
        "pikachu bulbasaur charmander",
        "die hard christmas movie",
        "el chapo meme",
        "déjà vu café",
        "star wars darth vader",
        "the man in the chat",
        "la la land",
        "no",
        "",
    ],
)
def test_english_names_and_slips_are_not_another_language(query: str) -> None:
    assert not sounds_foreign(query.split())


class Library(SimpleNamespace):
    """The words of a library, as an index knows them."""

    __hash__ = object.__hash__  # type: ignore[assignment]


def library(*, english: int, other: int) -> Any:
    told = "people about would their which there could other after first water words number every found still between"
    known = told.split()
    assert english <= len(known)
    words = [*known[:english], *(f"zq{chr(97 + at)}wxk" for at in range(other))]
    return Library(vocabulary=WordTable.of(dict.fromkeys(words, 1)))


def test_a_library_half_of_whose_words_are_english_is_english() -> None:
    assert reads_as_english(library(english=15, other=15))
    assert not reads_as_english(library(english=15, other=16))


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("zimmerq katzeq hundq", True),
        ("zimmerq katzeq", False),  # they may be names
        ("hello zimmerq katzeq hundq stuhlq tischq lampeq", True),
        ("hello table chair zimmerq katzeq hundq stuhlq tischq lampeq bettq", True),  # fewer than a third are known
        ("hello table chair zimmerq katzeq hundq stuhlq tischq lampeq", False),
    ],
)
def test_words_that_are_nearly_all_unknown_are_of_another_language(query: str, told: bool) -> None:
    assert is_another_language(query.split(), library(english=15, other=15)) is told

"""Queries in another language are told by their stop words, never by words that are merely unknown."""

from __future__ import annotations

import pytest

from search.query.language import sounds_foreign


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

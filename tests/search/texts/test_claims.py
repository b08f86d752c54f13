"""What descriptions claim, and where two of them exclude each other."""

from __future__ import annotations

import pytest

from search.texts.claims import claims_of, conflicts, disputed_spans, found_share, letters_of, quotes


def quoted(text: str) -> str:
    return letters_of(" ".join(quotes(text)))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('A dog. The text reads: "This is fine."', "thisisfine"),
        ("The caption says “This is fine”.", "thisisfine"),
        ('The text reads: "Top "GOT ANY "A\'S"?" Bottom "GO FISH.""', "topgotanyasbottomgofish"),
        ('A still of the "10 Guy" meme. The text reads: "GRAVY IS\nMEAT SOUP"', "gravyismeatsoup"),
        ('A scene from "The Lord of the Rings" with a wizard.', ""),
        ("## Visual Description\nA dog.\n\n## Text\n\nTHIS IS\nFINE\n\n## Background\nA comic.", "thisisfine"),
        ("## Context\nThe meme is old.\n", ""),
        ("A dog without any words.", ""),
    ],
)
def test_what_is_announced_as_the_memes_text_is_a_quote_and_a_title_is_none(text: str, says: str) -> None:
    assert quoted(text) == says


def test_a_quote_is_found_though_misread_and_in_another_order() -> None:
    ocr = letters_of("WE ALL KNOW IT IS\nA TRAP MY FR1ENDS\nSAID THE ADM1RAL")
    assert found_share(("said the admiral", "we all know it is a trap my friends"), ocr) == 1.0
    assert found_share(("nothing of this stands there at all",), ocr) == 0.0
    assert found_share(("hi",), ocr) is None
    assert found_share((), ocr) is None
    assert found_share(("we all know it is a trap",), "") == 0.0


@pytest.mark.parametrize(
    ("one", "other", "said"),
    [
        ("A man in a red shirt.", "A man in a blue shirt.", ("red shirt, not blue shirt",)),
        ("A man in a gray shirt.", "A man in a grey shirt.", ()),
        ("Two young men argue.", "Three men argue.", ("2 man, not 3",)),
        ("A red and a blue shirt hang there.", "A blue shirt hangs there.", ()),
        ("A red car before a blue sky.", "A blue sky over a red car.", ()),
        ("The dog is not smiling.", "A smiling dog.", ("not smiling",)),
        ("A smiling dog.", "A dog without smiling friends.", ("smiling",)),
        ("There is no visible text.", "The visible part is small.", ()),
        ('The text reads: "NO CATS"', "Several cats sit on a wall.", ()),
        ('The text reads: "TWO DOGS"', "Three dogs run.", ()),
        ("A cat.", "A dog.", ()),
    ],
)
def test_two_descriptions_conflict_where_both_cannot_be_true(one: str, other: str, said: tuple[str, ...]) -> None:
    found = conflicts(claims_of(one), claims_of(other))
    assert len(found) == len(said)
    for have, want in zip(found, said, strict=True):
        assert have.split(", not ")[0] == want.split(", not ")[0]


def test_an_ocr_text_claims_its_words_and_nothing_else() -> None:
    claims = claims_of("TWO RED DOGS", is_ocr=True)
    assert claims.quoted == ("TWO RED DOGS",)
    assert conflicts(claims, claims_of("Three blue dogs.")) == ()


def disputed(text: str, other: str, **ocr: bool) -> list[str]:
    return [text[start:end] for start, end in disputed_spans(text, other, **ocr)]


def test_what_another_text_excludes_is_found_in_its_place() -> None:
    ours = 'Two large dogs and no clock beside a blue car. The text reads: "WHAT IF I TOLD YOU THAT CATS CAN READ MAPS"'
    theirs = 'Three dogs and a clock beside a red car. The text reads: "THIS IS FINE, I AM OKAY WITH THE EVENTS"'
    assert disputed(ours, theirs) == [
        "Two large dogs",
        "no clock",
        "blue car",
        "WHAT IF I TOLD YOU THAT CATS CAN READ MAPS",
    ]
    assert disputed("A red car. İstanbul.", "A blue car.") == ["red car"]
    assert disputed(ours, ours) == []
    assert disputed(ours, "A car, blue all over.") == []


def test_words_in_a_picture_exclude_quotes_alone() -> None:
    ours = 'A blue car. The text reads: "THIS IS FINE, WHAT IF I TOLD YOU THAT CATS READ"'
    assert disputed(ours, "THIS IS FINE WHAT", other_is_ocr=True) == ["IF I TOLD YOU THAT CATS READ"]
    assert disputed("A red car says nothing", "A blue car.", is_ocr=True) == []

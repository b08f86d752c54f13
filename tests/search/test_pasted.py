"""What visitors paste finds what the words in it find."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest

from search.searcher import Searcher
from tests.support.small_library import searched_library

OCR = {
    "C/simple.png": "one does not simply walk into Mordor",
    "C/quote.png": "I don't always drink coffee",
    "C/no.png": "no no no",
    "C/funny.png": "a funny cat",
    "C/monday.png": "monday again",
    "C/long.png": " ".join(f"word{number}" for number in range(250)),
}


@pytest.fixture(scope="module")
def searcher(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Searcher]:
    with searched_library(tmp_path_factory.mktemp("pasted"), OCR, apart=timedelta(days=1)) as (found, _):
        yield found


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ("“one does not simply”", "simple"),
        ("‘I don’t always’", "quote"),
        ("I don’t always drink coffee…", "quote"),
        ("wa\u200blk into mor\u00addor", "simple"),
        ("\ufeffwalk\u2060 into mordor\u200b", "simple"),
        ("ｗａｌｋ　ｉｎｔｏ　Ｍｏｒｄｏｒ", "simple"),
        ("𝔀𝓪𝓵𝓴 𝗶𝗻𝘁𝗼 𝕸𝖔𝖗𝖉𝖔𝖗", "simple"),
        ("ONE DOES NOT\r\nSIMPLY\u2028WALK\n\ninto mordor", "simple"),
        ("@mordor", "simple"),
        ("#Mordor", "simple"),
        ("#monday #again", "monday"),
        ("@funny_cat", "funny"),
        ("r/funny", "funny"),
        ("https://memes.example/r/funny?q=cat#top", "funny"),
        (r"\textbf{walk} $\into$ {mordor}", "simple"),
        ("NOOOOO", "no"),
        ("Mordoooooor!!!", "simple"),
        ("mondayyyy AGAIN?!?!", "monday"),
        (OCR["C/long.png"], "long"),
        ("word1" + " word2" * 400, "long"),
    ],
)
def test_the_words_of_what_was_pasted_are_found_first(searcher: Searcher, typed: str, found: str) -> None:
    assert searcher.search(typed, k=1).hits[0].meme.path == f"C/{found}.png"


@pytest.mark.parametrize(
    "typed",
    [
        *("\u200b", "\u200d", "\ufe0f", "\ufffd", "\x00", "\ud83d", "🏽", "🇲", "\U000e0067"),
        *("#", "@", "r/", "://", "$$"),
        *(r"\frac{a}{b}", r"\\", "{}[]()*&^%", "a" * 2000, "a " * 2000, "🔥" * 2000, "\u0301" * 100, "' OR 1=1 --"),
    ],
)
def test_what_has_no_word_to_find_is_no_error(searcher: Searcher, typed: str) -> None:
    results = searcher.search(typed, k=3)
    assert 0 <= results.total <= len(OCR)

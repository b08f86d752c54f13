"""Emoji of every kind find the memes that have them or say their names, alone and beside words."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest

from search.encoders.coverage import Coverage
from search.searcher import Searcher
from tests.support.fakes import HashingTextEncoder
from tests.support.small_library import searched_library


class WithoutEmoji(HashingTextEncoder):
    """An encoder whose vocabulary has no emoji, as MiniLM's."""

    coverage = Coverage(frozenset({"Latin"}), has_emoji=False)


OCR = {
    "C/mexico.png": "tacos from Mexico",
    "C/flag.png": "viva 🇲🇽",
    "C/mirror.png": "🇽🇲",  # the same letters, and no flag of Mexico
    "C/states.png": "welcome to the United States",
    "C/coder.png": "me at work 👩🏻‍💻",
    "C/woman.png": "👩 only",
    "C/family.png": "👨‍👩‍👧 dinner",
    "C/love.png": "I ❤️ naps",
    "C/burning.png": "my ❤️‍🔥 is burning",
    "C/pride.png": "rainbow flag parade",
    "C/countdown.png": "3️⃣ 2️⃣ 1️⃣",
    "C/three.png": "rule 3",
    "C/fire.png": "the room is on fire",
    "C/lit.png": "lit 🔥",
    "C/monday.png": "when you realize it is monday",
    "C/joy.png": "tears of joy",
    "C/cat.png": "my cat judges",
}
DESCRIPTIONS = {"C/pride.png": "A crowd with a 🏳️‍🌈", "C/states.png": "A picture of a football stadium in 🏴󠁧󠁢󠁥󠁮󠁧󠁿"}


@pytest.fixture(scope="module")
def searcher(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Searcher]:
    folder = tmp_path_factory.mktemp("emoji")
    day = timedelta(days=1)
    with searched_library(folder, OCR, descriptions=DESCRIPTIONS, apart=day, encoder=WithoutEmoji()) as (found, _):
        yield found


def matches(searcher: Searcher, query: str) -> set[str]:
    results = searcher.search(query, k=len(OCR))
    return {hit.meme.path.removeprefix("C/").removesuffix(".png") for hit in results.hits[: results.total]}


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("🇲🇽", {"mexico", "flag"}),
        ("🇺🇸", {"states"}),
        ("🏴󠁧󠁢󠁥󠁮󠁧󠁿", {"states"}),
        ("👩🏽‍💻", {"coder"}),
        ("👩‍💻", {"coder"}),
        ("👩🏿", {"woman"}),
        ("👨‍👩‍👧", {"family"}),
        ("❤", {"love"}),
        ("❤️", {"love"}),
        ("❤️‍🔥", {"burning"}),
        ("🏳️‍🌈", {"pride"}),
        ("3️⃣", {"countdown", "three"}),
        ("🔥", {"fire", "lit"}),
        ("🔥🔥🔥", {"fire", "lit"}),
        ("🐱", {"cat"}),
        ("🇲🇽 viva", {"flag"}),
        ("lit 🇲🇽", {"lit"}),
        ("when you realize it is monday 😂😂", {"monday"}),
        ("when you realize it’s monday 😂", {"monday"}),
        ('"❤️ naps"', {"love"}),
    ],
)
def test_what_has_an_emoji_or_says_its_name_matches(searcher: Searcher, query: str, found: set[str]) -> None:
    assert found <= matches(searcher, query)


@pytest.mark.parametrize(
    ("query", "other"), [("🇲🇽", "mirror"), ("👩🏿", "coder"), ("👩‍💻", "woman"), ("❤️", "burning"), ("🔥", "burning")]
)
def test_a_part_of_an_emoji_is_another_one(searcher: Searcher, query: str, other: str) -> None:
    assert other not in matches(searcher, query)


def test_what_has_an_emoji_or_says_its_name_comes_first(searcher: Searcher) -> None:
    assert {hit.meme.path for hit in searcher.search("🔥", k=2).hits} == {"C/fire.png", "C/lit.png"}
    assert searcher.search("🔥 monday", k=1).hits[0].meme.path == "C/monday.png"


def test_a_minus_leaves_out_what_has_an_emoji(searcher: Searcher) -> None:
    assert matches(searcher, "lit -🔥") == set()

"""Rare words that contents share, against a count of all of them."""

from __future__ import annotations

from itertools import pairwise
from math import isclose, log

import numpy as np

from search.duplicates.rare_words import RARE, SHARED_WORDS, RareWords, significant_words


def test_rare_words_are_those_that_a_count_of_all_finds() -> None:
    generator = np.random.default_rng(5)
    vocabulary = [f"word{number}" for number in range(300)]
    contents = [{vocabulary[int(300 * draw**2)] for draw in generator.random(12)} for _ in range(200)]
    rare = RareWords.of(contents)
    for place, words in enumerate(contents):
        weights: dict[int, list[float]] = {}
        for word in words:
            owners = [other for other, own in enumerate(contents) if word in own]
            if len(owners) <= RARE:
                for other in owners:
                    weights.setdefault(other, []).append(log(len(contents) / len(owners)))
        expected = {other: sum(own) for other, own in weights.items() if len(own) >= SHARED_WORDS and other != place}
        found = rare.sharing(words, without=place)
        assert set(found) == set(expected)
        assert all(
            expected[one] >= expected[other] or isclose(expected[one], expected[other])
            for one, other in pairwise(found)
        )


def test_a_word_in_one_content_more_than_is_rare_says_nothing() -> None:
    words = ["zeppelin", "walrus", "gargoyle"]
    assert RareWords.of([words] * RARE).sharing(words) == list(range(RARE))
    assert RareWords.of([words] * (RARE + 1)).sharing(words) == []
    assert RareWords.of([]).sharing(words) == []


def test_significant_words_have_four_letters_or_more() -> None:
    assert significant_words("A Zeppelin is not_here: été, été, 1912") == {"zeppelin", "here", "1912"}

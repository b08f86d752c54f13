"""Words near to another: what signatures leave to compare has all of them."""

from __future__ import annotations

import random

import pytest
from rapidfuzz.distance import OSA

from search.index.lexical.near_words import NearWords

LETTERS = "aab-cé9字z"


def words(count: int, seed: int) -> list[str]:
    draw = random.Random(seed)
    return sorted({"".join(draw.choices(LETTERS, k=draw.randint(0, 9))) for _ in range(count)})


@pytest.mark.parametrize("edits", [0, 1, 2, 3])
def test_the_words_within_some_edits_are_those_that_comparing_all_of_them_finds(edits: int) -> None:
    known = words(1500, seed=1)
    finder = NearWords.of(known)
    hits = 0
    for word in words(200, seed=2):
        truth = {other: OSA.distance(word, other) for other in known}
        expected = {other: far for other, far in truth.items() if far <= edits}
        assert dict(finder.within(word, edits)) == expected
        hits += len(expected)
    assert hits > 0


def test_a_word_of_each_kind_of_edit_is_found() -> None:
    finder = NearWords.of(["toaster", "tosater", "toster", "toastter", "toasted", "toast", "naïve", ""])
    assert dict(finder.within("toaster", 1)) == {"toaster": 0, "tosater": 1, "toster": 1, "toastter": 1, "toasted": 1}
    assert finder.within("naive", 1) == [("naïve", 1)]
    assert finder.within("", 0) == [("", 0)]
    assert NearWords.of([]).within("toaster", 2) == []

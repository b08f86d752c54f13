"""Words put apart: by what was seen between letters first, by how frequent words are where that leaves a doubt."""

from __future__ import annotations

import itertools
import math
import random

import pytest

from indexer.ocr import word_spacing as spacing
from indexer.ocr.word_spacing import Letter, insert_spaces, is_known


def line(text: str, *, gap: float, within: float = 1e-5) -> list[Letter]:
    """Return the letters of a line whose words, marked by `|`, stand a gap apart."""
    return [
        Letter(word[at], gap if at == 0 and place else within)
        for place, word in enumerate(text.split("|"))
        for at in range(len(word))
    ]


@pytest.mark.parametrize(
    "text",
    [
        "ONE|DOES|NOT|SIMPLY",
        "THERE'S|A|CHANCE",
        "Y|U|NO",
        "STARFLIGHT|THE|NIGHTWING",  # names that no dictionary has
        "IPHONE|7|IS|OUT!",
        "КОТ|СПИТ|НА|ДИВАНЕ",
        "gotta|catch|'em|all...",
    ],
)
def test_words_that_stand_apart_are_put_apart_and_names_are_not(text):
    assert insert_spaces(line(text, gap=0.3)) == text.replace("|", " ")


@pytest.mark.parametrize("text", ["NIGHTWING", "iphone", "downvotes", "猫が寝ている", "диван", "4chan", "a"])
def test_a_word_without_a_gap_stays_whole_even_where_its_parts_are_words(text):
    assert insert_spaces(line(text, gap=0.3)) == text


def test_frequent_words_decide_where_the_gap_leaves_a_doubt():
    # As measured: "ARE A FRUIT", where the letter A hides the gap, and "DON'T EXIST", where it does not.
    fruit = [Letter(letter, 1e-5) for letter in "AREAFRUIT"]
    fruit[3], fruit[4] = Letter("A", 0.0003), Letter("F", 0.0001)
    assert insert_spaces(fruit) in ("ARE A FRUIT", "AREA FRUIT")
    assert insert_spaces(line("DON'T|EXIST", gap=0.19, within=0.0004)) == "DON'T EXIST"


def test_no_letters_are_no_words():
    assert insert_spaces([]) == ""


def cost(words: list[str], gaps: list[float]) -> float:
    """Return what the formula gives for a cut, added up in the plainest way."""
    total, at = 0.0, 0
    for word in words:
        if at:
            total += spacing.GAP_WEIGHT * (math.log10(max(gaps[at], spacing.LEAST_GAP)) - spacing.GAP_EVEN)
        total += spacing._likelihood(word)
        at += len(word)
    return total


def test_the_cut_is_the_best_of_all_cuts():
    draw = random.Random(5)
    for _ in range(40):
        text = "".join(draw.choice("aeirstno'7") for _ in range(draw.randint(1, 9)))
        letters = [Letter(letter, 10 ** draw.uniform(-5, 0)) for letter in text]
        gaps = [letter.gap for letter in letters]
        every = []
        for cuts in itertools.product([False, True], repeat=len(text) - 1):
            ends = [at + 1 for at, cut in enumerate(cuts) if cut] + [len(text)]
            every.append([text[begin:end] for begin, end in zip([0, *ends], ends, strict=False)])
        best = max(cost(words, gaps) for words in every)
        assert cost(insert_spaces(letters).split(), gaps) == pytest.approx(best)


def test_known_words_are_known_in_any_case_and_with_apostrophes():
    assert is_known("Cat") and is_known("DON'T") and is_known("don’t") and is_known("youre")
    assert not is_known("xqzrt") and not is_known("")

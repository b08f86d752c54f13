"""What is measured of texts: how lines are spaced and how far sources agree."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from indexer.ocr.plausible import plausible_share
from indexer.ocr.word_spacing import Letter, insert_spaces
from search.meme import Text, TextKind
from search.texts.agreement import rate_texts
from tests.quality.limits import passages

LINES = (
    "THERE'S A CHANCE",
    "WHEN THE BUILD IS GREEN BUT NOBODY PUSHED IT",
    "I DO NOT ALWAYS TEST MY CODE",
    "one does not simply walk into the meeting",
    "ME EXPLAINING TO MY MOM",
    "SHE SAID 42 TIMES NO",
    "brb crying in the server room",
    "THEY DONT KNOW IM A RECURSIVE FUNCTION",
    "A NEW PHONE WHO IS THIS",
    "WAIT, THAT'S ILLEGAL!",
    "zorblax attacks the flumphed castle",
    "AM I A JOKE TO YOU",
    "INTERNATIONAL MISUNDERSTANDINGS EVERYWHERE",
    "GET UP AT 6 AM THEY SAID",
    "ALL RIGHT THEN KEEP YOUR SECRETS",
    "the rapist of the therapist",
)
GAPS = (0.3, 0.03, 0.01, 0.004, 0.0015, 0.0006, 0.0002)  # share of "space" between words
WITHIN = (0.00001, 0.0003, 0.003)  # … and within a word


def spaced_lines() -> list[tuple[str, str]]:
    """Return lines as they are and as they are spaced again, for gaps from wide to none."""
    return [
        (line, insert_spaces(_letters(line, gap=gap, within=within)))
        for line in LINES
        for gap in GAPS
        for within in WITHIN
        if within < gap
    ]


def _letters(line: str, *, gap: float, within: float) -> list[Letter]:
    return [
        Letter(letter, gap if place and at == 0 else within)
        for place, word in enumerate(line.split())
        for at, letter in enumerate(word)
    ]


CAPTION = "WHEN THE BUILD IS GREEN BUT NOBODY PUSHED IT"
AGREEING = 'A man in a red shirt points at two dogs. The caption reads "WHEN THE BUILD IS GREEN BUT NOBODY PUSHED IT".'
QUOTES = (
    "WHEN THE BUILD IS GREEN BUT NOBODY PUSHED IT",
    "WHEN THE BUILD IS GREEN AND NOBODY KNOWS",
    "WHEN THE BU1LD 1S GREEM BUT N0BODY PUSHEO IT",
    "WHEN THE TEA IS COLD BUT NOBODY DRINKS IT",
    "I HATE MONDAYS",
)


def rated_texts() -> list[list[float]]:
    """Return the support and the weight of three texts of a meme, for a third text that agrees less and less."""
    found = []
    for quote in QUOTES:
        for angle in np.linspace(0, np.pi / 2, 7):
            for color in ("red", "blue"):
                third = f'A man in a {color} shirt points at two dogs. The caption reads "{quote}".'
                texts = [
                    Text(TextKind.OCR, "reader", CAPTION),
                    Text(TextKind.SIMPLE, "one", AGREEING),
                    Text(TextKind.SIMPLE, "two", third),
                ]
                vectors = np.array([[0, 0], [1, 0], [np.cos(angle), np.sin(angle)]], np.float32)
                rated = rate_texts(texts, vectors)
                found.append([value for one in rated for value in (one.support, one.weight)])
    return found


# Of no language: neither English words nor stop words.
MADE_UP = ("gribola", "tovemka", "zulprado", "klumarek")
GERMAN = {2: ("zu", "er"), 3: ("und", "ist"), 4: ("sind", "aber")}  # stop words by their letters


def plausible_shares() -> dict[str, list[float]]:
    """Return how plausible texts are that show more and more of what tells another language than English."""

    def share(words: Sequence[str], *, filled_to: int) -> float:
        made_up = [MADE_UP[at % len(MADE_UP)] for at in range(filled_to - len(words))]
        return round(plausible_share([" ".join([*words, *made_up])]), 2)

    stop_words = ("nicht", "werden", "einen", "oder")
    return {
        "English": [round(plausible_share([" ".join(["good"] * k + ["śpią"] * (20 - k))]), 2) for k in range(4, 18)],
        "accented of 10": [share(["śpią"] * count, filled_to=10) for count in range(6)],
        "accented of 40": [share(["śpią"] * count, filled_to=40) for count in range(12)],
        "stop words of 40": [share((stop_words * 4)[:count], filled_to=40) for count in range(12)],
        "different stop words": [share((stop_words[:count] * 12)[:12], filled_to=40) for count in range(1, 5)],
        "letters of stop words": [share(words * 8, filled_to=40) for words in GERMAN.values()],
    }


def pinned_texts() -> dict[str, Any]:
    """Return what is pinned of texts."""
    return {
        "spacing": [found for _, found in spaced_lines()],
        "agreement": rated_texts(),
        "passages": passages(),
        "plausible": plausible_shares(),
    }

"""What is measured of texts: how lines are spaced and how far sources agree."""

from __future__ import annotations

from typing import Any

import numpy as np

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
            for colour in ("red", "blue"):
                third = f'A man in a {colour} shirt points at two dogs. The caption reads "{quote}".'
                texts = [
                    Text(TextKind.OCR, "reader", CAPTION),
                    Text(TextKind.SIMPLE, "one", AGREEING),
                    Text(TextKind.SIMPLE, "two", third),
                ]
                vectors = np.array([[0, 0], [1, 0], [np.cos(angle), np.sin(angle)]], np.float32)
                rated = rate_texts(texts, vectors)
                found.append([value for one in rated for value in (one.support, one.weight)])
    return found


def pinned_texts() -> dict[str, Any]:
    """Return what is pinned of texts."""
    return {"spacing": [found for _, found in spaced_lines()], "agreement": rated_texts(), "passages": passages()}

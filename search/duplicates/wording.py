"""Tell whether two aligned pictures say different words, by the lines that OCR read on each and by their pixels.

One digit or word that differs carries a joke, however few pixels it has. OCR alone cannot tell, because it misreads;
the pixels alone cannot, because a small letter differs as little as a poor JPEG does. Where a word was read that the
other picture does not have, and the pixels there differ, the words are different.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from rapidfuzz import fuzz

from search.duplicates.overlay import Overlay
from search.duplicates.picture_alignment import Alignment
from search.images.fingerprints import View

WELL_READ = 0.8  # least confidence of a line that is believed
ANOTHER_WORD = 12.0  # grey levels: mean difference of a window in a word that the other picture does not have
UNREAD_WORD = 28.0  # the same where nothing was read on the other picture
ANOTHER_DIGIT = 9.0  # the same in a number where the other picture has another number
READ_DIGIT = 3.0  # the same where both numbers are well read
ANOTHER_LINE = 8.0  # the same where the other picture has a well-read line that says something else altogether
_ALIKE = 50  # of 100: agreement of two lines from which on one of them may be misread
NOISE = 1.5  # times the difference in the words that both have, which JPEG and blur cause
LOST = 0.12  # share of the letters outside the other picture that makes another text; a crop may cut some
_LINE = 6  # letters: shorter lines are not compared
_MARK_HEIGHT = 0.05  # of the picture's longer side: a watermark's line at most
_MARK_EDGE = 0.08  # of the side: distance of a watermark from the upper or lower edge
_MARK_WORDS = 3
_SCREEN = 1.5  # least height of a phone's screenshot, in widths
_SMALL_PART = 0.6  # share of a screenshot: a meme that fills less has a phone around it, even if no clock was read
_BARS = 0.14  # of a screenshot's height: what is written in the bars at its ends is the phone's
_WORD = re.compile(r"\w+")
_CLOCK = re.compile(r"\d{1,2}[:.]\d\d")
_ADDRESS = re.compile(r"[@©®]|\b(via|www)\b|\w\.\w{2,}", re.IGNORECASE)

Box = tuple[float, float, float, float]  # left, top, right, bottom
Sizes = tuple[tuple[int, int], tuple[int, int]]  # width and height of both pictures, in pixels


@dataclass(frozen=True)
class ReadLine:
    """A line that OCR read: its text, the confidence (0 to 1), and its box in shares of width and height."""

    text: str
    confidence: float
    box: Box


def read_lines(boxes: Iterable[Sequence[Any]]) -> tuple[ReadLine, ...]:
    """Return the lines of an OCR reading as the catalogue stores them: text, confidence, and four corners in shares.

    >>> read_lines([["hello", 0.9, [[0.1, 0.1], [0.5, 0.1], [0.5, 0.2], [0.1, 0.2]]]])
    (ReadLine(text='hello', confidence=0.9, box=(0.1, 0.1, 0.5, 0.2)),)
    """
    found = []
    for text, confidence, corners in boxes:
        across, down = zip(*corners, strict=True)
        found.append(ReadLine(text, confidence, (min(across), min(down), max(across), max(down))))
    return tuple(found)


@dataclass(frozen=True)
class _Word:
    """A word of a line: letters and digits in lower case, and its box in pixels of the picture that it is laid over."""

    text: str
    line: ReadLine
    box: Box


def words_differ(one: Sequence[ReadLine], other: Sequence[ReadLine], found: Alignment, *, sizes: Sizes) -> bool:
    """Return whether either of two aligned pictures has a well-read word that the other does not have.

    `sizes` are both pictures' widths and heights, the first's as it is without the view. A watermark, and what a phone
    writes into the bars of a screenshot, are no words of the picture.
    """
    (width, height), size = sizes
    seen = (height, width) if found.view.turns % 2 else (width, height)

    def placed(box: Box) -> Box:
        points = [_seen(found.view, x, y) for x in (box[0], box[2]) for y in (box[1], box[3])]
        moved = np.array(points) * seen @ found.overlay.affine[:, :2].T + found.overlay.affine[:, 2]
        return (*moved.min(axis=0).tolist(), *moved.max(axis=0).tolist())

    def own(box: Box) -> Box:
        return box[0] * size[0], box[1] * size[1], box[2] * size[0], box[3] * size[1]

    words = [_Word(text, line, placed(box)) for line in one for text, box in _words(line)]
    others = [_Word(text, line, own(box)) for line in other for text, box in _words(line)]
    laid = found.overlay
    return _says_more(words, others, laid, size, shape=height / width, covered=laid.covers_one) or _says_more(
        others, words, laid, size, shape=size[1] / size[0], covered=laid.covers_other
    )


def _says_more(
    words: Sequence[_Word],
    others: Sequence[_Word],
    found: Overlay,
    size: tuple[int, int],
    *,
    shape: float,
    covered: float,
) -> bool:
    """Return whether a picture has words that the other does not have.

    All boxes are in pixels of the picture (of `size`) on which the other is laid. The picture with the words has this
    `shape`, its height divided by its width, and the other shows a share of `covered` of it.
    """
    tokens = {word.text for word in others}
    missing = [word for word in words if word.line.confidence >= WELL_READ and word.text not in tokens]
    inside = [(word, _difference(found, word.box, size)) for word in missing]
    # A word's box is not exact: beside another word it shows part of that.
    doubtful = {word.line for word in missing}
    noise = _noise(found, [word.box for word in words if word.line not in doubtful], size)
    usual = _usual(found, 99)
    for word, value in inside:
        there = [other for other in others if _overlap(word.box, other.box)]
        least = UNREAD_WORD if not there else ANOTHER_WORD
        other_numbers = [other for other in there if _digits(word) and _digits(word) != _digits(other) != ""]
        if other_numbers:
            least = ANOTHER_DIGIT
        if there and not any(_may_be(word.line, other.line) for other in there):
            least = ANOTHER_LINE
        least = max(least, NOISE * noise)
        # Two numbers that are both well read are believed by far less, where all else is equal.
        if any(other.line.confidence >= WELL_READ for other in other_numbers):
            least = min(least, max(READ_DIGIT, NOISE * noise, NOISE * usual))
        if value is not None and value >= least and not _is_mark(word, others, shape):
            return True
    phone = shape >= _SCREEN and (
        covered < _SMALL_PART or any(word.line.box[3] < _BARS and _CLOCK.search(word.line.text) for word in words)
    )
    lost = 0.0
    for word in (word for word, value in inside if value is None):
        in_bars = word.line.box[3] <= _BARS or word.line.box[1] >= 1 - _BARS
        if not (phone and in_bars) and not _is_mark(word, others, shape):
            lost += len(word.text) * _outside(found, word.box, size)
    return lost > 0 and lost >= LOST * sum(len(word.text) for word in words)


def _may_be(line: ReadLine, other: ReadLine) -> bool:
    """Return whether two lines at one place may be one that was misread."""
    texts = [line.text.lower(), other.text.lower()]
    return other.confidence < WELL_READ or min(map(len, texts)) < _LINE or fuzz.ratio(*texts) >= _ALIKE


def _noise(found: Overlay, said: Sequence[Box], size: tuple[int, int]) -> float:
    """Return the largest difference in the words that both pictures have; without such, that of most of the overlap."""
    values = [value for box in said if (value := _difference(found, box, size)) is not None]
    if values:
        return max(values)
    return _usual(found, 95)


def _usual(found: Overlay, percent: int) -> float:
    """Return the difference that this many percent of the overlap's windows do not exceed."""
    known = found.difference if found.within is None else found.difference[found.within > 0]
    return float(np.percentile(known, percent)) if known.size else 0.0


def _digits(word: _Word) -> str:
    return "".join(filter(str.isdigit, word.text))


def _difference(found: Overlay, box: Box, size: tuple[int, int]) -> float | None:
    """Return the largest difference in a box of the picture that is laid under; None outside the overlap."""
    height, width = found.difference.shape
    across, down = width / size[0], height / size[1]
    middle = (box[0] + box[2]) / 2 * across, (box[1] + box[3]) / 2 * down
    if not (0 <= middle[0] < width and 0 <= middle[1] < height):
        return None
    if found.within is not None and not found.within[int(middle[1]), int(middle[0])]:
        return None
    part = (
        slice(max(0, int(box[1] * down)), int(box[3] * down) + 1),
        slice(max(0, int(box[0] * across)), int(box[2] * across) + 1),
    )
    if found.within is not None and found.within[part].min() == 0:
        return 0.0  # the other picture's edge cuts the word
    return float(found.difference[part].max()) if found.difference[part].size else None


def _outside(found: Overlay, box: Box, size: tuple[int, int]) -> float:
    """Return the share of a box, in pixels of the picture of this size that is laid under, outside the overlap."""
    width, height = size
    left, top, right, bottom = box
    across, down = max(1.0, right - left), max(1.0, bottom - top)
    if found.within is None:
        inside = max(0.0, min(right, width) - max(left, 0)) * max(0.0, min(bottom, height) - max(top, 0))
        return 1 - min(1.0, inside / (across * down))
    scale = found.within.shape[1] / width, found.within.shape[0] / height
    part = found.within[
        max(0, round(top * scale[1])) : max(0, round(bottom * scale[1])),
        max(0, round(left * scale[0])) : max(0, round(right * scale[0])),
    ]
    return 1 - min(1.0, float((part > 0).sum()) / (across * down * scale[0] * scale[1]))


def _is_mark(word: _Word, others: Sequence[_Word], shape: float) -> bool:
    """Return whether a word belongs to a watermark: small writing near an edge, where the other picture has none."""
    _, top, _, bottom = word.line.box
    height = (bottom - top) * shape / max(1.0, shape)
    if height > _MARK_HEIGHT or min(top, 1 - bottom) > _MARK_EDGE:
        return False
    if _ADDRESS.search(word.line.text):
        return True
    if any(_overlap(word.box, other.box) for other in others):
        return False
    named = _WORD.findall(word.line.text)
    return len(named) <= _MARK_WORDS and not any(name.isdigit() for name in named)


def _overlap(box: Box, other: Box) -> bool:
    return box[0] < other[2] and other[0] < box[2] and box[1] < other[3] and other[1] < box[3]


def _words(line: ReadLine) -> list[tuple[str, Box]]:
    """Return the words of a line with at least two letters or a digit, and the box of each, by its share of letters."""
    left, top, right, bottom = line.box
    lying = right - left, bottom - top
    found = []
    for match in _WORD.finditer(line.text):
        text = match[0].lower()
        if len(text) < 2 and not text.isdigit():
            continue
        start, end = match.start() / len(line.text), match.end() / len(line.text)
        found.append((text, (left + start * lying[0], top, left + end * lying[0], bottom)))
    return found


def _seen(view: View, x: float, y: float) -> tuple[float, float]:
    """Return where a point of a picture (in shares) lies in a view of it."""
    x = 1 - x if view.mirrored else x
    for _ in range(view.turns):
        x, y = y, 1 - x
    return x, y

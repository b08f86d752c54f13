"""Tell whether two aligned pictures say different words, by the lines that OCR read on each and by their pixels.

One digit or word that differs carries a joke, however few pixels it has. OCR alone cannot tell, because it misreads;
the pixels alone cannot, because a small letter differs as little as a poor JPEG does. Where a word was read that the
other picture does not have, and the pixels there differ, the words are different.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import accumulate
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rapidfuzz import fuzz

from search.duplicates.alignment.affine import Affine
from search.duplicates.alignment.overlay import Overlay, usual_difference
from search.duplicates.alignment.views import Alignment
from search.images.fingerprints import View

WELL_READ = 0.8  # least confidence of a line that is believed
ANOTHER_WORD = 12.0  # grey levels: mean difference of a window in a word that the other picture does not have
UNREAD_WORD = 28.0  # the same where nothing was read on the other picture
ANOTHER_DIGIT = 9.0  # the same in a number where the other picture has another number
READ_DIGIT = 3.0  # the same where both numbers are well read
ANOTHER_LINE = 8.0  # the same where the other picture has a well-read line that says something else altogether
_ALIKE = 50  # of 100: agreement of two lines from which on one of them may be misread
NOISE = 1.5  # times the difference in the words that both have, which JPEG and blur cause
BACKWARDS = 1.5  # times the letters of a picture that can be read, of one that is seen the wrong way round
LOST = 0.38  # share of a word outside the other picture from which on that lacks it: a crop may cut a letter
_LONE = 0.9  # least confidence of a word of one letter
_TALL = 0.25  # of the picture: what is read as a taller line is no line
_LEVEL = 0.3  # of its box's height: a line whose ends differ by more is not level
_SAME_PLACE = 0.5  # share of a word's box
_LINE = 6  # letters: shorter lines are not compared
_MARK_HEIGHT = 0.05  # of the picture's longer side: a watermark's line at most
_MARK_EDGE = 0.08  # of the side: distance of a watermark from the upper or lower edge
_MARK_WORDS = 3
_SCREEN = 1.5  # least height of a phone's screenshot, in widths
_SMALL_PART = 0.6  # share of a screenshot: a meme that fills less has a phone around it, even if no clock was read
_BARS = 0.14  # of a screenshot's height: what is written in the bars at its ends is the phone's
_WORD = re.compile(r"\w+")
_CLOCK = re.compile(r"\d{1,2}[:.]\d\d")
ADDRESS = re.compile(r"[@©®]|\b(via|www)\b|\w\.\w{2,}", re.IGNORECASE)
# Widths of characters in a usual letter's, for where a word lies in its line.
_WIDTHS = {**dict.fromkeys("iljtfI1.,:;'!|()[]", 0.55), **dict.fromkeys("mwMW@%", 1.45), " ": 0.6}

_PARTS = (np.arange(16) + 0.5) / 16  # of a word's width and height, where it is asked whether that is outside

Corners = NDArray[np.float64]  # [4, 2]: upper left, upper right, lower right, lower left, as a level line has them
Box = tuple[float, float, float, float]  # left, top, right, bottom
Sizes = tuple[tuple[int, int], tuple[int, int]]  # width and height of both pictures, in pixels


@dataclass(frozen=True)
class ReadLine:
    """A line that OCR read: its text, the confidence (0 to 1), and its box in shares of width and height.

    `corners` are those of a line that is not level: upper left, upper right, lower right, lower left of its letters.
    """

    text: str
    confidence: float
    box: Box
    corners: tuple[tuple[float, float], ...] = field(default=(), repr=False)

    @property
    def height(self) -> float:
        """The height of its letters, in shares of the picture's height."""
        if not self.corners:
            return self.box[3] - self.box[1]
        return float(np.hypot(*np.subtract(self.corners[3], self.corners[0])))


def read_lines(boxes: Iterable[Sequence[Any]]) -> tuple[ReadLine, ...]:
    """Return the lines of an OCR reading as the catalogue stores them: text, confidence, and four corners in shares.

    >>> read_lines([["hello", 0.9, [[0.1, 0.1], [0.5, 0.1], [0.5, 0.2], [0.1, 0.2]]]])
    (ReadLine(text='hello', confidence=0.9, box=(0.1, 0.1, 0.5, 0.2)),)
    """
    found = []
    for text, confidence, corners in boxes:
        across, down = zip(*corners, strict=True)
        box = min(across), min(down), max(across), max(down)
        turned = len(corners) == 4 and abs(down[1] - down[0]) > _LEVEL * (box[3] - box[1])
        found.append(ReadLine(text, confidence, box, tuple((x, y) for x, y in corners) if turned else ()))
    return tuple(found)


@dataclass(frozen=True)
class Word:
    """A word of a line, in lower case, and its box in pixels of the picture on which the other is laid.

    `outside` is the share of it that the other picture does not show.
    """

    text: str
    line: ReadLine
    box: Box
    outside: float


def lay_words(
    one: Sequence[ReadLine], other: Sequence[ReadLine], found: Alignment, *, sizes: Sizes
) -> tuple[list[Word], list[Word]]:
    """Return the words of two aligned pictures, all with boxes in pixels of the second.

    `sizes` are both pictures' widths and heights, the first's as it is without the view.
    """
    (width, height), size = sizes
    seen = (height, width) if found.view.turns % 2 else (width, height)
    affine = found.overlay.affine
    back = np.linalg.inv(np.vstack([affine, [0, 0, 1]]))[:2]
    words = []
    for line in one:
        for text, corners in _words(line):
            points = np.array([_seen(found.view, x, y) for x, y in corners.tolist()]) * seen
            laid = _moved(affine, points)
            words.append(Word(text, line, _around(laid), _outside(laid, size)))
    others = []
    for line in other:
        for text, corners in _words(line):
            own = corners * size
            others.append(Word(text, line, _around(own), _outside(_moved(back, own), seen)))
    return words, others


def _moved(affine: Affine, points: Corners) -> Corners:
    moved: Corners = points @ affine[:, :2].T + affine[:, 2]
    return moved


def _around(corners: Corners) -> Box:
    (left, top), (right, bottom) = corners.min(axis=0).tolist(), corners.max(axis=0).tolist()
    return left, top, right, bottom


def _outside(corners: Corners, size: tuple[int, int]) -> float:
    """Return the share of a word outside a picture of this size."""
    if ((corners >= 0) & (corners <= size)).all():
        return 0.0
    first, second, third, fourth = corners
    upper, lower = (one + _PARTS[:, None] * (other - one) for one, other in ((first, second), (fourth, third)))
    points = (upper[:, None] + _PARTS[:, None] * (lower - upper)[:, None]).reshape(-1, 2)
    return float(((points < 0) | (points > size)).any(axis=1).mean())


def words_differ(one: Sequence[ReadLine], other: Sequence[ReadLine], found: Alignment, *, sizes: Sizes) -> bool:
    """Return whether either of two aligned pictures has a well-read word that the other does not have.

    `sizes` are both pictures' widths and heights, the first's as it is without the view. A watermark, and what a phone
    writes into the bars of a screenshot, are no words of the picture.
    """
    if found.view != View():
        # Words that are read the wrong way round are none.
        one, other = _readable(one, other)
    words, others = lay_words(one, other, found, sizes=sizes)
    (width, height), size = sizes
    laid = found.overlay
    return _says_more(words, others, laid, size, shape=height / width, covered=laid.covers_one) or _says_more(
        others, words, laid, size, shape=size[1] / size[0], covered=laid.covers_other
    )


def _readable(one: Sequence[ReadLine], other: Sequence[ReadLine]) -> tuple[Sequence[ReadLine], Sequence[ReadLine]]:
    """Return the lines of two pictures, one of them turned or mirrored, without those of the one that is read worse."""
    read, other_read = (
        sum(line.confidence * sum(map(str.isalnum, line.text)) for line in lines if line.confidence >= WELL_READ)
        for lines in (one, other)
    )
    if read >= BACKWARDS * other_read:
        return one, ()
    return ((), other) if other_read >= BACKWARDS * read else (one, other)


def _says_more(
    words: Sequence[Word],
    others: Sequence[Word],
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
    return _shows_more(words, others, found, size, shape=shape) or _has_lost(
        words, others, shape=shape, covered=covered
    )


def _shows_more(
    words: Sequence[Word], others: Sequence[Word], found: Overlay, size: tuple[int, int], *, shape: float
) -> bool:
    """Return whether a picture has a word where the other one shows something else."""
    tokens = {word.text for word in others}
    missing = [
        word
        for word in words
        if _is_long(word)
        and word.line.confidence >= WELL_READ
        and (word.text not in tokens or _is_elsewhere(word, others))
    ]
    # A word's box is not exact: beside another word it shows part of that.
    doubtful = {word.line for word in missing}
    noise = _noise(found, [word.box for word in words if word.line not in doubtful], size)
    usual = usual_difference(found, 99)
    for word in missing:
        value = _difference(found, word.box, size)
        there = [other for other in others if _overlap(word.box, other.box)]
        if value is None or _is_spaced_otherwise(word, there):
            continue
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
        if value >= least and not _is_mark(word, others, shape):
            return True
    return False


def _has_lost(words: Sequence[Word], others: Sequence[Word], *, shape: float, covered: float) -> bool:
    """Return whether a well-read word lies outside the other picture, which does not have it elsewhere either."""
    cut = [word for word in words if word.outside >= LOST and _is_believed(word)]
    if not cut:
        return False
    phone = shape >= _SCREEN and (
        covered < _SMALL_PART or any(word.line.box[3] < _BARS and _CLOCK.search(word.line.text) for word in words)
    )
    said, other_said = (Counter(word.text for word in each) for each in (words, others))
    for word in cut:
        in_bars = word.line.box[3] <= _BARS or word.line.box[1] >= 1 - _BARS
        if said[word.text] > other_said[word.text] and not (phone and in_bars) and not _is_mark(word, others, shape):
            return True
    return False


def _is_long(word: Word) -> bool:
    return len(word.text) > 1 or word.text.isdigit()


def _is_believed(word: Word) -> bool:
    """Return whether a word was read well enough to be missed."""
    return word.line.height <= _TALL and word.line.confidence >= (WELL_READ if _is_long(word) else _LONE)


def _is_elsewhere(word: Word, others: Sequence[Word]) -> bool:
    """Return whether the other picture has a word's place for another one that is well read."""
    there = [other for other in others if _overlap(word.box, other.box)]
    return all(other.text != word.text for other in there) and any(
        other.line.confidence >= WELL_READ and _is_long(other) and _shared(word.box, other.box) >= _SAME_PLACE
        for other in there
    )


def _shared(box: Box, other: Box) -> float:
    """Return the share of a box that another one covers."""
    across, down = (max(0.0, min(box[at + 2], other[at + 2]) - max(box[at], other[at])) for at in (0, 1))
    return across * down / max(1e-6, (box[2] - box[0]) * (box[3] - box[1]))


def _is_spaced_otherwise(word: Word, there: Sequence[Word]) -> bool:
    """Return whether the words at a word's place have its letters in a row, parted or joined otherwise."""
    letters = "".join(other.text for other in there)
    for match in re.finditer(re.escape(word.text), letters):
        around = letters[max(0, match.start() - 1) : match.start()] + letters[match.end() : match.end() + 1]
        if not (_digits(word) and any(map(str.isdigit, around))):
            return True
    return False


def _may_be(line: ReadLine, other: ReadLine) -> bool:
    """Return whether two lines at one place may be one that was misread."""
    texts = [line.text.lower(), other.text.lower()]
    return other.confidence < WELL_READ or min(map(len, texts)) < _LINE or fuzz.ratio(*texts) >= _ALIKE


def _noise(found: Overlay, said: Sequence[Box], size: tuple[int, int]) -> float:
    """Return the largest difference in the words that both pictures have; without such, that of most of the overlap."""
    values = [value for box in said if (value := _difference(found, box, size)) is not None]
    if values:
        return max(values)
    return float(usual_difference(found, 95))


def _digits(word: Word) -> str:
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


def _is_mark(word: Word, others: Sequence[Word], shape: float) -> bool:
    """Return whether a word belongs to a watermark: small writing near an edge, where the other picture has none."""
    _, top, _, bottom = word.line.box
    height = (bottom - top) * shape / max(1.0, shape)
    if height > _MARK_HEIGHT or min(top, 1 - bottom) > _MARK_EDGE:
        return False
    if ADDRESS.search(word.line.text):
        return True
    if any(_overlap(word.box, other.box) for other in others):
        return False
    named = _WORD.findall(word.line.text)
    return len(named) <= _MARK_WORDS and not any(name.isdigit() for name in named)


def _overlap(box: Box, other: Box) -> bool:
    return box[0] < other[2] and other[0] < box[2] and box[1] < other[3] and other[1] < box[3]


@lru_cache(maxsize=10_000)  # a meme is compared with some ten others, one after another
def _words(line: ReadLine) -> tuple[tuple[str, Corners], ...]:
    """Return the words of a line, and the corners of each, by the usual widths of its letters."""
    left, top, right, bottom = line.box
    first, second, third, fourth = np.array(
        line.corners or ((left, top), (right, top), (right, bottom), (left, bottom)), np.float64
    )
    ends = list(accumulate((_WIDTHS.get(letter, 1.0) for letter in line.text), initial=0.0))
    found = []
    for match in _WORD.finditer(line.text):
        # What stands at a word is cut with it.
        before, after = line.text[: match.start()][::-1], line.text[match.end() :]
        span = match.start() - _punctuation(before), match.end() + _punctuation(after)
        start, end = (ends[at] / max(ends[-1], 1e-6) for at in span)
        upper, lower = second - first, third - fourth
        corners = [first + start * upper, first + end * upper, fourth + end * lower, fourth + start * lower]
        found.append((match[0].lower(), np.array(corners)))
    return tuple(found)


def _punctuation(text: str) -> int:
    """Return with how many characters that are no letters, digits or spaces a text begins."""
    return next((at for at, letter in enumerate(text) if letter.isalnum() or letter.isspace()), len(text))


def _seen(view: View, x: float, y: float) -> tuple[float, float]:
    """Return where a point of a picture (in shares) lies in a view of it."""
    x = 1 - x if view.mirrored else x
    for _ in range(view.turns):
        x, y = y, 1 - x
    return x, y

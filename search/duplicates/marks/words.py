"""What the words that OCR read say of a place where two aligned pictures differ: a site's name, or another caption."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from rapidfuzz import fuzz

from search.duplicates.wording import ADDRESS, WELL_READ, Word

_ALIKE = 50  # of 100: agreement of a line with what is read of it under a mark, at least
MORE_LETTERS = 3  # read on the marked picture, of a mark that is high or hides what lies under it
AS_HIGH = 0.75  # of a line's height: a mark that was read as a part of a caption's line is lower
_NAME_WORDS = 3  # of a site's name, at most


def share_over_words(words: Sequence[Word], there: NDArray[np.bool_]) -> float:
    """Return the share of pixels that lie over well-read words."""
    over = np.zeros(there.shape, np.bool_)
    for word in words:
        if word.line.confidence >= WELL_READ:
            left, top, right, bottom = (max(0, round(side)) for side in word.box)
            over[top : bottom + 1, left : right + 1] = True
    return float(over[there].mean())


def says_otherwise(words: Sequence[Word], others: Sequence[Word], there: NDArray[np.bool_]) -> bool:
    """Return whether at a place, lines were read on both pictures, and none of the first is like one of the second."""
    lines, other_lines = (
        {word.line.text.lower() for word in each if word.line.confidence >= WELL_READ and _touches(word, there)}
        for each in (words, others)
    )
    alike = max((fuzz.partial_ratio(line, other) for line in lines for other in other_lines), default=100.0)
    return alike < _ALIKE


def letters_more(words: Sequence[Word], others: Sequence[Word], there: NDArray[np.bool_]) -> float:
    """Return how many letters of a line that was read at a place are not read on the other picture."""
    said = _letters(" ".join(dict.fromkeys(word.line.text for word in others)))
    lines = {word.line.text for word in words if _touches(word, there)}
    return max((len(own) * (1 - fuzz.partial_ratio(own, said) / 100) for own in map(_letters, lines)), default=0.0)


def _letters(text: str) -> str:
    return "".join(filter(str.isalnum, text.lower()))


def is_named(words: Sequence[Word], whole: NDArray[np.bool_]) -> bool:
    """Return whether a line of letters was read that lies at a place as a whole."""
    lines = {word.line for word in words if word.line.confidence >= WELL_READ and lies_in(word, whole)}
    outside = {word.line for word in words if not lies_in(word, whole)}
    return any(len(_letters(line.text)) > MORE_LETTERS for line in lines - outside)


def has_address(words: Sequence[Word], whole: NDArray[np.bool_]) -> bool:
    """Return whether a line with a site's address was read that has a word at a place."""
    return any(ADDRESS.search(word.line.text) for word in words if lies_in(word, whole))


def is_of_a_line(words: Sequence[Word], there: NDArray[np.bool_], height: float) -> bool:
    """Return whether what is this high (pixels) at a place are words of a line that was read there and beside it."""
    inside = {word.line: word for word in words if word.line.confidence >= WELL_READ and lies_in(word, there)}
    beside = {word.line for word in words if not _touches(word, there)}
    return any(height >= AS_HIGH * (inside[line].box[3] - inside[line].box[1]) for line in inside.keys() & beside)


def says_much(words: Sequence[Word], others: Sequence[Word], there: NDArray[np.bool_]) -> bool:
    """Return whether a line was read at a place that has more words than a site's name, and the other has not."""
    lines = Counter(word.line.text for word in words if word.line.confidence >= WELL_READ and lies_in(word, there))
    said = {word.line.text.lower() for word in others if _touches(word, there)}
    return any(
        count > _NAME_WORDS
        and not ADDRESS.search(line)
        and all(fuzz.partial_ratio(line.lower(), other) < _ALIKE for other in said)
        for line, count in lines.items()
    )


def lies_in(word: Word, there: NDArray[np.bool_]) -> bool:
    """Return whether at least half of a word's box is at a place ([height, width] bool)."""
    left, top, right, bottom = (max(0, round(side)) for side in word.box)
    part = there[top : bottom + 1, left : right + 1]
    return bool(part.size) and float(part.mean()) >= 0.5


def _touches(word: Word, there: NDArray[np.bool_]) -> bool:
    left, top, right, bottom = (max(0, round(side)) for side in word.box)
    return bool(there[top : bottom + 1, left : right + 1].any())

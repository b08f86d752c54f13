"""Words within a few edits of another: of a large vocabulary, letters that a word has leave few to compare.

A signature has two bits for each letter of the alphabet, "once" and "twice or more", and one for each of twelve classes
of other characters. To insert or delete a character changes at most one bit, to replace one at most two, to swap
neighbours none: words whose signatures differ in more bits than their edits explain need not be compared.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from search.system.lazy_module import LazyModule

# Late: a command whose words are all in the library compares none.
process: Any = LazyModule("rapidfuzz.process")
osa: Any = LazyModule("rapidfuzz.distance.OSA")

_LETTERS = 26
_CLASSES = 64 - 2 * _LETTERS  # of all other characters

Signatures = NDArray[np.uint64]


@dataclass(frozen=True)
class NearWords:
    """Finds the words nearest to another among some; the words of each length with their signatures ([n])."""

    by_length: dict[int, tuple[list[str], Signatures]]

    @classmethod
    def of(cls, words: Iterable[str]) -> NearWords:
        """Return the finder of these words."""
        found: dict[int, list[str]] = {}
        for word in words:
            found.setdefault(len(word), []).append(word)
        return cls({length: (own, signatures(own)) for length, own in found.items()})

    def within(self, word: str, edits: int) -> list[tuple[str, int]]:
        """Return all words at most `edits` from a word, each with its distance.

        An edit inserts, deletes or replaces a character or swaps two neighbours.

        >>> NearWords.of(["hamlet", "helmet", "ham"]).within("hamelt", 1)
        [('hamlet', 1)]
        """
        own = signatures([word])
        found = []
        for length in range(len(word) - edits, len(word) + edits + 1):
            others, theirs = self.by_length.get(length, ((), None))
            if theirs is None:
                continue
            most = 2 * edits - abs(length - len(word))  # of the edits, those that change the length change one bit
            near = [others[at] for at in np.flatnonzero(np.bitwise_count(theirs ^ own) <= most).tolist()]
            for other, distance, _ in process.extract(word, near, scorer=osa.distance, score_cutoff=edits, limit=None):
                found.append((other, int(distance)))
        return found


def signatures(words: list[str]) -> Signatures:
    """Return the signature of each word ([n]); the words have one length.

    >>> signatures(["aab", "aba", "abc"]).tolist()
    [7, 7, 21]
    """
    length = len(words[0]) if words else 0
    codes = np.array(words, f"<U{max(length, 1)}").view(np.uint32).reshape(len(words), -1) if words else None
    once, twice, others = (np.zeros(len(words), np.uint64) for _ in range(3))
    for column in codes.T if codes is not None and length else ():
        place = column.astype(np.int64) - ord("a")
        is_letter = (place >= 0) & (place < _LETTERS)
        bit = np.where(is_letter, np.uint64(1) << (2 * place).clip(0, 62).astype(np.uint64), np.uint64(0))
        twice |= once & bit
        once |= bit
        of_class = np.uint64(1) << (2 * _LETTERS + column % _CLASSES).astype(np.uint64)
        others |= np.where(is_letter, np.uint64(0), of_class)
    return once | twice << np.uint64(1) | others

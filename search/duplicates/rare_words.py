"""Find contents that share rare words of their OCR texts."""

from __future__ import annotations

import re
from array import array
from collections.abc import Iterable
from dataclasses import dataclass
from math import log

import numpy as np
from numpy.typing import NDArray

RARE = 20  # a word in more contents than this is not rare
SHARED_WORDS = 3  # least number of shared rare words
_WORD = re.compile(r"[^\W_]{4,}")


def significant_words(text: str) -> frozenset[str]:
    """Return a text's words of four letters or more, in lower case.

    >>> sorted(significant_words("A red zeppelin"))
    ['zeppelin']
    """
    return frozenset(_WORD.findall(text.lower()))


@dataclass(frozen=True)
class RareWords:
    """The rare words of many contents, by this process's hashes: 12 bytes for each word of each content."""

    contents: int
    keys: NDArray[np.int64]  # [n], hashes of words, rising
    places: NDArray[np.int32]  # [n], the contents that have them, rising for each word

    @classmethod
    def of(cls, words: Iterable[Iterable[str]]) -> RareWords:
        """Return the rare ones among the words of each content.

        >>> RareWords.of([["zeppelin", "walrus", "gargoyle"]]).sharing({"zeppelin", "walrus", "gargoyle"})
        [0]
        """
        keys, lengths = array("q"), array("i")
        for own in words:
            before = len(keys)
            keys.extend(map(hash, own))
            lengths.append(len(keys) - before)
        found = np.frombuffer(keys, np.int64) if keys else np.empty(0, np.int64)
        order = np.argsort(found, kind="stable")
        found = found[order]
        starts = np.flatnonzero(np.diff(found, prepend=found[:1] - 1))
        counts = np.diff(starts, append=len(found))
        rare = np.repeat(counts <= RARE, counts)
        places = np.repeat(np.arange(len(lengths), dtype=np.int32), lengths)
        return cls(len(lengths), found[rare], places[order][rare])

    def sharing(self, words: Iterable[str], *, without: int = -1) -> list[int]:
        """Return the places of the contents that share enough rare words with these, those with the rarest first."""
        shared: dict[int, tuple[int, float]] = {}
        for word in sorted(words):
            start, end = np.searchsorted(self.keys, hash(word)), np.searchsorted(self.keys, hash(word), side="right")
            places = self.places[start:end].tolist()
            weight = log(max(2, self.contents) / len(places)) if places else 0.0
            for place in places:
                count, weights = shared.get(place, (0, 0.0))
                shared[place] = count + 1, weights + weight
        enough = [place for place, (count, _) in shared.items() if count >= SHARED_WORDS and place != without]
        return sorted(enough, key=lambda place: (-shared[place][1], place))

"""Insert the spaces that OCR loses, by the recognizer's probabilities and word frequencies.

On the tight capitals of memes a recognizer reads the letters and loses the spaces: at each gap the class "no letter" is
a little more probable than "space". The difference decides most gaps; word frequencies decide the others.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from search.query.language import english_frequencies

# All fitted on one half of the templates of benchmarks/ocr.py and reported on the other; the optimum is flat.
GAP_WEIGHT = 6.0  # weight of a tenfold probability of "space", in powers of ten of word frequency
GAP_EVEN = -2.5  # log10 of the probability of "space" at which a space is neither more nor less likely
LEAST_GAP = 1e-5
UNKNOWN = -7.0  # log10 of the frequency of a word that is not in the dictionary …
UNKNOWN_LETTER = -1.2  # … and of each of its letters
NUMBER = -3.0
MARKS = -2.0
LONGEST_WORD = 24
# Contractions without apostrophes; the dictionary has only their parts.
_CONTRACTIONS = (
    "aint arent cant couldnt didnt doesnt dont hadnt hasnt havent hes im isnt itll its ive lets shes shouldnt thats "
    "theres theyll theyre theyve wasnt weve werent whats wheres whos wont wouldnt yall youd youll youre youve"
)
_CONTRACTION_COUNT = 50_000_000


@dataclass(frozen=True)
class Letter:
    """A recognised letter, and the largest probability (0 to 1) of "space" in the gap before it."""

    text: str
    gap: float


def insert_spaces(letters: Sequence[Letter]) -> str:
    """Return the letters of a line with spaces: the most likely split by the gaps and by word frequencies.

    >>> insert_spaces([Letter(letter, 0.01) for letter in "THISISFINE"])
    'THIS IS FINE'
    """
    text = "".join(letter.text for letter in letters)
    for_space = [GAP_WEIGHT * (math.log10(max(letter.gap, LEAST_GAP)) - GAP_EVEN) for letter in letters]
    best = [0.0] + [-math.inf] * len(letters)
    begins = [0] * (len(letters) + 1)
    ends_at = [0]  # letters may be of several characters each
    for letter in letters:
        ends_at.append(ends_at[-1] + len(letter.text))
    for end in range(1, len(letters) + 1):
        for begin in range(max(0, end - LONGEST_WORD), end):
            likelihood = best[begin] + _likelihood(text[ends_at[begin] : ends_at[end]])
            likelihood += for_space[begin] if begin else 0.0
            if likelihood > best[end]:
                best[end], begins[end] = likelihood, begin
    words = []
    end = len(letters)
    while end:
        words.append(text[ends_at[begins[end]] : ends_at[end]])
        end = begins[end]
    return " ".join(reversed(words))


def is_known(word: str) -> bool:
    """Return whether a word is in the dictionary; case and apostrophes do not matter.

    >>> is_known("Don't"), is_known("xqzt")
    (True, False)
    """
    return _bare(word) in _dictionary()


def _likelihood(word: str) -> float:
    """Return the log10 of a word's frequency; punctuation does not count."""
    bare = _bare(word)
    digits = sum(letter.isdigit() for letter in word)
    if not bare:
        return NUMBER if digits else MARKS
    frequency = None if digits else _dictionary().get(bare)
    return UNKNOWN + UNKNOWN_LETTER * len(bare) if frequency is None else frequency


def _bare(word: str) -> str:
    return "".join(letter for letter in word.lower() if letter.isalpha())


@cache
def _dictionary() -> dict[str, float]:
    """Return the log10 frequency of each known word: English words, and contractions."""
    counts = dict(english_frequencies())
    for word in _CONTRACTIONS.split():
        counts[word] = max(counts.get(word, 0), _CONTRACTION_COUNT)
    total = math.log10(sum(counts.values()))
    return {word: math.log10(count) - total for word, count in counts.items()}

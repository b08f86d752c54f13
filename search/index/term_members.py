"""Which of some memes have which terms: of rare terms by their scores, of frequent ones by a bit for each meme."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from search.index.owners import Ids

# Memes with a term, for each meme asked about, up to which a term is rare: reading a meme from a term's postings costs
# a sixth of finding it by its id, and the postings are then cached.
READ_PER_ID = 4
# Frequent terms whose memes an open index caches, a bit for each meme: 4 MB at 30,000 memes. Queries share such terms,
# but 600 sentences have 700 of them: with 256, one in three was read again.
CACHED_MEMBERS = 1024
# Memes of a library up to which the memes of frequent terms are read and cached. At 100,000, to ask for all frequent
# terms of a query at once takes as long as with a full cache, and half as long as reading those that are new.
CACHED_UP_TO = 50_000
_AT_ONCE = 20  # terms: single precision adds powers of two up to 2^24 exactly

Held = NDArray[np.bool_]


class TermMembers:
    """Tells which memes have a term, over an open index of so many memes; any thread may ask.

    `frequency` returns how many memes have a term. `has_rare` returns which of some memes have a rare one ([n] bool),
    `read_all` the ids of all memes with a term, `read_among` for each of some memes the sum of two to the power of the
    places of the terms that it has ([n] float32).
    """

    def __init__(
        self,
        memes: int,
        *,
        frequency: Callable[[str], int],
        has_rare: Callable[[str, Ids], Held],
        read_all: Callable[[str], Ids],
        read_among: Callable[[Sequence[str], Ids], NDArray[np.float32]],
    ) -> None:
        self._frequency = frequency
        self._has_rare = has_rare
        self._read_all = read_all
        self._read_among = read_among
        self._is_cached = memes <= CACHED_UP_TO
        self._members_of = lru_cache(maxsize=CACHED_MEMBERS)(self._read_members)

    def held(self, terms: Sequence[str], ids: Ids) -> Held:
        """Return for each term and each of some memes ([t, n]) whether the meme has the term."""
        found = np.zeros((len(terms), len(ids)), np.bool_)
        bytes_of, bits = ids >> 3, np.left_shift(1, ids & 7).astype(np.uint8)
        asked: dict[str, list[int]] = {}
        for place, term in enumerate(terms):
            if self._is_rare(term, len(ids)):
                found[place] = self._has_rare(term, ids)
            elif self._is_cached:
                found[place] = _bits_at(self._members_of(term), bytes_of, bits)
            else:
                asked.setdefault(term, []).append(place)
        for places, has in zip(asked.values(), self._held_among(list(asked), ids), strict=True):
            found[places] = has
        return found

    def prepare(self, terms: Sequence[str], memes: int) -> None:
        """Read, of terms that will be asked about for so many memes, the frequent ones that are not cached."""
        for term in terms if self._is_cached else ():
            if not self._is_rare(term, memes):
                self._members_of(term)

    def _is_rare(self, term: str, memes: int) -> bool:
        return self._frequency(term) <= READ_PER_ID * memes

    def _held_among(self, terms: Sequence[str], ids: Ids) -> Held:
        found = np.zeros((len(terms), len(ids)), np.bool_)
        for start in range(0, len(terms), _AT_ONCE):
            some = terms[start : start + _AT_ONCE]
            sums = self._read_among(some, ids).astype(np.int64)
            found[start : start + len(some)] = sums >> np.arange(len(some))[:, None] & 1
        return found

    def _read_members(self, term: str) -> NDArray[np.uint8]:
        """Return a bit for each id up to the highest of the memes with a term, which are set: eight in a byte."""
        ids = self._read_all(term)
        has = np.zeros(int(ids.max(initial=0)) + 1, np.bool_)
        has[ids] = True
        return np.packbits(has, bitorder="little")


def _bits_at(members: NDArray[np.uint8], bytes_of: NDArray[np.int64], bits: NDArray[np.uint8]) -> Held:
    """Return whether some bits are set ([n]), each by its place in a byte and the byte's place; none beyond the end."""
    if bytes_of.max(initial=0) < len(members):
        has: Held = (members[bytes_of] & bits) > 0
        return has
    is_there = bytes_of < len(members)
    has = np.zeros(len(bits), np.bool_)
    has[is_there] = (members[bytes_of[is_there]] & bits[is_there]) > 0
    return has

"""Which of some memes have which terms: of rare terms by their postings, of frequent ones by a bit for each meme.

The memes of a frequent term are read once it has been asked about so often that to have read them at first would have
cost no more: a library has more frequent terms than queries repeat, and one query in a thousand words.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from search.index.owners import Ids

RARE = 128  # memes with a term, up to which it is rare: its postings are read, and cached
# Postings that are read in the time in which one meme is looked for among a term's.
POSTINGS_PER_ID = 3
CACHED_BYTES = 8_000_000  # of frequent terms' memes: 2,000 terms of 30,000 memes, 64 of a million
_COUNTED = 65_536  # terms of which it is known how often they were asked about
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
        self._most = max(1, CACHED_BYTES // max(1, memes // 8))
        self._lock = threading.Lock()
        self._members: OrderedDict[str, NDArray[np.uint8]] = OrderedDict()  # the one that was used last at the end
        self._asked: dict[str, int] = {}  # memes that each term was asked about, while its own were not known

    def held(self, terms: Sequence[str], ids: Ids) -> Held:
        """Return for each term and each of some memes ([t, n]) whether the meme has the term."""
        found = np.zeros((len(terms), len(ids)), np.bool_)
        bytes_of, bits = ids >> 3, np.left_shift(1, ids & 7).astype(np.uint8)
        asked: dict[str, list[int]] = {}
        for place, term in enumerate(terms):
            if self._frequency(term) <= RARE:
                found[place] = self._has_rare(term, ids)
            elif (members := self._known(term)) is not None:
                found[place] = _bits_at(members, bytes_of, bits)
            else:
                asked.setdefault(term, []).append(place)
        for places, has in zip(asked.values(), self._held_among(list(asked), ids), strict=True):
            found[places] = has
        with self._lock:
            for term in asked:
                if len(self._asked) >= _COUNTED:
                    self._asked.clear()
                self._asked[term] = self._asked.get(term, 0) + len(ids)
        return found

    def prepare(self, terms: Sequence[str]) -> None:
        """Read the memes of those terms that have been asked about so often that it pays."""
        for term in terms:
            if self._asked.get(term, 0) * POSTINGS_PER_ID >= max(1, self._frequency(term)):
                members = self._read_members(term)
                with self._lock:
                    self._asked.pop(term, None)
                    self._members[term] = members
                    while len(self._members) > self._most:
                        self._members.popitem(last=False)

    def _known(self, term: str) -> NDArray[np.uint8] | None:
        with self._lock:
            if term not in self._members:
                return None
            self._members.move_to_end(term)
            return self._members[term]

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

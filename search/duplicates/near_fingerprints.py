"""Similar fingerprints of very many contents, found for some thousands at a time."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from search.images.fingerprints import VIEWS, view_bits
from search.index.vectors.binary import near_rows
from search.index.vectors.owners import OwnedRows

BLOCK = 4096  # contents whose neighbours are found at once: one at a time takes eight times as long
_KEPT = 2  # blocks: threads that ask in order are in one block, or in the next

Neighbors = tuple[NDArray[np.int64], NDArray[np.int64]]


class NearFingerprints:
    """The contents whose fingerprints are near to those of others, which are asked for about in the order of `places`.

    Memory grows with a block, not with the contents, and a run that ends early has compared few that nobody asked for.

    >>> bits = np.array([[0], [1], [255]], np.uint8).repeat(32, axis=1)
    >>> near = NearFingerprints(OwnedRows(np.arange(3), bits), [0, 1, 2], radius=40)
    >>> set(near.of(0)[0].tolist()), set(near.of(2)[0].tolist())
    ({1}, set())
    """

    def __init__(self, bits: OwnedRows, places: Sequence[int], *, radius: int) -> None:
        self._bits = bits
        self._places = np.asarray(places, np.int64)
        self._position = {place: at for at, place in enumerate(places)}
        self._radius = radius
        self._lock = threading.Lock()
        self._blocks: dict[int, dict[int, Neighbors]] = {}

    def of(self, place: int) -> Neighbors:
        """Return the other contents near to one, upright, mirrored or turned, and the differing bits ([n] int64 each).

        A content may be there several times. Any thread may ask.
        """
        number = self._position[place] // BLOCK
        with self._lock:
            if number not in self._blocks:
                while len(self._blocks) >= _KEPT:
                    del self._blocks[next(iter(self._blocks))]
                self._blocks[number] = self._block(self._places[number * BLOCK : (number + 1) * BLOCK])
            return self._blocks[number].get(place, (np.empty(0, np.int64), np.empty(0, np.int64)))

    def _block(self, places: NDArray[np.int64]) -> dict[int, Neighbors]:
        own = np.flatnonzero(np.isin(self._bits.owners, places))
        views = view_bits(self._bits.rows[own]).reshape(-1, self._bits.rows.shape[1])
        pairs, distances = near_rows(views, self._bits.rows, self._radius)
        one, other = self._bits.owners[own][pairs[:, 0] // len(VIEWS)], self._bits.owners[pairs[:, 1]]
        apart = one != other
        one, other, distances = one[apart], other[apart], distances[apart]
        starts = np.flatnonzero(np.diff(one, prepend=-1))
        return {
            int(one[start]): (other[start:end], distances[start:end])
            for start, end in zip(starts, [*starts[1:], len(one)], strict=True)
        }

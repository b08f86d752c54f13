"""Group variants: memes with the same picture and other words, found in a build and shown as one card in an answer."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from search.index.columns import Ids

# Tuned on half of the templates of a library of real-looking memes; `python -m benchmarks.variants` measures them.
ALIKE = 0.9  # least cosine of two pictures' looks
NEAR = 75  # most bits of 256 in which their fingerprints differ; 128 is chance
EVEN = 28  # bits: how far the number of bits set may be from half; flat pictures differ by more
_BLOCK = 1024  # pictures compared at once, to bound memory


def group_variants(
    ids: Ids, looks: NDArray[np.float32], bits: NDArray[np.uint8], *, alike: float = ALIKE, near: int = NEAR
) -> Ids:
    """Return for each meme ([n] int64) the id of the representative of its variants, its own without variants.

    `looks` ([n, d] float32, rows of length 1) and `bits` ([n, 32] uint8, PDQ) are of one frame of each meme. Groups are
    stars: each meme is near its representative, which is the meme with the most neighbours when it is chosen.
    """
    neighbours = _neighbours(looks, bits, alike=alike, near=near)
    representatives = ids.copy()
    taken = np.zeros(len(ids), np.bool_)
    for place in sorted(range(len(ids)), key=lambda at: (-len(neighbours[at]), int(ids[at]))):
        if not taken[place]:
            own = neighbours[place]
            own = own[~taken[own]]
            representatives[own] = ids[place]
            taken[own] = True
            taken[place] = True
    return representatives


def _neighbours(
    looks: NDArray[np.float32], bits: NDArray[np.uint8], *, alike: float, near: int
) -> list[NDArray[np.int64]]:
    """Return the positions of each meme's neighbours, without its own."""
    even = _is_even(bits)
    found: list[NDArray[np.int64]] = []
    for start in range(0, len(looks), _BLOCK):
        alikes = looks[start : start + _BLOCK] @ looks.T >= alike
        for row, others in enumerate(alikes):
            at = start + row
            places = np.flatnonzero(others & even) if even[at] else np.empty(0, np.int64)
            distances = np.bitwise_count(bits[places] ^ bits[at]).sum(axis=1)
            found.append(places[(distances <= near) & (places != at)])
    return found


def find_representative(
    look: NDArray[np.float32],
    bits: NDArray[np.uint8],
    *,
    ids: Ids,
    looks: NDArray[np.float32],
    fingerprint_of: Callable[[int], NDArray[np.uint8] | None],
    alike: float = ALIKE,
    near: int = NEAR,
) -> int | None:
    """Return the id of the most similar representative that a new meme is a variant of, None for no variant.

    `ids` ([n]) and `looks` ([n, d]) are of the representatives; `fingerprint_of` returns a representative's fingerprint
    by id, or None, and is called for few.
    """
    if not _is_even(bits[None])[0]:
        return None
    alikes = looks @ look
    for place in np.argsort(-alikes, kind="stable")[: int(np.count_nonzero(alikes >= alike))]:
        other = fingerprint_of(int(ids[place]))
        if other is not None and int(np.bitwise_count(other ^ bits).sum()) <= near:
            return int(ids[place])
    return None


def _is_even(bits: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Return which fingerprints ([n, bytes]) can be compared ([n] bool): those of flat pictures cannot."""
    return np.abs(np.bitwise_count(bits).sum(axis=1).astype(np.int64) - 4 * bits.shape[1]) <= EVEN


def first_of_each_group(groups: Ids) -> NDArray[np.int64]:
    """Return the rising positions ([m]) of the first member of each group in a ranking; `groups` ([n]) are its groups.

    >>> first_of_each_group(np.array([7, 3, 7, 9])).tolist()
    [0, 1, 3]
    """
    return np.sort(np.unique(groups, return_index=True)[1])

"""Which memes are one picture with other words: found when the index is built, one card in an answer."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from search.index.columns import Ids

# Tuned on half of the templates of a library of real-looking memes; `python -m benchmarks.variants` says how well.
ALIKE = 0.9  # least cosine of two pictures' looks
NEAR = 75  # most bits of 256 in which their fingerprints differ; 128 is chance
EVEN = 28  # bits: how far from half a fingerprint's may be set; a flat picture's are not worth comparing
_BLOCK = 1024  # pictures compared at once, to bound memory


def group_variants(
    ids: Ids, looks: NDArray[np.float32], bits: NDArray[np.uint8], *, alike: float = ALIKE, near: int = NEAR
) -> Ids:
    """Return for each meme ([n]) the id of the one that stands for it, itself when it has no variants.

    `looks` ([n, d], rows of length 1) and `bits` ([n, 32], PDQ) are of one frame of each meme. Groups are stars: each
    meme is a variant of the one that stands for it, and that is the one with the most relatives not yet taken.
    """
    neighbours = _neighbours(looks, bits, alike=alike, near=near)
    standing = ids.copy()
    taken = np.zeros(len(ids), np.bool_)
    for place in sorted(range(len(ids)), key=lambda at: (-len(neighbours[at]), int(ids[at]))):
        if not taken[place]:
            own = neighbours[place]
            own = own[~taken[own]]
            standing[own] = ids[place]
            taken[own] = True
            taken[place] = True
    return standing


def _neighbours(
    looks: NDArray[np.float32], bits: NDArray[np.uint8], *, alike: float, near: int
) -> list[NDArray[np.int64]]:
    """Return the places of each meme's variants, without its own."""
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
    bits_of: Callable[[int], NDArray[np.uint8] | None],
    alike: float = ALIKE,
    near: int = NEAR,
) -> int | None:
    """Return which of the memes that stand for others ([n] ids and looks) a new one is a variant of, the most alike.

    `bits_of` gives the fingerprint of one of them, or None when it has none; it is asked of few.
    """
    if not _is_even(bits[None])[0]:
        return None
    alikes = looks @ look
    for place in np.argsort(-alikes, kind="stable")[: int(np.count_nonzero(alikes >= alike))]:
        other = bits_of(int(ids[place]))
        if other is not None and int(np.bitwise_count(other ^ bits).sum()) <= near:
            return int(ids[place])
    return None


def _is_even(bits: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Return which fingerprints ([n, bytes]) say something: those of flat pictures are not worth comparing."""
    return np.abs(np.bitwise_count(bits).sum(axis=1).astype(np.int64) - 4 * bits.shape[1]) <= EVEN


def first_of_each_group(groups: Ids) -> NDArray[np.int64]:
    """Return the rising places ([m]) of the first of each group, in a ranking's groups ([n])."""
    return np.sort(np.unique(groups, return_index=True)[1])

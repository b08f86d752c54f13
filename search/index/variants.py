"""Group variants: memes with the same picture and other words, found in a build and shown as one card in an answer."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from search.encoders.base import unit_rows
from search.index.columns import Ids

# Tuned on half of the templates of a library of real-looking memes; `python -m benchmarks.variants` measures them.
ALIKE = 0.9  # least cosine of two pictures' looks
NEAR = 75  # most bits of 256 in which their fingerprints differ; 128 is chance
EVEN = 28  # bits: how far the number of bits set may be from half; flat pictures differ by more
EXACT_UP_TO = 20_000  # pictures whose pairs are all compared: 7 processor seconds, and 28 for twice as many
_BLOCK = 1024  # pictures compared at once, to bound memory
_PAIRS = 16_384  # pairs compared exactly at once
_TRAINING_ROWS_A_LIST = 40
_LISTS_SEARCHED = 16  # of 4 √n: pictures as near as ALIKE lie in the nearest lists
_CODE_ERROR = 0.01  # of a cosine, by 8-bit codes; pairs that they propose are compared exactly
_untyped: Any = faiss  # faiss's type stubs lack the parameters of range searches


def group_variants(
    ids: Ids,
    looks: NDArray[np.floating],
    bits: NDArray[np.uint8],
    *,
    alike: float = ALIKE,
    near: int = NEAR,
    exact_up_to: int = EXACT_UP_TO,
) -> Ids:
    """Return for each meme ([n] int64) the id of the representative of its variants, its own without variants.

    `looks` ([n, d]) and `bits` ([n, 32] uint8, PDQ) are of one frame of each meme. Groups are stars: each meme is near
    its representative, which is the meme with the most neighbours when it is chosen. Up to `exact_up_to` memes, all
    pairs are compared; beyond, those that an inverted file of the looks proposes, so that the time grows with n √n
    (`python -m benchmarks.variants` says how many pairs that misses).
    """
    one, other = _neighbors(looks, bits, alike=alike, near=near, exact_up_to=exact_up_to)
    counts = np.bincount(one, minlength=len(ids))
    starts = np.cumsum(counts) - counts
    representatives = ids.copy()
    taken = np.zeros(len(ids), np.bool_)
    order = np.lexsort((ids, -counts))
    for place in order[: np.count_nonzero(counts)].tolist():
        if not taken[place]:
            own = other[starts[place] : starts[place] + counts[place]]
            own = own[~taken[own]]
            representatives[own] = ids[place]
            taken[own] = True
            taken[place] = True
    return representatives


def _neighbors(
    looks: NDArray[np.floating], bits: NDArray[np.uint8], *, alike: float, near: int, exact_up_to: int
) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Return all pairs of a meme and a neighbour ([m] positions each, the first rising): both ways round."""
    comparable = np.flatnonzero(is_even(bits)).astype(np.int32)
    found: list[tuple[NDArray[np.int32], NDArray[np.int32]]] = [(comparable[:0], comparable[:0])]
    alikes = _all_alikes if len(comparable) <= exact_up_to else _proposed_alikes
    for at, others in alikes(looks, comparable, alike):
        one, other = comparable[at], comparable[others]
        is_near = np.concatenate(
            [
                np.bitwise_count(bits[one[some]] ^ bits[other[some]]).sum(axis=1) <= near
                for some in _slices(len(one), _PAIRS)
            ]
            or [np.empty(0, np.bool_)]
        )
        is_near &= one != other
        found.append((one[is_near], other[is_near]))
    return np.concatenate([one for one, _ in found]), np.concatenate([other for _, other in found])


Alikes = Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]  # pairs of positions among `places`, the first rising


def _all_alikes(looks: NDArray[np.floating], places: NDArray[np.int32], alike: float) -> Alikes:
    """Yield the pairs of pictures with a cosine of at least `alike`, comparing each with each."""
    rows = unit_rows(looks[places])
    for some in _slices(len(rows), _BLOCK):
        at, others = np.nonzero(rows[some] @ rows.T >= alike)
        yield at + some.start, others


def _proposed_alikes(looks: NDArray[np.floating], places: NDArray[np.int32], alike: float) -> Alikes:
    """Yield nearly all pairs with a cosine of at least `alike`: those that an inverted file of codes proposes."""
    lists = min(int(4 * np.sqrt(len(places))), len(places))
    index: Any = faiss.index_factory(looks.shape[1], f"IVF{lists},SQ8", faiss.METRIC_INNER_PRODUCT)
    sample = np.random.default_rng(0).choice(places, min(len(places), _TRAINING_ROWS_A_LIST * lists), replace=False)
    index.train(unit_rows(looks[np.sort(sample)]))
    for some in _slices(len(places), _BLOCK):
        index.add(unit_rows(looks[places[some]]))
    parameters = _untyped.SearchParametersIVF(nprobe=_LISTS_SEARCHED)
    for some in _slices(len(places), _BLOCK):
        rows = unit_rows(looks[places[some]])
        limits, _, others = index.range_search(rows, alike - _CODE_ERROR, params=parameters)
        at = np.repeat(np.arange(len(rows)), np.diff(limits).astype(np.int64))
        is_alike = np.concatenate(
            [
                np.einsum("ij,ij->i", rows[at[few]], unit_rows(looks[places[others[few]]])) >= alike
                for few in _slices(len(at), _PAIRS)
            ]
            or [np.empty(0, np.bool_)]
        )
        yield at[is_alike] + some.start, others[is_alike]


def _slices(count: int, size: int) -> Iterator[slice]:
    return (slice(start, min(start + size, count)) for start in range(0, count, size))


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
    if not is_even(bits[None])[0]:
        return None
    alikes = looks @ look
    for place in np.argsort(-alikes, kind="stable")[: int(np.count_nonzero(alikes >= alike))]:
        other = fingerprint_of(int(ids[place]))
        if other is not None and int(np.bitwise_count(other ^ bits).sum()) <= near:
            return int(ids[place])
    return None


def is_even(bits: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Return which fingerprints ([n, bytes]) can be compared ([n] bool): those of flat pictures cannot."""
    return np.abs(np.bitwise_count(bits).sum(axis=1).astype(np.int64) - 4 * bits.shape[1]) <= EVEN


def first_of_each_group(groups: Ids) -> NDArray[np.int64]:
    """Return the rising positions ([m]) of the first member of each group in a ranking; `groups` ([n]) are its groups.

    >>> first_of_each_group(np.array([7, 3, 7, 9])).tolist()
    [0, 1, 3]
    """
    return np.sort(np.unique(groups, return_index=True)[1])

"""Indexes of binary fingerprints: exact search by meme, and all near pairs among many fingerprints."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from search.errors import IndexUnusable
from search.index.faiss_files import write_faiss
from search.index.owners import (
    REBUILD_HINT,
    Distances,
    Ids,
    OwnedRows,
    Owners,
    best_per_owner,
    check_owners,
    check_rising,
    damaged,
)

HASHED_BEYOND = 100_000  # fingerprints: exact pairs take 7 s for these, and a hundred times that for a million
HASHED_RADIUS = 31  # of 256 bits: fingerprints that differ in more agree in too few samples
MOST_NEAR = 64  # pairs of one fingerprint: blank pictures are all alike
_HASHES, _HASHED_BITS = 12, 20
_QUERIES = 1000  # fingerprints searched at once
_CHUNK = 65536  # fingerprints permuted at once


def build_binary(folder: Path, bits: NDArray[np.uint8], *, owners: Owners) -> None:
    """Write an exact index of fingerprints ([n, bytes] uint8) into a new folder.

    `owners` ([n] int64, rising) are the ids of their memes. Raises ValueError for other shapes, types or orders.
    """
    if bits.ndim != 2 or bits.dtype != np.uint8 or not bits.shape[1] or owners.shape != (len(bits),):
        raise ValueError(f"owners of shape {owners.shape} do not fit {bits.dtype} fingerprints of shape {bits.shape}")
    check_rising(owners)
    folder.mkdir(parents=True)
    index = faiss.IndexBinaryFlat(8 * bits.shape[1])
    index.add(np.ascontiguousarray(bits))
    np.save(folder / "owners.npy", owners.astype(np.int64))
    write_faiss(index, folder / "index.faiss", write=faiss.write_index_binary)


def extend_binary(source: Path, folder: Path, bits: NDArray[np.uint8], *, owners: Owners, without: Ids) -> int:
    """Write an index with the fingerprints of another, except those of memes in `without`, and new ones.

    Returns the number of fingerprints. As with `extend_dense`, the owners of the new ones must be in `without`.
    """
    known = BinaryIndex.open(source)
    kept = ~np.isin(known.owners, without)
    flat: Any = faiss.downcast_IndexBinary(known.index)
    rows = faiss.vector_to_array(flat.xb).reshape(len(known), -1)
    every = np.concatenate([known.owners[kept], owners])
    order = np.argsort(every, kind="stable")
    build_binary(folder, np.concatenate([rows[kept], bits])[order], owners=every[order])
    return len(every)


def near_pairs(codes: NDArray[np.uint8], radius: int) -> tuple[Ids, Distances]:
    """Return the pairs of fingerprints that differ in at most `radius` bits, and in how many bits each pair differs.

    `codes` are [m, bytes] uint8. Pairs are [n, 2] int64 positions, the lower first, in rising order; distances are [n]
    int64. Each fingerprint counts only its MOST_NEAR nearest. Up to HASHED_BEYOND fingerprints, and for a radius above
    HASHED_RADIUS, the search is exact. Beyond, it finds pairs that agree in one of _HASHES samples of bits but for one
    bit: nearly all (benchmarks/duplicates_scale.py counts those missed). Raises ValueError for other shapes or types.

    >>> pairs, distances = near_pairs(np.array([[0b0000], [0b0001], [0b1110]], np.uint8), 1)
    >>> pairs.tolist(), distances.tolist()
    ([[0, 1]], [1])
    """
    if codes.ndim != 2 or codes.dtype != np.uint8:
        raise ValueError(f"fingerprints of shape {codes.shape} and type {codes.dtype} are not [n, bytes] of uint8")
    count, bits = len(codes), 8 * codes.shape[1]
    index: faiss.IndexBinary = faiss.IndexBinaryFlat(bits)
    if count > HASHED_BEYOND and radius <= HASHED_RADIUS:
        # A sample is a run of bits, and neighbouring bits are correlated, so bits are permuted first.
        codes = _permuted(codes)
        index = faiss.IndexBinaryMultiHash(bits, _HASHES, _HASHED_BITS)
        index.nflip = 1
    index.add(codes)
    keys, distances = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    for start in range(0, count, _QUERIES):
        limits, apart, rows = index.range_search(codes[start : start + _QUERIES], radius + 1)
        queries = start + np.repeat(np.arange(len(limits) - 1), np.diff(limits).astype(np.int64))
        others = np.flatnonzero(rows != queries)
        others = others[np.lexsort((apart[others], queries[others]))]
        one, other = queries[others], rows[others]
        nearest = np.arange(len(one)) - np.searchsorted(one, one) < MOST_NEAR
        keys.append((np.minimum(one, other) * count + np.maximum(one, other))[nearest])
        distances.append(apart[others][nearest].astype(np.int64))
    found, first = np.unique(np.concatenate(keys), return_index=True)
    return np.column_stack([found // max(count, 1), found % max(count, 1)]), np.concatenate(distances)[first]


def near_rows(queries: NDArray[np.uint8], codes: NDArray[np.uint8], radius: int) -> tuple[Ids, Distances]:
    """Return the pairs of a query and a fingerprint that differ in at most `radius` bits, and in how many bits.

    Both are [n, bytes] uint8. Pairs are [n, 2] int64, the query's position first; each query counts only its MOST_NEAR
    nearest. The search is exact.

    >>> pairs, distances = near_rows(np.array([[0b0011]], np.uint8), np.array([[0b0001], [0b1110]], np.uint8), 1)
    >>> pairs.tolist(), distances.tolist()
    ([[0, 0]], [1])
    """
    index: faiss.IndexBinary = faiss.IndexBinaryFlat(8 * codes.shape[1])
    index.add(codes)
    pairs, distances = [np.empty((0, 2), np.int64)], [np.empty(0, np.int64)]
    for start in range(0, len(queries), _QUERIES):
        limits, apart, rows = index.range_search(queries[start : start + _QUERIES], radius + 1)
        own = start + np.repeat(np.arange(len(limits) - 1), np.diff(limits).astype(np.int64))
        order = np.lexsort((apart, own))
        own, rows, apart = own[order], rows[order], apart[order]
        nearest = np.arange(len(own)) - np.searchsorted(own, own) < MOST_NEAR
        pairs.append(np.column_stack([own, rows])[nearest].astype(np.int64))
        distances.append(apart[nearest].astype(np.int64))
    return np.concatenate(pairs), np.concatenate(distances)


def _permuted(codes: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return fingerprints with their bits in a random order, the same for all."""
    order = np.random.default_rng(0).permutation(8 * codes.shape[1])
    mixed = np.empty_like(codes)
    for start in range(0, len(codes), _CHUNK):
        some = slice(start, start + _CHUNK)
        mixed[some] = np.packbits(np.unpackbits(codes[some], axis=1)[:, order], axis=1)
    return mixed


def _first_rows(owners: Owners) -> NDArray[np.int64]:
    return np.flatnonzero(np.diff(owners, prepend=owners[:1] - 1))


@dataclass(frozen=True)
class BinaryIndex:
    """An opened, immutable index of fingerprints; any thread may search it."""

    index: faiss.IndexBinary
    owners: Owners
    starts: NDArray[np.int64]  # each meme's first row

    @classmethod
    def open(cls, folder: Path) -> BinaryIndex:
        """Return the index in a folder; raise IndexUnusable when it is missing or damaged."""
        try:
            index = faiss.read_index_binary(str(folder / "index.faiss"))
            owners = np.load(folder / "owners.npy")
        except (OSError, ValueError, RuntimeError, EOFError) as error:
            raise damaged(folder, error) from error
        check_owners(folder, owners, rows=index.ntotal)
        return cls(index, owners, _first_rows(owners))

    @classmethod
    def of(cls, fingerprints: OwnedRows) -> BinaryIndex:
        """Return an index of fingerprints ([n, bytes] uint8) in memory.

        >>> index = BinaryIndex.of(OwnedRows(np.array([3, 5]), np.array([[0b0001], [0b1111]], np.uint8)))
        >>> index.within(np.array([0b0011], np.uint8), 1)[0].tolist()
        [3]
        """
        check_rising(fingerprints.owners)
        index = faiss.IndexBinaryFlat(8 * fingerprints.rows.shape[1])
        index.add(np.ascontiguousarray(fingerprints.rows))
        return cls(index, fingerprints.owners, _first_rows(fingerprints.owners))

    def __len__(self) -> int:
        return len(self.owners)

    def search(self, bits: NDArray[np.uint8], k: int) -> tuple[Ids, Distances]:
        """Return the ids of the k memes nearest to a fingerprint ([bytes] uint8), and the distances in bits.

        Both are [≤ k] int64, nearest first, ties by id. Raises IndexUnusable when the fingerprint has another length.
        """
        distances, rows = self._distances(bits, self.index.d)
        if k <= 0 or not len(rows):
            return np.empty(0, np.int64), np.empty(0, np.int64)
        nearest = np.empty(len(self), np.int64)
        nearest[rows] = distances
        nearest = np.minimum.reduceat(nearest, self.starts)
        # Copies of one picture tie: of all that are as near as the k-th, the lowest ids are returned.
        farthest = np.partition(nearest, k - 1)[k - 1] if k < len(nearest) else self.index.d
        among = np.flatnonzero(nearest <= farthest)
        among = among[np.argsort(nearest[among], kind="stable")][:k]
        return self.owners[self.starts[among]], nearest[among]

    def within(self, bits: NDArray[np.uint8], radius: int) -> tuple[Ids, Distances]:
        """Return the ids of all memes at most `radius` bits from a fingerprint, and the distances, as `search` does."""
        distances, rows = self._distances(bits, radius)
        ids, nearness = best_per_owner(self.owners[rows], -distances.astype(np.float32), len(rows))
        return ids, -nearness.astype(np.int64)

    def _distances(self, bits: NDArray[np.uint8], radius: int) -> tuple[Distances, NDArray[np.int64]]:
        """Return the distances of the rows at most `radius` bits away, and the rows' positions."""
        if bits.shape != (self.index.d // 8,) or bits.dtype != np.uint8:
            raise IndexUnusable(
                f"A fingerprint of shape {bits.shape} does not fit an index of {self.index.d} bits.", hint=REBUILD_HINT
            )
        if not len(self) or radius < 0:
            return np.empty(0, np.int64), np.empty(0, np.int64)
        # faiss excludes the radius itself. A range search is fast (1 ms for 200,000 rows) and returns all ties.
        _, distances, rows = self.index.range_search(np.ascontiguousarray(bits)[None], radius + 1)
        return distances.astype(np.int64), rows

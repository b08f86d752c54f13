"""Indexes of binary fingerprints: exact search by meme, and all near pairs among many fingerprints.

As a dense index, one that was extended may have a second, small part beside the main one.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from search.errors import IndexUnusable
from search.index.columns import are_among
from search.index.generations import link_file
from search.index.opened import OpenedFiles
from search.index.vectors.faiss_files import write_faiss
from search.index.vectors.owners import (
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
ONE_PART_UP_TO = 100_000  # fingerprints: to write them all again takes no longer than a second part
MERGED_SHARE = 0.2  # of the fingerprints, added or removed, from which an extension writes one part again
_OWNERS_FILE, _BITS_FILE, _REMOVED_FILE, _ADDED = "owners.npy", "index.faiss", "removed.npy", "added"


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
    np.save(folder / _OWNERS_FILE, owners.astype(np.int64))
    write_faiss(index, folder / _BITS_FILE, write=faiss.write_index_binary)


def extend_binary(source: Path, folder: Path, bits: NDArray[np.uint8], *, owners: Owners, without: Ids) -> int:
    """Write an index with the fingerprints of another, except those of memes in `without`, and new ones.

    Returns the number of fingerprints. As with `extend_dense`, the owners of the new ones must be in `without`.
    """
    known = BinaryIndex.open(source)
    main, added = known.main, known.added or known.main.without_all()
    kept = ~are_among(added.owners, np.unique(without))
    every = np.concatenate([added.owners[kept], owners])
    rows = np.concatenate([added.rows[kept], bits])
    removed = np.union1d(known.removed, without[are_among(without, main.owners)])
    changed = len(every) + len(removed)
    if len(main.owners) <= ONE_PART_UP_TO or changed > MERGED_SHARE * len(main.owners):
        left = ~are_among(main.owners, removed)
        every, rows = np.concatenate([main.owners[left], every]), np.concatenate([main.rows[left], rows])
        target = folder
    else:
        folder.mkdir(parents=True)
        for name in (_OWNERS_FILE, _BITS_FILE):
            link_file(source / name, folder / name)
        np.save(folder / _REMOVED_FILE, removed)
        target = folder / _ADDED
    order = np.argsort(every, kind="stable")
    build_binary(target, rows[order], owners=every[order])
    return len(BinaryIndex.open(folder))


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


@dataclass(frozen=True)
class BinaryRows:
    """Fingerprints and their owners in one set of files."""

    index: faiss.IndexBinary
    owners: Owners

    @classmethod
    def open(cls, folder: Path) -> BinaryRows:
        """Return the part in a folder; raise IndexUnusable when it is missing or damaged."""
        return _opened.get([folder / _OWNERS_FILE, folder / _BITS_FILE], lambda: cls._read(folder))

    @classmethod
    def _read(cls, folder: Path) -> BinaryRows:
        try:
            index = faiss.read_index_binary(str(folder / _BITS_FILE))
            owners = np.load(folder / _OWNERS_FILE)
        except (OSError, ValueError, RuntimeError, EOFError) as error:
            raise damaged(folder, error) from error
        check_owners(folder, owners, rows=index.ntotal)
        return cls(index, owners)

    @property
    def rows(self) -> NDArray[np.uint8]:
        """The fingerprints, [n, bytes]."""
        flat: Any = faiss.downcast_IndexBinary(self.index)
        return faiss.vector_to_array(flat.xb).reshape(len(self.owners), self.index.d // 8)

    def without_all(self) -> BinaryRows:
        """Return an empty part of fingerprints of this length."""
        return BinaryRows(faiss.IndexBinaryFlat(self.index.d), self.owners[:0])

    def near(self, bits: NDArray[np.uint8], radius: int) -> tuple[NDArray[np.int64], Distances]:
        """Return the rows at most `radius` bits from a fingerprint, and the distances."""
        if not len(self.owners):
            return np.empty(0, np.int64), np.empty(0, np.int64)
        # faiss excludes the radius itself. A range search is fast (1 ms for 200,000 rows) and returns all ties.
        _, distances, rows = self.index.range_search(np.ascontiguousarray(bits)[None], radius + 1)
        return rows, distances.astype(np.int64)


_opened = OpenedFiles[BinaryRows]()


@dataclass(frozen=True)
class BinaryIndex:
    """An opened, immutable index of fingerprints; any thread may search it."""

    main: BinaryRows
    added: BinaryRows | None = None
    removed: Ids = field(default_factory=lambda: np.empty(0, np.int64))  # memes whose main rows no longer count

    @classmethod
    def open(cls, folder: Path) -> BinaryIndex:
        """Return the index in a folder; raise IndexUnusable when it is missing or damaged."""
        main = BinaryRows.open(folder)
        if not (folder / _ADDED).is_dir():
            return cls(main)
        try:
            removed = np.load(folder / _REMOVED_FILE)
        except (OSError, ValueError, EOFError) as error:
            raise damaged(folder, error) from error
        return cls(main, BinaryRows.open(folder / _ADDED), removed)

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
        return cls(BinaryRows(index, fingerprints.owners))

    def __len__(self) -> int:
        first, end = (np.searchsorted(self.main.owners, self.removed, side) for side in ("left", "right"))
        return sum(len(part.owners) for part in self._parts) - int((end - first).sum())

    @property
    def _parts(self) -> list[BinaryRows]:
        return [self.main] if self.added is None else [self.main, self.added]

    def search(self, bits: NDArray[np.uint8], k: int) -> tuple[Ids, Distances]:
        """Return the ids of the k memes nearest to a fingerprint ([bytes] uint8), and the distances in bits.

        Both are [≤ k] int64, nearest first, ties by id. Raises IndexUnusable when the fingerprint has another length.
        """
        ids, distances = self.within(bits, self.main.index.d)
        return ids[: max(k, 0)], distances[: max(k, 0)]

    def within(self, bits: NDArray[np.uint8], radius: int) -> tuple[Ids, Distances]:
        """Return the ids of all memes at most `radius` bits from a fingerprint, and the distances, as `search` does."""
        if bits.shape != (self.main.index.d // 8,) or bits.dtype != np.uint8:
            raise IndexUnusable(
                f"A fingerprint of shape {bits.shape} does not fit an index of {self.main.index.d} bits.",
                hint=REBUILD_HINT,
            )
        if radius < 0:
            return np.empty(0, np.int64), np.empty(0, np.int64)
        owners, distances = np.empty(0, np.int64), np.empty(0, np.int64)
        for part in self._parts:
            rows, far = part.near(bits, radius)
            own = part.owners[rows]
            kept = ~are_among(own, self.removed) if part is self.main else np.ones(len(own), np.bool_)
            owners, distances = np.concatenate([owners, own[kept]]), np.concatenate([distances, far[kept]])
        ids, nearness = best_per_owner(owners, -distances.astype(np.float32), len(owners))
        return ids, -nearness.astype(np.int64)

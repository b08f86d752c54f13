"""Vector indexes: several rows a meme, answered by meme. The only faiss.

Up to EXACT_UP_TO rows the search is exact: half-precision rows, which lose nothing against the catalogue's own float16.
Beyond, it is an inverted file of 8-bit codes that looks into the nearest lists alone. Fingerprints have an exact binary index.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import faiss
import numpy as np
from numpy.typing import NDArray

from search.errors import IndexUnusable

EXACT_UP_TO = 500_000  # rows; see benchmarks/vectors.py
_LISTS_SEARCHED = 32
_TRAINING_ROWS = 200_000

Rows = NDArray[np.float16]  # [n, d], rows of length 1
Owners = NDArray[np.int64]  # [n], the meme of each row, rising
Ids = NDArray[np.int64]
Similarities = NDArray[np.float32]  # cosine, higher is better


def use_threads(threads: int) -> None:
    """Let one search use this many threads; a server with many requests at once is best with one."""
    faiss.omp_set_num_threads(max(1, threads))


def build_vectors(folder: Path, vectors: Rows, *, owners: Owners) -> None:
    """Write an index of unit rows ([n, d] float16) that belong to memes ([n] int64, rising) into a new folder."""
    if vectors.ndim != 2 or len(vectors) != len(owners):
        raise ValueError(f"{len(owners)} owners do not fit vectors of shape {vectors.shape}")
    if len(owners) and (np.diff(owners) < 0).any():
        raise ValueError("owners must rise")
    folder.mkdir(parents=True)
    rows, dimensions = vectors.shape
    np.save(folder / "owners.npy", owners.astype(np.int64))
    np.save(folder / "rows.npy", vectors.astype(np.float16))
    if rows <= EXACT_UP_TO:
        index = faiss.IndexScalarQuantizer(dimensions, faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_INNER_PRODUCT)
    else:
        lists = int(4 * np.sqrt(rows))
        index = faiss.index_factory(dimensions, f"IVF{lists},SQ8", faiss.METRIC_INNER_PRODUCT)
        index.nprobe = _LISTS_SEARCHED
        sample = np.random.default_rng(0).choice(rows, min(rows, _TRAINING_ROWS), replace=False)
        index.train(vectors[np.sort(sample)].astype(np.float32))
    for start in range(0, rows, 65536):
        index.add(vectors[start : start + 65536].astype(np.float32))
    faiss.write_index(index, str(folder / "index.faiss"))


@dataclass(frozen=True)
class VectorIndex:
    """An opened index. It never changes; any thread may search it."""

    index: faiss.Index
    owners: Owners
    rows: Rows

    @classmethod
    def open(cls, folder: Path, *, dimensions: int) -> VectorIndex:
        """Return the index in a folder; raise IndexUnusable when it is missing, damaged or of other dimensions."""
        try:
            owners = np.load(folder / "owners.npy")
            rows = np.load(folder / "rows.npy", mmap_mode="r")
            index = faiss.read_index(str(folder / "index.faiss"))
        except (OSError, ValueError, RuntimeError, EOFError) as error:
            raise IndexUnusable(
                f"The vectors in {folder} are damaged: {error}.", hint="Run `memetica index`."
            ) from error
        if not (index.ntotal == len(owners) == len(rows)):
            raise IndexUnusable(f"The vectors in {folder} do not fit together.", hint="Run `memetica index`.")
        if index.d != dimensions:
            raise IndexUnusable(
                f"The vectors in {folder} have {index.d} numbers; the encoder makes {dimensions}.",
                hint="Run `memetica index`.",
            )
        return cls(index, owners, rows)

    def __len__(self) -> int:
        return len(self.owners)

    def search(self, query: NDArray[np.float32], k: int) -> tuple[Ids, Similarities]:
        """Return the ids of the k memes with the nearest row to a query ([d] float32), and the similarities, best first."""
        query = self._checked(query)
        wanted = min(4 * k, len(self))
        while wanted > 0:
            scores, rows = self.index.search(query, wanted)
            there = rows[0] >= 0  # short answers are padded with −1
            ids, best = _best_of_each(self.owners[rows[0][there]], scores[0][there])
            if len(ids) >= k or wanted == len(self) or not there.all():
                return ids[:k], best[:k]
            wanted = min(4 * wanted, len(self))
        return np.empty(0, np.int64), np.empty(0, np.float32)

    def scores(self, query: NDArray[np.float32], *, ids: Ids, best: int = 1) -> Similarities:
        """Return, for each meme ([n]), the mean similarity of its `best` nearest rows; NaN where it has no row."""
        query = self._checked(query)[0]
        first = np.searchsorted(self.owners, ids, "left")
        counts = np.searchsorted(self.owners, ids, "right") - first
        found = np.full(len(ids), np.nan, np.float32)
        if not counts.any():
            return found
        starts = np.cumsum(counts) - counts
        places = np.arange(counts.sum()) - np.repeat(starts, counts) + np.repeat(first, counts)
        similarities = self.rows[places].astype(np.float32) @ query
        has = counts > 0
        if best == 1:
            found[has] = np.maximum.reduceat(similarities, starts[has])
            return found
        for at in np.flatnonzero(has):
            own = np.sort(similarities[starts[at] : starts[at] + counts[at]])
            found[at] = own[-best:].mean()
        return found

    def rows_of(self, id: int) -> NDArray[np.float32]:
        """Return a meme's rows ([m, d] float32)."""
        first, last = np.searchsorted(self.owners, [id, id + 1])
        return np.asarray(self.rows[first:last], np.float32)

    def _checked(self, query: NDArray[np.float32]) -> NDArray[np.float32]:
        if query.shape != (self.index.d,):
            raise IndexUnusable(
                f"A query of shape {query.shape} does not fit an index of {self.index.d} numbers.",
                hint="Run `memetica index`.",
            )
        return np.ascontiguousarray(query, np.float32)[None]


def _best_of_each(owners: Ids, scores: Similarities) -> tuple[Ids, Similarities]:
    """Return each owner once with its best score, best first, ties by id."""
    order = np.lexsort((owners, -scores))
    owners, scores = owners[order], scores[order]
    _, first = np.unique(owners, return_index=True)
    first.sort()
    return owners[first], scores[first]


def build_fingerprints(folder: Path, bits: NDArray[np.uint8], *, owners: Owners) -> None:
    """Write an exact index of fingerprints ([n, bytes] uint8) that belong to memes ([n] int64, rising) into a new folder."""
    folder.mkdir(parents=True)
    index = faiss.IndexBinaryFlat(8 * bits.shape[1])
    index.add(np.ascontiguousarray(bits))
    np.save(folder / "owners.npy", owners.astype(np.int64))
    faiss.write_index_binary(index, str(folder / "index.faiss"))


@dataclass(frozen=True)
class BinaryIndex:
    """An opened index of fingerprints. It never changes; any thread may search it."""

    index: faiss.IndexBinary
    owners: Owners

    @classmethod
    def open(cls, folder: Path) -> BinaryIndex:
        """Return the index in a folder; raise IndexUnusable when it is missing or damaged."""
        try:
            found = cls(faiss.read_index_binary(str(folder / "index.faiss")), np.load(folder / "owners.npy"))
        except (OSError, ValueError, RuntimeError, EOFError) as error:
            raise IndexUnusable(
                f"The fingerprints in {folder} are damaged: {error}.", hint="Run `memetica index`."
            ) from error
        if found.index.ntotal != len(found.owners):
            raise IndexUnusable(f"The fingerprints in {folder} do not fit together.", hint="Run `memetica index`.")
        return found

    def __len__(self) -> int:
        return len(self.owners)

    def search(self, bits: NDArray[np.uint8], k: int) -> tuple[Ids, NDArray[np.int64]]:
        """Return the ids of the k memes nearest to a fingerprint ([bytes] uint8), and how many bits differ, nearest first."""
        if not len(self):
            return np.empty(0, np.int64), np.empty(0, np.int64)
        distances, rows = self.index.search(np.ascontiguousarray(bits)[None], min(4 * k, len(self)))
        there = rows[0] >= 0
        ids, nearness = _best_of_each(self.owners[rows[0][there]], -distances[0][there].astype(np.float32))
        return ids[:k], (-nearness[:k]).astype(np.int64)

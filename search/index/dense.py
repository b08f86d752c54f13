"""Dense indexes: rows of length 1, several a meme, searched by cosine and answered by meme.

Up to EXACT_UP_TO rows a search scans all of them in half precision, the precision of the catalogue. Beyond, an inverted
file of 8-bit codes proposes rows, and their scores are computed from the half-precision rows: a score is always exact.
"""

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
    Ids,
    Owners,
    Similarities,
    best_per_owner,
    check_owners,
    check_rising,
    damaged,
)

EXACT_UP_TO = 500_000  # rows: about 30 ms a search, where 200,000 take 5 to 11 (benchmarks/dense.py)
LENGTH_TOLERANCE = 5e-3  # of a row's length from 1; float16 costs 1e-3
_CHUNK = 65536  # rows copied at once during a build
_TRAINING_ROWS_A_LIST = 64
_LISTS_SEARCHED = 1 / 8  # share of the lists that a search visits: recall@10 is .98, for 1/16 .93 (random rows)
_PROPOSED = 8  # rows that the codes propose for each meme wanted
_COPIED_SHARE = 0.03  # up to this share of the rows, copying the allowed ones is faster than skipping the others
_untyped: Any = faiss  # faiss's type stubs have no keyword arguments and arrays

Rows = NDArray[np.float16]  # [n, d], rows of length 1


def build_dense(folder: Path, vectors: Rows | NDArray[np.float32], *, owners: Owners) -> None:
    """Write an index of rows of length 1 ([n, d]) into a new folder; they are stored as float16.

    `owners` ([n] int64, rising) are the ids of their memes. Raises ValueError when rows and owners do not fit, or rows
    are not finite or not of length 1.
    """
    _write(folder, _checked(vectors, owners), owners, coded=len(vectors) > EXACT_UP_TO)


def _checked(vectors: Rows | NDArray[np.float32], owners: Owners) -> Rows:
    """Return rows as float16; raise ValueError as `build_dense` does."""
    if vectors.ndim != 2 or not vectors.shape[1] or owners.shape != (len(vectors),):
        raise ValueError(f"owners of shape {owners.shape} do not fit vectors of shape {vectors.shape}")
    check_rising(owners)
    rows = np.ascontiguousarray(vectors, np.float16)
    for start in range(0, len(rows), _CHUNK):
        lengths = np.linalg.norm(rows[start : start + _CHUNK].astype(np.float32), axis=1)
        # In this form, NaN fails too.
        if not (np.abs(lengths - 1) <= LENGTH_TOLERANCE).all():
            raise ValueError("rows must be finite and of length 1")
    return rows


def _write(folder: Path, rows: Rows, owners: Owners, *, coded: bool) -> None:
    exact = _half_precision(rows.shape[1])
    for start in range(0, len(rows), _CHUNK):
        exact.add_sa_codes(rows[start : start + _CHUNK].view(np.uint8))
    folder.mkdir(parents=True)
    np.save(folder / "owners.npy", owners.astype(np.int64))
    write_faiss(exact, folder / "rows.faiss")
    if coded:
        write_faiss(_coded(_rows_in(exact)), folder / "codes.faiss")


def extend_dense(
    source: Path, folder: Path, vectors: Rows | NDArray[np.float32], *, owners: Owners, without: Ids
) -> int:
    """Write an index with the rows of another, except those of memes in `without`, and new rows; return its row count.

    The owners ([n] int64, rising) of the new rows ([n, d], of length 1) must all be in `without`, so that no meme has
    both old and new rows. The codes of a large index are computed again only when its rows change places. Raises
    IndexUnusable when the source is damaged or of other dimensions, ValueError as `build_dense` does.
    """
    new = _checked(vectors, owners)
    known = DenseIndex.open(source, dimensions=vectors.shape[1])
    kept = ~np.isin(known.owners, without)
    every = np.concatenate([known.owners[kept], owners])
    order = np.argsort(every, kind="stable")
    appended = bool(kept.all() and (np.diff(order) > 0).all())
    rows = known.rows if appended else known.rows[kept]
    rows = np.concatenate([rows, new])
    known_codes = known.codes is not None and appended
    _write(
        folder,
        rows if appended else rows[order],
        every[order],
        coded=len(every) > EXACT_UP_TO and not known_codes,
    )
    if known_codes:
        codes = faiss.read_index(str(source / "codes.faiss"))
        codes.add(np.ascontiguousarray(new, np.float32))
        write_faiss(codes, folder / "codes.faiss")
    return len(every)


def _half_precision(dimensions: int) -> faiss.IndexScalarQuantizer:
    return faiss.IndexScalarQuantizer(dimensions, faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_INNER_PRODUCT)


def _rows_in(index: faiss.IndexScalarQuantizer) -> Rows:
    """Return the memory of a half-precision index as rows, valid as long as the index."""
    if not index.ntotal:
        return np.empty((0, index.d), np.float16)
    bytes_of = faiss.rev_swig_ptr(index.codes.data(), index.ntotal * index.d * 2)
    return bytes_of.view(np.float16).reshape(index.ntotal, index.d)


def _coded(rows: Rows) -> Any:
    count, dimensions = rows.shape
    lists = int(4 * np.sqrt(count))
    index: Any = faiss.index_factory(dimensions, f"IVF{lists},SQ8", faiss.METRIC_INNER_PRODUCT)
    sample = np.random.default_rng(0).choice(count, min(count, _TRAINING_ROWS_A_LIST * lists), replace=False)
    index.train(rows[np.sort(sample)].astype(np.float32))
    for start in range(0, count, _CHUNK):
        index.add(rows[start : start + _CHUNK].astype(np.float32))
    index.nprobe = max(1, int(lists * _LISTS_SEARCHED))
    return index


@dataclass(frozen=True)
class DenseIndex:
    """An opened, immutable index, memory-mapped from its files; any thread may search it."""

    index: faiss.IndexScalarQuantizer
    owners: Owners
    rows: Rows  # the index's own memory
    codes: Any  # faiss.IndexIVF, None up to EXACT_UP_TO rows

    @classmethod
    def open(cls, folder: Path, *, dimensions: int) -> DenseIndex:
        """Return the index in a folder; raise IndexUnusable when it is missing, damaged or of other dimensions."""
        try:
            owners = np.load(folder / "owners.npy")
            index = faiss.read_index(str(folder / "rows.faiss"), faiss.IO_FLAG_MMAP_IFC)
            coded = folder / "codes.faiss"
            codes = faiss.read_index(str(coded), faiss.IO_FLAG_MMAP) if coded.exists() else None
        except (OSError, ValueError, RuntimeError, EOFError) as error:
            raise damaged(folder, error) from error
        if not isinstance(index, faiss.IndexScalarQuantizer) or index.sq.qtype != faiss.ScalarQuantizer.QT_fp16:
            raise IndexUnusable(f"The vectors in {folder} were written by another version.", hint=REBUILD_HINT)
        if index.d != dimensions:
            raise IndexUnusable(
                f"The vectors in {folder} have {index.d} dimensions; the encoder has {dimensions}.", hint=REBUILD_HINT
            )
        check_owners(folder, owners, rows=index.ntotal)
        if codes is not None and (codes.ntotal, codes.d) != (index.ntotal, index.d):
            raise IndexUnusable(f"The codes and rows in {folder} do not match.", hint=REBUILD_HINT)
        return cls(index, owners, _rows_in(index), codes)

    def __len__(self) -> int:
        return len(self.owners)

    @property
    def dimensions(self) -> int:
        """The number of dimensions of a row."""
        return int(self.index.d)

    def search(self, query: NDArray[np.float32], k: int, *, allowed: Ids | None = None) -> tuple[Ids, Similarities]:
        """Return the ids of the k memes with the nearest row to a query ([d] float32), and the cosines of these rows.

        [≤ k] int64 and float32, best first, ties by id. With `allowed` ([m] int64, rising) only these memes are
        considered. Raises IndexUnusable when the query has other dimensions.
        """
        query = self._checked(query)
        if allowed is not None:
            places, _ = self._places(allowed)
            if len(places) <= max(_COPIED_SHARE * len(self), k):
                return best_per_owner(self.owners[places], self._similarities(query, places), k)
            selected = np.zeros(len(self), bool)
            selected[places] = True
            # The selector does not copy the bits, so this name keeps them alive while faiss reads them.
            bits = np.packbits(selected, bitorder="little")
            return self._nearest(query, k, among=len(places), selector=_untyped.IDSelectorBitmap(bits))
        return self._nearest(query, k, among=len(self), selector=None)

    def scores(self, query: NDArray[np.float32], *, ids: Ids, best: int = 1) -> Similarities:
        """Return for each meme ([n] float32) the mean cosine of its `best` nearest rows, of all where it has fewer.

        NaN for a meme without rows. `ids` may be in any order. Raises IndexUnusable when the query has other
        dimensions.
        """
        query = self._checked(query)
        places, counts = self._places(ids)
        found = np.full(len(ids), np.nan, np.float32)
        has = counts > 0
        if not has.any():
            return found
        similarities = self._similarities(query, places)
        starts = (np.cumsum(counts) - counts)[has]
        if best == 1:
            found[has] = np.maximum.reduceat(similarities, starts)
            return found
        group = np.repeat(np.arange(len(ids)), counts)
        similarities = similarities[np.lexsort((-similarities, group))]
        rank = np.arange(len(places)) - np.repeat(np.cumsum(counts) - counts, counts)
        sums = np.add.reduceat(np.where(rank < best, similarities, 0), starts)
        found[has] = sums / np.minimum(counts[has], best)
        return found

    def rows_of(self, id: int) -> NDArray[np.float32]:
        """Return a meme's rows, [m, d] float32; m is 0 for a meme without rows."""
        first, last = np.searchsorted(self.owners, [id, id + 1])
        return np.asarray(self.rows[first:last], np.float32)

    def _places(self, ids: Ids) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the positions of the rows of memes, meme after meme, and the number of each meme's rows ([n])."""
        first = np.searchsorted(self.owners, ids, "left")
        counts = np.searchsorted(self.owners, ids, "right") - first
        starts = np.cumsum(counts) - counts
        return np.arange(counts.sum()) + np.repeat(first - starts, counts), counts

    def _similarities(self, query: NDArray[np.float32], places: NDArray[np.int64]) -> Similarities:
        """Return the cosines of some rows, equal to the last bit to those that a search of all rows gives."""
        found = np.empty(len(places), np.float32)
        if len(places):
            some = _half_precision(self.index.d)
            some.add_sa_codes(self.rows[places].view(np.uint8))
            scores, order = some.search(query, len(places))
            found[order[0]] = scores[0]
        return found

    def _nearest(self, query: NDArray[np.float32], k: int, *, among: int, selector: Any) -> tuple[Ids, Similarities]:
        """Return the best k memes of `among` rows, fetching more rows until these have k memes and all their ties."""
        # The codes are coarse and must propose more rows. When they propose too few memes, all rows are scanned.
        wanted = min((_PROPOSED if self.codes is not None else 2) * k, among)
        codes = self.codes if among > EXACT_UP_TO else None
        while k > 0 and wanted > 0:
            if codes is not None:
                parameters = _untyped.SearchParametersIVF(sel=selector, nprobe=codes.nprobe)
                places = codes.search(query, wanted, params=parameters)[1][0]
                places = np.sort(places[places >= 0])  # faiss pads short answers with −1
                ids, best = best_per_owner(self.owners[places], self._similarities(query, places), k)
                if len(ids) == k:
                    return ids, best
                codes = None
                continue
            parameters = _untyped.SearchParameters(sel=selector) if selector is not None else None
            scores, rows = self.index.search(query, wanted, params=parameters)
            there = rows[0] >= 0
            ids, best = best_per_owner(self.owners[rows[0][there]], scores[0][there], k)
            # A row after the last one may tie with the k-th meme and belong to a meme with a lower id.
            if wanted == among or (len(ids) == k and best[-1] > scores[0][-1]):
                return ids, best
            wanted = min(4 * wanted, among)
        return np.empty(0, np.int64), np.empty(0, np.float32)

    def _checked(self, query: NDArray[np.float32]) -> NDArray[np.float32]:
        if query.shape != (self.index.d,):
            raise IndexUnusable(
                f"A query of shape {query.shape} does not fit an index of {self.index.d} dimensions.", hint=REBUILD_HINT
            )
        return np.ascontiguousarray(query, np.float32)[None]

"""A set of files of a dense index: rows of length 1 in half precision, the meme of each, and codes of many rows."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import faiss
import numpy as np
from numpy.typing import NDArray

from search.errors import IndexUnusable
from search.index.opened import OpenedFiles
from search.index.vectors.codes import CODES_FILE, RowCodes
from search.index.vectors.owners import REBUILD_HINT, Ids, Owners, check_owners, damaged

OWNERS_FILE, ROWS_FILE = "owners.npy", "rows.faiss"
_IDS_PER_ROW = 8  # up to which each id's first row is kept, in 4 bytes

Rows = NDArray[np.float16]  # [n, d], rows of length 1
Places = NDArray[np.int64]  # positions of rows


def half_precision(dimensions: int) -> faiss.IndexScalarQuantizer:
    """Return an empty faiss index of rows in half precision, searched exactly."""
    return faiss.IndexScalarQuantizer(dimensions, faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_INNER_PRODUCT)


def rows_in(index: faiss.IndexScalarQuantizer) -> Rows:
    """Return the memory of a half-precision index as rows, valid as long as the index."""
    if not index.ntotal:
        return np.empty((0, index.d), np.float16)
    bytes_of = faiss.rev_swig_ptr(index.codes.data(), index.ntotal * index.d * 2)
    return bytes_of.view(np.float16).reshape(index.ntotal, index.d)


@dataclass(frozen=True)
class RowPart:
    """Rows and their owners in one set of files, memory-mapped."""

    index: faiss.IndexScalarQuantizer
    owners: Owners
    rows: Rows  # the index's own memory
    codes: RowCodes | None = None  # None in a small part, and in one that was written before there were such codes

    @classmethod
    def open(cls, folder: Path, *, dimensions: int) -> RowPart:
        """Return the part in a folder; raise IndexUnusable when it is missing, damaged or of other dimensions."""
        files = [folder / name for name in (OWNERS_FILE, ROWS_FILE, CODES_FILE)]
        found = _opened.get(files, lambda: cls._read(folder))
        if found.index.d != dimensions:
            raise IndexUnusable(
                f"The vectors in {folder} have {found.index.d} dimensions; the encoder has {dimensions}.",
                hint=REBUILD_HINT,
            )
        return found

    @classmethod
    def _read(cls, folder: Path) -> RowPart:
        try:
            owners = np.load(folder / OWNERS_FILE)
            index = faiss.read_index(str(folder / ROWS_FILE), faiss.IO_FLAG_MMAP_IFC)
        except (OSError, ValueError, RuntimeError, EOFError) as error:
            raise damaged(folder, error) from error
        if not isinstance(index, faiss.IndexScalarQuantizer) or index.sq.qtype != faiss.ScalarQuantizer.QT_fp16:
            raise IndexUnusable(f"The vectors in {folder} were written by another version.", hint=REBUILD_HINT)
        check_owners(folder, owners, rows=index.ntotal)
        coded = folder / CODES_FILE
        codes = RowCodes.open(coded, rows=index.ntotal, dimensions=index.d) if coded.exists() else None
        return cls(index, owners, rows_in(index), codes)

    def runs(self, ids: Ids) -> tuple[Places, NDArray[np.int64]]:
        """Return the first row and the number of rows of each of some memes ([n] both)."""
        if self._first_rows is None:
            first = np.searchsorted(self.owners, ids, "left")
            return first, np.searchsorted(self.owners, ids, "right") - first
        beyond = len(self._first_rows) - 2  # an id without rows, as all that are not in the table
        known = np.where((ids >= 0) & (ids < beyond), ids, beyond)
        first = self._first_rows[known].astype(np.int64)
        return first, self._first_rows[known + 1] - first

    @cached_property
    def _first_rows(self) -> NDArray[np.int32] | None:
        """The number of rows of lower ids, for each id up to two beyond the highest; None where most have no rows.

        Searching the owners for some hundred ids takes longer than comparing their rows, in a large index.
        """
        size = int(self.owners.max(initial=0)) + 2
        if size > _IDS_PER_ROW * len(self.owners) + 1024:
            return None
        return np.concatenate([[0], np.cumsum(np.bincount(self.owners, minlength=size))]).astype(np.int32)


_opened = OpenedFiles[RowPart]()


def places_of(first: Places, counts: NDArray[np.int64]) -> Places:
    """Return the places of runs of rows, one run after the other.

    >>> places_of(np.array([3, 9]), np.array([2, 1])).tolist()
    [3, 4, 9]
    """
    starts = np.cumsum(counts) - counts
    return np.arange(counts.sum()) + np.repeat(first - starts, counts)

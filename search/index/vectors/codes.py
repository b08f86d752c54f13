"""Codes of a dense index's rows: a search scans them instead of the rows, and compares the best rows exactly.

Product quantization in 4 bits, two dimensions a code: an eighth of the bytes of half precision, and tables that stay in
the processor's registers (André et al., "Quicker ADC", arXiv 1812.09162; faiss' IndexPQFastScan).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from mmap import ACCESS_READ, MADV_DONTNEED, mmap
from pathlib import Path
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from search.errors import IndexUnusable
from search.index.vectors.faiss_files import write_faiss
from search.index.vectors.owners import REBUILD_HINT, Similarities, damaged
from search.index.vectors.threads import one_thread

CODES_FILE = "pq.faiss"
CODED_FROM = 50_000  # rows: a scan of fewer takes about a millisecond
_BITS, _DIMENSIONS_A_CODE = 4, 2
_TRAINING_ROWS = 16_384  # faiss takes 4,096 of them
_CHUNK = 65536  # rows coded at once
_untyped: Any = faiss  # faiss's type stubs lack readers of memory


def can_be_coded(rows: int, dimensions: int) -> bool:
    """Return whether an index of this shape has codes."""
    return rows >= CODED_FROM and dimensions % _DIMENSIONS_A_CODE == 0


def write_codes(path: Path, rows: NDArray[np.float16]) -> None:
    """Write the codes of rows ([n, d]) to a file; the same rows give the same codes."""
    count, dimensions = rows.shape
    index: Any = faiss.IndexPQFastScan(dimensions, dimensions // _DIMENSIONS_A_CODE, _BITS, faiss.METRIC_INNER_PRODUCT)
    with one_thread():  # hundreds of trainings of milliseconds: threads would spend them waiting for each other
        index.train(rows[:: max(1, count // _TRAINING_ROWS)].astype(np.float32))
    for start in range(0, count, _CHUNK):
        index.add(rows[start : start + _CHUNK].astype(np.float32))
    write_faiss(index, path)


@dataclass(frozen=True)
class RowCodes:
    """The codes of an index's rows. The file is mapped, and read when a search first scans it: few fields ever are."""

    path: Path
    rows: int
    dimensions: int
    content: mmap  # of the file, which may be removed while a reader has it open

    @classmethod
    def open(cls, path: Path, *, rows: int, dimensions: int) -> RowCodes:
        """Return the codes in a file; raise IndexUnusable when it cannot be read or is too short for the rows."""
        try:
            with path.open("rb") as file:
                content = mmap(file.fileno(), 0, access=ACCESS_READ)
        except (OSError, ValueError) as error:
            raise damaged(path.parent, error) from error
        if len(content) < rows * dimensions * _BITS // (8 * _DIMENSIONS_A_CODE):
            raise IndexUnusable(f"The codes and rows in {path.parent} do not match.", hint=REBUILD_HINT)
        return cls(path, rows, dimensions, content)

    def propose(self, query: NDArray[np.float32], count: int) -> tuple[NDArray[np.int64], Similarities]:
        """Return the places of the rows ([≤ count]) that the codes put nearest to a query ([1, d]), and the estimates.

        The estimates of their cosines fall. Raises IndexUnusable when the file is damaged.
        """
        estimates, places = self._index.search(query, count)
        there = places[0] >= 0  # faiss pads short answers with −1
        return places[0][there], estimates[0][there]

    @cached_property
    def _index(self) -> Any:
        try:
            content = np.frombuffer(self.content, np.uint8)
            index = _untyped.read_index(_untyped.ZeroCopyIOReader(_untyped.swig_ptr(content), len(content)))
        except RuntimeError as error:
            raise damaged(self.path.parent, error) from error
        shape = getattr(index, "ntotal", -1), getattr(index, "d", -1)
        if not isinstance(index, _untyped.IndexPQFastScan) or shape != (self.rows, self.dimensions):
            raise IndexUnusable(f"The codes and rows in {self.path.parent} do not match.", hint=REBUILD_HINT)
        if hasattr(self.content, "madvise"):
            self.content.madvise(MADV_DONTNEED)  # faiss has copied them
        return index

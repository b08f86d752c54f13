"""Write dense indexes: built as a whole, or another one extended by the rows of a few memes.

An extension leaves the files of a large index as they are and writes the new rows into a second part beside them, so
that one added meme does not copy and sync hundreds of megabytes. The next whole build has one part again.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from search.index.columns import are_among
from search.index.generations import link_file
from search.index.vectors.codes import CODES_FILE, can_be_coded, write_codes
from search.index.vectors.dense import ADDED, REMOVED_FILE, DenseIndex
from search.index.vectors.faiss_files import write_faiss
from search.index.vectors.owners import Ids, Owners, check_rising
from search.index.vectors.row_part import OWNERS_FILE, ROWS_FILE, Rows, half_precision

LENGTH_TOLERANCE = 5e-3  # of a row's length from 1; float16 costs 1e-3
ONE_PART_UP_TO = 20_000  # rows: to write them all again takes no longer than a second part
MERGED_SHARE = 0.2  # of the rows, added or removed, from which an extension writes one part again
MERGED_UP_TO = 500_000  # rows of a main part that an extension still writes again
_CHUNK = 65536  # rows copied at once during a build


def build_dense(folder: Path, vectors: Rows | NDArray[np.float32], *, owners: Owners) -> None:
    """Write an index of rows of length 1 ([n, d]) into a new folder; they are stored as float16.

    `owners` ([n] int64, rising) are the ids of their memes. Raises ValueError when rows and owners do not fit, or rows
    are not finite or not of length 1.
    """
    _write(folder, _checked(vectors, owners), owners)


def extend_dense(
    source: Path, folder: Path, vectors: Rows | NDArray[np.float32], *, owners: Owners, without: Ids
) -> int:
    """Write an index with the rows of another, except those of memes in `without`, and new rows; return its row count.

    The owners ([n] int64, rising) of the new rows ([n, d], of length 1) must all be in `without`, so that no meme has
    both old and new rows. Up to ONE_PART_UP_TO rows all are written again, and up to MERGED_UP_TO after many changes.
    Raises IndexUnusable when the source is damaged or of other dimensions, ValueError as `build_dense` does.
    """
    new = _checked(vectors, owners)
    known = DenseIndex.open(source, dimensions=vectors.shape[1])
    main = known.main
    added_owners = known.added.owners if known.added is not None else owners[:0]
    kept = ~np.isin(added_owners, without)
    added_owners = np.concatenate([added_owners[kept], owners])
    order = np.argsort(added_owners, kind="stable")
    gone = np.unique(without)
    removed = np.union1d(known.removed, gone[are_among(gone, main.owners)])
    changed = len(added_owners) + int(main.runs(removed)[1].sum())
    is_cheap = len(main.owners) <= ONE_PART_UP_TO
    if is_cheap or (len(main.owners) <= MERGED_UP_TO and changed > MERGED_SHARE * len(main.owners)):
        live = ~are_among(known.owners, gone)
        every = np.concatenate([known.owners[live], owners])
        order = np.argsort(every, kind="stable")
        rows = np.concatenate([known.all_rows()[live], new])[order]
        _write(folder, rows, every[order])
        return len(every)
    folder.mkdir(parents=True)
    for name in (OWNERS_FILE, ROWS_FILE, CODES_FILE):
        if (source / name).exists():
            link_file(source / name, folder / name)
    np.save(folder / REMOVED_FILE, removed)
    added_rows = new if known.added is None else np.concatenate([known.added.rows[kept], new])
    _write(folder / ADDED, added_rows[order], added_owners[order])
    return len(DenseIndex.open(folder, dimensions=known.dimensions))


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


def _write(folder: Path, rows: Rows, owners: Owners) -> None:
    exact = half_precision(rows.shape[1])
    for start in range(0, len(rows), _CHUNK):
        exact.add_sa_codes(rows[start : start + _CHUNK].view(np.uint8))
    folder.mkdir(parents=True)
    np.save(folder / OWNERS_FILE, owners.astype(np.int64))
    write_faiss(exact, folder / ROWS_FILE)
    del exact  # the rows once more
    if can_be_coded(*rows.shape):
        write_codes(folder / CODES_FILE, rows)

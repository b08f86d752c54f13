"""Rows and the memes that they belong to: checks and choices that every index makes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from search.errors import IndexUnusable

REBUILD_HINT = "Run `memetica index`."

Owners = NDArray[np.int64]  # [n], the meme of each row, rising
Ids = NDArray[np.int64]
Similarities = NDArray[np.float32]  # cosine, higher is better
Distances = NDArray[np.int64]  # differing bits, lower is nearer


@dataclass(frozen=True)
class OwnedRows:
    """Rows ([n, d], of any dtype) and the memes that they belong to ([n] int64, rising)."""

    owners: Owners
    rows: NDArray[Any]

    def __len__(self) -> int:
        return len(self.owners)


def best_per_owner(owners: Ids, scores: Similarities, k: int) -> tuple[Ids, Similarities]:
    """Return each owner once with its best score, the best k, ties by id."""
    order = np.lexsort((owners, -scores))
    owners, scores = owners[order], scores[order]
    _, first = np.unique(owners, return_index=True)
    first = np.sort(first)[: max(k, 0)]
    return owners[first], scores[first]


def check_rising(owners: Owners) -> None:
    """Raise ValueError when owners fall."""
    if len(owners) and (np.diff(owners) < 0).any():
        raise ValueError("owners must rise")


def check_owners(folder: Path, owners: Owners, *, rows: int) -> None:
    """Raise IndexUnusable when owners that were read do not fit an index of so many rows."""
    if owners.shape != (rows,) or owners.dtype != np.int64 or (np.diff(owners) < 0).any():
        raise IndexUnusable(f"The owners of the rows in {folder} do not fit the rows.", hint=REBUILD_HINT)


def damaged(folder: Path, error: Exception) -> IndexUnusable:
    """Return the error to raise for an index that could not be read."""
    # faiss appends the place in its source to its messages; the first line says what happened.
    reason = str(error).strip().splitlines()[:1]
    return IndexUnusable(f"The index in {folder} is missing or damaged: {''.join(reason)}.", hint=REBUILD_HINT)

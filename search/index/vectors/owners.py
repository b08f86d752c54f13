"""Rows and their owners, the memes that they belong to: shared by the dense and the binary index."""

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
    """Return each owner once with its best score: the best k, ties by id.

    >>> ids, scores = best_per_owner(np.array([5, 7, 5]), np.array([0.25, 0.5, 0.75], np.float32), 2)
    >>> ids.tolist(), scores.tolist()
    ([5, 7], [0.75, 0.5])
    """
    order = np.lexsort((owners, -scores))
    owners, scores = owners[order], scores[order]
    _, first = np.unique(owners, return_index=True)
    first = np.sort(first)[: max(k, 0)]
    return owners[first], scores[first]


def check_rising(owners: Owners) -> None:
    """Raise ValueError unless owners are in rising order."""
    if len(owners) and (np.diff(owners) < 0).any():
        raise ValueError("owners must be in ascending order")


def check_owners(folder: Path, owners: Owners, *, rows: int) -> None:
    """Raise IndexUnusable when owners read from a file do not fit an index of `rows` rows."""
    if owners.shape != (rows,) or owners.dtype != np.int64 or (np.diff(owners) < 0).any():
        raise IndexUnusable(f"The owners of the rows in {folder} do not fit the rows.", hint=REBUILD_HINT)


def damaged(folder: Path, error: Exception) -> IndexUnusable:
    """Return the error for an index that cannot be read."""
    # faiss appends the position in its source code to its messages; the first line is the reason.
    reason = str(error).strip().splitlines()[:1]
    return IndexUnusable(f"The index in {folder} is missing or damaged: {''.join(reason)}.", hint=REBUILD_HINT)

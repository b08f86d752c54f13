"""Embeddings without what a library's texts have in common, so that products tell apart what they would call alike.

An encoder puts the texts of one kind close together: all descriptions "show an image", all captions shout. Taking off
their mean and evening out their main directions leaves what is particular to each (Mu and Viswanath, "All-but-the-Top",
arXiv 1702.01417; Su and others, "Whitening Sentence Representations", arXiv 2103.15316). On judged queries it is the
largest gain of all that was tried. Products of what shares nothing then lie about 0 in every library.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from search.encoders.base import Vectors
from search.errors import IndexUnusable

EVENNESS = 1.0  # shares of the mean variance added to each direction: more leaves more as it was
BELIEF_ROWS = 200  # a library of fewer rows than this is mostly believed to be like no library at all
_CHUNK = 16384


@dataclass(frozen=True)
class Whitening:
    """What to take off embeddings ([d]) and how to stretch the rest ([d, d]); both float32."""

    mean: NDArray[np.float32]
    stretch: NDArray[np.float32]

    def __call__(self, vectors: NDArray[np.floating]) -> Vectors:
        """Return the whitened rows ([n, d] float32), of length 1."""
        found = np.empty(vectors.shape, np.float32)
        for start in range(0, len(vectors), _CHUNK):
            rows = (vectors[start : start + _CHUNK].astype(np.float32) - self.mean) @ self.stretch
            lengths = np.linalg.norm(rows, axis=1, keepdims=True)
            # A row that is the mean itself is like nothing in particular: any direction does.
            rows[lengths[:, 0] == 0] = 1.0
            lengths[lengths == 0] = np.sqrt(vectors.shape[1])
            found[start : start + _CHUNK] = rows / lengths
        return found


def fit_whitening(parts: Iterable[NDArray[np.floating]], *, dimensions: int) -> Whitening:
    """Return the whitening of all rows of the parts ([n, d] each), drawn towards none where there are few rows."""
    total = np.zeros(dimensions)
    products = np.zeros((dimensions, dimensions))
    count = 0
    for part in parts:
        for start in range(0, len(part), _CHUNK):
            rows = part[start : start + _CHUNK].astype(np.float32)
            total += rows.sum(axis=0, dtype=np.float64)
            products += rows.T @ rows
            count += len(rows)
    believed = count / (count + BELIEF_ROWS)
    mean = total / max(count, 1)
    covariance = products / max(count, 1) - np.outer(mean, mean)
    # Unit rows without any direction in common have a variance of 1/d in each.
    covariance = believed * covariance + (1 - believed) * np.eye(dimensions) / dimensions
    variances, directions = np.linalg.eigh(covariance)
    variances = np.maximum(variances, 0)
    stretch = (directions / np.sqrt(variances + EVENNESS * variances.mean())) @ directions.T
    return Whitening((believed * mean).astype(np.float32), stretch.astype(np.float32))


def write_whitening(path: Path, whitening: Whitening) -> None:
    """Write a whitening to one file."""
    np.savez(path, mean=whitening.mean, stretch=whitening.stretch)


def read_whitening(path: Path, *, dimensions: int) -> Whitening:
    """Return the whitening in a file; raise IndexUnusable when it is missing, damaged or of other dimensions."""
    try:
        with np.load(path, allow_pickle=False) as parts:
            found = Whitening(parts["mean"], parts["stretch"])
    except Exception as error:  # zipfile and numpy raise many kinds for one cause
        raise IndexUnusable(f"{path.name} of the index is damaged: {error}.", hint="Run `memetica index`.") from error
    if found.mean.shape != (dimensions,) or found.stretch.shape != (dimensions, dimensions):
        raise IndexUnusable(f"{path.name} of the index does not fit the encoder.", hint="Run `memetica index`.")
    return found

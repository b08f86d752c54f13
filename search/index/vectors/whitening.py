"""Whitening of text embeddings: removes what all texts of a library have in common.

An encoder puts texts of one kind close together: all descriptions "show an image", all captions are short and loud.
Subtracting the mean and evening out the main directions leaves what is particular to each text (Mu and Viswanath,
"All-but-the-Top", arXiv 1702.01417; Su et al., "Whitening Sentence Representations", arXiv 2103.15316). On judged
queries it is the largest gain of everything tried. Dot products of unrelated texts are then near 0 in every library.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from search.encoders.base import Vectors
from search.errors import IndexUnusable
from search.index.generations import WHITENING

RIDGE = 1.0  # added to the variance of each direction, in units of the mean variance; more whitens less
SHRINKAGE_ROWS = 200  # with this many rows, the fit is half their statistics and half no whitening at all
_CHUNK = 16384


@dataclass(frozen=True)
class Whitening:
    """The mean to subtract from embeddings ([d] float32) and the matrix to multiply the rest with ([d, d] float32)."""

    mean: NDArray[np.float32]
    matrix: NDArray[np.float32]

    def __call__(self, vectors: NDArray[np.floating]) -> Vectors:
        """Return the whitened rows, [n, d] float32 of length 1."""
        found = np.empty(vectors.shape, np.float32)
        for start in range(0, len(vectors), _CHUNK):
            rows = (vectors[start : start + _CHUNK].astype(np.float32) - self.mean) @ self.matrix
            lengths = np.linalg.norm(rows, axis=1, keepdims=True)
            # A row equal to the mean has no direction; it gets equal numbers.
            rows[lengths[:, 0] == 0] = 1.0
            lengths[lengths == 0] = np.sqrt(vectors.shape[1])
            found[start : start + _CHUNK] = rows / lengths
        return found

    def apply(self, vectors: NDArray[np.float16]) -> None:
        """Replace rows ([n, d]) by the whitened ones, in place and piece by piece, so that memory holds them once."""
        for start in range(0, len(vectors), _CHUNK):
            vectors[start : start + _CHUNK] = self(vectors[start : start + _CHUNK])


def fit_whitening(parts: Iterable[NDArray[np.floating]], *, dimensions: int) -> Whitening:
    """Return the whitening fitted to all rows of the parts ([n, d] each); with few rows it whitens less."""
    total = np.zeros(dimensions)
    products = np.zeros((dimensions, dimensions))
    count = 0
    for part in parts:
        for start in range(0, len(part), _CHUNK):
            rows = part[start : start + _CHUNK].astype(np.float32)
            total += rows.sum(axis=0, dtype=np.float64)
            products += rows.T @ rows
            count += len(rows)
    trust = count / (count + SHRINKAGE_ROWS)
    mean = total / max(count, 1)
    covariance = products / max(count, 1) - np.outer(mean, mean)
    # Rows of length 1 with no common direction have a variance of 1/d in each dimension.
    covariance = trust * covariance + (1 - trust) * np.eye(dimensions) / dimensions
    variances, directions = np.linalg.eigh(covariance)
    variances = np.maximum(variances, 0)
    stretch = (directions / np.sqrt(variances + RIDGE * variances.mean())) @ directions.T
    return Whitening((trust * mean).astype(np.float32), stretch.astype(np.float32))


def write_whitening(path: Path | BinaryIO, whitening: Whitening) -> None:
    """Write a whitening to one file, given by its path or open."""
    np.savez(path, mean=whitening.mean, stretch=whitening.matrix)


def read_whitening(path: Path | BinaryIO, *, dimensions: int) -> Whitening:
    """Return the whitening in a file, given by its path or open.

    Raises IndexUnusable when it is missing, damaged or of other dimensions.
    """
    try:
        with np.load(path, allow_pickle=False) as parts:
            found = Whitening(parts["mean"], parts["stretch"])
    except Exception as error:  # zipfile and numpy raise many types for one cause
        raise IndexUnusable(f"{WHITENING} of the index is damaged: {error}.", hint="Run `memetica index`.") from error
    if found.mean.shape != (dimensions,) or found.matrix.shape != (dimensions, dimensions):
        raise IndexUnusable(f"{WHITENING} of the index does not fit the text encoder.", hint="Run `memetica index`.")
    return found

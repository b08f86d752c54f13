"""Find the edges of one of two aligned pictures that the other still has: what lies under a mark is not lost."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from search.duplicates.picture import Colors
from search.system.lazy_module import LazyModule

cv2: Any = LazyModule("cv2")

STRONG_EDGE = 80.0  # of Sobel's derivatives
STILL = 0.25  # share of an edge's strength in the same direction that is left of it
STILL_THERE = 0.6  # least share of one picture's edges under the mark that are left
SURELY_THERE, MORE_EDGES, STRONGER = 0.88, 0.15, 1.4  # that share; or by how much, or how often, it exceeds the other's
_LEAST_EDGES = 20  # pixels


def written_over(laid: Colors, under: Colors, there: NDArray[np.bool_]) -> int | None:
    """Return which of two pictures, 0 or 1, has the other's edges and more of them; None if neither has."""
    # A red line has the grey level of some grounds: its edges are of color.
    first, second = (np.concatenate(gradients_at(picture, there).transpose(2, 0, 1)) for picture in (laid, under))
    common = (first * second).sum(axis=0) / 3
    energies, left = [], []  # of each: how strong its edges are, and what share of them the other has
    for each in (first, second):
        strength = (each**2).sum(axis=0) / 3
        edges = strength >= STRONG_EDGE**2
        energies.append(max(1.0, float(strength.sum())))
        many = np.count_nonzero(edges) >= _LEAST_EDGES  # else nothing is lost on a plain ground
        left.append(float((common[edges] >= STILL * strength[edges]).mean()) if many else 1.0)
    low, high = sorted(left)
    ratio = max(energies) / min(energies)
    if high < STILL_THERE or (high < SURELY_THERE and high < low + MORE_EDGES and ratio < STRONGER):
        return None
    return 1 if left[0] >= left[1] else 0


def gradients_at(picture: Colors, there: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Return the derivatives across and down of a picture's colors at some of its pixels, [2, n, 3]."""
    rows, columns = np.flatnonzero(there.any(axis=1)), np.flatnonzero(there.any(axis=0))
    if not len(rows):
        return np.empty((2, 0, 3), np.float32)
    # A derivative needs the pixels beside it.
    part = slice(max(0, int(rows[0]) - 1), int(rows[-1]) + 2), slice(max(0, int(columns[0]) - 1), int(columns[-1]) + 2)
    return gradients(picture[part])[:, there[part]]


def gradients(plane: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return a plane's derivatives across and down, [2, height, width], or those of colors, [2, height, width, 3]."""
    return np.stack([cv2.Sobel(plane, cv2.CV_32F, 1, 0), cv2.Sobel(plane, cv2.CV_32F, 0, 1)])

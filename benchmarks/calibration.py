"""How well probabilities hold what they say: the calibration error, by chance too, and coverage at a precision."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

BINS = 15
DRAWS = 200
Places = NDArray[np.int64]


def calibration_error(probabilities: NDArray[np.float64], truth: Places) -> float:
    """Return the expected calibration error of the most likely categories, in BINS bins of equal width."""
    sureness, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == truth
    bin_of = np.minimum((sureness * BINS).astype(int), BINS - 1)
    gaps = [
        abs(sureness[bin_of == one].mean() - right[bin_of == one].mean()) * (bin_of == one).mean()
        for one in np.unique(bin_of)
    ]
    return float(np.sum(gaps))


def chance_error(probabilities: NDArray[np.float64], groups: Places) -> float:
    """Return the calibration error that these predictions would have by chance if they were calibrated perfectly.

    The mean of DRAWS draws: a group's memes, which stand or fall together, are right where one draw for all of them is
    below their probability.
    """
    random = np.random.default_rng(7)
    sureness = probabilities.max(axis=1)
    _, of = np.unique(groups, return_inverse=True)
    found = []
    for _ in range(DRAWS):
        right = random.random(of.max() + 1)[of] < sureness
        drawn = np.where(right, 0, 1)  # the most likely category, or another one
        found.append(calibration_error(np.stack([sureness, np.full(len(of), -1.0)], axis=1), drawn))
    return float(np.mean(found))


def coverage(probabilities: NDArray[np.float64], truth: Places, *, precision: float = 0.9) -> float:
    """Return the largest share of memes, the surest first, of which so many are right."""
    order = np.argsort(-probabilities.max(axis=1), kind="stable")
    right = (probabilities.argmax(axis=1) == truth)[order]
    shares = np.cumsum(right) / np.arange(1, len(right) + 1)
    enough = np.flatnonzero(shares >= precision)
    return float((enough[-1] + 1) / len(right)) if len(enough) else 0.0

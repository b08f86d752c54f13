"""Fit the photometric map between two pictures: gain and bias between their grey levels."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from search.duplicates.keypoints.orb import Gray
from search.system.lazy_module import LazyModule

cv2: Any = LazyModule("cv2")

_LEVELS = 8  # grey levels in one bin
_SAME = 4.0  # grey levels: a smaller change of every level counts as no change
_GAIN = 2.5  # largest factor by which contrast may have changed
_OFF = 40  # grey levels: larger residuals are clipped, so that outliers have little influence

Photometric = tuple[float, float, float, float]  # gain, bias, lowest and highest level


def joint_histogram(one: Gray, other: Gray, mask: Gray | None) -> NDArray[np.float32]:
    """Return the joint histogram of two aligned pictures' levels: [256, 256] float32, rows for one, columns for other.

    Only every third pixel where both pictures are present is counted.
    """
    planes = [plane.ravel() if mask is None else plane[mask > 0] for plane in (one, other)]
    thirds = [np.ascontiguousarray(plane[::3]) for plane in planes]
    counts: NDArray[np.float32] = cv2.calcHist(thirds, [0, 1], None, [256, 256], [0, 256, 0, 256])
    return counts


def fit_photometric(joint: NDArray[np.float32]) -> Photometric:
    """Return gain, bias, lowest and highest level that map the source's grey levels (rows) to the target's (columns).

    Each level of the source has a median level in the target. The fitted line goes through two of these medians and is
    close to most pixels' medians; residuals are clipped, so that a caption has little influence.
    """
    source, counts = joint.sum(axis=1, dtype=np.float64), joint.sum(axis=0, dtype=np.float64)
    count = counts.sum()
    joint = joint.reshape(256 // _LEVELS, _LEVELS, 256).sum(axis=1)
    sums = joint.cumsum(axis=1)
    totals = sums[:, -1]
    known = np.flatnonzero(totals >= max(8, 0.002 * count))
    if len(known) < 2:
        return 1.0, _percentile(counts, 0.5) - _percentile(source, 0.5) if count else 0.0, 0.0, 255.0
    low, high = (_percentile(counts, share) for share in (0.005, 0.995))
    levels = known * float(_LEVELS) + (_LEVELS - 1) / 2
    medians = (sums[known] * 2 >= totals[known, None]).argmax(axis=1).astype(np.float64)
    weights = np.sqrt(totals[known])
    first, second = np.triu_indices(len(known), 1)
    gains = (medians[second] - medians[first]) / (levels[second] - levels[first])
    gains = np.append(gains, 1.0)
    biases = np.append(medians[first] - gains[:-1] * levels[first], 0.0)
    possible = (gains >= 1 / _GAIN) & (gains <= _GAIN)
    gains, biases = gains[possible], biases[possible]
    off = np.abs(np.clip(gains[:, None] * levels + biases[:, None], low, high) - medians)
    best = int((np.minimum(off, _OFF) @ weights).argmin())
    return float(gains[best]), float(biases[best]), low, high


def is_identity(photometric: Photometric) -> bool:
    """Return whether a photometric map changes every level by at most _SAME."""
    gain, bias, _, _ = photometric
    return max(abs(bias), abs(255 * (gain - 1) + bias)) <= _SAME


def _percentile(counts: NDArray[np.float64], share: float) -> float:
    """Return the level below which this share of a histogram lies."""
    return float(np.searchsorted(counts.cumsum(), share * counts.sum()))

"""The light of two pictures made equal: gain and bias between their grey levels, whatever else differs."""

from __future__ import annotations

from typing import Any

import cv2 as _typed
import numpy as np
from numpy.typing import NDArray

from search.duplicates.keypoints import Grey

cv2: Any = _typed  # its type stubs know no element types

_LEVELS = 8  # grey levels taken together
_SAME = 4.0  # grey levels that the light changes anything by at most, where it is the same
_GAIN = 2.5  # contrast may have been changed by up to this factor
_OFF = 40  # grey levels: what lies farther from a line has no more say in it

Light = tuple[float, float, float, float]  # gain, bias, lowest and highest level


def joint_levels(one: Grey, other: Grey, mask: Grey | None) -> NDArray[np.float32]:
    """Return how often each level of one picture ([256, 256], rows) lies on each level of another, of every third pixel
    where both are."""
    planes = [plane.ravel() if mask is None else plane[mask > 0] for plane in (one, other)]
    thirds = [np.ascontiguousarray(plane[::3]) for plane in planes]
    counts: NDArray[np.float32] = cv2.calcHist(thirds, [0, 1], None, [256, 256], [0, 256, 0, 256])
    return counts


def light_between(joint: NDArray[np.float32]) -> Light:
    """Return gain, bias, lowest and highest level that make the source's light the target's, whatever else differs.

    To each level of the source (the rows) belongs a median level of the target. The line through two of these that
    passes near most of the picture is the light; what lies far off, such as a caption, has no say.
    """
    own, counts = joint.sum(axis=1, dtype=np.float64), joint.sum(axis=0, dtype=np.float64)
    count = counts.sum()
    joint = joint.reshape(256 // _LEVELS, _LEVELS, 256).sum(axis=1)
    sums = joint.cumsum(axis=1)
    totals = sums[:, -1]
    known = np.flatnonzero(totals >= max(8, 0.002 * count))
    if len(known) < 2:
        return 1.0, _percentile(counts, 0.5) - _percentile(own, 0.5) if count else 0.0, 0.0, 255.0
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


def is_no_change(light: Light) -> bool:
    """Return whether a light leaves every level about where it was."""
    gain, bias, _, _ = light
    return max(abs(bias), abs(255 * (gain - 1) + bias)) <= _SAME


def _percentile(counts: NDArray[np.float64], share: float) -> float:
    """Return the level below which a share of what was counted by level lies."""
    return float(np.searchsorted(counts.cumsum(), share * counts.sum()))

"""Maps from one picture to another: found by the corners that both have (RANSAC), then fitted again to all of them."""

from __future__ import annotations

from typing import Any

import cv2 as _typed
import numpy as np
from numpy.typing import NDArray

from search.duplicates.keypoints import Corners
from search.images.fingerprints import hamming

cv2: Any = _typed  # its type stubs know no element types

_RATIO = 0.85  # of the nearest descriptor's distance to the second nearest's
_FAR = 64  # of 256 bits: descriptors that differ in more are of different corners
_REACH = 3.0  # pixels between where a corner is and where the map says it is
_AROUND = 24.0  # pixels, the same before the map is refined
_MATCHES = 8  # agreeing corners, below which a map is chance
_TURN = 16  # 256ths of a turn that a corner's direction may differ when a picture is not turned
_GUESSES = 600  # maps tried
_SMALLEST = 0.15  # of a picture's scale
_STRAIGHT = 0.02  # a map that turns or slants less than this is a move and a scaling, and is fitted as one
_STRETCHED = 0.04  # how far the scales of both axes are apart where a picture was stretched

Points = NDArray[np.float32]  # [n, 2], x and y in pixels
Map = NDArray[np.float64]  # [2, 3], from pixels of one picture to pixels of another


def whole_map(one: tuple[int, int], other: tuple[int, int]) -> Map:
    """Return the map that lays the frame of one picture over another's, both given by width and height."""
    return np.array([[other[0] / one[0], 0, 0], [0, other[1] / one[1], 0]], np.float64)


def map_between(one: Corners, other: Corners) -> tuple[Map, int] | None:
    """Return the map that takes most corners of one picture to the same ones in another, and how many; None by chance.

    Maps that move and scale are tried first, because two corners make one and people do little else.
    """
    if len(one) < _MATCHES or len(other) < _MATCHES:
        return None
    distances, nearest = cv2.batchDistance(
        one.descriptors, other.descriptors, dtype=cv2.CV_32S, normType=cv2.NORM_HAMMING, K=2
    )
    turned = (one.angles.astype(np.int16)[:, None] - other.angles[nearest] + 128) % 256 - 128
    alike = (distances <= _FAR) & (np.abs(turned) <= _TURN)
    clear = (distances[:, 0] < _RATIO * distances[:, 1]) & alike[:, 0]
    found = _moved(one.points[clear], other.points[nearest[clear, 0]])
    if found is None:
        # Letters look like each other: the right corner is often only the second nearest.
        first, second = np.nonzero(alike)
        found = _moved(one.points[first], other.points[nearest[first, second]])
    if found is None:
        clear = (distances[:, 0] < _RATIO * distances[:, 1]) & (distances[:, 0] <= _FAR)
        found = _turned(one.points[clear], other.points[nearest[clear, 0]])
    return None if found is None else _refined(found, one, other)


def _moved(points: Points, others: Points) -> Map | None:
    """Return the move and scaling that takes most points to the others, or None when it takes few."""
    count = len(points)
    if count < _MATCHES:
        return None
    first, second = np.random.default_rng(0).integers(0, count, (2, _GUESSES))
    before, after = points[second] - points[first], others[second] - others[first]
    length = np.linalg.norm(before, axis=1)
    scales = (before * after).sum(axis=1) / np.maximum(length**2, 1)
    bent = np.linalg.norm(after - scales[:, None] * before, axis=1)
    possible = (length > 24) & (scales > _SMALLEST) & (scales < 1 / _SMALLEST) & (bent < 2 * _REACH * (1 + scales))
    if not possible.any():
        return None
    scales, starts = scales[possible].astype(np.float32), first[possible]
    moves = others[starts] - scales[:, None] * points[starts]
    reach = _REACH * np.maximum(1, scales)
    off = [
        np.abs(scales[:, None] * points[:, axis] + moves[:, axis, None] - others[:, axis]) <= reach[:, None]
        for axis in (0, 1)
    ]
    agreeing = (off[0] & off[1]).sum(axis=1)
    best = int(agreeing.argmax())
    # Among many candidate pairs some agree by chance.
    if agreeing[best] < max(_MATCHES, 0.03 * count):
        return None
    scale, (right, down) = float(scales[best]), moves[best]
    return np.array([[scale, 0, right], [0, scale, down]], np.float64)


def _turned(points: Points, others: Points) -> Map | None:
    """Return the map of any kind that takes most points to the others, or None when it takes few."""
    if len(points) < _MATCHES:
        return None
    cv2.setRNGSeed(0)
    found, within = cv2.estimateAffine2D(
        points, others, method=cv2.RANSAC, ransacReprojThreshold=_REACH, maxIters=800, confidence=0.995
    )
    return None if found is None or within.sum() < _MATCHES else found


def _refined(found: Map, one: Corners, other: Corners) -> tuple[Map, int] | None:
    """Return a map fitted again to all corners that it brings near one that looks the same, and how many those are."""
    if not is_plausible(found):
        return None
    moved, around = _moved_by(found, one.points), _AROUND * _larger(found)
    right, down = (np.abs(moved[:, axis, None] - other.points[:, axis]) <= around for axis in (0, 1))
    near, partner = np.nonzero(right & down)
    alike = hamming(one.descriptors[near], other.descriptors[partner]) <= _FAR
    near, partner = near[alike], partner[alike]
    points, others = one.points[near], other.points[partner]
    count = 0
    for reach in (3 * _REACH, 2 * _REACH, _REACH, _REACH):
        if not is_plausible(found):
            return None
        gaps = np.linalg.norm(_moved_by(found, points) - others, axis=1)
        order = np.lexsort((gaps, near))
        nearest = order[np.diff(near[order], prepend=-1) != 0]  # to each corner the nearest that looks the same
        within = nearest[gaps[nearest] <= reach * _larger(found)]
        count = len(within)
        if count < _MATCHES:
            return None
        found = _least_squares(points[within], others[within], straight=_is_straight(found))
    return (found, count) if is_plausible(found) else None


def _moved_by(map: Map, points: Points) -> Points:
    moved: Points = (points @ map[:, :2].T + map[:, 2]).astype(np.float32)
    return moved


def _larger(map: Map) -> float:
    """Return by how much a map makes things larger, 1 where it does not: what a pixel's step becomes."""
    return max(1.0, float(np.sqrt(np.linalg.det(map[:, :2]))))


def is_plausible(found: Map) -> bool:
    """Return whether a map keeps the picture's sides about as they were: people scale and move pictures."""
    scales = np.linalg.svd(found[:, :2], compute_uv=False)
    return bool(
        np.linalg.det(found[:, :2]) > 0
        and scales[1] > _SMALLEST
        and scales[0] < 1 / _SMALLEST
        and scales[0] < 1.5 * scales[1]
    )


def _is_straight(found: Map) -> bool:
    return bool(abs(found[0, 1]) + abs(found[1, 0]) < 2 * _STRAIGHT * np.abs(np.diag(found)).mean())


def _least_squares(points: Points, others: Points, *, straight: bool) -> Map:
    if not straight:
        padded = np.column_stack([points, np.ones(len(points))]).astype(np.float64)
        solved = np.linalg.lstsq(padded, others.astype(np.float64), rcond=None)[0].T
        return solved.astype(np.float64)
    centre, other_centre = points.mean(axis=0, dtype=np.float64), others.mean(axis=0, dtype=np.float64)
    spread, other_spread = points - centre, others - other_centre
    along, own = (spread * other_spread).sum(axis=0), (spread**2).sum(axis=0)
    scales = along / np.maximum(own, 1e-6)
    # Where all corners lie in a strip, one axis says little; people seldom stretch pictures, and seldom a little.
    if abs(scales[0] / max(scales[1], 1e-6) - 1) < _STRETCHED:
        scales = np.full(2, along.sum() / max(own.sum(), 1e-6))
    right, down = scales
    x, y = other_centre - scales * centre
    return np.array([[right, 0, x], [0, down, y]], np.float64)

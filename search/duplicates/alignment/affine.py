"""Estimate the affine transform between two pictures from their keypoints (RANSAC), then refine it on all inliers."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from search.duplicates.keypoints.orb import Keypoints
from search.images.fingerprints import hamming
from search.system.lazy_module import LazyModule

cv2: Any = LazyModule("cv2")

_RATIO = 0.85  # Lowe's ratio: nearest descriptor's distance to the second nearest's
_FAR = 64  # bits of 256: largest distance between descriptors of the same keypoint
_REACH = 3.0  # pixels: largest residual of an inlier
_AROUND = 24.0  # pixels: largest residual of an inlier before refinement
_MATCHES = 8  # least inliers: fewer may agree by chance
_TURN = 16  # 256ths of a full turn: largest difference of keypoint angles between unrotated pictures
_GUESSES = 600  # transforms tried
_SMALLEST = 0.15  # smallest scale
_STRAIGHT = 0.02  # a transform that rotates or shears less is fitted as translation and scale
_MORE, _NEARER = 1.15, 0.7  # times the inliers and their mean gap of a transform without a tilt, of one with it
_NEAR = 0.8  # pixels: a transform whose inliers have a smaller mean gap needs no tilt
_STRETCHED = 0.04  # smallest relative difference of the two axes' scales in a stretched picture

Points = NDArray[np.float32]  # [n, 2], x and y in pixels
Affine = NDArray[np.float64]  # [2, 3], from pixels of one picture to pixels of another


def frame_affine(one: tuple[int, int], other: tuple[int, int]) -> Affine:
    """Return the transform that maps one picture's whole frame to another's; sizes are (width, height).

    >>> frame_affine((100, 50), (200, 100)).tolist()
    [[2.0, 0.0, 0.0], [0.0, 2.0, 0.0]]
    """
    return np.array([[other[0] / one[0], 0, 0], [0, other[1] / one[1], 0]], np.float64)


def estimate_affine(one: Keypoints, other: Keypoints) -> tuple[Affine, int] | None:
    """Return the transform that maps most keypoints to similar ones of the other picture, and the number of inliers.

    None if fewer than _MATCHES agree. Translation with scale is tried first, because two keypoints determine it and
    few edits do anything else.
    """
    if len(one) < _MATCHES or len(other) < _MATCHES:
        return None
    distances, nearest = cv2.batchDistance(
        one.descriptors, other.descriptors, dtype=cv2.CV_32S, normType=cv2.NORM_HAMMING, K=2
    )
    turned = (one.angles.astype(np.int16)[:, None] - other.angles[nearest] + 128) % 256 - 128
    similar = (distances <= _FAR) & (np.abs(turned) <= _TURN)
    clear = (distances[:, 0] < _RATIO * distances[:, 1]) & similar[:, 0]
    found = _fit_translation_and_scale(one.points[clear], other.points[nearest[clear, 0]])
    if found is None:
        # Letters resemble each other: the right keypoint is often only the second nearest.
        first, second = np.nonzero(similar)
        found = _fit_translation_and_scale(one.points[first], other.points[nearest[first, second]])
    if found is None:
        clear = (distances[:, 0] < _RATIO * distances[:, 1]) & (distances[:, 0] <= _FAR)
        found = _fit_affine(one.points[clear], other.points[nearest[clear, 0]])
    return None if found is None else _refine(found, one, other)


def _fit_translation_and_scale(points: Points, others: Points) -> Affine | None:
    """Return the translation and scale that map most points to the others; None with fewer than _MATCHES inliers."""
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
    # Among many candidate pairs, some agree by chance.
    if agreeing[best] < max(_MATCHES, 0.03 * count):
        return None
    scale, (right, down) = float(scales[best]), moves[best]
    return np.array([[scale, 0, right], [0, scale, down]], np.float64)


def _fit_affine(points: Points, others: Points) -> Affine | None:
    """Return the affine transform that maps most points to the others; None with fewer than _MATCHES inliers."""
    if len(points) < _MATCHES:
        return None
    cv2.setRNGSeed(0)
    found, within = cv2.estimateAffine2D(
        points, others, method=cv2.RANSAC, ransacReprojThreshold=_REACH, maxIters=800, confidence=0.995
    )
    return None if found is None or within.sum() < _MATCHES else found


def _refine(found: Affine, one: Keypoints, other: Keypoints) -> tuple[Affine, int] | None:
    """Return a transform refitted to all keypoints that it maps near a similar one, and the number of inliers."""
    if not is_plausible(found):
        return None
    moved, around = _transformed(found, one.points), _AROUND * _magnification(found)
    right, down = (np.abs(moved[:, axis, None] - other.points[:, axis]) <= around for axis in (0, 1))
    near, partner = np.nonzero(right & down)
    similar = hamming(one.descriptors[near], other.descriptors[partner]) <= _FAR
    near, partner = near[similar], partner[similar]
    points, others = one.points[near], other.points[partner]
    fitted = _fit_near(found, points, others, near, straight=_is_straight(found))
    if fitted is None:
        return None
    affine, count, gap = fitted
    if gap > _NEAR * _magnification(affine) and _is_straight(affine):
        # A scan is a degree or two off the level: a straight transform then fits the middle of the picture alone.
        tilted = _fit_near(affine, points, others, near, straight=False)
        if tilted is not None and tilted[1] >= count and (tilted[1] >= _MORE * count or tilted[2] <= _NEARER * gap):
            affine, count, _ = tilted
    return affine, count


def _fit_near(
    found: Affine, points: Points, others: Points, near: NDArray[np.int64], *, straight: bool
) -> tuple[Affine, int, float] | None:
    """Return a transform refitted to pairs of points, of which `near` names the first, its inliers, and their gap."""
    count, gap = 0, 0.0
    for reach in (3 * _REACH, 2 * _REACH, _REACH, _REACH):
        if not is_plausible(found):
            return None
        gaps = np.linalg.norm(_transformed(found, points) - others, axis=1)
        order = np.lexsort((gaps, near))
        # For each keypoint, the nearest one with a similar descriptor.
        nearest = order[np.diff(near[order], prepend=-1) != 0]
        within = nearest[gaps[nearest] <= reach * _magnification(found)]
        count = len(within)
        if count < _MATCHES:
            return None
        gap = float(gaps[within].mean())
        found = _least_squares(points[within], others[within], straight=straight and _is_straight(found))
    return (found, count, gap) if is_plausible(found) else None


def _transformed(affine: Affine, points: Points) -> Points:
    moved: Points = (points @ affine[:, :2].T + affine[:, 2]).astype(np.float32)
    return moved


def _magnification(affine: Affine) -> float:
    """Return the scale of a transform, at least 1: the size that a pixel of the source has in the target."""
    return max(1.0, float(np.sqrt(np.linalg.det(affine[:, :2]))))


def is_plausible(found: Affine) -> bool:
    """Return whether a transform roughly keeps the aspect ratio and orientation, as scaling and moving a picture do.

    >>> is_plausible(np.array([[1.0, 0, 5], [0, 1.0, -3]])), is_plausible(np.array([[3.0, 0, 0], [0, 1.0, 0]]))
    (True, False)
    """
    scales = np.linalg.svd(found[:, :2], compute_uv=False)
    return bool(
        np.linalg.det(found[:, :2]) > 0
        and scales[1] > _SMALLEST
        and scales[0] < 1 / _SMALLEST
        and scales[0] < 1.5 * scales[1]
    )


def _is_straight(found: Affine) -> bool:
    return bool(abs(found[0, 1]) + abs(found[1, 0]) < 2 * _STRAIGHT * np.abs(np.diag(found)).mean())


def _least_squares(points: Points, others: Points, *, straight: bool) -> Affine:
    if not straight:
        padded = np.column_stack([points, np.ones(len(points))]).astype(np.float64)
        solved = np.linalg.lstsq(padded, others.astype(np.float64), rcond=None)[0].T
        return solved.astype(np.float64)
    center, other_center = points.mean(axis=0, dtype=np.float64), others.mean(axis=0, dtype=np.float64)
    spread, other_spread = points - center, others - other_center
    along, variance = (spread * other_spread).sum(axis=0), (spread**2).sum(axis=0)
    scales = along / np.maximum(variance, 1e-6)
    # Keypoints in a strip determine one axis badly; pictures are seldom stretched, and never only a little.
    if abs(scales[0] / max(scales[1], 1e-6) - 1) < _STRETCHED:
        scales = np.full(2, along.sum() / max(variance.sum(), 1e-6))
    right, down = scales
    x, y = other_center - scales * center
    return np.array([[right, 0, x], [0, down, y]], np.float64)

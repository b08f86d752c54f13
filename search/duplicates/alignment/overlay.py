"""Overlay a picture on another by an affine transform, equalize the brightness, and measure where they differ."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from search.duplicates.alignment.affine import Affine, is_plausible
from search.duplicates.alignment.photometric import fit_photometric, is_identity, joint_histogram
from search.duplicates.keypoints.orb import Gray
from search.duplicates.picture import ScaledPicture, smoothed
from search.system.lazy_module import LazyModule

cv2: Any = LazyModule("cv2")

TINY = 128  # pixels of the longer side: smaller pictures are enlarged, so that they must agree in finer detail
_ENLARGED = 320  # pixels of the longer side that they get at least
_LEAST_OVERLAP = 2500  # pixels
_REFINED = 240  # pixels of the longer side at which the pixels are compared to refine a transform
_EXACT = 1e-6  # a transform that differs less from the identity needs no warping
_EDGE = 9  # pixels: half of it is excluded along the overlap's edge, where smoothing mixes in the surroundings
_LEAST_ROUND, _ROUND = 0.03, 0.1  # of the longer side: radius of a corner that may be cut round
_PLAIN_CORNER = 16  # grey levels: what differs less is outside of a round corner
_WINDOW = 5  # pixels at half size: differences are averaged over squares of this side
SHIFTS = tuple((right, down) for right in (-1, 0, 1) for down in (-1, 0, 1))
_ACROSS, _DOWN = 7, 2  # pixels: letters closer than twice this distance are joined into one line
TILE = 16  # pixels of a tile's side
DIFFERS = 14  # grey levels: a tile with a larger mean difference counts as differing
SPOTTED = 0.02  # largest share of strongly differing pixels for which the spots are listed
_STRONG = 40  # grey levels: a window with a larger mean difference differs strongly


@dataclass(frozen=True)
class Overlay:
    """The measured differences of a picture overlaid on another, in the other's pixels.

    Shares are of the overlap. `heat` ([rows, columns] float32, grey levels) is the mean difference of each
    tile, NaN where the pictures do not overlap.
    """

    affine: Affine
    matches: int  # matched keypoints; 0 when the whole frames were overlaid without keypoints
    covers_one: float  # share of the first picture that the other shows
    covers_other: float
    differing: float  # share of tiles that differ
    strong: float  # share of pixels that differ strongly
    # Boxes of strongly differing areas: x, y, width, height in shares; empty if `strong` is above SPOTTED.
    spots: tuple[tuple[float, float, float, float], ...]
    gain: float
    bias: float
    surroundings: float  # plain share of the other picture outside the first; 1 when nothing is outside
    heat: NDArray[np.float32]
    difference: Gray  # mean difference of windows, in grey levels, at half the scale of the overlay
    within: Gray | None  # the overlap at the same scale, 255 or 0; None if it is all of the other picture


def overlay(one: ScaledPicture, other: ScaledPicture, *, affine: Affine, matches: int = 0) -> Overlay | None:
    """Return the differences of a picture overlaid on another by a transform; None if they hardly overlap.

    >>> from PIL import Image
    >>> from search.duplicates.alignment.affine import frame_affine
    >>> from search.duplicates.picture import scale_picture
    >>> picture = scale_picture(Image.radial_gradient("L"))
    >>> overlay(picture, picture, affine=frame_affine(picture.size, picture.size)).differing
    0.0
    """
    first, second, between = _to_common_scale(one.gray, other.gray, affine)
    laid, there = warp(first, between, second.shape)
    whole = second.size
    if there is None:
        mask, area, seen = None, second.size, second.size
    else:
        mask = cv2.erode(there, np.ones((_EDGE, _EDGE), np.uint8), borderType=cv2.BORDER_REPLICATE)
        area, seen = cv2.countNonZero(mask), cv2.countNonZero(there)
    if area < min(_LEAST_OVERLAP, second.size // 4):
        return None
    if max(second.shape) < TINY:
        # A face of 50 pixels has eyes of 5: they must not be averaged away.
        times = -(-_ENLARGED // max(second.shape))
        seen *= times**2
        laid, second = (_enlarged(plane, times, cv2.INTER_CUBIC) for plane in (laid, second))
        if mask is not None:
            there, mask = (_enlarged(plane, times, cv2.INTER_NEAREST) for plane in (there, mask))
    smooth = one.smooth if laid is one.gray else smoothed(laid)
    smooth_second = other.smooth if second is other.gray else smoothed(second)
    difference, within, gain, bias = _difference((laid, smooth), (second, smooth_second), mask)
    if within is None and any(_has_round_corners(plane) for plane in (laid, second)):
        difference = cv2.bitwise_and(difference, rounded(difference.shape, _ROUND))
    area_of_one = first.size * abs(float(np.linalg.det(between[:, :2]))) * second.size / whole
    return Overlay(
        affine=affine,
        matches=matches,
        covers_one=min(1.0, seen / area_of_one),
        covers_other=seen / second.size,
        gain=gain,
        bias=bias,
        surroundings=1.0 if there is None else _plain_share(second[there == 0]),
        within=within,
        **_summed(difference, within),
    )


def usual_difference(found: Overlay, percent: float) -> int:
    """Return the difference (grey levels) that this many percent of the overlap's windows do not exceed."""
    counts = cv2.calcHist([found.difference], [0], found.within, [256], [0, 256]).ravel().cumsum()
    return int(np.searchsorted(counts, percent / 100 * counts[-1])) if counts[-1] else 0


def without_difference(found: Overlay, place: Gray) -> Overlay:
    """Return the overlay as if the pictures were equal where `place` ([height, width] like the difference) is not 0."""
    difference = found.difference.copy()
    difference[place > 0] = 0
    return replace(found, **_summed(difference, found.within))


def _summed(difference: Gray, within: Gray | None) -> dict[str, Any]:
    """Return what an overlay says of a difference: its share of tiles and of strong pixels, its spots and its heat."""
    doubled = cv2.resize(difference, (2 * difference.shape[1], 2 * difference.shape[0]), interpolation=cv2.INTER_LINEAR)
    strong = cv2.threshold(doubled, _STRONG - 1, 1, cv2.THRESH_BINARY)[1]
    share = cv2.countNonZero(strong) / (strong.size if within is None else max(1, 4 * cv2.countNonZero(within)))
    tiles = _tiles(difference, within)
    known = tiles[~np.isnan(tiles)]
    return {
        "differing": float((known > DIFFERS).mean()) if len(known) else 0.0,
        "strong": share,
        "spots": _spots(strong) if share <= SPOTTED else (),
        "heat": tiles,
        "difference": difference,
    }


def _has_round_corners(plane: Gray) -> bool:
    """Return whether all four corners of a picture are cut round, so that one plain level is outside of them."""
    height, width = plane.shape
    tips = plane[[0, 0, -1, -1], [0, -1, 0, -1]].astype(np.int16)
    if np.ptp(tips) > _PLAIN_CORNER:
        return False  # most pictures
    outside = plane[rounded((height, width), _LEAST_ROUND) == 0].astype(np.int16)
    if not outside.size or np.abs(outside - np.median(tips)).max() > _PLAIN_CORNER:
        return False
    # A picture whose whole edge is plain has no corners.
    edge = np.concatenate([plane[0], plane[-1], plane[:, 0], plane[:, -1]]).astype(np.int16)
    return bool((np.abs(edge - np.median(tips)) > _PLAIN_CORNER).mean() >= 0.5)


@lru_cache(maxsize=64)
def rounded(shape: tuple[int, int], share: float) -> Gray:
    """Return a plane that is 255 but outside of round corners, whose radius is a share of the longer side."""
    height, width = shape
    radius = round(share * max(shape))
    plane = np.zeros(shape, np.uint8)
    cv2.rectangle(plane, (radius, 0), (width - 1 - radius, height - 1), 255, cv2.FILLED)
    cv2.rectangle(plane, (0, radius), (width - 1, height - 1 - radius), 255, cv2.FILLED)
    for x in (radius, width - 1 - radius):
        for y in (radius, height - 1 - radius):
            cv2.circle(plane, (x, y), radius, 255, cv2.FILLED)
    return plane


def _enlarged(plane: Gray | None, times: int, interpolation: int) -> Gray:
    assert plane is not None
    size = plane.shape[1] * times, plane.shape[0] * times
    enlarged: Gray = cv2.resize(plane, size, interpolation=interpolation)
    return enlarged


def warp(first: NDArray[np.uint8], between: Affine, shape: tuple[int, ...]) -> tuple[NDArray[np.uint8], Gray | None]:
    """Return a picture warped into another's frame, and its mask there (255 or 0), or None if it fills the frame."""
    if first.shape == shape and np.abs(between - np.eye(2, 3)).max() < _EXACT:
        return first, None
    size = shape[1], shape[0]
    laid = cv2.warpAffine(first, between, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    there = cv2.warpAffine(np.full(first.shape[:2], 255, np.uint8), between, size)
    there = cv2.threshold(there, 250, 255, cv2.THRESH_BINARY)[1]
    return laid, None if cv2.countNonZero(there) == there.size else there


def refine_by_pixels(one: ScaledPicture, other: ScaledPicture, *, affine: Affine) -> Affine | None:
    """Return a transform that fits the pixels better than the keypoints' transform, or None.

    ECC (Evangelidis and Psarakis, "Parametric image alignment using enhanced correlation coefficient", 2008).
    """
    first, second, between = _to_common_scale(one.gray, other.gray, affine)
    height, width = second.shape
    laid = cv2.warpAffine(first, between, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    there = cv2.warpAffine(np.full(first.shape, 255, np.uint8), between, (width, height))
    if (times := _REFINED / max(height, width)) < 1:
        size = max(1, round(width * times)), max(1, round(height * times))
        second, laid, there = (cv2.resize(plane, size, interpolation=cv2.INTER_AREA) for plane in (second, laid, there))
    criteria = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 30, 1e-4)
    try:
        _, change = cv2.findTransformECC(
            second, laid, np.eye(2, 3, dtype=np.float32), cv2.MOTION_AFFINE, criteria, there, 5
        )
    except cv2.error:  # ECC does not converge on plain pictures
        return None
    # `change` maps the other's pixels to their warped position: compose its inverse with `affine` at its scale.
    back = np.linalg.inv(np.vstack([change, [0, 0, 1]]))
    scale = np.vstack([_own_scale(other.gray, second), [0, 0, 1]])
    better: Affine = (scale @ back @ np.linalg.inv(scale) @ np.vstack([affine, [0, 0, 1]]))[:2]
    return better if is_plausible(better) else None


def _own_scale(plane: Gray, shrunk: Gray) -> Affine:
    if plane.shape == shrunk.shape:
        return np.eye(2, 3)
    return _upscaling((shrunk.shape[1], shrunk.shape[0]), plane)[:2]


def _to_common_scale(first: Gray, second: Gray, affine: Affine) -> tuple[Gray, Gray, Affine]:
    """Return both pictures at the scale of the one with less detail, and the transform between them."""
    scale = float(np.sqrt(abs(np.linalg.det(affine[:, :2]))))
    between = affine.copy()
    if scale < 0.95:
        size = max(1, round(first.shape[1] * scale)), max(1, round(first.shape[0] * scale))
        between = between @ _upscaling(size, first)
        first = cv2.resize(first, size, interpolation=cv2.INTER_AREA)
    elif scale > 1.05:
        size = max(1, round(second.shape[1] / scale)), max(1, round(second.shape[0] / scale))
        between = np.linalg.inv(_upscaling(size, second))[:2] @ np.vstack([between, [0, 0, 1]])
        second = cv2.resize(second, size, interpolation=cv2.INTER_AREA)
    return first, second, between


def _upscaling(size: tuple[int, int], plane: Gray) -> NDArray[np.float64]:
    """Return the transform ([3, 3]) from the pixels of a plane resized to `size` to the plane's original pixels."""
    right, down = plane.shape[1] / size[0], plane.shape[0] / size[1]
    return np.array([[right, 0, (right - 1) / 2], [0, down, (down - 1) / 2], [0, 0, 1]], np.float64)


def _difference(
    one: tuple[Gray, Gray], other: tuple[Gray, Gray], mask: Gray | None
) -> tuple[Gray, Gray | None, float, float]:
    """Return the mean difference of windows (grey levels), the mask, and the photometric gain and bias.

    Difference and mask are at half the pictures' size. Each picture is a pair: unsmoothed and smoothed. Without a mask
    they overlap everywhere. Levels clipped at black or white are lost in one direction only, so the photometric map is
    applied in both directions and the smaller difference counts; for the identity, both directions are equal.
    """
    best: tuple[float, Gray, float, float] | None = None
    within = None if mask is None else cv2.threshold(_halve(mask), 254, 255, cv2.THRESH_BINARY)[1]
    joint = joint_histogram(one[1], other[1], mask)
    photometrics = fit_photometric(joint), fit_photometric(np.ascontiguousarray(joint.T))
    unchanged = all(map(is_identity, photometrics))
    for forth in (True,) if unchanged else (True, False):
        source, target = (one[0], other[1]) if forth else (other[0], one[1])
        gain, bias, low, high = photometrics[0 if forth else 1]
        if unchanged:
            lit = one[1]
        else:
            # Levels were clipped before smoothing.
            table = np.clip(np.arange(256) * gain + bias, low, high).round().astype(np.uint8)
            lit = smoothed(cv2.LUT(source, table))
        found = _least_over_shifts(lit, target, mask)
        if gain < 1:  # undo the loss of contrast, so that differences have their full size
            found = cv2.convertScaleAbs(found, alpha=1 / gain)
        if within is not None:
            found = cv2.bitwise_and(found, within)
        total = cv2.sumElems(found)[0]
        if best is None or total < best[0]:
            best = (total, found, gain if forth else 1 / gain, bias if forth else -bias / gain)
    assert best is not None
    _, found, gain, bias = best
    return found, within, gain, bias


def _least_over_shifts(one: Gray, other: Gray, mask: Gray | None) -> Gray:
    """Return each window's mean difference, the least over shifts by one pixel, because transforms are never exact.

    Differences are computed at full size and averaged at half size, because windows change slowly.
    """
    least: Gray | None = None
    padded = cv2.copyMakeBorder(one, 1, 1, 1, 1, cv2.BORDER_REPLICATE)
    height, width = one.shape
    for right, down in SHIFTS:
        shifted = padded[1 + down : 1 + down + height, 1 + right : 1 + right + width]
        apart = cv2.absdiff(shifted, other)
        if mask is not None:  # pixels outside the overlap must not count
            apart = cv2.bitwise_and(apart, mask)
        window = cv2.blur(_halve(apart), (_WINDOW, _WINDOW))
        least = window if least is None else cv2.min(least, window)
    assert least is not None
    return least


def _halve(plane: Gray) -> Gray:
    """Return a plane at half its size, without an odd last row or column."""
    height, width = (side // 2 * 2 if side > 1 else 1 for side in plane.shape)
    size = max(1, width // 2), max(1, height // 2)
    halved: Gray = cv2.resize(plane[:height, :width], size, interpolation=cv2.INTER_AREA)
    return halved


def _tiles(difference: Gray, mask: Gray | None) -> NDArray[np.float32]:
    """Return the mean difference of each tile ([rows, columns] float32), NaN if less than half of it overlaps.

    Both planes are at half the size of the pictures.
    """
    rows, columns = (max(1, 2 * side // TILE) for side in difference.shape)
    size = (columns, rows)
    means = cv2.resize(difference.astype(np.float32), size, interpolation=cv2.INTER_AREA)
    if mask is None:
        return means
    shares = cv2.resize(mask.astype(np.float32) / 255, size, interpolation=cv2.INTER_AREA)
    return np.where(shares > 0.5, means / np.maximum(shares, 1e-6), np.nan).astype(np.float32)


def _spots(strong: Gray) -> tuple[tuple[float, float, float, float], ...]:
    """Return the boxes (x, y, width, height in shares) of strong differences; the letters of a line share a box."""
    if not strong.any():
        return ()
    joined = cv2.dilate(strong, np.ones((2 * _DOWN + 1, 2 * _ACROSS + 1), np.uint8))
    _, _, boxes, _ = cv2.connectedComponentsWithStats(joined)
    height, width = strong.shape
    found = sorted(((int(box[4]), box) for box in boxes[1:]), key=lambda sized: -sized[0])[:8]
    return tuple(
        (
            round(float((box[0] + _ACROSS) / width), 3),
            round(float((box[1] + _DOWN) / height), 3),
            round(float(max(1, box[2] - 2 * _ACROSS) / width), 3),
            round(float(max(1, box[3] - 2 * _DOWN) / height), 3),
        )
        for _, box in found
    )


def _plain_share(outside: NDArray[np.uint8]) -> float:
    """Return the share of pixels ([n] uint8 grey levels) near the two most common levels; 1 without pixels."""
    if not len(outside):
        return 1.0
    counts = np.bincount(outside // 8, minlength=32).astype(np.float64)
    around = np.convolve(counts, np.ones(3), "same")
    first = int(around.argmax())
    rest = counts.copy()
    rest[max(0, first - 1) : first + 2] = 0
    second = float(np.convolve(rest, np.ones(3), "same").max())
    return float(min(1.0, (around[first] + second) / len(outside)))

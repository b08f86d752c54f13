"""Laying one picture over another: where they agree, what differs, which colours. Searching's only cv2.

Pictures are looked at with their longest side at most SIDE pixels. ORB (Rublee et al., "ORB: an efficient alternative
to SIFT or SURF", 2011) finds the same corners in both, a map from one to the other is fitted by RANSAC and refined, the
light is made equal, and what then remains is the difference.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import cv2 as _typed
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from search.fingerprints import hamming

cv2: Any = _typed  # its type stubs know no element types

SIDE = 480  # pixels of the longest side
FEATURES = 400
OCTAVES = 8
OCTAVE_SCALE = 1.2

_PATCH = 15  # pixels from the picture's edge within which there are no corners
_PATCH_SIZE = 31  # pixels of a patch's side, at its own octave
_FAINT_CORNER = 8  # grey levels: drawings and dark pictures have no stronger ones
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
_LEAST_OVERLAP = 2500  # pixels
_EXACT = 1e-6  # pixels: a map that moves nothing further lays one frame on the other as it is

_SMOOTHING = 1.2  # sigma in pixels: what sharpening, blur and JPEG change is below it
_EDGE = 9  # pixels: half of it is not looked at beside a frame, which smoothing mixes in
_WINDOW = 5  # pixels at half the size: a difference is the mean over a square of this side
_SHIFTS = tuple((right, down) for right in (-1, 0, 1) for down in (-1, 0, 1))
_LEVELS = 8  # grey levels taken together when the light is compared
_SAME_LIGHT = 4.0  # grey levels that the light changes anything by at most, where it is the same
_GAIN = 2.5  # contrast may have been changed by up to this factor
_SMALL = 48  # pixels of the longest side, where colours are compared
_OTHER_COLOUR = 12  # CIELAB units from which on a colour is another one
_ACROSS, _DOWN = 7, 2  # pixels: letters nearer to each other than twice that are one line
TILE = 16  # pixels: a cell of the heat map
DIFFERS = 14  # grey levels, a tile's mean, from which on it differs
SPOTTED = 0.02  # share of pixels where something else is, beyond which it is no single spot
_TILES = (30, 30)  # in which a picture is compared with its own mirror image
_SYMMETRIC = 12.0  # grey levels, the median tile's
_STRONG = 40  # grey levels, a window's mean, from which on something else is there

Grey = NDArray[np.uint8]  # [height, width], luminance
Colours = NDArray[np.uint8]  # [height, width, 3], sRGB
Chroma = NDArray[np.float32]  # [height, width, 2], a and b of CIELAB
Points = NDArray[np.float32]  # [n, 2], x and y in pixels
Map = NDArray[np.float64]  # [2, 3], from pixels of one picture to pixels of another


@dataclass(frozen=True)
class Corners:
    """A picture's corners: `points` in pixels at SIDE ([n, 2] float32), `octaves` ([n] uint8), `angles` in 256ths of a
    turn ([n] uint8) and `descriptors` ([n, 32] uint8), strongest first within each octave."""

    points: NDArray[np.float32]
    octaves: NDArray[np.uint8]
    angles: NDArray[np.uint8]
    descriptors: NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.points)


@dataclass(frozen=True)
class View:
    """A picture as it is compared: at most SIDE pixels a side."""

    colours: Colours
    known_corners: Corners | None = None  # where they were found before

    @cached_property
    def grey(self) -> Grey:
        """The picture's luminance."""
        return cv2.cvtColor(self.colours, cv2.COLOR_RGB2GRAY)

    @cached_property
    def smooth(self) -> Grey:
        """The picture's luminance, smoothed as it is before anything is compared."""
        return _smoothed(self.grey)

    @cached_property
    def chroma(self) -> Chroma:
        """The picture's colours without their lightness, at most _SMALL pixels a side."""
        width, height = self.size
        scale = _SMALL / max(width, height)
        return _chroma_of(self.colours, (max(1, round(width * scale)), max(1, round(height * scale))))

    @cached_property
    def corners(self) -> Corners:
        """The picture's corners."""
        return corners_of(self.grey) if self.known_corners is None else self.known_corners

    @cached_property
    def mirrored(self) -> View:
        """The picture mirrored left to right."""
        return View(np.ascontiguousarray(self.colours[:, ::-1]))

    @cached_property
    def mirrored_corners(self) -> Corners:
        """The corners of the mirrored picture."""
        return mirrored_corners(self.corners, self.grey)

    @cached_property
    def is_symmetric(self) -> bool:
        """Whether most of the picture is about as dark as its mirror image."""
        small = cv2.resize(self.grey, _TILES, interpolation=cv2.INTER_AREA).astype(np.int16)
        return bool(np.median(np.abs(small - small[:, ::-1])) <= _SYMMETRIC)

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        return self.colours.shape[1], self.colours.shape[0]


@dataclass(frozen=True)
class Overlay:
    """What is seen when a picture is laid over another by a map, in the pixels of the other.

    Shares are of the area where both are. `heat` ([rows, columns] float32, grey levels) has a cell of TILE pixels each,
    NaN where they do not overlap.
    """

    map: Map
    matches: int  # corners that agree; 0 when the frames were laid over each other whole
    covers_one: float  # share of the first picture that the other shows
    covers_other: float
    differing: float  # share of tiles that differ
    strong: float  # share of pixels where something else is
    # What differs strongly: x, y, width, height in shares. None are told apart where it is more than SPOTTED.
    spots: tuple[tuple[float, float, float, float], ...]
    gain: float
    bias: float
    surroundings: float  # share of the other picture beyond the first that is plain; 1 when there is nothing beyond
    heat: NDArray[np.float32]


def view_of(picture: Image.Image, *, corners: Corners | None = None) -> View:
    """Return a picture as it is compared; its corners can be given where they are known."""
    scale = SIDE / max(picture.size)
    picture = picture if picture.mode == "RGB" else picture.convert("RGB")
    if scale < 1:
        size = max(1, round(picture.width * scale)), max(1, round(picture.height * scale))
        picture = picture.resize(size, Image.Resampling.HAMMING)
    return View(np.array(picture, np.uint8), corners)


def corners_of(grey: Grey) -> Corners:
    """Return a picture's corners; a picture without contrast has none."""
    if min(grey.shape) <= 2 * _PATCH:
        return _no_corners()
    return _corners(*_detector().detectAndCompute(grey, None))


def mirrored_corners(corners: Corners, grey: Grey) -> Corners:
    """Return the corners of a picture's mirror image: they are where its own are, and look another way."""
    if not len(corners):
        return corners
    right = grey.shape[1] - 1
    rows = zip(corners.points.tolist(), corners.octaves.tolist(), corners.angles.tolist(), strict=True)
    points = [
        cv2.KeyPoint(right - x, y, _PATCH_SIZE * OCTAVE_SCALE**octave, (128 - angle) % 256 * 360 / 256, -place, octave)
        for place, ((x, y), octave, angle) in enumerate(rows)
    ]
    return _corners(*_detector().compute(np.ascontiguousarray(grey[:, ::-1]), points))


def _detector() -> Any:
    return cv2.ORB_create(
        FEATURES, scaleFactor=OCTAVE_SCALE, nlevels=OCTAVES, edgeThreshold=_PATCH, fastThreshold=_FAINT_CORNER
    )


def _corners(found: Any, descriptors: NDArray[np.uint8] | None) -> Corners:
    if descriptors is None:
        return _no_corners()
    order = sorted(range(len(found)), key=lambda at: (found[at].octave, -found[at].response))
    return Corners(
        np.array([found[at].pt for at in order], np.float32),
        np.array([found[at].octave for at in order], np.uint8),
        np.array([round(found[at].angle / 360 * 256) % 256 for at in order], np.uint8),
        np.ascontiguousarray(descriptors[order]),
    )


def _no_corners() -> Corners:
    nothing = np.zeros(0, np.uint8)
    return Corners(np.zeros((0, 2), np.float32), nothing, nothing, np.zeros((0, 32), np.uint8))


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
    if not _plausible(found):
        return None
    moved, around = _moved_by(found, one.points), _AROUND * _larger(found)
    right, down = (np.abs(moved[:, axis, None] - other.points[:, axis]) <= around for axis in (0, 1))
    near, partner = np.nonzero(right & down)
    alike = hamming(one.descriptors[near], other.descriptors[partner]) <= _FAR
    near, partner = near[alike], partner[alike]
    points, others = one.points[near], other.points[partner]
    count = 0
    for reach in (3 * _REACH, 2 * _REACH, _REACH, _REACH):
        if not _plausible(found):
            return None
        gaps = np.linalg.norm(_moved_by(found, points) - others, axis=1)
        order = np.lexsort((gaps, near))
        nearest = order[np.diff(near[order], prepend=-1) != 0]  # to each corner the nearest that looks the same
        within = nearest[gaps[nearest] <= reach * _larger(found)]
        count = len(within)
        if count < _MATCHES:
            return None
        found = _least_squares(points[within], others[within], straight=_is_straight(found))
    return (found, count) if _plausible(found) else None


def _moved_by(map: Map, points: Points) -> Points:
    moved: Points = (points @ map[:, :2].T + map[:, 2]).astype(np.float32)
    return moved


def _larger(map: Map) -> float:
    """Return by how much a map makes things larger, 1 where it does not: what a pixel's step becomes."""
    return max(1.0, float(np.sqrt(np.linalg.det(map[:, :2]))))


def _plausible(found: Map) -> bool:
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


def overlay(one: View, other: View, *, map: Map, matches: int = 0) -> Overlay | None:
    """Return what is seen when one picture is laid over another; None when they hardly overlap."""
    first, second, between = _at_one_scale(one.grey, other.grey, map)
    laid, there = _laid(first, between, second.shape)
    if there is None:
        mask, area, seen = None, second.size, second.size
    else:
        mask = cv2.erode(there, np.ones((_EDGE, _EDGE), np.uint8), borderType=cv2.BORDER_REPLICATE)
        area, seen = cv2.countNonZero(mask), cv2.countNonZero(there)
    if area < min(_LEAST_OVERLAP, second.size // 4):
        return None
    smooth = one.smooth if laid is one.grey else _smoothed(laid)
    smooth_second = other.smooth if second is other.grey else _smoothed(second)
    difference, within, gain, bias = _difference((laid, smooth), (second, smooth_second), mask)
    doubled = cv2.resize(difference, (2 * difference.shape[1], 2 * difference.shape[0]), interpolation=cv2.INTER_LINEAR)
    strong = cv2.threshold(doubled, _STRONG - 1, 1, cv2.THRESH_BINARY)[1]
    share = cv2.countNonZero(strong) / (strong.size if within is None else max(1, 4 * cv2.countNonZero(within)))
    tiles = _tiles(difference, within)
    known = tiles[~np.isnan(tiles)]
    scale = abs(float(np.linalg.det(between[:, :2])))
    return Overlay(
        map=map,
        matches=matches,
        covers_one=min(1.0, seen / (first.size * scale)),
        covers_other=seen / second.size,
        differing=float((known > DIFFERS).mean()) if len(known) else 0.0,
        strong=share,
        spots=_spots(strong) if share <= SPOTTED else (),
        gain=gain,
        bias=bias,
        surroundings=1.0 if there is None else _plainness(second[there == 0]),
        heat=tiles,
    )


def _laid(first: NDArray[np.uint8], between: Map, shape: tuple[int, ...]) -> tuple[NDArray[np.uint8], Grey | None]:
    """Return a picture laid into another's frame, and where it is there (255, or 0); None where it fills the frame."""
    if first.shape == shape and np.abs(between - np.eye(2, 3)).max() < _EXACT:
        return first, None
    size = shape[1], shape[0]
    laid = cv2.warpAffine(first, between, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    there = cv2.warpAffine(np.full(first.shape[:2], 255, np.uint8), between, size)
    there = cv2.threshold(there, 250, 255, cv2.THRESH_BINARY)[1]
    return laid, None if cv2.countNonZero(there) == there.size else there


def refined_by_pixels(one: View, other: View, *, map: Map) -> Map | None:
    """Return a map that fits the pixels better than the corners did, or None when none is found.

    ECC (Evangelidis and Psarakis, "Parametric image alignment using enhanced correlation coefficient", 2008).
    """
    first, second, between = _at_one_scale(one.grey, other.grey, map)
    height, width = second.shape
    laid = cv2.warpAffine(first, between, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    there = cv2.warpAffine(np.full(first.shape, 255, np.uint8), between, (width, height))
    criteria = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 30, 1e-4)
    try:
        _, change = cv2.findTransformECC(
            second, laid, np.eye(2, 3, dtype=np.float32), cv2.MOTION_AFFINE, criteria, there, 5
        )
    except cv2.error:  # it does not converge where there is nothing to follow
        return None
    # The change leads from the other's pixels to where they lie now; the map goes on from there, at the other's scale.
    back = np.linalg.inv(np.vstack([change, [0, 0, 1]]))
    scale = np.vstack([_own_scale(other.grey, second), [0, 0, 1]])
    better: Map = (scale @ back @ np.linalg.inv(scale) @ np.vstack([map, [0, 0, 1]]))[:2]
    return better if _plausible(better) else None


def _own_scale(plane: Grey, shrunk: Grey) -> Map:
    if plane.shape == shrunk.shape:
        return np.eye(2, 3)
    return _enlarging((shrunk.shape[1], shrunk.shape[0]), plane)[:2]


def _at_one_scale(first: Grey, second: Grey, map: Map) -> tuple[Grey, Grey, Map]:
    """Return both pictures at the scale of the one that shows less detail, and the map between them."""
    scale = float(np.sqrt(abs(np.linalg.det(map[:, :2]))))
    between = map.copy()
    if scale < 0.95:
        size = max(1, round(first.shape[1] * scale)), max(1, round(first.shape[0] * scale))
        between = between @ _enlarging(size, first)
        first = cv2.resize(first, size, interpolation=cv2.INTER_AREA)
    elif scale > 1.05:
        size = max(1, round(second.shape[1] / scale)), max(1, round(second.shape[0] / scale))
        between = np.linalg.inv(_enlarging(size, second))[:2] @ np.vstack([between, [0, 0, 1]])
        second = cv2.resize(second, size, interpolation=cv2.INTER_AREA)
    return first, second, between


def _enlarging(size: tuple[int, int], plane: Grey) -> NDArray[np.float64]:
    """Return the map ([3, 3]) from the pixels of a plane resized to this size to its own; centres keep their place."""
    right, down = plane.shape[1] / size[0], plane.shape[0] / size[1]
    return np.array([[right, 0, (right - 1) / 2], [0, down, (down - 1) / 2], [0, 0, 1]], np.float64)


def _difference(
    one: tuple[Grey, Grey], other: tuple[Grey, Grey], mask: Grey | None
) -> tuple[Grey, Grey | None, float, float]:
    """Return how much windows differ (grey levels) once the light is equal, the mask at the same half of the pictures'
    size, and the gain and bias that made the light so.

    Both pictures are given as they are and smoothed; without a mask both are everywhere. Either may be the one whose
    light was changed, and what was cut off at black or white is lost in one direction only, so that the better of both
    counts. Where the light is the same, both directions say the same.
    """
    best: tuple[float, Grey, float, float] | None = None
    within = None if mask is None else cv2.threshold(_halved(mask), 254, 255, cv2.THRESH_BINARY)[1]
    joint = _joint_levels(one[1], other[1], mask)
    lights = _light(joint), _light(np.ascontiguousarray(joint.T))
    same_light = all(map(_is_no_change, lights))
    for forth in (True,) if same_light else (True, False):
        source, target = (one[0], other[1]) if forth else (other[0], one[1])
        gain, bias, low, high = lights[0 if forth else 1]
        if same_light:
            lit = one[1]
        else:
            # The light was cut off before anything was smoothed.
            table = np.clip(np.arange(256) * gain + bias, low, high).round().astype(np.uint8)
            lit = _smoothed(cv2.LUT(source, table))
        found = _least_over_shifts(lit, target, mask)
        if gain < 1:  # what was there before contrast was taken away counts in full
            found = cv2.convertScaleAbs(found, alpha=1 / gain)
        if within is not None:
            found = cv2.bitwise_and(found, within)
        total = cv2.sumElems(found)[0]
        if best is None or total < best[0]:
            best = (total, found, gain if forth else 1 / gain, bias if forth else -bias / gain)
    assert best is not None
    _, found, gain, bias = best
    return found, within, gain, bias


def _smoothed(plane: Grey) -> Grey:
    return cv2.GaussianBlur(plane, (0, 0), _SMOOTHING)


def _joint_levels(one: Grey, other: Grey, mask: Grey | None) -> NDArray[np.float32]:
    """Return how often each level of one picture ([256, 256], rows) lies on each level of another, of every third pixel
    where both are."""
    planes = [plane.ravel() if mask is None else plane[mask > 0] for plane in (one, other)]
    thirds = [np.ascontiguousarray(plane[::3]) for plane in planes]
    counts: NDArray[np.float32] = cv2.calcHist(thirds, [0, 1], None, [256, 256], [0, 256, 0, 256])
    return counts


def _light(joint: NDArray[np.float32]) -> tuple[float, float, float, float]:
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
    best = int((np.minimum(off, _STRONG) @ weights).argmin())
    return float(gains[best]), float(biases[best]), low, high


def _is_no_change(light: tuple[float, float, float, float]) -> bool:
    gain, bias, _, _ = light
    return max(abs(bias), abs(255 * (gain - 1) + bias)) <= _SAME_LIGHT


def _percentile(counts: NDArray[np.float64], share: float) -> float:
    """Return the level below which a share of what was counted by level lies."""
    return float(np.searchsorted(counts.cumsum(), share * counts.sum()))


def _least_over_shifts(one: Grey, other: Grey, mask: Grey | None) -> Grey:
    """Return the mean difference in each window, the least over shifts by a pixel: maps are never exact.

    Differences are taken at full size and their means at half of it, because windows change slowly.
    """
    least: Grey | None = None
    padded = cv2.copyMakeBorder(one, 1, 1, 1, 1, cv2.BORDER_REPLICATE)
    height, width = one.shape
    for right, down in _SHIFTS:
        shifted = padded[1 + down : 1 + down + height, 1 + right : 1 + right + width]
        apart = cv2.absdiff(shifted, other)
        if mask is not None:  # what lies outside has no part in a window
            apart = cv2.bitwise_and(apart, mask)
        window = cv2.blur(_halved(apart), (_WINDOW, _WINDOW))
        least = window if least is None else cv2.min(least, window)
    assert least is not None
    return least


def _halved(plane: Grey) -> Grey:
    """Return a plane at half its size; an odd last row or column is left out."""
    height, width = (side // 2 * 2 if side > 1 else 1 for side in plane.shape)
    size = max(1, width // 2), max(1, height // 2)
    halved: Grey = cv2.resize(plane[:height, :width], size, interpolation=cv2.INTER_AREA)
    return halved


def _tiles(difference: Grey, mask: Grey | None) -> NDArray[np.float32]:
    """Return the mean difference of each tile ([rows, columns] float32), NaN where less than half of it overlaps.

    Both planes are at half the size of the pictures.
    """
    rows, columns = (max(1, 2 * side // TILE) for side in difference.shape)
    size = (columns, rows)
    means = cv2.resize(difference.astype(np.float32), size, interpolation=cv2.INTER_AREA)
    if mask is None:
        return means
    shares = cv2.resize(mask.astype(np.float32) / 255, size, interpolation=cv2.INTER_AREA)
    return np.where(shares > 0.5, means / np.maximum(shares, 1e-6), np.nan).astype(np.float32)


def _spots(strong: Grey) -> tuple[tuple[float, float, float, float], ...]:
    """Return the boxes (x, y, width, height in shares) of what differs strongly, letters of a line joined."""
    if not strong.any():
        return ()
    joined = cv2.dilate(strong, np.ones((2 * _DOWN + 1, 2 * _ACROSS + 1), np.uint8))
    _, _, boxes, _ = cv2.connectedComponentsWithStats(joined)
    height, width = strong.shape
    found = sorted(((int(box[4]), box) for box in boxes[1:]), key=lambda one: -one[0])[:8]
    return tuple(
        (
            round(float((box[0] + _ACROSS) / width), 3),
            round(float((box[1] + _DOWN) / height), 3),
            round(float(max(1, box[2] - 2 * _ACROSS) / width), 3),
            round(float(max(1, box[3] - 2 * _DOWN) / height), 3),
        )
        for _, box in found
    )


def _plainness(outside: NDArray[np.uint8]) -> float:
    """Return the share of grey levels ([n] uint8) near the two most common ones; 1 for none."""
    if not len(outside):
        return 1.0
    counts = np.bincount(outside // 8, minlength=32).astype(np.float64)
    around = np.convolve(counts, np.ones(3), "same")
    first = int(around.argmax())
    rest = counts.copy()
    rest[max(0, first - 1) : first + 2] = 0
    second = float(np.convolve(rest, np.ones(3), "same").max())
    return float(min(1.0, (around[first] + second) / len(outside)))


def colour_difference(one: View, other: View, *, map: Map) -> tuple[float, float]:
    """Return how far the colours are apart (CIELAB units, a, b only): the median over the overlap, and the share of
    it where colours differ by more than _OTHER_COLOUR even after one change of all colours is allowed for."""
    size = other.chroma.shape[1], other.chroma.shape[0]
    colours, there = _laid(one.colours, map, other.colours.shape)
    chroma = one.chroma if colours is one.colours else _chroma_of(colours, size)
    mask = np.full(size[::-1], True) if there is None else cv2.resize(there, size, interpolation=cv2.INTER_AREA) > 250
    if mask.sum() < 16:
        return 0.0, 0.0
    first, second = chroma[mask], other.chroma[mask]
    apart = np.linalg.norm(first - second, axis=1)
    if any(np.percentile(np.linalg.norm(colours, axis=1), 95) < 4 for colours in (first, second)):
        return float(np.median(apart)), 0.0  # all colour was taken away
    if apart.max() <= _OTHER_COLOUR:
        return float(np.median(apart)), 0.0
    least = apart
    for source, target in ((first, second), (second, first)):
        padded = np.column_stack([source, np.ones(len(source))])
        kept = np.ones(len(source), bool)
        residual = apart
        for _ in range(3):
            change = np.linalg.lstsq(padded[kept], target[kept], rcond=None)[0]
            residual = np.linalg.norm(padded @ change - target, axis=1)
            kept = residual <= max(4.0, float(np.percentile(residual, 75)))
        # To take all colour away explains anything in one direction; what counts is the other.
        least = residual if source is first else np.maximum(least, residual)
    return float(np.median(apart)), float(((apart > _OTHER_COLOUR) & (least > _OTHER_COLOUR)).mean())


def _chroma_of(colours: Colours, size: tuple[int, int]) -> Chroma:
    small = cv2.resize(colours, size, interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    return np.ascontiguousarray(cv2.cvtColor(small, cv2.COLOR_RGB2LAB)[..., 1:])


def one_thread_a_picture() -> None:
    """Let OpenCV work in the thread that calls it: where several pictures are looked at, its own are in their way."""
    cv2.setNumThreads(1)

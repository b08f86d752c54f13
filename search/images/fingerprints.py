"""Image fingerprints that need no model: PDQ, and a descriptor of the layout of colours and edges.

PDQ is Meta's perceptual hash ("The TMK+PDQF Video-Hashing Algorithm and the PDQ Image-Hashing Algorithm", 2019):
luminance, smoothed and reduced to 64 × 64; the lowest 16 × 16 cosine frequencies, each compared with their median. Two
encodings of one picture differ in few of the 256 bits, two pictures in about 128; the paper's threshold for the same
picture is 31.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

PDQ = "pdq-1"
LOOK = "look-1"
PDQ_BITS = 256
PDQ_SAME = 31  # the paper's threshold

_SIDE = 64  # of PDQ's reduced picture
_FREQUENCIES = 16
_LARGEST = 1024  # pixels; a larger picture is reduced first, which keeps far more frequencies than PDQ uses


class View(NamedTuple):
    """A way to look at a picture: mirrored left to right or not, then turned counter-clockwise by quarters (0 to 3)."""

    mirrored: bool = False
    turns: int = 0


VIEWS = tuple(View(mirrored, turns) for mirrored in (False, True) for turns in range(4))

Bits = NDArray[np.uint8]  # [32], the 256 bits packed, row by row
Look = NDArray[np.float32]  # [LOOK_DIMENSIONS], of length 1


def pdq(picture: Image.Image) -> tuple[Bits, float]:
    """Return a picture's PDQ fingerprint ([32] uint8) and its quality, 0 to 1; below .5 there is too little detail.

    >>> bits, quality = pdq(Image.new("RGB", (64, 64), "white"))
    >>> bits.shape, quality
    ((32,), 0.0)
    """
    reduced = _reduced(_luminance(picture))
    return _bits(_cosines(reduced)), _quality(reduced)


def pdq_mirrored(picture: Image.Image) -> Bits:
    """Return the PDQ fingerprint ([32] uint8) of a picture's mirror image.

    >>> picture = Image.linear_gradient("L").rotate(90)
    >>> mirrored = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    >>> np.array_equal(pdq_mirrored(picture), pdq(mirrored)[0])
    True
    """
    return _bits(_cosines(_reduced(_luminance(picture)[:, ::-1])))


def mirrored_bits(bits: Bits) -> Bits:
    """Return approximate fingerprints ([…, 32] uint8) of the mirror images of pictures with these fingerprints.

    Mirroring changes the sign of the odd horizontal frequencies. It also moves the median, and PDQ's decimation is not
    symmetric: over 345 memes the result differs from `pdq_mirrored` in 10 bits on average, for 1 in 20 in over 20.

    >>> mirrored_bits(np.array([0b11110000], np.uint8)).tolist() == [0b10100101]
    True
    """
    return bits ^ np.uint8(0b01010101)


def view_bits(bits: Bits) -> NDArray[np.uint8]:
    """Return approximate fingerprints ([…, 8, 32]) of the views of pictures with these fingerprints ([…, 32] uint8).

    The views are those of VIEWS, in that order: the first four as they are and turned, the others mirrored and turned.
    Turning by a quarter exchanges horizontal and vertical frequencies, mirroring changes the sign of the odd ones; as
    with `mirrored_bits`, the median moves a little.

    >>> bits = np.random.default_rng(0).integers(0, 256, 32, dtype=np.uint8)
    >>> views = view_bits(bits)
    >>> views.shape, np.array_equal(views[0], bits), np.array_equal(view_bits(views[1])[3], bits)
    ((8, 32), True, True)
    """
    places, flipped = _view_tables()
    frequencies = np.unpackbits(bits, axis=-1)[..., ::-1]  # row by row, as they were before they were packed
    seen = frequencies[..., places] ^ flipped
    return np.packbits(seen[..., ::-1], axis=-1)


@lru_cache(maxsize=1)
def _view_tables() -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
    """Return for each view which bit each bit comes from ([8, 256]), and whether it is inverted ([8, 256], 0 or 1)."""
    odd = (np.arange(_FREQUENCIES) % 2 == 0).astype(np.uint8)  # the first frequency is 1
    across, down = np.broadcast_to(odd, (_FREQUENCIES, _FREQUENCIES)), odd[:, None]
    places, flipped = [], []
    for view in VIEWS:
        place = np.arange(PDQ_BITS).reshape(_FREQUENCIES, _FREQUENCIES)
        flip = across if view.mirrored else np.zeros_like(across)
        for _ in range(view.turns):  # a quarter counter-clockwise: exchange the axes, then turn upside down
            place, flip = place.T, flip.T ^ down
        places.append(place.ravel())
        flipped.append(flip.ravel())
    return np.array(places), np.array(flipped, np.uint8)


def hamming(one: Bits, many: Bits) -> NDArray[np.int64]:
    """Return the number of differing bits (int64) of fingerprints ([…, 32] and […, 32] uint8), broadcast.

    One against many ([32], [n, 32]) gives [n]; `hamming(a[:, None], b)` gives every pair, [n, m].

    >>> hamming(np.array([0b1111], np.uint8), np.array([[0b1111], [0b0001]], np.uint8)).tolist()
    [0, 3]
    """
    differing = np.ascontiguousarray(np.bitwise_xor(one, many))
    counts = np.bitwise_count(differing.view(np.uint64) if differing.shape[-1] % 8 == 0 else differing)
    # Adding columns is ten times as fast as a sum over a short last axis.
    distances: NDArray[np.int64] = counts[..., 0].astype(np.int64)
    for column in range(1, counts.shape[-1]):
        distances += counts[..., column]
    return distances


def _luminance(picture: Image.Image) -> NDArray[np.float32]:
    """Return a picture's luminance ([height, width], 0 to 255), both at most about _LARGEST."""
    gray = picture.convert("L")
    times = round(max(gray.size) / _LARGEST)
    if times > 1:
        gray = gray.reduce((min(times, gray.width), min(times, gray.height)))
    return np.asarray(gray, np.float32)


def _reduced(plane: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return a plane reduced to 64 × 64 by PDQ's two passes of a box filter in each direction and its decimation."""
    return _rows_reduced(_rows_reduced(plane).T).T


def _rows_reduced(plane: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return a plane ([n, m]) with 64 rows in place of n."""
    places, weights = _reduction(plane.shape[0])
    reduced: NDArray[np.float32] = (weights[:, None, :] @ plane[places])[:, 0, :]
    return reduced


@lru_cache(maxsize=256)
def _reduction(length: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Return the positions in a row that each of PDQ's 64 numbers is a mean of, and the weights ([64, k]).

    The filter is the mean of the means over a window that the row's ends cut off (the paper's Jarosz filter), the
    decimation takes the middle of each 64th; both are linear, so that weights over a few places do all of it.
    """
    window = (length + 2 * _SIDE - 1) // (2 * _SIDE)
    after = (window + 2) // 2  # a place's window begins at place + after − window and ends before place + after
    middles = ((np.arange(_SIDE) + 0.5) * length / _SIDE).astype(np.int64)
    first = middles + 2 * (after - window)
    weights = np.zeros((_SIDE, 2 * window - 1), np.float32)
    for row, middle, start in zip(weights, middles, first, strict=True):
        outer = range(max(0, middle + after - window), min(length, middle + after))
        for place in outer:
            inner = range(max(0, place + after - window), min(length, place + after))
            row[inner.start - start : inner.stop - start] += 1 / (len(outer) * len(inner))
    places = first[:, None] + np.arange(2 * window - 1)
    return places.clip(0, length - 1), weights  # beyond the row's ends the weights are 0


@lru_cache(maxsize=1)
def _cosine_basis() -> NDArray[np.float64]:
    """Return the rows ([16, 64]) of the cosine transform that PDQ uses: frequencies 1 to 16."""
    frequencies = np.arange(1, _FREQUENCIES + 1)[:, None]
    places = np.arange(_SIDE)[None, :]
    basis: NDArray[np.float64] = np.sqrt(2 / _SIDE) * np.cos(np.pi / 2 / _SIDE * frequencies * (2 * places + 1))
    return basis


def _cosines(reduced: NDArray[np.float32]) -> NDArray[np.float64]:
    basis = _cosine_basis()
    cosines: NDArray[np.float64] = basis @ reduced @ basis.T
    return cosines


def _bits(cosines: NDArray[np.float64]) -> Bits:
    # As the reference does: of the two middle values the lower is the median, and the last bit is written first, so
    # that the bytes in hexadecimal are the fingerprint as it is published elsewhere.
    median = np.partition(cosines, PDQ_BITS // 2 - 1, axis=None)[PDQ_BITS // 2 - 1]
    return np.packbits((cosines > median).ravel()[::-1])


def _quality(reduced: NDArray[np.float32]) -> float:
    """Return PDQ's measure of detail: the sum of the gradients, capped at 1."""
    gradients = [np.abs(np.trunc(np.diff(reduced, axis=axis) * 100 / 255)).sum() for axis in (0, 1)]
    return float(min(100, int(sum(gradients) / 90)) / 100)


# The descriptor: colours and edges by cell, each part scaled to length 1 before it is weighted.
# Lightness counts little among the colours, because captions change it. `benchmarks/descriptors.py` measures the parts
# and the whole; the weights were tuned on one drawn library and reported on others.
_GRID = 8
_DIRECTIONS = 8
_LIGHTNESS_WEIGHT = 0.25
_COLOR_SHARE = 0.35
_FAINT = 5.0  # strength of a cell's edges, in roots of grey levels, at which the cell has half its weight
LOOK_DIMENSIONS = (3 + _DIRECTIONS) * _GRID**2


def look(picture: Image.Image) -> Look:
    """Return a descriptor ([LOOK_DIMENSIONS] float32, of length 1) of a picture's layout of colours and edges.

    >>> descriptor = look(Image.linear_gradient("L"))
    >>> descriptor.shape, round(float(np.linalg.norm(descriptor)), 3)
    ((704,), 1.0)
    """
    colors, edges = look_parts(picture)
    joined = np.concatenate([np.sqrt(_COLOR_SHARE) * colors.ravel(), np.sqrt(1 - _COLOR_SHARE) * edges.ravel()])
    return _unit(joined)


def look_parts(picture: Image.Image) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return a picture's colours ([8, 8, 3] float32) and edges ([8, 8, 8] float32) by cell, each of length 1."""
    small = picture.convert("RGB").resize((64, 64), Image.Resampling.BOX, reducing_gap=2.0)
    return _unit(_colors(np.asarray(small, np.float32))), _unit(_edges(np.asarray(small.convert("L"), np.float32)))


def _colors(small: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the mean colour of each cell ([8, 8, 3]) in CIELAB, without the picture's mean lightness."""
    side = small.shape[0] // _GRID
    lab = _lab(small.reshape(_GRID, side, _GRID, side, 3).mean(axis=(1, 3)))
    lab[..., 0] = _LIGHTNESS_WEIGHT * (lab[..., 0] - lab[..., 0].mean())
    return lab


def _lab(colors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return sRGB colours ([…, 3], 0 to 255) in CIELAB under D65 (IEC 61966-2-1, CIE 15)."""
    share = colors / 255
    linear = np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)
    to_xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]], np.float32)
    xyz = linear @ (to_xyz / to_xyz.sum(axis=1, keepdims=True)).T
    bent = np.where(xyz > (6 / 29) ** 3, np.cbrt(xyz), xyz * (29 / 6) ** 2 / 3 + 4 / 29)
    x, y, z = np.moveaxis(bent, -1, 0)
    lab: NDArray[np.float32] = np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1).astype(np.float32)
    return lab


def _edges(luminance: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return histograms ([8, 8, 8]) of the gradient's direction in each cell.

    A gradient counts by the root of its strength, and a strong cell little more than a weak one, because captions have
    the strongest edges.
    """
    down, right = np.gradient(luminance)
    strength = np.sqrt(np.hypot(down, right))
    direction = np.rint(np.arctan2(down, right) / (2 * np.pi) * _DIRECTIONS).astype(np.int64) % _DIRECTIONS
    cell = np.arange(luminance.shape[0]) // (luminance.shape[0] // _GRID)
    bins = (cell[:, None] * _GRID + cell[None, :]) * _DIRECTIONS + direction
    counts = np.bincount(bins.ravel(), strength.ravel(), _GRID**2 * _DIRECTIONS).reshape(_GRID, _GRID, _DIRECTIONS)
    histograms: NDArray[np.float32] = counts / (np.linalg.norm(counts, axis=2, keepdims=True) + _FAINT)
    return histograms


def _unit(part: NDArray[np.floating]) -> NDArray[np.float32]:
    """Return an array scaled to length 1; an array of zeros becomes one of equal numbers."""
    length = float(np.linalg.norm(part))
    whole = part / length if length > 0 else np.full(part.shape, 1 / np.sqrt(part.size))
    return whole.astype(np.float32)

"""What a picture looks like, in numbers that need no model: PDQ fingerprints and a classical descriptor.

PDQ is Meta's perceptual hash ("The TMK+PDQF Video-Hashing Algorithm and the PDQ Image-Hashing Algorithm", 2019): luminance,
smoothed and reduced to 64 × 64, its lowest 16 × 16 cosine frequencies against their median. Two encodings of one picture
differ in few of the 256 bits, two pictures in about 128; up to 31 is Meta's threshold for "the same".
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image

PDQ = "pdq-1"
LOOK = "look-1"
PDQ_BITS = 256
PDQ_SAME = 31  # Meta's threshold

_SIDE = 64  # PDQ's reduced picture
_FREQUENCIES = 16

Bits = NDArray[np.uint8]  # [32], the 256 bits packed, row by row
Look = NDArray[np.float32]  # [LOOK_DIMENSIONS], of length 1


def pdq(picture: Image.Image) -> tuple[Bits, float]:
    """Return a picture's PDQ fingerprint ([32] uint8) and its quality in 0 to 1: below .5 there is too little to see."""
    reduced = _reduced_luminance(picture)
    return _bits(_cosines(reduced)), _quality(reduced)


def pdq_mirrored(picture: Image.Image) -> Bits:
    """Return the PDQ fingerprint ([32] uint8) of a picture's mirror image."""
    return _bits(mirror(_cosines(_reduced_luminance(picture))))


def mirror(cosines: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the cosine frequencies ([16, 16]) of the mirrored picture: odd horizontal ones change their sign."""
    return cosines * np.where(np.arange(1, _FREQUENCIES + 1) % 2, -1.0, 1.0)


def hamming(one: Bits, many: Bits) -> NDArray[np.int64]:
    """Return how many bits differ ([n]) between one fingerprint ([32]) and many ([n, 32])."""
    distances: NDArray[np.int64] = np.bitwise_count(np.bitwise_xor(many, one)).sum(axis=-1, dtype=np.int64)
    return distances


def _reduced_luminance(picture: Image.Image) -> NDArray[np.float64]:
    """Return the luminance ([64, 64], 0 to 255) after PDQ's two passes of a box filter each way."""
    rgb = picture.convert("RGB")
    rgb.thumbnail((512, 512), Image.Resampling.BOX)
    red, green, blue = (np.asarray(channel, np.float64) for channel in rgb.split())
    plane = 0.299 * red + 0.587 * green + 0.114 * blue
    for axis in (0, 1):
        window = (plane.shape[axis] + 2 * _SIDE - 1) // (2 * _SIDE)
        for _ in range(2):
            plane = _box(plane, window, axis)
    rows = ((np.arange(_SIDE) + 0.5) * plane.shape[0] / _SIDE).astype(int)
    columns = ((np.arange(_SIDE) + 0.5) * plane.shape[1] / _SIDE).astype(int)
    reduced: NDArray[np.float64] = plane[np.ix_(rows, columns)]
    return reduced


def _box(plane: NDArray[np.float64], window: int, axis: int) -> NDArray[np.float64]:
    """Return the mean over a window along one axis, the window cut off at the borders."""
    count = plane.shape[axis]
    sums = np.concatenate([np.zeros_like(plane.take([0], axis)), plane.cumsum(axis)], axis)
    half = (window + 2) // 2
    upper = np.minimum(np.arange(count) + half, count)
    lower = np.maximum(np.arange(count) + half - window, 0)
    lengths = (upper - lower).astype(np.float64)
    shape = [1, 1]
    shape[axis] = count
    means: NDArray[np.float64] = (sums.take(upper, axis) - sums.take(lower, axis)) / lengths.reshape(shape)
    return means


@lru_cache(maxsize=1)
def _cosine_basis() -> NDArray[np.float64]:
    """Return the rows ([16, 64]) of the cosine transform that PDQ uses: frequencies 1 to 16."""
    frequencies = np.arange(1, _FREQUENCIES + 1)[:, None]
    places = np.arange(_SIDE)[None, :]
    basis: NDArray[np.float64] = np.sqrt(2 / _SIDE) * np.cos(np.pi / 2 / _SIDE * frequencies * (2 * places + 1))
    return basis


def _cosines(reduced: NDArray[np.float64]) -> NDArray[np.float64]:
    basis = _cosine_basis()
    cosines: NDArray[np.float64] = basis @ reduced @ basis.T
    return cosines


def _bits(cosines: NDArray[np.float64]) -> Bits:
    return np.packbits((cosines > np.median(cosines)).ravel())


def _quality(reduced: NDArray[np.float64]) -> float:
    """Return PDQ's measure of how much there is to see: the sum of the gradients, capped at 1."""
    gradients = [np.abs(np.trunc(np.diff(reduced, axis=axis) * 100 / 255)).sum() for axis in (0, 1)]
    return float(min(100, int(sum(gradients) / 90)) / 100)


# The descriptor: colours where they are, and edges where they are, each part of length 1 before it is weighed. The weights
# are tuned on one drawn set of memes and reported on another by `benchmarks/look.py`.
_COLOUR_GRID = 8
_EDGE_GRID = 8
_DIRECTIONS = 8
_COLOUR_WEIGHT = 0.5
_EDGE_WEIGHT = 0.5
LOOK_DIMENSIONS = 3 * _COLOUR_GRID**2 + _DIRECTIONS * _EDGE_GRID**2


def look(picture: Image.Image) -> Look:
    """Return a descriptor ([LOOK_DIMENSIONS] float32, of length 1) of a picture's layout of colours and edges."""
    rgb = picture.convert("RGB")
    colours = np.asarray(rgb.resize((_COLOUR_GRID, _COLOUR_GRID), Image.Resampling.BOX).convert("LAB"), np.float32)
    luminance = np.asarray(rgb.resize((128, 128), Image.Resampling.BOX).convert("L"), np.float32)
    parts = (_COLOUR_WEIGHT, _centred(colours.reshape(-1, 3)).ravel()), (_EDGE_WEIGHT, _edges(luminance).ravel())
    joined = np.concatenate([np.sqrt(weight) * _unit(part) for weight, part in parts])
    return _unit(joined).astype(np.float32)


def _centred(colours: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return colours with mean grey taken off, so that a brighter copy stays near."""
    colours = colours.copy()
    colours[:, 0] -= colours[:, 0].mean()
    colours[:, 1:] -= 128
    return colours


def _edges(luminance: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return histograms ([8 × 8, 8]) of the gradient's direction, weighed by its strength's root against loud captions."""
    down, right = np.gradient(luminance)
    strength = np.sqrt(np.hypot(down, right))
    direction = ((np.arctan2(down, right) % np.pi) / np.pi * _DIRECTIONS).astype(int) % _DIRECTIONS
    side = luminance.shape[0] // _EDGE_GRID
    cell = np.arange(luminance.shape[0]) // side
    cells = cell[:, None] * _EDGE_GRID + cell[None, :]
    counts = np.bincount(
        (cells * _DIRECTIONS + direction).ravel(), weights=strength.ravel(), minlength=_EDGE_GRID**2 * _DIRECTIONS
    ).reshape(-1, _DIRECTIONS)
    histograms: NDArray[np.float32] = (counts / (np.linalg.norm(counts, axis=1, keepdims=True) + 20)).astype(np.float32)
    return histograms


def _unit(vector: NDArray[np.float32]) -> NDArray[np.float32]:
    length = float(np.linalg.norm(vector))
    if length == 0:
        vector = np.ones_like(vector)
        length = float(np.linalg.norm(vector))
    return vector / length

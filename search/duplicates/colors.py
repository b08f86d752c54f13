"""Compare the colors of two pictures that are laid over each other: as a whole, and of single things."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from search.duplicates.alignment.affine import Affine
from search.duplicates.alignment.overlay import SHIFTS, rounded, warp
from search.duplicates.keypoints.orb import Gray
from search.duplicates.picture import Chroma, ScaledPicture, chroma_of
from search.system.lazy_module import LazyModule

cv2: Any = LazyModule("cv2")

_OTHER_COLOR = 12  # CIELAB units: colors farther apart are different
_PLACED = 96  # pixels of the longer side at which places are compared
_CORNERS = 0.1  # of the longer side: radius of corners that may be cut round, beyond which colors are not compared
_FEW_PLACES, _LEAST_PLACES = 4, 64


@dataclass(frozen=True)
class ColorDifference:
    """How the colors of a picture that is overlaid on another differ, in CIELAB units of a and b only.

    `recolored` is the share of the picture that differs by more than _OTHER_COLOR even after the best affine change of
    all colors. Of the distances of each place from the nearest color around the same place of the other picture,
    `usual` is what most do not exceed, and `outstanding` the fourth largest.
    """

    median: float = 0.0
    recolored: float = 0.0
    usual: float = 0.0
    outstanding: float = 0.0


def color_difference(one: ScaledPicture, other: ScaledPicture, *, affine: Affine) -> ColorDifference:
    """Return how the colors of a picture differ from those of another one that it is overlaid on.

    >>> from PIL import Image
    >>> from search.duplicates.alignment.affine import frame_affine
    >>> from search.duplicates.picture import scale_picture
    >>> picture = scale_picture(Image.radial_gradient("L"))
    >>> color_difference(picture, picture, affine=frame_affine(picture.size, picture.size)).median
    0.0
    """
    colors, there = warp(one.colors, affine, other.colors.shape)
    median, recolored = _recolored(one, other, colors, there)
    return ColorDifference(median, recolored, *_color_places(colors, other, there))


def _recolored(
    one: ScaledPicture, other: ScaledPicture, colors: NDArray[np.uint8], there: Gray | None
) -> tuple[float, float]:
    """Return the median color distance in the overlap, and the share of other colors."""
    size = other.chroma.shape[1], other.chroma.shape[0]
    chroma = one.chroma if colors is one.colors else chroma_of(colors, size)
    mask = np.full(size[::-1], True) if there is None else cv2.resize(there, size, interpolation=cv2.INTER_AREA) > 250
    if mask.sum() < 16:
        return 0.0, 0.0
    first, second = chroma[mask], other.chroma[mask]
    apart = np.linalg.norm(first - second, axis=1)
    if any(np.percentile(np.linalg.norm(colors, axis=1), 95) < 4 for colors in (first, second)):
        return float(np.median(apart)), 0.0  # one of them is greyscale
    if apart.max() <= _OTHER_COLOR:
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
        # A map to greyscale fits perfectly in one direction, so the worse direction counts.
        least = residual if source is first else np.maximum(least, residual)
    return float(np.median(apart)), float(((apart > _OTHER_COLOR) & (least > _OTHER_COLOR)).mean())


def _color_places(colors: NDArray[np.uint8], other: ScaledPicture, there: Gray | None) -> tuple[float, float]:
    """Return `usual` and `outstanding` of a ColorDifference."""
    scale = _PLACED / max(other.size)
    size = max(3, round(other.size[0] * scale)), max(3, round(other.size[1] * scale))
    first, second = chroma_of(colors, size), chroma_of(other.colors, size)
    mask = np.full(size[::-1], True) if there is not None else rounded(size[::-1], _CORNERS) > 0
    if there is not None:
        inside = (cv2.resize(there, size, interpolation=cv2.INTER_AREA) > 250).astype(np.uint8)
        mask = cv2.erode(inside, np.ones((3, 3), np.uint8)) > 0
    apart = np.abs(first - second).max(axis=2)
    if np.count_nonzero(mask) < _LEAST_PLACES or np.count_nonzero(apart[mask] >= _OTHER_COLOR) < _FEW_PLACES:
        return 0.0, 0.0  # no place stands out
    nearest = np.maximum(_nearest_colors(first, second), _nearest_colors(second, first))[mask]
    return float(np.percentile(nearest, 95)), float(np.partition(nearest, -_FEW_PLACES)[-_FEW_PLACES])


def _nearest_colors(one: Chroma, other: Chroma) -> NDArray[np.float32]:
    """Return the distance of each color from the nearest one within a pixel of its place in the other plane."""
    height, width = one.shape[:2]
    around = cv2.copyMakeBorder(other, 1, 1, 1, 1, cv2.BORDER_REPLICATE)
    shifted = (
        np.linalg.norm(around[1 + down : 1 + down + height, 1 + right : 1 + right + width] - one, axis=2)
        for right, down in SHIFTS
    )
    nearest: NDArray[np.float32] = np.minimum.reduce(list(shifted))
    return nearest

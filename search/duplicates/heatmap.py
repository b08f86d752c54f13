"""Draw a heat map of where two pictures differ."""

from __future__ import annotations

import numpy as np
from PIL import Image

from search.duplicates.alignment.overlay import DIFFERS
from search.duplicates.comparison import tile_differences
from search.duplicates.picture import scale_picture

_RED = (220, 30, 30)
_FULL = 3 * DIFFERS  # grey levels of difference that are drawn in full red


def draw_heatmap(a: Image.Image, b: Image.Image) -> Image.Image | None:
    """Return picture b in grey (RGB, at most 480 pixels a side), red where picture a differs from it.

    Areas that only b shows are darkened. None if the pictures cannot be aligned.

    >>> picture = Image.linear_gradient("L")
    >>> draw_heatmap(picture, picture).size
    (256, 256)
    """
    differences = tile_differences(a, b)
    if differences is None:
        return None
    gray = Image.fromarray(scale_picture(b).gray).convert("RGB")
    covered = ~np.isnan(differences)
    strength = np.where(covered, np.clip(np.nan_to_num(differences) / _FULL, 0, 1), 0)
    red = _mask(strength * 200, gray.size)
    beyond = _mask(np.where(covered, 0, 150), gray.size)
    shown = Image.composite(Image.new("RGB", gray.size, (0, 0, 0)), gray, beyond)
    return Image.composite(Image.new("RGB", gray.size, _RED), shown, red)


def _mask(levels: np.ndarray, size: tuple[int, int]) -> Image.Image:
    return Image.fromarray(levels.astype(np.uint8)).resize(size, Image.Resampling.BILINEAR)

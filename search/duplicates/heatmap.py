"""The difference of two pictures, to be looked at."""

from __future__ import annotations

import numpy as np
from PIL import Image

from search.duplicates.compare import heat_map
from search.duplicates.overlay import DIFFERS
from search.duplicates.picture import view_of

_RED = (220, 30, 30)
_FULL = 3 * DIFFERS  # grey levels of difference that are shown in full red


def difference(one: Image.Image, other: Image.Image) -> Image.Image | None:
    """Return the second picture in grey (RGB, at most 480 pixels a side), red where the first differs from it.

    What only the second shows is dark. None where the pictures do not fit onto each other.
    """
    heat = heat_map(one, other)
    if heat is None:
        return None
    view = view_of(other)
    grey = Image.fromarray(view.grey).convert("RGB")
    covered = ~np.isnan(heat)
    strength = np.where(covered, np.clip(np.nan_to_num(heat) / _FULL, 0, 1), 0)
    red = _mask(strength * 200, grey.size)
    beyond = _mask(np.where(covered, 0, 150), grey.size)
    shown = Image.composite(Image.new("RGB", grey.size, (0, 0, 0)), grey, beyond)
    return Image.composite(Image.new("RGB", grey.size, _RED), shown, red)


def _mask(levels: np.ndarray, size: tuple[int, int]) -> Image.Image:
    return Image.fromarray(levels.astype(np.uint8)).resize(size, Image.Resampling.BILINEAR)

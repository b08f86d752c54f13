"""Tell whether a picture is another one with its colors reduced to those of a palette.

Each pixel then has the color of the palette that is nearest to its own. What was made from a picture of few colors, by
compression, blur or another size, has pixels that are nearer to a neighbour's color; and where its changes are too
small for that, none that lies between two colors, as shades do.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

MOST_COLORS = 256
_LEAST_COLORS, _MORE_COLORS = 8, 1.5  # of the copy; times as many of the source
_SAMPLED, _LEAST_OFF = 4096, 100  # pixels
_ROUNDED = 0.5  # levels of distance
# Of pixels that are not exactly on the palette. 41 copies reduced by median cut have 1 and at least .48; of 35 pictures
# made from a reduced one the first is at most .92.
_NEAREST, _BETWEEN, _SHADES = 0.98, 0.5, 0.2

Colors = NDArray[np.float32]  # [n, 3], red, green and blue, 0 to 255


def is_reduced(source: Image.Image, copy: Image.Image) -> bool:
    """Return whether the second of two pictures of one size is the first, each pixel as the nearest of a few colors.

    Dithering and octrees choose other colors than the nearest ones, and are not told.

    >>> shades = Image.linear_gradient("L").convert("RGB")
    >>> reduced = shades.quantize(32).convert("RGB")
    >>> is_reduced(shades, reduced), is_reduced(reduced, shades)
    (True, False)
    """
    counted = copy.convert("RGB").getcolors(MOST_COLORS)
    if counted is None or len(counted) < _LEAST_COLORS or source.size != copy.size:
        return False
    more = source.convert("RGB").getcolors(MOST_COLORS)
    if more is not None and len(more) < _MORE_COLORS * len(counted):
        return False
    palette = np.array([color for _, color in counted], np.float32)
    pixels, reduced = (np.asarray(picture.convert("RGB")).reshape(-1, 3) for picture in (source, copy))
    chosen = np.random.default_rng(1).choice(len(pixels), min(_SAMPLED, len(pixels)), replace=False)
    own, given = pixels[chosen].astype(np.float32), reduced[chosen].astype(np.float32)
    nearest, second = _nearest(own, palette)
    off = nearest > _ROUNDED
    if off.sum() < _LEAST_OFF:
        return False
    is_nearest = np.linalg.norm(own - given, axis=1) <= nearest + _ROUNDED
    between = nearest[off] > _BETWEEN * second[off]
    return bool(is_nearest.mean() >= _NEAREST and is_nearest[off].mean() >= _NEAREST and between.mean() >= _SHADES)


def _nearest(colors: Colors, palette: Colors) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the distances of colors to the nearest and the second color of a palette."""
    squares = (colors**2).sum(1)[:, None] + (palette**2).sum(1)[None] - 2 * colors @ palette.T
    two = np.sqrt(np.maximum(np.partition(squares, 1, axis=1)[:, :2], 0))
    return two[:, 0], two[:, 1]

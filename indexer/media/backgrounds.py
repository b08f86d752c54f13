"""Choose the ground on which a transparent picture is shown: one that hides none of its parts."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

WHITE, DARK, GRAY = (255, 255, 255), (34, 34, 34), (128, 128, 128)
_NEARLY_WHITE, _NEARLY_BLACK = 0.8, 0.3  # luminance, 0 to 1
_SIDE = 192  # pixels of the sample's longer side: small letters keep their strokes
_VISIBLE = 0.3  # alpha, 0 to 1
_PART = 0.01  # least share of what is visible: fewer specks may be hidden
_LUMINANCE = np.array([0.299, 0.587, 0.114], np.float32)


def background(picture: Image.Image) -> tuple[int, int, int]:
    """Return the ground for an RGBA picture: white, dark where parts of it are nearly white, grey if others are dark.

    A part is what hangs together, so that the white border of a sticker and a white cat with an outline hide nowhere.

    >>> background(Image.new("RGBA", (8, 8)))
    (255, 255, 255)
    """
    scale = min(1.0, _SIDE / max(picture.size))
    size = max(1, round(picture.width * scale)), max(1, round(picture.height * scale))
    sample = np.asarray(picture.resize(size, Image.Resampling.BOX), np.float32) / 255
    visible = sample[..., 3] > _VISIBLE
    if not visible.any() or visible.all():
        return WHITE
    luminance = sample[..., :3] @ _LUMINANCE
    least = _PART * int(visible.sum())
    if int((visible & (luminance > _NEARLY_WHITE)).sum()) < least:
        return WHITE
    light = dark = 0
    for part in _parts(visible):
        levels = luminance.ravel()[part]
        light += len(part) * bool(np.quantile(levels, 0.05) > _NEARLY_WHITE)
        dark += len(part) * bool(np.quantile(levels, 0.95) < _NEARLY_BLACK)
    if light < least:
        return WHITE
    return GRAY if dark >= least else DARK


def _parts(visible: NDArray[np.bool_]) -> list[list[int]]:
    """Return the places of the pixels of each connected part of a mask ([height, width]), counted row by row."""
    height, width = visible.shape
    left = set(np.flatnonzero(visible).tolist())
    parts = []
    while left:
        part, waiting = [], [left.pop()]
        while waiting:
            at = waiting.pop()
            part.append(at)
            row, column = divmod(at, width)
            for down in range(max(0, row - 1), min(height, row + 2)):
                for across in range(max(0, column - 1), min(width, column + 2)):
                    near = down * width + across
                    if near in left:
                        left.remove(near)
                        waiting.append(near)
        parts.append(part)
    return parts

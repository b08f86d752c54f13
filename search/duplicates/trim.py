"""Where a picture's content is: without the plain frame, caption bar or rest of a screen around it.

A phone's screenshot of a meme and the meme have no fingerprint in common; the part of it that is no plain surface has.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

_SIDE = 320  # pixels: of the longer side, where lines are judged
_PLAIN = 7.0  # grey levels: the standard deviation of a line that shows nothing; JPEG's noise stays below
_GAP = 2  # lines: plain ones that still belong to what is around them
_LEAST = 0.12  # share of the picture that its content covers at least
_WHOLE = 0.97  # share from which on the picture is all content

Box = tuple[int, int, int, int]


def content_box(picture: Image.Image) -> Box:
    """Return the largest part (left, top, right, bottom in pixels) between plain lines; the whole when there is none.

    Lines across are judged first, then those down in what they leave, then those across once more.
    """
    whole = 0, 0, picture.width, picture.height
    scale = min(1.0, _SIDE / max(picture.size))
    size = max(1, round(picture.width * scale)), max(1, round(picture.height * scale))
    grey = np.asarray(picture.convert("L").resize(size, Image.Resampling.BOX))
    left, top, right, bottom = 0, 0, *size
    for _ in range(2):
        first, last = _longest(grey[top:bottom, left:right].std(axis=1))
        top, bottom = top + first, top + last
        first, last = _longest(grey[top:bottom, left:right].std(axis=0))
        left, right = left + first, left + last
    share = (right - left) * (bottom - top) / (size[0] * size[1])
    if not _LEAST <= share < _WHOLE:
        return whole
    across, down = picture.width / size[0], picture.height / size[1]
    return round(left * across), round(top * down), round(right * across), round(bottom * down)


def content_of(picture: Image.Image) -> Image.Image:
    """Return the part of a picture that `content_box` says; the picture itself when that is all of it."""
    box = content_box(picture)
    return picture if box == (0, 0, picture.width, picture.height) else picture.crop(box)


def _longest(spread: NDArray[np.float64]) -> tuple[int, int]:
    """Return where the longest run of lines that show something begins and ends; all of them when none does."""
    shows = spread > _PLAIN
    for gap in range(1, _GAP + 1):  # a gap between lines that show something is part of it
        shows[gap:-gap] |= shows[: -2 * gap] & shows[2 * gap :]
    edges = np.flatnonzero(np.diff(np.concatenate([[False], shows, [False]]).astype(np.int8)))
    if not len(edges):
        return 0, len(spread)
    runs = edges.reshape(-1, 2)
    first, last = runs[np.argmax(runs[:, 1] - runs[:, 0])]
    return int(first), int(last)

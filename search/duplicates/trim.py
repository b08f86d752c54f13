"""Trim the plain surroundings of a picture (frame, caption bar, rest of a screen): auto-crop.

A phone's screenshot of a meme and the meme have no fingerprint in common; the trimmed screenshot and the meme have.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

_SIDE = 320  # pixels of the longer side at which lines are classified
_PLAIN = 7.0  # grey levels: standard deviation of a plain line at most; JPEG noise is below
_GAP = 2  # plain lines that a content may contain in a row
_LEAST = 0.12  # smallest share of the picture that counts as content
_WHOLE = 0.97  # share from which the whole picture is content

Box = tuple[int, int, int, int]


def content_box(picture: Image.Image) -> Box:
    """Return the largest part (left, top, right, bottom in pixels) between plain lines; the whole if none is plain.

    Rows are classified first, then the columns of what they leave, then both once more.

    >>> picture = Image.new("L", (300, 200), "white")
    >>> noise = np.random.default_rng(0).integers(0, 256, (160, 200), dtype=np.uint8)
    >>> picture.paste(Image.fromarray(noise), (50, 20))
    >>> content_box(picture)
    (50, 20, 250, 180)
    """
    whole = 0, 0, picture.width, picture.height
    scale = min(1.0, _SIDE / max(picture.size))
    size = max(1, round(picture.width * scale)), max(1, round(picture.height * scale))
    gray = np.asarray(picture.convert("L").resize(size, Image.Resampling.BOX))
    left, top, right, bottom = 0, 0, *size
    for _ in range(2):
        first, last = _longest(gray[top:bottom, left:right].std(axis=1))
        top, bottom = top + first, top + last
        first, last = _longest(gray[top:bottom, left:right].std(axis=0))
        left, right = left + first, left + last
    share = (right - left) * (bottom - top) / (size[0] * size[1])
    if not _LEAST <= share < _WHOLE:
        return whole
    across, down = picture.width / size[0], picture.height / size[1]
    return round(left * across), round(top * down), round(right * across), round(bottom * down)


def trim(picture: Image.Image) -> Image.Image:
    """Return the part of a picture inside its `content_box`; the same object when that is all of it.

    >>> picture = Image.linear_gradient("L")
    >>> trim(picture) is picture
    True
    """
    box = content_box(picture)
    return picture if box == (0, 0, picture.width, picture.height) else picture.crop(box)


def _longest(spread: NDArray[np.float64]) -> tuple[int, int]:
    """Return start and end of the longest run of lines with content; all lines when none has any."""
    shows = spread > _PLAIN
    for gap in range(1, _GAP + 1):  # a short gap between lines with content belongs to the content
        shows[gap:-gap] |= shows[: -2 * gap] & shows[2 * gap :]
    edges = np.flatnonzero(np.diff(np.concatenate([[False], shows, [False]]).astype(np.int8)))
    if not len(edges):
        return 0, len(spread)
    runs = edges.reshape(-1, 2)
    first, last = runs[np.argmax(runs[:, 1] - runs[:, 0])]
    return int(first), int(last)

"""How a JPEG was compressed: its quantization tables, where its blocks begin, and its chroma subsampling."""

from __future__ import annotations

import numpy as np
from PIL import Image, JpegImagePlugin


def jpeg_grid(picture: Image.Image, *, turn: int = 1) -> tuple[tuple[int, ...], tuple[int, int]]:
    """Return the 64 quantization steps of a JPEG's luminance, row by row as it is shown, and its first block's corner.

    A turn moves the blocks, which begin at the corner that is stored first. Other pictures have no steps.

    >>> jpeg_grid(Image.new("L", (8, 8)))
    ((), (0, 0))
    """
    tables = getattr(picture, "quantization", None)
    if picture.mode not in ("L", "RGB") or not tables or len(tables.get(0, ())) != 64:
        return (), (0, 0)
    steps, (across, down) = np.reshape(tables[0], (8, 8)), picture.size
    if turn in (5, 6, 7, 8):
        steps, across, down = steps.T, down, across
    corner = (across % 8 if turn in (2, 3, 6, 7) else 0), (down % 8 if turn in (3, 4, 7, 8) else 0)
    return tuple(int(step) for step in steps.ravel()), corner


def jpeg_tables(picture: Image.Image) -> tuple[tuple[int, ...], int]:
    """Return all quantization tables of a JPEG in color, 64 steps each, and its chroma subsampling, as Pillow has them.

    Other pictures have none, and a subsampling of −1.

    >>> jpeg_tables(Image.new("RGB", (8, 8)))
    ((), -1)
    """
    tables = getattr(picture, "quantization", None)
    if picture.mode != "RGB" or not tables or any(len(table) != 64 for table in tables.values()):
        return (), -1
    subsampling = JpegImagePlugin.get_sampling(picture)
    if subsampling < 0 or sorted(tables) != list(range(len(tables))):
        return (), -1
    return tuple(int(step) for at in sorted(tables) for step in tables[at]), subsampling

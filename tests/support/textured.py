"""A picture with structure at every scale, as photographs have, drawn from a seed."""

from __future__ import annotations

from functools import cache

import numpy as np
from PIL import Image

SIZE = (360, 270)  # pixels


@cache
def textured_picture() -> Image.Image:
    """Return the picture, always the same, of SIZE in RGB."""
    rng = np.random.default_rng(7)
    total = np.zeros((SIZE[1], SIZE[0], 3), np.float32)
    for cells, weight in ((4, 60), (12, 34), (40, 22), (130, 12)):
        small = Image.fromarray(rng.integers(0, 256, (cells * 3 // 4, cells, 3), dtype=np.uint8))
        total += (np.asarray(small.resize(SIZE, Image.Resampling.BICUBIC), np.float32) - 128) * (weight / 128)
    return Image.fromarray(np.clip(total + 120, 0, 255).astype(np.uint8))

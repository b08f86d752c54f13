"""Tell whether a picture was enlarged from a size, by the rhythm that interpolation leaves in its pixels.

A pixel that lies between pixels of the smaller picture is a mean of them, and smoother than one that lies on a pixel.
How rough the pixels are so repeats at the ratio of the sizes (Gallagher, "Detection of linear and cubic interpolation
in JPEG compressed images", 2005), also after sharpening and compression. Where pixels were repeated instead, every
second or third step from a pixel to the next is none. The ratio is known here: one frequency is asked for.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_LEAST = 96  # pixels of a side
_SMOOTHED = 15  # pixels: slower changes of roughness are the picture's
_LOWEST = 0.03  # turns a pixel: slower ones are the picture's
_BLOCKS = np.arange(5) / 8  # turns a pixel at which a JPEG's blocks repeat
_NEAR, _BESIDE = 2.0, 3.0  # bins: next to the blocks', and next to the one that is asked for
# The sum of the squares of both axes' peaks, each in medians of all: by chance below 25 in all but 3 of 10^8 pictures;
# of 80 larger pictures whose smaller copies were made from them at most 14, of 80 enlarged ones nine tenths above it.
_PEAK = 25.0

Plane = NDArray[np.float32]  # [height, width]


def is_enlarged(large: Plane, size: tuple[int, int]) -> bool:
    """Return whether a picture ([height, width]) has the rhythm of one enlarged from a size (width, height).

    At ratios at which the blocks of a JPEG repeat, as 2 or 1.6, nothing tells.

    >>> from PIL import Image
    >>> small = Image.effect_noise((200, 160), 90)
    >>> large = np.asarray(small.resize((310, 248), Image.Resampling.BICUBIC), np.float32)
    >>> is_enlarged(large, (200, 160)), is_enlarged(large, (231, 185))
    (True, False)
    """
    sizes = list(zip((large, large.T), size, strict=True))
    # How much pixels bend, and where they were repeated, how much they differ at all.
    return any(sum(_peak(plane, least, order) ** 2 for plane, least in sizes) >= _PEAK for order in (2, 1))


def _peak(plane: Plane, size: int, order: int) -> float:
    """Return how strongly the differences of columns of an order repeat at a size's ratio, in medians of all others."""
    ratio = size / plane.shape[1]
    if min(plane.shape) < _LEAST or not 0 < ratio < 1:
        return 0.0
    rough = np.abs(np.diff(plane, order)).mean(0)
    half = _SMOOTHED // 2
    waves = rough[half:-half] - np.convolve(rough, np.ones(_SMOOTHED) / _SMOOTHED, "valid")
    waves *= np.hanning(len(waves))
    bins = 1 / len(waves)
    asked = min(ratio, 1 - ratio)
    if asked < _LOWEST or np.abs(asked - _BLOCKS).min() < _NEAR * bins:
        return 0.0
    strengths = np.abs(np.fft.rfft(waves, 4 * len(waves)))
    frequencies = np.arange(len(strengths)) * bins / 4
    others = (frequencies >= _LOWEST) & (np.abs(frequencies - asked) > _BESIDE * bins)
    others &= np.abs(frequencies[:, None] - _BLOCKS).min(1) > _NEAR * bins
    usual = float(np.median(strengths[others]))
    strength = abs(np.exp(-2j * np.pi * asked * np.arange(len(waves))) @ waves)
    return float(strength) / usual if usual else 0.0

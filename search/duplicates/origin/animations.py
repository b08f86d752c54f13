"""Tell which of two animations was made from the other, by what a palette and what lossy compression take away.

A film or a lossy WebP keeps colors for two pixels by two and drops fine detail: one that was made from a GIF has a
little less of both than the GIF. A GIF has up to 256 colors, each the mean of many: one that was made from a film has a
little less color than the film, and dither or bands beside all of its detail.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from search.duplicates.compare_frames import matching_frames
from search.evidence import Evidence, Trace
from search.system.lazy_module import LazyModule

cv2: Any = LazyModule("cv2")

Plane = NDArray[np.float32]  # [height, width]

_LUMINANCE = np.array([0.299, 0.587, 0.114], np.float32)
_NEIGHBORHOOD = (9, 9)  # pixels around which brightness is detail
_SAME_MOMENT = 0.9  # least correlation of the detail of two frames that show the same moment
_AS_LIKE = 0.003  # less than the best correlation
_COLORFUL = 3.0  # levels: the least deviation of the colors
# Of 216 pairs of drawn animations (`python -m benchmarks.animations`, seeds 3 and 4), written as GIFs by Pillow and
# FFmpeg, films and WebPs: of 108 GIFs that were made from the other, one has 1.012 times its colors, and 1.000 times
# its detail; of 108 from which the other was made, one, of a few colors, has no more of either.
_MORE_COLOR, _MORE_DETAIL = 1.012, 1.0
_LESS_COLOR, _LESS_DETAIL = 1.0, 1.001
# Another matrix between light and colors, as films of high definition have, scales all colors: what is left of the
# first's colors in the second tells it from what was lost here and there.
_SCALED, _ALIKE = 0.025, 0.99
_EQUAL, _EQUAL_SHARE = 1, 0.999  # levels by which decoders differ, and the least share of equal pixels


@dataclass(frozen=True)
class Moving:
    """Some frames of an animation or a film at full size, how many it has, and what its codec can keep."""

    pictures: tuple[Image.Image, ...]
    frames: int
    has_palette: bool = False
    is_lossless: bool = False


def with_animation_traces(evidence: Evidence, one: Moving, other: Moving) -> Evidence:
    """Return the evidence on two animations that are duplicates with the traces that tell which was made from which.

    >>> from search.evidence import Tier
    >>> picture = Image.effect_mandelbrot((64, 48), (-2, -1.5, 1, 1.5), 40).convert("RGB")
    >>> moving = Moving((picture, picture.rotate(180)), 2)
    >>> with_animation_traces(Evidence(Tier.SAME), moving, moving).equal_pixels
    True
    """
    if one.pictures[0].size != other.pictures[0].size:
        return evidence  # the larger one is kept
    pairs = _same_moments(one, other)
    whole = one.frames == other.frames and len(one.pictures) == len(other.pictures) == len(pairs)
    if whole and all(_is_equal(first, second) for first, second in pairs):
        return replace(evidence, equal_pixels=True)
    if one.has_palette == other.has_palette or one.is_lossless or other.is_lossless or not pairs:
        return evidence
    if not one.has_palette:
        return with_animation_traces(evidence.swapped(), other, one).swapped()
    color, detail = _lost(pairs)
    if color >= _MORE_COLOR and detail >= _MORE_DETAIL:
        return replace(evidence, traces_other=(Trace.COMPRESSED,))
    if color <= _LESS_COLOR and detail <= _LESS_DETAIL:
        return replace(evidence, traces_one=(Trace.PALETTE,))
    return evidence


def _same_moments(one: Moving, other: Moving) -> list[tuple[Image.Image, Image.Image]]:
    """Return the pairs of frames that show the same moment: two rates, or a late start, give others, too."""
    found = []
    for first, second in matching_frames(len(one.pictures), len(other.pictures)):
        pair = one.pictures[first], other.pictures[second]
        detail, other_detail = (_detail(picture) for picture in pair)
        size = float(np.sqrt((detail**2).sum() * (other_detail**2).sum()))
        found.append((float((detail * other_detail).sum()) / size if size else 1.0, pair))
    best = max(likeness for likeness, _ in found)
    return [pair for likeness, pair in found if likeness >= max(_SAME_MOMENT, best - _AS_LIKE)]


def _is_equal(one: Image.Image, other: Image.Image) -> bool:
    first, second = (np.asarray(picture, np.int16) for picture in (one, other))
    return bool((np.abs(first - second) <= _EQUAL).mean() >= _EQUAL_SHARE)


def _lost(pairs: Sequence[tuple[Image.Image, Image.Image]]) -> tuple[float, float]:
    """Return how many times the second's colors and detail the first has; (1.006, 1) where neither can be told."""
    found = []
    for pair in pairs:
        colors, others = (_colors(picture) for picture in pair)
        spread, other_spread = (float(np.sqrt(each.var((1, 2)).sum())) for each in (colors, others))
        detail, other_detail = (_detail(picture) for picture in pair)
        if min(spread, other_spread) < _COLORFUL or not other_detail.any():
            continue
        centered, other_centered = (each - each.mean((1, 2), keepdims=True) for each in (colors, others))
        shared = float((centered * other_centered).sum()) / colors[0].size
        kept, alike = shared / other_spread**2, shared / (spread * other_spread)
        if abs(kept - 1) > _SCALED and (kept > 1 or alike >= _ALIKE):
            continue
        found.append((spread / other_spread, float((detail * other_detail).sum() / (other_detail**2).sum())))
    if not found:
        return (_LESS_COLOR + _MORE_COLOR) / 2, 1.0
    color, detail_kept = np.mean(found, 0)
    return float(color), float(detail_kept)


def _detail(picture: Image.Image) -> Plane:
    """Return what a picture's brightness differs by from that around it."""
    brightness = np.asarray(picture, np.float32) @ _LUMINANCE
    detail: Plane = brightness - cv2.blur(brightness, _NEIGHBORHOOD)
    return detail


def _colors(picture: Image.Image) -> NDArray[np.float32]:
    """Return the differences of blue and of red from a picture's brightness, [2, height, width]."""
    levels = np.asarray(picture, np.float32)
    brightness = levels @ _LUMINANCE
    return np.stack([levels[..., 2] - brightness, levels[..., 0] - brightness])

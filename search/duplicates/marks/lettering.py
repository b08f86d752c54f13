"""Tell writing from strokes, by the edges that are in one of two aligned pictures and not in the other.

A line of writing has upright edges all along it, two or more for each letter, and about as many level ones. A line
drawn through words has level ones alone, a bar has upright ones at its two ends, an ellipse near them, and a scribble
has too few level ones.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from search.duplicates.keypoints.orb import Gray
from search.system.lazy_module import LazyModule

cv2: Any = LazyModule("cv2")

# Measured on 80 marks and on 200 strokes, bars, crosses, circles and scribbles drawn over captions of real_memes in
# many colors and thicknesses (`benchmarks/marks.py`): of the strokes 3 are within these limits, of the marks 75.
# Number of new upright edges in a row of pixels, for each height of the line: the least of writing, and of what is
# writing for sure.
UPRIGHT_EDGES, SURELY = 0.4, 1.2
# Strength of the new upright edges, divided by that of the level ones: the least, the most, the most of what is dense
# enough to be SURELY writing, and the most of a low line as dense as DENSE: small thin letters have faint level edges.
SLANT, DENSE = (0.25, 1.85, 2.3, 6.0), 1.0
# Of the longer side: a line up to this height is low, and few edges of its letters are left over a caption; then both
# figures have this least value and this least sum.
SMALL, FAINT, FAINT_SUM = 0.035, 0.15, 0.45
STILL_THERE = 0.65  # of an edge's strength: where the other picture has more of it, it is not new
_LEAST_EDGE, _EDGE = 40.0, 0.2  # of Sobel's derivatives: least strength of an edge, and share of the strongest
_STRONGEST = 98  # percent of the derivatives are weaker than the strongest
_MARGIN = 2  # pixels around the line
_AROUND = np.ones((3, 3), np.uint8)  # an edge may lie a pixel beside its place in the other picture

Corners = NDArray[np.float32]  # [4, 2]: a rectangle's corners in turn


def is_lettering(marked: Gray, under: Gray, rectangle: Corners, *, surely: bool = False) -> bool:
    """Return whether what a picture shows in a rectangle, and the other one of the same size does not, is writing.

    >>> plain, striped = np.zeros((40, 100), np.uint8), np.zeros((40, 100), np.uint8)
    >>> striped[18:22, 10:90] = 255
    >>> corners = np.array([[8, 10], [92, 10], [92, 30], [8, 30]], np.float32)
    >>> is_lettering(striped, plain, corners)
    False
    """
    density, slant = _measured(marked, under, rectangle)
    height = min(float(np.linalg.norm(rectangle[at] - rectangle[at - 1])) for at in (1, 2)) / max(marked.shape)
    if height > SMALL or surely:
        steep = SLANT[2] if density >= SURELY else SLANT[1]
        return density >= (SURELY if surely else UPRIGHT_EDGES) and SLANT[0] <= slant <= steep
    steep = SLANT[3] if density >= DENSE else SLANT[1]
    return min(density, slant) >= FAINT and density + slant >= FAINT_SUM and slant <= steep


def _measured(marked: Gray, under: Gray, rectangle: Corners) -> tuple[float, float]:
    """Return how dense new upright edges are, and their strength in new level edges'."""
    strengths = []
    for own, others in zip(*(_derivatives(_levelled(plane, rectangle)) for plane in (marked, under)), strict=True):
        there = cv2.dilate(others, _AROUND)
        strengths.append(np.where(there <= STILL_THERE * own, own - there, 0))
    upright, level = strengths
    strongest = float(np.percentile(np.concatenate(strengths), _STRONGEST))
    edges = (upright > max(_LEAST_EDGE, _EDGE * strongest)).astype(np.int8)
    begins = np.diff(edges, axis=1, prepend=0) == 1
    # Parts as long as the line is high, so that its ends alone do not make it writing.
    height, width = edges.shape
    parts = np.array_split(begins, max(1, round(width / height)), axis=1)
    density = float(np.median([part.sum() / part.size * height for part in parts]))
    return density, float(upright.sum()) / max(1.0, float(level.sum()))


def _levelled(plane: Gray, rectangle: Corners) -> Gray:
    """Return the part of a picture in a rectangle, its longer side level."""
    first, second = rectangle[1] - rectangle[0], rectangle[2] - rectangle[1]
    along, down = (first, second) if np.linalg.norm(first) >= np.linalg.norm(second) else (second, first)
    width, height = (max(1.0, float(np.linalg.norm(side))) for side in (along, down))
    across, below = along / width, down / height
    size = round(width) + 1 + 2 * _MARGIN, round(height) + 1 + 2 * _MARGIN
    corner = rectangle.mean(axis=0) - across * size[0] / 2 - below * size[1] / 2
    back = np.column_stack([across, below, corner]).astype(np.float64)
    levelled: Gray = cv2.warpAffine(
        plane, back, size, flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP, borderMode=cv2.BORDER_REPLICATE
    )
    return levelled


def _derivatives(plane: Gray) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the strengths of upright and of level edges."""
    return np.abs(cv2.Sobel(plane, cv2.CV_32F, 1, 0)), np.abs(cv2.Sobel(plane, cv2.CV_32F, 0, 1))

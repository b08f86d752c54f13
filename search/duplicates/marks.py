"""Find a site's mark in the difference of two aligned pictures, also where it was written over a caption.

A mark is one small line of writing in a corner. What lies under it is still there: the edges of the picture without it
are found again in the one with it. Where words were exchanged, they are not.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from search.duplicates.alignment import Affine
from search.duplicates.overlay import Overlay
from search.duplicates.picture import ScaledPicture
from search.system.lazy_module import LazyModule

cv2: Any = LazyModule("cv2")

# Measured on 25 marks and on 150 pairs with one other word, of captions in real_memes: marks in a corner that cover a
# caption keep .55 of its edges or more; no other word in a corner keeps more than .4, and none is as small and wide.
HEIGHT = 0.05  # of the picture's longer side, at most
WIDE = 3.0  # times its height, at least
EDGE, SIDE_EDGE = 0.1, 0.2  # of the side: its largest distances from the edges; on a plain ground its begin is faint
KEPT = 0.45  # least share of the edges under it that are left
CHANGED = 12  # grey levels: a window with a larger mean difference belongs to it
_ACROSS, _DOWN = 4, 1  # pixels at the scale of the difference: letters closer than twice this are one line

_Box = tuple[int, int, int, int]  # left, top, right, bottom


def without_marks(found: Overlay, one: ScaledPicture, other: ScaledPicture, *, changed: int = CHANGED) -> Overlay:
    """Return the overlay of one picture, as its view shows it, on another, without the difference that marks make.

    Windows with a mean difference of `changed` grey levels belong to a mark; fewer find fainter ones.

    >>> from PIL import Image
    >>> from search.duplicates.alignment import frame_affine
    >>> from search.duplicates.overlay import overlay
    >>> from search.duplicates.picture import scale_picture
    >>> picture = scale_picture(Image.radial_gradient("L"))
    >>> found = overlay(picture, picture, affine=frame_affine(picture.size, picture.size))
    >>> without_marks(found, picture, picture) is found
    True
    """
    marks = [box for box in _changed_boxes(found, changed) if _is_mark(box, found, one, other)]
    if not marks:
        return found
    difference = found.difference.copy()
    for left, top, right, bottom in marks:
        difference[top:bottom, left:right] = 0
    return replace(found, difference=difference)


def _changed_boxes(found: Overlay, least: int) -> list[_Box]:
    """Return the boxes of what differs, in pixels of the difference; the letters of a line share a box."""
    changed = (found.difference >= least).astype(np.uint8)
    if not changed.any():
        return []
    joined = cv2.dilate(changed, np.ones((2 * _DOWN + 1, 2 * _ACROSS + 1), np.uint8))
    _, _, boxes, _ = cv2.connectedComponentsWithStats(joined)
    return [(int(x), int(y), int(x + across), int(y + down)) for x, y, across, down, _ in boxes[1:]]


def _is_mark(box: _Box, found: Overlay, one: ScaledPicture, other: ScaledPicture) -> bool:
    """Return whether a box has the place and the shape of a mark, and what lies under it is still there."""
    height, width = found.difference.shape
    # The letters themselves, without what joins them to a line.
    left, top, right, bottom = box[0] + _ACROSS, box[1] + _DOWN, box[2] - _ACROSS, box[3] - _DOWN
    down, across = bottom - top, right - left
    if down > HEIGHT * max(height, width) or across < WIDE * down:
        return False
    if min(left, width - right) > SIDE_EDGE * width or min(top, height - bottom) > EDGE * height:
        return False
    return _kept(found.affine, one, other, (left / width, top / height, right / width, bottom / height)) >= KEPT


def _kept(affine: Affine, one: ScaledPicture, other: ScaledPicture, box: tuple[float, float, float, float]) -> float:
    """Return the share of either picture's edges in a box (in shares of the other's sides) that the other one has."""
    width, height = other.size
    part = (
        slice(round(box[1] * height), round(box[3] * height) + 1),
        slice(round(box[0] * width), round(box[2] * width) + 1),
    )
    laid = cv2.warpAffine(one.gray, affine, other.size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    first, second = _gradients(laid[part]), _gradients(other.gray[part])
    common = float((first * second).sum())
    return max(common / max(1.0, float((each**2).sum())) for each in (first, second))


def _gradients(plane: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return a plane's derivatives across and down, [2, height, width]."""
    return np.stack([cv2.Sobel(plane, cv2.CV_32F, 1, 0), cv2.Sobel(plane, cv2.CV_32F, 0, 1)])

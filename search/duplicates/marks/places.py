"""Find a site's mark in the difference of two aligned pictures, also where it was written over a caption.

A mark is one small line of writing, in a corner or across the words of a caption. What lies under it is still there:
the edges of the picture without it are found again in the one with it, which has others beside them. Where words were
exchanged, either picture lacks the other's edges; where letters were, as many of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import cache, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from search.duplicates.alignment.affine import Affine
from search.duplicates.alignment.overlay import Overlay, usual_difference, without_difference
from search.duplicates.keypoints.orb import Gray
from search.duplicates.marks.edges import gradients, written_over
from search.duplicates.marks.lettering import is_lettering
from search.duplicates.marks.site_marks import Place, WordsOfBoth, filled, is_logo, line_around, mark_around
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
LINE_NOISE = 2.0  # times the difference in most of the picture
LINE_FAINT = 6  # grey levels: a window of a mark's faint ends
_ACROSS, _DOWN = 4, 1  # pixels at the scale of the difference: letters closer than twice this are one line

_LEAST_CHANGED = 20  # windows
_MOST_CLUSTERS = 4

_Box = tuple[int, int, int, int]  # left, top, right, bottom


def without_marks(found: Overlay, one: ScaledPicture, other: ScaledPicture, *, changed: int = CHANGED) -> Overlay:
    """Return the overlay of one picture, as its view shows it, on another, without the difference that marks make.

    Windows with a mean difference of `changed` grey levels belong to a mark; fewer find fainter ones.

    >>> from PIL import Image
    >>> from search.duplicates.alignment.affine import frame_affine
    >>> from search.duplicates.alignment.overlay import overlay
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


def without_site_marks(
    found: Overlay,
    one: ScaledPicture,
    other: ScaledPicture,
    *,
    words: WordsOfBoth,
) -> Overlay | None:
    """Return the overlay without the marks of sites that were put at an edge or over words of either picture.

    None without such. `one` is as its view shows it; `words` returns the words read on both, with their boxes in
    pixels of the other.
    """
    changed = found.difference >= max(CHANGED, LINE_NOISE * usual_difference(found, 95))
    if np.count_nonzero(changed) < _LEAST_CHANGED:
        return None
    laid, known = cache(partial(_on, found.affine, one.colors, other)), cache(words)
    place = np.zeros_like(found.difference)
    # A mark over letters of its own color is seen in parts: all that differs may be one.
    for cluster in (changed, *_clusters(changed)):
        differing = Place(cluster, laid, other.colors, known)
        rectangle = mark_around(differing)
        if rectangle is not None:
            place |= _with_faint_ends(rectangle, found)
        elif is_logo(differing):
            place |= cv2.dilate(cluster.astype(np.uint8), np.ones((2 * _ACROSS + 1, 2 * _ACROSS + 1), np.uint8))
        if cluster is changed and place.any():
            break
    return without_difference(found, place) if place.any() else None


def _clusters(changed: NDArray[np.bool_]) -> Iterator[NDArray[np.bool_]]:
    """Yield the parts of what differs that are apart, if there are a few."""
    joined = cv2.dilate(changed.astype(np.uint8), np.ones((2 * _ACROSS + 1, 2 * _ACROSS + 1), np.uint8))
    count, labels = cv2.connectedComponents(joined)
    if 2 < count <= _MOST_CLUSTERS + 1:
        for label in range(1, count):
            yield (labels == label) & changed


def is_line(found: Overlay, one: ScaledPicture, other: ScaledPicture) -> bool:
    """Return whether all that differs in two aligned pictures, however faintly, is one line of writing."""
    changed = found.difference >= LINE_FAINT
    rectangle = line_around(changed)
    if rectangle is None:
        return False
    scale = other.size[0] / changed.shape[1], other.size[1] / changed.shape[0]
    planes = _on(found.affine, one.gray, other), other.gray
    there = cv2.resize(changed.astype(np.uint8), other.size, interpolation=cv2.INTER_NEAREST) > 0
    marked = written_over(_on(found.affine, one.colors, other), other.colors, there)
    return marked is not None and is_lettering(planes[marked], planes[1 - marked], cv2.boxPoints(rectangle) * scale)


def count_places(difference: Gray, least: float) -> int:
    """Return in how many places that are apart windows differ by this many grey levels or more."""
    changed = (difference >= least).astype(np.uint8)
    count, _ = cv2.connectedComponents(cv2.dilate(changed, np.ones((2 * _ACROSS + 1, 2 * _ACROSS + 1), np.uint8)))
    return int(count) - 1


def _with_faint_ends(rectangle: Any, found: Overlay) -> NDArray[np.uint8]:
    """Return a plane that is not 0 in a rectangle and where what differs a little continues it."""
    middle, sides, angle = rectangle
    longer = tuple(side + (4 * _ACROSS if side == max(sides) else 0) for side in sides)
    near = filled((middle, longer, angle), (1.0, 1.0), found.difference.shape) > 0
    usual = usual_difference(found, 95)
    faint = line_around((found.difference >= max(LINE_FAINT, 1.5 * LINE_NOISE * usual)) & near)
    around = np.ones((2 * _ACROSS + 1, 2 * _ACROSS + 1), np.uint8)
    plane: NDArray[np.uint8] = cv2.dilate(filled(faint or rectangle, (1.0, 1.0), found.difference.shape), around)
    return plane


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
    if _kept(found.affine, one, other, (left / width, top / height, right / width, bottom / height)) < KEPT:
        return False
    scale = np.array([other.size[0] / width, other.size[1] / height], np.float32)
    corners = np.array([(left, top), (right, top), (right, bottom), (left, bottom)], np.float32) * scale
    planes = _on(found.affine, one.gray, other), other.gray
    return is_lettering(*planes, corners) or is_lettering(*planes[::-1], corners)


def _kept(affine: Affine, one: ScaledPicture, other: ScaledPicture, box: tuple[float, float, float, float]) -> float:
    """Return the share of either picture's edges in a box (in shares of the other's sides) that the other one has."""
    width, height = other.size
    part = (
        slice(round(box[1] * height), round(box[3] * height) + 1),
        slice(round(box[0] * width), round(box[2] * width) + 1),
    )
    laid = _on(affine, one.gray, other)
    first, second = gradients(laid[part]), gradients(other.gray[part])
    common = float((first * second).sum())
    return max(common / max(1.0, float((each**2).sum())) for each in (first, second))


def _on(affine: Affine, plane: NDArray[np.uint8], other: ScaledPicture) -> NDArray[np.uint8]:
    """Return one picture's luminance or colors laid over the other's frame."""
    laid: NDArray[np.uint8] = cv2.warpAffine(
        plane, affine, other.size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    return laid

"""Find a site's mark in the difference of two aligned pictures, also where it was written over a caption.

A mark is one small line of writing, in a corner or across the words of a caption. What lies under it is still there:
the edges of the picture without it are found again in the one with it, which has others beside them. Where words were
exchanged, either picture lacks the other's edges; where letters were, as many of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rapidfuzz import fuzz

from search.duplicates.alignment import Affine
from search.duplicates.overlay import Overlay, usual_difference, without_difference
from search.duplicates.picture import ScaledPicture
from search.duplicates.wording import WELL_READ, Word
from search.system.lazy_module import LazyModule

cv2: Any = LazyModule("cv2")

# Measured on 25 marks and on 150 pairs with one other word, of captions in real_memes: marks in a corner that cover a
# caption keep .55 of its edges or more; no other word in a corner keeps more than .4, and none is as small and wide.
HEIGHT = 0.05  # of the picture's longer side, at most
WIDE = 3.0  # times its height, at least
EDGE, SIDE_EDGE = 0.1, 0.2  # of the side: its largest distances from the edges; on a plain ground its begin is faint
KEPT = 0.45  # least share of the edges under it that are left
CHANGED = 12  # grey levels: a window with a larger mean difference belongs to it
# Measured on 90 marks over captions (of .02 to .045 of the longer side, opaque and half transparent, level, tilted and
# upright) and on 250 pairs with another word, other letters or two words exchanged, of which 40 differ in such a line.
LINE_HEIGHT, LINE_LENGTH = 0.055, (0.075, 0.45)  # of the picture's longer side
LINE_WIDE = 2.5  # times its height, at least
LINE_NOISE = 2.0  # times the difference in most of the picture
LINE_FAINT = 6  # grey levels: a window of a mark's faint ends
STRONG_EDGE = 80.0  # of Sobel's derivatives
STILL = 0.25  # share of an edge's strength in the same direction that is left of it
STILL_THERE = 0.6  # least share of one picture's edges under the mark that are left
SURELY_THERE, MORE_EDGES, STRONGER = 0.88, 0.15, 1.4  # that share; or by how much, or how often, it exceeds the other's
FULL = 0.83  # share of its rectangle that a line drawn through words fills, and writing does not
OVER_WORDS = 0.1  # least share of the mark that lies over the words of the picture without it
_ACROSS, _DOWN = 4, 1  # pixels at the scale of the difference: letters closer than twice this are one line

_LEAST_CHANGED = 20  # windows
_ALIKE = 50  # of 100: agreement of a line with what is read of it under a mark, at least
_DRAWN = 25  # grey levels: a pixel that differs by more was drawn on

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


def without_line_over_words(
    found: Overlay,
    one: ScaledPicture,
    other: ScaledPicture,
    *,
    words: Callable[[], tuple[Sequence[Word], Sequence[Word]]],
) -> Overlay | None:
    """Return the overlay without the one line of writing that was put over words of either picture.

    None where the pictures differ elsewhere, or by anything else. `one` is as its view shows it; `words` returns the
    words read on both, with their boxes in pixels of the other.
    """
    usual = usual_difference(found, 95)
    changed = found.difference >= max(CHANGED, LINE_NOISE * usual)
    rectangle = _line_around(changed)
    if rectangle is None:
        return None
    laid, under = _on(found.affine, one, other), other.gray
    there = cv2.resize(changed.astype(np.uint8), (under.shape[1], under.shape[0]), interpolation=cv2.INTER_NEAREST) > 0
    marked = _written_over(laid, under, there)
    if marked is None:
        return None
    if _fills(one, other, rectangle, found):
        return None
    read = words()
    if _share_over(read[1 - marked], there) < OVER_WORDS or _says_otherwise(read[1 - marked], read[marked], there):
        return None
    # Its faint ends belong to it.
    faint = _line_around(found.difference >= max(LINE_FAINT, 1.5 * LINE_NOISE * usual))
    around = np.ones((2 * _ACROSS + 1, 2 * _ACROSS + 1), np.uint8)
    whole = cv2.dilate(_filled(faint or rectangle, (1.0, 1.0), found.difference.shape), around)
    return without_difference(found, whole)


def _line_around(changed: NDArray[np.bool_]) -> Any:
    """Return the rectangle around all that differs, turned as it lies, if a line of writing is so small; else None."""
    rows, columns = np.nonzero(changed)
    longer = max(changed.shape)
    if len(rows) < _LEAST_CHANGED or min(np.ptp(rows), np.ptp(columns)) > LINE_LENGTH[1] * longer:
        return None
    rectangle = cv2.minAreaRect(np.stack([columns, rows], axis=1).astype(np.float32))
    height, length = sorted(rectangle[1])
    if height > LINE_HEIGHT * longer or not LINE_LENGTH[0] * longer <= length <= LINE_LENGTH[1] * longer:
        return None
    return rectangle if length >= LINE_WIDE * height else None


def _filled(rectangle: Any, scale: tuple[float, float], shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """Return a plane that is 1 in a rectangle and 0 elsewhere."""
    plane = np.zeros(shape, np.uint8)
    cv2.fillConvexPoly(plane, (cv2.boxPoints(rectangle) * scale).round().astype(np.int32), 1)
    return plane


def _written_over(laid: NDArray[np.uint8], under: NDArray[np.uint8], there: NDArray[np.bool_]) -> int | None:
    """Return which of two planes, 0 or 1, has the other's edges and more of them; None if neither has."""
    first, second = (_gradients(plane)[:, there] for plane in (laid, under))
    common = (first * second).sum(axis=0)
    energies, left = [], []  # of each: how strong its edges are, and what share of them the other has
    for each in (first, second):
        strength = (each**2).sum(axis=0)
        edges = strength >= STRONG_EDGE**2
        energies.append(max(1.0, float(strength.sum())))
        left.append(float((common[edges] >= STILL * strength[edges]).mean()) if edges.any() else 0.0)
    low, high = sorted(left)
    ratio = max(energies) / min(energies)
    if high < STILL_THERE or (high < SURELY_THERE and high < low + MORE_EDGES and ratio < STRONGER):
        return None
    return 1 if left[0] >= left[1] else 0


def is_stroke(found: Overlay, one: ScaledPicture, other: ScaledPicture) -> bool:
    """Return whether all that differs in two aligned pictures is one straight line or bar."""
    rows, columns = np.nonzero(found.difference >= CHANGED)
    if len(rows) < _LEAST_CHANGED:
        return False
    rectangle = cv2.minAreaRect(np.stack([columns, rows], axis=1).astype(np.float32))
    return _fills(one, other, rectangle, found)


def _fills(one: ScaledPicture, other: ScaledPicture, rectangle: Any, found: Overlay) -> bool:
    """Return whether what was drawn in a rectangle fills it as a line or a bar does, and writing does not."""
    (width, height), (high, wide) = other.size, found.difference.shape
    inside = _filled(rectangle, (width / wide, height / high), (height, width)) > 0
    corners = cv2.boxPoints(rectangle)
    along = max(corners[1] - corners[0], corners[2] - corners[1], key=np.linalg.norm)
    right, down = along / max(1e-6, float(np.linalg.norm(along)))
    colors = cv2.warpAffine(one.colors, found.affine, other.size, borderMode=cv2.BORDER_REPLICATE)
    # A red line has the grey level of some pictures; the letters under it have other colors than beside it.
    for apart in (
        cv2.absdiff(_on(found.affine, one, other), other.gray),
        cv2.absdiff(colors, other.colors).max(axis=2),
    ):
        rows, columns = np.nonzero((apart > _DRAWN) & inside)
        if not len(rows):
            continue
        # The corners of letters beside it differ too: their few pixels do not count.
        thick, length = (
            float(np.ptp(np.percentile(columns * x + rows * y, (0.5, 99.5)))) + 1
            for x, y in ((-down, right), (right, down))
        )
        if len(rows) > FULL * thick * length:
            return True
    return False


def _share_over(words: Sequence[Word], there: NDArray[np.bool_]) -> float:
    """Return the share of pixels that lie over well-read words."""
    over = np.zeros(there.shape, np.bool_)
    for word in words:
        if word.line.confidence >= WELL_READ:
            left, top, right, bottom = (max(0, round(side)) for side in word.box)
            over[top : bottom + 1, left : right + 1] = True
    return float(over[there].mean())


def _says_otherwise(words: Sequence[Word], others: Sequence[Word], there: NDArray[np.bool_]) -> bool:
    """Return whether at a place, lines were read on both pictures, and none of the first is like one of the second."""
    lines, other_lines = (
        {word.line.text.lower() for word in each if word.line.confidence >= WELL_READ and _touches(word, there)}
        for each in (words, others)
    )
    alike = max((fuzz.partial_ratio(line, other) for line in lines for other in other_lines), default=100.0)
    return alike < _ALIKE


def _touches(word: Word, there: NDArray[np.bool_]) -> bool:
    left, top, right, bottom = (max(0, round(side)) for side in word.box)
    return bool(there[top : bottom + 1, left : right + 1].any())


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
    laid = _on(affine, one, other)
    first, second = _gradients(laid[part]), _gradients(other.gray[part])
    common = float((first * second).sum())
    return max(common / max(1.0, float((each**2).sum())) for each in (first, second))


def _on(affine: Affine, one: ScaledPicture, other: ScaledPicture) -> NDArray[np.uint8]:
    """Return one picture's luminance laid over the other's frame."""
    laid: NDArray[np.uint8] = cv2.warpAffine(
        one.gray, affine, other.size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    return laid


def _gradients(plane: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return a plane's derivatives across and down, [2, height, width]."""
    return np.stack([cv2.Sobel(plane, cv2.CV_32F, 1, 0), cv2.Sobel(plane, cv2.CV_32F, 0, 1)])

"""Find a site's mark in the difference of two aligned pictures, also where it was written over a caption.

A mark is one small line of writing, in a corner or across the words of a caption. What lies under it is still there:
the edges of the picture without it are found again in the one with it, which has others beside them. Where words were
exchanged, either picture lacks the other's edges; where letters were, as many of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import cache, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from search.duplicates.alignment.affine import Affine
from search.duplicates.alignment.overlay import Overlay, usual_difference, without_difference
from search.duplicates.keypoints.orb import Gray
from search.duplicates.marks.lettering import is_lettering
from search.duplicates.marks.words import (
    MORE_LETTERS,
    is_named,
    is_of_a_line,
    letters_more,
    lies_in,
    says_much,
    says_otherwise,
    share_over_words,
)
from search.duplicates.picture import Colors, ScaledPicture
from search.duplicates.wording import Word
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
LINES_HEIGHT, LINES_WIDE = 0.075, 2.0  # the same of two lines, or of a name with a logo or on a plate; least width
LOGO, LOGO_WIDE = (0.02, 0.085), 1.5  # of the picture's longer side; a logo's longer side divided by its shorter one
LOGO_STRONGER = 1.4  # times the edges of the picture without it
AT_EDGE = 0.05  # of the side: its largest distance from an edge, where it is over no words
LINE_NOISE = 2.0  # times the difference in most of the picture
LINE_FAINT = 6  # grey levels: a window of a mark's faint ends
STRONG_EDGE = 80.0  # of Sobel's derivatives
STILL = 0.25  # share of an edge's strength in the same direction that is left of it
STILL_THERE = 0.6  # least share of one picture's edges under the mark that are left
SURELY_THERE, MORE_EDGES, STRONGER = 0.88, 0.15, 1.4  # that share; or by how much, or how often, it exceeds the other's
BAR, BAR_AROUND = 0.25, 0.05  # least share of a bar in its color, and largest share of its surroundings in it
OVER_WORDS = 0.1  # least share of the mark that lies over the words of the picture without it
_ACROSS, _DOWN = 4, 1  # pixels at the scale of the difference: letters closer than twice this are one line

_LEAST_CHANGED = 20  # windows
_LEAST_EDGES = 20  # pixels
_DRAWN = 25  # levels of sRGB: a pixel that differs by more was drawn on; of one color are those that differ by less
_RING = 8  # pixels around a rectangle
_MOST_CLUSTERS = 4

WordsOfBoth = Callable[[], tuple[Sequence[Word], Sequence[Word]]]  # reads them when they are first asked for
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
        rectangle = _mark_around(cluster, laid, other.colors, known)
        if rectangle is not None:
            place |= _with_faint_ends(rectangle, found)
        elif _is_logo(cluster, laid, other.colors, known):
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


def _mark_around(
    cluster: NDArray[np.bool_],
    seen: Callable[[], Colors],
    under: Colors,
    words: WordsOfBoth,
) -> Any:
    """Return the rectangle around a cluster of windows that differ, turned as it lies, if it is a mark; else None."""
    rectangle = _line_around(cluster)
    if rectangle is None:
        return None
    laid, size = seen(), (under.shape[1], under.shape[0])
    there = cv2.resize(cluster.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST) > 0
    scale = under.shape[1] / cluster.shape[1], under.shape[0] / cluster.shape[0]
    corners = cv2.boxPoints(rectangle) * scale
    marked = _written_over(laid, under, there)
    at_edge, high = _is_at_edge(cluster), min(rectangle[1]) > LINE_HEIGHT * max(cluster.shape)
    planes = cv2.cvtColor(laid, cv2.COLOR_RGB2GRAY), cv2.cvtColor(under, cv2.COLOR_RGB2GRAY)
    if marked is not None and not is_lettering(planes[marked], planes[1 - marked], corners):
        return None
    read = words()
    if marked is None and at_edge:
        # An opaque mark hides what lies under it: its words tell, or that the other picture has no writing there.
        whole = _filled(rectangle, scale, size[::-1]) > 0
        named = [is_named(own, whole) for own in read]
        if not any(named):
            named = [
                is_lettering(one, other, corners, surely=True)
                and not is_lettering(other, one, corners)
                and share_over_words(own, there) < OVER_WORDS
                for one, other, own in ((*planes, read[0]), (*planes[::-1], read[1]))
            ]
        marked = named.index(True) if sum(named) == 1 else None
    if marked is None:
        return None
    pair, own, others = (planes[marked], planes[1 - marked]), read[marked], read[1 - marked]
    if not is_lettering(*pair, corners):
        return None
    if high and letters_more(own, others, there) < MORE_LETTERS and not is_lettering(*pair, corners, surely=True):
        return None
    over_words = share_over_words(others, there) >= OVER_WORDS
    if not at_edge and (high or not over_words):
        return None
    if over_words and _is_bar((laid, under)[1 - marked], (laid, under)[marked], _filled(rectangle, scale, size[::-1])):
        return None
    caption = is_of_a_line(own, there, min(rectangle[1]) * scale[1])
    return None if caption or says_otherwise(others, own, there) or says_much(own, others, there) else rectangle


def _is_logo(
    cluster: NDArray[np.bool_],
    seen: Callable[[], Colors],
    under: Colors,
    words: WordsOfBoth,
) -> bool:
    """Return whether what differs is a small thing without words in a corner, which one of the pictures alone has."""
    rows, columns = np.nonzero(cluster)
    sides, longer = (int(np.ptp(columns)) + 1, int(np.ptp(rows)) + 1), max(cluster.shape)
    if not LOGO[0] * longer <= max(sides) <= LOGO[1] * longer or max(sides) > LOGO_WIDE * min(sides):
        return False
    if max(_gaps(cluster)) > AT_EDGE:
        return False
    there = cv2.resize(cluster.astype(np.uint8), (under.shape[1], under.shape[0]), interpolation=cv2.INTER_NEAREST) > 0
    laid = seen()
    marked = _written_over(laid, under, there)
    if marked is None or any(
        len(word.text) > 1 or word.text.isdigit() for own in words() for word in own if lies_in(word, there)
    ):
        return False
    strengths = [float((_gradients_at(picture, there) ** 2).sum()) for picture in (laid, under)]
    return strengths[marked] >= LOGO_STRONGER * strengths[1 - marked]


def is_line(found: Overlay, one: ScaledPicture, other: ScaledPicture) -> bool:
    """Return whether all that differs in two aligned pictures, however faintly, is one line of writing."""
    changed = found.difference >= LINE_FAINT
    rectangle = _line_around(changed)
    if rectangle is None:
        return False
    scale = other.size[0] / changed.shape[1], other.size[1] / changed.shape[0]
    planes = _on(found.affine, one.gray, other), other.gray
    there = cv2.resize(changed.astype(np.uint8), other.size, interpolation=cv2.INTER_NEAREST) > 0
    marked = _written_over(_on(found.affine, one.colors, other), other.colors, there)
    return marked is not None and is_lettering(planes[marked], planes[1 - marked], cv2.boxPoints(rectangle) * scale)


def count_places(difference: Gray, least: float) -> int:
    """Return in how many places that are apart windows differ by this many grey levels or more."""
    changed = (difference >= least).astype(np.uint8)
    count, _ = cv2.connectedComponents(cv2.dilate(changed, np.ones((2 * _ACROSS + 1, 2 * _ACROSS + 1), np.uint8)))
    return int(count) - 1


def _is_at_edge(cluster: NDArray[np.bool_]) -> bool:
    return min(_gaps(cluster)) <= AT_EDGE


def _gaps(cluster: NDArray[np.bool_]) -> tuple[float, float]:
    """Return how far a cluster is from the nearer of both edges, across and down, in shares of the sides."""
    rows, columns = np.nonzero(cluster)
    height, width = cluster.shape
    return (
        min(int(columns.min()), width - 1 - int(columns.max())) / width,
        min(int(rows.min()), height - 1 - int(rows.max())) / height,
    )


def _with_faint_ends(rectangle: Any, found: Overlay) -> NDArray[np.uint8]:
    """Return a plane that is not 0 in a rectangle and where what differs a little continues it."""
    middle, sides, angle = rectangle
    longer = tuple(side + (4 * _ACROSS if side == max(sides) else 0) for side in sides)
    near = _filled((middle, longer, angle), (1.0, 1.0), found.difference.shape) > 0
    usual = usual_difference(found, 95)
    faint = _line_around((found.difference >= max(LINE_FAINT, 1.5 * LINE_NOISE * usual)) & near)
    around = np.ones((2 * _ACROSS + 1, 2 * _ACROSS + 1), np.uint8)
    filled: NDArray[np.uint8] = cv2.dilate(_filled(faint or rectangle, (1.0, 1.0), found.difference.shape), around)
    return filled


def _line_around(changed: NDArray[np.bool_]) -> Any:
    """Return the rectangle around all that differs, turned as it lies, if lines of a mark are so small; else None."""
    rows, columns = np.nonzero(changed)
    longer = max(changed.shape)
    if len(rows) < _LEAST_CHANGED or min(np.ptp(rows), np.ptp(columns)) > LINE_LENGTH[1] * longer:
        return None
    rectangle = cv2.minAreaRect(np.stack([columns, rows], axis=1).astype(np.float32))
    height, length = sorted(rectangle[1])
    if height > LINES_HEIGHT * longer or not LINE_LENGTH[0] * longer <= length <= LINE_LENGTH[1] * longer:
        return None
    return rectangle if length >= LINES_WIDE * height else None


def _filled(rectangle: Any, scale: tuple[float, float], shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """Return a plane that is 1 in a rectangle and 0 elsewhere."""
    plane = np.zeros(shape, np.uint8)
    cv2.fillConvexPoly(plane, (cv2.boxPoints(rectangle) * scale).round().astype(np.int32), 1)
    return plane


def _written_over(laid: Colors, under: Colors, there: NDArray[np.bool_]) -> int | None:
    """Return which of two pictures, 0 or 1, has the other's edges and more of them; None if neither has."""
    # A red line has the grey level of some grounds: its edges are of color.
    first, second = (np.concatenate(_gradients_at(picture, there).transpose(2, 0, 1)) for picture in (laid, under))
    common = (first * second).sum(axis=0) / 3
    energies, left = [], []  # of each: how strong its edges are, and what share of them the other has
    for each in (first, second):
        strength = (each**2).sum(axis=0) / 3
        edges = strength >= STRONG_EDGE**2
        energies.append(max(1.0, float(strength.sum())))
        many = np.count_nonzero(edges) >= _LEAST_EDGES  # else nothing is lost on a plain ground
        left.append(float((common[edges] >= STILL * strength[edges]).mean()) if many else 1.0)
    low, high = sorted(left)
    ratio = max(energies) / min(energies)
    if high < STILL_THERE or (high < SURELY_THERE and high < low + MORE_EDGES and ratio < STRONGER):
        return None
    return 1 if left[0] >= left[1] else 0


def _is_bar(picture: Colors, other: Colors, inside: NDArray[np.uint8]) -> bool:
    """Return whether what differs inside a rectangle has one color in a picture, and its surroundings have others."""
    drawn = (cv2.absdiff(picture, other).max(axis=2) > _DRAWN) & (inside > 0)
    if not drawn.any():
        return False
    ink = np.median(picture[drawn], axis=0)
    around = cv2.dilate(inside, np.ones((2 * _RING + 1, 2 * _RING + 1), np.uint8)) > inside
    shares = [float((np.abs(picture[place] - ink).max(axis=1) <= _DRAWN).mean()) for place in (drawn, around)]
    return shares[0] >= BAR and shares[1] < BAR_AROUND


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
    first, second = _gradients(laid[part]), _gradients(other.gray[part])
    common = float((first * second).sum())
    return max(common / max(1.0, float((each**2).sum())) for each in (first, second))


def _on(affine: Affine, plane: NDArray[np.uint8], other: ScaledPicture) -> NDArray[np.uint8]:
    """Return one picture's luminance or colors laid over the other's frame."""
    laid: NDArray[np.uint8] = cv2.warpAffine(
        plane, affine, other.size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    return laid


def _gradients_at(picture: Colors, there: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Return the derivatives across and down of a picture's colors at some of its pixels, [2, n, 3]."""
    rows, columns = np.flatnonzero(there.any(axis=1)), np.flatnonzero(there.any(axis=0))
    if not len(rows):
        return np.empty((2, 0, 3), np.float32)
    # A derivative needs the pixels beside it.
    part = slice(max(0, int(rows[0]) - 1), int(rows[-1]) + 2), slice(max(0, int(columns[0]) - 1), int(columns[-1]) + 2)
    return _gradients(picture[part])[:, there[part]]


def _gradients(plane: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return a plane's derivatives across and down, [2, height, width], or those of colors, [2, height, width, 3]."""
    return np.stack([cv2.Sobel(plane, cv2.CV_32F, 1, 0), cv2.Sobel(plane, cv2.CV_32F, 0, 1)])

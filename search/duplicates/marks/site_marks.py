"""Tell whether what differs in one place of two aligned pictures is a site's mark: a line of writing, or a logo."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from search.duplicates.keypoints.orb import Gray
from search.duplicates.marks.edges import gradients_at, written_over
from search.duplicates.marks.lettering import Corners, is_lettering
from search.duplicates.marks.words import (
    MORE_LETTERS,
    has_address,
    is_named,
    is_of_a_line,
    letters_more,
    lies_in,
    says_much,
    says_otherwise,
    share_over_words,
)
from search.duplicates.picture import Colors
from search.duplicates.wording import Word
from search.system.lazy_module import LazyModule

cv2: Any = LazyModule("cv2")

# Measured on 90 marks over captions (of .02 to .045 of the longer side, opaque and half transparent, level, tilted and
# upright) and on 250 pairs with another word, other letters or two words exchanged, of which 40 differ in such a line.
LINE_HEIGHT, LINE_LENGTH = 0.055, (0.075, 0.45)  # of the picture's longer side
LINES_HEIGHT, LINES_WIDE = 0.075, 2.0  # the same of two lines, or of a name with a logo or on a plate; least width
LOGO, LOGO_WIDE = (0.02, 0.085), 1.5  # of the picture's longer side; a logo's longer side divided by its shorter one
LOGO_STRONGER = 1.4  # times the edges of the picture without it
AT_EDGE = 0.05  # of the side: its largest distance from an edge, where it is over no words
BAR, BAR_AROUND = 0.25, 0.05  # least share of a bar in its color, and largest share of its surroundings in it
OVER_WORDS = 0.1  # least share of the mark that lies over the words of the picture without it
_LEAST_CHANGED = 20  # windows
_DRAWN = 25  # levels of sRGB: a pixel that differs by more was drawn on; of one color are those that differ by less
_RING = 8  # pixels around a rectangle

WordsOfBoth = Callable[[], tuple[Sequence[Word], Sequence[Word]]]  # reads them when they are first asked for
Rectangle = tuple[tuple[float, float], tuple[float, float], float]  # as OpenCV has it: middle, sides, angle


@dataclass(frozen=True)
class Place:
    """Windows in which two aligned pictures differ ([height, width] bool), both pictures, and the words read on them.

    `seen` returns the first picture, laid over the second, `under`; `words` have boxes in pixels of that one.
    """

    cluster: NDArray[np.bool_]
    seen: Callable[[], Colors]
    under: Colors
    words: WordsOfBoth

    @cached_property
    def rectangle(self) -> Rectangle | None:
        """The rectangle around the windows, turned as they lie, if lines of a mark are so small; else None."""
        return line_around(self.cluster)

    @cached_property
    def pictures(self) -> tuple[Colors, Colors]:
        """Both pictures, laid over each other."""
        return self.seen(), self.under

    @cached_property
    def planes(self) -> tuple[Gray, Gray]:
        """The luminance of both pictures."""
        laid, under = (cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY) for picture in self.pictures)
        return laid, under

    @cached_property
    def there(self) -> NDArray[np.bool_]:
        """Where the windows are in the pictures."""
        size = self.under.shape[1], self.under.shape[0]
        resized: NDArray[np.uint8] = cv2.resize(self.cluster.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST)
        return resized > 0

    @cached_property
    def scale(self) -> tuple[float, float]:
        """The pixels of a window, across and down."""
        return self.under.shape[1] / self.cluster.shape[1], self.under.shape[0] / self.cluster.shape[0]

    @cached_property
    def corners(self) -> Corners:
        """The corners of the rectangle in the pictures."""
        corners: Corners = cv2.boxPoints(self.rectangle) * self.scale
        return corners

    @cached_property
    def inside(self) -> NDArray[np.uint8]:
        """A plane that is 1 in the rectangle in the pictures, and 0 elsewhere."""
        return filled(self.rectangle, self.scale, self.under.shape[:2])

    @cached_property
    def at_edge(self) -> bool:
        """Whether it lies at an edge of the picture."""
        return min(_gaps(self.cluster)) <= AT_EDGE

    @cached_property
    def is_high(self) -> bool:
        """Whether it is higher than one line of a mark."""
        assert self.rectangle is not None
        return min(self.rectangle[1]) > LINE_HEIGHT * max(self.cluster.shape)

    @cached_property
    def written_over(self) -> int | None:
        """Which of both pictures was written over, as of `edges.written_over`."""
        return written_over(*self.pictures, self.there)

    def is_lettering(self, marked: int, *, surely: bool = False) -> bool:
        """Return whether what one of both pictures (0 or 1) shows there, and the other does not, is writing."""
        return is_lettering(self.planes[marked], self.planes[1 - marked], self.corners, surely=surely)


def mark_around(place: Place) -> Rectangle | None:
    """Return the rectangle around what differs in a place, if it is a line of a mark; else None."""
    if place.rectangle is None:
        return None
    marked = place.written_over
    if marked is None and place.at_edge:
        marked = _marked_opaquely(place)
    if marked is None or not place.is_lettering(marked):
        return None
    return place.rectangle if _is_name(place, marked) else None


def _marked_opaquely(place: Place) -> int | None:
    """Return which of two pictures has a mark that hides what lies under it; None if neither has.

    Its words tell, or that the other picture has no writing there.
    """
    read = place.words()
    whole = place.inside > 0
    named = [is_named(own, whole) for own in read]
    if all(named):
        named = [has_address(own, whole) for own in read]
    elif not any(named):
        named = [
            place.is_lettering(at, surely=True)
            and not place.is_lettering(1 - at)
            and share_over_words(own, place.there) < OVER_WORDS
            for at, own in enumerate(read)
        ]
    return named.index(True) if sum(named) == 1 else None


def _is_name(place: Place, marked: int) -> bool:
    """Return whether the writing that one picture alone has in a place says what a mark says, where marks are."""
    read, there = place.words(), place.there
    own, others = read[marked], read[1 - marked]
    few = place.is_high and letters_more(own, others, there) < MORE_LETTERS
    if few and not place.is_lettering(marked, surely=True):
        return False
    over_words = share_over_words(others, there) >= OVER_WORDS
    if not place.at_edge and (place.is_high or not over_words):
        return False
    if over_words and _is_bar(place.pictures[1 - marked], place.pictures[marked], place.inside):
        return False
    assert place.rectangle is not None
    if over_words and has_address(own, place.inside > 0) and not has_address(others, place.inside > 0):
        return True
    caption = is_of_a_line(own, there, min(place.rectangle[1]) * place.scale[1])
    return not (caption or says_otherwise(others, own, there) or says_much(own, others, there))


def is_logo(place: Place) -> bool:
    """Return whether what differs is a small thing without words in a corner, which one of the pictures alone has."""
    rows, columns = np.nonzero(place.cluster)
    sides, longer = (int(np.ptp(columns)) + 1, int(np.ptp(rows)) + 1), max(place.cluster.shape)
    if not LOGO[0] * longer <= max(sides) <= LOGO[1] * longer or max(sides) > LOGO_WIDE * min(sides):
        return False
    if max(_gaps(place.cluster)) > AT_EDGE:
        return False
    marked = place.written_over
    if marked is None or any(
        len(word.text) > 1 or word.text.isdigit() for own in place.words() for word in own if lies_in(word, place.there)
    ):
        return False
    strengths = [float((gradients_at(picture, place.there) ** 2).sum()) for picture in place.pictures]
    return strengths[marked] >= LOGO_STRONGER * strengths[1 - marked]


def _gaps(cluster: NDArray[np.bool_]) -> tuple[float, float]:
    """Return how far a cluster is from the nearer of both edges, across and down, in shares of the sides."""
    rows, columns = np.nonzero(cluster)
    height, width = cluster.shape
    return (
        min(int(columns.min()), width - 1 - int(columns.max())) / width,
        min(int(rows.min()), height - 1 - int(rows.max())) / height,
    )


def line_around(changed: NDArray[np.bool_]) -> Rectangle | None:
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


def filled(rectangle: Any, scale: tuple[float, float], shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """Return a plane that is 1 in a rectangle and 0 elsewhere."""
    plane = np.zeros(shape, np.uint8)
    cv2.fillConvexPoly(plane, (cv2.boxPoints(rectangle) * scale).round().astype(np.int32), 1)
    return plane


def _is_bar(picture: Colors, other: Colors, inside: NDArray[np.uint8]) -> bool:
    """Return whether what differs inside a rectangle has one color in a picture, and its surroundings have others."""
    drawn = (cv2.absdiff(picture, other).max(axis=2) > _DRAWN) & (inside > 0)
    if not drawn.any():
        return False
    ink = np.median(picture[drawn], axis=0)
    around = cv2.dilate(inside, np.ones((2 * _RING + 1, 2 * _RING + 1), np.uint8)) > inside
    shares = [float((np.abs(picture[place] - ink).max(axis=1) <= _DRAWN).mean()) for place in (drawn, around)]
    return shares[0] >= BAR and shares[1] < BAR_AROUND

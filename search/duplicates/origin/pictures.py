"""Tell which of two duplicates was made from the other, by the traces that the work left in the copy's pixels."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from search.duplicates.alignment.views import UPRIGHT, Alignment, alignments
from search.duplicates.comparison import PreparedPicture, view_distances
from search.duplicates.origin.palette import is_reduced
from search.duplicates.origin.recompression import Compressed, Mask, Plane, Steps, is_explained, made_from, resized_from
from search.duplicates.origin.resampling import is_enlarged
from search.duplicates.origin.resaving import Saving, as_seen, gives_jpeg, saved_alike
from search.duplicates.origin.traces import (
    backwards,
    blurred,
    grained,
    is_lit,
    lacks_detail,
    levels_lost,
    marked,
    ringed,
)
from search.duplicates.origin.webp_saving import gives_webp
from search.evidence import Evidence, Trace
from search.images.fingerprints import View
from search.system.lazy_module import LazyModule

cv2: Any = LazyModule("cv2")

LOSSLESS: Steps = np.ones((8, 8))
_SAME_SCALE = 0.02  # keypoints tell the scale no better
_WHOLE = 0.97  # share of both pictures that the other shows, where the whole of one became the whole of the other
_PATCH, _SEARCH = 384, 8  # pixels: side of the area by which the shift is found, and how far it is looked for
_FOUND = 0.8  # least correlation of that area
_WINDOW = 1024  # pixels: a side of what is examined at most
_LEAST = 48  # pixels of a side
_EQUAL, _EQUAL_SHARE = 1, 0.999  # levels by which decoders differ, and the least share of equal pixels
_PALETTE = 256  # colours
_RECOLORED = 1.5  # CIELAB units
_LUMINANCE = np.array([0.299, 0.587, 0.114], np.float32)


@dataclass(frozen=True)
class Original:
    """A still at its full size, and how its file was compressed.

    `steps` ([8, 8]) are those of a JPEG's luminance, as the picture is shown; LOSSLESS, or None where they are not
    known. `corner` (x, y) is where its first whole block begins. `saving` is how a JPEG was saved whose blocks begin at
    the left upper corner. `quantizers` are those of a lossy WebP (`search.images.webp_quantizers`).
    """

    picture: Image.Image
    steps: Steps | None = None
    corner: tuple[int, int] = (0, 0)
    saving: Saving | None = None
    quantizers: tuple[int, ...] = ()


def with_traces(
    evidence: Evidence, one: Original, other: Original, *, prepared: tuple[PreparedPicture, PreparedPicture]
) -> Evidence:
    """Return the evidence on two duplicates with the traces that tell which was made from which.

    `prepared` are the two as they were compared.

    >>> from search.duplicates.comparison import compare_prepared, prepare
    >>> picture = Image.effect_mandelbrot((320, 240), (-2, -1.5, 1, 1.5), 40).convert("RGB")
    >>> pair = prepare(picture), prepare(picture)
    >>> with_traces(compare_prepared(*pair), Original(picture), Original(picture), prepared=pair).equal_pixels
    True
    """
    first, second = prepared
    found = min(
        alignments(first.picture, second.picture, bits=view_distances(first, second)),
        key=lambda alignment: (alignment.overlay.strong, alignment.overlay.differing),
        default=None,
    )
    if found is None:
        return evidence
    sides = _shared_frame(one, other, prepared, found)
    told: list[tuple[int, Trace]] = []
    if sides is None:
        told.append((_resized(one, other, prepared, found), Trace.RESIZED))
    else:
        few = [original.picture.convert("RGB").getcolors(_PALETTE) is not None for original in (one, other)]
        told += _traces(*sides) if few[0] == few[1] else _palette_traces(*sides, first_has_few=few[0])
        plain = None if evidence.color >= _RECOLORED or is_lit(*sides) else sides
        told = _saved_again(told, one, other, found.view, plain)
    told = _proved(told, one, other, found.view)
    if found.view != View():
        told.append((backwards(first.lines, second.lines), Trace.BACKWARDS))
    whole = one.picture.size == other.picture.size
    return replace(
        evidence,
        traces_one=_sorted(trace for direction, trace in told if direction < 0),
        traces_other=_sorted(trace for direction, trace in told if direction > 0),
        equal_pixels=whole and found.view == View() and _is_equal(one.picture, other.picture),
    )


def _saved_again(
    told: list[tuple[int, Trace]],
    one: Original,
    other: Original,
    view: View,
    sides: tuple[Compressed, Compressed] | None,
) -> list[tuple[int, Trace]]:
    """Return the traces with what saving each of two JPEGs as the other was saved tells about compression.

    `sides` are None where colors, brightness or contrast were changed: saving alone does not explain that, and
    contradicts nothing.
    """
    across, down = one.picture.size
    shown = (down, across) if view.turns % 2 else (across, down)
    if one.saving is None or other.saving is None or shown != other.picture.size:
        return told
    found = saved_alike(one.picture, other.picture, one.saving, other.saving, view=view)
    if found is None:
        return told
    direction = next((way for way, trace in told if trace is Trace.COMPRESSED), 0)
    if found.made_from:
        direction = found.made_from
    elif direction and sides and found.contradicts(direction) and is_explained(*sides, direction):
        direction = 0
    return [(direction, Trace.COMPRESSED), *(each for each in told if each[1] is not Trace.COMPRESSED)]


def _proved(told: list[tuple[int, Trace]], one: Original, other: Original, view: View) -> list[tuple[int, Trace]]:
    """Return the traces without those that the same work, done once more, refutes, and with what it tells.

    A reduction to a palette repeats to the pixel, and so does saving a JPEG or a WebP.
    """
    shown = as_seen(one.picture, view)
    for direction, source, copy in ((1, shown, other.picture), (-1, other.picture, shown)):
        if is_reduced(source, copy):
            return [(direction, Trace.PALETTE)]
    if view == View():
        for direction, first, second in ((1, one, other), (-1, other, one)):
            # Of a lossless file, this would only say that compressing the JPEG again changes nothing.
            if first.steps is None and second.saving and gives_jpeg(first.picture, second.picture, second.saving):
                return [(direction, Trace.COMPRESSED), *(each for each in told if each[1] is not Trace.COMPRESSED)]
    if view != View() or any(direction and trace is Trace.COMPRESSED for direction, trace in told):
        return told
    forth = gives_webp(one.picture, other.picture, other.quantizers)
    back = gives_webp(other.picture, one.picture, one.quantizers)
    return [*told, (int(forth) - int(back), Trace.COMPRESSED)]


def _sorted(traces: Iterable[Trace]) -> tuple[Trace, ...]:
    return tuple(sorted(traces, key=list(Trace).index))


def _is_equal(one: Image.Image, other: Image.Image) -> bool:
    first, second = (np.asarray(picture.convert("RGB"), np.int16) for picture in (one, other))
    return bool((np.abs(first - second) <= _EQUAL).mean() >= _EQUAL_SHARE)


def _traces(one: Compressed, other: Compressed) -> Iterator[tuple[int, Trace]]:
    """Yield the traces in pixels that lie exactly over each other, with the direction in which they point."""
    direction, grain = ringed(one, other), grained(one, other)
    # What was denoised is flat where its source has ringing; compressing it does not give the source.
    if not direction or (_are_jpegs(one, other) and not is_explained(one, other, direction)):
        direction = made_from(one, other)
    # Coarse steps take a copy's grain away again, but do not give back the detail that it lost before.
    if grain and direction == -grain and (lacks_detail(one, other) if grain > 0 else lacks_detail(other, one)):
        direction = 0
    levels = levels_lost(one, other)
    if direction and levels == -direction:
        direction = levels = 0
    copy, source = (other, one) if direction > 0 else (one, other)
    stored = copy.is_lossless and not source.is_lossless
    yield direction, Trace.LOSSLESS if stored else Trace.COMPRESSED
    yield grain, Trace.GRAIN
    yield levels, Trace.LEVELS
    if not is_lit(one, other):
        yield marked(one, other), Trace.MARKED
    yield blurred(one, other), Trace.BLURRED


def _are_jpegs(*sides: Compressed) -> bool:
    return all(side.steps is not None and not side.is_lossless for side in sides)


def _palette_traces(one: Compressed, other: Compressed, *, first_has_few: bool) -> Iterator[tuple[int, Trace]]:
    """Yield the traces of two pictures one of which has few colours, as `_traces` does.

    A drawing of few colours is the source of its JPEG, which has ringing. Of two lossless pictures, the one with more
    colours may be the copy, blurred.
    """
    compressed = next(_traces(one, other))
    yield compressed
    copy, source = (one, other) if first_has_few else (other, one)
    if not compressed[0] and copy.is_lossless and not source.is_lossless:
        yield -1 if first_has_few else 1, Trace.PALETTE


@dataclass(frozen=True)
class _Side:
    """A picture's luminance as a view shows it, with its steps, corner and the pixels whose levels were lost."""

    plane: Plane
    clipped: Mask
    steps: Steps | None
    corner: tuple[int, int]

    def cut(self, left: int, top: int, width: int, height: int) -> Compressed:
        """Return a part of it."""
        part = slice(top, top + height), slice(left, left + width)
        corner = (self.corner[0] - left) % 8, (self.corner[1] - top) % 8
        return Compressed(self.plane[part], self.steps, corner, self.clipped[part])


def _side(original: Original, view: View = UPRIGHT) -> _Side:
    colors = np.asarray(original.picture.convert("RGB"))
    plane, clipped = colors.astype(np.float32) @ _LUMINANCE, _clipped(colors)
    steps, (x, y) = original.steps, original.corner
    if view.mirrored:
        plane, clipped, x = plane[:, ::-1], clipped[:, ::-1], -(x - plane.shape[1])
    for _ in range(view.turns):
        x, y = y, plane.shape[1] - x
        plane, clipped = np.rot90(plane), np.rot90(clipped)
        steps = None if steps is None else steps.T
    return _Side(np.ascontiguousarray(plane), clipped, steps, (x % 8, y % 8))


def _clipped(colors: NDArray[np.uint8]) -> Mask:
    """Return where a color is at the lowest or highest level of the picture, [height, width]."""
    lost = np.zeros(colors.shape[:2], np.bool_)
    for channel in np.moveaxis(colors, 2, 0):
        low, high = np.percentile(channel[::2, ::2], (0.5, 99.5))
        lost |= (channel <= max(3, low + 4)) | (channel >= min(252, high - 4))
    return lost


def _affine(
    one: _Side, other: _Side, prepared: tuple[PreparedPicture, PreparedPicture], found: Alignment
) -> NDArray[np.float64]:
    """Return the transform ([3, 3]) from the pixels of the first, as its view shows it, to the second's."""

    def scaling(plane: Plane, size: tuple[int, int]) -> NDArray[np.float64]:
        across, down = plane.shape[1] / size[0], plane.shape[0] / size[1]
        return np.array([[across, 0, (across - 1) / 2], [0, down, (down - 1) / 2], [0, 0, 1]])

    scaled = np.vstack([found.overlay.affine, [0, 0, 1]])
    seen = prepared[0].picture.seen(found.view).size
    whole: NDArray[np.float64] = (
        scaling(other.plane, prepared[1].picture.size) @ scaled @ np.linalg.inv(scaling(one.plane, seen))
    )
    return whole


def _shared_frame(
    one: Original, other: Original, prepared: tuple[PreparedPicture, PreparedPicture], found: Alignment
) -> tuple[Compressed, Compressed] | None:
    """Return both pictures where they overlap, pixel over pixel; None if their scales differ or no shift fits."""
    first, second = _side(one, found.view), _side(other)
    affine = _affine(first, second, prepared, found)
    if np.abs(affine[:2, :2] - np.eye(2)).max() > _SAME_SCALE:
        return None
    shift = _shift(first.plane, second.plane, affine)
    if shift is None:
        return None
    right, down = shift
    left, top = max(0, -right), max(0, -down)
    width = min(first.plane.shape[1], second.plane.shape[1] - right) - left
    height = min(first.plane.shape[0], second.plane.shape[0] - down) - top
    if min(width, height) < _LEAST:
        return None
    # The middle of a large picture says as much as all of it.
    left, top = left + max(0, width - _WINDOW) // 2, top + max(0, height - _WINDOW) // 2
    size = min(width, _WINDOW), min(height, _WINDOW)
    return first.cut(left, top, *size), second.cut(left + right, top + down, *size)


def _shift(one: Plane, other: Plane, affine: NDArray[np.float64]) -> tuple[int, int] | None:
    """Return how many pixels right and down the first lies in the second; None if it does not fit anywhere near."""
    height, width = one.shape
    center = np.array([width / 2, height / 2, 1])
    right, down = (affine @ center - center)[:2]
    left, top = max(0, -right) + _SEARCH, max(0, -down) + _SEARCH
    across = min(width, other.shape[1] - right) - _SEARCH - left
    along = min(height, other.shape[0] - down) - _SEARCH - top
    if min(across, along) < _LEAST:
        return None
    size = min(_PATCH, int(across)), min(_PATCH, int(along))
    places = {
        (int(left + x * (across - size[0])), int(top + y * (along - size[1]))) for x in (0.5, 0, 1) for y in (0.5, 0, 1)
    }
    # Where there is most to see.
    x, y = max(
        sorted(places), key=lambda place: float(one[place[1] : place[1] + size[1], place[0] :][:, : size[0]].std())
    )
    patch = one[y : y + size[1], x : x + size[0]]
    from_x, from_y = max(0, x + round(right) - _SEARCH), max(0, y + round(down) - _SEARCH)
    area = other[from_y : from_y + size[1] + 2 * _SEARCH, from_x : from_x + size[0] + 2 * _SEARCH]
    if area.shape[0] < size[1] or area.shape[1] < size[0]:
        return None
    fits = cv2.matchTemplate(np.ascontiguousarray(area), np.ascontiguousarray(patch), cv2.TM_CCOEFF_NORMED)
    _, best, _, at = cv2.minMaxLoc(fits)
    return (at[0] + from_x - x, at[1] + from_y - y) if best >= _FOUND else None


def _resized(
    one: Original, other: Original, prepared: tuple[PreparedPicture, PreparedPicture], found: Alignment
) -> int:
    """Return which of two whole pictures of different sizes is the other one resized, as in `made_from`."""
    if min(found.overlay.covers_one, found.overlay.covers_other) < _WHOLE:
        return 0
    first, second = (_side(original, view) for original, view in ((one, found.view), (other, UPRIGHT)))
    if first.plane.shape == second.plane.shape:
        return 0
    small, large = (first, second) if first.plane.size < second.plane.size else (second, first)
    enlarged = 1 if large is second else -1
    told = resized_from(*(Compressed(side.plane, side.steps, side.corner, side.clipped) for side in (first, second)))
    if is_enlarged(large.plane, (small.plane.shape[1], small.plane.shape[0])):
        return 0 if told == -enlarged else enlarged
    return told

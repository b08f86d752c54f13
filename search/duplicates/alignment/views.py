"""Align two pictures: yield the overlays of one on the other that are plausible, the most likely first."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from search.duplicates.alignment.affine import Affine, estimate_affine, frame_affine, is_plausible
from search.duplicates.alignment.overlay import Overlay, overlay, refine_by_pixels
from search.duplicates.picture import ScaledPicture
from search.images.fingerprints import VIEWS, View

TEMPLATE_AGREES = 0.45  # share of tiles that agree between memes of one template
SURE_MATCHES = 60  # matched keypoints that rule out any other alignment
TEXT_STRONG = 0.012  # share of pixels that differ strongly: more than an inexact alignment causes
LOST_STRONG = 0.08  # the same: above it, a better alignment cannot help
SEEN_BITS = 48  # of 256: a turned or squeezed copy's fingerprint is nearer, another picture's never by chance
SAME_ASPECT = 0.03  # relative difference of aspect ratios that still counts as equal
_SETTLED = 0.02  # share of tiles that differ: up to it, no better alignment is looked for
_SLIPPED = 4.0  # grey levels of the median tile: above it, the alignment is inexact

UPRIGHT, MIRRORED = View(), View(mirrored=True)


@dataclass(frozen=True)
class Alignment:
    """One picture, seen in a view, laid over another."""

    overlay: Overlay
    view: View
    squeezed: bool = False  # whether the whole frames were overlaid though their aspect ratios differ
    marked: bool = False  # whether a mark was taken out of the overlay


def alignments(one: ScaledPicture, other: ScaledPicture, *, bits: Sequence[int]) -> Iterator[Alignment]:
    """Yield the plausible alignments of two pictures, the most likely first.

    `bits` are the distances of the fingerprints of each of VIEWS of the first picture from the second's.
    """
    turned = sorted((distance, view) for distance, view in zip(bits, VIEWS, strict=True) if view.turns)
    if turned[0][0] < min(bits[0], bits[VIEWS.index(MIRRORED)]) and turned[0][0] <= SEEN_BITS:
        found = _by_frames(one, other, turned[0][1])
        if found is not None:
            yield Alignment(found, turned[0][1], not _is_framed(one.seen(turned[0][1]), other))
            if _fits(found):
                return
    framed = _is_framed(one, other)
    squeezed = not framed and bits[0] <= SEEN_BITS
    upright = _by_frames(one, other, UPRIGHT) if framed or squeezed else None
    if upright is not None:
        yield Alignment(upright, UPRIGHT, squeezed)
    content = None if upright is not None and _fits(upright) else _by_contents(one, other)
    if content is not None:
        yield Alignment(content, UPRIGHT)
        if content.differing <= _SETTLED:
            return
    methods: list[tuple[Callable[..., Overlay | None], View]]
    if upright is not None and _fits(upright):
        # Either the text differs or the alignment is inexact; only a symmetric picture may be its mirror image too.
        methods = [(_by_keypoints, UPRIGHT)] if upright.strong <= TEXT_STRONG else []
        methods += [(_by_frames, MIRRORED)] if framed and one.is_symmetric else []
    else:
        methods = [(_by_frames, MIRRORED)] if framed or bits[VIEWS.index(MIRRORED)] <= SEEN_BITS else []
        methods += [(_by_keypoints, UPRIGHT), (_by_keypoints, MIRRORED)]
    for method, view in methods:
        found = method(one, other, view)
        if found is not None:
            yield Alignment(found, view, method is _by_frames and not _is_framed(one.seen(view), other))
            if not one.is_symmetric and _is_certain(found):
                return


def _is_framed(one: ScaledPicture, other: ScaledPicture) -> bool:
    (width, height), (across, down) = one.size, other.size
    return abs(width * down / (height * across) - 1) <= SAME_ASPECT


def _fits(found: Overlay) -> bool:
    return float(np.nanmedian(found.heat)) <= _SLIPPED


def _is_certain(found: Overlay) -> bool:
    """Return whether no other alignment can be the right one."""
    if found.matches:
        return found.matches >= SURE_MATCHES
    return _fits(found) and found.strong > TEXT_STRONG


def _by_frames(one: ScaledPicture, other: ScaledPicture, view: View) -> Overlay | None:
    """Return the overlay of one whole picture on the other's whole frame; None if too little agrees."""
    seen = one.seen(view)
    found = overlay(seen, other, affine=frame_affine(seen.size, other.size))
    return None if found is None or found.differing > 1 - TEMPLATE_AGREES else found


def _by_contents(one: ScaledPicture, other: ScaledPicture) -> Overlay | None:
    """Return the overlay of what is inside either picture's plain surroundings; None if too little agrees.

    A small copy in a frame has few keypoints in common with its source, at about the right places.
    """
    (left, top, right, bottom), (x, y, beyond, below) = one.content, other.content
    if (right - left, bottom - top) == one.size and (beyond - x, below - y) == other.size:
        return None  # neither has surroundings
    scales = (beyond - x) / (right - left), (below - y) / (bottom - top)
    if abs(scales[0] / scales[1] - 1) > SAME_ASPECT:
        return None
    affine = np.array([[scales[0], 0, x - left * scales[0]], [0, scales[1], y - top * scales[1]]], np.float64)
    found = overlay(one, other, affine=affine) if is_plausible(affine) else None
    if found is None or found.differing > 1 - TEMPLATE_AGREES:
        return None
    # Where the surroundings end is known to a pixel or two.
    better = None if found.differing <= _SETTLED else refine_by_pixels(one, other, affine=affine)
    again = None if better is None else overlay(one, other, affine=better)
    return again if again is not None and again.differing < found.differing else found


def _by_keypoints(one: ScaledPicture, other: ScaledPicture, view: View) -> Overlay | None:
    """Return the overlay by matched keypoints; None if there are too few."""
    between = estimate_affine(one.seen(view).keypoints, other.keypoints)
    return None if between is None else _overlay_of(one.seen(view), other, *between)


def _overlay_of(one: ScaledPicture, other: ScaledPicture, affine: Affine, matches: int) -> Overlay | None:
    found = overlay(one, other, affine=affine, matches=matches)
    if found is None or _fits(found) or found.strong > LOST_STRONG:
        return found
    better = refine_by_pixels(one, other, affine=affine)
    again = None if better is None else overlay(one, other, affine=better, matches=matches)
    return again if again is not None and again.differing < found.differing else found

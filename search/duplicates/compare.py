"""Two pictures in, evidence out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from rapidfuzz import fuzz

from search.duplicates.alignment import Map, map_between, whole_map
from search.duplicates.keypoints import Corners
from search.duplicates.overlay import Overlay, colour_difference, overlay, refined_by_pixels
from search.duplicates.picture import View, view_of
from search.evidence import Edit, Evidence, Tier
from search.images.fingerprints import Bits, hamming, mirrored_bits, pdq, pdq_mirrored

# Limits, tuned on a drawn library (`benchmarks/duplicates.py`) and reported on another.
SAME_DIFFERING = 0.08  # share of tiles
SAME_STRONG = 0.0005  # share of pixels where something else is: half of a small word
HOT_TILE = 20.0  # grey levels, a tile's mean: blur, grain and JPEG stay below it, small faint letters do not
HOT_WHERE_SAID = 26.0  # the same between pictures that say the same: there are no other letters to be found
HOT_MIRRORED = 30.0  # the same between mirror images, which nobody gives another word
SHRUNK_STRONG = 0.004  # the same where one shows the other much smaller: letters blur into each other
MARK_STRONG = 0.008  # all of a watermark
MARK_HEIGHT = 0.05  # of the picture's longer side
MARK_EDGE = 0.06  # of its side: how far from a corner a watermark lies at most
PART = 0.75  # share of one picture that the other must show
LEAST_SHARED = 0.2  # share of the larger picture
PLAIN = 0.6  # share of what one picture has beyond the other that must be plain: a frame, not further panels
LEAST_CROPPED = 0.45  # share of a picture that a crop of it shows, where what is beyond is not plain
TEMPLATE_AGREES = 0.45  # share of tiles that agree between memes of one template
TEMPLATE_MATCHES = 20  # agreeing corners between memes of one template that do not fit as they are
SURE_MATCHES = 60  # agreeing corners that leave no doubt how one picture lies on the other
TEXT_STRONG = 0.012  # share of pixels where something else is: more than a map that is a little off makes
LOST_STRONG = 0.08  # the same, beyond which no finer map makes two pictures one
COLOURED = 6.0  # CIELAB units from which on colours were changed
RECOLOURED = 0.06  # share of the picture with colours that no one change of all colours explains
RECOLOURED_WHERE_SAID = 0.25  # the same between pictures that say the same: full colours are cut off where they end
SAYS_THE_SAME = 0.97  # agreement from which on two pictures do, give or take a misread letter
SAME_TEXT = 0.6  # agreement below which something else is said, give or take what OCR misreads
DOUBTFUL_DIFFERING = 0.005  # share of tiles from which on texts have a say
BLURRED = 6.0  # grey levels of mean difference from which on detail was lost or added
_SLIPPED = 4.0  # grey levels, the median tile's: the map is a little off
_ASPECT = 0.03
_LETTERS = 8  # a text shorter than this says too little to be compared


@dataclass(frozen=True)
class Seen:
    """A picture made ready to be compared."""

    view: View
    bits: Bits
    bits_mirrored: Bits


def seen(picture: Image.Image, *, bits: Bits | None = None, corners: Corners | None = None) -> Seen:
    """Return a picture made ready to be compared, once for many comparisons.

    Its corners and PDQ fingerprint can be given where they are known; that of its mirror image is then nearly right.
    """
    view = view_of(picture, corners=corners)
    if bits is not None:
        return Seen(view, bits, mirrored_bits(bits))
    return Seen(view, pdq(picture)[0], pdq_mirrored(picture))


def compare(
    one: Image.Image, other: Image.Image, *, text: str | None = None, other_text: str | None = None
) -> Evidence:
    """Return how much two pictures are alike; given what each says, texts count where pictures leave a doubt."""
    return compare_seen(seen(one), seen(other), text=text, other_text=other_text)


def compare_seen(one: Seen, other: Seen, *, text: str | None = None, other_text: str | None = None) -> Evidence:
    """Return how much two pictures that were made ready are alike."""
    agreement = text_agreement(text, other_text)
    letters = min(len(_letters(text or "")), len(_letters(other_text or "")))
    # In one order whoever is named first, so that both orders find the same.
    if _size_order(one) > _size_order(other):
        return _compared(other, one, agreement=agreement, letters=letters).turned()
    return _compared(one, other, agreement=agreement, letters=letters)


def _size_order(one: Seen) -> tuple[int, bytes]:
    return one.view.grey.size, one.view.colours.tobytes()


def _compared(one: Seen, other: Seen, *, agreement: float | None, letters: int) -> Evidence:
    alike = agreement is not None and agreement >= SAYS_THE_SAME and letters >= 2 * _LETTERS
    found = _by_pictures(one, other, agreement=agreement, says_the_same=alike)
    if found.covers_other > found.covers_one + 0.02:  # what surrounds the smaller is seen when it is laid on the larger
        found = _by_pictures(other, one, agreement=agreement, says_the_same=alike).turned()
    if found.tier is None and agreement is not None and agreement >= 0.9 and letters >= 2 * _LETTERS:
        return replace(found, tier=Tier.SAME_WORDS)
    return found


def _by_pictures(one: Seen, other: Seen, *, agreement: float | None, says_the_same: bool) -> Evidence:
    """Return what the ways to lay one picture over another say, the best of them."""
    bits = pdq_distance(one, other)
    best: Evidence | None = None
    for laid in _overlays(one.view, other.view):
        judged = _judged(one.view, other.view, laid, says_the_same=says_the_same)
        found = replace(judged, pdq=bits, text=agreement)
        if found.tier is not None and found.tier.is_duplicate:
            return _doubted(found)
        if best is None or found.score > best.score:
            best = found
    return best or Evidence(None, pdq=bits, text=agreement)


def pdq_distance(one: Seen, other: Seen) -> int:
    """Return how many of 256 bits differ, the nearer of upright and mirrored, whichever picture is mirrored."""
    pairs = ((one.bits, other.bits), (one.bits, other.bits_mirrored), (one.bits_mirrored, other.bits))
    return min(int(hamming(first, second)) for first, second in pairs)


def heat_map(one: Image.Image, other: Image.Image) -> NDArray[np.float32] | None:
    """Return how much tiles differ (grey levels, [rows, columns] float32) in the other's frame, NaN where only one is.

    None where the pictures could not be laid over each other.
    """
    # Captions alone may fit onto each other.
    ways = _overlays(view_of(one), view_of(other))
    laid = [way for way in ways if way.overlay.differing <= 1 - TEMPLATE_AGREES]
    return min(laid, key=lambda one: (one.overlay.strong, one.overlay.differing)).overlay.heat if laid else None


@dataclass(frozen=True)
class _Laid:
    overlay: Overlay
    mirrored: bool


def _overlays(one: View, other: View) -> Iterator[_Laid]:
    """Yield the ways to lay one picture over another that are worth a look, the likeliest first."""
    width, height = one.size
    framed = abs(width * other.size[1] / (height * other.size[0]) - 1) <= _ASPECT
    upright = _by_frames(one, other, mirrored=False) if framed else None
    if upright is not None:
        yield _Laid(upright, False)
    ways: list[tuple[Callable[..., Overlay | None], bool]]
    if upright is not None and _fits(upright):
        # Either something else is written, or the map is a little off; a mirror image is only what is its own.
        ways = [(_by_corners, False)] if upright.strong <= TEXT_STRONG else []
        ways += [(_by_frames, True)] if one.is_symmetric else []
    else:
        ways = [(_by_frames, True)] if framed else []
        ways += [(_by_corners, False), (_by_corners, True)]
    for way, mirrored in ways:
        found = way(one, other, mirrored=mirrored)
        if found is not None:
            yield _Laid(found, mirrored)
            if not one.is_symmetric and _leaves_no_doubt(found):
                return


def _fits(found: Overlay) -> bool:
    return float(np.nanmedian(found.heat)) <= _SLIPPED


def _leaves_no_doubt(found: Overlay) -> bool:
    """Return whether no other way to lay the pictures can be the right one."""
    if found.matches:
        return found.matches >= SURE_MATCHES
    return _fits(found) and found.strong > TEXT_STRONG


def _by_frames(one: View, other: View, *, mirrored: bool) -> Overlay | None:
    """Return what is seen when the whole of one picture is laid over the whole of another; None for another picture."""
    found = overlay(one.mirrored if mirrored else one, other, map=whole_map(one.size, other.size))
    return None if found is None or found.differing > 1 - TEMPLATE_AGREES else found


def _by_corners(one: View, other: View, *, mirrored: bool) -> Overlay | None:
    """Return what is seen when the corners of both pictures are laid on each other; None where few agree."""
    between = map_between(one.mirrored_corners if mirrored else one.corners, other.corners)
    return None if between is None else _overlay_of(one.mirrored if mirrored else one, other, *between)


def _overlay_of(one: View, other: View, map: Map, matches: int) -> Overlay | None:
    found = overlay(one, other, map=map, matches=matches)
    if found is None or _fits(found) or found.strong > LOST_STRONG:
        return found
    better = refined_by_pixels(one, other, map=map)
    again = None if better is None else overlay(one, other, map=better, matches=matches)
    return again if again is not None and again.differing < found.differing else found


def _judged(one: View, other: View, laid: _Laid, *, says_the_same: bool) -> Evidence:
    """Return what an overlay says, and in its doubts that both say the same."""
    found = laid.overlay
    first = one.mirrored if laid.mirrored else one
    whole = max(found.covers_one, found.covers_other) >= PART
    marked = _is_watermark(found, first, other)
    scale = float(np.sqrt(abs(np.linalg.det(found.map[:, :2]))))
    shrunk = not 0.7 < scale < 1 / 0.7
    limit = SHRUNK_STRONG if shrunk else SAME_STRONG
    tile = HOT_MIRRORED if laid.mirrored else HOT_WHERE_SAID if says_the_same else HOT_TILE
    # More contrast makes more of what compression left.
    hot = not shrunk and float(np.nanmax(found.heat)) >= tile * max(found.gain, 1 / max(found.gain, 0.1))
    same = (
        whole
        and min(found.covers_one, found.covers_other) >= LEAST_SHARED
        and found.differing <= SAME_DIFFERING
        and ((found.strong <= limit and not hot) or marked)
        and (found.surroundings >= PLAIN or found.covers_other >= LEAST_CROPPED)
    )
    colour, recoloured = colour_difference(first, other, map=found.map) if same else (0.0, 0.0)
    evidence = Evidence(
        tier=None,
        matches=found.matches,
        covers_one=round(found.covers_one, 3),
        covers_other=round(found.covers_other, 3),
        differing=round(found.differing, 4),
        strong=round(found.strong, 6),
        colour=round(colour, 1),
    )
    if not same or recoloured > (RECOLOURED_WHERE_SAID if says_the_same else RECOLOURED):
        fits = found.matches >= TEMPLATE_MATCHES or (
            found.matches == 0 and min(found.covers_one, found.covers_other) > 0.9
        )
        agrees = found.differing <= 1 - TEMPLATE_AGREES and fits and whole
        return replace(evidence, tier=Tier.VARIANT if agrees else None)
    edits = tuple(_edits(found, laid.mirrored, marked=marked, colour=colour))
    return replace(evidence, tier=Tier.EDITED if edits else Tier.SAME, edits=edits)


def _is_watermark(found: Overlay, one: View, other: View) -> bool:
    """Return whether all that differs strongly is small writing in a corner of either picture."""
    if not found.spots or found.strong > MARK_STRONG:
        return False
    width, height = other.size
    longer = max(width, height)
    for x, y, across, down in found.spots:
        at_side = x <= MARK_EDGE or x + across >= 1 - MARK_EDGE
        at_end = y <= MARK_EDGE or y + down >= 1 - MARK_EDGE
        near = 0.5 if at_end else 0
        reaches_in = x > near and x + across < 1 - near
        if down * height > MARK_HEIGHT * longer or not at_end or (not at_side and reaches_in):
            return False
    return True


def _edits(found: Overlay, mirrored: bool, *, marked: bool, colour: float) -> Iterator[Edit]:
    """Yield what was done to one picture to make the other."""
    shared = min(found.covers_one, found.covers_other)
    if shared < 0.97:
        larger_is_plain = found.covers_one > 0.97 and found.surroundings >= 0.9
        if larger_is_plain:
            yield Edit.SCREENSHOT if shared < 0.6 else Edit.FRAME
        else:
            yield Edit.CROP
    if mirrored:
        yield Edit.MIRROR
    if marked and found.strong > SAME_STRONG / 4:
        yield Edit.WATERMARK
    if abs(found.gain - 1) > 0.08 or abs(found.bias) > 10:
        yield Edit.LIGHT
    if colour >= COLOURED:
        yield Edit.COLOUR
    if float(np.nanmean(found.heat)) > BLURRED:
        yield Edit.DETAIL


def _doubted(found: Evidence) -> Evidence:
    """Return evidence that texts may take down: pictures that nearly agree and say something else are variants.

    A mirror image's text cannot be read, and a crop may have lost some.
    """
    unreadable = Edit.MIRROR in found.edits or Edit.CROP in found.edits
    differs = found.strong > SAME_STRONG / 4 or (found.differing or 0) > DOUBTFUL_DIFFERING
    if found.text is not None and found.text < SAME_TEXT and differs and not unreadable:
        return replace(found, tier=Tier.VARIANT)
    return found


def text_agreement(text: str | None, other: str | None) -> float | None:
    """Return how much two texts agree, 0 to 1, give or take misread letters; None where either says too little."""
    if text is None or other is None:
        return None
    letters, others = _letters(text), _letters(other)
    if min(len(letters), len(others)) < _LETTERS:
        return None
    return round(fuzz.ratio(letters, others) / 100, 3)


def _letters(text: str) -> str:
    return "".join(filter(str.isalnum, text.lower()))

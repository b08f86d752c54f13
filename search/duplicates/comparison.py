"""Compare two pictures: align them, measure where they differ, and classify the result by tier and edits."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from rapidfuzz import fuzz

from search.duplicates.alignment.overlay import SPOTTED, TINY, usual_difference
from search.duplicates.alignment.views import TEMPLATE_AGREES, Alignment, alignments
from search.duplicates.colors import ColorDifference, color_difference
from search.duplicates.keypoints.orb import Keypoints
from search.duplicates.marks.places import count_places, is_line, without_marks, without_site_marks
from search.duplicates.picture import ScaledPicture, scale_picture
from search.duplicates.wording import ReadLine, Word, lay_words, words_differ
from search.evidence import Edit, Evidence, Tier
from search.images.fingerprints import Bits, hamming, pdq, view_bits

# Limits, tuned on a drawn library (`benchmarks/duplicates.py`) and reported on another.
SAME_DIFFERING = 0.08  # share of tiles that may differ in the same picture
SAME_STRONG = 0.0005  # share of pixels that may differ strongly in the same picture: half of a small word
HOT_TILE = 20.0  # grey levels, mean of a tile: blur, grain and JPEG are below it, small faint letters above
HOT_SAME_TEXT = 26.0  # the same between pictures with the same text, where no other letters are expected
HOT_MIRRORED = 30.0  # the same between mirror images, whose text is never edited
SHRUNK_STRONG = 0.004  # SAME_STRONG if one picture is much smaller: its letters are blurred
PART = 0.75  # share of one picture that the other must show
LEAST_SHARED = 0.2  # share of the larger picture that the smaller must show
PLAIN = 0.6  # share of the area outside the smaller picture that must be plain: a frame, not further panels
LEAST_CROPPED = 0.45  # share of a picture that a crop must show if the rest is not plain
TEMPLATE_MATCHES = 20  # matched keypoints between memes of one template whose frames differ
COLORED = 6.0  # CIELAB units: from this distance on, colours were edited
RECOLORED = 0.06  # share of the picture whose colours one affine change of all colours does not explain
RECOLORED_SAME_TEXT = 0.25  # the same between pictures with the same text: saturated colours are clipped
EQUAL_TEXT = 0.97  # agreement from which on two texts are equal except for a misread letter
OTHER_TEXT = 0.6  # agreement below which texts differ by more than OCR misreads
DOUBTFUL_DIFFERING = 0.005  # share of differing tiles above which the texts are considered
BLURRED = 6.0  # grey levels of mean difference above which detail was lost or added
SAME_COLOR = 6.0  # levels of sRGB: plain pictures whose colours are farther apart are different ones
# Grey levels of a window's difference: copies that differ by 2 or less in nearly every place (saved again, turned,
# cropped) differ nowhere by more than 9, nor by 2.5 times what a hundredth of the places exceeds; another digit of 18
# pixels or more differs by 8 or more.
PLACE, EQUAL_ELSEWHERE, OUTSTANDS, OUTSTANDS_RARE = 8.0, 2.0, 4.0, 3.0
ONE_PLACE, FEW_PLACES = 14.0, 2  # the same of a thing so large that it is more than a hundredth of the places itself
# CIELAB units, a and b only: copies that differ by 3 or less nearly everywhere differ nowhere by more than 17; a
# thing in another color differs by 59 or more.
SAME_CHROMA, ANOTHER_CHROMA = 3.0, 45.0
WIDE = 2.5  # times its height: a site's mark
FAINT = 5  # a mark's difference on a light ground
STRUCTURE = 8  # keypoints: with fewer, a picture is little but its colours
_LETTERS = 8  # a text with fewer letters and digits is not compared


@dataclass(frozen=True)
class PreparedPicture:
    """A scaled picture with the PDQ fingerprints of its VIEWS ([8, 32]) and the lines read on it, ready to compare."""

    picture: ScaledPicture
    bits: NDArray[np.uint8]
    lines: tuple[ReadLine, ...] = ()


def prepare(
    picture: Image.Image,
    *,
    bits: Bits | None = None,
    keypoints: Keypoints | None = None,
    lines: tuple[ReadLine, ...] = (),
) -> PreparedPicture:
    """Return a picture prepared for comparison; pass its keypoints and PDQ fingerprint if they are stored.

    An RGBA picture has the colours that are shown, over a plain ground, and the transparency that was there. `lines`
    are what OCR read on it.
    """
    scaled = scale_picture(picture, keypoints=keypoints)
    return PreparedPicture(scaled, view_bits(pdq(picture)[0] if bits is None else bits), lines)


def compare(a: Image.Image, b: Image.Image, *, text_a: str | None = None, text_b: str | None = None) -> Evidence:
    """Return the evidence on two pictures: how alike they are, and by which edits they differ.

    With both texts, they decide in cases of doubt. `compare(b, a)` equals `compare(a, b).swapped()`.

    >>> picture = Image.radial_gradient("L")
    >>> compare(picture, picture.resize((200, 200))).tier
    <Tier.SAME: 'same'>
    """
    return compare_prepared(prepare(a), prepare(b), text_a=text_a, text_b=text_b)


def compare_prepared(
    a: PreparedPicture, b: PreparedPicture, *, text_a: str | None = None, text_b: str | None = None
) -> Evidence:
    """Return the evidence on two prepared pictures, as `compare` does."""
    agreement = text_agreement(text_a, text_b)
    letters = min(len(_letters(text_a or "")), len(_letters(text_b or "")))
    found = _compare_either_way(a, b, agreement=agreement, letters=letters)
    if found.is_duplicate or (a.picture.alpha is None) == (b.picture.alpha is None):
        return found
    # One of them is transparent: see it over the other's ground.
    grounded = (_over_ground(a, b), b) if b.picture.alpha is None else (a, _over_ground(b, a))
    if grounded[0] is None or grounded[1] is None:
        return found
    again = _compare_either_way(grounded[0], grounded[1], agreement=agreement, letters=letters)
    return replace(again, tier=Tier.EDITED, edits=(*again.edits, Edit.GROUND)) if again.is_duplicate else found


def _over_ground(one: PreparedPicture, other: PreparedPicture) -> PreparedPicture | None:
    """Return a transparent picture over the ground of the other; None where it has none, or it is shown over such."""
    ground = other.picture.ground
    if ground is None or np.abs(ground - one.picture.shown_ground).max() <= SAME_COLOR:
        return None
    shown = one.picture.over(ground)
    return PreparedPicture(shown, view_bits(pdq(Image.fromarray(shown.colors))[0]), one.lines)


def _compare_either_way(a: PreparedPicture, b: PreparedPicture, *, agreement: float | None, letters: int) -> Evidence:
    # Always in the same order, so that compare(a, b) and compare(b, a) agree.
    if _size_order(a) > _size_order(b):
        return _compare_ordered(b, a, agreement=agreement, letters=letters).swapped()
    return _compare_ordered(a, b, agreement=agreement, letters=letters)


def _size_order(one: PreparedPicture) -> tuple[int, bytes]:
    return one.picture.gray.size, one.picture.colors.tobytes()


def _compare_ordered(
    one: PreparedPicture, other: PreparedPicture, *, agreement: float | None, letters: int
) -> Evidence:
    plain, other_plain = one.picture.plain_color, other.picture.plain_color
    if plain is not None and other_plain is not None:
        # They have nothing but their colour.
        if np.abs(plain - other_plain).max() > SAME_COLOR:
            return Evidence(None, text=agreement)
        return Evidence(Tier.SAME, covers_one=1.0, covers_other=1.0, differing=0.0, text=agreement)
    same_text = agreement is not None and agreement >= EQUAL_TEXT and letters >= 2 * _LETTERS
    found = _best_alignment(one, other, agreement=agreement, same_text=same_text)
    if found.covers_other > found.covers_one + 0.02:
        # Overlay the smaller picture on the larger, so that the area around it is measured.
        found = _best_alignment(other, one, agreement=agreement, same_text=same_text).swapped()
    if found.tier is None and agreement is not None and agreement >= 0.9 and letters >= 2 * _LETTERS:
        return replace(found, tier=Tier.SAME_WORDS)
    return found


def _best_alignment(
    one: PreparedPicture, other: PreparedPicture, *, agreement: float | None, same_text: bool
) -> Evidence:
    """Return the best evidence over all plausible alignments of two pictures."""
    distances = view_distances(one, other)
    bits = min(distances)
    best: Evidence | None = None
    for found_alignment in alignments(one.picture, other.picture, bits=distances):
        alignment = _without_site_marks(one, other, found_alignment)
        classified = _classify(one.picture, other.picture, alignment, same_text=same_text)
        found = replace(classified, pdq=bits, text=agreement)
        if found.is_duplicate:
            if _differs_in_places(found, one, other, alignment) or _says_other_words(one, other, alignment):
                return replace(found, tier=Tier.VARIANT)
            return _apply_text_doubt(found)
        if best is None or found.score > best.score:
            best = found
    return best or Evidence(None, pdq=bits, text=agreement)


def _without_site_marks(one: PreparedPicture, other: PreparedPicture, alignment: Alignment) -> Alignment:
    """Return the alignment without the difference that the marks of sites make."""
    laid = alignment.overlay
    if laid.strong > SPOTTED or laid.differing > SAME_DIFFERING:
        return alignment

    def words() -> tuple[list[Word], list[Word]]:
        return lay_words(one.lines, other.lines, alignment, sizes=(one.picture.size, other.picture.size))

    unmarked = without_site_marks(laid, one.picture.seen(alignment.view), other.picture, words=words)
    return alignment if unmarked is None else replace(alignment, overlay=unmarked, marked=True)


def _differs_in_places(found: Evidence, one: PreparedPicture, other: PreparedPicture, alignment: Alignment) -> bool:
    """Return whether two pictures are equal but for small places, such as a digit, that are no line of a mark."""
    laid = alignment.overlay
    if Edit.LIGHT in found.edits or laid.difference.max() < PLACE:
        return False
    usual = usual_difference(laid, 95)
    if usual > EQUAL_ELSEWHERE:
        return False
    rows, columns = np.nonzero(laid.difference >= PLACE)
    wide = bool(np.ptp(columns) >= WIDE * np.ptp(rows))
    rare = usual_difference(laid, 99)
    if wide and rare > EQUAL_ELSEWHERE and is_line(laid, one.picture.seen(alignment.view), other.picture):
        return False  # faint: its words tell
    unmarked = without_marks(laid, one.picture.seen(alignment.view), other.picture, changed=FAINT).difference
    known = unmarked if laid.within is None else unmarked[laid.within > 0]
    highest, least = float(known.max()), max(PLACE, OUTSTANDS * usual)
    if highest >= max(least, OUTSTANDS_RARE * rare):
        return True
    return highest >= max(least, ONE_PLACE) and count_places(unmarked, least) <= FEW_PLACES


def _says_other_words(one: PreparedPicture, other: PreparedPicture, alignment: Alignment) -> bool:
    """Return whether one of two aligned pictures says something that the other does not say."""
    if not one.lines and not other.lines:
        return False
    # A mark that covers a word makes OCR misread it, or read both as one line.
    seen = one.picture.seen(alignment.view)
    unmarked = replace(alignment, overlay=without_marks(alignment.overlay, seen, other.picture))
    return words_differ(one.lines, other.lines, unmarked, sizes=(one.picture.size, other.picture.size))


def view_distances(one: PreparedPicture, other: PreparedPicture) -> list[int]:
    """Return in how many of 256 bits each of VIEWS of the first picture differs from the second."""
    distances: list[int] = hamming(one.bits, other.bits[0]).tolist()
    return distances


def tile_differences(a: Image.Image, b: Image.Image) -> NDArray[np.float32] | None:
    """Return the mean difference of tiles (grey levels, [rows, columns] float32) in b's frame, NaN where a is missing.

    None if the pictures cannot be aligned.

    >>> picture = Image.radial_gradient("L")
    >>> float(tile_differences(picture, picture).max())
    0.0
    """
    # Two pictures may align by their captions alone: require as much agreement as within a template.
    one, other = prepare(a), prepare(b)
    found = alignments(one.picture, other.picture, bits=view_distances(one, other))
    overlays = [each.overlay for each in found if each.overlay.differing <= 1 - TEMPLATE_AGREES]
    return min(overlays, key=lambda found: (found.strong, found.differing)).heat if overlays else None


def _classify(one: ScaledPicture, other: ScaledPicture, alignment: Alignment, *, same_text: bool) -> Evidence:
    """Return the evidence of one alignment; with `same_text` (equal texts), the pictures may differ more."""
    found = alignment.overlay
    first = one.seen(alignment.view)
    whole = max(found.covers_one, found.covers_other) >= PART
    scale = float(np.sqrt(abs(np.linalg.det(found.affine[:, :2]))))
    shrunk = not 0.7 < scale < 1 / 0.7
    limit = SHRUNK_STRONG if shrunk else SAME_STRONG
    tile = HOT_MIRRORED if alignment.view.mirrored else HOT_SAME_TEXT if same_text else HOT_TILE
    # More contrast amplifies compression artefacts.
    tiny = min(max(one.size), max(other.size)) < TINY
    hot = (tiny or not shrunk) and float(np.nanmax(found.heat)) >= tile * max(found.gain, 1 / max(found.gain, 0.1))
    same = (
        whole
        and min(found.covers_one, found.covers_other) >= LEAST_SHARED
        and found.differing <= SAME_DIFFERING
        and found.strong <= limit
        and not hot
        and (found.surroundings >= PLAIN or found.covers_other >= LEAST_CROPPED)
    )
    color = color_difference(first, other, affine=found.affine) if same else ColorDifference()
    evidence = Evidence(
        tier=None,
        matches=found.matches,
        covers_one=round(found.covers_one, 3),
        covers_other=round(found.covers_other, 3),
        differing=round(found.differing, 4),
        strong=round(found.strong, 6),
        color=round(color.median, 1),
    )
    if not same or color.recolored > (RECOLORED_SAME_TEXT if same_text else RECOLORED):
        fits = found.matches >= TEMPLATE_MATCHES or (
            found.matches == 0 and min(found.covers_one, found.covers_other) > 0.9
        )
        agrees = found.differing <= 1 - TEMPLATE_AGREES and fits and whole
        return replace(evidence, tier=Tier.VARIANT if agrees else None)
    edits = tuple(_edits(alignment, color=color.median))
    if (Edit.LIGHT in edits or Edit.COLOR in edits) and min(len(one.keypoints), len(other.keypoints)) < STRUCTURE:
        return evidence  # little but its colours tells what such a picture is
    relit = any(edit in edits for edit in (Edit.LIGHT, Edit.COLOR, Edit.WATERMARK))
    if not relit and color.usual <= SAME_CHROMA and color.outstanding >= ANOTHER_CHROMA:
        return replace(evidence, tier=Tier.VARIANT)  # one thing has another color
    return replace(evidence, tier=Tier.EDITED if edits else Tier.SAME, edits=edits)


def _edits(alignment: Alignment, *, color: float) -> Iterator[Edit]:
    """Yield the edits that make one picture the other."""
    found = alignment.overlay
    shared = min(found.covers_one, found.covers_other)
    if shared < 0.97:
        larger_is_plain = found.covers_one > 0.97 and found.surroundings >= 0.9
        if larger_is_plain:
            yield Edit.SCREENSHOT if shared < 0.6 else Edit.FRAME
        else:
            yield Edit.CROP
    if alignment.view.mirrored:
        yield Edit.MIRROR
    if alignment.view.turns:
        yield Edit.TURN
    if alignment.squeezed:
        yield Edit.SQUEEZE
    if alignment.marked:
        yield Edit.WATERMARK
    if abs(found.gain - 1) > 0.08 or abs(found.bias) > 10:
        yield Edit.LIGHT
    if color >= COLORED:
        yield Edit.COLOR
    if float(np.nanmean(found.heat)) > BLURRED:
        yield Edit.DETAIL


def _apply_text_doubt(found: Evidence) -> Evidence:
    """Return the evidence, lowered to a variant if the pictures nearly agree but their texts differ.

    Evidence on mirror images and crops is unchanged: mirrored text is not recognized, and a crop may have lost text.
    """
    unreadable = any(edit in found.edits for edit in (Edit.MIRROR, Edit.TURN, Edit.CROP))
    differs = found.strong > SAME_STRONG / 4 or (found.differing or 0) > DOUBTFUL_DIFFERING
    differs = differs or Edit.WATERMARK in found.edits
    if found.text is not None and found.text < OTHER_TEXT and differs and not unreadable:
        return replace(found, tier=Tier.VARIANT)
    return found


def text_agreement(text: str | None, other: str | None) -> float | None:
    """Return how much two texts agree, 0 to 1; None if either is missing or too short.

    The agreement is the normalized indel similarity of their letters and digits in lower case.

    >>> text_agreement("One does not simply", "ONE DOES NOT SIMPLY!"), text_agreement("One does not simply", None)
    (1.0, None)
    """
    if text is None or other is None:
        return None
    letters, others = _letters(text), _letters(other)
    if min(len(letters), len(others)) < _LETTERS:
        return None
    return round(fuzz.ratio(letters, others) / 100, 3)


def _letters(text: str) -> str:
    return "".join(filter(str.isalnum, text.lower()))

"""What a copy shows of how it was made: grain, blur, a mark, lost levels, words that cannot be read.

Each function takes two pictures, and returns 1 if the second shows the trace, −1 if the first does, and 0 if neither or
both do. Pictures are in the frame that they share.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from search.duplicates.origin.recompression import Compressed, coefficients_of
from search.duplicates.wording import WELL_READ, ReadLine
from search.system.lazy_module import LazyModule

cv2: Any = LazyModule("cv2")

_FREQUENCIES = np.add.outer(np.arange(8), np.arange(8))  # of a block: those across and down, added
_FINE = _FREQUENCIES >= 5  # the frequencies of a block that blur and grain change
_LEAST_BLOCKS = 20
_GRAIN = 1.25  # times the other's deviation in the calmest tenth of the blocks
_GRAIN_LEVELS = 0.5  # levels of deviation above that
# Gains of one picture's frequencies in another, measured on 77 pairs of drawn memes saved again as JPEG. What was
# blurred before it got grain lost at least .2 of the middle ones; what was denoised (median, bilateral, non-local
# means) has none that its noisy source lacks (.98 or more), and grain alone leaves 1: those two look alike. Of a
# JPEG that was a WebP in between .83 are left.
# Of the high ones, sharpening leaves .37 or more of the sharpened picture's in its source, and a blur that can be told
# less than .25.
_MIDDLE, _HIGH = (4, 5), (6, 7)  # sums of the two frequencies' numbers
_SOFTENED = 0.78
_LARGE, _LEAST_LARGE = 1.5, 60  # of the steps; coefficients
_SHARPER, _SOFTER = 1.15, 0.25
# Levels that ringing spans in 3 × 3 pixels. Of those pixels, at least .7 are quite flat in a drawing from which a JPEG
# was made, and at most .26 in a JPEG that was blurred, sharpened, denoised or reduced to 64 colours and saved as PNG.
_RINGING, _FLAT = (1.5, 24.0), 0.5
_LEAST_RINGING, _FLAT_THERE = 0.003, 0.5
_LACKS = 0.5  # of 80 JPEGs compressed again, with grain and without, all sources have at least .52 of the copy's detail
_MARK_LEVELS = 12.0  # mean difference of a block with a part of a mark
_MARK_BLOCKS, _MARK_PART = 3, 0.2  # of a mark: its least blocks, and the largest part of the picture around them
_MARK_DETAIL = 2.5  # times the other's detail in these blocks
_ENDS = (5.0, 250.0)  # levels: white letters with a black outline reach beyond both
_PLATEAU = 0.02  # least share of the pixels that are at their end
_END, _MERGED = 2.0, 12.0  # levels: what is black or white, and the least number of levels that became so
_NEAR_END, _FAR_FROM_END, _LEAST_NEAR = (_END, 6.0), (10.0, 18.0), 40  # levels from an end; pixels there
_STEEP = 1.5  # levels for one: contrast that is taken back to 1 from 1.3 has .8, a gamma of .6 about 2.5
_LIT = 5.0  # levels that most blocks' means change by; blur and grain keep the means
_LESS_CONTRAST = 0.97  # times the other's deviation
_FEW_LEVELS, _MOST_OF_IT = 12, 0.6
_LEAST_LETTERS, _MORE_LETTERS = 8, 1.5


def _one_sided(shows: Callable[[Compressed, Compressed], bool], one: Compressed, other: Compressed) -> int:
    return int(shows(one, other)) - int(shows(other, one))


def ringed(one: Compressed, other: Compressed) -> int:
    """Return which of two pictures has the ringing of lossy compression where the other is quite flat."""
    return _one_sided(_got_ringing, one, other)


def _got_ringing(source: Compressed, copy: Compressed) -> bool:
    if copy.is_lossless:
        return False
    flat, ringing = (_ranges(side.plane) for side in (source, copy))
    noisy = (ringing >= _RINGING[0]) & (ringing <= _RINGING[1])
    return bool(noisy.mean() >= _LEAST_RINGING and (flat[noisy] < _FLAT).mean() >= _FLAT_THERE)


def _ranges(plane: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the range of levels in the 3 × 3 pixels around each pixel."""
    square = np.ones((3, 3), np.uint8)
    ranges: NDArray[np.float32] = cv2.dilate(plane, square) - cv2.erode(plane, square)
    return ranges


def grained(one: Compressed, other: Compressed) -> int:
    """Return which of two pictures was blurred and got grain.

    Grain alone tells nothing: the other picture may be the one, denoised.
    """
    return _one_sided(_got_grain, one, other)


def _got_grain(source: Compressed, copy: Compressed) -> bool:
    found = coefficients_of(source, copy)
    if found is None:
        return False
    calm, grainy = (float(np.percentile(_deviation(each), 10)) for each in found)
    if grainy < _GRAIN * calm + _GRAIN_LEVELS:
        return False
    # Coarse steps round small coefficients up, so that the other picture seems to have less.
    large = np.ones(found[0].shape, np.bool_) if source.steps is None else np.abs(found[0]) >= _LARGE * source.steps
    chosen = large & np.isin(_FREQUENCIES, _MIDDLE)
    return int(chosen.sum()) >= _LEAST_LARGE and _share(found[0][chosen], found[1][chosen]) <= _SOFTENED


def lacks_detail(source: Compressed, copy: Compressed) -> bool:
    """Return whether the second lacks most of the first's fine detail, whatever it has beside it.

    What was made by compressing again has no such detail.
    """
    found = coefficients_of(source, copy)
    return found is not None and _kept(*found) <= _LACKS


def blurred(one: Compressed, other: Compressed) -> int:
    """Return which of two pictures lost fine detail that the other has, too much for the other to be it, sharpened."""
    return _one_sided(_lost_detail, one, other)


def _lost_detail(source: Compressed, copy: Compressed) -> bool:
    found = coefficients_of(source, copy)
    return found is not None and _gain(*found, _HIGH) <= _SOFTER and _kept(found[1], found[0]) >= _SHARPER


def _deviation(coefficients: NDArray[np.float64]) -> NDArray[np.float64]:
    deviation: NDArray[np.float64] = np.sqrt((coefficients**2).sum((1, 2))) / 8
    return deviation


def _kept(source: NDArray[np.float64], copy: NDArray[np.float64]) -> float:
    """Return the share of the fine detail of the first that the second has; what only the second has does not count."""
    return _share(source[:, _FINE], copy[:, _FINE])


def _gain(source: NDArray[np.float64], copy: NDArray[np.float64], frequencies: tuple[int, int]) -> float:
    """Return by which factor the second has what the first has in some frequencies."""
    chosen = np.isin(_FREQUENCIES, frequencies)
    return _share(source[:, chosen], copy[:, chosen])


def _share(fine: NDArray[np.float64], kept: NDArray[np.float64]) -> float:
    total = float((fine**2).sum())
    return float((fine * kept).sum()) / total if total else 1.0


def marked(one: Compressed, other: Compressed) -> int:
    """Return which of two pictures of the same contrast has something drawn on a small part of it."""
    height, width = (side // 8 * 8 for side in one.plane.shape)
    first, second = (
        side.plane[:height, :width].reshape(height // 8, 8, width // 8, 8).transpose(0, 2, 1, 3).reshape(-1, 8, 8)
        for side in (one, other)
    )
    if not len(first):
        return 0
    changed = np.abs(second - first).mean((1, 2)) > _MARK_LEVELS
    rows, columns = np.nonzero(changed.reshape(height // 8, width // 8))
    if len(rows) < _MARK_BLOCKS or np.ptp(rows) * np.ptp(columns) > _MARK_PART * len(changed):
        return 0
    detail, other_detail = (float(side[changed].var((1, 2)).sum()) for side in (first, second))
    return int(other_detail >= _MARK_DETAIL * detail) - int(detail >= _MARK_DETAIL * other_detail)


def levels_lost(one: Compressed, other: Compressed) -> int:
    """Return which of two pictures was made paler, or lighter or darker until levels were lost.

    White letters with a black outline are neither grey nor dark in the source.
    """
    if not is_lit(one, other):
        return 0
    pale = [_is_pale(side.plane) for side in (one, other)]
    if pale[0] != pale[1]:
        # A drawing's ground may be pale, and a source darker than the copy; what was made paler has less contrast.
        paler, other_plane = (other.plane, one.plane) if pale[1] else (one.plane, other.plane)
        if (
            any(_has_few_levels(side.plane) for side in (one, other))
            or paler.std() > _LESS_CONTRAST * other_plane.std()
        ):
            return 0
        return 1 if pale[1] else -1
    return 0 if pale[0] else _one_sided(_got_clipped, one, other)


def _got_clipped(source: Compressed, copy: Compressed) -> bool:
    """Return whether several levels of the first are black or white in the second, and not so the reverse."""
    for low, high in ((0.0, _END), (255 - _END, 255.0)):
        widths = [_width(source.plane, copy.plane, low, high), _width(copy.plane, source.plane, low, high)]
        if widths[0] >= _MERGED and widths[0] >= 2 * widths[1] and not _is_stretched(source.plane, copy.plane, low):
            return True
    return False


def _is_stretched(plane: NDArray[np.float32], end: NDArray[np.float32], low: float) -> bool:
    """Return whether levels of the second near its end lie far apart in the first, as those of a gamma curve do."""
    depth, levels = (end, plane) if low == 0 else (255 - end, 255 - plane)
    near, far = ((depth > least) & (depth <= most) for least, most in (_NEAR_END, _FAR_FROM_END))
    if min(near.sum(), far.sum()) < _LEAST_NEAR:
        return False
    risen, run = (float(np.median(each[far]) - np.median(each[near])) for each in (levels, depth))
    return risen > _STEEP * run


def _width(plane: NDArray[np.float32], end: NDArray[np.float32], low: float, high: float) -> float:
    """Return how many levels the first has where most of the second is at an end, 0 where little is there."""
    at_end = (end >= low) & (end <= high)
    if at_end.mean() < _PLATEAU:
        return 0.0
    return float(np.ptp(np.percentile(plane[at_end], (10, 90))))


def is_lit(one: Compressed, other: Compressed) -> bool:
    """Return whether brightness or contrast of two pictures differ."""
    height, width = (side // 8 * 8 for side in one.plane.shape)
    means = (side.plane[:height, :width].reshape(height // 8, 8, width // 8, 8).mean((1, 3)) for side in (one, other))
    first, second = means
    return float(np.percentile(np.abs(first - second), 75)) >= _LIT


def _is_pale(plane: NDArray[np.float32]) -> bool:
    """Return whether many pixels are at the lightest or darkest level, and that is neither white nor black."""
    low, high = (float(level) for level in np.percentile(plane, (0.5, 99.5)))
    return (high < _ENDS[1] and float((plane >= high - 8).mean()) >= _PLATEAU) or (
        low > _ENDS[0] and float((plane <= low + 8).mean()) >= _PLATEAU
    )


def _has_few_levels(plane: NDArray[np.float32]) -> bool:
    """Return whether a few levels make up most of a picture, as in a drawing."""
    counts = np.bincount(plane.astype(np.uint8).ravel(), minlength=256)
    return bool(np.sort(counts)[-_FEW_LEVELS:].sum() >= _MOST_OF_IT * plane.size)


def backwards(lines: Sequence[ReadLine], others: Sequence[ReadLine]) -> int:
    """Return which of two pictures, one of them mirrored or turned, has words that OCR reads less well."""
    read, other_read = (
        sum(line.confidence * sum(map(str.isalnum, line.text)) for line in each if line.confidence >= WELL_READ)
        for each in (lines, others)
    )
    if max(read, other_read) < _LEAST_LETTERS:
        return 0
    return int(read >= _MORE_LETTERS * other_read) - int(other_read >= _MORE_LETTERS * read)

"""Tell which of two aligned pictures was made from the other, by what lossy compression left in their pixels.

A JPEG keeps each 8 × 8 block as multiples of steps. A copy that is saved again carries the steps of its source below
its own, so: compressing the source's pixels as the copy was compressed gives the copy, and not the other way round.
This is the idea of Lukáš and Fridrich, "Estimation of primary quantization matrix in double compressed JPEG images"
(2003), easier here because both pictures are at hand.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Mask = NDArray[np.bool_]
Plane = NDArray[np.float32]  # luminance, [height, width], 0 to 255
Steps = NDArray[np.float64]  # of a JPEG's luminance, [8, 8], rows by vertical frequency

_METHODS = tuple(Image.Resampling[name] for name in ("LANCZOS", "BICUBIC", "BILINEAR", "HAMMING", "BOX"))
_N = 8  # pixels of a block's side
_TEXTURE = 4.0  # levels: the sum of both deviations; flat blocks are the same under any steps
_LEAST_BLOCKS = 20
_MOST_BLOCKS = 16_384  # of 1,024 × 1,024 pixels
_TOLERANCE = 0.8  # by which decoded, rounded pixels move a coefficient
_STRAY = 1  # coefficients of a block that may lie outside
_NO_GAIN = 0.01  # a smaller change of contrast is none

EXPLAINED = 0.5  # least share of the blocks: noise, blur and local edits leave less
_ODDS = 3.0  # between the shares of blocks that the two directions do not explain
_STRAYS = 0.003  # of the blocks, in which decoding and rounding moved more
CLEARER = 0.15  # by which one direction must explain more blocks than the other
FINER = 1.12  # ratio of the mean steps from which on one is finer
COARSE = 3.0  # least mean step that a lossless copy can be seen to carry
_NO_DETAIL = 0.94  # of the larger picture's blocks, which the smaller one gives
_REDUCED = 0.85  # of the blocks of a smaller copy, which the larger picture gives
_REDUCED_CARRIES = 0.08, 0.2  # as CARRIES and SURELY_CARRIES, of the larger one: .04 or less in sources of smaller ones
# Mean cosine of the phases of values at another picture's steps, 0 by chance: copies that were edited and saved again
# have .15 to .9, sources at most .11. From the first on they are no source, from the second on they are copies.
CARRIES, SURELY_CARRIES = 0.15, 0.25
_DOUBTFUL = 0.04  # CARRIES where some blocks are not explained
_OWN_STEPS = 0.6  # of the other's steps, on the same grid: from there on, a JPEG's own ones align with them
_LEAST_VALUES, _LEAST_DISTINCT = 500, 100  # of blocks
_SAME_GAIN = 0.03
_ALL = 0.97  # of the blocks: a picture that was edited before it was saved again gives fewer
_MOST, _FEW = 0.9, 0.3  # of the blocks that are explained
_GAPS_EMPTY, _GAPS_FULL = 0.4, 0.7  # of the neighbouring values' number
_LEAST_EXPECTED = 20  # values next to gaps
# Another brightness rounds every pixel once more, which fills gaps. Of 70 JPEGs made lighter or darker and saved again,
# those that are finer, by the factor of contrast too, than their sources fill at most .62 of the gaps, and sources that
# are finer than their copies at least .91. By the rules below, 61 of 67 told their source, and none another one; 52 and
# one of these wrongly before.
_LIT_GAPS_EMPTY, _LIT_GAPS_FULL, _LIT_EXPECTED = 0.65, 0.9, 50
_LIT_CLEARER = 0.3
_LIT = 2.0  # levels of brightness that most pixels changed by


@dataclass(frozen=True)
class Compressed:
    """A picture's luminance in the frame that it shares with another, and how it was compressed.

    `steps` are None where the codec is not known, ones where it is lossless. `corner` is the place (x, y) of the first
    whole block.
    """

    plane: Plane
    steps: Steps | None
    corner: tuple[int, int] = (0, 0)
    clipped: Mask | None = None  # where levels were lost at black or white; [height, width]

    @property
    def is_lossless(self) -> bool:
        """Whether the file keeps every pixel."""
        return self.steps is not None and float(self.steps.max()) <= 1


def made_from(one: Compressed, other: Compressed) -> int:
    """Return 1 if the second was made from the first, −1 if the first from the second, 0 if nothing tells.

    >>> noise = np.random.default_rng(7).normal(128, 30, (64, 64)).astype(np.float32).round()
    >>> steps = np.full((8, 8), 12.0)
    >>> poorer = Compressed(compressed(noise, steps), steps)
    >>> made_from(Compressed(noise, np.ones((8, 8))), poorer)
    1
    """
    if one.steps is None and other.steps is None:
        return 0
    forth, back = _explained(other, one), _explained(one, other)
    if one.steps is None or other.steps is None:
        return _against_unknown(one, other, forth=forth.share, back=back.share)
    carried = _carries(one, other), _carries(other, one)
    known = [0.0 if each is None else each for each in carried]
    if max(known) >= SURELY_CARRIES and min(known) < CARRIES:
        direction = 1 if known[0] > known[1] else -1
        copy, source = (forth, back) if direction > 0 else (back, forth)
        # The source may have been such a JPEG before, and the copy is one again. What lies near multiples of the steps
        # gives their picture when it is compressed.
        doubtful = source.share >= _ALL and source.share - copy.share >= CLEARER
        return 0 if doubtful or source.share < max(known) else direction
    if forth.gain != 1 or back.gain != 1 or _is_lit(one, other):
        told = _lit_and_compressed_to(one, other, forth, back)
        if told:
            return told
    direction = _compressed_to(one, other, forth, back)
    if not direction:
        return 0
    # What carries the steps of a JPEG was made from it, whatever compressing it again gives. Where that cannot be seen,
    # an edit that changes less than a coarse step looks like it.
    copy, carries = (forth, carried[1]) if direction > 0 else (back, carried[0])
    changed = abs(copy.gain - 1) > _SAME_GAIN
    if (carries is None and changed) or (copy.share < _MOST and (carries is None or changed)):
        return 0
    least = CARRIES if copy.share >= _ALL else _DOUBTFUL
    if carries is not None and carries >= least:
        return 0
    if carries is None and one.corner == other.corner and not (one.is_lossless or other.is_lossless):
        # Coarse steps allow for more than fine ones: values that are missing in the finer one tell more.
        finer, coarser = (one, other) if one.steps.mean() < other.steps.mean() else (other, one)
        found = _gaps_filled(finer, coarser, gain=1.0)
        if found is not None and found < _GAPS_FULL:
            return 0 if found > _GAPS_EMPTY else 1 if finer is other else -1
    return direction


def is_explained(one: Compressed, other: Compressed, direction: int) -> bool:
    """Return whether compressing the source about gives the copy; `direction` as of `made_from`."""
    return (_explained(other, one) if direction > 0 else _explained(one, other)).share >= EXPLAINED


def _is_lit(one: Compressed, other: Compressed) -> bool:
    """Return whether one of two pictures is lighter than the other."""
    return abs(float(np.median(one.plane - other.plane))) >= _LIT


def _lit_and_compressed_to(one: Compressed, other: Compressed, forth: _Explained, back: _Explained) -> int:
    """Return which of two JPEGs of one grid is the other, made lighter or of other contrast, as in `made_from`."""
    assert one.steps is not None and other.steps is not None
    if one.is_lossless or other.is_lossless or one.corner != other.corner:
        return 0
    gain = float(np.sqrt(forth.gain / back.gain))  # the same whichever of them comes first
    coarser_is_other = other.steps.mean() > gain * one.steps.mean()
    finer, coarser, scale = (one, other, 1 / gain) if coarser_is_other else (other, one, gain)
    filled = _gaps_filled(finer, coarser, gain=scale, least=_LIT_EXPECTED)
    if filled is None:
        return 0
    to_coarser = 1 if coarser_is_other else -1
    shares = (forth.share, back.share) if coarser_is_other else (back.share, forth.share)
    if filled <= _LIT_GAPS_EMPTY and min(shares) >= _MOST:
        return -to_coarser
    clear = shares[0] >= _MOST and shares[0] - shares[1] >= _LIT_CLEARER
    return to_coarser if filled >= _LIT_GAPS_FULL and clear else 0


def _compressed_to(one: Compressed, other: Compressed, forth: _Explained, back: _Explained) -> int:
    """Return which of two pictures gives the other by compressing it again, as in `made_from`."""
    assert one.steps is not None and other.steps is not None
    if max(forth.share, back.share) < EXPLAINED:
        return 0
    clearer = abs(forth.share - back.share) >= CLEARER
    odds = forth.strays / back.strays
    # A change of contrast rounds every pixel twice, which is noise in one direction alone.
    if clearer or (forth.gain == 1 and max(odds, 1 / odds) >= _ODDS):
        return 1 if odds < 1 else -1
    # Both ways explain the blocks: the finer one keeps all of the coarser, and was made from it unless it has more.
    gain = float(np.sqrt(forth.gain / back.gain))  # the same whichever of them comes first
    ratio = float(other.steps.mean() / (gain * one.steps.mean()))
    if one.is_lossless or other.is_lossless:
        if one.is_lossless == other.is_lossless or max(one.steps.mean(), other.steps.mean()) < COARSE:
            return 0
        return -1 if one.is_lossless else 1
    if max(ratio, 1 / ratio) < FINER and (gain != 1 or one.corner != other.corner or _is_lit(one, other)):
        return 0
    if one.corner == other.corner:
        finer, coarser, scale = (one, other, 1 / gain) if ratio > 1 else (other, one, gain)
        found = _gaps_filled(finer, coarser, gain=scale)
        if found is None or _GAPS_EMPTY < found < _GAPS_FULL:
            return 0
        if found >= _GAPS_FULL and min(forth.share, back.share) < _ALL:
            return 0  # an edit fills the gaps, too
        return (1 if finer is other else -1) * (1 if found <= _GAPS_EMPTY else -1)
    return -1 if ratio > 1 else 1


def resized_from(one: Compressed, other: Compressed) -> int:
    """Return 1 if the second is the first resized, −1 the reverse, 0 if nothing tells; both show the same frame.

    >>> small = np.random.default_rng(7).normal(128, 30, (64, 64)).astype(np.float32).round()
    >>> large = np.asarray(Image.fromarray(small).resize((100, 100), Image.Resampling.BICUBIC)).clip(0, 255).round()
    >>> resized_from(Compressed(small, np.ones((8, 8))), Compressed(large, np.ones((8, 8))))
    1
    """
    enlarged = 1 if other.plane.size > one.plane.size else -1
    small, large = (one, other) if enlarged > 0 else (other, one)
    given, _ = _most_explained(large, small)
    # What was enlarged has no detail that the smaller one lacks; made smaller again it gives that one, too.
    if given >= _NO_DETAIL:
        return enlarged
    reduced, plane = _most_explained(small, large)
    # Made smaller again, what was enlarged and then sharpened still has the smaller one's steps.
    carries = _carries(small, Compressed(plane, None))
    if carries is not None and carries >= _REDUCED_CARRIES[1]:
        return enlarged
    least = _ALL if small.is_lossless else _REDUCED
    told = reduced >= least and reduced - given >= CLEARER and (carries is None or carries < _REDUCED_CARRIES[0])
    return -enlarged if told else 0


def _most_explained(copy: Compressed, source: Compressed) -> tuple[float, Plane]:
    """Return the largest share of a copy's blocks that the source gives, resized as usual programs do, and that."""
    found = []
    size = copy.plane.shape[1], copy.plane.shape[0]
    picture = Image.fromarray(source.plane)
    for method in _METHODS:
        plane = np.clip(np.asarray(picture.resize(size, method), np.float32), 0, 255)
        found.append((_explained(copy, Compressed(plane, None)).share, plane))
    return max(found, key=lambda each: each[0])


def compressed(plane: Plane, steps: Steps) -> Plane:
    """Return a plane as it is after a JPEG of these steps: sides are multiples of 8."""
    height, width = plane.shape
    kept = np.round(_coefficients(_blocks(plane - 128, (0, 0))) / steps) * steps
    blocks = (_BASIS.T @ kept @ _BASIS + 128).reshape(height // _N, width // _N, _N, _N)
    return np.clip(blocks.transpose(0, 2, 1, 3).reshape(height, width).round(), 0, 255).astype(np.float32)


def _basis() -> NDArray[np.float64]:
    at = np.arange(_N)
    basis = np.sqrt(2 / _N) * np.cos((2 * at[None, :] + 1) * at[:, None] * np.pi / (2 * _N))
    basis[0] /= np.sqrt(2)
    return basis


_BASIS = _basis()  # of the discrete cosine transform, orthonormal


def _blocks(plane: NDArray[Any], corner: tuple[int, int]) -> NDArray[Any]:
    """Return the whole blocks of a plane, [blocks, 8, 8]."""
    inner = plane[corner[1] :, corner[0] :]
    rows, columns = inner.shape[0] // _N, inner.shape[1] // _N
    shaped = inner[: rows * _N, : columns * _N].reshape(rows, _N, columns, _N).transpose(0, 2, 1, 3)
    return shaped.reshape(-1, _N, _N)


def _coefficients(blocks: Plane) -> NDArray[np.float64]:
    return np.asarray(_BASIS @ blocks @ _BASIS.T, np.float64)


def coefficients_of(one: Compressed, other: Compressed) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
    """Return the coefficients of both ([blocks, 8, 8]) in the blocks that were not clipped; None with too few."""
    blocks = [_blocks(side.plane, (0, 0)) for side in (one, other)]
    whole = np.ones(len(blocks[0]), np.bool_)
    for side in (one, other):
        if side.clipped is not None:
            whole &= ~_blocks(side.clipped, (0, 0)).any((1, 2))
    if whole.sum() < _LEAST_BLOCKS:
        return None
    first, second = (_coefficients(each[whole]) for each in blocks)
    first[:, 0, 0] = second[:, 0, 0] = 0
    return first, second


def _paired(
    one: Compressed, other: Compressed, corner: tuple[int, int]
) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
    """Return the coefficients of both in the blocks at a corner that have texture and were not clipped."""
    first, second = _blocks(one.plane, corner), _blocks(other.plane, corner)
    textured = first.std((1, 2)) + second.std((1, 2)) > _TEXTURE
    whole = textured.copy()
    for side in (one, other):
        if side.clipped is not None:
            whole &= ~_blocks(side.clipped, corner).any((1, 2))
    # A drawing in black and white is clipped everywhere: what was clipped matters only if the contrast changed.
    usable = np.flatnonzero(whole if whole.sum() >= _LEAST_BLOCKS else textured)
    if len(usable) < _LEAST_BLOCKS:
        return None
    usable = usable[:: -(-len(usable) // _MOST_BLOCKS)]
    has, given = _coefficients(first[usable]), _coefficients(second[usable])
    has[:, 0, 0] = given[:, 0, 0] = 0  # brightness
    return has, given


@dataclass(frozen=True)
class _Explained:
    """How many of a copy's blocks compressing its source gives, and the factor of contrast between them."""

    blocks: int
    of: int
    gain: float

    @property
    def share(self) -> float:
        return self.blocks / max(1, self.of)

    @property
    def strays(self) -> float:
        """The share of the other blocks, never 0: few blocks say little."""
        return (self.of - self.blocks + 2) / (self.of + 4) + _STRAYS


def _explained(copy: Compressed, source: Compressed) -> _Explained:
    """Return how many blocks of a copy are what compressing the source as the copy was compressed gives."""
    found = None if copy.steps is None else _paired(copy, source, copy.corner)
    if found is None or copy.steps is None:
        return _Explained(0, 0, 1.0)
    has, given = found
    gain = _gain(has, given)
    outside = np.abs(has - gain * given) > copy.steps / 2 + _TOLERANCE
    return _Explained(int((outside.sum((1, 2)) <= _STRAY).sum()), len(has), gain)


def _gain(has: NDArray[np.float64], given: NDArray[np.float64]) -> float:
    """Return the factor of contrast between two pictures' coefficients, that of the large ones that agree."""
    large = np.abs(given) > 8
    gain = 1.0
    for _ in range(3):
        off = np.abs(has - gain * given)
        agreeing = large & (off < 3 * np.median(off[large]) + 1) if large.any() else large
        total = float((given[agreeing] ** 2).sum())
        gain = float((has[agreeing] * given[agreeing]).sum()) / total if total else 1.0
    return 1.0 if abs(gain - 1) < _NO_GAIN or gain <= 0 else gain


def _gaps_filled(finer: Compressed, coarser: Compressed, *, gain: float, least: int = _LEAST_EXPECTED) -> float | None:
    """Return how often the finer has values that no value of the coarser becomes, beside the next that some become.

    About 0 where the finer was made from the coarser, about 1 where it was not; None where those are less than `least`.
    """
    found = _paired(finer, coarser, finer.corner)
    if found is None:
        return None
    assert finer.steps is not None and coarser.steps is not None
    values = np.abs(np.round(found[0] / finer.steps)).astype(np.int64)
    gaps = expected = 0
    for row in range(_N):
        for column in range(_N):
            times = gain * coarser.steps[row, column] / finer.steps[row, column]
            if times <= 1 or row == column == 0:
                continue
            counts = np.bincount(values[:, row, column], minlength=42)[:42]
            exact = np.arange(42) * times
            reached = {int(value) for off in (-0.15, 0.15) for value in np.floor(exact + 0.5 + off) if value < 41}
            for value in range(1, 40):
                if value in reached:
                    continue
                above = next((more for more in range(value + 1, 41) if more in reached), None)
                if above is not None:
                    gaps += int(counts[value])
                    expected += int(counts[above])
    return gaps / expected if expected >= least else None


def _against_unknown(one: Compressed, other: Compressed, *, forth: float, back: float) -> int:
    """Return who was made from whom where the codec of one is not known: it may carry the other's steps."""
    known, unknown, explained = (one, other, back) if other.steps is None else (other, one, forth)
    direction = 1 if known is one else -1
    assert known.steps is not None
    if known.is_lossless:  # it shows the very pixels of what it was made from
        return -direction if explained >= _MOST else direction if explained < _FEW else 0
    found = _paired(unknown, known, known.corner)
    if found is None:
        return 0
    carries = _on_steps(found[0], found[1], known.steps) or 0.0
    if carries >= CARRIES:
        return direction
    return -direction if explained >= _MOST and carries < CARRIES / 3 else 0


def _carries(source: Compressed, copy: Compressed) -> float | None:
    """Return how near the second's values are to multiples of the first's steps, −1 to 1; None if it does not show."""
    if source.steps is None or source.is_lossless:
        return None
    found = _paired(source, copy, source.corner)
    if found is None:
        return None
    known, values = found
    gain = _gain(known, values)
    values = values * gain
    shows = source.steps >= COARSE
    if copy.steps is not None and copy.corner == source.corner:
        shows &= copy.is_lossless | (gain * copy.steps < _OWN_STEPS * source.steps)
    # Drawings repeat their blocks.
    _, distinct = np.unique(known.round(), axis=0, return_index=True)
    if len(distinct) < _LEAST_DISTINCT:
        return None
    return _on_steps(values[distinct], known[distinct], np.where(shows, source.steps, 0))


def _on_steps(values: NDArray[np.float64], known: NDArray[np.float64], steps: Steps) -> float | None:
    """Return how near the values are to multiples of steps, −1 to 1; steps below COARSE do not count.

    None if there are too few values.
    """
    used = (np.abs(known) >= 0.5 * steps) & (np.abs(values) >= 0.5 * steps) & (steps >= COARSE)
    if used.sum() < _LEAST_VALUES:
        return None
    phases = np.divide(values, steps, where=used, out=np.zeros_like(values))[used]
    return float(np.cos(2 * np.pi * phases).mean())

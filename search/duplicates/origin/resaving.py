"""Tell which of two JPEGs was made from the other by saving each as the other was saved.

Saving a JPEG again changes some of its blocks by rounding, and saving the result once more changes fewer and others
(Huang, Huang and Shi, "Detecting double JPEG compression with the same quantization matrix", 2010). So where a copy was
saved by libjpeg, as by most programs, saving its source with the copy's tables gives the very pixels of the copy.
"""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from search.images.fingerprints import View

_BLOCK = 16  # pixels of a side: two blocks of 8, as colors are mostly kept for two pixels by two
_WINDOW = 1024  # pixels: a side of what is saved at most, a multiple of _BLOCK
_LEAST_BLOCKS = 12  # that differ
# Of 96 JPEGs saved again alike or finer, the share of the differing blocks that saving the source gives is 1, the
# reverse at most .47; of sharpened, denoised and grainy ones at most .25 either way.
_GIVEN, _MORE = 0.8, 0.1
_UPRIGHT = View()
_TURNS = (Image.Transpose.ROTATE_90, Image.Transpose.ROTATE_180, Image.Transpose.ROTATE_270)
_LUMINANCE = np.array([0.299, 0.587, 0.114], np.float32)
_ROUNDED = 1.5  # levels of brightness by which other encoders may differ
# What was denoised and saved finer seems to give its coarse source when it is compressed as that: to the pixel it gives
# at most .12 of the blocks, and .41 within _ROUNDED; FFmpeg's coarse JPEGs give at least .5 within that.
_NONE_GIVEN, _FEW_GIVEN = 0.15, 0.45

# Saving 24 WebPs gave every such block of the JPEGs that were made from them; saving WebPs and AVIFs of 60 JPEGs, the
# finest of the coarsest among them, at most .44.
_ALL_GIVEN = 0.95

Plane = NDArray[np.float32]


@dataclass(frozen=True)
class Saving:
    """How a JPEG was saved: its quantization tables (64 steps each) and its chroma subsampling, as Pillow has them."""

    tables: tuple[tuple[int, ...], ...]
    subsampling: int


@dataclass(frozen=True)
class Saved:
    """The shares of the blocks in which two pictures differ that saving one as the other was saved gives, 0 to 1.

    `forth` and `back` are those to the very pixel, `forth_about` and `back_about` those within the rounding of other
    encoders; `forth` is of the first, saved as the second.
    """

    forth: float
    back: float
    forth_about: float
    back_about: float

    @property
    def made_from(self) -> int:
        """Return 1 if saving the first gives the second, −1 the reverse, 0 if nothing tells."""
        if max(self.forth, self.back) < _GIVEN or abs(self.forth - self.back) < _MORE:
            return 0
        return 1 if self.forth > self.back else -1

    def contradicts(self, direction: int) -> bool:
        """Return whether saving the source alone does not give the copy, if `direction` is as that of `made_from`."""
        exact, about = (self.forth, self.forth_about) if direction > 0 else (self.back, self.back_about)
        return exact < _NONE_GIVEN and about < _FEW_GIVEN


def saved_alike(
    one: Image.Image, other: Image.Image, how: Saving, how_other: Saving, *, view: View = _UPRIGHT
) -> Saved | None:
    """Return what saving each of two pictures as the other was saved gives; None if they hardly differ.

    The first, as `view` shows it, has the size of the second; the blocks of both begin at their left upper corners.

    >>> table = tuple([20] * 64)
    >>> how = Saving((table, table), 2)
    >>> noise = np.random.default_rng(7).integers(0, 256, (128, 128, 3), dtype=np.uint8)
    >>> source = saved(Image.fromarray(noise), how)
    >>> saved_alike(source, saved(source, how), how, how).made_from
    1
    """
    turned, back = as_seen(one, view), as_seen(other, view, back=True)
    found = _given(turned, other, how_other), _given(back, one, how)
    if found[0] is None or found[1] is None:
        return None
    return Saved(found[0][0], found[1][0], found[0][1], found[1][1])


def gives_jpeg(source: Image.Image, copy: Image.Image, how: Saving) -> bool:
    """Return whether saving a lossy WebP or AVIF gives the very pixels of a JPEG of the same size.

    >>> table = tuple([20] * 64)
    >>> how = Saving((table, table), 2)
    >>> noise = np.random.default_rng(7).integers(0, 256, (128, 128, 3), dtype=np.uint8)
    >>> source = Image.fromarray(noise)
    >>> gives_jpeg(source, saved(source, how), how)
    True
    """
    found = _given(source, copy, how) if source.size == copy.size else None
    return found is not None and found[0] >= _ALL_GIVEN


def as_seen(picture: Image.Image, view: View, *, back: bool = False) -> Image.Image:
    """Return a picture as a view shows it, or of what the view shows the picture itself."""
    turns = (-view.turns if back else view.turns) % 4
    flip = Image.Transpose.FLIP_LEFT_RIGHT
    shown = picture.transpose(flip) if view.mirrored and not back else picture
    shown = shown.transpose(_TURNS[turns - 1]) if turns else shown
    return shown.transpose(flip) if view.mirrored and back else shown


def saved(picture: Image.Image, how: Saving) -> Image.Image:
    """Return a picture as it is after it was saved as a JPEG."""
    out = io.BytesIO()
    tables = [list(table) for table in how.tables]
    picture.convert("RGB").save(out, "JPEG", qtables=tables, subsampling=how.subsampling)
    return Image.open(out).convert("RGB")


def _given(source: Image.Image, copy: Image.Image, how: Saving) -> tuple[float, float] | None:
    """Return the shares of a copy's blocks that saving its source gives, exactly and within rounding."""
    left, top = (max(0, side - _WINDOW) // (2 * _BLOCK) * _BLOCK for side in copy.size)
    box = (left, top, min(copy.width, left + _WINDOW), min(copy.height, top + _WINDOW))
    source, copy = (picture.convert("RGB").crop(box) for picture in (source, copy))
    before, made, after = (np.asarray(picture, np.float32) for picture in (source, saved(source, how), copy))
    changed = _differences(np.abs(before - after).max(2), _BLOCK) > 0
    if changed.sum() < _LEAST_BLOCKS:
        return None
    exact = float((_differences(np.abs(made - after).max(2), _BLOCK)[changed] == 0).mean())
    light, given, seen = (levels @ _LUMINANCE for levels in (before, made, after))
    lit = _differences(np.abs(light - seen), _BLOCK // 2) > _ROUNDED
    if not lit.any():
        return exact, 1.0
    return exact, float((_differences(np.abs(given - seen), _BLOCK // 2)[lit] <= _ROUNDED).mean())


def _differences(levels: Plane, side: int) -> Plane:
    """Return the largest value of each whole block, [rows, columns]."""
    rows, columns = levels.shape[0] // side, levels.shape[1] // side
    blocks: Plane = levels[: rows * side, : columns * side].reshape(rows, side, columns, side).max((1, 3))
    return blocks

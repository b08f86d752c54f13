"""Tell whether a lossy WebP was made from a picture, by saving that picture as the WebP was saved.

An encoder chooses its predictions and its segments by the pixels that it is given. So saving the source with the
quantizers that the WebP's own header names gives the very pixels of the WebP, and saving any other picture, which may
look the same, does not: not even the WebP itself.
"""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from search.images.webp_quantizers import webp_quantizers

# Effort changes which predictions are tried: the default of libwebp, the slowest, and others that programs choose.
_EFFORTS = (4, 6, 2, 5, 3)
_MOST_PIXELS = 2_000_000  # that are saved: a million takes about a tenth of a second each time
_EQUAL = 1  # levels by which decoders differ
_GIVEN, _MORE = 0.98, 0.05  # of the pixels: that saving gives, and that it gives where the source has others
_SEARCHED = 8  # qualities that are tried
_USUAL = (-127, -78, -52, -45, -36, -27, -12, -6, 0), (0, 20, 50, 60, 75, 80, 90, 95, 100)  # quantizers less than 0


def gives_webp(source: Image.Image, copy: Image.Image, quantizers: tuple[int, ...]) -> bool:
    """Return whether saving a picture gives the very pixels of a lossy WebP with these quantizers, of the same size.

    >>> noise = np.random.default_rng(7).integers(0, 256, (32, 48, 3), dtype=np.uint8)
    >>> source = Image.fromarray(noise).resize((192, 128))
    >>> out = io.BytesIO()
    >>> source.save(out, "WEBP", quality=83)
    >>> copy = Image.open(out).convert("RGB")
    >>> gives_webp(source, copy, webp_quantizers(out.getvalue()))
    True
    >>> gives_webp(copy, copy, webp_quantizers(out.getvalue()))
    False
    """
    if not quantizers or source.size != copy.size or source.width * source.height > _MOST_PIXELS:
        return False
    source = source.convert("RGB")
    shown = _levels(copy)
    if _equal(_levels(source), shown) > _GIVEN - _MORE:
        return False
    quality = _quality(source, quantizers)
    if quality is None:
        return False
    made = (Image.open(io.BytesIO(_saved(source, quality, effort))) for effort in _EFFORTS)
    return any(_equal(_levels(each), shown) >= _GIVEN for each in made)


def _saved(picture: Image.Image, quality: int, effort: int) -> bytes:
    out = io.BytesIO()
    picture.save(out, "WEBP", quality=quality, method=effort)
    return out.getvalue()


def _quality(source: Image.Image, quantizers: tuple[int, ...]) -> int | None:
    """Return the quality at which saving a picture gives these quantizers; None if none does."""
    low, high = 0, 100
    usual = _usual_quality(quantizers)
    quality = round(usual)
    for _ in range(_SEARCHED):
        found = webp_quantizers(_saved(source, quality, _EFFORTS[0]))
        if found == quantizers:
            return quality
        # The lowest quantizers are the finest.
        finer = sum(found) > sum(quantizers)
        low, high = (quality + 1, high) if finer else (low, quality - 1)
        if low > high:
            return None
        quality = min(high, max(low, round(quality + usual - _usual_quality(found))))
    return None


def _usual_quality(quantizers: tuple[int, ...]) -> float:
    """Return the quality at which libwebp gives most pictures the coarsest of these quantizers."""
    return float(np.interp(-max(quantizers), *_USUAL))


def _levels(picture: Image.Image) -> NDArray[np.int16]:
    return np.asarray(picture.convert("RGB"), np.int16)


def _equal(one: NDArray[np.int16], other: NDArray[np.int16]) -> float:
    """Return the share of equal levels."""
    return float((np.abs(one - other) <= _EQUAL).mean())

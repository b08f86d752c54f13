"""Find the pixels of a damaged still that are not there, and show the page in their place, as browsers do."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile

from indexer.media.damage.repair import runs
from indexer.media.raster import eight_bits
from indexer.media.signatures import FileType

LESS_DETAIL = 0.99  # the share of a still whose end is missing, where every pixel can be guessed from what is there

# Of interlaced pictures, the width and height of the blocks that the first pixel of each stands for until a later pass
# comes, the finest first: PNG's Adam7, and the rows of GIF.
_BLOCKS = {FileType.PNG: ((1, 2), (2, 2), (2, 4), (4, 4), (4, 8), (8, 8)), FileType.GIF: ((1, 2), (1, 4), (1, 8))}
_WHITE: dict[str, int | tuple[int, ...]] = {"L": 255, "RGB": (255, 255, 255), "CMYK": (0, 0, 0, 0)}
_ENDS = (b"", b"\x5a" * 4096)

Mask = NDArray[np.bool_]  # [height, width]
Reopen = Callable[[bytes], ImageFile.ImageFile]  # of bytes, not decoded yet


def show_what_is_there(
    picture: ImageFile.ImageFile, data: bytes, kind: FileType, *, reopen: Reopen
) -> tuple[Image.Image, float]:
    """Return a still that was decoded leniently with white, or transparent, pixels where some are missing.

    Also returns the share of them that is there, LESS_DETAIL where the rest could be guessed. `data` is what the still
    was decoded from.
    """
    if kind is FileType.JPEG:
        if picture.info.get("progressive"):
            return picture, LESS_DETAIL
        missing = _missing_rows(data, reopen)
        if not missing.any() or picture.mode not in _WHITE:
            return picture, float(1 - missing.mean())
        shown = picture.copy()
        shown.paste(_WHITE[picture.mode], mask=Image.fromarray(missing))
        return shown, float(1 - missing.mean())
    if kind not in (FileType.PNG, FileType.GIF, FileType.BMP):
        return picture, 1.0
    missing = _missing_pixels(data, reopen)
    if not missing.any():
        return picture, 1.0
    share = float(1 - missing.mean())
    pixels = np.array(_plain(picture))
    if _is_interlaced(reopen(data), kind):
        _fill_blocks(pixels, missing, _BLOCKS[kind])
        share = share if missing.any() else LESS_DETAIL
    pixels[missing] = 0 if pixels.shape[2] == 4 else 255
    shown = Image.fromarray(pixels)
    shown.info = {name: value for name, value in picture.info.items() if name != "transparency"}
    return shown, share


def _is_interlaced(picture: ImageFile.ImageFile, kind: FileType) -> bool:
    """Return whether the pixels of a picture that is not decoded yet come in several passes."""
    if kind is FileType.GIF:
        return bool(picture.tile and isinstance(picture.tile[0].args, tuple) and picture.tile[0].args[1])
    return kind is FileType.PNG and bool(picture.info.get("interlace"))


def _plain(picture: Image.Image) -> Image.Image:
    """Return a picture as RGB, as RGBA where pixels may be transparent."""
    transparent = picture.mode in ("LA", "PA", "RGBA") or "transparency" in picture.info
    return eight_bits(picture).convert("RGBA" if transparent else "RGB")


def _missing_rows(data: bytes, reopen: Reopen) -> Mask:
    """Return the rows of a JPEG that a decoder makes up: they are not the same with two different endings."""
    one, other = (np.asarray(_loaded(reopen(data + end))) for end in _ENDS)
    same = (one == other).reshape(len(one), -1).all(1)
    first = len(same) if same.all() else int(same.argmin())
    missing = np.zeros(one.shape[:2], np.bool_)
    missing[first:] = True
    return missing


def _missing_pixels(data: bytes, reopen: Reopen) -> Mask:
    """Return the pixels that no decoded byte tells: they are not the same where the ground before decoding is not."""
    decoded = []
    for ground in (0, 1):
        picture = reopen(_with_runs(data, ground))
        if picture.mode in ("1", "L", "P", "LA", "RGB", "RGBA", "I;16"):
            level = 255 * ground if picture.mode != "I;16" else 65535 * ground
            picture.im = Image.new(picture.mode, picture.size, (level,) * len(picture.getbands())).im
        pixels = np.asarray(_loaded(picture))
        decoded.append(pixels.reshape(*pixels.shape[:2], -1))
    missing: Mask = (decoded[0] != decoded[1]).any(2)
    return missing


def _loaded(picture: ImageFile.ImageFile) -> Image.Image:
    picture.load()
    return picture


def _with_runs(data: bytes, color: int) -> bytes:
    """Return a run-length-encoded bitmap whose end was filled, with another color there; others as they are."""
    filling = runs(data, 0)
    return data[: -len(filling)] + runs(data, color) if filling and data.endswith(filling) else data


def _fill_blocks(pixels: NDArray[np.uint8], missing: Mask, blocks: tuple[tuple[int, int], ...]) -> None:
    """Give missing pixels of an interlaced picture the color of the finest block that is there; changes both arrays."""
    there, colors = ~missing, pixels.copy()
    rows, columns = np.indices(missing.shape)
    for width, height in blocks:
        corner = rows // height * height, columns // width * width
        known = missing & there[corner]
        pixels[known] = colors[corner][known]
        missing &= ~known

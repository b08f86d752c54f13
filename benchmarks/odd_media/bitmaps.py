"""Bitmaps of every header, depth and compression of Windows and OS/2, and icons that hold them."""

from __future__ import annotations

import io
import struct
from random import Random

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from benchmarks.odd_media.scenes import OddFile, damaged, pixels, scene

_HEADERS = {
    12: "OS/2 1",
    64: "OS/2 2",
    40: "Windows 3",
    52: "version 2",
    56: "version 3",
    108: "version 4",
    124: "version 5",
}
_RLE8, _RLE4, _FIELDS = 1, 2, 3
_MASKS = {
    16: ((0x7C00, 0x3E0, 0x1F, 0), (0x7C00, 0x3E0, 0x1F, 0x8000), (0xF800, 0x7E0, 0x1F, 0), (0xF00, 0xF0, 0xF, 0xF000)),
    32: ((0xFF0000, 0xFF00, 0xFF, 0xFF000000), (0xFF, 0xFF00, 0xFF0000, 0), (0xFF0000, 0xFF00, 0xFF, 0)),
}


def odd_bmp(random: Random) -> OddFile:
    """Return a bitmap."""
    header = random.choice(tuple(_HEADERS))
    bits = random.choice((1, 4, 8, 24) if header in (12, 64) else (1, 4, 8, 16, 24, 32))
    packing, masks = 0, None
    if (bits in (16, 32) and header >= 52) or (bits in (16, 32) and random.random() < 0.6):
        packing, masks = _FIELDS, random.choice(_MASKS[bits])
    elif bits in (4, 8) and header != 12 and random.random() < 0.5:
        packing = _RLE8 if bits == 8 else _RLE4
    upside = packing in (_RLE8, _RLE4) or header == 12 or random.random() < 0.6
    picture = scene(random, opaque=bits != 32)
    palette, body = _body(picture, bits, packing, masks, upside=upside)
    head = _header(header, picture.size, bits, packing, masks, colors=len(palette) // 4, size=len(body), upside=upside)
    if header == 12:
        palette = b"".join(palette[at : at + 3] for at in range(0, len(palette), 4))
    before = 14 + len(head) + len(palette)
    data = b"BM" + struct.pack("<IHHI", before + len(body), 0, 0, before) + head + palette + body
    what, data = damaged(random, data, start=before, whole=0.6)
    packed = {0: "", _RLE8: ", RLE8", _RLE4: ", RLE4", _FIELDS: f", fields {masks}"}[packing]
    name = f"BMP {_HEADERS[header]}, {bits} bits{packed}{'' if upside else ', top down'}"
    return OddFile(name + what, "image/bmp", data)


def _header(
    header: int,
    sides: tuple[int, int],
    bits: int,
    packing: int,
    masks: tuple[int, int, int, int] | None,
    *,
    colors: int,
    size: int,
    upside: bool,
) -> bytes:
    """Return the second header, with the masks behind it where it has no room for them."""
    width, height = sides
    if header == 12:
        return struct.pack("<IHHHH", 12, width, height, 1, bits)
    head = struct.pack(
        "<IiiHHIIiiII", header, width, height if upside else -height, 1, bits, packing, size, 0, 0, colors, 0
    )
    told = struct.pack("<4I", *masks) if masks else bytes(16)
    if header == 40:
        return head + (told[:12] if masks else b"")
    if header in (52, 56):
        return head + told[: header - 40]
    if header == 64:
        return head + bytes(24)
    return head + told + b"BGRs" + bytes(header - 60)


def _body(
    picture: Image.Image, bits: int, packing: int, masks: tuple[int, int, int, int] | None, *, upside: bool
) -> tuple[bytes, bytes]:
    """Return the palette (4 bytes a color) and the pixels."""
    order = slice(None, None, -1) if upside else slice(None)
    if bits <= 8:
        few = picture.convert("RGB").quantize(2**bits)
        colors = np.reshape(np.frombuffer(bytes(few.getpalette() or b""), np.uint8), (-1, 3))[: 2**bits]
        palette = b"".join(bytes((*color[::-1], 0)) for color in colors)
        places = np.asarray(few)[order]
        if packing:
            return palette, b"".join(_runs(row, bits) for row in places) + b"\0\1"
        spread = (places[..., None] >> np.arange(bits - 1, -1, -1)) & 1
        return palette, _padded(np.packbits(spread.astype(np.uint8).reshape(len(places), -1), axis=1))
    shown = pixels(picture)[order]
    if masks is None and bits == 16:
        masks = _MASKS[16][0]
    if masks is None and bits == 24:
        return b"", _padded(shown[..., 2::-1].reshape(len(shown), -1))
    words = np.zeros(shown.shape[:2], np.uint32)
    for channel, mask in enumerate(masks or _MASKS[32][0]):
        if mask:
            low = (mask & -mask).bit_length() - 1
            width = (mask >> low).bit_length()
            words |= (shown[..., channel].astype(np.uint32) >> max(0, 8 - width)) << low
    return b"", _padded(words.astype("<u2" if bits == 16 else "<u4").view(np.uint8).reshape(len(shown), -1))


def _padded(rows: NDArray[np.uint8]) -> bytes:
    return np.pad(rows, ((0, 0), (0, -rows.shape[1] % 4))).tobytes()


def _runs(row: NDArray[np.uint8], bits: int) -> bytes:
    """Return a row as runs (RLE8 or RLE4) with its end."""
    found, at = b"", 0
    while at < len(row):
        length = 1
        while at + length < len(row) and length < 255 and row[at + length] == row[at]:
            length += 1
        found += bytes((length, int(row[at]) * (17 if bits == 4 else 1)))
        at += length
    return found + b"\0\0"


def odd_icon(random: Random) -> OddFile:
    """Return an icon or a cursor of one to three pictures."""
    cursor = random.random() < 0.2
    pictures, names = [], []
    for _ in range(random.randint(1, 3)):
        side = random.choice((16, 24, 32, 48, 64, 128))
        bits = random.choice((1, 4, 8, 24, 32, 0))
        shown = scene(random, opaque=False).resize((side, side))
        pictures.append((side, bits, _png(shown) if bits == 0 else _icon_bitmap(shown, bits)))
        names.append(f"{side} of {bits} bits" if bits else f"{side} as PNG")
    at = 6 + 16 * len(pictures)
    head = struct.pack("<HHH", 0, 2 if cursor else 1, len(pictures))
    for side, bits, body in pictures:
        more = (side // 2, side // 2) if cursor else (1, bits or 32)
        head += struct.pack("<BBBBHHII", side, side, 1 << bits if 0 < bits < 8 else 0, 0, *more, len(body), at)
        at += len(body)
    data = head + b"".join(body for _, _, body in pictures)
    what, data = damaged(random, data, start=len(head) + 40, whole=0.6)
    name = f"{'cursor' if cursor else 'icon'}: {', '.join(names)}"
    return OddFile(name + what, "image/x-icon", data)


def _png(picture: Image.Image) -> bytes:
    out = io.BytesIO()
    picture.save(out, "PNG")
    return out.getvalue()


def _icon_bitmap(picture: Image.Image, bits: int) -> bytes:
    palette, body = _body(picture, bits, 0, _MASKS[32][0] if bits == 32 else None, upside=True)
    width, height = picture.size
    head = struct.pack("<IiiHHIIiiII", 40, width, 2 * height, 1, bits, 0, 0, 0, 0, len(palette) // 4, 0)
    hidden = pixels(picture)[::-1, :, 3] < 128
    return head + palette + body + _padded(np.packbits(hidden, axis=1))

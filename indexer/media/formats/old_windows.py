"""Icons, cursors, and bitmaps with rare fields, rewritten so that Pillow reads them as browsers do."""

from __future__ import annotations

import io
import struct
from typing import IO

import numpy as np
from PIL import BmpImagePlugin, IcoImagePlugin

_FIELDS = (3, 6)  # compressions with masks: of three, and of four fields
_PLAIN = (0xFF0000, 0xFF00, 0xFF, 0xFF000000)
# Masks that Pillow reads, by the bits of a pixel; it ignores the fourth of 16 bits.
_READ = {
    16: {(0xF800, 0x7E0, 0x1F, 0), (0x7C00, 0x3E0, 0x1F, 0)},
    32: {(0xFF0000, 0xFF00, 0xFF, 0), _PLAIN, (0xFF, 0xFF00, 0xFF0000, 0xFF000000)},
}
_VERSION_4 = 108  # bytes of its header
_MOST_ICON_PIXELS = 4096 * 4096
_ENTRY = 16  # bytes of an icon's entry
_PNG = b"\x89PNG\r\n\x1a\n"


class BmpFile(BmpImagePlugin.BmpImageFile):
    """A bitmap of 16 or 32 bits a pixel with any masks, and of a palette that is told too large.

    Pillow reads the usual masks, and no transparency of version 4 without any.
    """

    def __init__(self, stream: IO[bytes]) -> None:
        super().__init__(_with_plain_fields(stream))


class IconFile(IcoImagePlugin.IcoImageFile):
    """The largest picture of an icon or a cursor, of several the one with the most colors, as browsers choose.

    Pillow takes the one with the fewest, reads no transparency of cursors, and believes what the icon tells of its
    pictures' depth, which may be wrong.
    """

    def __init__(self, stream: IO[bytes]) -> None:
        super().__init__(_with_best_picture(stream))


def _with_plain_fields(stream: IO[bytes]) -> IO[bytes]:
    """Return a bitmap with masks that Pillow does not read as one of 32 bits with those that it does; others as is.

    Of a palette, no more colors are told than it can have.
    """
    start = stream.tell()
    head = stream.read(70)
    stream.seek(start)
    if len(head) < 70:
        return stream
    (at, size, width, height, _, bits, packing) = struct.unpack("<IIiiHHI", head[10:34])
    colors = int.from_bytes(head[46:50], "little")
    if bits <= 8 and colors > 1 << bits and size >= 40:
        stream.seek(start)
        data = stream.read()
        return io.BytesIO(data[:46] + struct.pack("<I", 1 << bits) + data[50:])
    masks = struct.unpack("<4I", head[54:70])
    if size < 56 and packing != 6:
        masks = (*masks[:3], 0)
    if packing == 0 and bits == 32 and size >= _VERSION_4 and masks[3] == _PLAIN[3]:
        packing, masks = 3, _PLAIN  # its transparency counts, and its other masks do not
    elif packing == 3 and masks in _READ.get(bits, ()):
        return stream
    if packing not in _FIELDS or bits not in _READ or width < 1 or not all(masks[:3]):
        return stream
    stream.seek(start)
    data = stream.read()
    row = (width * bits // 8 + 3) // 4 * 4
    rows = min(abs(height), (len(data) - at) // row)
    stored = np.frombuffer(data, np.uint8, rows * row, at).reshape(rows, row)[:, : width * bits // 8]
    words = np.ascontiguousarray(stored).view("<u2" if bits == 16 else "<u4").astype(np.uint64)
    plain = np.zeros(words.shape, np.uint64)
    for mask, target in zip(masks, _PLAIN, strict=True):
        low, target_low = ((each & -each).bit_length() - 1 for each in (mask, target))
        level = (words & mask) >> low if mask else 0
        plain |= (level * 255 // (mask >> low) if mask else np.uint64(255)) << np.uint64(target_low)
    body = plain.astype("<u4").tobytes()
    info = struct.pack("<IiiHHIIiiII", 108, width, height, 1, 32, 3, 0, 0, 0, 0, 0) + struct.pack("<4I", *_PLAIN)
    info += bytes(108 - len(info))
    told = 14 + len(info) + 4 * width * abs(height)
    return io.BytesIO(b"BM" + struct.pack("<IHHI", told, 0, 0, 14 + len(info)) + info + body)


def _with_best_picture(stream: IO[bytes]) -> IO[bytes]:
    """Return an icon with the one picture of an icon or a cursor that is shown, and what it says of itself."""
    entry, body, share = _best_picture(stream.read())
    if share < 1:
        raise OSError("image file is truncated")
    return _icon(entry, body)


def filled_icon(data: bytes) -> tuple[bytes, float]:
    """Return an icon whose missing rows are transparent, and the share of them that is there.

    Raises SyntaxError without a picture.

    >>> filled_icon(bytes(9))
    Traceback (most recent call last):
    SyntaxError: an icon without a picture
    """
    entry, body, share = _best_picture(data)
    return _icon(entry, body).getvalue(), share


def _icon(entry: bytes, body: bytes) -> io.BytesIO:
    return io.BytesIO(b"\0\0\1\0\1\0" + entry + struct.pack("<I", 6 + _ENTRY) + body)


def _best_picture(data: bytes) -> tuple[bytes, bytes, float]:
    """Return the entry without its last field, the bytes, and the share that is there, of the picture that is shown."""
    count = int.from_bytes(data[4:6], "little")
    best: tuple[int, int, bytes, int] | None = None
    for number in range(count):
        entry = data[6 + _ENTRY * number : 6 + _ENTRY * (number + 1)]
        if len(entry) < _ENTRY:
            break
        at = int.from_bytes(entry[12:16], "little")
        head = data[at : at + _ENTRY + 1]
        bits = 32 if head.startswith(_PNG) else int.from_bytes(head[14:16], "little")
        area = (entry[0] or 256) * (entry[1] or 256)
        if len(head) > _ENTRY and (best is None or (area, bits) > best[:2]):
            best = area, bits, entry[:4], at
    if best is None:
        raise SyntaxError("an icon without a picture")  # as Pillow says of a file that it cannot read
    _, bits, entry, at = best
    # Its length may be wrong: a picture tells where it ends.
    body, share = _as_told(data[at:])
    return entry + struct.pack("<HHI", 1, bits, len(body)), body, share


def _as_told(body: bytes) -> tuple[bytes, float]:
    """Return an icon's picture at its full length, and the share of its rows that is there.

    Rows that are missing are transparent, those that only the mask lacks are not. Of 32 bits without any transparency
    the mask counts.
    """
    if body.startswith(_PNG) or len(body) < 40:
        return body, 1.0
    size, width, height, _, bits, packing, _, _, _, colors = struct.unpack("<IiiHHIIiiI", body[:36])
    rows = abs(height) // 2
    if size < 40 or packing or bits not in (1, 4, 8, 16, 24, 32) or not 0 < width * rows <= _MOST_ICON_PIXELS:
        return body, 1.0
    row, mask_row = ((width * each + 31) // 32 * 4 for each in (bits, 1))
    start = size + (4 * (min(colors, 1 << bits) or 1 << bits) if bits <= 8 else 0)
    pixels = body[start : start + row * rows]
    mask = body[start + row * rows : start + (row + mask_row) * rows]
    there = len(pixels) // row
    mask += bytes(max(0, there * mask_row - len(mask)))
    mask += b"\xff" * (mask_row * rows - len(mask))
    pixels = pixels[: there * row] + bytes(row * (rows - there))
    if bits == 32 and not any(pixels[3::4]):
        hidden = np.unpackbits(np.frombuffer(mask, np.uint8).reshape(rows, mask_row), axis=1)[:, :width]
        words = np.frombuffer(pixels, np.uint8).reshape(rows, width, 4).copy()
        words[..., 3] = 255 * (1 - hidden)
        pixels = words.tobytes()
    return body[:start] + pixels + mask, there / rows

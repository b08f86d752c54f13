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
_ENTRY = 16  # bytes of an icon's entry
_PNG = b"\x89PNG\r\n\x1a\n"


class BmpFile(BmpImagePlugin.BmpImageFile):
    """A bitmap of 16 or 32 bits a pixel with any masks; Pillow reads the usual ones."""

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
    """Return a bitmap with masks that Pillow does not read as one of 32 bits with those that it does; others as is."""
    start = stream.tell()
    head = stream.read(70)
    stream.seek(start)
    if len(head) < 70:
        return stream
    (at, size, width, height, _, bits, packing) = struct.unpack("<IIiiHHI", head[10:34])
    masks = struct.unpack("<4I", head[54:70])
    if size < 56 and packing != 6:
        masks = (*masks[:3], 0)
    if packing not in _FIELDS or bits not in _READ or masks in _READ[bits] or width < 1 or not all(masks[:3]):
        return stream
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
    data = stream.read()
    count = int.from_bytes(data[4:6], "little")
    best: tuple[int, int, bytes] | None = None
    for number in range(count):
        entry = data[6 + _ENTRY * number : 6 + _ENTRY * (number + 1)]
        if len(entry) < _ENTRY:
            break
        size, at = struct.unpack("<II", entry[8:16])
        body = data[at : at + size]
        bits = 32 if body.startswith(_PNG) else int.from_bytes(body[14:16], "little")
        rank = (entry[0] or 256) * (entry[1] or 256), bits, entry[:4] + struct.pack("<HHI", 1, bits, len(body)) + body
        if len(body) > 16 and (best is None or rank[:2] > best[:2]):
            best = rank
    if best is None:
        raise SyntaxError("an icon without a picture")  # as Pillow says of a file that it cannot read
    entry, body = best[2][:12], best[2][12:]
    return io.BytesIO(b"\0\0\1\0\1\0" + entry + struct.pack("<I", 6 + _ENTRY) + body)

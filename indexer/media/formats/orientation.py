"""How a picture is turned, as browsers read it in EXIF: one short number in the first directory, and nothing else.

Pillow reads more than they do, and warns on the terminal about what it cannot read.
"""

from __future__ import annotations

import struct

from PIL import Image

_MARK = b"Exif\0\0"  # before JPEG's EXIF
_ORDERS = {b"II*\0": "<", b"MM\0*": ">"}
_TAG, _SHORT = 0x0112, 3
_ENTRY = 12  # bytes


def orientation(picture: Image.Image) -> int:
    """Return a picture's orientation as browsers read it, 1 to 8; 1 where it is missing or invalid.

    They read JPEG's APP1 segment, PNG's eXIf chunk, and AVIF's `irot` and `imir`, which Pillow puts in the place of its
    EXIF; XMP, text chunks and WebP's EXIF turn nothing.

    >>> orientation(Image.new("L", (2, 1)))
    1
    """
    raw = picture.info.get("exif")
    # A JPEG kept in JPEG XL is unpacked as it was; Pillow, libheif and libjxl have turned all other pictures.
    packed_jpeg = picture.format == "JXL" and getattr(picture, "jpeg", False)
    if (picture.format not in ("JPEG", "MPO", "PNG", "AVIF") and not packed_jpeg) or not isinstance(raw, bytes):
        return 1
    # Pillow adds JPEG's mark to a PNG's EXIF, in which it is an error.
    return _stored(raw[len(_MARK) :] if raw.startswith(_MARK) else raw)


def _stored(tiff: bytes) -> int:
    """Return the orientation in the first directory of an EXIF (EXIF 3.0, 4.6.2)."""
    order = _ORDERS.get(tiff[:4])
    if order is None or len(tiff) < 8:
        return 1
    (start,) = struct.unpack(f"{order}I", tiff[4:8])
    count = int.from_bytes(tiff[start : start + 2], "little" if order == "<" else "big")
    for at in range(start + 2, start + 2 + _ENTRY * count, _ENTRY):
        if at + _ENTRY > len(tiff):
            break
        tag, kind, values, value = struct.unpack(f"{order}HHIH", tiff[at : at + 10])
        if tag == _TAG and kind == _SHORT and values == 1:
            return value if 1 <= value <= 8 else 1
    return 1

"""JPEGs whose segments are odd: EXIF twice or late, several pictures, profiles in parts, wrong sizes, cut scans."""

from __future__ import annotations

import io
import re
import struct
from collections.abc import Callable
from random import Random

from PIL import ImageCms

from benchmarks.odd_media.scenes import OddFile, scene

_SOI = 2  # bytes before the first segment


def segment(marker: int, body: bytes) -> bytes:
    """Return a segment of a JPEG with its marker and length."""
    return struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body


def exif(orientation: int, *, order: str = "<", form: str = "H", second: bool = False, count: int = 1) -> bytes:
    """Return the TIFF part of an EXIF whose first directory, or else whose second, has an orientation."""
    mark = b"II*\0" if order == "<" else b"MM\0*"
    value = struct.pack(order + form, orientation).ljust(4, b"\0")
    entry = struct.pack(order + "HHI", 0x0112, 3 if form == "H" else 4, count) + value
    empty = struct.pack(order + "HI", 0, 14) if second else b""
    return mark + struct.pack(order + "I", 8) + empty + struct.pack(order + "H", 1) + entry + bytes(4)


def _saved(random: Random, **options: object) -> bytes:
    out = io.BytesIO()
    scene(random, least=40).convert("RGB").save(out, "JPEG", quality=85, **options)
    return out.getvalue()


def _with(data: bytes, *segments: bytes, at: int = _SOI) -> bytes:
    return data[:at] + b"".join(segments) + data[at:]


def _exif(content: bytes) -> bytes:
    return segment(0xE1, b"Exif\0\0" + content)


def _profile_parts(random: Random) -> bytes:
    """Return the segments of a wide-gamut-like profile in three parts, in any order."""
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    step = -(-len(profile) // 3)
    parts = [
        segment(0xE2, b"ICC_PROFILE\0" + bytes((number + 1, 3)) + profile[number * step : (number + 1) * step])
        for number in range(3)
    ]
    random.shuffle(parts)
    return b"".join(parts)


def _frame(data: bytes) -> int:
    """Return where the header of the frame (SOF0 or SOF2) begins."""
    found = re.search(rb"\xff[\xc0\xc2]\0\x11\x08", data)
    assert found
    return found.start()


def _with_height(data: bytes, times: float) -> bytes:
    at = _frame(data) + 5
    height = int.from_bytes(data[at : at + 2], "big")
    return data[:at] + struct.pack(">H", round(times * height)) + data[at + 2 :]


def _cut_in_scan(random: Random) -> tuple[str, bytes]:
    data = _saved(random, progressive=True)
    scans = [found.start() for found in re.finditer(rb"\xff\xda", data)] + [len(data)]
    number = random.randrange(len(scans) - 1)
    share = random.uniform(0.1, 0.9)
    at = int(scans[number] + share * (scans[number + 1] - scans[number]))
    return f"progressive, cut in scan {number + 1} of {len(scans) - 1} at {100 * share:.0f} %", data[:at]


def _several(random: Random) -> bytes:
    out = io.BytesIO()
    first, second = scene(random, least=40).convert("RGB"), scene(random, least=40).convert("RGB")
    first.save(out, "MPO", save_all=True, append_images=[second])
    return out.getvalue()


def _thumbnail(random: Random) -> bytes:
    """Return an EXIF with a preview of another picture in its second directory."""
    small = io.BytesIO()
    scene(random).convert("RGB").resize((40, 30)).save(small, "JPEG")
    preview = small.getvalue()
    first = struct.pack("<HHHIHHI", 1, 0x0112, 3, 1, 6, 0, 26)
    second = struct.pack("<HHHIIHHIII", 2, 0x0201, 4, 1, 26 + 30, 0x0202, 4, 1, len(preview), 0)
    return b"II*\0" + struct.pack("<I", 8) + first + second + preview


_XMP = (
    b'http://ns.adobe.com/xap/1.0/\0<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf='
    b'"http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description xmlns:tiff="http://ns.adobe.com/tiff/1.0/" '
    b'tiff:Orientation="6"/></rdf:RDF></x:xmpmeta>'
)
_WAYS: dict[str, Callable[[Random], bytes]] = {
    "XMP before EXIF that turns": lambda r: _with(_saved(r), segment(0xE1, _XMP), _exif(exif(r.randint(2, 8)))),
    "EXIF twice": lambda r: _with(_saved(r), _exif(exif(r.randint(1, 8))), _exif(exif(r.randint(1, 8)))),
    "EXIF that is empty, then one that turns": lambda r: _with(
        _saved(r), segment(0xE1, b"Exif\0\0"), _exif(exif(r.randint(2, 8)))
    ),
    "EXIF before JFIF, big-endian": lambda r: _with(_saved(r), _exif(exif(r.randint(2, 8), order=">"))),
    "EXIF behind the tables": lambda r: _with(data := _saved(r), _exif(exif(r.randint(2, 8))), at=_frame(data)),
    "orientation as a long": lambda r: _with(_saved(r), _exif(exif(r.randint(2, 8), form="I"))),
    "orientation out of range": lambda r: _with(_saved(r), _exif(exif(r.choice((0, 9, 300))))),
    "orientation told twice over": lambda r: _with(_saved(r), _exif(exif(r.randint(2, 8), count=2))),
    "orientation of the preview alone": lambda r: _with(_saved(r), _exif(exif(6, second=True))),
    "EXIF cut within its entry": lambda r: _with(_saved(r), _exif(exif(r.randint(2, 8))[:-8])),
    "EXIF with a preview": lambda r: _with(_saved(r), _exif(_thumbnail(r))),
    "XMP alone turns": lambda r: _with(_saved(r), segment(0xE1, _XMP)),
    "several pictures": _several,
    "several pictures, the second cut": lambda r: _several(r)[:-300],
    "profile in parts": lambda r: _with(_saved(r), _profile_parts(r)),
    "profile that lacks a part": lambda r: _with(_saved(r), segment(0xE2, b"ICC_PROFILE\0\1\2" + bytes(300))),
    "height of 0, told behind the scan": lambda r: (
        _with_height(data := _saved(r), 0)[:-2] + segment(0xDC, data[(at := _frame(data) + 5) : at + 2]) + b"\xff\xd9"
    ),
    "taller than its scan": lambda r: _with_height(_saved(r), r.choice((1.5, 3))),
    "shorter than its scan": lambda r: _with_height(_saved(r), 0.6),
    "unknown segments": lambda r: _with(_saved(r), segment(0xEB, bytes(90)), segment(0xFE, b"x" * 60_000)),
    "a segment longer than the file": lambda r: _with(_saved(r), struct.pack(">BBH", 0xFF, 0xE5, 65_000)),
    "bytes between segments": lambda r: _with(data := _saved(r), b"\0\1\2\3", at=_frame(data)),
    "bytes before its start": lambda r: b"\r\n\0\0"[: r.randint(1, 4)] + _saved(r),
    "begins twice": lambda r: _saved(r)[:2] + _saved(r),
    "one picture behind another": lambda r: _saved(r) + _saved(r),
    "no table of quantization": lambda r: re.sub(rb"\xff\xdb\0\x43.{65}", b"", _saved(r), flags=re.DOTALL),
    "restarts in wrong order": lambda r: _saved(r, restart_marker_blocks=4).replace(b"\xff\xd1", b"\xff\xd3"),
    "no restart markers": lambda r: re.sub(rb"\xff[\xd0-\xd7]", b"", _saved(r, restart_marker_blocks=4)),
}


def odd_segments(random: Random) -> OddFile:
    """Return a JPEG with odd segments, or a progressive one cut within a scan."""
    if random.random() < 0.15:
        what, data = _cut_in_scan(random)
    else:
        what = random.choice(tuple(_WAYS))
        data = _WAYS[what](random)
    return OddFile(f"JPEG, {what}", "image/jpeg", data)

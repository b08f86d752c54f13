"""WebPs whose chunks are odd: EXIF that turns, flags that are wrong, frames that lie outside or are lacking."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable
from random import Random

from PIL import Image

from benchmarks.odd_media.scenes import OddFile, scene
from benchmarks.odd_media.segments import exif

Chunks = list[tuple[bytes, bytes]]
_ALPHA, _EXIF, _MOVING = 0x10, 0x08, 0x02


def riff(chunks: Chunks, *, padded: bool = True) -> bytes:
    """Return a WebP of chunks."""
    parts = b"".join(
        name + struct.pack("<I", len(body)) + body + (b"\0" * (len(body) % 2) if padded else b"")
        for name, body in chunks
    )
    return b"RIFF" + struct.pack("<I", 4 + len(parts)) + b"WEBP" + parts


def chunks_of(data: bytes) -> Chunks:
    """Return the chunks of a WebP."""
    found, at = [], 12
    while at + 8 <= len(data):
        length = int.from_bytes(data[at + 4 : at + 8], "little")
        found.append((data[at : at + 4], data[at + 8 : at + 8 + length]))
        at += 8 + length + length % 2
    return found


def _three(value: int) -> bytes:
    return value.to_bytes(3, "little")


def _head(size: tuple[int, int], flags: int) -> tuple[bytes, bytes]:
    return b"VP8X", bytes((flags, 0, 0, 0)) + _three(size[0] - 1) + _three(size[1] - 1)


def _saved(picture: Image.Image, random: Random) -> Chunks:
    """Return the chunks of a still's pixels."""
    out = io.BytesIO()
    picture.save(out, "WEBP", lossless=random.random() < 0.5, quality=85)
    return [one for one in chunks_of(out.getvalue()) if one[0] in (b"VP8 ", b"VP8L", b"ALPH")]


def _frame(
    random: Random,
    size: tuple[int, int],
    corner: tuple[int, int] = (0, 0),
    *,
    told: tuple[int, int] | None = None,
    opaque: bool = True,
) -> tuple[bytes, bytes]:
    """Return a frame of an animation; its corner is even."""
    picture = scene(random, opaque=opaque).resize(size)
    inner = riff(_saved(picture if not opaque else picture.convert("RGB"), random))[12:]
    width, height = told or size
    head = _three(corner[0] // 2) + _three(corner[1] // 2) + _three(width - 1) + _three(height - 1)
    return b"ANMF", head + _three(random.choice((0, 5, 90))) + bytes([random.randrange(4)]) + inner


def _moving(random: Random, frames: Chunks, size: tuple[int, int], *, ground: bytes = bytes(4)) -> Chunks:
    return [_head(size, _MOVING | _ALPHA), (b"ANIM", ground + b"\0\0"), *frames]


def _several(random: Random) -> tuple[tuple[int, int], Chunks]:
    size = random.randint(40, 120), random.randint(40, 120)
    frames = []
    for _ in range(random.randint(2, 4)):
        side = random.randint(4, size[0]), random.randint(4, size[1])
        corner = random.randint(0, size[0] - side[0]) // 2 * 2, random.randint(0, size[1] - side[1]) // 2 * 2
        frames.append(_frame(random, side, corner, opaque=random.random() < 0.5))
    return size, frames


def _still(random: Random, *, flags: int, more: Chunks, opaque: bool = True, larger: int = 0) -> Chunks:
    picture = scene(random, opaque=opaque)
    size = picture.width + larger, picture.height + larger
    return [_head(size, flags), *_saved(picture.convert("RGB") if opaque else picture, random), *more]


def _animated(random: Random, change: Callable[[tuple[int, int], Chunks], Chunks] = lambda _, frames: frames) -> bytes:
    size, frames = _several(random)
    return riff(_moving(random, change(size, frames), size, ground=random.choice((bytes(4), b"\x20\x80\xf0\xff"))))


_WAYS: dict[str, Callable[[Random], bytes]] = {
    "EXIF that turns": lambda r: riff(_still(r, flags=_EXIF, more=[(b"EXIF", exif(r.randint(2, 8)))])),
    "EXIF with Exif's mark": lambda r: riff(
        _still(r, flags=_EXIF, more=[(b"EXIF", b"Exif\0\0" + exif(r.randint(2, 8)))])
    ),
    "EXIF that is not told": lambda r: riff(_still(r, flags=0, more=[(b"EXIF", exif(6))])),
    "transparent, and not told": lambda r: riff(_still(r, flags=0, more=[], opaque=False)),
    "told transparent, and opaque": lambda r: riff(_still(r, flags=_ALPHA, more=[])),
    "a canvas larger than its picture": lambda r: riff(_still(r, flags=0, more=[], larger=20)),
    "told to move, without frames": lambda r: riff(_still(r, flags=_MOVING, more=[])),
    "frames of every kind": _animated,
    "frames, again of every kind": _animated,
    "a single frame": lambda r: _animated(r, lambda _, frames: frames[:1]),
    "a frame outside": lambda r: _animated(r, lambda size, frames: [*frames, _frame(r, (8, 8), (size[0], 0))]),
    "a first frame outside": lambda r: _animated(r, lambda size, frames: [_frame(r, (8, 8), (size[0], 0)), *frames]),
    "a frame of another size than told": lambda r: _animated(
        r, lambda _, frames: [*frames, _frame(r, (8, 8), told=(20, 20))]
    ),
    "a frame without pixels": lambda r: _animated(r, lambda _, frames: [frames[0], (b"ANMF", frames[1][1][:16])]),
    "a first frame without pixels": lambda r: _animated(r, lambda _, frames: [(b"ANMF", frames[0][1][:16]), *frames]),
    "no head": lambda r: riff(_saved(scene(r), r)),
    "no ANIM": lambda r: riff([one for one in chunks_of(_animated(r)) if one[0] != b"ANIM"]),
    "no frames": lambda r: _animated(r, lambda _, frames: []),
    "told still, with frames": lambda r: (data := _animated(r))[:20] + bytes([data[20] & ~_MOVING]) + data[21:],
    "a later frame cut": lambda r: (data := _animated(r))[: len(data) - 30],
    "unknown chunks between": lambda r: riff([(one := _still(r, flags=0, more=[]))[0], (b"what", b"12345"), *one[1:]]),
    "an odd chunk without filling": lambda r: riff(_still(r, flags=_EXIF, more=[(b"EXIF", b"abc")]), padded=False),
    "two pictures": lambda r: riff([*_saved(scene(r), r)[-1:], *_saved(scene(r), r)[-1:]]),
    "bytes before the start": lambda r: b"\0" + riff(_saved(scene(r), r)),
    "bytes behind the end": lambda r: riff(_saved(scene(r), r)) + b"appended" * 40,
    "a wrong profile": lambda r: riff([(one := _still(r, flags=0x20, more=[]))[0], (b"ICCP", b"none"), *one[1:]]),
}


def odd_riff(random: Random) -> OddFile:
    """Return a WebP with odd chunks."""
    what = random.choice(tuple(_WAYS))
    return OddFile(f"WebP, {what}", "image/webp", _WAYS[what](random))

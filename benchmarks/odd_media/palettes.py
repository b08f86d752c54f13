"""GIFs, interlaced and animated, with broken tables and frames; lossless, lossy and animated WebPs."""

from __future__ import annotations

import io
import struct
from random import Random

from PIL import Image

from benchmarks.odd_media.scenes import OddFile, damaged, scene

_GIF_BREAKS = (
    "",
    "",
    "",
    "frame outside",
    "no table of colors",
    "wrong code size",
    "no end",
    "size 0",
    "text behind its end",
)


def _saved(picture: Image.Image, form: str, **options: object) -> bytes:
    out = io.BytesIO()
    picture.save(out, form, **options)
    return out.getvalue()


def odd_gif(random: Random) -> OddFile:
    """Return a still or an animated GIF."""
    first = scene(random, opaque=random.random() < 0.6)
    interlaced = random.random() < 0.5
    options: dict[str, object] = {"interlace": int(interlaced)}
    count = random.choice((1, 1, 2, 4))
    if count > 1:
        others = [scene(random).resize(first.size) for _ in range(count - 1)]
        options |= {"save_all": True, "append_images": others, "duration": random.choice((0, 20, 300))}
        options["disposal"] = random.randrange(4)
    data = bytearray(_saved(first, "GIF", **options))
    broken = random.choice(_GIF_BREAKS)
    frame = _first_frame(data)
    if broken == "frame outside":
        struct.pack_into("<H", data, frame + 1, first.width // 2)
    elif broken == "no table of colors":
        data[10] &= 0x7F
        table = 3 << (data[10] & 7) + 1
        del data[13 : 13 + table]
    elif broken == "wrong code size":
        local = 3 << (data[frame + 9] & 7) + 1 if data[frame + 9] & 0x80 else 0
        data[frame + 10 + local] = random.choice((1, 9, 12))
    elif broken == "no end":
        del data[-1]
    elif broken == "size 0":
        struct.pack_into("<HH", data, 6, 0, 0)
    elif broken:
        data += b"appended" * 9
    what, whole = damaged(random, bytes(data), start=min(len(data), frame + 10), whole=1.0 if broken else 0.3)
    name = f"GIF of {count} frames{', interlaced' if interlaced else ''}{broken and f', {broken}'}"
    return OddFile(name + what, "image/gif", whole)


def _first_frame(data: bytes | bytearray) -> int:
    """Return where the first frame's block begins."""
    at = 13 + (3 << (data[10] & 7) + 1 if data[10] & 0x80 else 0)
    while data[at] == 0x21:
        at += 2
        while data[at]:
            at += 1 + data[at]
        at += 1
    return at


def odd_webp(random: Random) -> OddFile:
    """Return a WebP."""
    lossless, opaque = random.random() < 0.6, random.random() < 0.5
    first = scene(random, opaque=opaque)
    options: dict[str, object] = {"lossless": lossless, "quality": 80, "method": 3}
    moving = random.random() < 0.3
    if moving:
        options |= {
            "save_all": True,
            "append_images": [scene(random).resize(first.size) for _ in range(2)],
            "duration": 90,
        }
    data = bytearray(_saved(first.convert("RGB") if opaque else first, "WEBP", **options))
    broken = random.choice(("", "", "", "", "length too small", "length too large", "unknown chunk"))
    if broken == "length too small":
        struct.pack_into("<I", data, 4, len(data) - 8 - 20)
    elif broken == "length too large":
        struct.pack_into("<I", data, 4, len(data) + 400)
    elif broken:
        data += b"abcd" + struct.pack("<I", 8) + b"whatever"
        struct.pack_into("<I", data, 4, len(data) - 8)
    what, whole = damaged(random, bytes(data), start=30, whole=1.0 if broken else 0.25)
    name = (
        f"WebP {'lossless' if lossless else 'lossy'}{'' if opaque else ', transparent'}{', animated' if moving else ''}"
    )
    return OddFile(name + (broken and f", {broken}") + what, "image/webp", whole)

"""Bitmaps and icons whose headers are wrong, and runs that skip; pictures within icons that lie or are cut."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable
from random import Random

import numpy as np
from PIL import Image

from benchmarks.odd_media.scenes import OddFile, pixels, scene

_FILE = 14  # bytes of the first header


def bitmap(
    size: tuple[int, int],
    bits: int,
    body: bytes,
    *,
    palette: bytes = b"",
    packing: int = 0,
    header: int = 40,
    colors: int = 0,
    start: int | None = None,
    planes: int = 1,
    masks: bytes = b"",
) -> bytes:
    """Return a bitmap; a `start` tells where the pixels begin, rightly by default."""
    head = struct.pack("<IiiHHIIiiII", header, *size, planes, bits, packing, len(body), 2835, 2835, colors, 0)
    head += masks.ljust(header - 40, b"\0") if header > 40 else masks
    before = _FILE + len(head) + len(palette)
    told = before if start is None else start
    return b"BM" + struct.pack("<IHHI", before + len(body), 0, 0, told) + head + palette + body


def _rows(samples: np.ndarray) -> bytes:
    """Return rows from the last to the first, each filled to four bytes."""
    flat = samples.reshape(len(samples), -1)[::-1]
    return np.pad(flat, ((0, 0), (0, -flat.shape[1] % 4))).tobytes()


def _deep(random: Random, **options: object) -> bytes:
    """Return a bitmap of 24 bits."""
    picture = scene(random)
    return bitmap(picture.size, 24, _rows(pixels(picture)[..., 2::-1]), **options)  # type: ignore[arg-type]


def _with_alpha(random: Random, *, header: int, packing: int, level: int | None) -> bytes:
    """Return a bitmap of 32 bits whose last byte is `level`, or the transparency of the picture."""
    picture = scene(random, opaque=False)
    shown = pixels(picture)[..., (2, 1, 0, 3)].copy()
    if level is not None:
        shown[..., 3] = level
    masks = struct.pack("<4I", 0xFF0000, 0xFF00, 0xFF, 0xFF000000) if packing or header > 40 else b""
    return bitmap(picture.size, 32, _rows(shown), header=header, packing=packing, masks=masks)


def _of_palette(random: Random, *, count: int = 256, told: int = 0, stored: int | None = None, **options: int) -> bytes:
    few = scene(random).convert("RGB").quantize(count)
    table = np.reshape(np.frombuffer(bytes(few.getpalette() or b"").ljust(3 * count, b"\0"), np.uint8), (-1, 3))
    palette = b"".join(bytes((*color[::-1], 0)) for color in table[: stored or count])
    return bitmap(few.size, 8, _rows(np.asarray(few)), palette=palette, colors=told, **options)  # type: ignore[arg-type]


def _runs(random: Random, *, way: str) -> bytes:
    """Return a bitmap of runs that skips pixels or rows, has literal runs, or ends early."""
    few = scene(random).convert("RGB").quantize(256)
    places = np.asarray(few)[::-1]
    table = np.reshape(np.frombuffer(bytes(few.getpalette() or b"").ljust(768, b"\0"), np.uint8), (-1, 3))
    palette = b"".join(bytes((*color[::-1], 0)) for color in table)
    body = b""
    for number, row in enumerate(places):
        if way == "skips" and number % 7 == 3:
            body += b"\0\2" + bytes((min(9, len(row) - 1), 0))
            row = row[9:]
        elif way == "skips rows" and number == 5:
            body += b"\0\2\0\3"
        elif way == "ends early" and number == len(places) * 2 // 3:
            break
        while len(row):
            part, row = row[:200], row[200:]
            if len(part) >= 3 and number % 2:
                body += bytes((0, len(part))) + part.tobytes() + b"\0" * (len(part) % 2)
            else:
                body += b"".join(bytes((1, int(place))) for place in part)
        if way == "too long" and number % 5 == 0:
            body += bytes((90, 3))
        body += b"\0\0"
    return bitmap(few.size, 8, body + b"\0\1", palette=palette, packing=1)


def _other(random: Random, form: str, packing: int) -> bytes:
    """Return a bitmap that holds a JPEG or a PNG."""
    picture = scene(random).convert("RGB")
    out = io.BytesIO()
    picture.save(out, form)
    return bitmap(picture.size, 0, out.getvalue(), packing=packing)


_BITMAPS: dict[str, Callable[[Random], bytes]] = {
    "pixels told to begin at 0": lambda r: _deep(r, start=0),
    "pixels told to begin behind the end": lambda r: _deep(r, start=10_000_000),
    "pixels told to begin too early": lambda r: _deep(r, start=30),
    "0 planes": lambda r: _deep(r, planes=0),
    "3 planes": lambda r: _deep(r, planes=3),
    "a negative width": lambda r: (data := _deep(r))[:18] + struct.pack("<i", -40) + data[22:],
    "a height of 0": lambda r: (data := _deep(r))[:22] + bytes(4) + data[26:],
    "the file's length wrong": lambda r: (data := _deep(r))[:2] + struct.pack("<I", 17) + data[6:],
    "32 bits, the fourth byte 0": lambda r: _with_alpha(r, header=40, packing=0, level=0),
    "32 bits, the fourth byte 255": lambda r: _with_alpha(r, header=40, packing=0, level=255),
    "32 bits, the fourth byte transparency": lambda r: _with_alpha(r, header=40, packing=0, level=None),
    "version 3, transparency": lambda r: _with_alpha(r, header=56, packing=3, level=None),
    "version 4, transparency": lambda r: _with_alpha(r, header=108, packing=3, level=None),
    "version 4, transparency untold": lambda r: _with_alpha(r, header=108, packing=0, level=None),
    "version 5, transparency 0": lambda r: _with_alpha(r, header=124, packing=3, level=0),
    "fields of four told": lambda r: _with_alpha(r, header=40, packing=6, level=None),
    "fewer colors told": lambda r: _of_palette(r, told=20),
    "fewer colors told and there": lambda r: _of_palette(r, told=20, stored=20),
    "more colors told": lambda r: _of_palette(r, told=300),
    "a palette with a gap behind": lambda r: _of_palette(r, start=_FILE + 40 + 1024),
    "runs": lambda r: _runs(r, way=""),
    "runs that skip": lambda r: _runs(r, way="skips"),
    "runs that skip rows": lambda r: _runs(r, way="skips rows"),
    "runs that end early": lambda r: _runs(r, way="ends early"),
    "runs that are too long": lambda r: _runs(r, way="too long"),
    "a JPEG within": lambda r: _other(r, "JPEG", 4),
    "a PNG within": lambda r: _other(r, "PNG", 5),
    "bytes before the start": lambda r: b"\0" + _deep(r),
}


def odd_header(random: Random) -> OddFile:
    """Return a bitmap whose header or runs are odd."""
    what = random.choice(tuple(_BITMAPS))
    return OddFile(f"BMP, {what}", "image/bmp", _BITMAPS[what](random))


def _part(picture: Image.Image, bits: int, *, mask: bool = True, doubled: bool = True, alpha: bool = True) -> bytes:
    """Return the bitmap of an icon."""
    shown = pixels(picture)[..., (2, 1, 0, 3)].copy()
    if not alpha:
        shown[..., 3] = 0
    height = picture.height * (2 if doubled else 1)
    head = struct.pack("<IiiHHIIiiII", 40, picture.width, height, 1, bits, 0, 0, 0, 0, 0, 0)
    body = _rows(shown if bits == 32 else np.ascontiguousarray(shown[..., :3]))
    hidden = np.packbits(pixels(picture)[..., 3] < 128, axis=1)
    return head + body + (_rows(hidden) if mask else b"")


def _png(picture: Image.Image) -> bytes:
    out = io.BytesIO()
    picture.save(out, "PNG")
    return out.getvalue()


def icon(parts: list[tuple[tuple[int, int], int, bytes]], *, kind: int = 1, count: int | None = None) -> bytes:
    """Return an icon of pictures, each with the size and depth that its entry tells; a size of 256 is written 0."""
    at = 6 + 16 * len(parts)
    head = struct.pack("<HHH", 0, kind, len(parts) if count is None else count)
    for (width, height), bits, body in parts:
        head += struct.pack("<BBBBHHII", width % 256, height % 256, 0, 0, 1, bits, len(body), at)
        at += len(body)
    return head + b"".join(body for _, _, body in parts)


_ICONS = (
    *("PNG of another size than told", "of 300 pixels as PNG", "not square", "no mask", "no mask, no transparency"),
    *("transparency of 0 and a mask", "not doubled", "cut in its pixels", "cut in its mask", "cut before its pixels"),
    *("more pictures told", "no pictures told", "a picture outside", "equal sizes", "kind of 3", "a JPEG within"),
    *("length told wrong", "the larger one broken", "PNG that is cut"),
)


def odd_picture(random: Random) -> OddFile:
    """Return an icon whose entries or pictures are odd."""
    way = random.choice(_ICONS)
    side = random.choice((16, 32, 48))
    picture = scene(random, opaque=False).resize((side, side))
    bits = random.choice((24, 32))
    part = _part(picture, bits)
    parts = [((side, side), bits, part)]
    options: dict[str, int] = {}
    if way == "PNG of another size than told":
        parts = [((16, 16), 32, _png(picture.resize((90, 70))))]
    elif way == "of 300 pixels as PNG":
        parts = [((256, 256), 32, _png(picture.resize((300, 300))))]
    elif way == "not square":
        parts = [((side, 20), bits, _part(picture.resize((side, 20)), bits))]
    elif way == "no mask":
        parts = [((side, side), 32, _part(picture, 32, mask=False))]
    elif way == "no mask, no transparency":
        parts = [((side, side), 24, _part(picture, 24, mask=False))]
    elif way == "transparency of 0 and a mask":
        parts = [((side, side), 32, _part(picture, 32, alpha=False))]
    elif way == "not doubled":
        parts = [((side, side), bits, _part(picture, bits, doubled=False))]
    elif way == "more pictures told":
        options["count"] = 5
    elif way == "no pictures told":
        options["count"] = 0
    elif way == "equal sizes":
        parts.append(((side, side), bits, _part(scene(random, opaque=False).resize((side, side)), bits)))
    elif way == "kind of 3":
        options["kind"] = 3
    elif way == "a JPEG within":
        out = io.BytesIO()
        picture.convert("RGB").save(out, "JPEG")
        parts = [((side, side), 32, out.getvalue())]
    elif way == "the larger one broken":
        parts.append(((64, 64), 32, b"nothing at all of a picture" * 9))
    elif way == "PNG that is cut":
        png = _png(picture.resize((64, 64)))
        parts = [((64, 64), 32, png[: len(png) * 2 // 3])]
    data = icon(parts, **options)
    if way.startswith("cut"):
        start, end = {
            "cut in its pixels": (0.3, 0.8),
            "cut in its mask": (0.95, 0.99),
            "cut before its pixels": (0, 0),
        }[way]
        mask = side * 4 if way == "cut in its mask" else 0
        data = data[: 22 + 40 + int(random.uniform(start, end) * (len(part) - 40))] if not mask else data[: -side * 2]
    elif way == "a picture outside":
        data = data[:18] + struct.pack("<I", 10_000_000) + data[22:]
    elif way == "length told wrong":
        data = data[:14] + struct.pack("<I", random.choice((1, 50, 1_000_000))) + data[18:]
    return OddFile(f"icon of {side} pixels, {bits} bits: {way}", "image/x-icon", data)

"""PNGs of every type of color and depth, interlaced or not, and animated ones with a broken sequence."""

from __future__ import annotations

import struct
import zlib
from random import Random

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from benchmarks.odd_media.scenes import OddFile, damaged, pixels, scene

_HEAD = b"\x89PNG\r\n\x1a\n"
_GRAY, _RGB, _PALETTE, _GRAY_ALPHA, _RGBA = 0, 2, 3, 4, 6
_DEPTHS = {_GRAY: (1, 2, 4, 8, 16), _RGB: (8, 16), _PALETTE: (1, 2, 4, 8), _GRAY_ALPHA: (8, 16), _RGBA: (8, 16)}
_NAMES = {_GRAY: "grey", _RGB: "RGB", _PALETTE: "palette", _GRAY_ALPHA: "grey with alpha", _RGBA: "RGBA"}
# First column, first row, steps across and down of each pass (PNG specification, 8.2).
_ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))


def chunk(name: bytes, body: bytes) -> bytes:
    """Return a chunk with its length and checksum."""
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def odd_png(random: Random) -> OddFile:
    """Return a still PNG."""
    color = random.choice(tuple(_DEPTHS))
    depth = random.choice(_DEPTHS[color])
    interlaced = random.random() < 0.5
    extras, samples = _samples(random, color, depth)
    name = f"PNG {_NAMES[color]}, {depth} bits{', interlaced' if interlaced else ''}"
    name += ", one color transparent" if any(extra[4:8] == b"tRNS" for extra in extras) else ""
    height, width = samples.shape[:2]
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, interlaced))
    packed = zlib.compress(_rows(random, samples, depth, interlaced))
    size = random.choice((len(packed), 200, 8192))
    parts = [chunk(b"IDAT", packed[at : at + size]) for at in range(0, len(packed), size)]
    data = _HEAD + header + b"".join(extras) + b"".join(parts) + chunk(b"IEND", b"")
    what, data = damaged(random, data, start=len(_HEAD) + len(header), whole=0.45)
    return OddFile(name + what, "image/png", data)


def _samples(random: Random, color: int, depth: int) -> tuple[list[bytes], NDArray[np.uint16]]:
    """Return the chunks before the pixels, and the samples, [height, width, channels]."""
    picture = scene(random, opaque=color not in (_GRAY_ALPHA, _RGBA))
    extras = []
    if color == _PALETTE:
        few = picture.convert("RGB").quantize(2**depth)
        palette = bytes(few.getpalette() or b"")[: 3 * 2**depth]
        extras.append(chunk(b"PLTE", palette))
        if random.random() < 0.5:
            extras.append(
                chunk(b"tRNS", bytes(random.choice((0, 90, 255)) for _ in range(random.randint(1, 2**depth))))
            )
        places: NDArray[np.uint16] = np.asarray(few, np.uint16)[..., None]
        return extras, places
    whole = pixels(picture)
    gray = np.asarray(picture.convert("L"))[..., None]
    alpha = whole[..., 3:]
    channels = {
        _GRAY: gray,
        _RGB: whole[..., :3],
        _GRAY_ALPHA: np.concatenate([gray, alpha], 2),
        _RGBA: whole,
    }[color].astype(np.uint16)
    samples = (channels * 257 if depth == 16 else channels >> (8 - depth)).astype(np.uint16)
    if color in (_GRAY, _RGB) and random.random() < 0.5:
        extras.append(chunk(b"tRNS", b"".join(struct.pack(">H", int(level)) for level in samples[0, 0])))
    return extras, samples


def _rows(random: Random, samples: NDArray[np.uint16], depth: int, interlaced: bool) -> bytes:
    """Return the filtered rows of all passes."""
    passes = _ADAM7 if interlaced else ((0, 0, 1, 1),)
    found = b""
    for left, top, across, down in passes:
        part = samples[top::down, left::across]
        if part.size:
            found += _filtered(random, part, depth)
    return found


def _filtered(random: Random, part: NDArray[np.uint16], depth: int) -> bytes:
    height, _, channels = part.shape
    if depth == 16:
        rows = part.astype(">u2").reshape(height, -1).view(np.uint8)
    elif depth == 8:
        rows = part.astype(np.uint8).reshape(height, -1)
    else:
        bits = (part[..., 0, None] >> np.arange(depth - 1, -1, -1)) & 1
        rows = np.packbits(bits.astype(np.uint8).reshape(height, -1), axis=1)
    step = max(1, channels * depth // 8)
    found, before = b"", np.zeros(rows.shape[1], np.uint8)
    for row in rows:
        way = random.choice((0, 1, 2))
        reference = (np.zeros_like(row), np.concatenate([np.zeros(step, np.uint8), row[:-step]])[: len(row)], before)[
            way
        ]
        found += bytes([way]) + (row - reference).astype(np.uint8).tobytes()
        before = row
    return found


_BREAKS = (
    "",
    "",
    "wrong sequence number",
    "frame outside",
    "too many frames told",
    "frame without pixels",
    "late acTL",
)


def odd_apng(random: Random) -> OddFile:
    """Return an animated PNG; its default picture may be no frame of it, and its sequence may be broken."""
    first = scene(random)
    others = [scene(random).resize(first.size) for _ in range(random.randint(1, 3))]
    apart, broken = random.random() < 0.5, random.choice(_BREAKS)
    frames = others if apart else [first, *others]
    number = 0
    actl = chunk(b"acTL", struct.pack(">II", len(frames) + (3 if broken == "too many frames told" else 0), 0))
    parts = [] if broken == "late acTL" else [actl]

    def control(frame: Image.Image, *, outside: bool = False) -> bytes:
        nonlocal number
        right = frame.width // 2 if outside else 0
        ways = (0, 0) if random.random() < 0.5 else (random.randrange(3), random.randrange(2))
        body = struct.pack(">IIIIIHHBB", number, *frame.size, right, 0, 1, 10, *ways)
        number += 1
        return chunk(b"fcTL", body)

    if not apart:
        parts.append(control(first))
    parts.append(chunk(b"IDAT", _packed(first)))
    if broken == "late acTL":
        parts.append(actl)
    broken_at = random.randrange(len(others))
    for place, other in enumerate(others):
        here = place == broken_at
        # An offset and a smaller area, so that frames are laid over each other.
        frame = other.crop((0, 0, max(1, other.width * 2 // 3), other.height)) if random.random() < 0.4 else other
        parts.append(control(frame, outside=here and broken == "frame outside"))
        if here and broken == "frame without pixels":
            continue
        told = number + (50 if here and broken == "wrong sequence number" else 0)
        parts.append(chunk(b"fdAT", struct.pack(">I", told) + _packed(frame)))
        number += 1
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", *first.size, 8, 6, 0, 0, 0))
    data = _HEAD + header + b"".join(parts) + chunk(b"IEND", b"")
    what, data = damaged(random, data, start=len(_HEAD) + len(header), whole=1.0 if broken else 0.4)
    name = f"APNG of {len(frames)} frames{', another default picture' if apart else ''}{broken and f', {broken}'}"
    return OddFile(name + what, "image/png", data)


def _packed(frame: Image.Image) -> bytes:
    rows = pixels(frame).reshape(frame.height, -1)
    return zlib.compress(b"".join(b"\0" + row.tobytes() for row in rows))

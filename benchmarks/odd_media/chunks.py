"""PNGs whose chunks are late, twice, lacking, in another order or not known, animated ones among them."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from random import Random

import numpy as np
from PIL import Image

from benchmarks.odd_media.pngs import chunk
from benchmarks.odd_media.scenes import OddFile, pixels, scene
from benchmarks.odd_media.segments import exif

_HEAD = b"\x89PNG\r\n\x1a\n"
_RGBA, _RGB, _PALETTE = 6, 2, 3


@dataclass(frozen=True)
class _Parts:
    """The chunks of a PNG: those before the pixels, those of the pixels, and those behind them."""

    header: bytes
    before: tuple[bytes, ...]
    pixels: tuple[bytes, ...]
    behind: tuple[bytes, ...] = (chunk(b"IEND", b""),)

    def data(self) -> bytes:
        return _HEAD + self.header + b"".join((*self.before, *self.pixels, *self.behind))


def _rows(samples: np.ndarray) -> bytes:
    return b"".join(b"\0" + row.tobytes() for row in samples.reshape(len(samples), -1))


def _header(size: tuple[int, int], bits: int, color: int, *, interlaced: int = 0) -> bytes:
    return chunk(b"IHDR", struct.pack(">IIBBBBB", *size, bits, color, 0, 0, interlaced))


def _plain(random: Random, *, color: int = _RGBA) -> tuple[_Parts, bytes]:
    """Return the parts of a whole PNG, and its rows before they were packed."""
    picture = scene(random, opaque=color != _RGBA)
    samples = pixels(picture)
    before: tuple[bytes, ...] = ()
    if color == _RGB:
        samples = samples[..., :3]
    if color == _PALETTE:
        few = picture.convert("RGB").quantize(32)
        before = (chunk(b"PLTE", bytes(few.getpalette() or b"")[:96]),)
        samples = np.asarray(few)
    rows = _rows(np.ascontiguousarray(samples))
    packed = zlib.compress(rows)
    half = len(packed) // 2
    parts = _Parts(
        _header(picture.size, 8, color), before, (chunk(b"IDAT", packed[:half]), chunk(b"IDAT", packed[half:]))
    )
    return parts, rows


def _around(
    random: Random, *, before: tuple[bytes, ...] = (), behind: tuple[bytes, ...] = (), color: int = _RGBA
) -> bytes:
    parts, _ = _plain(random, color=color)
    return replace(parts, before=parts.before + before, behind=behind + parts.behind).data()


def _between(random: Random, *chunks: bytes) -> bytes:
    parts, _ = _plain(random)
    return replace(parts, pixels=(parts.pixels[0], *chunks, *parts.pixels[1:])).data()


def _packed(random: Random, change: Callable[[bytes], bytes]) -> bytes:
    """Return a PNG whose rows are packed as `change` does."""
    parts, rows = _plain(random)
    return replace(parts, pixels=(chunk(b"IDAT", change(rows)),)).data()


def _window(rows: bytes) -> bytes:
    """Return rows packed with a header that tells a window smaller than was used."""
    packed = bytearray(zlib.compress(rows))
    packed[0] = 0x18
    packed[1] = 31 - (packed[0] * 256) % 31
    return bytes(packed)


def _palette(random: Random, *, order: str) -> bytes:
    parts, _ = _plain(random, color=_PALETTE)
    hidden = chunk(b"tRNS", bytes((0, 128, 0, 255)))
    (table,) = parts.before
    before, behind = {
        "tRNS before PLTE": ((hidden, table), ()),
        "tRNS behind the pixels": ((table,), (hidden,)),
        "PLTE behind the pixels": ((), (table,)),
        "PLTE twice": ((table, chunk(b"PLTE", bytes(96))), ()),
        "tRNS longer than PLTE": ((table, chunk(b"tRNS", bytes(60))), ()),
        "tRNS twice": ((table, hidden, chunk(b"tRNS", bytes(8))), ()),
        "colors beyond PLTE": ((chunk(b"PLTE", table[8:-4][:24]),), ()),
        "PLTE of 4 bytes": ((chunk(b"PLTE", bytes(4)),), ()),
        "no PLTE": ((), ()),
    }[order]
    return replace(parts, before=before, behind=(*behind, *parts.behind)).data()


def _colors(random: Random) -> bytes:
    told = {
        "gAMA": chunk(b"gAMA", struct.pack(">I", random.choice((45455, 100_000, 20_000, 0)))),
        "sRGB": chunk(b"sRGB", b"\0"),
        "cHRM": chunk(
            b"cHRM", struct.pack(">8I", 31270, 32900, *random.choice(((64000, 33000, 30000, 60000, 15000, 6000),
                                                                        (68000, 32000, 26500, 69000, 15000, 6000))))
        ),
        "sBIT": chunk(b"sBIT", b"\5\6\5\x08"),
        "cICP": chunk(b"cICP", bytes(random.choice(((12, 13, 0, 1), (1, 13, 0, 1), (9, 16, 0, 1))))),
    }  # fmt: skip
    names = random.sample(sorted(told), 2)
    return _around(random, before=tuple(told[name] for name in names))


_WAYS: dict[str, Callable[[Random], bytes]] = {
    "eXIf": lambda r: _around(r, before=(chunk(b"eXIf", exif(r.randint(2, 8))),)),
    "eXIf behind the pixels": lambda r: _around(r, behind=(chunk(b"eXIf", exif(r.randint(2, 8))),)),
    "eXIf twice": lambda r: _around(
        r, before=(chunk(b"eXIf", exif(r.randint(1, 8))), chunk(b"eXIf", exif(r.randint(1, 8))))
    ),
    "eXIf with Exif's mark": lambda r: _around(r, before=(chunk(b"eXIf", b"Exif\0\0" + exif(r.randint(2, 8))),)),
    "eXIf with a wrong checksum": lambda r: _around(r, before=(chunk(b"eXIf", exif(r.randint(2, 8)))[:-1] + b"\0",)),
    "header twice": lambda r: _around(r, before=(_header((10, 10), 8, _RGBA),)),
    "an unknown critical chunk": lambda r: _around(r, before=(chunk(b"ABCD", b"what"),)),
    "unknown chunks": lambda r: _around(r, before=(chunk(b"abCd", b"what"), chunk(b"prVt", bytes(9000)))),
    "a name that is no name": lambda r: _around(r, before=(chunk(b"1\x002!", b"what"),)),
    "text between the pixels": lambda r: _between(r, chunk(b"tEXt", b"Comment\0between")),
    "empty chunks of pixels": lambda r: _between(r, chunk(b"IDAT", b""), chunk(b"IDAT", b"")),
    "text without a separator": lambda r: _around(r, before=(chunk(b"tEXt", b"nothing"), chunk(b"zTXt", b"x"))),
    "no end": lambda r: replace(_plain(r)[0], behind=()).data(),
    "no pixels": lambda r: replace(_plain(r)[0], pixels=()).data(),
    "bytes behind the end": lambda r: _around(r) + b"appended" * 50,
    "a picture behind the end": lambda r: _around(r) + _around(r),
    "bytes before the start": lambda r: b"\xef\xbb\xbf" + _around(r),
    "a background": lambda r: _around(r, before=(chunk(b"bKGD", struct.pack(">3H", 250, 30, 30)),)),
    "colors told twice": _colors,
    "PLTE of an RGB picture": lambda r: _around(r, before=(chunk(b"PLTE", bytes(30)),), color=_RGB),
    "tRNS of an RGBA picture": lambda r: _around(r, before=(chunk(b"tRNS", bytes(6)),)),
    "a wrong sum of the rows": lambda r: _packed(r, lambda rows: zlib.compress(rows)[:-4] + b"abcd"),
    "no sum of the rows": lambda r: _packed(r, lambda rows: zlib.compress(rows)[:-4]),
    "too few rows": lambda r: _packed(r, lambda rows: zlib.compress(rows[: len(rows) * 2 // 3])),
    "too many rows": lambda r: _packed(r, lambda rows: zlib.compress(rows + rows)),
    "a small window": lambda r: _packed(r, _window),
    "an unknown filter": lambda r: _packed(r, lambda rows: zlib.compress(b"\7" + rows[1:])),
    "rows without zlib's header": lambda r: _packed(r, lambda rows: zlib.compress(rows)[2:]),
    "a chunk longer than the file": lambda r: _around(
        r, behind=(struct.pack(">I", 5_000_000) + b"tEXt" + b"Comment\0x",)
    ),
}
_ORDERS = (
    *("tRNS before PLTE", "tRNS behind the pixels", "PLTE behind the pixels", "PLTE twice", "tRNS longer than PLTE"),
    *("tRNS twice", "colors beyond PLTE", "PLTE of 4 bytes", "no PLTE"),
)


def odd_chunks(random: Random) -> OddFile:
    """Return a still PNG with odd chunks."""
    what = random.choice((*_WAYS, *_ORDERS))
    data = _WAYS[what](random) if what in _WAYS else _palette(random, order=what)
    return OddFile(f"PNG, {what}", "image/png", data)


@dataclass(frozen=True)
class _Frame:
    """A frame of an animated PNG: its picture, where it lies, how it is laid and removed, and how long it lasts."""

    picture: Image.Image
    corner: tuple[int, int] = (0, 0)
    disposal: int = 0
    blending: int = 0
    delay: tuple[int, int] = (1, 10)


def _control(number: int, frame: _Frame) -> bytes:
    return chunk(
        b"fcTL",
        struct.pack(
            ">IIIIIHHBB",
            *(number, *frame.picture.size, *frame.corner, *frame.delay, frame.disposal, frame.blending),
        ),
    )


def _pixels_of(frame: _Frame) -> bytes:
    return zlib.compress(_rows(pixels(frame.picture)))


def _animated(frames: list[_Frame], *, default: Image.Image | None = None, told: int | None = None) -> bytes:
    """Return an animated PNG; with a `default` picture, that one is no frame of it."""
    size = (default or frames[0].picture).size
    parts = [_HEAD, _header(size, 8, _RGBA), chunk(b"acTL", struct.pack(">II", told or len(frames), 0))]
    number = 0
    if default is not None:
        parts.append(chunk(b"IDAT", zlib.compress(_rows(pixels(default)))))
    for place, frame in enumerate(frames):
        parts.append(_control(number, frame))
        number += 1
        if place == 0 and default is None:
            parts.append(chunk(b"IDAT", _pixels_of(frame)))
        else:
            parts.append(chunk(b"fdAT", struct.pack(">I", number) + _pixels_of(frame)))
            number += 1
    return b"".join((*parts, chunk(b"IEND", b"")))


def odd_sequence(random: Random) -> OddFile:
    """Return an animated PNG whose frames are small, laid over each other in any way, blank, or last no time."""
    first = scene(random, opaque=random.random() < 0.5)
    frames = [_Frame(first, disposal=random.randrange(3), blending=random.randrange(2))]
    for _ in range(random.randint(1, 3)):
        width, height = random.randint(1, first.width), random.randint(1, first.height)
        corner = random.randint(0, first.width - width), random.randint(0, first.height - height)
        picture = scene(random, opaque=random.random() < 0.5).resize((width, height))
        frames.append(_Frame(picture, corner, random.randrange(3), random.randrange(2)))
    way = random.choice(
        ("", "", "default", "first blank", "no time", "one told", "more told", "none told", "one frame", "1 × 1 frames")
    )
    default, told = None, None
    if way == "default":
        default = scene(random).resize(first.size)
    elif way == "first blank":
        frames[0] = replace(frames[0], picture=Image.new("RGBA", first.size))
    elif way == "no time":
        frames = [replace(frame, delay=random.choice(((0, 0), (0, 100), (3, 0)))) for frame in frames]
    elif way == "one told":
        told = 1
    elif way == "more told":
        told = len(frames) + 2
    elif way == "one frame":
        frames = frames[:1]
    elif way == "1 × 1 frames":
        frames = [frames[0], *(replace(frame, picture=frame.picture.resize((1, 1))) for frame in frames[1:])]
    data = _animated(frames, default=default, told=told)
    if way == "none told":
        at = data.index(b"acTL")
        data = data[: at - 4] + chunk(b"acTL", bytes(8)) + data[at + 16 :]
    return OddFile(f"APNG of {len(frames)} frames{way and f', {way}'}", "image/png", data)

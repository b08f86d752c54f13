"""Hostile pictures: files of at most a few megabytes that are dear to decode, or that lie about themselves.

Each is made when it is asked for and is the same in every run. `hostile_pictures` yields them all; `Kind.make` makes
one. A decoder must refuse each of them, or decode it, within its limits of time and memory.
"""

from __future__ import annotations

import base64
import io
import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction

import av
import numpy as np
from PIL import Image

SIDE = 10_000  # pixels: 10,000 × 10,000 is the most that the usual setting max_pixels allows
SVG = '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" width="1000" height="1000">'


@dataclass(frozen=True)
class Kind:
    """A hostile file: a name whose first part is its kind (`svg`, `png` …), and a function that makes its bytes."""

    name: str
    make: Callable[[], bytes]


def hostile_pictures() -> Iterator[tuple[str, bytes]]:
    """Yield the name and the bytes of every hostile file, each made when it is asked for."""
    for kind in KINDS:
        yield kind.name, kind.make()


def _svg(body: str, *, head: str = SVG) -> bytes:
    return f"{head}{body}</svg>".encode()


def _repeated(pattern: str, times: int) -> str:
    """Return a pattern that many times, `%d` replaced by the number."""
    return "".join(pattern.replace("%d", str(number)).replace("%n", str(number + 1)) for number in range(times))


def _filtered(primitives: str, shapes: int = 15) -> bytes:
    shape = '<rect width="1000" height="1000" filter="url(#f)"/>'
    return _svg(f'<filter id="f" x="0" y="0" width="1" height="1">{primitives}</filter>{shape * shapes}')


def _nested(opening: str, closing: str, depth: int, inside: str = '<rect width="1000" height="1000"/>') -> bytes:
    return _svg(_repeated(opening, depth) + inside + closing * depth)


def _masks(depth: int) -> bytes:
    masks = _repeated(
        '<mask id="m%d"><rect width="1000" height="1000" fill="#eee" mask="url(#m%n)"/>'
        '<rect width="1000" height="1000" fill="#fff" mask="url(#m%n)"/></mask>',
        depth,
    )
    return _svg(f'{masks}<rect width="1000" height="1000" mask="url(#m0)"/>')


def _clips(depth: int) -> bytes:
    clips = _repeated(
        '<clipPath id="c%d" clip-path="url(#c%n)"><use href="#r"/><rect width="900" height="900"/></clipPath>', depth
    )
    drawn = '<rect width="1000" height="1000" clip-path="url(#c0)"/>' * 300
    return _svg(f'<rect id="r" width="990" height="990"/>{clips}{drawn}')


def _uses(depth: int, each: int) -> bytes:
    levels = "".join(
        f'<g id="u{level}">' + f'<use href="#u{level + 1}" x="1"/>' * each + "</g>" for level in range(depth)
    )
    return _svg(f'<defs>{levels}<circle id="u{depth}" r="400" opacity=".5"/></defs><use href="#u0"/>')


def _patterns(depth: int) -> bytes:
    patterns = _repeated(
        '<pattern id="p%d" width=".01" height=".01" patternUnits="userSpaceOnUse">'
        '<rect width="1" height="1" fill="url(#p%n)"/></pattern>',
        depth,
    )
    return _svg(patterns + '<rect width="1000" height="1000" fill="url(#p0)"/>' * 20)


def _zigzag(points: int) -> str:
    return "M0 0" + "".join(f"L{(number * 7919) % 1000} {(number * 104_729) % 1000}" for number in range(points))


def _raster_svg(times: int) -> bytes:
    picture = io.BytesIO()
    Image.new("1", (5000, 5000)).save(picture, "PNG")
    link = base64.b64encode(picture.getvalue()).decode()
    return _svg(f'<image width="900" height="900" href="data:image/png;base64,{link}"/>' * times)


def _style_rules(rules: int) -> bytes:
    sheet = "".join(f".a{number} > .b:first-child{{fill:#{number % 1000:03d}}}" for number in range(rules))
    return _svg(f"<style>{sheet}</style>" + '<g class="a1"><rect class="b" width="9" height="9"/></g>' * rules)


def _png_chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def _png(width: int, height: int, *, bits: int, color: int, before: bytes = b"", lines: int | None = None) -> bytes:
    """Return a PNG of one value, `before` standing before its pixels; `lines` cuts the pixels off."""
    channels = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[color]
    row = b"\0" + b"\x55" * ((width * bits * channels + 7) // 8)
    packer = zlib.compressobj(1)
    left = height if lines is None else lines
    block = max(1, min(left, (1 << 20) // len(row)))
    packed = b"".join(packer.compress(row * min(block, left - at)) for at in range(0, left, block)) + packer.flush()
    palette = _png_chunk(b"PLTE", bytes(range(256)) * 3) + _png_chunk(b"tRNS", bytes(256)) if color == 3 else b""
    header = _png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, color, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + palette + before + _png_chunk(b"IDAT", packed) + _png_chunk(b"IEND", b"")


def _zeroes(megabytes: int) -> bytes:
    packer = zlib.compressobj(9)
    return b"".join(packer.compress(bytes(1 << 20)) for _ in range(megabytes)) + packer.flush()


def _apng(width: int, height: int, frames: int, *, told: int | None = None) -> bytes:
    row = b"\0" + bytes((width + 7) // 8)
    packed = zlib.compress(row * height, 9)
    parts = [
        b"\x89PNG\r\n\x1a\n",
        _png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)),
        _png_chunk(b"acTL", struct.pack(">II", told or frames, 0)),
    ]
    number = 0
    for frame in range(frames):
        control = struct.pack(">IIIIIHHBB", number, width, height, 0, 0, 1, 100, 1, 1)
        parts.append(_png_chunk(b"fcTL", control))
        number += 1
        if frame:
            parts.append(_png_chunk(b"fdAT", struct.pack(">I", number) + packed))
            number += 1
        else:
            parts.append(_png_chunk(b"IDAT", packed))
    return b"".join([*parts, _png_chunk(b"IEND", b"")])


def _gif(width: int, height: int, frames: int, *, shown: tuple[int, int] = (1, 1), disposal: int = 2) -> bytes:
    """Return a GIF whose frames are one pixel's worth of data each, on a canvas of any size."""
    head = b"GIF89a" + struct.pack("<HHBBB", width, height, 0x80, 0, 0) + b"\0\0\0\xff\xff\xff"
    control = b"\x21\xf9\x04" + struct.pack("<BHBB", disposal << 2, 2, 0, 0)
    frame = control + b"\x2c" + struct.pack("<HHHHB", 0, 0, *shown, 0) + b"\x02\x02\x44\x01\0"
    return head + frame * frames + b"\x3b"


def _saved(kind: str, pictures: list[Image.Image], **how: object) -> bytes:
    out = io.BytesIO()
    more = {"save_all": True, "append_images": pictures[1:]} if len(pictures) > 1 else {}
    pictures[0].save(out, kind, **more, **how)  # type: ignore[arg-type]
    return out.getvalue()


def _flat_frames(size: tuple[int, int], frames: int, mode: str = "RGB") -> list[Image.Image]:
    return [Image.new(mode, size, (7 * number % 256,) * len(mode)) for number in range(frames)]


def _progressive(side: int, scans: int, *, mode: str = "L") -> bytes:
    """Return a progressive JPEG whose last scan is repeated; each scan walks over the whole picture."""
    plain = _saved("JPEG", [Image.new(mode, (side, side), 90)], progressive=True, quality=50)
    last = plain.rindex(b"\xff\xda")
    return plain[:-2] + plain[last:-2] * scans + b"\xff\xd9"


def _jpeg_with(segments: bytes, *, side: int = 64) -> bytes:
    plain = _saved("JPEG", [Image.new("RGB", (side, side), "red")])
    return plain[:2] + segments + plain[2:]


def _jpeg_size(width: int, height: int) -> bytes:
    plain = bytearray(_saved("JPEG", [Image.new("RGB", (64, 64), "red")]))
    at = plain.index(b"\xff\xc0")
    plain[at + 5 : at + 9] = struct.pack(">HH", height, width)
    return bytes(plain)


def _bmp(width: int, height: int, *, bits: int, compression: int, body: bytes, colors: int = 0) -> bytes:
    header = struct.pack("<IiiHHIIiiII", 40, width, height, 1, bits, compression, len(body), 0, 0, colors, 0)
    palette = bytes(4 * (colors or (256 if bits == 8 else 0)))
    start = 14 + len(header) + len(palette)
    return b"BM" + struct.pack("<IHHI", start + len(body), 0, 0, start) + header + palette + body


def make_film(
    container: str,
    codec: str,
    *,
    size: tuple[int, int] = (64, 48),
    frames: int = 10,
    apart: int = 1,
    keys: int = 12,
    pixels: str = "yuv420p",
) -> bytes:
    """Return a film of flat frames, `apart` ticks of 1/25 s between them."""
    out = io.BytesIO()
    with av.open(out, "w", format=container) as film:
        stream = film.add_stream(codec, rate=25)
        stream.width, stream.height = size
        stream.pix_fmt = pixels
        stream.codec_context.gop_size = keys
        stream.codec_context.thread_count = 1
        if codec == "vp8":
            stream.codec_context.options = {"deadline": "realtime", "cpu-used": "16"}
        for number in range(frames):
            frame = av.VideoFrame.from_ndarray(
                np.full((size[1], size[0], 3), (number * 16) % 256, np.uint8), format="rgb24"
            )
            frame.pts, frame.time_base = number * apart, Fraction(1, 25)
            film.mux(stream.encode(frame))
        film.mux(stream.encode())
    return out.getvalue()


def _mp4() -> bytearray:
    return bytearray(make_film("mp4", "mpeg4", frames=50))


def _patched(field: bytes, offset: int, value: bytes) -> bytes:
    """Return a film with bytes replaced that lie `offset` behind a box's name."""
    film = _mp4()
    at = film.index(field) + len(field) + offset
    film[at : at + len(value)] = value
    return bytes(film)


def _edit_list() -> bytes:
    film = _mp4()
    at = film.index(b"elst") + 8
    film[at : at + 12] = struct.pack(">Iii", 0x7FFFFFFF, 0x7FFFFFFF, 0x00000001)
    return bytes(film)


def _boxes(depth: int) -> bytes:
    inner = b""
    for _ in range(depth):
        inner = struct.pack(">I", len(inner) + 8) + b"moov" + inner
    return struct.pack(">I4s4sI4s", 20, b"ftyp", b"isom", 0, b"isom") + inner


def _endless_webm(clusters: int) -> bytes:
    """Return a WebM of unknown length whose clusters repeat, without an index or a duration."""
    film = make_film("webm", "vp8", frames=25, size=(320, 240))
    start = film.index(b"\x1f\x43\xb6\x75")
    end = film.find(b"\x1c\x53\xbb\x6b", start)
    return film[:start] + film[start : end if end > 0 else None] * clusters


KINDS: tuple[Kind, ...] = (
    # Drawings: short to write, dear to draw. The renderer holds Python's lock all the while.
    Kind(
        "svg-blur-15-rects",
        lambda: _filtered(
            '<feGaussianBlur stdDeviation="30"/><feGaussianBlur stdDeviation="31"/>'
            '<feDropShadow dx="5" dy="5" stdDeviation="20"/>'
        ),
    ),
    Kind("svg-blur-200-rects", lambda: _filtered('<feGaussianBlur stdDeviation="30"/>', shapes=200)),
    Kind("svg-80-primitives", lambda: _filtered('<feGaussianBlur stdDeviation="25"/>' * 80, shapes=1)),
    Kind("svg-drop-shadows", lambda: _filtered('<feDropShadow dx="5" dy="5" stdDeviation="20"/>' * 40)),
    Kind(
        "svg-lighting",
        lambda: _filtered(
            '<feSpecularLighting surfaceScale="5" specularExponent="20"><fePointLight x="50" y="50" z="99"/>'
            "</feSpecularLighting>" * 50
        ),
    ),
    Kind("svg-displacement", lambda: _filtered('<feDisplacementMap in2="SourceGraphic" scale="90"/>' * 60)),
    Kind("svg-composite", lambda: _filtered('<feComposite in2="SourceGraphic" operator="arithmetic" k1="1"/>' * 200)),
    Kind("svg-tile", lambda: _filtered('<feFlood x="0" y="0" width="1" height="1"/><feTile/>' * 60)),
    Kind(
        "svg-filter-in-pattern",
        lambda: _svg(
            '<filter id="f"><feGaussianBlur stdDeviation="9"/></filter><pattern id="p" width=".05" height=".05">'
            '<rect width="90" height="90" filter="url(#f)"/></pattern>'
            + '<rect width="1000" height="1000" fill="url(#p)"/>'
            * 300
        ),
    ),
    Kind("svg-nested-masks", lambda: _masks(16)),
    Kind(
        "svg-many-masks",
        lambda: _svg(
            '<mask id="m"><rect width="1000" height="1000" fill="#fff"/></mask>'
            + '<rect width="1000" height="1000" mask="url(#m)"/>' * 3000
        ),
    ),
    Kind("svg-nested-groups", lambda: _nested('<g opacity=".9"><rect width="1000" height="1000"/>', "</g>", 95)),
    Kind(
        "svg-blend-groups",
        lambda: _svg('<g style="mix-blend-mode:luminosity"><rect width="1000" height="1000" fill="red"/></g>' * 2500),
    ),
    Kind(
        "svg-isolated-groups",
        lambda: _svg(
            '<g style="isolation:isolate" opacity=".5"><g opacity=".5"><rect width="999" height="999"/></g></g>' * 2500
        ),
    ),
    Kind("svg-tiny-patterns", lambda: _patterns(8)),
    Kind(
        "svg-pattern-tiles",
        lambda: _svg(
            '<pattern id="p" width="1e-4" height="1e-4" patternUnits="userSpaceOnUse"><circle r="1"/></pattern>'
            + '<rect width="1000" height="1000" fill="url(#p)"/>' * 1000
        ),
    ),
    Kind(
        "svg-dashes",
        lambda: _svg('<path d="M0 0H1000000" stroke="red" stroke-width="900" stroke-dasharray=".001 .001"/>' * 200),
    ),
    Kind(
        "svg-dashed-curves",
        lambda: _svg(
            f'<path d="{_zigzag(3000)}" fill="none" stroke="red" stroke-dasharray=".01" stroke-linejoin="round"/>' * 8
        ),
    ),
    Kind("svg-zigzag", lambda: _svg(f'<path d="{_zigzag(60_000)}" fill-rule="evenodd"/>' * 3)),
    Kind(
        "svg-round-strokes",
        lambda: _svg(
            f'<path d="{_zigzag(30_000)}" fill="none" stroke="red" stroke-width="400" stroke-linejoin="round"/>'
        ),
    ),
    Kind("svg-long-text", lambda: _svg(f'<text font-size="9" y="50">{"Wg " * 300_000}</text>')),
    Kind(
        "svg-huge-text",
        lambda: _svg('<text font-size="100000" stroke="red" stroke-width="999" y="900">WWWWWW</text>' * 400),
    ),
    Kind(
        "svg-text-on-path",
        lambda: _svg(
            f'<path id="t" d="{_zigzag(5000)}"/><text><textPath href="#t">{"abc " * 20_000}</textPath></text>'
        ),
    ),
    Kind(
        "svg-glyph-positions", lambda: _svg(f'<text x="{"5 " * 60_000}" rotate="{"9 " * 60_000}">{"W" * 60_000}</text>')
    ),
    Kind("svg-nested-use", lambda: _uses(5, 9)),
    Kind("svg-use-bomb", lambda: _uses(12, 10)),
    Kind(
        "svg-use-circle", lambda: _svg('<g id="a"><use href="#b"/></g><g id="b"><use href="#a"/></g><use href="#a"/>')
    ),
    Kind("svg-rasters", lambda: _raster_svg(150)),
    Kind(
        "svg-gradients",
        lambda: _svg(
            '<radialGradient id="g">'
            + _repeated('<stop offset=".%d" stop-color="#f%d"/>', 5000)
            + "</radialGradient>"
            + '<rect width="1000" height="1000" fill="url(#g)"/>' * 3000
        ),
    ),
    Kind("svg-clip-paths", lambda: _clips(12)),
    Kind(
        "svg-markers",
        lambda: _svg(
            '<marker id="m" markerWidth="9999" markerHeight="9999" overflow="visible">'
            '<circle r="500" opacity=".4"/></marker>'
            f'<path d="{_zigzag(20_000)}" fill="none" stroke="red" marker-mid="url(#m)"/>'
        ),
    ),
    Kind("svg-big-shapes", lambda: _svg('<circle r="1e9" stroke="red" stroke-width="1e8" opacity=".5"/>' * 20_000)),
    Kind("svg-style-rules", lambda: _style_rules(6000)),
    Kind(
        "svg-view-box",
        lambda: _svg(
            "<rect width='9e8' height='1'/>",
            head='<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 999999999 1">',
        ),
    ),
    Kind(
        "svg-entities",
        lambda: (
            '<!DOCTYPE svg [<!ENTITY a "'
            + "lol" * 99
            + '">'
            + _repeated('<!ENTITY a%n "&a%d;&a%d;&a%d;&a%d;">', 20)
            + f"]>{SVG}<text>&a20;</text></svg>"
        ).encode(),
    ),
    Kind(
        "svg-outside-file",
        lambda: (f'<!DOCTYPE svg [<!ENTITY x SYSTEM "file:///etc/passwd">]>{SVG}<text>&x;</text></svg>').encode(),
    ),
    Kind("svg-deep", lambda: _svg("<g>" * 200_000 + "</g>" * 200_000)),
    Kind("svg-attributes", lambda: _svg(f"<rect {_repeated('a%d=' + chr(34) + 'url(' + chr(34) + ' ', 60_000)}/>")),
    Kind("svg-comments", lambda: b"<!--" * 1000 + _svg("<rect/>")),
    # PNG: a few kilobytes hold 100 million pixels.
    Kind("png-1-bit", lambda: _png(SIDE, SIDE, bits=1, color=0)),
    Kind("png-16-bit-grey", lambda: _png(SIDE, SIDE, bits=16, color=0)),
    Kind("png-16-bit-rgba", lambda: _png(SIDE, SIDE, bits=16, color=6)),
    Kind("png-rgba", lambda: _png(SIDE, SIDE, bits=8, color=6)),
    Kind("png-palette-transparent", lambda: _png(SIDE, SIDE, bits=8, color=3)),
    Kind("png-65535", lambda: _png(65_535, 65_535, bits=1, color=0, lines=1)),
    Kind("png-2-billion-wide", lambda: _png(2_000_000_000, 1, bits=1, color=0, lines=0)),
    Kind("png-one-line", lambda: _png(99_999_999, 1, bits=8, color=2)),
    Kind(
        "png-text-bomb",
        lambda: _png(9, 9, bits=8, color=2, before=_png_chunk(b"zTXt", b"Comment\0\0" + _zeroes(300)) * 3),
    ),
    Kind("png-profile-bomb", lambda: _png(9, 9, bits=8, color=2, before=_png_chunk(b"iCCP", b"p\0\0" + _zeroes(300)))),
    Kind("png-many-texts", lambda: _png(9, 9, bits=8, color=2, before=_png_chunk(b"tEXt", b"a\0b") * 120_000)),
    Kind("png-pixel-bomb", lambda: _png(9, 9, bits=8, color=2, lines=20_000_000)),
    Kind("apng-20-megapixels", lambda: _apng(5000, 4000, 60)),
    Kind("apng-20000-frames", lambda: _apng(8, 8, 20_000)),
    Kind("apng-4-billion-frames", lambda: _apng(1000, 1000, 3, told=0x7FFFFFFF)),
    # Animations: a large canvas for each of many tiny frames.
    Kind("gif-20-megapixels", lambda: _gif(5000, 4000, 500)),
    Kind("gif-full-frames", lambda: _gif(5000, 4000, 60, shown=(5000, 4000), disposal=3)),
    Kind("gif-100000-frames", lambda: _gif(1, 1, 100_000)),
    Kind("gif-65535", lambda: _gif(65_535, 65_535, 3)),
    Kind("gif-growing-frames", lambda: _gif(8, 8, 1)[:-1] + _gif(8, 8, 60, shown=(10_000, 10_000))[19:]),
    Kind(
        "webp-20-megapixels", lambda: _saved("WEBP", _flat_frames((5000, 4000), 4), lossless=True, quality=0, method=0)
    ),
    Kind(
        "webp-16383",
        lambda: _saved("WEBP", [Image.new("RGB", (9999, 9999), "red")], lossless=True, quality=0, method=0),
    ),
    Kind("avif-12-frames", lambda: _saved("AVIF", _flat_frames((3000, 2000), 12), speed=10)),
    Kind("avif-60-megapixels", lambda: _saved("AVIF", [Image.new("RGB", (8000, 7500), "red")], speed=10)),
    # JPEG: scans without end, headers that lie.
    Kind("jpeg-60-scans", lambda: _progressive(SIDE, 60)),
    Kind("jpeg-5000-scans", lambda: _progressive(5000, 5000)),
    Kind("jpeg-progressive-colour", lambda: _progressive(9000, 5, mode="RGB")),
    Kind("jpeg-65500", lambda: _jpeg_size(65_500, 65_500)),
    Kind("jpeg-empty-rows", lambda: _jpeg_size(9999, 9999)),
    Kind("jpeg-segments", lambda: _jpeg_with(b"\xff\xe3\0\x02" * 400_000)),
    Kind("jpeg-comments", lambda: _jpeg_with(b"\xff\xfe\0\x03a" * 300_000)),
    Kind("jpeg-fill-bytes", lambda: _jpeg_with(b"\xff" * 2_000_000)),
    Kind(
        "jpeg-exif",
        lambda: _jpeg_with(
            b"".join(
                b"\xff\xe1"
                + struct.pack(">H", 65_000 + 2)
                + b"Exif\0\0II*\0\x08\0\0\0"
                + struct.pack("<H", 5000)
                + (struct.pack("<HHII", 0x0112, 2, 0x7FFFFFFF, 8) * 5410)[:64_984]
                for _ in range(20)
            )
        ),
    ),
    Kind(
        "jpeg-profile",
        lambda: _jpeg_with(
            b"".join(
                b"\xff\xe2" + struct.pack(">H", 60_016) + b"ICC_PROFILE\0" + bytes((number, 60)) + bytes(60_000)
                for number in range(1, 61)
            )
        ),
    ),
    # BMP: run lengths and headers.
    Kind("bmp-rle", lambda: _bmp(SIDE, SIDE, bits=8, compression=1, body=b"\xff\x07" * 400_000 + b"\0\x01")),
    Kind("bmp-rle-jumps", lambda: _bmp(SIDE, SIDE, bits=8, compression=1, body=b"\0\x02\xff\xff" * 400_000)),
    Kind("bmp-rle-ends", lambda: _bmp(SIDE, SIDE, bits=8, compression=1, body=b"\0\0" * 1_000_000)),
    Kind("bmp-2-billion", lambda: _bmp(0x7FFFFFFF, 0x7FFFFFFF, bits=24, compression=0, body=b"")),
    Kind("bmp-negative", lambda: _bmp(9999, -9999, bits=1, compression=0, colors=2, body=bytes(1000))),
    # Films: sizes, durations, times and tables that lie.
    Kind("mp4-size", lambda: _patched(b"mp4v", 24, struct.pack(">HH", 65_535, 65_535))),
    Kind("mp4-duration", lambda: _patched(b"mdhd", 16, b"\x7f\xff\xff\xff")),
    Kind("mp4-time-scale", lambda: _patched(b"mdhd", 12, b"\0\0\0\x01")),
    Kind("mp4-edit-list", _edit_list),
    Kind("mp4-sample-durations", lambda: _patched(b"stts", 8, struct.pack(">II", 50, 0x7FFFFFFF))),
    Kind("mp4-sample-count", lambda: _patched(b"stsz", 4, struct.pack(">II", 100, 0xFFFFFFF0))),
    Kind("mp4-times-count", lambda: _patched(b"stts", 4, struct.pack(">III", 0x0FFFFFFF, 0x7FFFFFFF, 1))),
    Kind("mp4-chunk-offsets", lambda: _patched(b"stco", 4, struct.pack(">II", 0x0FFFFFFF, 0))),
    Kind("mp4-boxes", lambda: _boxes(3000)),
    Kind("mp4-one-key-frame", lambda: make_film("mp4", "mpeg4", size=(1280, 720), frames=150, keys=600)),
    Kind("mp4-100-megapixels", lambda: make_film("mp4", "mjpeg", size=(8000, 8000), frames=4, pixels="yuvj420p")),
    Kind("mp4-10000-frames", lambda: make_film("mp4", "mpeg4", size=(16, 16), frames=10_000, keys=600)),
    Kind("webm-sparse", lambda: make_film("webm", "vp8", frames=30, apart=25 * 86_400)),
    Kind("webm-endless", lambda: _endless_webm(150)),
    Kind("webm-size", lambda: make_film("webm", "vp8", size=(8000, 2000), frames=3)),
    Kind("mkv-cut", lambda: make_film("matroska", "mpeg4", frames=200)[:9000]),
    # What is no supported picture is refused at once, whatever it contains.
    Kind("other-psd", lambda: b"8BPS\0\x01" + bytes(6) + struct.pack(">HIIHH", 4, 300_000, 300_000, 8, 3)),
    Kind("other-tiff", lambda: b"II*\0\x08\0\0\0" + b"\xff" * 4000),
    Kind("other-icon", lambda: b"\0\0\x01\0\xff\xff" + b"\0\0\0\0\x01\0\x20\0\xff\xff\xff\x7f\x16\0\0\0" * 2000),
    Kind("other-targa", lambda: b"\0\0\x0a" + bytes(9) + b"\xff\xff\xff\xff\x20\0" + b"\xff\0\0\0\0" * 2000),
    Kind("other-playlist", lambda: b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n"),
    Kind("other-heic", lambda: struct.pack(">I4s4sI4s", 20, b"ftyp", b"heic", 0, b"mif1") + b"\xff" * 4000),
    Kind("other-zeroes", lambda: bytes(2_000_000)),
)

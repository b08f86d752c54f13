"""AVIFs whose boxes are written here: turned and mirrored, of several tiles, transparent, of more than 8 bits, HDR."""

from __future__ import annotations

import os
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from random import Random

import av
import numpy as np
from PIL import Image

from benchmarks.odd_media.scenes import OddFile, damaged, scene

# Primaries, transfer function and matrix by their numbers in ISO/IEC 23091-2.
COLORS = {
    "BT.709": (1, 13, 1),
    "P3": (12, 13, 6),
    "BT.2020": (9, 1, 9),
    "PQ": (9, 16, 9),
    "HLG": (9, 18, 9),
    "PQ of BT.709": (1, 16, 1),
}
_LUMINANCE = {1: (0.2126, 0.0722), 6: (0.299, 0.114), 9: (0.2627, 0.0593)}  # of red and blue, by the matrix


@dataclass(frozen=True)
class Coded:
    """One AV1 picture: its size, its configuration (av1C) and its bytes."""

    size: tuple[int, int]
    configuration: bytes
    data: bytes


def box(name: bytes, *parts: bytes) -> bytes:
    """Return a box of ISO/IEC 14496-12."""
    body = b"".join(parts)
    return struct.pack(">I", 8 + len(body)) + name + body


def full(name: bytes, *parts: bytes, version: int = 0, flags: int = 0) -> bytes:
    """Return a box with a version and flags."""
    return box(name, struct.pack(">I", version << 24 | flags), *parts)


def coded(planes: np.ndarray, *, bits: int = 8) -> Coded:
    """Return the AV1 of a picture's planes, [3, height, width] as shares of 0 to 1, chroma around .5; full range."""
    height, width = planes.shape[1:]
    form = "yuv420p10le" if bits == 10 else "yuv420p"
    frame = av.VideoFrame(width, height, form)
    top = 2**bits - 1
    for number, plane in enumerate(planes):
        wanted = (
            plane
            if number == 0
            else plane[: height // 2 * 2, : width // 2 * 2].reshape(height // 2, 2, width // 2, 2).mean((1, 3))
        )
        levels = np.clip(wanted * top, 0, top).round().astype("<u2" if bits == 10 else np.uint8)
        target = frame.planes[number]
        rows = np.zeros((target.height, target.line_size), np.uint8)
        packed = levels.view(np.uint8).reshape(len(levels), -1)
        rows[:, : packed.shape[1]] = packed
        target.update(rows.tobytes())
    os.environ.setdefault("SVT_LOG", "1")  # errors alone
    context = av.CodecContext.create("libsvtav1", "w")
    context.width, context.height, context.pix_fmt, context.time_base = width, height, form, Fraction(1, 25)
    context.color_range = frame.color_range = 2  # full
    context.options = {"preset": "8", "crf": "20"}
    data = b"".join(bytes(packet) for packet in [*context.encode(frame), *context.encode(None)])
    return Coded((width, height), bytes((0x81, 0x00, 0x4C if bits == 10 else 0x0C, 0)), data)


def planes_of(picture: Image.Image, *, matrix: int = 1, scale: float = 1.0) -> np.ndarray:
    """Return luminance and chroma, [3, height, width], of an RGB picture, its levels times `scale`."""
    colors = np.asarray(picture.convert("RGB"), np.float64) / 255 * scale
    red, blue = _LUMINANCE[matrix]
    luminance = colors @ (red, 1 - red - blue, blue)
    return np.stack(
        [
            luminance,
            (colors[..., 2] - luminance) / (2 - 2 * blue) + 0.5,
            (colors[..., 0] - luminance) / (2 - 2 * red) + 0.5,
        ]
    )


def avif(
    tiles: list[Coded],
    *,
    columns: int = 1,
    color: tuple[int, int, int] | None = COLORS["BT.709"],
    bits: int = 8,
    alpha: Coded | None = None,
    turns: int | None = None,
    mirror: int | None = None,
    output: tuple[int, int] | None = None,
    more: Sequence[tuple[bytes, bool]] = (),
    brand: bytes = b"avif",
) -> bytes:
    """Return an AVIF of one picture or a grid of tiles, turned (`irot`, quarters to the left) before mirrored.

    `more` are further properties of the picture, each with whether a reader must understand it.
    """
    grid = len(tiles) > 1
    rows = len(tiles) // columns
    size = output or (tiles[0].size[0] * columns, tiles[0].size[1] * rows)
    properties: list[bytes] = []
    associations: dict[int, list[int]] = {}

    def give(item: int, content: bytes, *, essential: bool = False) -> None:
        if content not in properties:
            properties.append(content)
        associations.setdefault(item, []).append((properties.index(content) + 1) | (0x80 if essential else 0))

    items: list[tuple[int, bytes, bytes]] = []
    references = b""
    first = 2 if grid else 1
    for number, tile in enumerate(tiles):
        items.append((first + number, b"av01", tile.data))
    if grid:
        items.insert(0, (1, b"grid", struct.pack(">BBBBHH", 0, 0, rows - 1, columns - 1, *size)))
        references += box(
            b"dimg", struct.pack(">HH", 1, len(tiles)), *(struct.pack(">H", first + n) for n in range(len(tiles)))
        )
    depths = full(b"pixi", bytes((3, bits, bits, bits)))
    told = b"" if color is None else box(b"colr", b"nclx", struct.pack(">HHHB", *color, 0x80))
    for item, _, _ in items:
        whole = item == 1
        give(item, full(b"ispe", struct.pack(">II", *(size if whole else tiles[0].size))))
        give(item, depths)
        if told:
            give(item, told)
        if not (grid and whole):
            give(item, box(b"av1C", tiles[0].configuration), essential=True)
    for content, essential in more:
        give(1, content, essential=essential)
    if turns is not None:
        give(1, box(b"irot", bytes([turns])), essential=True)
    if mirror is not None:
        give(1, box(b"imir", bytes([mirror])), essential=True)
    if alpha is not None:
        number = first + len(tiles)
        items.append((number, b"av01", alpha.data))
        references += box(b"auxl", struct.pack(">HHH", number, 1, 1))
        give(number, full(b"ispe", struct.pack(">II", *alpha.size)))
        give(number, full(b"pixi", bytes((1, 8))))
        give(number, box(b"av1C", alpha.configuration), essential=True)
        give(number, full(b"auxC", b"urn:mpeg:mpegB:cicp:systems:auxiliary:alpha\0"))
    entries = [full(b"infe", struct.pack(">HH", item, 0), kind, b"\0", version=2) for item, kind, _ in items]
    head = box(b"ftyp", brand, struct.pack(">I", 0), b"avif", b"mif1", b"miaf")

    def meta(start: int) -> bytes:
        places, at = b"", start
        for item, _, data in items:
            places += struct.pack(">HHHII", item, 0, 1, at, len(data))
            at += len(data)
        joined = b"".join(struct.pack(">HB", item, len(own)) + bytes(own) for item, own in associations.items())
        return full(
            b"meta",
            full(b"hdlr", struct.pack(">I4s12xB", 0, b"pict", 0)),
            full(b"pitm", struct.pack(">H", 1)),
            full(b"iloc", b"\x44\0", struct.pack(">H", len(items)), places),
            full(b"iinf", struct.pack(">H", len(items)), *entries),
            full(b"iref", references) if references else b"",
            box(b"iprp", box(b"ipco", *properties), full(b"ipma", struct.pack(">I", len(associations)), joined)),
        )

    begun = len(head) + len(meta(0)) + 8
    return head + meta(begun) + box(b"mdat", *(data for _, _, data in items))


def odd_avif(random: Random) -> OddFile:
    """Return an AVIF."""
    deep = random.random() < 0.5
    named = random.choice(tuple(COLORS)) if deep or random.random() < 0.4 else "BT.709"
    untold = random.random() < 0.1
    color = COLORS[named]
    bits = 10 if deep else 8
    side = 64 * random.randint(1, 2), 64 * random.randint(1, 2)
    columns, rows = random.choice(((1, 1), (1, 1), (1, 1), (2, 1), (1, 2), (2, 2)))
    scale = 0.75 if "PQ" in named else 1.0
    if columns * rows == 1:
        side = side[0] - 2 * random.randrange(5), side[1] - 2 * random.randrange(5)
    whole = scene(random).resize((side[0] * columns, side[1] * rows))
    tiles = [
        coded(
            planes_of(
                whole.crop((x * side[0], y * side[1], (x + 1) * side[0], (y + 1) * side[1])),
                matrix=color[2],
                scale=scale,
            ),
            bits=bits,
        )
        for y in range(rows)
        for x in range(columns)
    ]
    turns = random.choice((None, None, 0, 1, 2, 3))
    mirror = random.choice((None, None, 0, 1))
    transparent = columns * rows == 1 and random.random() < 0.3
    alpha = None
    if transparent:
        ramp = np.asarray(Image.radial_gradient("L").resize(side), np.float64) / 255
        alpha = coded(np.stack([1 - ramp, np.full_like(ramp, 0.5), np.full_like(ramp, 0.5)]))
    data = avif(
        tiles, columns=columns, color=None if untold else color, bits=bits, alpha=alpha, turns=turns, mirror=mirror
    )
    what, data = damaged(random, data, start=data.index(b"mdat") + 4, whole=0.65)
    parts = [f"AVIF {'without colr' if untold else named}, {bits} bits"]
    if columns * rows > 1:
        parts.append(f"{columns} × {rows} tiles")
    parts += (
        [f"irot {turns}"] * (turns is not None)
        + [f"imir {mirror}"] * (mirror is not None)
        + ["transparent"] * transparent
    )
    return OddFile(", ".join(parts) + what, "image/avif", data)

"""GIFs whose blocks are odd: tables of their own, frames outside or tiny, blank first frames, odd codes of LZW."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass, replace
from random import Random

import numpy as np
from numpy.typing import NDArray

from benchmarks.odd_media.scenes import OddFile, scene

Places = NDArray[np.uint8]  # [height, width], of colors in a table


@dataclass(frozen=True)
class Block:
    """A frame of a GIF: its colors' places, its own table (RGB), and how it is laid, removed and packed."""

    places: Places
    corner: tuple[int, int] = (0, 0)
    table: bytes = b""
    disposal: int = 0
    transparent: int | None = None
    delay: int = 10
    bits: int = 8  # of a color
    size: tuple[int, int] | None = None  # as its header tells
    controls: int = 1
    clear_every: int = 100
    has_end: bool = True


def gif(size: tuple[int, int], blocks: Sequence[Block], *, table: bytes = b"", ground: int = 0) -> bytes:
    """Return a GIF; `table` is the one for all frames, `ground` the place of its background."""
    bits = max(1, (max(1, len(table) // 3) - 1).bit_length())
    flags = 0x80 | 0x70 | (bits - 1) if table else 0x70
    data = b"GIF89a" + struct.pack("<HHBBB", *size, flags, ground, 0) + table.ljust(3 << bits if table else 0, b"\0")
    return data + b"".join(map(_block, blocks)) + b";"


def _block(block: Block) -> bytes:
    flags = block.disposal << 2 | (block.transparent is not None)
    control = b"!\xf9\4" + struct.pack("<BHB", flags, block.delay, block.transparent or 0) + b"\0"
    height, width = block.places.shape
    told = block.size or (width, height)
    bits = max(1, (max(1, len(block.table) // 3) - 1).bit_length())
    table = block.table.ljust(3 << bits if block.table else 0, b"\0")
    head = b"," + struct.pack("<HHHHB", *block.corner, *told, 0x80 | (bits - 1) if block.table else 0) + table
    return control * block.controls + head + _packed(block)


def _packed(block: Block) -> bytes:
    """Return the codes of a frame, none of them for more than one pixel: the decoder's table is cleared in time."""
    clear, end, width = 1 << block.bits, (1 << block.bits) + 1, block.bits + 1
    codes, fresh = [clear], 0
    limit = min(block.clear_every, clear - 2)
    for place in block.places.ravel().tolist():
        if fresh >= limit:
            codes.append(clear)
            fresh = 0
        codes.append(place)
        fresh += 1
    if block.has_end:
        codes.append(end)
    bits = (np.array(codes, np.uint32)[:, None] >> np.arange(width)) & 1
    packed = np.packbits(bits.astype(np.uint8).ravel(), bitorder="little").tobytes()
    parts = b"".join(bytes([len(packed[at : at + 255])]) + packed[at : at + 255] for at in range(0, len(packed), 255))
    return bytes([block.bits]) + parts + b"\0"


def _drawn(random: Random, size: tuple[int, int] | None = None, *, colors: int = 256) -> tuple[Places, bytes]:
    picture = scene(random).convert("RGB")
    few = (picture if size is None else picture.resize(size)).quantize(colors)
    return np.asarray(few), bytes(few.getpalette() or b"")[: 3 * colors].ljust(3 * colors, b"\0")


def _frames(random: Random) -> tuple[tuple[int, int], list[Block], bytes]:
    places, table = _drawn(random)
    height, width = places.shape
    blocks = [Block(places)]
    for _ in range(random.randint(1, 3)):
        side = random.randint(1, width), random.randint(1, height)
        other, own = _drawn(random, side)
        corner = random.randint(0, width - side[0]), random.randint(0, height - side[1])
        blocks.append(
            Block(
                other,
                corner,
                own if random.random() < 0.5 else b"",
                random.randrange(4),
                random.choice((None, int(other[0, 0]), 255)),
                random.choice((0, 1, 10, 500)),
            )
        )
    blocks[0] = replace(blocks[0], disposal=random.randrange(4))
    return (width, height), blocks, table


_WAYS = (
    *("frames laid over each other", "frames laid over each other", "tables of frames alone", "first frame blank"),
    *(
        "1 × 1 frames outside",
        "a huge canvas",
        "frames larger than the canvas",
        "size 0",
        "no time",
        "a frame of size 0",
    ),
    *("few colors", "two controls", "no control", "no end of codes", "codes of a smaller table", "never cleared"),
    *("transparent beyond the table", "a background", "text block", "87a", "no frames", "bytes before the start"),
    *("pixels beyond the frame", "fewer pixels than told", "bytes between blocks", "disposal of 5", "nothing drawn"),
)


def odd_blocks(random: Random) -> OddFile:
    """Return a GIF with odd blocks."""
    way = random.choice(_WAYS)
    size, blocks, table = _frames(random)
    first = blocks[0]
    ground = 0
    if way == "tables of frames alone":
        blocks = [replace(block, table=block.table or table) for block in blocks]
        table = b""
    elif way == "first frame blank":
        blocks[0] = replace(first, places=np.full_like(first.places, 7), transparent=7)
    elif way == "1 × 1 frames outside":
        outside = size[0] + random.randint(0, 9), size[1] - 1
        blocks[1:] = [replace(block, places=block.places[:1, :1], corner=outside) for block in blocks[1:]]
    elif way == "a huge canvas":
        size = 4 * size[0] + 700, 3 * size[1] + 500
        blocks = [replace(block, corner=(random.randint(0, 700), random.randint(0, 500))) for block in blocks]
    elif way == "frames larger than the canvas":
        size = max(1, size[0] // 2), max(1, size[1] * 2 // 3)
    elif way == "size 0":
        size = random.choice(((0, 0), (size[0], 0)))
    elif way == "no time":
        blocks = [replace(block, delay=0) for block in blocks]
    elif way == "a frame of size 0":
        blocks[random.randrange(len(blocks))] = replace(blocks[-1], size=(0, 0), corner=(0, 0))
    elif way == "few colors":
        places, table = _drawn(random, colors=random.choice((2, 4, 16)))
        count = len(table) // 3
        blocks, size = [Block(places, bits=max(2, (count - 1).bit_length()))], (places.shape[1], places.shape[0])
    elif way in ("two controls", "no control"):
        blocks = [replace(block, controls=2 if way == "two controls" else 0) for block in blocks]
    elif way == "no end of codes":
        blocks = [replace(block, has_end=False) for block in blocks]
    elif way == "codes of a smaller table":
        table = table[:96]
    elif way == "never cleared":
        blocks = [replace(block, places=block.places[:9, :13], clear_every=250) for block in blocks]
    elif way == "transparent beyond the table":
        places, table = _drawn(random, colors=16)
        blocks, size = [Block(places, transparent=200, bits=4)], (places.shape[1], places.shape[0])
    elif way == "a background":
        ground = 9
        blocks[0] = replace(first, places=first.places[: size[1] // 2], disposal=2, transparent=None)
    elif way == "pixels beyond the frame":
        blocks[0] = replace(first, size=(first.places.shape[1], max(1, first.places.shape[0] // 2)))
    elif way == "fewer pixels than told":
        blocks[0] = replace(first, places=first.places[: max(1, size[1] * 2 // 3)], size=size)
    elif way == "disposal of 5":
        blocks = [replace(block, disposal=random.choice((4, 5, 7))) for block in blocks]
    elif way == "nothing drawn":
        blocks = [replace(block, places=np.full_like(block.places, 3), transparent=3) for block in blocks]
    elif way == "no frames":
        blocks = []
    data = gif(size, blocks, table=table, ground=ground)
    if way == "87a":
        data = b"GIF87a" + data[6:]
    elif way == "text block":
        words = b"!\x01\x0c" + struct.pack("<HHHHBBBB", 0, 0, 40, 10, 8, 8, 1, 0) + b"\4LOOK\0"
        data = data[:-1] + words + b";"
    elif way == "bytes before the start":
        data = b"\n" + data
    elif way == "bytes between blocks":
        data = data[:-1] + b"\0\0\0" + _block(replace(first, places=first.places[::-1].copy())) + b";"
    return OddFile(f"GIF of {len(blocks)} frames, {way}", "image/gif", data)

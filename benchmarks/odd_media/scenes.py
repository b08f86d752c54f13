"""Pictures to be written in odd forms, and the damages that any file may have."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

Pixels = NDArray[np.uint8]  # [height, width, 4], RGBA


@dataclass(frozen=True)
class OddFile:
    """A file: what is odd about it in words, its content type, and its bytes."""

    name: str
    content_type: str
    data: bytes


def scene(random: Random, *, least: int = 24, most: int = 200, opaque: bool = True) -> Image.Image:
    """Return a picture (RGBA) of soft colors with shapes and letters, of a size between two sides."""
    width, height = random.randint(least, most), random.randint(least, most)
    noise = np.random.default_rng(random.getrandbits(32)).integers(30, 226, (6, 8, 3), np.uint8)
    picture = Image.fromarray(noise).resize((width, height), Image.Resampling.BICUBIC).convert("RGBA")
    draw = ImageDraw.Draw(picture)
    for _ in range(4):
        left, top = random.randrange(width), random.randrange(height)
        box = (left, top, left + random.randint(4, width), top + random.randint(4, height))
        color = tuple(random.randrange(256) for _ in range(3))
        (draw.rectangle if random.random() < 0.5 else draw.ellipse)(box, fill=(*color, 255))
    draw.text(
        (width // 8, height // 3), "WHEN IT WORKS", fill=(255, 255, 255, 255), stroke_width=1, stroke_fill="black"
    )
    if not opaque:
        picture.putalpha(Image.radial_gradient("L").resize(picture.size).point(lambda level: 255 - level))
    return picture


def pixels(picture: Image.Image) -> Pixels:
    """Return the pixels of a picture, [height, width, 4]."""
    return np.asarray(picture.convert("RGBA"))


def damaged(random: Random, data: bytes, *, start: int = 0, whole: float = 0.3) -> tuple[str, bytes]:
    """Return what was done to a file, and its bytes: nothing with the probability `whole`, a cut, or wrong bits.

    What precedes `start` is left as it is.
    """
    if random.random() < whole or len(data) <= start + 4:
        return "", data
    if random.random() < 0.5:
        share = random.uniform(0.05, 1)
        return f", cut at {100 * share:.0f} %", data[: start + int(share * (len(data) - start))]
    wrong = bytearray(data)
    places = [random.randrange(start, len(data)) for _ in range(random.choice((1, 1, 2, 5)))]
    for place in places:
        wrong[place] ^= 1 << random.randrange(8)
    return f", wrong bits at {', '.join(map(str, sorted(places)))}", bytes(wrong)

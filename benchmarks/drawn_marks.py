"""What `benchmarks/marks.py` draws over a meme: marks of sites, which leave a copy, and what makes another meme."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import cos, hypot, pi, sin
from pathlib import Path
from random import Random

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from benchmarks.drawn_changes import MARK_TEXTS, marked

_INKS = ("red", "red", "black", "white", "#2040d0", "#109030", "#e0c020", "#801010", "#606060")
_OTHER_WORDS = ("Friday", "never", "my boss", "nobody", "cats", "coffee", "the dog", "tomorrow", "money", "always")
_OUTLINED = (("white", "black"), ("white", "black"), ("black", "white"))  # ink and outline
_PLATES = (("black", "white"), ("white", "black"), ("#ff4500", "white"))  # ground and ink
_LOGOS = ("#ff4500", "#1da1f2", "#25d366", "black", "white", "#ffcc00")
_SEEN, _SEEN_SHARE = 40, 0.3  # grey levels, and the share of a stroke's pixels that differ by as much: a person sees it
_NEAR = (-70, -45, -25, 25, 45, 70)  # grey levels: ink near the ground's color
_TRIES = 30

Box = tuple[float, float, float, float]
Point = tuple[float, float]


@dataclass(frozen=True)
class Meme:
    """A drawn meme: its picture, and where the ink of each of its words is ([height, width] bool)."""

    picture: Image.Image
    words: tuple[NDArray[np.bool_], ...]

    def word_box(self, rng: Random) -> tuple[int, int, int, int]:
        """Return the box of a word of the caption: left, top, right, bottom."""
        rows, columns = np.nonzero(rng.choice(self.words))
        return int(columns.min()), int(rows.min()), int(columns.max()), int(rows.max())

    @property
    def ink(self) -> NDArray[np.bool_]:
        """Where any word is."""
        return np.logical_or.reduce(self.words)


Draw = Callable[[Meme, Sequence[Path], Random], Image.Image | None]


def _ink(meme: Meme, box: Box, rng: Random) -> str | tuple[int, ...]:
    """Return a color: a usual one, one near the ground's, or one near the letters'."""
    left, top, right, bottom = (round(side) for side in box)
    part = np.asarray(meme.picture.crop((left, top, right, bottom))).reshape(-1, 3).astype(np.int16)
    if not len(part) or rng.random() < 0.6:
        return rng.choice(_INKS)
    base = np.median(part, axis=0) if rng.random() < 0.6 else part[part.sum(axis=1).argmax()]
    return tuple(int(level) for level in np.clip(base + rng.choice(_NEAR), 0, 255))


def _thickness(height: float, rng: Random) -> int:
    """Return a thickness from a pixel to the height of the letters, thin ones as often as thick ones."""
    return max(1, round(float(np.exp(rng.uniform(0, np.log(max(2.0, height)))))))


def _seen(before: Image.Image, after: Image.Image) -> bool:
    """Return whether a person sees what was drawn."""
    apart = np.abs(np.asarray(before).astype(np.int16) - np.asarray(after)).max(axis=2)
    drawn = apart > 0
    return bool(drawn.any()) and float((apart[drawn] >= _SEEN).mean()) >= _SEEN_SHARE


def _until_seen(draw: Draw) -> Draw:
    """Return a drawing that is tried again until a person sees it."""

    def drawn(meme: Meme, faces: Sequence[Path], rng: Random) -> Image.Image | None:
        for _ in range(_TRIES):
            picture = draw(meme, faces, rng)
            if picture is not None and _seen(meme.picture, picture):
                return picture
        return None

    return drawn


def _stroke(picture: Image.Image, points: Sequence[Point], ink: str | tuple[int, ...], thick: int) -> Image.Image:
    """Return the picture with a line through points, smooth as a drawing program makes it."""
    times = 3
    left, top = (int(min(axis)) - thick - 2 for axis in zip(*points, strict=True))
    right, bottom = (int(max(axis)) + thick + 2 for axis in zip(*points, strict=True))
    mask = Image.new("L", (times * (right - left), times * (bottom - top)))
    laid = [(times * (x - left), times * (y - top)) for x, y in points]
    ImageDraw.Draw(mask).line(laid, 255, times * thick, joint="curve")
    mask = mask.resize((right - left, bottom - top), Image.Resampling.BOX)
    drawn = picture.copy()
    drawn.paste(Image.new("RGB", mask.size, ink), (left, top), mask)
    return drawn


def _line_over(box: Box, rng: Random, *, height: float) -> list[Point]:
    """Return the ends of a line across a box, at a share of its height from the top, a little tilted at times."""
    left, top, right, bottom = box
    reach = rng.uniform(0, 0.15) * (right - left)
    y, tilt = top + height * (bottom - top), rng.choice((0.0, 0.0, rng.uniform(-0.25, 0.25))) * (bottom - top)
    return [(left - reach, y + tilt), (right + reach, y - tilt)]


def _struck(meme: Meme, faces: Sequence[Path], rng: Random) -> Image.Image:
    box = meme.word_box(rng)
    thick = _thickness(0.5 * (box[3] - box[1]), rng)
    return _stroke(meme.picture, _line_over(box, rng, height=rng.uniform(0.4, 0.6)), _ink(meme, box, rng), thick)


def _struck_twice(meme: Meme, faces: Sequence[Path], rng: Random) -> Image.Image:
    box = meme.word_box(rng)
    ink, thick = _ink(meme, box, rng), _thickness(0.15 * (box[3] - box[1]), rng)
    once = _stroke(meme.picture, _line_over(box, rng, height=0.35), ink, thick)
    return _stroke(once, _line_over(box, rng, height=0.65), ink, thick)


def _by_hand(meme: Meme, faces: Sequence[Path], rng: Random) -> Image.Image:
    """Strike a word out by a line that waves."""
    box = meme.word_box(rng)
    (x, y), (right, end) = _line_over(box, rng, height=rng.uniform(0.4, 0.6))
    wave, turns, phase = rng.uniform(0.04, 0.15) * (box[3] - box[1]), rng.uniform(0.5, 3), rng.uniform(0, 2 * pi)
    points = [
        (x + share * (right - x), y + share * (end - y) + wave * sin(2 * pi * turns * share + phase))
        for share in np.linspace(0, 1, 40).tolist()
    ]
    return _stroke(meme.picture, points, _ink(meme, box, rng), _thickness(0.3 * (box[3] - box[1]), rng))


def _scribbled(meme: Meme, faces: Sequence[Path], rng: Random) -> Image.Image:
    left, top, right, bottom = meme.word_box(rng)
    strokes = rng.randint(4, 12)
    points = [
        (left + (right - left) * at / strokes + rng.uniform(-2, 2), (top, bottom)[at % 2] + rng.uniform(-3, 3))
        for at in range(strokes + 1)
    ]
    box = left, top, right, bottom
    return _stroke(meme.picture, points, _ink(meme, box, rng), _thickness(0.2 * (bottom - top), rng))


def _crossed(meme: Meme, box: Box, rng: Random) -> Image.Image:
    left, top, right, bottom = box
    ink, thick = _ink(meme, box, rng), _thickness(0.25 * (bottom - top), rng)
    once = _stroke(meme.picture, [(left, top), (right, bottom)], ink, thick)
    return _stroke(once, [(left, bottom), (right, top)], ink, thick)


def _crossed_word(meme: Meme, faces: Sequence[Path], rng: Random) -> Image.Image:
    return _crossed(meme, meme.word_box(rng), rng)


def _place(meme: Meme, across: float, down: float, rng: Random) -> Box:
    """Return a box in the picture, away from its edges."""
    width, height = meme.picture.size
    x, y = rng.uniform(0.1 * width, 0.9 * width - across), rng.uniform(0.2 * height, 0.8 * height - down)
    return x, y, x + across, y + down


def _crossed_face(meme: Meme, faces: Sequence[Path], rng: Random) -> Image.Image:
    side = rng.uniform(0.08, 0.25) * max(meme.picture.size)
    return _crossed(meme, _place(meme, side, side, rng), rng)


def _ellipse(box: Box) -> list[Point]:
    x, y, across, down = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2, (box[2] - box[0]) / 2, (box[3] - box[1]) / 2
    return [(x + across * cos(angle), y + down * sin(angle)) for angle in np.linspace(0, 2 * pi, 60).tolist()]


def _circled_word(meme: Meme, faces: Sequence[Path], rng: Random) -> Image.Image:
    left, top, right, bottom = meme.word_box(rng)
    wide, high = 0.15 * (right - left) + 4, 0.3 * (bottom - top) + 3
    box = left - wide, top - high, right + wide, bottom + high
    return _stroke(meme.picture, _ellipse(box), _ink(meme, box, rng), _thickness(0.2 * (bottom - top), rng))


def _circle(meme: Meme, faces: Sequence[Path], rng: Random) -> Image.Image:
    side = rng.uniform(0.06, 0.25) * max(meme.picture.size)
    box = _place(meme, side, rng.uniform(0.7, 1) * side, rng)
    return _stroke(meme.picture, _ellipse(box), _ink(meme, box, rng), rng.randint(2, 6))


def _arrow(meme: Meme, faces: Sequence[Path], rng: Random) -> Image.Image:
    side = rng.uniform(0.08, 0.2) * max(meme.picture.size)
    x, y, right, bottom = _place(meme, side, side, rng)
    if rng.random() < 0.5:
        x, right = right, x
    if rng.random() < 0.5:
        y, bottom = bottom, y
    thick = rng.randint(2, 7)
    along, length = (right - x, bottom - y), hypot(right - x, bottom - y)
    back = (right - 0.3 * along[0], bottom - 0.3 * along[1])
    aside = (-along[1] / length * 0.15 * length, along[0] / length * 0.15 * length)
    ink = _ink(meme, (min(x, right), min(y, bottom), max(x, right), max(y, bottom)), rng)
    once = _stroke(meme.picture, [(x, y), (right, bottom)], ink, thick)
    sides = [(back[0] + aside[0], back[1] + aside[1]), (right, bottom), (back[0] - aside[0], back[1] - aside[1])]
    return _stroke(once, sides, ink, thick)


def _underlined(meme: Meme, faces: Sequence[Path], rng: Random) -> Image.Image:
    box = meme.word_box(rng)
    points = _line_over(box, rng, height=1.12)
    return _stroke(meme.picture, points, _ink(meme, box, rng), _thickness(0.2 * (box[3] - box[1]), rng) + 1)


def _filled(picture: Image.Image, box: Box, ink: str | tuple[int, ...], *, share: float = 1.0) -> Image.Image:
    drawn = picture.copy()
    left, top, right, bottom = (round(side) for side in box)
    size = max(1, right - left), max(1, bottom - top)
    drawn.paste(Image.new("RGB", size, ink), (left, top), Image.new("L", size, round(255 * share)))
    return drawn


def _grown(box: Box, share: float) -> Box:
    by = share * (box[3] - box[1])
    return box[0] - by, box[1] - by, box[2] + by, box[3] + by


def _barred_word(meme: Meme, faces: Sequence[Path], rng: Random) -> Image.Image:
    box = meme.word_box(rng)
    return _filled(meme.picture, _grown(box, rng.uniform(-0.1, 0.2)), _ink(meme, box, rng))


def _highlighted(meme: Meme, faces: Sequence[Path], rng: Random) -> Image.Image:
    box = _grown(meme.word_box(rng), rng.uniform(0, 0.2))
    return _filled(meme.picture, box, rng.choice(("#ffee00", "#60ff60", "#ff60c0", "red")), share=rng.uniform(0.4, 0.7))


def _censored(meme: Meme, faces: Sequence[Path], rng: Random) -> Image.Image:
    longer = max(meme.picture.size)
    box = _place(meme, rng.uniform(0.1, 0.3) * longer, rng.uniform(0.025, 0.06) * longer, rng)
    return _filled(meme.picture, box, rng.choice(("black", "black", "white", "#303030", "red")))


def _written(picture: Image.Image, text: str, box: Box, face: Path, ink: str, outline: str | None) -> Image.Image:
    """Return the picture with a word as large as a box allows, in its middle."""
    size = max(9, round(0.95 * (box[3] - box[1])))
    font = ImageFont.truetype(face, size)
    while size > 9 and font.getlength(text) > box[2] - box[0]:
        size -= 1
        font = ImageFont.truetype(face, size)
    drawn = picture.copy()
    middle = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    width = 0 if outline is None else max(1, size // 14)
    ImageDraw.Draw(drawn).text(middle, text, ink, font, anchor="mm", stroke_width=width, stroke_fill=outline)
    return drawn


def _pasted_word(meme: Meme, faces: Sequence[Path], rng: Random) -> Image.Image:
    """Set a box with another word over a word."""
    box = _grown(meme.word_box(rng), 0.12)
    ground, ink = rng.choice((("white", "black"), ("black", "white"), ("#ffee60", "black"), ("red", "white")))
    return _written(_filled(meme.picture, box, ground), rng.choice(_OTHER_WORDS), box, rng.choice(faces), ink, None)


def _corrected(meme: Meme, faces: Sequence[Path], rng: Random) -> Image.Image:
    """Strike a word out and write another one above or below it."""
    box = meme.word_box(rng)
    ink, high = rng.choice(("red", "red", "#2040d0", "white", "#ffee00")), box[3] - box[1]
    thick = _thickness(0.25 * high, rng)
    struck = _stroke(meme.picture, _line_over(box, rng, height=rng.uniform(0.4, 0.6)), ink, thick)
    down = rng.choice((-0.9, 0.9)) * high
    if not 0 < box[1] + down < box[3] + down < meme.picture.height:
        down = -down
    place = box[0] - high, box[1] + down, box[2] + high, box[3] + down
    return _written(struck, rng.choice(_OTHER_WORDS), place, rng.choice(faces), ink, rng.choice((None, "black")))


def _pixelated(meme: Meme, faces: Sequence[Path], rng: Random) -> Image.Image:
    left, top, right, bottom = (max(0, round(side)) for side in _grown(meme.word_box(rng), 0.15))
    part = meme.picture.crop((left, top, right, bottom))
    side = max(3.0, 0.35 * (bottom - top))
    size = max(1, round(part.width / side)), max(1, round(part.height / side))
    coarse = part.resize(size, Image.Resampling.BOX).resize(part.size, Image.Resampling.NEAREST)
    drawn = meme.picture.copy()
    drawn.paste(rng.choice((coarse, part.filter(ImageFilter.GaussianBlur(0.3 * (bottom - top))))), (left, top))
    return drawn


def _labeled(meme: Meme, faces: Sequence[Path], rng: Random) -> Image.Image:
    """Write a small label over the middle of the picture, as one names what is seen."""
    longer = max(meme.picture.size)
    high = rng.uniform(0.03, 0.06) * longer
    box = _place(meme, rng.uniform(0.15, 0.3) * longer, high, rng)
    ink, outline = rng.choice((("white", "black"), ("black", "white"), ("red", "white")))
    return _written(meme.picture, rng.choice(_OTHER_WORDS), box, rng.choice(faces), ink, outline)


def _corner(layer: Image.Image, size: tuple[int, int], rng: Random, *, middle: bool = False) -> tuple[int, int]:
    """Return where a layer lies in a corner of a picture, or in the middle of its upper or lower edge."""
    margin = round(rng.uniform(0.005, 0.03) * max(size))
    across, down = size[0] - margin - layer.width, size[1] - margin - layer.height
    x = (size[0] - layer.width) // 2 if middle else rng.choice((margin, across, across))
    return max(0, x), max(0, rng.choice((margin, down, down)))


def _laid(meme: Meme, layer: Image.Image, at: tuple[int, int], *, share: float = 1.0) -> Image.Image:
    whole = Image.new("RGBA", meme.picture.size)
    if share < 1:
        layer.putalpha(layer.getchannel("A").point(lambda level: round(share * level)))
    whole.paste(layer, at)
    return Image.alpha_composite(meme.picture.convert("RGBA"), whole).convert("RGB")


def _name(meme: Meme, faces: Sequence[Path], rng: Random, *, low: float = 0.018, high: float = 0.035) -> Image.Image:
    """Return a site's name as a layer, opaque."""
    font = ImageFont.truetype(rng.choice(faces), max(10, round(rng.uniform(low, high) * max(meme.picture.size))))
    text, (ink, outline) = (
        rng.choice(MARK_TEXTS),
        rng.choice((("white", "black"), ("white", "black"), ("black", "white"))),
    )
    layer = Image.new("RGBA", (round(font.getlength(text)) + 6, round(1.4 * font.size)))
    width = rng.choice((0, 1, 1, 2))
    ImageDraw.Draw(layer).text(
        (3, layer.height / 2), text, ink, font, anchor="lm", stroke_width=width, stroke_fill=outline
    )
    return layer


def _named(meme: Meme, faces: Sequence[Path], rng: Random) -> Image.Image:
    layer = _name(meme, faces, rng)
    return _laid(meme, layer, _corner(layer, meme.picture.size, rng), share=rng.uniform(0.4, 1))


def _named_in_the_middle(meme: Meme, faces: Sequence[Path], rng: Random) -> Image.Image:
    layer = _name(meme, faces, rng)
    return _laid(meme, layer, _corner(layer, meme.picture.size, rng, middle=True), share=rng.uniform(0.4, 1))


def _named_upright(meme: Meme, faces: Sequence[Path], rng: Random) -> Image.Image:
    layer = _name(meme, faces, rng).rotate(rng.choice((90, 270)), expand=True)
    width, height = meme.picture.size
    at = rng.choice((2, width - 2 - layer.width)), round(rng.uniform(0, max(1, height - layer.height)))
    return _laid(meme, layer, at, share=rng.uniform(0.4, 1))


def _logo_layer(side: int, face: Path, rng: Random) -> Image.Image:
    layer, color = (
        Image.new("RGBA", (side, side)),
        rng.choice(("#ff4500", "#1da1f2", "#25d366", "black", "white", "#ffcc00")),
    )
    pen = ImageDraw.Draw(layer)
    if rng.random() < 0.5:
        pen.ellipse((0, 0, side - 1, side - 1), color)
    else:
        pen.rounded_rectangle((0, 0, side - 1, side - 1), side // 4, color)
    ink = "black" if color in ("white", "#ffcc00") else "white"
    pen.text(
        (side / 2, side / 2), rng.choice("9gLMxTKf"), ink, ImageFont.truetype(face, round(0.75 * side)), anchor="mm"
    )
    return layer


def _logo(meme: Meme, faces: Sequence[Path], rng: Random) -> Image.Image:
    layer = _logo_layer(max(12, round(rng.uniform(0.03, 0.07) * max(meme.picture.size))), rng.choice(faces), rng)
    return _laid(meme, layer, _corner(layer, meme.picture.size, rng), share=rng.uniform(0.4, 1))


def _logo_and_name(meme: Meme, faces: Sequence[Path], rng: Random) -> Image.Image:
    name = _name(meme, faces, rng)
    side = round(rng.uniform(1, 1.6) * name.height)
    layer = Image.new("RGBA", (side + 3 + name.width, side))
    layer.paste(_logo_layer(side, rng.choice(faces), rng), (0, 0))
    layer.paste(name, (side + 3, (side - name.height) // 2))
    return _laid(meme, layer, _corner(layer, meme.picture.size, rng), share=rng.uniform(0.4, 1))


def _two_lines(meme: Meme, faces: Sequence[Path], rng: Random) -> Image.Image:
    """Set a platform's name and a user's below it, as TikTok does."""
    names = [_name(meme, faces, rng, low=0.018, high=0.028) for _ in range(2)]
    layer = Image.new("RGBA", (max(name.width for name in names), sum(name.height for name in names)))
    layer.paste(names[0], (0, 0))
    layer.paste(names[1], (0, names[0].height))
    return _laid(meme, layer, _corner(layer, meme.picture.size, rng), share=rng.uniform(0.4, 1))


def _boxed_name(meme: Meme, faces: Sequence[Path], rng: Random) -> Image.Image:
    """Set a name on a plate of its own."""
    font = ImageFont.truetype(rng.choice(faces), max(10, round(rng.uniform(0.018, 0.03) * max(meme.picture.size))))
    text, (ground, ink) = (
        rng.choice(MARK_TEXTS),
        rng.choice((("black", "white"), ("white", "black"), ("#ff4500", "white"))),
    )
    size = round(font.getlength(text) + font.size), round(1.6 * font.size)
    layer = Image.new("RGBA", size)
    pen = ImageDraw.Draw(layer)
    pen.rounded_rectangle((0, 0, size[0] - 1, size[1] - 1), rng.choice((0, size[1] // 3)), ground)
    pen.text((size[0] / 2, size[1] / 2), text, ink, font, anchor="mm")
    return _laid(meme, layer, _corner(layer, meme.picture.size, rng), share=rng.uniform(0.6, 1))


def _over_words(meme: Meme, faces: Sequence[Path], rng: Random) -> Image.Image | None:
    return marked(meme.picture, meme.ink, faces, rng)


# What makes another meme of it.
CHANGES: dict[str, Draw] = {
    kind: _until_seen(draw)
    for kind, draw in {
        "a word struck out": _struck,
        "a word struck out twice": _struck_twice,
        "a word struck out by hand": _by_hand,
        "a word scribbled over": _scribbled,
        "a word crossed out": _crossed_word,
        "a word under a bar": _barred_word,
        "a word highlighted": _highlighted,
        "a word underlined": _underlined,
        "a word circled": _circled_word,
        "a word pixelated": _pixelated,
        "another word pasted over": _pasted_word,
        "a word corrected": _corrected,
        "a cross over the picture": _crossed_face,
        "a circle in the picture": _circle,
        "an arrow in the picture": _arrow,
        "a bar over the picture": _censored,
        "a label in the picture": _labeled,
    }.items()
}
# What leaves a copy.
MARKS: dict[str, Draw] = {
    "a name in a corner": _named,
    "a name in the middle of an edge": _named_in_the_middle,
    "an upright name": _named_upright,
    "a name over words": _over_words,
    "a logo": _logo,
    "a logo and a name": _logo_and_name,
    "two lines of names": _two_lines,
    "a name on a plate": _boxed_name,
}

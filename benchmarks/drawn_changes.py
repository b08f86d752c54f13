"""What `benchmarks/lookalikes.py` draws: caption bars, faces, words, marks over a caption, and small changes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import combinations
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

_COLORS = ("#f4c542", "#8fd16a", "#f08fb1", "#8ab6f0", "#c9a0f0", "#f0a05a")
MARK_TEXTS = (
    *("@dailylaughs.example", "memebarn.example", "via funnyfolder", "@weekend_giggles", "lolshelf.example"),
    *("memesly.example", "made with MemeKit", "FUNNYPICS", "t.me/laughs", "u/somebody", "ifunny.example"),
)
_LETTERS = "abcdefghiklmnoprstuwy"
_OVER = 0.12  # least share of a mark that lies on the ink of words
_EMPHASIS = ("red", "white", "black")

Change = Callable[[Image.Image], None]


def other_letters(words: list[str], rng: Random) -> list[str] | None:
    """Return the words with a letter of one or two of them changed; None where they are too short."""
    long = [at for at, word in enumerate(words) if sum(map(str.isalpha, word)) >= 3]
    count = rng.choice((1, 1, 2))
    if len(long) < count:
        return None
    changed = list(words)
    for at in rng.sample(long, count):
        place = rng.choice([place for place, letter in enumerate(words[at]) if letter.isalpha()])
        letter = rng.choice([letter for letter in _LETTERS if letter != words[at][place].lower()])
        letter = letter.upper() if words[at][place].isupper() else letter
        changed[at] = f"{words[at][:place]}{letter}{words[at][place + 1 :]}"
    return changed


def exchanged(words: list[str], rng: Random) -> list[str] | None:
    """Return the words with two of about the same length exchanged; None without such."""
    pairs = [
        (one, other)
        for one, other in combinations(range(len(words)), 2)
        if min(map(len, (words[one], words[other]))) >= 3
        and abs(len(words[one]) - len(words[other])) <= 1
        and words[one].lower() != words[other].lower()
    ]
    if not pairs:
        return None
    one, other = rng.choice(pairs)
    changed = list(words)
    changed[one], changed[other] = words[other], words[one]
    return changed


def marked(picture: Image.Image, ink: NDArray[np.bool_], faces: Sequence[Path], rng: Random) -> Image.Image | None:
    """Return the picture with a site's mark over words, whose pixels are in `ink`; None where no place lies over them.

    The mark has .02 to .045 of the longer side, is level, tilted up to 12 degrees or upright, at an edge or a corner.
    """
    height = rng.uniform(0.02, 0.045)
    font = ImageFont.truetype(rng.choice(faces), max(11, round(height * max(picture.size))))
    text, alpha, level = rng.choice(MARK_TEXTS), rng.choice((90, 140, 190, 255)), rng.choice((255, 255, 255, 0, 200))
    layer = Image.new("RGBA", (round(font.getlength(text)) + 8, round(1.5 * font.size)))
    outline = 0 if level == 200 else 255 - level
    ImageDraw.Draw(layer).text(
        *((4, 2), text, (level, level, level, alpha), font),
        stroke_width=rng.choice((0, 1, 1, 2)),
        stroke_fill=(outline, outline, outline, round(0.75 * alpha)),
    )
    layer = layer.rotate(rng.choice((0, 0, 0, 0, rng.uniform(-12, 12), 90)), Image.Resampling.BICUBIC, expand=True)
    margin = round(font.size) // 2
    across, down = picture.width - margin - layer.width, picture.height - margin - layer.height
    middle = (picture.width - layer.width) // 2
    places = [(x, y) for x in (margin, middle, across) for y in (margin, down) if min(x, y) >= 0]
    for x, y in rng.sample(places, len(places)):
        drawn = np.asarray(layer)[..., 3] > 30
        under = ink[y : y + layer.height, x : x + layer.width]
        if (drawn & under).sum() >= _OVER * drawn.sum():
            whole = Image.new("RGBA", picture.size)
            whole.paste(layer, (x, y))
            return Image.alpha_composite(picture.convert("RGBA"), whole).convert("RGB")
    return None


SMALL_CHANGES = (
    *("another emoji", "an emoji more", "an arrow turned", "an arrow more", "a bubble filled", "another bubble"),
    *("one thing in another color", "a bar of another length", "a box ticked"),
    *("a word struck out", "a word blacked out"),
)


def small_change(
    kind: str, size: tuple[int, int], words: Sequence[NDArray[np.bool_]], faces: Sequence[Path], rng: Random
) -> tuple[Change, Change]:
    """Return what is drawn on one of two equal pictures of this size, and what on the other, for one of SMALL_CHANGES.

    `words` are where the ink of each of its words is.
    """
    at = rng.uniform(0.15, 0.85) * size[0], rng.uniform(0.25, 0.75) * size[1]
    radius = rng.uniform(0.02, 0.06) * max(size)
    first, second = rng.sample(range(4), 2)
    said = ("", *rng.sample(("hello", "no way", "why not", "oh no", "bananas", "good luck"), 2))
    ink, font = rng.choice(_EMPHASIS), ImageFont.truetype(rng.choice(faces), max(12, round(radius)))
    shares = rng.uniform(0.1, 0.45), rng.uniform(0.55, 0.95)
    rows, columns = np.nonzero(rng.choice(words))
    box = int(columns.min()), int(rows.min()), int(columns.max()), int(rows.max())

    def drawn(draw: Callable[..., None], *given: Any) -> Change:
        return lambda picture: draw(ImageDraw.Draw(picture), at, radius, *given)

    changes: dict[str, tuple[Change, Change]] = {
        "another emoji": (drawn(_smiley, first), drawn(_smiley, second)),
        "an emoji more": (_nothing, drawn(_smiley, second)),
        "an arrow turned": (drawn(_arrow, first, ink), drawn(_arrow, second, ink)),
        "an arrow more": (_nothing, drawn(_arrow, second, ink)),
        "a bubble filled": (drawn(_bubble, said[0], font), drawn(_bubble, said[1], font)),
        "another bubble": (drawn(_bubble, said[1], font), drawn(_bubble, said[2], font)),
        "one thing in another color": (drawn(_ball, _TINTS[first]), drawn(_ball, _TINTS[second])),
        "a bar of another length": (drawn(_bar, shares[0]), drawn(_bar, shares[1])),
        "a box ticked": (drawn(_tick, False), drawn(_tick, True)),
        "a word struck out": (_nothing, lambda picture: _struck(ImageDraw.Draw(picture), box)),
        "a word blacked out": (_nothing, lambda picture: ImageDraw.Draw(picture).rectangle(box, "black")),
    }
    return changes[kind]


_TINTS = ("#d02020", "#2040d0", "#20a030", "#e0c020")


def _nothing(picture: Image.Image) -> None:
    """Draw nothing."""


def _smiley(pen: ImageDraw.ImageDraw, at: tuple[float, float], radius: float, mood: int) -> None:
    (x, y), line = at, max(2, round(radius / 8))
    pen.ellipse((x - radius, y - radius, x + radius, y + radius), "#ffd23c", "black", max(1, line // 2))
    for side in (-0.4, 0.4):
        eye, dot = x + side * radius, 0.12 * radius
        pen.ellipse((eye - dot, y - 0.35 * radius - dot, eye + dot, y - 0.35 * radius + dot), "black")
    box = x - 0.6 * radius, y - 0.4 * radius, x + 0.6 * radius, y + 0.6 * radius
    if mood == 0:
        pen.arc(box, 20, 160, "black", line)
    elif mood == 1:
        pen.arc((box[0], y + 0.2 * radius, box[2], y + 1.2 * radius), 200, 340, "black", line)
    elif mood == 2:
        pen.ellipse((x - 0.2 * radius, y + 0.1 * radius, x + 0.2 * radius, y + 0.6 * radius), "black")
    else:
        pen.line((x - 0.5 * radius, y + 0.4 * radius, x + 0.5 * radius, y + 0.4 * radius), "black", line)


def _struck(pen: ImageDraw.ImageDraw, box: tuple[int, int, int, int]) -> None:
    left, top, right, bottom = box
    middle = (top + bottom) / 2
    pen.line((left - 3, middle, right + 3, middle), "red", max(3, (bottom - top) // 7))


def _ball(pen: ImageDraw.ImageDraw, at: tuple[float, float], radius: float, color: str) -> None:
    pen.ellipse((at[0] - radius, at[1] - radius, at[0] + radius, at[1] + radius), color, "black", 2)


def _arrow(pen: ImageDraw.ImageDraw, at: tuple[float, float], radius: float, quarters: int, ink: str) -> None:
    (x, y), (right, down), length = at, ((0, -1), (0, 1), (-1, 0), (1, 0))[quarters], 3 * radius
    half, head = length / 2, length / 6
    ends = x - right * half, y - down * half, x + right * half, y + down * half
    pen.line(ends, ink, max(3, round(length / 8)))
    tip, back = (ends[2] + right * head, ends[3] + down * head), (ends[2] - right * head, ends[3] - down * head)
    sides = (back[0] + down * head, back[1] + right * head), (back[0] - down * head, back[1] - right * head)
    pen.polygon([tip, *sides], ink)


def _bubble(
    pen: ImageDraw.ImageDraw, at: tuple[float, float], radius: float, text: str, font: ImageFont.FreeTypeFont
) -> None:
    x, y = at
    pen.rounded_rectangle((x - 3 * radius, y - radius, x + 3 * radius, y + radius), radius / 2, "white", "black", 2)
    pen.text(at, text, "black", font, anchor="mm")


def _bar(pen: ImageDraw.ImageDraw, at: tuple[float, float], radius: float, share: float) -> None:
    left, top, right, bottom = at[0] - 2 * radius, at[1] - radius / 2, at[0] + 2 * radius, at[1] + radius / 2
    pen.rectangle((left, top, right, bottom), "white", "black", 2)
    pen.rectangle((left, top, left + share * (right - left), bottom), "#2a9d3a")


def _tick(pen: ImageDraw.ImageDraw, at: tuple[float, float], radius: float, on: bool) -> None:
    x, y = at
    pen.rectangle((x - radius / 2, y - radius / 2, x + radius / 2, y + radius / 2), "white", "black", 2)
    if on:
        corner = x - 0.05 * radius, y + 0.35 * radius
        pen.line((x - 0.35 * radius, y, *corner), "black", max(2, round(radius / 8)))
        pen.line((*corner, x + 0.4 * radius, y - 0.4 * radius), "black", max(2, round(radius / 8)))


def barred(picture: Image.Image, text: str) -> Image.Image:
    """Return a picture under a white bar with a text in black."""
    size = max(18, picture.width // 18)
    face = ImageFont.load_default(size)
    lines = [""]
    pen = ImageDraw.Draw(picture)
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if pen.textlength(longer, face) > 0.92 * picture.width and lines[-1]:
            lines.append(word)
        else:
            lines[-1] = longer
    step = round(1.3 * size)
    bar = step * len(lines) + step // 2
    framed = Image.new("RGB", (picture.width, picture.height + bar), "white")
    framed.paste(picture, (0, bar))
    pen = ImageDraw.Draw(framed)
    for at, line in enumerate(lines):
        pen.text((0.04 * picture.width, step // 4 + at * step), line, "black", face)
    return framed


def face(side: int, detail: int, rng: Random) -> Image.Image:
    """Return a drawn face on a white ground; `detail` 0 to 2 changes eyes and mouth, the seed all the rest."""
    scale = side / 100
    picture = Image.new("RGB", (side, round(side * 1.04)), "white")
    pen = ImageDraw.Draw(picture)

    def box(left: float, top: float, right: float, bottom: float) -> tuple[float, float, float, float]:
        return left * scale, top * scale, right * scale, bottom * scale

    line = max(1, round(2 * scale))
    skin, hat = rng.sample(_COLORS, 2)
    edge, apart, eyes, mouth = rng.uniform(4, 22), rng.uniform(9, 20), rng.uniform(30, 44), rng.uniform(58, 70)
    pen.ellipse(box(edge, 14, 100 - edge, 98), fill=skin, outline="black", width=line)
    brim, top = rng.uniform(10, 30), rng.uniform(35, 65)
    pen.polygon(box(50 - brim, 18, top, 1) + box(50 + brim, 18, 50 - brim, 18), fill=hat, outline="black")
    for middle in (50 - apart, 50 + apart):
        if detail == 1:
            pen.line(box(middle - 7, eyes + 8, middle + 7, eyes + 8), fill="black", width=2 * line)
        else:
            pen.ellipse(box(middle - 7, eyes, middle + 7, eyes + 16), fill="white", outline="black", width=line)
            pen.ellipse(box(middle - 3, eyes + 6, middle + 3, eyes + 14), fill="black")
    if detail == 2:
        pen.ellipse(box(42, mouth, 58, mouth + 18), fill="#7a1f1f", outline="black", width=line)
    else:
        pen.arc(box(32, mouth - 14, 68, mouth + 14), 20, 160, fill="black", width=line)
    return picture


def worded(picture: Image.Image, text: str) -> Image.Image:
    """Return a picture with outlined words below it, across its lower edge."""
    size = picture.width // 8
    framed = Image.new(picture.mode, (picture.width, picture.height + size), (255, 255, 255, 0)[: len(picture.mode)])
    framed.paste(picture, (0, 0))
    pen = ImageDraw.Draw(framed)
    face = ImageFont.load_default(size)
    while pen.textlength(text, face) > 0.96 * picture.width and size > 8:
        size -= 1
        face = ImageFont.load_default(size)
    left = (picture.width - pen.textlength(text, face)) / 2
    ink, outline = ("white", "black") if picture.mode == "RGBA" else ("black", "white")
    pen.text((left, framed.height - 1.35 * size), text, ink, face, stroke_width=max(1, size // 14), stroke_fill=outline)
    return framed

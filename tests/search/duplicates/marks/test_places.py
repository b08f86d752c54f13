"""A mark over a caption leaves a copy, level or tilted; a stroke, other letters and other small things do not."""

from __future__ import annotations

from math import sin
from random import Random

import pytest
from PIL import Image, ImageDraw, ImageFont, ImageOps

from search.duplicates.comparison import compare_prepared, prepare
from search.duplicates.wording import ReadLine
from search.evidence import Edit, Evidence
from tests.support.duplicated import captioned, encoded, scene

LINES = (
    ReadLine("WHEN THE BUILD IS GREEN", 0.98, (0.05, 0.03, 0.95, 0.13)),
    ReadLine("BUT NOBODY PUSHED IT", 0.98, (0.1, 0.83, 0.9, 0.93)),
)


def _marked(
    picture: Image.Image, text: str, *, place: tuple[float, float], angle: float, opacity: int, level: int = 255
) -> Image.Image:
    """Return a picture with a mark whose middle lies at a place in shares."""
    face = ImageFont.load_default(14)
    layer = Image.new("RGBA", (round(face.getlength(text)) + 8, 22))
    outline = (255 - level, 255 - level, 255 - level, opacity * 3 // 4)
    ImageDraw.Draw(layer).text((4, 2), text, (level, level, level, opacity), face, stroke_width=1, stroke_fill=outline)
    layer = layer.rotate(angle, Image.Resampling.BICUBIC, expand=True)
    whole = Image.new("RGBA", picture.size)
    at = round(place[0] * picture.width - layer.width / 2), round(place[1] * picture.height - layer.height / 2)
    whole.paste(layer, at)
    return Image.alpha_composite(picture.convert("RGBA"), whole).convert("RGB")


def _compared(one: Image.Image, other: Image.Image, others: tuple[ReadLine, ...] = LINES) -> Evidence:
    found = compare_prepared(prepare(one, lines=LINES), prepare(other, lines=others))
    assert found == compare_prepared(prepare(other, lines=others), prepare(one, lines=LINES)).swapped()
    return found


@pytest.mark.parametrize("opacity", [110, 190])
@pytest.mark.parametrize(("place", "angle"), [((0.5, 0.09), 0), ((0.35, 0.89), 0), ((0.5, 0.9), 10), ((0.5, 0.1), -12)])
def test_a_mark_over_a_caption_leaves_a_copy(place: tuple[float, float], angle: float, opacity: int) -> None:
    picture = captioned(scene(3))
    marked = encoded(_marked(picture, "lolshelf.example", place=place, angle=angle, opacity=opacity), 85)
    line = min((0, 1), key=lambda at: abs(LINES[at].box[1] - place[1]))
    glued = ReadLine(f"lolsh.ex{LINES[line].text[:-3]}FQ", 0.93, LINES[line].box)
    for read in (LINES, (glued, *LINES[1 - line : 2 - line])):
        found = _compared(picture, marked, read)
        assert found.tier is not None and found.tier.is_duplicate, found.in_words()
        assert Edit.WATERMARK in found.edits


def test_a_name_that_is_read_as_words_of_the_line_below_it_leaves_a_copy() -> None:
    picture = captioned(scene(3))
    marked = encoded(_marked(picture, "@lolshelf.example", place=(0.5, 0.89), angle=0, opacity=190), 85)
    low = ReadLine("BUT NO@lolshelf.exHED IT", 0.95, (0.1, 0.87, 0.9, 0.91))  # as high as the name
    found = _compared(picture, marked, (LINES[0], low))
    assert found.is_duplicate and Edit.WATERMARK in found.edits, found.in_words()


@pytest.mark.parametrize(
    ("text", "other"), [("GREEN", "GREEK"), ("BUILD", "GUILD"), ("WHEN", "THEN"), ("GREEN", "BROWN")]
)
def test_other_letters_are_no_mark(text: str, other: str) -> None:
    said = "when the build is green", "but nobody pushed it"
    changed = said[0].upper().replace(text, other)
    picture = encoded(captioned(scene(3), (changed, said[1])), 88)
    found = _compared(captioned(scene(3)), picture, (ReadLine(changed, 0.98, LINES[0].box), LINES[1]))
    assert found.tier is None or not found.tier.is_duplicate, found.in_words()


@pytest.mark.parametrize(
    ("ink", "thick", "height"),
    [("red", 6, 0.09), ("red", 9, 0.09), ("black", 4, 0.09), ("black", 4, 0.89), ("#00c000", 9, 0.89)],
)
def test_a_word_that_is_struck_out_is_no_copy(ink: str, thick: int, height: float) -> None:
    picture = captioned(scene(3))
    struck = picture.copy()
    y = height * picture.height
    ImageDraw.Draw(struck).line((0.3 * picture.width, y, 0.6 * picture.width, y), ink, thick)
    found = _compared(picture, encoded(struck, 88))
    assert found.tier is None or not found.tier.is_duplicate, found.in_words()


def _over_a_word(kind: str, ink: str, thick: int) -> Image.Image:
    """Return a captioned scene with something drawn over two of its words."""
    picture = captioned(scene(3))
    pen = ImageDraw.Draw(picture)
    left, top, right, bottom = 0.3 * picture.width, 16, 0.6 * picture.width, 48
    if kind == "two lines":
        for y in (27, 38):
            pen.line((left, y, right, y), ink, max(1, thick // 2))
    elif kind == "by hand":
        points = [(left + at * (right - left) / 40, 32 + 3 * sin(at / 4)) for at in range(41)]
        pen.line(points, ink, thick, joint="curve")
    elif kind == "tilted":
        pen.line((left, 36, right, 28), ink, thick)
    elif kind == "cross":
        pen.line((left, top, right, bottom), ink, thick)
        pen.line((left, bottom, right, top), ink, thick)
    elif kind == "ellipse":
        pen.ellipse((left - 8, top - 8, right + 8, bottom + 8), outline=ink, width=thick)
    elif kind == "underlined":
        pen.line((left, 56, right, 56), ink, thick)
    else:
        pen.rectangle((left, top, right, bottom), ink)
    return picture


@pytest.mark.parametrize("thick", [2, 6])
@pytest.mark.parametrize("ink", ["red", "black", "white", "#ffe040", "#2040d0"])
@pytest.mark.parametrize("kind", ["two lines", "by hand", "tilted", "cross", "ellipse", "underlined", "bar"])
def test_what_is_drawn_over_a_word_makes_no_copy(kind: str, ink: str, thick: int) -> None:
    found = _compared(captioned(scene(3)), encoded(_over_a_word(kind, ink, thick), 88))
    assert found.tier is None or not found.tier.is_duplicate, found.in_words()


@pytest.mark.parametrize("kind", ["upright", "two lines", "plate", "logo"])
def test_a_mark_at_an_edge_leaves_a_copy(kind: str) -> None:
    picture = captioned(scene(3))
    marked = picture.copy()
    pen, face = ImageDraw.Draw(marked), ImageFont.load_default(14)
    lines = LINES
    if kind == "upright":
        layer = Image.new("L", (130, 20))
        ImageDraw.Draw(layer).text((2, 2), "lolshelf.example", 255, face)
        layer = layer.rotate(90, expand=True)
        marked.paste("white", (4, 150), layer)
    elif kind == "two lines":
        for y, name in ((180, "lolshelf.example"), (196, "@weekend_giggles")):
            pen.text((8, y), name, "white", face, stroke_width=1, stroke_fill="black")
    elif kind == "plate":
        pen.rectangle((2, 200, 122, 222), "black")
        pen.text((8, 203), "lolshelf.example", "white", face)
        lines = (*LINES, ReadLine("lolshelf.example", 0.95, (0.01, 0.505, 0.23, 0.55)))
    else:
        marked = scene(3)
        picture = marked.copy()
        ImageDraw.Draw(picture).rectangle((440, 320, 520, 400), "#406080")
        marked = picture.copy()
        ImageDraw.Draw(marked).ellipse((485, 365, 513, 393), "#ff4500", "white", 3)
        lines = ()
    found = _compared(picture, encoded(marked, 88), lines)
    assert found.tier is not None and found.tier.is_duplicate, found.in_words()
    assert Edit.WATERMARK in found.edits


def _thing(kind: str, version: int, seed: int) -> Image.Image:
    """Return a captioned scene with a small thing in one of two versions."""
    picture, rng = captioned(scene(3)), Random(seed)
    pen = ImageDraw.Draw(picture)
    x, y, r = rng.uniform(90, 420), rng.uniform(110, 270), rng.uniform(11, 26)
    if kind == "colour":
        pen.ellipse((x - r, y - r, x + r, y + r), ("#d02020", "#2060d0")[version], "black", 2)
    elif kind == "mouth":
        pen.ellipse((x - r, y - r, x + r, y + r), "#ffd23c", "black", 2)
        box = x - 0.6 * r, y - 0.3 * r, x + 0.6 * r, y + 0.6 * r
        pen.arc(box, *((20, 160) if version else (200, 340)), fill="black", width=max(2, round(r / 6)))
    elif kind == "tick":
        pen.rectangle((x - r / 2, y - r / 2, x + r / 2, y + r / 2), "white", "black", 2)
        if version:
            pen.line((x - r / 3, y - r / 3, x + r / 3, y + r / 3), "black", 2)
    else:
        ends = (x - r, x + r) if version else (x + r, x - r)
        pen.line((ends[0], y, ends[1], y), "white", 4)
        pen.polygon([(ends[1], y - r / 2), (ends[1], y + r / 2), (2 * ends[1] - x, y)], "white")
    return encoded(picture, 88)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("kind", ["colour", "mouth", "tick", "arrow"])
def test_one_small_thing_that_differs_makes_no_copy(kind: str, seed: int) -> None:
    found = _compared(_thing(kind, 0, seed), _thing(kind, 1, seed))
    assert found.tier is None or not found.tier.is_duplicate, found.in_words()


@pytest.mark.parametrize("ground", ["white", "black"])
def test_a_copy_with_round_corners_is_found(ground: str) -> None:
    picture = captioned(scene(3))
    mask = Image.new("L", picture.size)
    ImageDraw.Draw(mask).rounded_rectangle((0, 0, 519, 399), 30, 255)
    cut = Image.new("RGB", picture.size, ground)
    cut.paste(picture, mask=mask)
    found = _compared(picture, encoded(cut, 88))
    assert found.tier is not None and found.tier.is_duplicate, found.in_words()


@pytest.mark.parametrize("bars", [12, 30])
def test_a_small_copy_in_a_frame_is_found(bars: int) -> None:
    picture = captioned(scene(3))
    framed = ImageOps.expand(picture, bars, "white").resize((347, 267), Image.Resampling.LANCZOS)
    found = _compared(picture, encoded(framed, 88), ())
    assert found.tier is not None and found.tier.is_duplicate, found.in_words()

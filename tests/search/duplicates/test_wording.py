"""Words that were read on one picture alone make a variant, unless the pixels say that OCR misread."""

from __future__ import annotations

import pytest
from PIL import Image, ImageDraw, ImageFont, ImageOps

from search.duplicates.alignment.views import alignments
from search.duplicates.comparison import compare_prepared, prepare, view_distances
from search.duplicates.wording import ReadLine, lay_words, read_lines
from search.evidence import Edit, Evidence, Tier
from tests.support.duplicated import EDITS, captioned, encoded, scene

TOP = ReadLine("WHEN THE BUILD IS GREEN", 0.98, (0.05, 0.03, 0.95, 0.13))
BOTTOM = ReadLine("BUT NOBODY PUSHED IT", 0.98, (0.1, 0.83, 0.9, 0.93))
LABEL = (0.028, 0.025, 0.115, 0.085)


def _labeled(text: str) -> Image.Image:
    picture = scene(3)
    face = ImageFont.load_default(16)
    ImageDraw.Draw(picture).text((0.03 * 520, 0.03 * 400), text, "white", face, stroke_width=2, stroke_fill="black")
    return picture


def _compared(
    one: Image.Image, lines: tuple[ReadLine, ...], other: Image.Image, others: tuple[ReadLine, ...]
) -> Evidence:
    found = compare_prepared(prepare(one, lines=lines), prepare(other, lines=others))
    assert found == compare_prepared(prepare(other, lines=others), prepare(one, lines=lines)).swapped()
    return found


@pytest.mark.parametrize(("digit", "other"), [("1", "8"), ("3", "5"), ("6", "9")])
def test_one_other_digit_makes_a_variant(digit: str, other: str) -> None:
    lines = [(ReadLine(f"part {text}", 0.97, LABEL),) for text in (digit, other)]
    found = _compared(_labeled(f"part {digit}"), lines[0], encoded(_labeled(f"part {other}"), 85), lines[1])
    assert found.tier is Tier.VARIANT, found.in_words()


FACES = [ImageFont.load_default(size) for size in (15, 20, 28, 40)]


@pytest.mark.parametrize("face", range(len(FACES)))
@pytest.mark.parametrize("place", [(0.02, 0.03), (0.4, 0.45), (0.6, 0.88)])
@pytest.mark.parametrize(
    ("one", "other"), [("1/2", "2/2"), ("$4.99", "$7.99"), ("3:1", "3:7"), ("12.05.2024", "12.08.2024"), ("10%", "18%")]
)
def test_another_number_anywhere_makes_a_variant_even_if_it_was_not_read(
    one: str, other: str, place: tuple[float, float], face: int
) -> None:
    picture = scene(3)
    drawn = []
    for text in (one, other):
        copy = picture.copy()
        at = place[0] * copy.width, place[1] * copy.height
        ImageDraw.Draw(copy).text(at, text, "white", FACES[face], stroke_width=2, stroke_fill="black")
        drawn.append(encoded(copy, 88))
    assert _compared(drawn[0], (), drawn[1], ()).tier is Tier.VARIANT


def test_faint_numbers_that_were_well_read_make_a_variant() -> None:
    drawn = []
    for digit in "83":
        copy = scene(3)
        ImageDraw.Draw(copy, "RGBA").text((210, 20), f"only {digit} left", (255, 255, 255, 70), FACES[1])
        drawn.append(encoded(copy, 88))
    lines = [(ReadLine(f"only {digit} left", 0.99, (0.4, 0.045, 0.6, 0.11)),) for digit in "83"]
    assert _compared(drawn[0], lines[0], drawn[1], lines[1]).tier is Tier.VARIANT
    # The same number, read as another one, on a poorer copy.
    found = _compared(drawn[0], lines[0], encoded(drawn[0], 70), lines[1])
    assert found.tier is not None and found.tier.is_duplicate, found.in_words()


def test_a_digit_that_was_misread_makes_none() -> None:
    lines = [(ReadLine(f"part {text}", 0.97, LABEL),) for text in ("1", "l")]
    found = _compared(_labeled("part 1"), lines[0], encoded(_labeled("part 1"), 40), lines[1])
    assert found.tier is not None and found.tier.is_duplicate, found.in_words()


@pytest.mark.parametrize("edit", ["a poorer JPEG", "half the size", "a mirror image", "blur and grain", "darker"])
def test_words_that_were_read_on_one_copy_alone_make_no_variant(edit: str) -> None:
    picture = captioned(scene(3))
    found = _compared(picture, (TOP, BOTTOM), EDITS[edit](picture), ())
    assert found.tier is not None and found.tier.is_duplicate, found.in_words()


def test_a_picture_under_a_caption_bar_is_no_copy_of_the_picture() -> None:
    picture = scene(3)
    said = ReadLine("you will not believe this", 0.96, (0.03, 0.06, 0.7, 0.12))
    assert _compared(picture, (), EDITS["a caption bar"](picture), (said,)).tier is Tier.VARIANT
    found = _compared(picture, (), EDITS["a caption bar"](picture), ())
    assert found.tier is Tier.EDITED and Edit.FRAME in found.edits


def test_what_a_phone_or_a_site_adds_is_no_word_of_the_meme() -> None:
    picture = captioned(scene(3))
    screen = EDITS["a screenshot"](picture)
    clock = ReadLine("12:41", 0.99, (0.03, 0.015, 0.15, 0.04))
    label = ReadLine("Gallery", 0.99, (0.03, 0.05, 0.3, 0.08))
    moved = [
        ReadLine(line.text, 0.9, (line.box[0], 0.25 + line.box[1] / 2, line.box[2], 0.25 + line.box[3] / 2))
        for line in (TOP, BOTTOM)
    ]
    found = _compared(picture, (TOP, BOTTOM), screen, (clock, label, *moved))
    assert found.tier is Tier.EDITED, found.in_words()
    mark = ReadLine("@laughs.example", 0.95, (0.79, 0.94, 0.98, 0.98))
    found = _compared(picture, (TOP, BOTTOM), EDITS["a watermark"](picture), (TOP, BOTTOM, mark))
    assert found.tier is not None and found.tier.is_duplicate, found.in_words()


def _written(picture: Image.Image, text: str, place: tuple[float, float], *, opacity: int) -> Image.Image:
    """Return a picture with small outlined words, their upper left at a place in shares."""
    layer = Image.new("RGBA", picture.size)
    at = place[0] * picture.width, place[1] * picture.height
    ImageDraw.Draw(layer).text(
        at, text, (255, 255, 255, opacity), ImageFont.load_default(15), stroke_width=1, stroke_fill=(0, 0, 0, 140)
    )
    return Image.alpha_composite(picture.convert("RGBA"), layer).convert("RGB")


@pytest.mark.parametrize(
    ("place", "line", "misread"),
    [
        ((0.02, 0.06), TOP, "lolshelf.exmqleWHEN THE BUILD IS GREEN"),
        ((0.74, 0.06), TOP, "WHEN THE BUILD IS GRFFN shelf example"),
        ((0.02, 0.89), BOTTOM, "BJT lolshelf NOBODY PUSHED IT"),
        ((0.74, 0.89), BOTTOM, "BUT NOBODY PUSHED IF"),
    ],
)
def test_a_mark_over_a_caption_that_ocr_misreads_makes_no_variant(
    place: tuple[float, float], line: ReadLine, misread: str
) -> None:
    picture = captioned(scene(3))
    marked = encoded(_written(picture, "lolshelf.example", place, opacity=190), 85)
    lines = tuple(ReadLine(misread, 0.95, each.box) if each is line else each for each in (TOP, BOTTOM))
    found = _compared(picture, (TOP, BOTTOM), marked, lines)
    assert found.tier is not None and found.tier.is_duplicate, found.in_words()


@pytest.mark.parametrize("place", [(0.02, 0.03), (0.74, 0.03), (0.02, 0.93), (0.74, 0.93)])
def test_other_small_words_in_a_corner_make_a_variant(place: tuple[float, float]) -> None:
    words = ("my weekend", "your monday")
    box = (place[0], place[1], place[0] + 0.18, place[1] + 0.05)
    one, other = (_written(scene(3), text, place, opacity=255) for text in words)
    lines = [(ReadLine(text, 0.97, box),) for text in words]
    assert _compared(one, lines[0], encoded(other, 85), lines[1]).tier is Tier.VARIANT


def test_a_crop_is_a_copy_while_its_words_are_there() -> None:
    picture = captioned(scene(3))
    width, height = picture.size
    kept = picture.crop((round(0.04 * width), 0, width, height))
    found = _compared(picture, (TOP, BOTTOM), kept, (TOP, BOTTOM))
    assert found.tier is not None and found.tier.is_duplicate, found.in_words()
    cut = picture.crop((0, 0, width, round(0.8 * height)))
    assert _compared(picture, (TOP, BOTTOM), cut, (TOP,)).tier is Tier.VARIANT
    doubtful = ReadLine(BOTTOM.text, 0.4, BOTTOM.box)
    found = _compared(picture, (TOP, doubtful), cut, (TOP,))
    assert found.tier is not None and found.tier.is_duplicate, found.in_words()


WORDS_CUT = [
    ("left", 0.2, "the first word of a line", True),
    ("right", 0.4, "half a word and the next ones", True),
    ("left", 0.04, "a margin", False),
    ("bottom", 0.05, "a margin", False),
    ("bottom", 0.13, "the lower line", True),
]


@pytest.mark.parametrize(("side", "share", "what", "differs"), WORDS_CUT)
def test_a_crop_that_loses_a_word_is_a_variant(side: str, share: float, what: str, differs: bool) -> None:
    picture = captioned(scene(3))
    width, height = picture.size
    box = [0, 0, width, height]
    at = ("left", "top", "right", "bottom").index(side)
    box[at] = round((share if at < 2 else 1 - share) * box[at % 2 + 2])
    # Where the letters are drawn, so that the boxes are exact.
    top, bottom = (ReadLine(text, 0.98, box_) for text, box_ in _drawn_lines(picture))
    found = _compared(picture, (top, bottom), encoded(picture.crop(tuple(box)), 90), ())
    assert (found.tier is Tier.VARIANT) == differs, (what, found.in_words())


def _drawn_lines(picture: Image.Image) -> list[tuple[str, tuple[float, float, float, float]]]:
    face = ImageFont.load_default(picture.width // 14)
    found = []
    for text, y in zip(("WHEN THE BUILD IS GREEN", "BUT NOBODY PUSHED IT"), (0.04, 0.84), strict=True):
        length = face.getlength(text)
        x = (picture.width - length) / 2
        left, top, right, bottom = face.getbbox(text)
        box = (x + left, y * picture.height + top, x + right, y * picture.height + bottom)
        found.append((text, tuple(side / picture.size[at % 2] for at, side in enumerate(box))))
    return found


def test_a_word_that_is_said_twice_and_lost_once_makes_a_variant() -> None:
    picture = scene(3)
    pen, face = ImageDraw.Draw(picture), ImageFont.load_default(28)
    pen.text((8, 330), "it is what it is", "white", face, stroke_width=2, stroke_fill="black")
    width, (left, top, right, bottom) = face.getlength("it is what it is"), face.getbbox("it is what it is")
    line = ReadLine(
        *("it is what it is", 0.99, ((8 + left) / 520, (330 + top) / 400, (8 + right) / 520, (330 + bottom) / 400))
    )
    cut = round(8 + width * 0.13)
    cropped = encoded(picture.crop((cut, 0, 520, 400)), 90)
    kept = ReadLine("is what it is", 0.99, (0.01, line.box[1], (8 + right - cut) / (520 - cut), line.box[3]))
    assert _compared(picture, (line,), cropped, (kept,)).tier is Tier.VARIANT


def test_two_words_that_were_exchanged_make_a_variant_though_either_is_still_said() -> None:
    drawn, lines = [], []
    for text in ("dog bites man", "man bites dog"):
        picture = scene(5)
        face = ImageFont.load_default(20)
        ImageDraw.Draw(picture).text((20, 190), text, "white", face, stroke_width=2, stroke_fill="black")
        left, top, right, bottom = face.getbbox(text)
        lines.append(
            (ReadLine(text, 0.98, ((20 + left) / 520, (190 + top) / 400, (20 + right) / 520, (190 + bottom) / 400)),)
        )
        drawn.append(encoded(picture, 88))
    assert _compared(drawn[0], lines[0], drawn[1], lines[1]).tier is Tier.VARIANT


@pytest.mark.parametrize("spaced", ["WHENTHE BUILD IS GREEN", "WH EN THE BUILD IS GREEN", "WHEN THE BUI LDIS GREEN"])
def test_words_that_ocr_joins_or_parts_make_no_variant(spaced: str) -> None:
    picture = captioned(scene(3))
    poorer = encoded(picture, 25)
    found = _compared(picture, (TOP, BOTTOM), poorer, (ReadLine(spaced, 0.95, TOP.box), BOTTOM))
    assert found.tier is not None and found.tier.is_duplicate, found.in_words()


def test_numbers_that_are_read_in_a_mirror_are_not_believed() -> None:
    picture = captioned(scene(3), ("the answer is 28 or 22", "but nobody pushed it"))
    said = (ReadLine("THE ANSWER IS 28 OR 22", 0.99, TOP.box), BOTTOM)
    backwards = (ReadLine("22 RO 85 21 9EWSNA EHT", 0.9, (0.05, 0.03, 0.5, 0.13)),)
    found = _compared(picture, said, encoded(ImageOps.mirror(picture), 85), backwards)
    assert found.tier is Tier.EDITED and Edit.MIRROR in found.edits, found.in_words()


def test_the_words_of_a_tilted_line_lie_along_it() -> None:
    level = read_lines([["one two", 0.9, [[0.1, 0.1], [0.5, 0.1], [0.5, 0.2], [0.1, 0.2]]]])[0]
    tilted = read_lines([["one two", 0.9, [[0.1, 0.5], [0.5, 0.2], [0.55, 0.27], [0.15, 0.57]]]])[0]
    assert level.corners == () and level.height == pytest.approx(0.1)
    assert tilted.corners[1] == (0.5, 0.2) and tilted.height == pytest.approx(0.086, abs=0.001)
    picture = prepare(scene(3))
    alignment = next(alignments(picture.picture, picture.picture, bits=view_distances(picture, picture)))
    sizes = ((100, 100), (100, 100))
    for line, boxes in (
        (level, [(10, 10, 27, 20), (33, 10, 50, 20)]),
        (tilted, [(10, 37, 32, 57), (33, 20, 55, 40)]),
    ):
        words, _ = lay_words((line,), (), alignment, sizes=sizes)
        for word, box in zip(words, boxes, strict=True):
            assert word.box == pytest.approx(box, abs=2.5)

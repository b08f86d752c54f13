"""Comparing two pictures: every edit is known again, another text or another picture is not."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageOps

from search.duplicates.comparison import compare, text_agreement, tile_differences
from search.evidence import Edit, Tier
from tests.support.duplicated import EDITS, ONE_WORD_CHANGED, OTHER_WORDS, WORDS, captioned, encoded, scene

SEEN_AS = {
    "cropped at one side": Edit.CROP,
    "cropped at three sides": Edit.CROP,
    "a white border": Edit.FRAME,
    "black bars": Edit.FRAME,
    "a screenshot": Edit.SCREENSHOT,
    "a mirror image": Edit.MIRROR,
    "brighter": Edit.LIGHT,
    "darker": Edit.LIGHT,
    "less contrast": Edit.LIGHT,
    "no colours": Edit.COLOR,
    "a tint": Edit.COLOR,
}


@pytest.mark.parametrize("edit", EDITS)
def test_an_edited_copy_is_a_duplicate(edit: str) -> None:
    picture = captioned(scene(3))
    found = compare(picture, EDITS[edit](picture))
    assert found.tier is not None and found.tier.is_duplicate, found.in_words()
    if edit in SEEN_AS:
        assert found.tier is Tier.EDITED and SEEN_AS[edit] in found.edits


@pytest.mark.parametrize("edit", EDITS)
def test_an_edited_copy_with_another_text_is_none(edit: str) -> None:
    found = compare(captioned(scene(3)), EDITS[edit](captioned(scene(3), OTHER_WORDS)))
    assert found.tier is None or not found.tier.is_duplicate, found.in_words()


@pytest.mark.parametrize(
    "edit", ["the same pixels", "a poorer JPEG", "a mirror image", "a screenshot", "a caption bar"]
)
def test_who_is_named_first_makes_no_difference(edit: str) -> None:
    picture = captioned(scene(4))
    other = EDITS[edit](picture)
    there, back = compare(picture, other), compare(other, picture)
    assert there == back.swapped()


@pytest.mark.parametrize("words", [None, OTHER_WORDS])
def test_the_mirror_image_of_what_is_nearly_its_own_is_found(words: tuple[str, str] | None) -> None:
    half = scene(7, size=(260, 400))
    picture = Image.new("RGB", (520, 400))
    picture.paste(half, (0, 0))
    picture.paste(ImageOps.mirror(half), (260, 0))
    picture = picture if words is None else captioned(picture, words)
    picture.paste((250, 240, 60), (40, 200, 80, 230))  # its mirror image has this at the other side
    found = compare(picture, ImageOps.mirror(picture))
    assert found.tier is Tier.EDITED and Edit.MIRROR in found.edits, found.in_words()


def test_pictures_that_only_have_resolution_apart_are_the_same() -> None:
    picture = captioned(scene(5))
    assert compare(picture, EDITS["half the size"](picture)).tier is Tier.SAME
    assert compare(picture, EDITS["a poorer JPEG"](picture)).tier is Tier.SAME


def test_one_changed_word_makes_a_variant() -> None:
    found = compare(captioned(scene(6)), captioned(scene(6), ONE_WORD_CHANGED))
    assert found.tier is Tier.VARIANT
    assert found.differing is not None and found.differing < 0.5


def test_another_picture_is_nothing_but_the_same_words_are_told() -> None:
    one, other = captioned(scene(7)), captioned(scene(8))
    assert compare(one, other).tier is None
    said = "when the build is green but nobody pushed it"
    assert compare(one, other, text_a=said, text_b=said).tier is Tier.SAME_WORDS


def test_pictures_that_nearly_agree_and_say_something_else_are_variants() -> None:
    assert text_agreement("when the build is green", "WHEN THE BUILD IS GREEN!") == 1.0
    assert text_agreement("when the build is green", "my houseplant on monday") == pytest.approx(0.3, abs=0.15)
    assert text_agreement("hm", "when the build is green") is None
    assert text_agreement(None, "when the build is green") is None


def test_the_heat_is_where_the_words_differ() -> None:
    heat = tile_differences(captioned(scene(9)), captioned(scene(9), ONE_WORD_CHANGED))
    assert heat is not None
    rows = np.nanmax(heat, axis=1)
    assert int(rows.argmax()) < len(rows) * 0.25  # the changed word stands in the upper line
    assert np.nanmax(heat[len(rows) // 3 : -len(rows) // 4]) < 8


@pytest.mark.parametrize("turn", [Image.Transpose.ROTATE_90, Image.Transpose.ROTATE_180, Image.Transpose.ROTATE_270])
def test_a_turned_copy_is_found_and_with_other_words_it_is_a_variant(turn: Image.Transpose) -> None:
    found = compare(captioned(scene(10)), encoded(captioned(scene(10)).transpose(turn), 80))
    assert found.tier is Tier.EDITED and Edit.TURN in found.edits, found.in_words()
    assert found.pdq is not None and found.pdq <= 24
    other = compare(captioned(scene(10)), captioned(scene(10), OTHER_WORDS).transpose(turn))
    assert other.tier is Tier.VARIANT, other.in_words()


@pytest.mark.parametrize("size", [(400, 400), (300, 480)])
def test_a_squeezed_copy_is_found_and_with_other_words_it_is_none(size: tuple[int, int]) -> None:
    found = compare(captioned(scene(11)), captioned(scene(11)).resize(size))
    assert found.tier is Tier.EDITED and Edit.SQUEEZE in found.edits, found.in_words()
    other = compare(captioned(scene(11)), captioned(scene(11), OTHER_WORDS).resize(size))
    assert other.tier is None or not other.tier.is_duplicate


def _sticker(words: tuple[str, str] = WORDS) -> Image.Image:
    """Return a transparent picture as it is compared: shown over white, with the transparency that was there."""
    mask = Image.new("L", (520, 400))
    ImageDraw.Draw(mask).ellipse((15, 10, 505, 390), fill=255)
    shown = Image.new("RGB", mask.size, "white")
    shown.paste(captioned(scene(12), words), mask=mask)
    shown.putalpha(mask)
    return shown


@pytest.mark.parametrize("ground", ["white", "black", "#0e1621", "#7a2f9c"])
def test_a_transparent_picture_is_found_over_any_ground(ground: str) -> None:
    sticker = _sticker()
    flat = Image.new("RGB", sticker.size, ground)
    flat.paste(captioned(scene(12)), mask=sticker.getchannel("A"))
    found = compare(sticker, encoded(flat, 85))
    assert found.tier is not None and found.tier.is_duplicate, found.in_words()
    assert (Edit.GROUND in found.edits) == (ground != "white")
    assert compare(encoded(flat, 85), sticker) == found.swapped()
    other = compare(_sticker(OTHER_WORDS), flat)
    assert other.tier is None or not other.tier.is_duplicate


def test_plain_pictures_are_the_same_only_if_their_colours_are() -> None:
    colors = ["white", "#0a0a0a", "blue", "green", "#2060c0"]
    plain = [Image.new("RGB", (500, 500), color) for color in colors]
    assert all(compare(one, other).tier is None for one, other in combinations(plain, 2))
    assert compare(plain[2], encoded(plain[2].resize((300, 200)), 80)).tier is Tier.SAME
    ramp = Image.linear_gradient("L").convert("RGB")
    assert compare(ramp, ImageOps.colorize(ramp.convert("L"), "black", "yellow")).tier is None


@pytest.mark.parametrize("side", [50, 100, 300])
def test_faces_that_differ_in_their_eyes_are_no_copies(side: int) -> None:
    def face(*, closed: bool) -> Image.Image:
        picture = Image.new("RGB", (100, 104), "white")
        pen = ImageDraw.Draw(picture)
        pen.ellipse((8, 10, 92, 98), fill="#f4c542", outline="black", width=2)
        for middle in (35, 65):
            if closed:
                pen.line((middle - 6, 46, middle + 6, 46), fill="black", width=3)
            else:
                pen.ellipse((middle - 6, 38, middle + 6, 54), fill="white", outline="black", width=2)
        pen.arc((32, 54, 68, 82), 20, 160, fill="black", width=2)
        return picture.resize((side, round(1.04 * side)), Image.Resampling.LANCZOS)

    other = compare(face(closed=False), face(closed=True))
    assert other.tier is None or not other.tier.is_duplicate, other.in_words()
    copy = compare(face(closed=False), encoded(face(closed=False), 95))
    assert copy.tier is not None and copy.tier.is_duplicate, copy.in_words()


@pytest.mark.parametrize("size", [(1, 1), (3, 400), (64, 64)])
def test_a_picture_with_nothing_to_see_is_compared_without_harm(size: tuple[int, int]) -> None:
    blank = Image.new("RGB", size, "grey")
    found = compare(blank, captioned(scene(1)))
    assert found.tier is None or not found.tier.is_duplicate

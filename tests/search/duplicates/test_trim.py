"""The part of a picture that is no plain surface, on pictures put together for it."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from search.duplicates.trim import content_box, trim
from search.images.fingerprints import PDQ_BITS, hamming, pdq
from tests.support.duplicated import scene


def on_screen(picture: Image.Image, *, color: str, size: tuple[int, int], at: tuple[int, int]) -> Image.Image:
    screen = Image.new("RGB", size, color)
    screen.paste(picture, at)
    return screen


@pytest.mark.parametrize("color", ["black", "white", "#123456"])
def test_what_a_screen_shows_is_found_in_it(color: str) -> None:
    meme = scene(3).resize((400, 300))
    screen = on_screen(meme, color=color, size=(400, 900), at=(0, 310))
    left, top, right, bottom = content_box(screen)
    assert left == 0 and right == 400
    assert abs(top - 310) <= 4 and abs(bottom - 610) <= 4
    near = hamming(pdq(trim(screen))[0], pdq(meme)[0])
    assert near <= 40 < hamming(pdq(screen)[0], pdq(meme)[0])


def test_a_frame_on_all_sides_is_left_away() -> None:
    framed = on_screen(scene(4).resize((300, 300)), color="white", size=(420, 400), at=(60, 50))
    assert np.abs(np.array(content_box(framed)) - (60, 50, 360, 350)).max() <= 4


def test_a_picture_that_is_all_content_is_left_whole() -> None:
    picture = scene(5)
    assert trim(picture) is picture


@pytest.mark.parametrize(
    "picture", [Image.new("RGB", (300, 200), "red"), Image.new("L", (1, 1)), Image.new("RGB", (2, 900))]
)
def test_nothing_to_see_is_left_whole(picture: Image.Image) -> None:
    assert content_box(picture) == (0, 0, *picture.size)
    assert len(pdq(trim(picture))[0]) == PDQ_BITS // 8


def test_a_small_thing_on_a_large_screen_is_not_its_content() -> None:
    screen = on_screen(scene(6).resize((60, 60)), color="black", size=(600, 900), at=(200, 300))
    assert content_box(screen) == (0, 0, 600, 900)

"""A transparent picture is shown on a ground that hides none of its parts."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from indexer.media.backgrounds import DARK, GRAY, WHITE, background

Ground = tuple[int, int, int]


def _drawn(words: str, figure: str | None, *, outline: str | None = None, size: int = 28) -> Image.Image:
    picture = Image.new("RGBA", (500, 400), (0, 255, 0, 0))
    pen = ImageDraw.Draw(picture)
    if figure:
        pen.ellipse((20, 120, 220, 380), fill=figure)
    width = 2 if outline else 0
    pen.text((230, 40), "HELLO YOU", words, ImageFont.load_default(size), stroke_width=width, stroke_fill=outline)
    return picture


@pytest.mark.parametrize(
    ("picture", "ground"),
    [
        (_drawn("white", "black"), GRAY),
        (_drawn("white", "#222222"), GRAY),
        (_drawn("black", "white"), GRAY),
        (_drawn("#ffffa0", "#303030"), GRAY),
        (_drawn("white", "#d02020"), DARK),
        (_drawn("white", None), DARK),
        (_drawn("white", None, size=14), DARK),
        (_drawn("black", None), WHITE),
        (_drawn("black", "#303030"), WHITE),
        (_drawn("white", "#303030", outline="black"), WHITE),
        (_drawn("#808080", "black"), WHITE),
    ],
)
def test_no_part_is_hidden_by_the_ground(picture: Image.Image, ground: Ground) -> None:
    assert background(picture) == ground


def test_a_white_border_and_a_white_body_with_an_outline_hide_nowhere() -> None:
    for outer, inner in (("white", "#3070c0"), ("black", "white")):
        picture = Image.new("RGBA", (300, 300))
        pen = ImageDraw.Draw(picture)
        pen.ellipse((20, 20, 280, 280), fill=outer)
        pen.ellipse((34, 34, 266, 266), fill=inner)
        assert background(picture) == WHITE


def test_noise_has_a_ground() -> None:
    noise = np.random.default_rng(1).integers(0, 256, (900, 1200, 4), np.uint8)
    assert background(Image.fromarray(noise, "RGBA")) in (WHITE, DARK, GRAY)

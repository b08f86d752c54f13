"""Which words of a drawn caption a crop takes away, by the ink of each word as it was drawn."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator, Sequence
from enum import StrEnum
from functools import partial
from types import SimpleNamespace
from typing import Any
from unittest import mock

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

Ink = NDArray[np.bool_]  # [height, width]: where a word is drawn

LOST = 0.5  # share of a word's ink from which on the word is gone
WORN = 0.25  # share of a word's ink up to which it is still there, with a letter cut
_GROUND = (128, 128, 128)
_SPAN = re.compile(r"\S*\w\S*")


# What is printed on templates as a part of the joke, in shares of the picture (left, top, right, bottom). Signs in a
# scene (a house number, a uniform) are not.
PRINTED: dict[str, tuple[tuple[str, float, float, float, float], ...]] = {
    "cmm": (
        ("CHANGE", 0.43, 0.75, 0.61, 0.86),
        ("MY", 0.62, 0.69, 0.7, 0.78),
        ("MIND", 0.71, 0.57, 0.84, 0.71),
    ),
    "crow": (
        ("BOOO!", 0.73, 0.01, 0.87, 0.07),
        ("GET BETTER", 0.67, 0.06, 0.92, 0.12),
        ("MATERIAL!", 0.7, 0.11, 0.92, 0.17),
    ),
    "exit": (("LEFT", 0.26, 0.03, 0.33, 0.07), ("EXIT 12", 0.24, 0.07, 0.35, 0.13)),
    "friends": (
        ("Are you two friends?", 0.24, 0.41, 0.77, 0.45),
        ("No.", 0.26, 0.94, 0.36, 0.99),
        ("Yes.", 0.6, 0.91, 0.72, 0.96),
    ),
    "midwit": (
        *(("34%", 0.38, 0.41, 0.45, 0.46), ("34%", 0.56, 0.41, 0.62, 0.46), ("14%", 0.28, 0.74, 0.35, 0.79)),
        *(("14%", 0.66, 0.74, 0.73, 0.79), ("0.1%", 0.1, 0.84, 0.17, 0.89), ("2%", 0.19, 0.84, 0.25, 0.88)),
        *(("2%", 0.76, 0.84, 0.81, 0.88), ("0.1%", 0.85, 0.84, 0.92, 0.89), ("IQ score", 0.07, 0.92, 0.14, 0.95)),
        *(("55", 0.15, 0.91, 0.2, 0.96), ("70", 0.26, 0.91, 0.31, 0.96), ("85", 0.37, 0.91, 0.42, 0.96)),
        *(("100", 0.47, 0.91, 0.53, 0.96), ("115", 0.58, 0.91, 0.64, 0.96), ("130", 0.69, 0.91, 0.75, 0.96)),
        ("145", 0.8, 0.91, 0.86, 0.96),
    ),
    "panik-kalm-panik": (
        ("Panik", 0.76, 0.21, 0.96, 0.29),
        ("Kalm", 0.77, 0.58, 0.93, 0.63),
        ("Panik", 0.76, 0.89, 0.95, 0.98),
    ),
    "same": (
        ("Corporate needs you to find the differences", 0.12, 0.42, 0.9, 0.46),
        ("between this picture and this picture.", 0.17, 0.46, 0.84, 0.5),
        ("They're the same picture.", 0.3, 0.95, 0.75, 0.99),
    ),
}


class Crop(StrEnum):
    """What a crop does to a caption."""

    COPY = "crop"  # every word is still there
    OTHER = "words cropped away"  # a word or a digit is gone
    UNCLEAR = "words cropped in half"  # a word is between the two, and none is gone


def judge(template: Any, size: tuple[int, int], caption: Sequence[str], box: Sequence[int]) -> Crop:
    """Return what a crop to `box` (left, top, right, bottom in pixels) does to a meme of real_memes of this size."""
    left, top, right, bottom = box
    inks = [*ink_of(size, template.zones, caption), *_printed(template.id, size)]
    cut = [1 - float(ink[top:bottom, left:right].sum()) / max(1, int(ink.sum())) for ink in inks]
    most = max(cut, default=0.0)
    return Crop.OTHER if most >= LOST else Crop.UNCLEAR if most > WORN else Crop.COPY


def _printed(template: str, size: tuple[int, int]) -> Iterator[Ink]:
    """Yield where each word lies that is printed on a template."""
    for text, left, top, right, bottom in PRINTED.get(template, ()):
        across = (right - left) / len(text)
        for start, end in _spans(text):
            ink = np.zeros(size[::-1], np.bool_)
            sides = left + start * across, left + end * across
            rows = slice(round(top * size[1]), round(bottom * size[1]))
            ink[rows, round(sides[0] * size[0]) : round(sides[1] * size[0])] = True
            yield ink


def ink_of(size: tuple[int, int], zones: Sequence[Any], caption: Sequence[str]) -> Iterator[Ink]:
    """Yield where each word of a caption, and each digit of a number, is drawn ([height, width] bool)."""
    drawing = importlib.import_module("drawing")  # of real_memes
    chosen, pen = 0, _OnePen(-1)
    while chosen == 0 or chosen < pen.count:
        pen, blank = _OnePen(chosen), Image.new("RGB", size, _GROUND)
        with mock.patch.object(drawing, "ImageDraw", pen):
            drawing.draw_caption(blank, tuple(zones), tuple(caption))
        yield (np.asarray(blank) != _GROUND[0]).any(axis=2)
        chosen += 1


class _OnePen:
    """Stands for PIL.ImageDraw: of the words and digits that are written with it, draws only one, at its place."""

    def __init__(self, chosen: int) -> None:
        self.count = 0
        self._chosen = chosen

    def Draw(self, layer: Image.Image) -> Any:
        """Return a pen for a picture."""
        return SimpleNamespace(text=partial(self._write, ImageDraw.Draw(layer)))

    def _write(
        self,
        pen: ImageDraw.ImageDraw,
        middle: tuple[float, float],
        line: str,
        *,
        font: ImageFont.FreeTypeFont,
        anchor: str,
        **style: Any,
    ) -> None:
        assert anchor == "mm", "a line is placed by its middle"
        left = middle[0] - font.getlength(line) / 2
        for start, end in _spans(line):
            if self.count == self._chosen:
                at = left + font.getlength(line[:start]), middle[1]
                pen.text(at, line[start:end], font=font, anchor="lm", **style)
            self.count += 1


def _spans(line: str) -> Iterator[tuple[int, int]]:
    """Yield where each word of a line begins and ends, and each digit of a longer one."""
    for word in _SPAN.finditer(line):
        yield word.span()
        if len(word[0]) > 1:
            yield from ((at, at + 1) for at in range(*word.span()) if line[at].isdigit())

"""Text on pictures: broken into lines, set as large as its box allows, measured, and drawn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

from PIL import Image, ImageDraw, ImageFont

_SPACING = 1.16  # line height, in font sizes
_SMOOTH = 2  # text is drawn this many times larger, then reduced


class Style(StrEnum):
    """The style of a text."""

    CAPTION = "caption"  # white narrow capitals with a black outline
    BOLD = "bold"
    PLAIN = "plain"


@dataclass(frozen=True)
class Lettering:
    """A text and the box that it must stay within: left, top, right, bottom in pixels; `turn` in degrees, clockwise."""

    text: str
    box: tuple[float, float, float, float]
    style: Style = Style.BOLD
    color: str = "#1d1b2e"
    largest: float = 64  # pixels
    smallest: float = 15
    align: str = "centre"  # or "left"
    stand: str = "middle"  # vertical position of a text that does not fill its box: "top", "middle" or "bottom"
    turn: float = 0


@dataclass(frozen=True)
class Setting:
    """The layout of a text: its font size in pixels, and its lines."""

    size: float
    lines: tuple[str, ...]


# Widths as a share of the font's: narrow letters make the one font that is always available look like a poster's.
_NARROW = {Style.CAPTION: 0.84, Style.BOLD: 1.0, Style.PLAIN: 1.0}
_WEIGHT = {Style.CAPTION: 0.046, Style.BOLD: 0.026, Style.PLAIN: 0.0}  # added on all sides, as a share of the size
_OUTLINE = {Style.CAPTION: 0.075, Style.BOLD: 0.0, Style.PLAIN: 0.0}
_TRACKING = {Style.CAPTION: 0.045, Style.BOLD: 0.012, Style.PLAIN: 0.0}  # between letters, as a share of the size


@lru_cache(maxsize=256)
def typeface(size: int) -> ImageFont.FreeTypeFont:
    """Return the font that Pillow contains (Aileron, CC0), at a size in pixels."""
    font = ImageFont.load_default(size)
    if not isinstance(font, ImageFont.FreeTypeFont):
        raise RuntimeError("Pillow was built without FreeType: the demo's words cannot be drawn.")
    return font


def set_text(lettering: Lettering) -> Setting:
    """Return the largest layout that fits the box; raise ValueError when even the smallest does not."""
    left, top, right, bottom = lettering.box
    wide, tall = right - left, bottom - top
    size = lettering.largest
    while size >= lettering.smallest:
        lines = _broken(lettering, size, wide)
        if lines is not None and _height(lettering, size, len(lines)) <= tall:
            return Setting(size, lines)
        size = size - 1 if size < 40 else size - 2
    raise ValueError(f"{lettering.text!r} does not fit into {wide:.0f} × {tall:.0f} pixels.")


def letter(image: Image.Image, letterings: Sequence[Lettering]) -> Image.Image:
    """Return the picture with the words drawn on it; raise ValueError when one does not fit its box."""
    for lettering in letterings:
        drawn, corner = masks(lettering)
        for mask, color in drawn:
            image.paste(color, corner, mask)
    return image


def ink_box(lettering: Lettering) -> tuple[int, int, int, int]:
    """Return the bounding box of a text in pixels, measured on the drawn text."""
    drawn, (x, y) = masks(lettering)
    boxes = [found for mask, _ in drawn if (found := mask.point(lambda value: 255 * (value > 40)).getbbox())]
    if not boxes:
        return (x, y, x, y)
    return (
        x + min(one[0] for one in boxes),
        y + min(one[1] for one in boxes),
        x + max(one[2] for one in boxes),
        y + max(one[3] for one in boxes),
    )


def _shown(lettering: Lettering) -> str:
    return lettering.text.upper() if lettering.style is Style.CAPTION else lettering.text


def _length(lettering: Lettering, line: str, size: float) -> float:
    around = 2 * size * (_WEIGHT[lettering.style] + _OUTLINE[lettering.style])
    # Measured at one large size, so that rounding at small sizes does not decide what fits.
    tracking = _TRACKING[lettering.style] * max(0, len(line) - 1)
    return (typeface(100).getlength(line) / 100 + tracking) * size * _NARROW[lettering.style] + around


def _height(lettering: Lettering, size: float, lines: int) -> float:
    around = 2 * size * (_WEIGHT[lettering.style] + _OUTLINE[lettering.style])
    return size * (_SPACING * (lines - 1) + 1.02) + around


def _broken(lettering: Lettering, size: float, wide: float) -> tuple[str, ...] | None:
    lines: list[str] = []
    for paragraph in _shown(lettering).split("\n"):
        line = ""
        for word in paragraph.split():
            if _length(lettering, word, size) > wide:
                return None
            longer = f"{line} {word}".strip()
            if line and _length(lettering, longer, size) > wide:
                lines.append(line)
                longer = word
            line = longer
        lines.append(line)
    return _balanced(lettering, size, wide, lines) if "\n" not in lettering.text else tuple(lines)


def _balanced(lettering: Lettering, size: float, wide: float, lines: list[str]) -> tuple[str, ...]:
    """Return the text in the same number of lines, of similar length: no word is alone on the last line."""
    words = " ".join(lines).split()
    for share in (0.55, 0.65, 0.75, 0.85, 0.95):
        tried, line = [], ""
        for word in words:
            longer = f"{line} {word}".strip()
            if line and _length(lettering, longer, size) > wide * share:
                tried.append(line)
                longer = word
            line = longer
        tried.append(line)
        if len(tried) <= len(lines) and all(_length(lettering, one, size) <= wide for one in tried):
            return tuple(tried)
    return tuple(lines)


def masks(lettering: Lettering, *, smooth: int = 1) -> tuple[list[tuple[Image.Image, str]], tuple[int, int]]:
    """Return the text's outline and fill as masks with their colours, and the position of their top left corner.

    Masks are `smooth` times as large as the picture; the position is in pixels of the picture.
    """
    setting = set_text(lettering)
    left, top, right, bottom = lettering.box
    fine = _SMOOTH * smooth
    style, size = lettering.style, setting.size * fine
    font = typeface(round(size))
    narrow = _NARROW[style]
    wide, tall = round((right - left) * fine / narrow), round((bottom - top) * fine)
    block = _height(lettering, size, len(setting.lines))
    start = {"top": 0.0, "middle": (tall - block) / 2, "bottom": tall - block}[lettering.stand]
    around = size * (_WEIGHT[style] + _OUTLINE[style])
    drawn = []
    thicknesses = [(_WEIGHT[style], lettering.color)]
    if _OUTLINE[style]:
        thicknesses.insert(0, (_WEIGHT[style] + _OUTLINE[style], "#08080f"))
    for share, color in thicknesses:
        mask = Image.new("L", (wide, tall))
        draw = ImageDraw.Draw(mask)
        for k, line in enumerate(setting.lines):
            tracking = size * _TRACKING[style]
            length = font.getlength(line) + tracking * max(0, len(line) - 1)
            x = around if lettering.align == "left" else (wide - length) / 2
            # Aileron's capitals reach .72 of its size above the baseline, its descenders .22 below.
            baseline = start + around + size * (0.78 + _SPACING * k)
            for place, character in enumerate(line):
                across = x + font.getlength(line[:place]) + tracking * place
                draw.text((across, baseline), character, fill=255, font=font, anchor="ls", stroke_width=size * share)
        mask = mask.resize((round((right - left) * smooth), round((bottom - top) * smooth)), Image.Resampling.LANCZOS)
        if lettering.turn:
            mask = mask.rotate(-lettering.turn, Image.Resampling.BICUBIC, expand=True)
        drawn.append((mask, color))
    turned = drawn[0][0]
    corner = (round((left + right - turned.width / smooth) / 2), round((top + bottom - turned.height / smooth) / 2))
    return drawn, corner

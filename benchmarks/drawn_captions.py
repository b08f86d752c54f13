"""Pictures of captions in many scripts, drawn with Debian's Noto fonts and read by an OCR engine."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import regex
from PIL import Image, ImageDraw, ImageFont, features
from rapidfuzz.distance import Levenshtein

from benchmarks.harness import Skipped
from indexer.ocr.engines import OcrEngine

FAMILIES = {
    "Arabic": "Noto Sans Arabic",
    "Hebrew": "Noto Sans Hebrew",
    "Devanagari": "Noto Sans Devanagari",
    "Thai": "Noto Sans Thai",
    "Han": "Noto Sans CJK SC",
    "Kana": "Noto Sans CJK JP",
    "Hangul": "Noto Sans CJK KR",
}
SIZE, WIDTH, MARGIN = 36, 640, 24  # pixels
CLEAN = 0.98  # least share of a caption's characters in a clean reading


@dataclass(frozen=True)
class ReadCaption:
    """A caption's reading: the text, its quality, and the share of the caption's characters that are right."""

    text: str
    quality: float
    right: float

    @property
    def is_clean(self) -> bool:
        """Whether the reading has the caption's characters, but for one in fifty."""
        return self.right >= CLEAN


@lru_cache(maxsize=16)
def font_of(script: str) -> ImageFont.FreeTypeFont:
    """Return the bold Noto font of a script; raise Skipped where it is not installed or the script cannot be shaped."""
    family = FAMILIES.get(script, "Noto Sans")
    found = ""
    if shutil.which("fc-match"):
        found = subprocess.run(
            ["fc-match", "--format", "%{family}|%{file}|%{index}", f"{family}:bold"],
            capture_output=True,
            text=True,
            check=False,
        ).stdout
    if not found.startswith(f"{family}|"):
        raise Skipped(f"the font {family} is not installed: apt-get install fontconfig fonts-noto-core fonts-noto-cjk")
    if not features.check("raqm"):
        raise Skipped("Pillow was built without Raqm, which joins the letters of Arabic and Hindi")
    _, file, index = found.rsplit("|", 2)
    return ImageFont.truetype(file, SIZE, index=int(index), layout_engine=ImageFont.Layout.RAQM)


def draw_caption(caption: str, script: str, *, space: str) -> Image.Image:
    """Return a white picture with a caption in black, on as many lines as it needs."""
    font = font_of(script)
    pieces: Sequence[str] = caption.split(space) if space else regex.findall(r"\X", caption)
    lines = [pieces[0]]
    for piece in pieces[1:]:
        longer = f"{lines[-1]}{space}{piece}"
        if font.getlength(longer) <= WIDTH - 2 * MARGIN:
            lines[-1] = longer
        else:
            lines.append(piece)
    height = round(SIZE * 1.6)
    picture = Image.new("RGB", (WIDTH, len(lines) * height + 2 * MARGIN), "white")
    draw = ImageDraw.Draw(picture)
    for number, line in enumerate(lines):
        left = (WIDTH - font.getlength(line)) / 2
        draw.text((left, MARGIN + number * height), line, font=font, fill="black")
    return picture


def read_caption(engine: OcrEngine, caption: str, script: str, *, space: str) -> ReadCaption:
    """Return how an OCR engine reads a drawn caption; spaces do not count, since it may lose those between lines."""
    reading = engine.read(draw_caption(caption, script, space=space))
    drawn, read = ("".join(text.split()) for text in (caption, reading.text))
    return ReadCaption(reading.text, reading.quality, Levenshtein.normalized_similarity(drawn, read))

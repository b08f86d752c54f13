"""Ladders of pairs of drawn pictures: each step changes a little more, so that a moved threshold moves a step."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from PIL import Image, ImageChops, ImageDraw, ImageEnhance, ImageFilter, ImageFont, ImageOps

from search.duplicates.comparison import compare
from search.evidence import Evidence
from tests.support.duplicated import EDITS, ONE_WORD_CHANGED, OTHER_WORDS, captioned, scene

Step = tuple[Image.Image, Image.Image, dict[str, str]]


def _crops(picture: Image.Image) -> Iterator[Step]:
    for share in np.linspace(0.92, 0.14, 14):
        yield picture, picture.crop((0, 0, round(picture.width * share), picture.height)), {}


def _small_words(picture: Image.Image) -> Iterator[Step]:
    for size in (3, 4, 5, 6, 7, 8, 9, 10, 12):
        changed = picture.copy()
        ImageDraw.Draw(changed).text((210, 190), "no", "#888", ImageFont.load_default(size))
        yield picture, changed, {}


def _faint_words(picture: Image.Image) -> Iterator[Step]:
    for opacity in range(20, 160, 14):
        layer = Image.new("RGBA", picture.size)
        ImageDraw.Draw(layer).text((150, 170), "not today", (255, 255, 255, opacity), ImageFont.load_default(40))
        yield picture, Image.alpha_composite(picture.convert("RGBA"), layer).convert("RGB"), {}


def _faint_words_with_the_same_text(picture: Image.Image) -> Iterator[Step]:
    text = "when the build is green but nobody pushed it"
    for one, other, _ in _faint_words(picture):
        yield one, other, {"text_a": text, "text_b": text}


def _watermarks(picture: Image.Image) -> Iterator[Step]:
    for size in range(8, 36, 3):
        marked = picture.copy()
        ImageDraw.Draw(marked).text((6, picture.height - size - 6), "@laugh", "white", ImageFont.load_default(size))
        yield picture, marked, {}


def _marks_off_the_corner(picture: Image.Image) -> Iterator[Step]:
    for off in range(2, 74, 6):
        marked = picture.copy()
        ImageDraw.Draw(marked).text((off, off), "@laughs", "white", ImageFont.load_default(13))
        yield picture, marked, {}


def _marks_on_a_dark_corner(picture: Image.Image) -> Iterator[Step]:
    dark = picture.copy()
    ImageDraw.Draw(dark).rectangle((0, 0, 240, 140), "#303030")
    for off in range(10, 38, 3):
        marked = dark.copy()
        ImageDraw.Draw(marked).text((off, off), "@laughs", "white", ImageFont.load_default(13))
        yield dark, marked, {}


def _zoomed(picture: Image.Image) -> Iterator[Step]:
    down = picture.height / picture.width
    for cut in (1, 2, 3, 3.2, 3.3, 3.4, 3.5, 3.6, 3.7, 3.8, 4, 6, 9, 10):
        box = (cut, cut * down, picture.width - cut, picture.height - cut * down)
        yield picture, picture.resize(picture.size, Image.Resampling.BICUBIC, box=box), {}


def _blurs(picture: Image.Image) -> Iterator[Step]:
    for sigma in (0.6, 0.9, 1.1, 1.3, 1.5, 1.7, 1.9, 2.2, 3.0):
        yield picture, picture.filter(ImageFilter.GaussianBlur(float(sigma))), {}


def _mixed_scenes(picture: Image.Image) -> Iterator[Step]:
    other = scene(99, size=picture.size)
    for share in np.linspace(0.02, 0.9, 14):
        changed = picture.copy()
        changed.paste(other.crop((0, 0, picture.width, round(picture.height * share))))
        yield picture, changed, {}


def _tints(picture: Image.Image) -> Iterator[Step]:
    for strength in np.linspace(0.03, 0.5, 10):
        rows = np.asarray(picture, np.float32) * (1 + strength, 1.0, 1 - strength)
        yield picture, Image.fromarray(rows.clip(0, 255).astype(np.uint8)), {}


def _recolored_parts(picture: Image.Image) -> Iterator[Step]:
    turned = Image.merge("RGB", [picture.getchannel(band) for band in "BRG"])
    for share in (0.005, 0.01, 0.02, 0.03, 0.04, 0.05, 0.06, 0.08, 0.1):
        changed = picture.copy()
        changed.paste(turned.crop((0, 0, round(picture.width * share), picture.height)))
        yield picture, changed, {}


def _smaller(picture: Image.Image) -> Iterator[Step]:
    for share in (0.7, 0.5, 0.4, 0.33, 0.25, 0.2, 0.16, 0.13, 0.1):
        yield picture, picture.resize((round(picture.width * share), round(picture.height * share))), {}


def _noisy_frames(picture: Image.Image) -> Iterator[Step]:
    for noise in range(0, 60, 6):
        rows = np.random.default_rng(3).normal(128, noise, (picture.height + 160, picture.width + 160, 3))
        frame = Image.fromarray(rows.clip(0, 255).astype(np.uint8))
        frame.paste(picture, (80, 80))
        yield picture, frame, {}


def _light(picture: Image.Image) -> Iterator[Step]:
    for factor in np.linspace(0.3, 2.2, 11):
        yield picture, ImageEnhance.Brightness(picture).enhance(float(factor)), {}


def _misread(picture: Image.Image) -> Iterator[Step]:
    text = "when the build is green but nobody pushed it and everyone waits"
    changed = picture.copy()
    ImageDraw.Draw(changed).text((6, 370), "@laugh", "white", ImageFont.load_default(20))
    for wrong in (0, 1, 2, 3, 4, 6, 8, 12, 16, 20, 24, 28, 32):
        yield picture, changed, {"text_a": text, "text_b": "q" * wrong + text[wrong:]}


def _stretched(picture: Image.Image) -> Iterator[Step]:
    for factor in np.linspace(1.01, 1.5, 10):
        yield picture, picture.resize((round(picture.width * factor), picture.height)), {}


def _turned(picture: Image.Image) -> Iterator[Step]:
    for angle in (0.5, 1, 2, 4, 8, 12, 16, 20, 26, 32):
        yield picture, picture.rotate(angle, Image.Resampling.BICUBIC, fillcolor="white"), {}


def _mirrored_and_changed(picture: Image.Image) -> Iterator[Step]:
    for size in range(8, 40, 4):
        changed = ImageOps.mirror(picture)
        ImageDraw.Draw(changed).text((200, 180), "no", "white", ImageFont.load_default(size), stroke_width=1)
        yield picture, changed, {}


def _collages(picture: Image.Image) -> Iterator[Step]:
    for panels in (1, 2, 3):
        for shrink in (1.0, 0.6, 0.4):
            part = picture.resize((round(picture.width * shrink), round(picture.height * shrink)))
            page = Image.new("RGB", (part.width, part.height * (panels + 1)), "white")
            page.paste(part)
            for panel in range(1, panels + 1):
                page.paste(scene(200 + panel, size=part.size), (0, part.height * panel))
            yield picture, page, {}


def _shifted(picture: Image.Image) -> Iterator[Step]:
    for pixels in range(1, 30, 3):
        yield picture, ImageChops.offset(picture, pixels, pixels), {}


LADDERS: dict[str, Callable[[Image.Image], Iterator[Step]]] = {
    "cropped": _crops,
    "small words": _small_words,
    "faint words": _faint_words,
    "faint words, same text": _faint_words_with_the_same_text,
    "watermarks": _watermarks,
    "marks off the corner": _marks_off_the_corner,
    "marks on a dark corner": _marks_on_a_dark_corner,
    "zoomed": _zoomed,
    "blurred": _blurs,
    "mixed scenes": _mixed_scenes,
    "tinted": _tints,
    "partly recoloured": _recolored_parts,
    "smaller": _smaller,
    "noisy frames": _noisy_frames,
    "brightness": _light,
    "misread texts": _misread,
    "stretched": _stretched,
    "turned": _turned,
    "mirrored with words": _mirrored_and_changed,
    "collages": _collages,
    "shifted": _shifted,
}


def ladder(name: str) -> list[dict[str, object]]:
    """Return what the comparison finds at each step of a ladder."""
    picture = captioned(scene(17))
    return [_row(compare(one, other, **texts)) for one, other, texts in LADDERS[name](picture)]


def _row(found: Evidence) -> dict[str, object]:
    return {
        "tier": found.tier.value if found.tier is not None else None,
        "edits": sorted(edit.value for edit in found.edits),
        "differing": None if found.differing is None else round(found.differing, 4),
        "strong": round(found.strong, 4),
        "matches": found.matches,
    }


def edited_pairs() -> Iterator[tuple[bool, Evidence]]:
    """Yield whether two pictures are copies of each other, and what the comparison finds."""
    picture = captioned(scene(31))
    for edit in EDITS.values():
        yield True, compare(picture, edit(picture))
        yield False, compare(picture, edit(captioned(scene(31), OTHER_WORDS)))
        yield False, compare(picture, edit(captioned(scene(31), ONE_WORD_CHANGED)))

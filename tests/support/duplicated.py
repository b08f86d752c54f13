"""Pictures for tests of duplicates: scenes drawn from a seed, captions on them, and what people do to pictures."""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter, ImageFont, ImageOps

WORDS = ("when the build is green", "but nobody pushed it")
OTHER_WORDS = ("my houseplant on monday", "after one single glass")
ONE_WORD_CHANGED = ("when the build is broken", "but nobody pushed it")


def scene(seed: int, *, size: tuple[int, int] = (520, 400)) -> Image.Image:
    """Return a picture of many overlapping shapes on a shaded ground, another for each seed."""
    generator = np.random.default_rng(seed)
    width, height = size
    down, across = np.mgrid[0:height, 0:width]
    angle = generator.uniform(0, 6)
    ramp = 90 + 40 * np.sin((across * np.cos(angle) + down * np.sin(angle)) / 90)
    ground = np.stack([ramp * generator.uniform(0.6, 1.3) for _ in range(3)], axis=-1)
    picture = Image.fromarray(ground.clip(0, 255).astype(np.uint8))
    pen = ImageDraw.Draw(picture)
    for _ in range(45):
        x, y = generator.uniform(0, width), generator.uniform(0, height)
        across_, down_ = generator.uniform(12, 90, 2)
        color = tuple(int(value) for value in generator.integers(20, 230, 3))
        draw = pen.ellipse if generator.random() < 0.5 else pen.rectangle
        draw((x, y, x + across_, y + down_), fill=color, outline="black")
    return picture


def captioned(picture: Image.Image, words: tuple[str, str] = WORDS) -> Image.Image:
    """Return the picture with a line of large outlined letters at the top and one at the bottom."""
    picture = picture.copy()
    pen = ImageDraw.Draw(picture)
    face = ImageFont.load_default(picture.width // 14)
    for text, y in zip(words, (0.04, 0.84), strict=True):
        x = (picture.width - pen.textlength(text.upper(), face)) / 2
        pen.text((x, y * picture.height), text.upper(), "white", face, stroke_width=3, stroke_fill="black")
    return picture


def encoded(picture: Image.Image, quality: int) -> Image.Image:
    """Return the picture as a JPEG of this quality shows it."""
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=quality)
    return Image.open(io.BytesIO(out.getvalue())).convert("RGB")


def _barred(picture: Image.Image) -> Image.Image:
    frame = Image.new("RGB", (picture.width, picture.height + 90), "white")
    frame.paste(picture, (0, 90))
    pen = ImageDraw.Draw(frame)
    pen.text((16, 30), "you will not believe this", "black", ImageFont.load_default(26))
    return frame


def _photographed(picture: Image.Image) -> Image.Image:
    frame = Image.new("RGB", (picture.width, picture.height * 2), "#111418")
    pen = ImageDraw.Draw(frame)
    pen.text((20, 12), "12:41", "#f2f2f2", ImageFont.load_default(20))
    pen.line((0, 90, picture.width, 90), "#30343a", 2)
    frame.paste(picture, (0, picture.height // 2))
    pen.line((0, frame.height - 60, picture.width, frame.height - 60), "#30343a", 2)
    return frame


def _marked(picture: Image.Image) -> Image.Image:
    layer = Image.new("RGBA", picture.size)
    pen = ImageDraw.Draw(layer)
    pen.text(
        (picture.width - 110, picture.height - 22), "@laughs.example", (255, 255, 255, 190), ImageFont.load_default(13)
    )
    return Image.alpha_composite(picture.convert("RGBA"), layer).convert("RGB")


def _grainy(picture: Image.Image) -> Image.Image:
    soft = np.asarray(picture.filter(ImageFilter.GaussianBlur(1.0)), np.float32)
    grain = np.random.default_rng(5).normal(0, 7, soft.shape)
    return Image.fromarray((soft + grain).clip(0, 255).astype(np.uint8))


def _tinted(picture: Image.Image) -> Image.Image:
    return Image.fromarray((np.asarray(picture, np.float32) * (1.15, 1.0, 0.75)).clip(0, 255).astype(np.uint8))


def _trimmed(picture: Image.Image) -> Image.Image:
    width, height = picture.size
    return picture.crop((round(0.1 * width), 0, width, height))


def _trimmed_twice(picture: Image.Image) -> Image.Image:
    width, height = picture.size
    return picture.crop((round(0.06 * width), 0, round(0.92 * width), round(0.98 * height)))


EDITS: dict[str, Callable[[Image.Image], Image.Image]] = {
    "the same pixels": lambda picture: picture.copy(),
    "a poorer JPEG": lambda picture: encoded(picture, 30),
    "half the size": lambda picture: picture.resize((picture.width // 2, picture.height // 2)),
    "half again the size": lambda picture: picture.resize((picture.width * 3 // 2, picture.height * 3 // 2)),
    "cropped at one side": _trimmed,
    "cropped at three sides": _trimmed_twice,
    "a white border": lambda picture: ImageOps.expand(picture, 40, "white"),
    "black bars": lambda picture: ImageOps.expand(picture, (0, 44, 0, 44), "black"),
    "a caption bar": _barred,
    "a screenshot": _photographed,
    "a watermark": _marked,
    "a mirror image": ImageOps.mirror,
    "brighter": lambda picture: ImageEnhance.Brightness(picture).enhance(1.3),
    "darker": lambda picture: ImageEnhance.Brightness(picture).enhance(0.7),
    "less contrast": lambda picture: ImageEnhance.Contrast(picture).enhance(0.7),
    "blur and grain": _grainy,
    "no colours": lambda picture: picture.convert("L").convert("RGB"),
    "a tint": _tinted,
}

"""Pairs of a source and a copy of it, edited in one of many ways: the pairs of `benchmarks.keeper --edits`.

A source is a meme of real_memes, or of the drawn demo library (one of five), saved as JPEG, or as PNG (one of five), a
fifth of them with the noise of a camera. The copy is made of the decoded file, and saved as JPEG of any usual quality,
or where the source is a PNG, half of the time as PNG; some kinds of edits change the format.
"""

from __future__ import annotations

import io
import json
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import cv2
import numpy as np
from PIL import Image, ImageEnhance, ImageFilter, ImageOps

from benchmarks.data import Library, cache, drawn_library, shared
from benchmarks.lookalikes import builder

QUALITIES = (70, 95)  # of a JPEG as usual programs save it
NOISY = (3.0, 9.0)  # levels of deviation
_FIRST = datetime(2019, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class _File:
    """A picture and how to save it: as JPEG or `kind`; a `quality` of None saves a PNG or GIF."""

    picture: Image.Image
    quality: int | None
    kind: str = ""
    effort: int = 4  # of a WebP

    @property
    def ending(self) -> str:
        return self.kind or ("png" if self.quality is None else "jpg")

    def save(self, file: Path) -> None:
        if self.ending == "png":
            self.picture.save(file, compress_level=3)
        elif self.quality is None:
            self.picture.save(file)
        else:
            self.picture.save(file, quality=self.quality, method=self.effort)


Edit = Callable[[_File, Random], _File]


def _as_usual(edit: Callable[[Image.Image, Random], Image.Image]) -> Edit:
    """Return an edit of the pixels whose result is saved as programs do."""

    def edited(source: _File, rng: Random) -> _File:
        lossless = source.quality is None and rng.random() < 0.5
        return _File(edit(source.picture, rng), None if lossless else rng.randint(*QUALITIES))

    return edited


def _sharpened(picture: Image.Image, rng: Random) -> Image.Image:
    return picture.filter(ImageFilter.UnsharpMask(rng.uniform(0.8, 3), rng.randint(50, 220), rng.randint(0, 3)))


def _blurred(picture: Image.Image, rng: Random) -> Image.Image:
    return picture.filter(ImageFilter.GaussianBlur(rng.uniform(0.5, 1.8)))


def _denoised(picture: Image.Image, rng: Random) -> Image.Image:
    way = rng.randrange(3)
    if way == 0:
        return picture.filter(ImageFilter.MedianFilter(3))
    colors = np.array(picture)
    if way == 1:
        return Image.fromarray(cv2.bilateralFilter(colors, 7, rng.uniform(15, 50), rng.uniform(2, 5)))
    return Image.fromarray(cv2.fastNlMeansDenoisingColored(colors, None, rng.uniform(3, 9), rng.uniform(3, 9), 5, 11))


def _grainy(picture: Image.Image, rng: Random) -> Image.Image:
    return _noisy(picture, rng.uniform(3, 11), rng)


def _noisy(picture: Image.Image, deviation: float, rng: Random) -> Image.Image:
    plane = np.asarray(picture, np.float32)
    noise = np.random.default_rng(rng.getrandbits(64)).normal(0, deviation, plane.shape)
    return Image.fromarray(np.clip(plane + noise, 0, 255).astype(np.uint8))


def _soft_and_grainy(picture: Image.Image, rng: Random) -> Image.Image:
    return _noisy(picture.filter(ImageFilter.GaussianBlur(rng.uniform(0.6, 1.4))), rng.uniform(4, 10), rng)


def _resized(least: float, most: float) -> Callable[[Image.Image, Random], Image.Image]:
    methods = (Image.Resampling.LANCZOS, Image.Resampling.BICUBIC, Image.Resampling.BILINEAR, Image.Resampling.BOX)

    def resized(picture: Image.Image, rng: Random) -> Image.Image:
        factor = rng.uniform(least, most)
        size = round(picture.width * factor), round(picture.height * factor)
        return picture.resize(size, rng.choice(methods))

    return resized


def _enlarged_and_sharpened(picture: Image.Image, rng: Random) -> Image.Image:
    return _sharpened(_resized(1.3, 2)(picture, rng), rng)


def _contrasted(picture: Image.Image, rng: Random) -> Image.Image:
    if rng.random() < 0.5:
        gamma = rng.choice((rng.uniform(0.6, 0.85), rng.uniform(1.2, 1.7)))
        return picture.point([round(255 * (level / 255) ** gamma) for level in range(256)] * 3)
    factors = [1 + rng.choice((-1, 1)) * rng.uniform(0.1, 0.3) for _ in range(2)]
    return ImageEnhance.Contrast(ImageEnhance.Brightness(picture).enhance(factors[0])).enhance(factors[1])


def _recolored(picture: Image.Image, rng: Random) -> Image.Image:
    return ImageEnhance.Color(picture).enhance(rng.choice((0.0, rng.uniform(0.4, 0.8), rng.uniform(1.2, 1.6))))


def _turned(picture: Image.Image, rng: Random) -> Image.Image:
    turns = (Image.Transpose.ROTATE_90, Image.Transpose.ROTATE_180, Image.Transpose.ROTATE_270)
    return picture.transpose(rng.choice(turns))


def _drawn_by(name: str) -> Callable[[Image.Image, Random], Image.Image]:
    """Return the transformation of real_memes with this name."""

    def altered(picture: Image.Image, rng: Random) -> Image.Image:
        builder()  # puts its folder on the path
        changed: Image.Image = sys.modules["build_library"].TRANSFORMATIONS[name](picture, rng).picture
        return changed

    return altered


def _saved(at: Callable[[int, Random], int]) -> Edit:
    """Return an edit that saves a source's very pixels as a JPEG of another quality."""

    def saved(source: _File, rng: Random) -> _File:
        quality = rng.randint(*QUALITIES) if source.quality is None else at(source.quality, rng)
        return _File(source.picture, min(97, max(25, quality)))

    return saved


def _by_webp(source: _File, rng: Random) -> _File:
    out = io.BytesIO()
    source.picture.save(out, "WEBP", quality=rng.randint(60, 95), method=2)
    return _File(Image.open(out).convert("RGB"), rng.randint(*QUALITIES))


def _reduced(source: _File, rng: Random) -> _File:
    colors = source.picture.quantize(rng.choice((32, 64, 128, 256)), dither=rng.choice(tuple(Image.Dither)[::3]))
    return _File(colors.convert("RGB"), None)


def _as_webp(source: _File, rng: Random) -> _File:
    # The effort that Pillow and cwebp have by default, that of the slowest, and one of fast servers.
    return _File(source.picture, rng.randint(60, 95), "webp", rng.choice((4, 4, 6, 2)))


def _as_avif(source: _File, rng: Random) -> _File:
    return _File(source.picture, rng.randint(50, 90), "avif")


def _as_palette(source: _File, rng: Random) -> _File:
    colors = source.picture.quantize(rng.choice((64, 128, 256)), dither=rng.choice(tuple(Image.Dither)[::3]))
    return _File(colors, None, rng.choice(("png", "gif")))


EDITS: dict[str, Edit] = {
    "sharpened": _as_usual(_sharpened),
    "blurred": _as_usual(_blurred),
    "denoised": _as_usual(_denoised),
    "grain": _as_usual(_grainy),
    "soft and grainy": _as_usual(_soft_and_grainy),
    "smaller": _as_usual(_resized(0.4, 0.85)),
    "larger": _as_usual(_resized(1.2, 2)),
    "larger and sharpened": _as_usual(_enlarged_and_sharpened),
    "saved poorer": _saved(lambda quality, rng: quality - rng.randint(5, 40)),
    "saved alike": _saved(lambda quality, rng: quality),
    "saved better": _saved(lambda quality, rng: quality + rng.randint(3, 15)),
    "JPEG to PNG": lambda source, rng: _File(source.picture, None),
    "PNG to JPEG": _saved(lambda quality, rng: quality),
    "JPEG to WebP to JPEG": _by_webp,
    "fewer colours": _reduced,
    "screenshot": _as_usual(_drawn_by("screenshot")),
    "border": _as_usual(_drawn_by("border")),
    "crop": _as_usual(_drawn_by("crop")),
    "mirrored": _as_usual(lambda picture, rng: ImageOps.mirror(picture)),
    "turned": _as_usual(_turned),
    "watermark": _as_usual(_drawn_by("watermark")),
    "gamma or contrast": _as_usual(_contrasted),
    "colours": _as_usual(_recolored),
    "JPEG to WebP": _as_webp,
    "WebP to JPEG": _saved(lambda quality, rng: rng.randint(*QUALITIES)),
    "JPEG to AVIF": _as_avif,
    "PNG to a palette": _as_palette,
}
_LOSSLESS_SOURCE = ("PNG to JPEG", "PNG to a palette")
_LOSSY_SOURCE = ("JPEG to PNG", "JPEG to WebP to JPEG", "saved alike", "JPEG to WebP", "WebP to JPEG", "JPEG to AVIF")


def edited_library(*, pairs: int, seed: int) -> Library:
    """Return a library of this many pairs of each edit, from the cache; draw it if it is not there."""
    root = cache() / f"edited-{pairs}-{seed}"
    if not root.exists():
        aside = root.with_name(f"{root.name}.part")
        shutil.rmtree(aside, ignore_errors=True)
        _draw(aside, pairs=pairs, seed=seed)
        aside.rename(root)
    return Library("real_memes", root, root / "data")


def _draw(root: Path, *, pairs: int, seed: int) -> None:
    module = builder()
    captions = module.read_captions(shared("real_memes"))
    templates = {template.id: template for template in module.read_templates(shared("real_memes"))}
    demo = drawn_library("demo")
    flat = [path for path in sorted(demo.captions) if path.endswith((".jpg", ".png"))]
    truth: dict[str, list[dict[str, Any]]] = {"memes": [], "duplicates": []}
    for kind, edit in EDITS.items():
        rng = Random(f"{seed} {kind}")
        for at in range(pairs):
            if rng.random() < 0.2:
                with Image.open(demo.memes / rng.choice(flat)) as file:
                    picture = file.convert("RGB")
            else:
                id = rng.choice(sorted(captions))
                picture = module.render(templates[id], tuple(rng.choice(captions[id])), rng)
            if rng.random() < 0.2:
                picture = _noisy(picture, rng.uniform(*NOISY), rng)
            lossless = rng.random() < 0.2 or kind in _LOSSLESS_SOURCE
            quality = None if lossless and kind not in _LOSSY_SOURCE else rng.randint(*QUALITIES)
            made = _File(picture, quality)
            if kind == "WebP to JPEG":
                made = _as_webp(made, rng)
            original = _save(made, root, f"{kind}/{at:03} source", _FIRST)
            with Image.open(root / "memes" / original) as file:
                decoded = _File(file.convert("RGB"), quality)
            copy = _save(edit(decoded, rng), root, f"{kind}/{at:03}", _FIRST + timedelta(days=rng.randint(1, 900)))
            row = {"template": original, "category": kind, "caption": [], "has_description": False}
            truth["memes"].append({"path": f"memes/{original}", **row})
            pair = {"copy": f"memes/{copy}", "original": f"memes/{original}"}
            truth["duplicates"].append({**pair, "transformation": kind, "parameters": {}})
    (root / "truth.json").write_text(json.dumps(truth, indent=1), "utf-8")


def _save(made: _File, root: Path, name: str, day: datetime) -> str:
    path = f"{name}.{made.ending}"
    file = root / "memes" / path
    file.parent.mkdir(parents=True, exist_ok=True)
    made.save(file)
    file.with_name(f"{file.name}.first-seen.txt").write_text(f"{day.isoformat()}\n", "utf-8")
    return path

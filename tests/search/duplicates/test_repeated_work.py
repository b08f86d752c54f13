"""Copies that are told because the work that made them gives them again: a lossy WebP, and a palette."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageEnhance, ImageFilter, ImageOps

from indexer.media.decode_file import decode_file
from indexer.stages.find_duplicates import original_of
from search.duplicates.comparison import compare_prepared, prepare
from search.duplicates.origin.palette import is_reduced
from search.duplicates.origin.pictures import LOSSLESS, Original, with_traces
from search.duplicates.origin.resaving import gives_jpeg
from search.duplicates.origin.webp_saving import gives_webp
from search.evidence import Evidence, Trace
from search.images.webp_quantizers import webp_quantizers
from tests.support.textured import SIZE, textured_picture


def _file(picture: Image.Image, path: Path, **options: Any) -> Original:
    picture.save(path, **options)
    return original_of(decode_file(path, max_pixels=10**6, max_bytes=10**6))


def _compared(one: Original, other: Original) -> Evidence:
    pair = prepare(one.picture), prepare(other.picture)
    return with_traces(compare_prepared(*pair), one, other, prepared=pair)


@pytest.mark.parametrize(("quality", "method"), [(62, 4), (75, 4), (80, 6), (90, 2), (95, 4)])
def test_a_webp_of_a_fine_jpeg_is_the_copy(quality: int, method: int, tmp_path: Path) -> None:
    source = _file(textured_picture(), tmp_path / "source.jpg", quality=95)
    copy = _file(source.picture, tmp_path / "copy.webp", quality=quality, method=method)
    assert _compared(source, copy).traces_other == (Trace.COMPRESSED,)
    assert _compared(copy, source).traces_one == (Trace.COMPRESSED,)


@pytest.mark.parametrize("quality", [60, 85, 98])
def test_what_was_made_from_a_webp_does_not_give_it(quality: int, tmp_path: Path) -> None:
    source = tmp_path / "source.webp"
    _file(textured_picture(), source, quality=80)
    webp, quantizers = Image.open(source).convert("RGB"), webp_quantizers(source.read_bytes())
    out = io.BytesIO()
    webp.save(out, "JPEG", quality=quality)
    for made in (webp, Image.open(out).convert("RGB"), webp.filter(ImageFilter.GaussianBlur(0.5))):
        assert not gives_webp(made, webp, quantizers)
    assert gives_webp(textured_picture(), webp, quantizers)


@pytest.mark.parametrize("ending", ["webp", "avif"])
@pytest.mark.parametrize(("quality", "fine"), [(60, 100), (75, 95), (95, 70)])
def test_saving_gives_the_jpeg_that_was_made_from_another_lossy_file_alone(
    ending: str, quality: int, fine: int, tmp_path: Path
) -> None:
    first = _file(textured_picture(), tmp_path / f"source.{ending}", quality=fine)
    jpeg = _file(first.picture, tmp_path / "copy.jpg", quality=quality)
    second = _file(jpeg.picture, tmp_path / f"copy.{ending}", quality=fine)
    assert jpeg.saving is not None and first.steps is second.steps is None
    assert gives_jpeg(first.picture, jpeg.picture, jpeg.saving)
    assert not gives_jpeg(second.picture, jpeg.picture, jpeg.saving)
    assert _compared(first, jpeg).made_from == 1 and _compared(jpeg, first).made_from == -1


def test_of_two_webps_the_one_that_gives_the_other_is_the_source(tmp_path: Path) -> None:
    source = _file(textured_picture(), tmp_path / "source.webp", quality=88)
    copy = _file(source.picture, tmp_path / "copy.webp", quality=70)
    assert _compared(source, copy).made_from == 1
    assert _compared(copy, source).made_from == -1


REDUCED: dict[str, Callable[[Image.Image], Image.Image]] = {
    "64 colours": lambda picture: picture.quantize(64),
    "256 colours": lambda picture: picture.quantize(256),
    "greys": lambda picture: picture.convert("L").convert("RGB").quantize(40),
}


@pytest.mark.parametrize("reduced", REDUCED)
@pytest.mark.parametrize("lossless", [True, False])
def test_a_palette_of_another_picture_is_the_copy(reduced: str, *, lossless: bool) -> None:
    picture = textured_picture() if lossless else textured_picture().filter(ImageFilter.GaussianBlur(0.6))
    source = Original(picture, LOSSLESS if lossless else None)
    copy = Original(REDUCED[reduced](picture).convert("RGB"), LOSSLESS)
    if reduced == "greys":
        source = Original(picture.convert("L").convert("RGB"), source.steps)
    assert _compared(source, copy).traces_other == (Trace.PALETTE,)
    assert _compared(copy, source).traces_one == (Trace.PALETTE,)


def test_a_mirrored_palette_is_the_copy() -> None:
    copy = ImageOps.mirror(textured_picture()).quantize(64).convert("RGB")
    assert _compared(Original(textured_picture(), LOSSLESS), Original(copy, LOSSLESS)).traces_other[0] is Trace.PALETTE


def _jpeg(quality: int) -> Callable[[Image.Image], Image.Image]:
    def saved(picture: Image.Image) -> Image.Image:
        out = io.BytesIO()
        picture.save(out, "JPEG", quality=quality)
        return Image.open(out).convert("RGB")

    return saved


MADE_FROM_A_PALETTE: dict[str, Callable[[Image.Image], Image.Image]] = {
    "JPEG": _jpeg(70),
    "fine JPEG": _jpeg(98),
    "blurred": lambda picture: picture.filter(ImageFilter.GaussianBlur(0.5)),
    "denoised": lambda picture: picture.filter(ImageFilter.MedianFilter(3)),
    "sharpened": lambda picture: picture.filter(ImageFilter.UnsharpMask(1.5, 80, 2)),
    "brighter": lambda picture: ImageEnhance.Brightness(picture).enhance(1.02),
    "resized twice": lambda picture: picture.resize((720, 540), Image.Resampling.BICUBIC).resize(SIZE),
}


@pytest.mark.parametrize("made", MADE_FROM_A_PALETTE)
@pytest.mark.parametrize("drawn", ["of a photograph", "of far colours"])
def test_what_was_made_from_a_palette_is_not_its_source(made: str, drawn: str) -> None:
    few = textured_picture().quantize(64).convert("RGB")
    if drawn == "of far colours":
        rng = np.random.default_rng(5)
        far = rng.integers(0, 256, (12, 3), dtype=np.uint8)
        few = Image.fromarray(far[rng.integers(0, 12, (27, 36))]).resize(SIZE, Image.Resampling.NEAREST)
    assert not is_reduced(MADE_FROM_A_PALETTE[made](few), few)

"""Which of two duplicates was made from the other, by the traces in their pixels."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter, ImageFont, ImageOps

from indexer.media.decode_file import decode_file
from indexer.media.jpeg_coding import jpeg_tables
from indexer.stages.find_duplicates import original_of
from search.duplicates.comparison import compare_prepared, prepare
from search.duplicates.origin.pictures import LOSSLESS, Original, with_traces
from search.duplicates.origin.recompression import Compressed, made_from
from search.duplicates.origin.resampling import is_enlarged
from search.duplicates.origin.resaving import Saving
from search.evidence import Edit, Evidence, Tier, Trace
from tests.support.textured import SIZE, textured_picture


@cache
def _drawn() -> Image.Image:
    """Return a textured picture with a white caption that has a black outline."""
    picture = textured_picture().copy()
    face = ImageFont.load_default(34)
    ImageDraw.Draw(picture).text((40, 12), "ONE DOES NOT", "white", face, stroke_width=3, stroke_fill="black")
    return picture


def _jpeg(picture: Image.Image, quality: int = 85, subsampling: int = 2) -> Original:
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=quality, subsampling=subsampling)
    opened = Image.open(out)
    flat, sampling = jpeg_tables(opened)
    tables = tuple(flat[at : at + 64] for at in range(0, len(flat), 64))
    return Original(
        opened.convert("RGB"), np.reshape(tables[0], (8, 8)).astype(np.float64), saving=Saving(tables, sampling)
    )


def _png(picture: Image.Image) -> Original:
    return Original(picture, LOSSLESS)


def _compared(one: Original, other: Original) -> Evidence:
    pair = prepare(one.picture), prepare(other.picture)
    # Without OCR a changed picture may be a variant; traces are asked for either way.
    return with_traces(compare_prepared(*pair), one, other, prepared=pair)


def _marked(picture: Image.Image) -> Image.Image:
    layer = Image.new("RGBA", picture.size)
    face = ImageFont.load_default(12)
    ImageDraw.Draw(layer).text((8, 250), "@somewhere", (255, 255, 255, 190), face, stroke_width=1, stroke_fill="black")
    return Image.alpha_composite(picture.convert("RGBA"), layer).convert("RGB")


def _grainy(picture: Image.Image) -> Image.Image:
    soft = np.asarray(picture.filter(ImageFilter.GaussianBlur(0.9)), np.float32)
    noise = np.random.default_rng(3).normal(0, 8, soft.shape)
    return Image.fromarray(np.clip(soft + noise, 0, 255).astype(np.uint8))


EDITS: dict[str, tuple[Callable[[Image.Image], Original], Trace]] = {
    "poorer JPEG": (lambda picture: _jpeg(picture, 45), Trace.COMPRESSED),
    "finer JPEG": (lambda picture: _jpeg(picture, 95), Trace.COMPRESSED),
    "PNG of a JPEG": (_png, Trace.LOSSLESS),
    "cropped": (lambda picture: _jpeg(picture.crop((21, 13, 340, 260))), Trace.COMPRESSED),
    "bordered": (lambda picture: _jpeg(ImageOps.expand(picture, 27, "black")), Trace.COMPRESSED),
    "mirrored": (lambda picture: _jpeg(ImageOps.mirror(picture.crop((0, 0, 357, 270)))), Trace.COMPRESSED),
    "turned": (lambda picture: _jpeg(picture.transpose(Image.Transpose.ROTATE_90)), Trace.COMPRESSED),
    "paler": (lambda picture: _jpeg(ImageEnhance.Contrast(picture).enhance(0.7)), Trace.LEVELS),
    "marked": (lambda picture: _jpeg(_marked(picture)), Trace.COMPRESSED),
    "grain": (lambda picture: _jpeg(_grainy(picture)), Trace.GRAIN),
    # Not to 230 pixels, the rhythm of which is that of the layer of 130 cells.
    "smaller": (lambda picture: _jpeg(picture.resize((216, 162), Image.Resampling.LANCZOS)), Trace.RESIZED),
    "enlarged": (lambda picture: _jpeg(picture.resize((540, 405), Image.Resampling.BICUBIC)), Trace.RESIZED),
}


@pytest.mark.parametrize("edit", EDITS)
def test_a_copy_shows_what_it_was_made_from(edit: str) -> None:
    source = _jpeg(_drawn(), 90)
    made, trace = EDITS[edit]
    copy = made(source.picture)
    found = _compared(source, copy)
    assert found.made_from == 1 and trace in found.traces_other
    assert _compared(copy, source).made_from == -1


@pytest.mark.parametrize("edit", ["poorer JPEG", "bordered", "mirrored", "smaller", "enlarged"])
def test_a_lossless_source_is_told_from_its_jpeg(edit: str) -> None:
    source = _png(_drawn())
    assert _compared(source, EDITS[edit][0](source.picture)).made_from == 1


def test_a_mark_tells_where_compression_does_not() -> None:
    source = _jpeg(_drawn(), 85)
    marked = replace(_jpeg(_marked(source.picture), 85), saving=None)  # of a picture that its file's metadata turns
    found = _compared(source, marked)
    assert found.traces_other == (Trace.MARKED,) and not found.traces_one


def test_two_copies_of_a_third_picture_tell_nothing_of_each_other() -> None:
    unseen = _png(_drawn())
    found = _compared(_jpeg(unseen.picture, 80), _jpeg(unseen.picture, 82))
    assert (found.traces_one, found.traces_other, found.equal_pixels) == ((), (), False)


def test_the_same_pixels_are_equal_and_tell_nothing() -> None:
    picture = _drawn()
    found = _compared(_png(picture), _png(picture.copy()))
    assert (found.made_from, found.equal_pixels) == (0, True)


def test_a_file_of_another_codec_carries_the_steps_of_the_jpeg_that_it_was_made_from() -> None:
    source = _jpeg(_drawn(), 70)
    out = io.BytesIO()
    source.picture.save(out, "WEBP", quality=88)
    copy = Original(Image.open(out).convert("RGB"))
    assert (_compared(source, copy).made_from, _compared(copy, source).made_from) == (1, -1)
    fresh = _png(_drawn())
    out = io.BytesIO()
    fresh.picture.save(out, "WEBP", quality=95)
    source = Original(Image.open(out).convert("RGB"))
    assert _compared(source, _jpeg(source.picture, 60)).made_from == 1
    assert _compared(source, _png(source.picture)).made_from == 1
    assert _compared(fresh, source).made_from == 1


@pytest.mark.parametrize("turn", [1, 3, 5, 6, 8])
def test_the_steps_of_a_turned_jpeg_are_those_of_the_picture_as_it_is_shown(turn: int, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = turn
    _drawn().crop((0, 0, 357, 269)).save(tmp_path / "turned.jpg", quality=60, exif=exif)
    source = original_of(decode_file(tmp_path / "turned.jpg", max_pixels=10**6, max_bytes=10**6))
    # The pixels lie on the steps: compressing them again with the same ones changes nothing, and finer ones show it.
    assert _compared(source, _jpeg(ImageOps.expand(source.picture, (11, 3), "black"), 93)).made_from == 1


def test_evidence_keeps_its_traces_in_json_and_when_it_is_swapped() -> None:
    evidence = Evidence(Tier.EDITED, (Edit.FRAME,), traces_other=(Trace.COMPRESSED, Trace.MARKED), equal_pixels=False)
    assert Evidence.from_json(evidence.to_json()) == evidence
    assert evidence.swapped().traces_one == evidence.traces_other and evidence.swapped().swapped() == evidence


def _flat(seed: int) -> Image.Image:
    """Return a drawing of three colours with words."""
    colors = np.random.default_rng(seed).integers(0, 256, (3, 3)).tolist()
    picture = Image.new("RGB", (500, 400), tuple(colors[0]))
    pen = ImageDraw.Draw(picture)
    pen.rectangle((30, 150, 200, 280), fill=tuple(colors[1]))
    pen.ellipse((100, 180, 290, 290), fill=tuple(colors[2]))
    pen.text((20, 30), "WHEN THE CODE WORKS", "black", ImageFont.load_default(36))
    return picture


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("quality", [60, 80, 92])
def test_a_flat_drawing_is_the_source_of_its_jpeg_and_webp(seed: int, quality: int) -> None:
    source = _png(_flat(seed))
    out = io.BytesIO()
    source.picture.save(out, "WEBP", quality=quality)
    for copy in (_jpeg(source.picture, quality), Original(Image.open(out).convert("RGB"))):
        found = _compared(source, copy)
        assert found.made_from == 1 and found.traces_other[0] is Trace.COMPRESSED
        assert _compared(copy, source).made_from == -1


TO_PNG: dict[str, Callable[[Image.Image], Image.Image]] = {
    "as it is": lambda picture: picture,
    "blurred": lambda picture: picture.filter(ImageFilter.GaussianBlur(0.7)),
    "256 colours": lambda picture: picture.quantize(256).convert("RGB"),
    "64 colours": lambda picture: picture.quantize(64, dither=0).convert("RGB"),
    "denoised": lambda picture: picture.filter(ImageFilter.MedianFilter(3)),
    "sharpened": lambda picture: picture.filter(ImageFilter.UnsharpMask(1.5, 100, 2)),
}


@pytest.mark.parametrize(
    ("edit", "is_flat"),
    # A soft picture that was denoised or sharpened a little gives its JPEG again, as its source would.
    [(edit, flat) for edit in TO_PNG for flat in (True, False) if flat or edit not in ("denoised", "sharpened")],
)
def test_a_png_of_an_edited_jpeg_is_not_called_its_source(edit: str, *, is_flat: bool) -> None:
    source = _jpeg(_flat(1) if is_flat else _drawn(), 80)
    copy = _png(TO_PNG[edit](source.picture))
    assert _compared(source, copy).made_from >= 0
    assert _compared(copy, source).made_from <= 0


ALTERED: dict[str, Callable[[Image.Image], Image.Image]] = {
    "denoised": lambda picture: picture.filter(ImageFilter.MedianFilter(3)),
    "denoised along edges": lambda picture: Image.fromarray(cv2.bilateralFilter(np.array(picture), 5, 30, 3)),
    "sharpened": lambda picture: picture.filter(ImageFilter.UnsharpMask(1.5, 100, 2)),
    "sharpened strongly": lambda picture: picture.filter(ImageFilter.UnsharpMask(2, 150, 2)),
}


@pytest.mark.parametrize("edit", ALTERED)
@pytest.mark.parametrize("noise", [0, 6, 11])
def test_a_denoised_or_sharpened_copy_is_not_called_the_source(edit: str, noise: int) -> None:
    drawn = np.asarray(_drawn(), np.float32)
    grain = np.random.default_rng(5).normal(0, noise, drawn.shape)
    source = _jpeg(Image.fromarray(np.clip(drawn + grain, 0, 255).astype(np.uint8)), 92)
    copy = _jpeg(ALTERED[edit](source.picture), 88)
    assert _compared(source, copy).made_from >= 0
    assert _compared(copy, source).made_from <= 0


@pytest.mark.parametrize("deviation", [5, 8])
def test_grain_that_a_coarse_source_would_take_away_is_no_sign_that_it_was_there(deviation: int) -> None:
    """Compressing the soft, grainy copy as coarsely gives most blocks of the source, which has detail of its own."""
    rng = np.random.default_rng(7)
    total = np.zeros((SIZE[1], SIZE[0], 3), np.float32)
    for cells in (4, 12, 20):
        small = Image.fromarray(rng.integers(0, 256, (cells * 3 // 4, cells, 3), dtype=np.uint8))
        total += (np.asarray(small.resize(SIZE, Image.Resampling.BICUBIC), np.float32) - 128) / 5
    source = _jpeg(Image.fromarray(np.clip(total + 120, 0, 255).astype(np.uint8)), 40)
    soft = np.asarray(source.picture.filter(ImageFilter.GaussianBlur(1.3)), np.float32)
    noise = np.random.default_rng(3).normal(0, deviation, soft.shape)
    copy = _jpeg(Image.fromarray(np.clip(soft + noise, 0, 255).astype(np.uint8)), 92)
    # No middle frequency of the source is left: nothing tells a blurred, grainy copy of it from its source, denoised.
    assert _compared(source, copy).made_from == _compared(copy, source).made_from == 0


def _coarse(quality: int, noise: float = 0) -> Original:
    drawn = np.asarray(_drawn(), np.float32)
    grain = np.random.default_rng(5).normal(0, noise, drawn.shape)
    return _jpeg(Image.fromarray(np.clip(drawn + grain, 0, 255).astype(np.uint8)), quality)


SAVED_FINER: dict[str, Callable[[Image.Image], Image.Image]] = {
    "sharpened": lambda picture: picture.filter(ImageFilter.UnsharpMask(1.5, 80, 2)),
    "denoised": lambda picture: Image.fromarray(cv2.bilateralFilter(np.array(picture), 5, 20, 3)),
    "a little contrast": lambda picture: ImageEnhance.Contrast(picture).enhance(1.08),
    "other colours": lambda picture: ImageEnhance.Color(picture).enhance(1.4),
    "mirrored": ImageOps.mirror,
    "turned": lambda picture: picture.transpose(Image.Transpose.ROTATE_90),
    "framed": lambda picture: ImageOps.expand(picture, 27, "black"),
}


@pytest.mark.parametrize(
    ("edit", "quality"),
    # A soft picture that was denoised gives its very coarse JPEG again, as its source would, but not to the pixel.
    [(edit, quality) for edit in SAVED_FINER for quality in (60, 65, 75)],
)
def test_a_coarse_source_is_not_called_the_copy_of_what_was_made_from_it_and_saved_finer(
    edit: str, quality: int
) -> None:
    """Coarse steps allow for a small edit, so that compressing the copy as coarsely gives most blocks of the source."""
    source = _coarse(quality)
    copy = _jpeg(SAVED_FINER[edit](source.picture), 95)
    assert _compared(source, copy).made_from >= 0
    assert _compared(copy, source).made_from <= 0


@pytest.mark.parametrize("edit", ["mirrored", "turned", "framed", "other colours"])
def test_the_steps_of_the_source_show_in_a_copy_that_was_saved_finer(edit: str) -> None:
    source = _coarse(60)
    found = _compared(source, _jpeg(SAVED_FINER[edit](source.picture), 95))
    assert found.traces_other == (Trace.COMPRESSED,) and not found.traces_one


@pytest.mark.parametrize(
    ("contrast", "brightness", "quality"),
    # Coarser steps than the source's, in its contrast, lose its fine values.
    [(0.65, 1.0, 75), (0.7, 0.85, 85)],
)
def test_a_jpeg_of_another_brightness_and_contrast_shows_what_it_was_made_from(
    contrast: float, brightness: float, quality: int
) -> None:
    source = _jpeg(_drawn(), 91)
    lit = ImageEnhance.Contrast(ImageEnhance.Brightness(source.picture).enhance(brightness)).enhance(contrast)
    copy = _jpeg(lit, quality)
    one, other = (Compressed(np.asarray(each.picture.convert("L"), np.float32), each.steps) for each in (source, copy))
    assert (made_from(one, other), made_from(other, one)) == (1, -1)


@pytest.mark.parametrize("quality", [60, 75, 90])
def test_an_enlarged_and_sharpened_copy_is_not_called_the_source(quality: int) -> None:
    source = _coarse(quality)
    large = source.picture.resize((580, 435), Image.Resampling.LANCZOS)
    for strength in (0, 60, 140):
        copy = _jpeg(large.filter(ImageFilter.UnsharpMask(1.5, strength, 2)), 92)
        assert _compared(source, copy).made_from >= 0
        assert _compared(copy, source).made_from <= 0


@pytest.mark.parametrize("colors", [32, 128])
def test_a_photograph_that_was_reduced_to_few_colours_is_not_the_source(colors: int) -> None:
    source = _coarse(85, noise=4)
    found = _compared(source, _png(source.picture.quantize(colors).convert("RGB")))
    assert found.traces_other == (Trace.PALETTE,) and not found.traces_one


def test_a_drawing_on_a_pale_ground_is_not_called_the_paler_copy() -> None:
    drawing = Image.new("RGB", (400, 300), (238, 232, 214))
    ImageDraw.Draw(drawing).text((40, 90), "WHEN THE\nCODE WORKS", "black", ImageFont.load_default(40))
    source = _jpeg(drawing, 90)
    copy = _jpeg(ImageEnhance.Brightness(source.picture).enhance(1.12), 90)
    assert _compared(source, copy).made_from >= 0


VIEWS: dict[str, Callable[[Image.Image], Image.Image]] = {
    "upright": lambda picture: picture,
    "mirrored": ImageOps.mirror,
    "turned": lambda picture: picture.transpose(Image.Transpose.ROTATE_90),
}


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize(("quality", "subsampling"), [(60, 2), (75, 0), (90, 2), (95, 1)])
def test_of_two_jpegs_saved_alike_the_one_that_gives_the_other_is_the_source(
    view: str, quality: int, subsampling: int
) -> None:
    """Both have the same steps on the same blocks, so that only saving each once more tells them apart."""
    source = _jpeg(_drawn().resize((352, 256)), quality, subsampling)
    copy = _jpeg(VIEWS[view](source.picture), quality, subsampling)
    assert _compared(source, copy).traces_other[:1] == (Trace.COMPRESSED,)
    assert _compared(copy, source).traces_one[:1] == (Trace.COMPRESSED,)


def test_two_jpegs_of_one_picture_that_differ_by_its_grain_tell_nothing() -> None:
    first, second = (
        _jpeg(
            Image.fromarray(
                np.clip(
                    np.asarray(_drawn(), np.float32) + np.random.default_rng(seed).normal(0, 2, (SIZE[1], SIZE[0], 3)),
                    0,
                    255,
                ).astype(np.uint8)
            ),
            90,
        )
        for seed in (1, 2)
    )
    assert _compared(first, second).made_from == 0


@pytest.mark.parametrize("factor", [1.3, 1.53, 1.81])
@pytest.mark.parametrize("method", [Image.Resampling.BICUBIC, Image.Resampling.BILINEAR])
@pytest.mark.parametrize("strength", [0, 140])
def test_the_rhythm_of_interpolation_shows_in_an_enlarged_and_sharpened_copy(
    factor: float, method: Image.Resampling, strength: int
) -> None:
    source = _jpeg(_drawn(), 80)
    size = round(SIZE[0] * factor), round(SIZE[1] * factor)
    large = source.picture.resize(size, method).filter(ImageFilter.UnsharpMask(1.5, strength, 2))
    assert _compared(source, _jpeg(large, 88)).traces_other == (Trace.RESIZED,)


@pytest.mark.parametrize("factor", [0.43, 0.61, 0.77])
def test_a_larger_source_has_no_rhythm_of_its_smaller_copys_size(factor: float) -> None:
    source = _jpeg(_drawn().resize((720, 540), Image.Resampling.LANCZOS), 92)
    small = source.picture.resize((round(720 * factor), round(540 * factor)), Image.Resampling.LANCZOS)
    copy = _jpeg(small.filter(ImageFilter.UnsharpMask(1.2, 60, 2)), 85)
    assert _compared(source, copy).made_from >= 0


def test_a_gamma_curve_that_spreads_the_darkest_levels_is_no_sign_of_levels_lost_in_its_source() -> None:
    dark = Image.fromarray(np.clip(np.asarray(_drawn(), np.float32) * 0.8 - 50, 0, 255).astype(np.uint8))
    source = _jpeg(dark, 90)
    lighter = source.picture.point([round(255 * (level / 255) ** 0.5) for level in range(256)] * 3)
    assert not _compared(source, _jpeg(lighter, 90)).traces_one


def test_a_source_with_a_pale_ground_is_not_called_the_paler_copy_of_a_lighter_one_with_less_contrast() -> None:
    picture = np.asarray(_drawn().convert("L").convert("RGB"), np.float32)
    picture[: SIZE[1] // 3] = 238 + np.random.default_rng(2).normal(0, 3, picture[: SIZE[1] // 3].shape)
    source = _jpeg(Image.fromarray(np.clip(picture, 0, 246).astype(np.uint8)), 90)
    lighter = np.clip(np.asarray(source.picture, np.float32) * 0.92 + 33, 0, 255).astype(np.uint8)
    assert _compared(source, _jpeg(Image.fromarray(lighter), 85)).made_from >= 0


@pytest.mark.parametrize("factor", [1.37, 1.53, 1.77, 1.94])
def test_the_rhythm_of_repeated_pixels_shows_in_an_enlarged_and_sharpened_copy(factor: float) -> None:
    source = _jpeg(_drawn(), 80)
    large = source.picture.resize((round(SIZE[0] * factor), round(SIZE[1] * factor)), Image.Resampling.NEAREST)
    copy = _jpeg(large.filter(ImageFilter.UnsharpMask(1.5, 140, 2)), 88)
    plane = np.asarray(copy.picture.convert("L"), np.float32)
    assert is_enlarged(plane, SIZE) and not is_enlarged(plane, (SIZE[0] - 31, SIZE[1] - 23))
    assert _compared(source, copy).traces_other == (Trace.RESIZED,)


@pytest.mark.parametrize("noise", [4, 8])
@pytest.mark.parametrize("quality", [75, 88])
def test_a_denoised_drawing_is_not_the_source_of_the_noise_that_it_lost(noise: float, quality: int) -> None:
    """It is flat where the other has what looks like ringing."""
    drawn = np.asarray(_flat(1), np.float32)
    drawn = drawn + np.random.default_rng(5).normal(0, noise, drawn.shape)
    source = _jpeg(Image.fromarray(np.clip(drawn, 0, 255).astype(np.uint8)), 88)
    copy = _jpeg(Image.fromarray(cv2.fastNlMeansDenoisingColored(np.array(source.picture), None, 9, 9, 5, 11)), quality)
    assert _compared(source, copy).made_from >= 0
    assert _compared(copy, source).made_from <= 0

"""The quantizers in the header of a lossy WebP."""

from __future__ import annotations

import io
import struct
from typing import Any

import numpy as np
import pytest
from PIL import Image

from search.images.webp_quantizers import webp_quantizers

PICTURE = Image.fromarray(np.random.default_rng(7).integers(0, 256, (40, 56, 3), dtype=np.uint8)).resize((224, 160))


def _webp(**options: Any) -> bytes:
    out = io.BytesIO()
    PICTURE.save(out, "WEBP", **options)
    return out.getvalue()


@pytest.mark.parametrize("method", range(7))
def test_a_finer_webp_has_lower_quantizers(method: int) -> None:
    found = [webp_quantizers(_webp(quality=quality, method=method)) for quality in (0, 30, 60, 75, 90, 100)]
    assert all(len(each) == 4 and 0 <= min(each) <= max(each) <= 127 for each in found)
    assert found[0] == (127,) * 4 and found[-1] == (0,) * 4  # the ends of libwebp's scale
    assert [sum(each) for each in found] == sorted((sum(each) for each in found), reverse=True)


def test_chunks_before_the_picture_are_passed_over() -> None:
    plain = _webp(quality=70)
    profile = _webp(quality=70, icc_profile=b"p" * 1001)
    assert b"ICCP" in profile and webp_quantizers(profile) == webp_quantizers(plain) != ()


def test_what_is_no_still_lossy_webp_has_none() -> None:
    whole = _webp(quality=70)
    png = io.BytesIO()
    PICTURE.save(png, "PNG")
    moving = _webp(save_all=True, append_images=[PICTURE.rotate(90)], duration=100)
    for data in (b"", png.getvalue(), _webp(lossless=True), moving, whole[:12], whole[:24]):
        assert webp_quantizers(data) == ()


def test_a_header_that_is_cut_or_wrong_raises_nothing() -> None:
    whole = _webp(quality=70)
    rng = np.random.default_rng(3)
    for length in range(len(whole[:80])):
        webp_quantizers(whole[:length])
    for _ in range(300):
        wrong = bytearray(whole[:120])
        for place in rng.integers(12, 120, 6):
            wrong[place] = int(rng.integers(256))
        webp_quantizers(bytes(wrong))
    webp_quantizers(b"RIFF" + struct.pack("<I", 20) + b"WEBP" + b"ICCP" + struct.pack("<I", 2**32 - 1))

"""Odd pictures are shown where Chromium shows them, in the same size, and refused where it does not."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from benchmarks import odd_files
from benchmarks.odd_media.drawing import draw_odd_files
from indexer.media.decode_file import decode_file
from search.errors import UnreadableFile
from tests.support.browsing import chromium
from tests.support.odd_media import odd_pictures

# The width and height of a picture that shows something, null for one that does not.
_SHOWN = """async address => {
    const image = new Image();
    image.src = address;
    try { await image.decode(); } catch { if (!image.naturalWidth) return null; }
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [image.naturalWidth, image.naturalHeight];
    const context = canvas.getContext("2d");
    try { context.drawImage(image, 0, 0); } catch { return null; }
    const data = context.getImageData(0, 0, canvas.width, canvas.height).data;
    return data.some(value => value) ? [canvas.width, canvas.height] : null;
}"""
_TYPES = {"jpg": "jpeg"}


def shown_by_us(file: Path) -> list[int] | None:
    try:
        seen = decode_file(file, max_pixels=10**8, max_bytes=10**9)
    except UnreadableFile:
        return None
    return [seen.width, seen.height]


@pytest.mark.browser
@pytest.mark.slow
def test_the_same_odd_pictures_are_shown_as_in_chromium(tmp_path: Path) -> None:
    different = {}
    with chromium() as browser:
        page = browser.new_page()
        for name, content in odd_pictures():
            file = tmp_path / "x"
            file.write_bytes(content)
            ending = name.rpartition(".")[2]
            kind = f"image/{_TYPES.get(ending, ending)}"
            if name == "svg.png":
                kind = "image/svg+xml"  # as the site serves it: by its content
            theirs = page.evaluate(_SHOWN, f"data:{kind};base64,{base64.b64encode(content).decode()}")
            if shown_by_us(file) != theirs:
                different[name] = theirs
    # Chromium refuses a WebP whose end is missing once it is loaded; we show what is there.
    assert all("webp" in name and theirs is None for name, theirs in different.items()), different


@pytest.mark.browser
@pytest.mark.slow
def test_drawn_odd_files_are_shown_as_in_chromium(tmp_path: Path) -> None:
    with chromium() as browser:
        page = odd_files.open_page(browser)
        other = {
            file.name: judged
            for _, file in draw_odd_files(5, 60)
            if (judged := odd_files.judge(page, file, tmp_path / "x", tolerance=8.0)).outcome
            in ("by Chromium alone", "differ")
        }
    # Of an AVIF with wrong bits dav1d says that it cannot be decoded. Of a GIF with bytes between its blocks frames are
    # shown that Chromium leaves out.
    known = [name for name in other if ("AVIF" in name and "wrong" in name) or "bytes between blocks" in name]
    assert not other.keys() - set(known), other

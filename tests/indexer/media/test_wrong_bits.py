"""A picture or a film with wrong bits is shown as browsers show it, with a word about its damage, or is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from indexer.media.decode_file import decode_file
from indexer.media.decoded import DecodedMedia
from search.errors import UnreadableFile
from tests.indexer.media.test_video import film
from tests.support.odd_media import SIZE, drawn, encoded

ERRORS = "A part of it is damaged: it is shown with errors."


def shown(folder: Path, data: bytes) -> DecodedMedia | None:
    """Return what a file of these bytes shows; None where it is refused."""
    file = folder / "x"
    file.write_bytes(data)
    try:
        return decode_file(file, max_pixels=10**8, max_bytes=10**9)
    except UnreadableFile:
        return None


def flipped(data: bytes, *places: int) -> bytes:
    wrong = bytearray(data)
    for place in places:
        wrong[place] ^= 0x41
    return bytes(wrong)


def transparent_webp() -> bytes:
    picture = drawn()
    picture.putalpha(Image.radial_gradient("L").resize(SIZE))
    return encoded(picture, form="WEBP", quality=80)


@pytest.mark.parametrize("form", ["PNG", "WEBP", "BMP"])
def test_missing_rows_are_white_as_the_page_is(tmp_path: Path, form: str) -> None:
    noise = Image.fromarray(np.random.default_rng(1).integers(0, 256, (90, 80, 3), np.uint8))
    options = {"lossless": True} if form == "WEBP" else {}
    data = encoded(noise, form=form, **options)
    seen = shown(tmp_path, data[: len(data) * 2 // 3])
    assert seen is not None and 0.5 < seen.share_decoded < 0.8
    rows = (np.asarray(seen.pictures[0]) == 255).all((1, 2))[:: -1 if form == "BMP" else 1]
    assert not rows[:45].any() and rows[-18:].all()


@pytest.mark.parametrize("chunk", [b"ALPH", b"VP8 "])
def test_a_transparent_webp_with_a_wrong_bit_is_shown(tmp_path: Path, chunk: bytes) -> None:
    data = transparent_webp()
    at = data.index(chunk)
    length = int.from_bytes(data[at + 4 : at + 8], "little")
    found = [shown(tmp_path, flipped(data, at + 8 + int(share * length))) for share in (0.5, 0.7, 0.9)]
    for seen in found:
        assert seen is not None and (seen.width, seen.height) == SIZE
    assert any(seen is not None and seen.damage == ERRORS for seen in found)


def test_the_first_frame_of_an_animated_webp_is_shown_where_it_is_damaged(tmp_path: Path) -> None:
    others = [drawn(seed=1), drawn(seed=2)]
    data = encoded(form="WEBP", save_all=True, append_images=others, duration=200, quality=80)
    at = data.index(b"VP8 ")
    length = int.from_bytes(data[at + 4 : at + 8], "little")
    refused = [
        place for place in range(at + 40, at + length, length // 6) if shown(tmp_path, flipped(data, place)) is None
    ]
    assert refused == []


def test_a_webp_whose_header_tells_another_size_is_refused(tmp_path: Path) -> None:
    data = transparent_webp()
    assert shown(tmp_path, data) is not None
    assert shown(tmp_path, flipped(data, data.index(b"VP8X") + 12)) is None


def test_a_jpeg_of_which_nothing_can_be_made_out_is_refused(tmp_path: Path) -> None:
    data = encoded(form="JPEG")
    flat = []
    for place in range(2, data.index(b"\xff\xda"), 5):
        seen = shown(tmp_path, flipped(data, place))
        if seen is not None and len(seen.pictures[0].getcolors(1) or ()) == 1:
            flat.append(place)
    assert flat == []


def test_of_wrong_pixels_no_note_or_checksum_is_blamed(tmp_path: Path) -> None:
    data = encoded(drawn(), form="PNG")
    start, end = data.index(b"IDAT"), data.index(b"IEND") - 12
    for place in range(start + (end - start) // 10, end, (end - start) // 30):
        seen = shown(tmp_path, flipped(data, place))
        assert seen is not None and seen.damage.startswith("A part of it is damaged"), place


def test_a_film_with_wrong_bits_says_so(tmp_path: Path) -> None:
    file = film(tmp_path / "x.mp4")
    whole = file.read_bytes()
    sound = shown(tmp_path, whole)
    assert sound is not None and sound.damage == ""
    start = whole.index(b"mdat") + 4
    size = int.from_bytes(whole[start - 8 : start - 4], "big")
    damages = set()
    for share in (0.3, 0.5, 0.7):
        place = start + int(share * size)
        seen = shown(tmp_path, flipped(whole, *range(place, place + 30)))
        damages.add("refused" if seen is None else seen.damage)
    assert "A part of the video is damaged." in damages

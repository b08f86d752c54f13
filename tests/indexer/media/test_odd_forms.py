"""Rare forms of each format are shown as browsers show them: what is missing, laid over nothing, or coded otherwise."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks.odd_media.avifs import COLORS, avif, coded, planes_of
from indexer.media.decode_file import decode_file
from indexer.media.decoded import DecodedMedia
from indexer.media.formats.coded_colors import ColorCoding, as_plain_colors, color_coding
from indexer.media.signatures import FileType, file_type
from search.errors import UnreadableFile
from tests.support.odd_media import SIZE, chunk, drawn, encoded

WHITE = (255, 255, 255)
LESS_DETAIL = "Its end is missing: it is shown with less detail."


def shown(folder: Path, data: bytes) -> DecodedMedia:
    file = folder / "x"
    file.write_bytes(data)
    return decode_file(file, max_pixels=10**8, max_bytes=10**9)


def png(samples: np.ndarray, *, bits: int, color: int, extras: bytes = b"", interlaced: bool = False) -> bytes:
    """Return a PNG of rows that are packed already, [height, bytes] or of Adam7's passes in order."""
    height, width = samples.shape[:2]
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, color, 0, 0, interlaced))
    if interlaced:
        passes = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
        rows = [row for x, y, right, down in passes for row in samples[y::down, x::right]]
    else:
        rows = list(samples)
    if bits < 8:
        spread = [(row[:, None] >> np.arange(bits - 1, -1, -1)) & 1 for row in rows]
        rows = [np.packbits(row.astype(np.uint8).ravel()) for row in spread]
    packed = zlib.compress(b"".join(b"\0" + row.astype(np.uint8).tobytes() for row in rows), 0)
    return b"\x89PNG\r\n\x1a\n" + head + extras + chunk(b"IDAT", packed) + chunk(b"IEND", b"")


def test_rows_that_a_jpeg_lacks_are_white(tmp_path: Path) -> None:
    data = encoded(drawn(), form="JPEG")
    seen = shown(tmp_path, data[: len(data) * 6 // 10])
    rows = (np.asarray(seen.pictures[0]) == 255).all((1, 2))
    assert rows[-20:].all() and not rows[:60].any()
    assert seen.damage == f"Its end is missing: {100 * seen.share_decoded:.0f} % is there."


def test_a_turned_jpeg_lacks_columns(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    data = encoded(drawn(), form="JPEG", exif=exif.tobytes())
    seen = shown(tmp_path, data[: len(data) * 7 // 10])
    assert (seen.width, seen.height) == SIZE[::-1]
    columns = (np.asarray(seen.pictures[0]) == 255).all((0, 2))
    assert columns[:20].all() and not columns[-60:].any()


def test_an_interlaced_png_that_is_cut_shows_blocks_of_what_is_there(tmp_path: Path) -> None:
    ramp = np.add.outer(np.arange(64), np.arange(64)).astype(np.uint8)
    data = png(ramp, bits=8, color=0, interlaced=True)
    seen = shown(tmp_path, data[: len(data) // 2])
    assert seen.damage == LESS_DETAIL
    assert np.abs(np.asarray(seen.pictures[0])[..., 0].astype(int) - ramp).max() <= 8


def test_an_interlaced_gif_that_is_cut_repeats_its_rows(tmp_path: Path) -> None:
    noise = Image.fromarray(np.random.default_rng(3).integers(0, 256, (64, 200), np.uint8))
    data = encoded(noise, form="GIF", interlace=1)
    seen = shown(tmp_path, data[: len(data) // 2])
    rows = np.asarray(seen.pictures[0])[..., 0]
    assert seen.damage == LESS_DETAIL
    assert (rows[::4] == np.asarray(noise)[::4]).mean() > 0.9 and (rows[1::4] == rows[::4]).all()


def test_of_a_gif_with_a_wrong_bit_the_missing_share_is_told(tmp_path: Path) -> None:
    data = bytearray(encoded(drawn(), form="GIF", interlace=0))
    place = len(data) * 6 // 10
    data[place : place + 40] = b"\xff" * 40
    seen = shown(tmp_path, bytes(data))
    assert seen.damage.startswith("A part of it is damaged") and "checksum" not in seen.damage


def test_of_a_transparent_palette_the_missing_end_is_transparent(tmp_path: Path) -> None:
    palette = chunk(b"PLTE", bytes((200, 30, 30, 30, 30, 200))) + chunk(b"tRNS", b"\xff\x80")
    checks = np.indices((64, 64)).sum(0) % 2
    data = png(checks, bits=1, color=3, extras=palette)
    whole, cut = shown(tmp_path, data), shown(tmp_path, data[: len(data) * 7 // 10])
    assert whole.alpha is not None and cut.alpha is not None
    assert set(np.unique(np.asarray(whole.alpha))) == {128, 255}
    assert np.asarray(cut.alpha)[-5:].max() == 0 and np.asarray(cut.alpha)[:20].min() == 128


@pytest.mark.parametrize(("bits", "color"), [(2, 0), (4, 0), (8, 0), (16, 0), (16, 2)])
def test_the_transparent_level_of_a_png_is_that_of_its_depth(tmp_path: Path, bits: int, color: int) -> None:
    level = 2
    hidden = chunk(b"tRNS", struct.pack(">H", level if bits < 16 else level * 257) * (3 if color else 1))
    samples = np.full((8, 8), level)
    samples[:, 4:] = 1
    if bits == 16:
        # Both bytes of each of the samples in a row.
        stored = np.repeat(samples, 2 * (3 if color else 1), axis=1)
        head = chunk(b"IHDR", struct.pack(">IIBBBBB", 8, 8, 16, color, 0, 0, 0))
        packed = zlib.compress(b"".join(b"\0" + row.astype(np.uint8).tobytes() for row in stored))
        data = b"\x89PNG\r\n\x1a\n" + head + hidden + chunk(b"IDAT", packed) + chunk(b"IEND", b"")
    else:
        data = png(samples, bits=bits, color=color, extras=hidden)
    seen = shown(tmp_path, data)
    assert seen.transparent and seen.alpha is not None
    assert (np.asarray(seen.alpha) == np.where(samples == level, 0, 255)).all()


def gif(*frames: tuple[Image.Image, tuple[int, int], int], size: tuple[int, int]) -> bytes:
    """Return a GIF of frames, each with its corner and its way of disposal."""
    body = b"GIF89a" + struct.pack("<HHBBB", *size, 0, 0, 0)
    for picture, corner, disposal in frames:
        still = encoded(picture, form="GIF", interlace=0)
        table = still[13 : 13 + (3 << (still[10] & 7) + 1)]
        at = still.index(b",", 13 + len(table))
        flags = 0x80 | (still[10] & 7)
        body += b"!\xf9\4" + bytes((disposal << 2, 10, 0, 0, 0))
        body += b"," + struct.pack("<HHHHB", *corner, *picture.size, flags) + table + still[at + 10 : -1]
    return body + b";"


RED, BLUE = Image.new("RGB", (20, 20), (220, 20, 20)), Image.new("RGB", (10, 10), (20, 20, 220))


def corners(seen: DecodedMedia, frame: int) -> list[tuple[int, ...]]:
    """Return the colors of a frame at (5, 5), (15, 15) and (35, 35), to the nearest of 40 levels."""
    pixels = np.asarray(seen.pictures[frame], np.float64)
    return [tuple(int(40 * round(level / 40)) for level in pixels[at, at]) for at in (5, 15, 35)]


RED_SEEN, BLUE_SEEN, PAGE = (240, 0, 0), (0, 0, 240), (240, 240, 240)


def test_where_a_gif_draws_nothing_the_page_is_seen(tmp_path: Path) -> None:
    seen = shown(tmp_path, gif((RED, (0, 0), 1), (BLUE, (0, 0), 1), size=(40, 40)))
    assert corners(seen, 0) == [RED_SEEN, RED_SEEN, PAGE]
    assert corners(seen, 1) == [BLUE_SEEN, RED_SEEN, PAGE]
    assert seen.transparent


@pytest.mark.parametrize("disposal", [2, 3])
def test_a_removed_first_frame_leaves_nothing(tmp_path: Path, disposal: int) -> None:
    whole = Image.new("RGB", (40, 40), (220, 20, 20))
    seen = shown(tmp_path, gif((whole, (0, 0), disposal), (BLUE, (0, 0), 1), size=(40, 40)))
    assert corners(seen, 0) == [RED_SEEN] * 3
    assert corners(seen, 1) == [BLUE_SEEN, PAGE, PAGE]


def test_a_later_frame_that_is_removed_leaves_nothing(tmp_path: Path) -> None:
    whole = Image.new("RGB", (40, 40), (220, 20, 20))
    frames = (whole, (0, 0), 1), (RED, (0, 0), 2), (BLUE, (0, 0), 1)
    assert corners(shown(tmp_path, gif(*frames, size=(40, 40))), 2) == [BLUE_SEEN, PAGE, RED_SEEN]


def test_a_default_picture_that_is_no_frame_is_not_shown(tmp_path: Path) -> None:
    other = Image.new("RGB", (40, 40), (20, 200, 20))
    frames = [Image.new("RGB", (40, 40), color) for color in ((220, 20, 20), (20, 20, 220))]
    data = encoded(other, form="PNG", save_all=True, append_images=frames, default_image=True, duration=200)
    seen = shown(tmp_path, data)
    assert seen.frames == 2
    assert [picture.getpixel((5, 5)) for picture in seen.pictures] == [(220, 20, 20), (20, 20, 220)]


@pytest.mark.parametrize("told", [-20, 400])
def test_a_webp_whose_header_alone_tells_a_wrong_length_is_whole(tmp_path: Path, told: int) -> None:
    data = encoded(form="WEBP", lossless=True)
    wrong = data[:4] + struct.pack("<I", len(data) - 8 + told) + data[8:]
    seen, whole = shown(tmp_path, wrong), shown(tmp_path, data)
    assert seen.share_decoded == 1 and "the picture is there" in seen.damage
    assert (np.asarray(seen.pictures[0]) == np.asarray(whole.pictures[0])).all()


@pytest.mark.parametrize(
    ("bits", "masks", "words", "colors"),
    [
        (16, (0xF00, 0xF0, 0xF, 0xF000), (0xFF00, 0x80F0), ((255, 0, 0, 255), (0, 255, 0, 136))),
        (16, (0x7C00, 0x3E0, 0x1F, 0x8000), (0xFC00, 0x001F), ((255, 0, 0, 255), (0, 0, 255, 0))),
        (32, (0xFF, 0xFF00, 0xFF0000, 0), (0x0000FF, 0xFF0000), ((255, 0, 0, 255), (0, 0, 255, 255))),
        (32, (0x3FF00000, 0xFFC00, 0x3FF, 0), (0x3FF00000, 0x3FF), ((255, 0, 0, 255), (0, 0, 255, 255))),
    ],
)
def test_a_bitmap_of_any_masks_is_read(
    tmp_path: Path,
    bits: int,
    masks: tuple[int, ...],
    words: tuple[int, ...],
    colors: tuple[tuple[int, ...], ...],
) -> None:
    info = struct.pack("<IiiHHIIiiII", 108, 2, 1, 1, bits, 3, 0, 0, 0, 0, 0) + struct.pack("<4I", *masks)
    info += bytes(108 - len(info))
    body = struct.pack("<2H" if bits == 16 else "<2I", *words)
    seen = shown(tmp_path, b"BM" + struct.pack("<IHHI", 122 + len(body), 0, 0, 122) + info + body)
    for at, wanted in enumerate(colors):
        alpha = 255 if seen.alpha is None else seen.alpha.getpixel((at, 0))
        assert alpha == wanted[3]
        assert wanted[3] < 255 or seen.pictures[0].getpixel((at, 0)) == wanted[:3]


def icon(*pictures: bytes, cursor: bool = False, told: int = 0) -> bytes:
    """Return an icon of bitmaps or PNGs of 16 × 16 pixels."""
    at = 6 + 16 * len(pictures)
    entries = b""
    for body in pictures:
        entries += struct.pack("<BBBBHHII", 16, 16, 0, 0, 1, told, len(body), at)
        at += len(body)
    return struct.pack("<HHH", 0, 2 if cursor else 1, len(pictures)) + entries + b"".join(pictures)


def icon_bitmap(color: tuple[int, int, int], *, bits: int) -> bytes:
    """Return a picture of an icon whose upper half is transparent."""
    blue, green, red = reversed(color)
    pixel = bytes((blue, green, red)) + (b"\xff" if bits == 32 else b"")
    clear = pixel[:3] + (b"\0" if bits == 32 else b"")
    rows = pixel * 16 * 8 + clear * 16 * 8
    hidden = b"\0\0\0\0" * 8 + b"\xff\xff\0\0" * 8
    return struct.pack("<IiiHHIIiiII", 40, 16, 32, 1, bits, 0, 0, 0, 0, 0, 0) + rows + hidden


@pytest.mark.parametrize("cursor", [False, True])
@pytest.mark.parametrize("bits", [24, 32])
def test_an_icon_shows_its_richest_picture_whatever_it_tells(tmp_path: Path, cursor: bool, bits: int) -> None:
    poor = struct.pack("<IiiHHIIiiII", 40, 16, 32, 1, 1, 0, 0, 0, 0, 2, 0) + bytes(8) + bytes(128)
    data = icon(poor, icon_bitmap((10, 200, 30), bits=bits), cursor=cursor)
    assert file_type(data) is FileType.ICON
    seen = shown(tmp_path, data)
    assert (seen.width, seen.height, seen.content_type) == (16, 16, "image/x-icon")
    assert seen.alpha is not None and seen.alpha.getpixel((8, 2)) == 0 and seen.alpha.getpixel((8, 12)) == 255
    assert seen.pictures[0].getpixel((8, 12)) == (10, 200, 30)


@pytest.mark.parametrize("head", [b"\0\0\1\0", b"\0\0\1\0\0\0" + bytes(60), b"\0\0\1\xb3" + bytes(60)])
def test_four_bytes_alone_make_no_icon(head: bytes) -> None:
    assert file_type(head) is not FileType.ICON


def test_an_icon_whose_pictures_are_elsewhere_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile):
        shown(tmp_path, icon(icon_bitmap((1, 2, 3), bits=24))[:30])


# What Chromium 156 draws of a grey ramp of 256 levels, at every 32nd.
RAMPS = {"PQ": (0, 5, 30, 70, 133, 213, 255, 255), "HLG": (0, 15, 43, 71, 100, 135, 189, 228)}


@pytest.mark.parametrize("name", RAMPS)
def test_hdr_is_as_light_as_in_chromium(name: str) -> None:
    primaries, transfer, _ = COLORS[name]
    ramp = Image.fromarray(np.arange(256, dtype=np.uint8)[None, ::32]).convert("RGB")
    seen = np.asarray(as_plain_colors(ramp, ColorCoding(primaries, transfer)))
    assert np.abs(seen[0].astype(int) - np.array(RAMPS[name])[:, None]).max() <= 2


def test_the_red_of_bt_2020_is_outside_srgb_and_its_white_is_white() -> None:
    colors = Image.fromarray(np.array([[(255, 0, 0), (255, 255, 255), (200, 100, 100)]], np.uint8))
    seen = np.asarray(as_plain_colors(colors, ColorCoding(9, 1)))[0]
    assert (seen[0] == (255, 0, 0)).all() and (seen[1] == 255).all()
    # By hand: linear light (.578, .127, .127) times the row 1.6605 −.5876 −.0728 of BT.2087 is .876.
    assert int(seen[2][0]) == pytest.approx(241, abs=1)


@pytest.mark.parametrize("name", ["BT.2020", "P3", "PQ"])
def test_an_avif_of_wide_colors_is_shown_as_srgb(tmp_path: Path, name: str) -> None:
    plain = Image.new("RGB", (64, 64), (150, 110, 90))
    data = avif([coded(planes_of(plain, matrix=COLORS[name][2]), bits=10)], color=COLORS[name], bits=10)
    assert color_coding(data) == ColorCoding(*COLORS[name][:2])
    wanted = np.asarray(as_plain_colors(plain, ColorCoding(*COLORS[name][:2])), np.int64)[9, 9]
    seen = np.asarray(shown(tmp_path, data).pictures[0], np.int64)[32, 32]
    assert np.abs(seen - wanted).max() <= (8 if name == "PQ" else 3) and tuple(wanted) != (150, 110, 90)


def test_a_png_tells_its_colors_in_cicp(tmp_path: Path) -> None:
    data = encoded(Image.new("RGB", (8, 8), (148, 148, 148)), form="PNG")
    data = data[:33] + chunk(b"cICP", bytes((9, 16, 0, 1))) + data[33:]
    assert shown(tmp_path, data).pictures[0].getpixel((4, 4)) == (187, 187, 187)

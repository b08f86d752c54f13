"""Files whose parts are late, twice, wrong or lacking are shown as browsers show them."""

from __future__ import annotations

import io
import re
import struct
import zlib
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from random import Random

import numpy as np
import pytest
from PIL import Image

from benchmarks.odd_media.blocks import Block, gif
from benchmarks.odd_media.headers import bitmap, icon
from benchmarks.odd_media.segments import exif, segment
from benchmarks.odd_media.tracks import film
from indexer.media.decode_file import decode_file
from indexer.media.decoded import DecodedMedia
from search.errors import UnreadableFile
from tests.support.odd_media import SIZE, chunk, drawn, encoded

TABLE = bytes((220, 20, 20, 20, 20, 220, 20, 200, 20, 255, 255, 255))
RED, BLUE, GREEN, WHITE = (220, 20, 20), (20, 20, 220), (20, 200, 20), (255, 255, 255)


def shown(folder: Path, data: bytes) -> DecodedMedia:
    file = folder / "x"
    file.write_bytes(data)
    return decode_file(file, max_pixels=10**7, max_bytes=10**7)


def block(place: int, side: int = 12, **options: object) -> Block:
    return replace(Block(np.full((side, side), place, np.uint8), bits=2), **options)  # type: ignore[arg-type]


def at(seen: DecodedMedia, frame: int, place: int) -> tuple[int, ...]:
    """Return the color of a frame's pixel on its diagonal."""
    found = seen.pictures[frame].getpixel((place, place))
    assert isinstance(found, tuple)
    return found


# --- JPEG


def test_a_progressive_jpeg_is_shown_also_where_the_tables_before_a_scan_are_cut(tmp_path: Path) -> None:
    data = encoded(drawn(), form="JPEG", progressive=True, quality=60)
    scans = [found.start() for found in re.finditer(rb"\xff\xda", data)]
    whole = np.asarray(shown(tmp_path, data).pictures[0], np.float64)
    for cut in (start - back for start in scans[2:8:2] for back in (33, 17, 9, 3, 1, 0)):
        seen = np.asarray(shown(tmp_path, data[:cut]).pictures[0], np.float64)
        assert np.abs(seen - whole).mean() < 40, cut


@pytest.mark.parametrize(
    ("content", "turned"),
    [
        (exif(6), True),
        (exif(6, order=">"), True),
        (exif(6, form="I"), False),
        (exif(6, count=2), False),
        (exif(9), False),
        (exif(6, second=True), False),
        (exif(6)[:-8], False),
        (b"II*\0\xff\xff\xff\xff", False),
        (b"", False),
    ],
)
def test_a_jpeg_is_turned_by_one_short_number_in_the_first_directory(
    tmp_path: Path, content: bytes, turned: bool
) -> None:
    data = encoded(drawn(), form="JPEG")
    seen = shown(tmp_path, data[:2] + segment(0xE1, b"Exif\0\0" + content) + data[2:])
    assert (seen.width, seen.height) == (SIZE[::-1] if turned else SIZE)


def test_the_first_of_two_notes_about_the_orientation_counts(tmp_path: Path) -> None:
    data = encoded(drawn(), form="JPEG")
    notes = b"".join(segment(0xE1, b"Exif\0\0" + exif(each)) for each in (1, 6))
    seen = shown(tmp_path, data[:2] + notes + data[2:])
    assert (seen.width, seen.height) == SIZE


# --- GIF


def test_a_gif_without_any_table_of_colors_is_black(tmp_path: Path) -> None:
    seen = shown(tmp_path, gif((12, 12), [block(2)]))
    assert seen.pictures[0].getextrema() == ((0, 0),) * 3


def test_a_gif_whose_frames_alone_have_tables_has_their_colors(tmp_path: Path) -> None:
    seen = shown(tmp_path, gif((12, 12), [block(0, table=TABLE), block(1, table=TABLE)]))
    assert [at(seen, frame, 5) for frame in (0, 1)] == [RED, BLUE]


def test_a_later_frame_outside_does_not_enlarge_the_canvas(tmp_path: Path) -> None:
    seen = shown(tmp_path, gif((12, 12), [block(0), block(1, corner=(8, 8)), block(2, 4)], table=TABLE))
    assert {picture.size for picture in seen.pictures} == {(12, 12)}
    assert [at(seen, 1, place) for place in (3, 10)] == [RED, BLUE]
    assert [at(seen, 2, place) for place in (3, 6, 10)] == [GREEN, RED, BLUE]


@pytest.mark.parametrize(("disposal", "left"), [(0, BLUE), (1, BLUE), (2, WHITE), (3, RED), (4, RED), (5, BLUE)])
def test_a_frame_is_removed_as_it_says(tmp_path: Path, disposal: int, left: tuple[int, ...]) -> None:
    frames = [block(0), block(1, 6, disposal=disposal), block(2, 3)]
    seen = shown(tmp_path, gif((12, 12), frames, table=TABLE))
    assert [at(seen, 2, place) for place in (1, 5, 9)] == [GREEN, left, RED]


def test_a_frame_outside_does_not_fill_what_is_transparent(tmp_path: Path) -> None:
    frames = [block(0, disposal=2), block(1, 6, corner=(9, 9)), block(2, 4, corner=(10, 0)), block(1, 2)]
    seen = shown(tmp_path, gif((12, 12), frames, table=TABLE))
    assert [at(seen, 3, place) for place in (1, 5, 10)] == [BLUE, WHITE, BLUE]


def test_a_frame_that_names_no_disposal_stays_though_the_one_before_was_removed(tmp_path: Path) -> None:
    frames = [block(0), block(1, 6, disposal=2), block(2, 6, corner=(6, 6)), block(1, 3)]
    seen = shown(tmp_path, gif((12, 12), frames, table=TABLE))
    assert [at(seen, 3, place) for place in (1, 5, 9)] == [BLUE, WHITE, GREEN]


# --- PNG

PNG_HEAD = b"\x89PNG\r\n\x1a\n"
PALETTE = chunk(b"PLTE", TABLE)


def png(*chunks: bytes, behind: tuple[bytes, ...] = (), color: int = 3, size: tuple[int, int] = (2, 1)) -> bytes:
    """Return a PNG of 8 bits whose samples are 0, 1, 2 …"""
    samples = bytes(range(size[0] * {3: 1, 6: 4}[color]))
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", *size, 8, color, 0, 0, 0))
    pixels = chunk(b"IDAT", zlib.compress(b"".join(b"\0" + samples for _ in range(size[1]))))
    return PNG_HEAD + header + b"".join((*chunks, pixels, *behind)) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("before", "behind", "alpha"),
    [
        ((PALETTE, chunk(b"tRNS", b"\x00\x80")), (), [0, 128]),
        ((PALETTE, chunk(b"tRNS", b"\x00\x80"), chunk(b"tRNS", b"\x10\x10")), (), [0, 128]),
        ((chunk(b"tRNS", b"\x00\x80"), PALETTE), (), None),
        ((PALETTE,), (chunk(b"tRNS", b"\x00\x80"),), None),
    ],
)
def test_of_a_palette_s_transparency_the_first_between_palette_and_pixels_counts(
    tmp_path: Path, before: tuple[bytes, ...], behind: tuple[bytes, ...], alpha: list[int] | None
) -> None:
    seen = shown(tmp_path, png(*before, behind=behind))
    assert (None if seen.alpha is None else np.asarray(seen.alpha)[0].tolist()) == alpha


def test_places_beyond_a_palette_have_its_last_color(tmp_path: Path) -> None:
    seen = shown(tmp_path, png(chunk(b"PLTE", TABLE[:6]), size=(4, 1)))
    assert [seen.pictures[0].getpixel((x, 0)) for x in range(4)] == [RED, BLUE, BLUE, BLUE]


@pytest.mark.parametrize(
    ("before", "behind", "turned"),
    [
        ((chunk(b"eXIf", exif(6)),), (), True),
        ((chunk(b"eXIf", exif(6)), chunk(b"eXIf", exif(1))), (), True),
        ((chunk(b"eXIf", exif(1)), chunk(b"eXIf", exif(6))), (), False),
        ((), (chunk(b"eXIf", exif(6)),), False),
        ((chunk(b"eXIf", b"Exif\0\0" + exif(6)),), (), False),
    ],
)
def test_a_png_is_turned_by_its_first_note_before_the_pixels(
    tmp_path: Path, before: tuple[bytes, ...], behind: tuple[bytes, ...], turned: bool
) -> None:
    seen = shown(tmp_path, png(PALETTE, *before, behind=behind))
    assert (seen.width, seen.height) == ((1, 2) if turned else (2, 1))


def apng(*frames: tuple[tuple[int, ...], int, bool], told: int | None = None) -> bytes:
    """Return an animated PNG of 2 × 2 pixels; each frame has a color (RGBA), a way of blending, and pixels or none."""
    body, number = b"", 0
    for place, (color, blending, has_pixels) in enumerate(frames):
        body += chunk(b"fcTL", struct.pack(">IIIIIHHBB", number, 2, 2, 0, 0, 1, 10, 0, blending))
        number += 1
        if has_pixels:
            packed = zlib.compress(2 * (b"\0" + 2 * bytes(color)))
            body += chunk(b"fdAT", struct.pack(">I", number) + packed) if place else chunk(b"IDAT", packed)
            number += bool(place)
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 2, 2, 8, 6, 0, 0, 0))
    return PNG_HEAD + header + chunk(b"acTL", struct.pack(">II", told or len(frames), 0)) + body + chunk(b"IEND", b"")


def test_a_half_transparent_frame_leaves_what_is_below_it_opaque(tmp_path: Path) -> None:
    seen = shown(tmp_path, apng(((200, 0, 0, 255), 0, True), ((0, 0, 200, 128), 1, True)))
    red, green, blue = at(seen, 1, 0)
    assert abs(red - 100) <= 2 and green == 0 and abs(blue - 100) <= 2


def test_a_first_frame_that_is_removed_leaves_no_default_picture(tmp_path: Path) -> None:
    default, first, second = (Image.new("RGBA", (4, 4), (*color, 255)) for color in (GREEN, RED, BLUE))
    out = io.BytesIO()
    options = {"default_image": True, "disposal": 2, "blend": 1, "duration": 100}
    default.save(out, "PNG", save_all=True, append_images=[first, second.crop((0, 0, 2, 2))], **options)
    seen = shown(tmp_path, out.getvalue())
    assert (at(seen, 0, 3), at(seen, 1, 1)) == (RED, BLUE)
    assert at(seen, 1, 3) == WHITE


def test_a_frame_without_pixels_is_left_out(tmp_path: Path) -> None:
    seen = shown(tmp_path, apng(((*RED, 255), 0, True), ((*BLUE, 255), 0, False), ((*GREEN, 255), 0, True)))
    assert [at(seen, frame, 0) for frame in range(len(seen.pictures))] == [RED, GREEN]
    assert "2 of 3 are there" in seen.damage


# --- bitmaps and icons


def test_a_palette_that_is_told_too_large_is_read(tmp_path: Path) -> None:
    palette = bytes((20, 20, 220, 0, 220, 20, 20, 0)) + bytes(4 * 254)
    seen = shown(tmp_path, bitmap((2, 1), 8, bytes((0, 1, 0, 0)), palette=palette, colors=300))
    assert [seen.pictures[0].getpixel((x, 0)) for x in (0, 1)] == [RED, BLUE]


@pytest.mark.parametrize(("header", "packing", "transparent"), [(40, 0, False), (40, 6, True), (108, 0, True)])
def test_the_fourth_byte_of_a_bitmap_is_transparency_where_its_header_knows_it(
    tmp_path: Path, header: int, packing: int, transparent: bool
) -> None:
    masks = struct.pack("<4I", 0xFF0000, 0xFF00, 0xFF, 0xFF000000)
    body = bytes((20, 20, 220, 0x80, 220, 20, 20, 0xFF))
    told = masks if packing or header > 40 else b""
    seen = shown(tmp_path, bitmap((2, 1), 32, body, header=header, packing=packing, masks=told))
    assert (None if seen.alpha is None else np.asarray(seen.alpha)[0].tolist()) == ([128, 255] if transparent else None)
    assert seen.pictures[0].getpixel((1, 0)) == BLUE


def test_runs_that_end_before_the_last_row_are_shown(tmp_path: Path) -> None:
    palette = bytes((20, 20, 220, 0, 220, 20, 20, 0)) + bytes(4 * 254)
    rows = b"".join(bytes((16, 1, 0, 0)) for _ in range(8)) + b"\0\1"
    seen = shown(tmp_path, bitmap((16, 16), 8, rows, palette=palette, packing=1))
    assert seen.pictures[0].getpixel((3, 12)) == BLUE and "50 %" in seen.damage


SIDE = 16


def part(*, bits: int, alpha: int, hidden: bool) -> bytes:
    """Return the picture of an icon: red, its mask hiding the lower half or nothing."""
    head = struct.pack("<IiiHHIIiiII", 40, SIDE, 2 * SIDE, 1, bits, 0, 0, 0, 0, 0, 0)
    pixel = bytes((*RED[::-1], alpha))[: bits // 8]
    mask = b"".join((b"\xff\xff" if hidden and row < SIDE // 2 else b"\0\0") + b"\0\0" for row in range(SIDE))
    return head + pixel * SIDE * SIDE + mask


def alphas(seen: DecodedMedia) -> list[int]:
    """Return the transparency of the first and of the last row."""
    if seen.alpha is None:
        return [255, 255]
    return np.asarray(seen.alpha)[[0, -1], 3].tolist()


@pytest.mark.parametrize(
    ("bits", "alpha", "hidden", "seen_alphas"),
    [
        (32, 255, True, [255, 255]),
        (32, 100, True, [100, 100]),
        (32, 0, True, [255, 0]),
        (32, 0, False, [255, 255]),
        (24, 0, True, [255, 0]),
    ],
)
def test_an_icon_s_mask_counts_where_its_pixels_tell_no_transparency(
    tmp_path: Path, bits: int, alpha: int, hidden: bool, seen_alphas: list[int]
) -> None:
    seen = shown(tmp_path, icon([((SIDE, SIDE), bits, part(bits=bits, alpha=alpha, hidden=hidden))]))
    assert alphas(seen) == seen_alphas and not seen.damage


@pytest.mark.parametrize("told", [1, 50, 10**6])
def test_an_icon_whose_entry_tells_a_wrong_length_is_whole(tmp_path: Path, told: int) -> None:
    data = icon([((SIDE, SIDE), 24, part(bits=24, alpha=0, hidden=True))])
    seen = shown(tmp_path, data[:14] + struct.pack("<I", told) + data[18:])
    assert alphas(seen) == [255, 0] and not seen.damage


def test_an_icon_without_its_mask_is_opaque(tmp_path: Path) -> None:
    body = part(bits=24, alpha=0, hidden=True)[: 40 + 3 * SIDE * SIDE]
    assert alphas(shown(tmp_path, icon([((SIDE, SIDE), 24, body)]))) == [255, 255]


@pytest.mark.parametrize("bits", [24, 32])
def test_of_an_icon_that_is_cut_the_missing_rows_are_transparent(tmp_path: Path, bits: int) -> None:
    body = part(bits=bits, alpha=255, hidden=False)[: 40 + bits // 8 * SIDE * SIDE // 2]
    seen = shown(tmp_path, icon([((SIDE, SIDE), bits, body)]))
    assert alphas(seen) == [0, 255] and seen.damage == "Its end is missing: 50 % is there."


def test_an_icon_without_any_row_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile):
        shown(tmp_path, icon([((SIDE, SIDE), 24, part(bits=24, alpha=0, hidden=False)[:40])]))


# --- films


def mean_levels(seen: DecodedMedia) -> tuple[float, float, float, float]:
    """Return the mean brightness of the four quarters of the first picture: upper left, upper right, lower left …"""
    levels = np.asarray(seen.pictures[0].convert("L"), np.float64)
    height, width = levels.shape
    rows, columns = (slice(height // 2), slice(height // 2, None)), (slice(width // 2), slice(width // 2, None))
    upper_left, upper_right, lower_left, lower_right = (float(levels[r, c].mean()) for r in rows for c in columns)
    return upper_left, upper_right, lower_left, lower_right


ONE = 1 << 16


@pytest.mark.parametrize(
    ("matrix", "quarters"),
    [
        ((ONE, 0, 0, ONE), (0, 1, 2, 3)),
        ((0, ONE, -ONE, 0), (2, 0, 3, 1)),
        ((-ONE, 0, 0, -ONE), (3, 2, 1, 0)),
        ((0, -ONE, ONE, 0), (1, 3, 0, 2)),
        ((-ONE, 0, 0, ONE), (1, 0, 3, 2)),
        ((ONE, 0, 0, -ONE), (2, 3, 0, 1)),
        ((0, ONE, ONE, 0), (0, 2, 1, 3)),
        ((0, -ONE, -ONE, 0), (3, 1, 2, 0)),
        ((46341, 46341, -46341, 46341), (0, 1, 2, 3)),
    ],
)
def test_a_film_is_turned_and_mirrored_by_its_matrix(
    tmp_path: Path, matrix: tuple[int, ...], quarters: tuple[int, ...]
) -> None:
    data = film(Random(4), frames=2)
    upright = mean_levels(shown(tmp_path, data))
    place = data.index(b"tkhd") + 44
    a, b, c, d = matrix
    turned = data[:place] + struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30) + data[place + 36 :]
    assert mean_levels(shown(tmp_path, turned)) == pytest.approx([upright[each] for each in quarters], abs=2)


@pytest.mark.parametrize(("transfer", "level"), [(2, 90), (16, 61), (18, 66)])
def test_a_film_in_hdr_is_as_light_as_in_chromium(tmp_path: Path, transfer: int, level: int) -> None:
    colors = {"color_primaries": 9, "color_trc": transfer, "colorspace": 9} if transfer > 2 else None
    with_gray = film(Random(1), codec="libsvtav1", form="yuv420p10le", colors=colors, frames=1, gray=90)
    seen = np.asarray(shown(tmp_path, with_gray).pictures[0], np.float64)
    assert seen.mean() == pytest.approx(level, abs=4)


def test_a_film_of_720_rows_that_tells_no_colors_is_read_by_bt_709(tmp_path: Path) -> None:
    """The same levels are another green: of BT.709 from 720 rows on, of BT.601 below."""
    colors = {}
    for rows in (704, 720):
        data = film(Random(1), size=(64, rows), frames=1, levels=(100, 90, 100))
        colors[rows] = np.asarray(shown(tmp_path, data).pictures[0], np.float64).mean((0, 1))
    # Y' 100, Cb 90, Cr 100 of limited range, by the matrices of both recommendations.
    for rows, (red, blue) in {704: (0.299, 0.114), 720: (0.2126, 0.0722)}.items():
        luminance, chroma_blue, chroma_red = (100 - 16) / 219, (90 - 128) / 224, (100 - 128) / 224
        found_red = luminance + 2 * (1 - red) * chroma_red
        found_blue = luminance + 2 * (1 - blue) * chroma_blue
        green = (luminance - red * found_red - blue * found_blue) / (1 - red - blue)
        wanted = 255 * np.array([found_red, green, found_blue])
        assert colors[rows] == pytest.approx(wanted, abs=3)


def test_narrow_pixels_make_a_film_higher(tmp_path: Path) -> None:
    seen = shown(tmp_path, film(Random(2), frames=1, aspect=Fraction(8, 9)))
    assert (seen.width, seen.height) == (160, 108) == seen.pictures[0].size

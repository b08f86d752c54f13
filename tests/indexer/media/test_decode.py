"""Every kind of picture decoded to what is seen, every broken file refused with a sentence, and nothing left open."""

from __future__ import annotations

import base64
import hashlib
import io
import os
import struct
import warnings
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random

import numpy as np
import pytest
from PIL import Image, ImageCms, ImageDraw

from indexer.media.decode import placeholder, thumbnail
from indexer.media.decode_file import decode_file
from indexer.media.decoded import DecodedMedia
from indexer.media.raster import WORKING_PIXELS, telling_frames, telling_picture
from indexer.media.signatures import file_type
from search.errors import UnreadableFile
from search.meme import MediaType
from tests.support.odd_media import animated, chunk, encoded, with_chunk

RED, GREEN, BLUE, WHITE = (220, 30, 30), (30, 160, 60), (30, 60, 220), (255, 255, 255)


def decoded(file: Path, *, max_pixels: int = 100_000_000, max_bytes: int = 1_000_000_000) -> DecodedMedia:
    return decode_file(file, max_pixels=max_pixels, max_bytes=max_bytes)


def flag(size: tuple[int, int] = (60, 40)) -> Image.Image:
    """Return a picture whose left half is red and whose right half is blue, so that every turn can be told."""
    picture = Image.new("RGB", size, RED)
    picture.paste(BLUE, (size[0] // 2, 0, size[0], size[1]))
    return picture


def near(seen: object, expected: tuple[int, ...], *, within: int = 12) -> bool:
    return bool(np.abs(np.asarray(seen, int) - np.asarray(expected, int)).max() <= within)


def refusal(file: Path, **limits: int) -> str:
    with pytest.raises(UnreadableFile) as caught:
        decoded(file, **limits)
    assert caught.value.hint
    return caught.value.message


def png_header(width: int, height: int) -> bytes:
    """Return a PNG that is nothing but its header, written by hand."""

    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("ending", "options"),
    [
        (".png", {}),
        (".jpg", {"quality": 95, "subsampling": 0}),
        (".jfif", {"format": "JPEG", "quality": 95, "progressive": True}),
        (".webp", {"quality": 95}),
        (".webp", {"lossless": True}),
        (".avif", {"quality": 95}),
        (".bmp", {}),
        (".gif", {}),
    ],
)
def test_a_still_of_every_kind_is_seen_as_it_was_drawn(tmp_path: Path, ending: str, options: dict[str, object]) -> None:
    flag().save(tmp_path / f"x{ending}", **options)
    seen = decoded(tmp_path / f"x{ending}")
    assert (seen.type, seen.width, seen.height, seen.frames, seen.seconds) == (MediaType.IMAGE, 60, 40, 1, None)
    (picture,) = seen.pictures
    assert (picture.mode, picture.size) == ("RGB", (60, 40))
    assert near(picture.getpixel((10, 20)), RED)
    assert near(picture.getpixel((50, 20)), BLUE)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "CMYK", "I;16"])
def test_every_mode_of_colour_becomes_rgb_of_the_same_look(tmp_path: Path, mode: str) -> None:
    dark = Image.new("RGB", (30, 20), (0, 0, 0))
    dark.paste(WHITE, (15, 0, 30, 20))
    if mode == "I;16":
        deep = np.zeros((20, 30), np.uint16)
        deep[:, 15:] = 65535
        deep[:, 14] = 128 * 257
        picture = Image.fromarray(deep)
    else:
        picture = dark.convert(mode)
    ending = "jpg" if mode == "CMYK" else "png"
    picture.save(tmp_path / f"x.{ending}")
    (seen,) = decoded(tmp_path / f"x.{ending}").pictures
    assert seen.mode == "RGB"
    assert near(seen.getpixel((2, 10)), (0, 0, 0))
    assert near(seen.getpixel((27, 10)), WHITE)
    if mode == "I;16":
        assert seen.getpixel((14, 10)) == (128, 128, 128)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("ending", ["jpg", "png", "avif"])
def test_a_picture_is_turned_as_exif_says(tmp_path: Path, orientation: int, ending: str) -> None:
    # A truth by hand, from the EXIF standard: where the stored picture's first row and first column are shown.
    left = {1: "left", 2: "right", 3: "right", 4: "left", 5: "top", 6: "top", 7: "bottom", 8: "bottom"}[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    flag().save(tmp_path / f"x.{ending}", exif=exif.tobytes(), quality=95)
    seen = decoded(tmp_path / f"x.{ending}")
    (picture,) = seen.pictures
    assert (seen.width, seen.height) == picture.size == ((60, 40) if orientation <= 4 else (40, 60))
    width, height = picture.size
    places = {
        "left": (5, height // 2),
        "right": (width - 5, height // 2),
        "top": (width // 2, 5),
        "bottom": (width // 2, height - 5),
    }
    assert near(picture.getpixel(places[left]), RED)


def test_a_broken_note_about_the_orientation_does_not_hide_the_picture(tmp_path: Path) -> None:
    flag().save(tmp_path / "x.jpg", exif=b"Exif\0\0MM\0*\xff\xff\xff\xff" + b"\xff" * 40)
    assert decoded(tmp_path / "x.jpg").width == 60


def test_what_a_file_is_its_content_says(tmp_path: Path) -> None:
    flag().save(tmp_path / "x.jpg", format="PNG")
    flag().save(tmp_path / "x.mp4", format="JPEG")
    assert decoded(tmp_path / "x.jpg").pictures[0].getpixel((10, 10)) == RED
    assert decoded(tmp_path / "x.mp4").type is MediaType.IMAGE


def test_transparent_parts_are_white_and_dark_where_white_would_hide_everything(tmp_path: Path) -> None:
    for name, ink, expected in (("ink", (0, 0, 0), WHITE), ("chalk", WHITE, (34, 34, 34))):
        picture = Image.new("RGBA", (80, 80), (0, 255, 0, 0))
        ImageDraw.Draw(picture).rectangle((20, 20, 60, 60), fill=(*ink, 255))
        picture.save(tmp_path / f"{name}.png")
        (seen,) = decoded(tmp_path / f"{name}.png").pictures
        assert seen.getpixel((5, 5)) == expected
        assert seen.getpixel((40, 40)) == ink


def test_half_transparent_is_half_the_background(tmp_path: Path) -> None:
    Image.new("RGBA", (20, 20), (0, 0, 0, 128)).save(tmp_path / "x.png")
    assert near(decoded(tmp_path / "x.png").pictures[0].getpixel((5, 5)), (127, 127, 127), within=1)


def test_a_transparent_palette_is_white_too(tmp_path: Path) -> None:
    picture = Image.new("P", (20, 20), 0)
    picture.putpalette([0, 255, 0, 200, 0, 0])
    picture.paste(1, (10, 0, 20, 20))
    picture.save(tmp_path / "x.gif", transparency=0)
    (seen,) = decoded(tmp_path / "x.gif").pictures
    assert seen.getpixel((2, 2)) == WHITE
    assert seen.getpixel((15, 2)) == (200, 0, 0)


def test_colors_are_read_by_the_profile_of_the_file(tmp_path: Path) -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    flag().save(tmp_path / "same.png", icc_profile=profile)
    # The same profile under another name, its red and blue exchanged: what is stored as red is meant as blue.
    exchanged = profile.replace(b"rXYZ", b"none").replace(b"bXYZ", b"rXYZ").replace(b"none", b"bXYZ")
    exchanged = exchanged.replace("sRGB".encode("utf-16-be"), "mine".encode("utf-16-be")).replace(b"sRGB", b"mine")
    flag().save(tmp_path / "exchanged.png", icc_profile=exchanged)
    seen = decoded(tmp_path / "exchanged.png").pictures[0]
    assert near(seen.getpixel((10, 10)), RED[::-1])
    assert near(seen.getpixel((50, 10)), BLUE[::-1])
    flag().save(tmp_path / "broken.png", icc_profile=b"no profile at all")
    for name in ("same", "broken"):
        assert decoded(tmp_path / f"{name}.png").pictures[0].getpixel((10, 10)) == RED


@pytest.mark.parametrize("ending", ["gif", "webp", "png", "avif"])
def test_what_moves_is_a_gif_of_five_frames_spread_over_its_time(tmp_path: Path, ending: str) -> None:
    # Frame n is grey of 10 n: what was picked can be read off.
    frames = [Image.new("RGB", (32, 32), (10 * number,) * 3) for number in range(21)]
    lossless = {"webp": {"lossless": True}, "avif": {"quality": 100}}.get(ending, {})
    frames[0].save(tmp_path / f"x.{ending}", save_all=True, append_images=frames[1:], duration=80, **lossless)
    seen = decoded(tmp_path / f"x.{ending}")
    assert (seen.type, seen.frames, seen.width, seen.height) == (MediaType.GIF, 21, 32, 32)
    assert seen.seconds == pytest.approx(21 * 0.08)
    grays = [picture.getpixel((16, 16))[0] for picture in seen.pictures]
    assert grays == pytest.approx([0, 50, 90, 130, 170], abs=3)


def test_frames_that_change_a_part_are_seen_whole(tmp_path: Path) -> None:
    first, second = flag(), flag()
    second.paste(GREEN, (0, 0, 10, 10))
    first.save(tmp_path / "x.gif", save_all=True, append_images=[second], duration=0)
    seen = decoded(tmp_path / "x.gif")
    assert near(seen.pictures[1].getpixel((5, 5)), GREEN)
    assert near(seen.pictures[1].getpixel((50, 20)), BLUE)
    assert seen.seconds == pytest.approx(0.2)  # no time at all is shown as a tenth of a second


def test_a_gif_of_one_frame_is_an_image(tmp_path: Path) -> None:
    flag().save(tmp_path / "x.gif")
    assert decoded(tmp_path / "x.gif").type is MediaType.IMAGE


def test_a_very_long_animation_is_decoded_in_its_first_part_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("indexer.media.decode_file.ANIMATED_FRAMES", 11)
    frames = [Image.new("L", (8, 8), number) for number in range(200)]
    frames[0].save(tmp_path / "x.gif", save_all=True, append_images=frames[1:], duration=50)
    seen = decoded(tmp_path / "x.gif")
    assert (seen.frames, seen.seconds) == (200, pytest.approx(10))
    assert [picture.getpixel((1, 1))[0] for picture in seen.pictures] == [0, 3, 5, 7, 9]


def test_a_large_photograph_is_decoded_small_and_its_true_size_told(tmp_path: Path) -> None:
    flag((6000, 4000)).save(tmp_path / "x.jpg", quality=60)
    seen = decoded(tmp_path / "x.jpg")
    assert (seen.width, seen.height) == (6000, 4000)
    width, height = seen.pictures[0].size
    assert WORKING_PIXELS * 0.9 < width * height <= WORKING_PIXELS * 1.01
    assert width / height == pytest.approx(1.5, rel=0.01)


def test_a_long_strip_keeps_its_shape_and_its_words(tmp_path: Path) -> None:
    flag((600, 12_000)).save(tmp_path / "x.png")
    assert decoded(tmp_path / "x.png").pictures[0].size[0] > 400


def test_a_picture_of_one_pixel_and_one_of_one_line_are_pictures(tmp_path: Path) -> None:
    Image.new("RGB", (1, 1), RED).save(tmp_path / "dot.png")
    Image.new("RGB", (9000, 1), RED).save(tmp_path / "line.png")
    for name in ("dot", "line"):
        (picture,) = decoded(tmp_path / f"{name}.png").pictures
        assert Image.open(io.BytesIO(thumbnail(picture, 480))).height == 1
        assert placeholder(picture).startswith("data:image/webp;base64,")


def test_a_bomb_is_refused_by_its_header_and_the_limit_is_named(tmp_path: Path) -> None:
    (tmp_path / "bomb.png").write_bytes(png_header(20_000, 20_000))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        said = refusal(tmp_path / "bomb.png")
    assert said == "It has 20,000 × 20,000 pixels; at most 100,000,000 are decoded."


def test_the_limit_is_the_settings_alone(tmp_path: Path) -> None:
    (tmp_path / "large.png").write_bytes(png_header(20_000, 20_000))
    assert "max_pixels" not in refusal(tmp_path / "large.png", max_pixels=500_000_000)
    flag().save(tmp_path / "x.png")
    assert "60 × 40" in refusal(tmp_path / "x.png", max_pixels=2399)
    assert decoded(tmp_path / "x.png", max_pixels=2400).width == 60


def test_more_bytes_than_the_setting_allows_are_refused_unread(tmp_path: Path) -> None:
    with (tmp_path / "x.mp4").open("wb") as file:
        file.write(b"\0\0\0\x18ftypmp42")
        file.truncate(2_000_000_000)  # a hole: no disk is needed
    assert refusal(tmp_path / "x.mp4") == "It has 2,000,000,000 bytes; the setting max_bytes allows 1,000,000,000."


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "It is empty (0 bytes)."),
        (b"Dear all, this is no meme.\nAt all.", "It is not a supported picture or video: it is text."),
        ("Grüße – ".encode() * 200, "It is not a supported picture or video: it is text."),
        (b"BMW is a make of car", "It is not a supported picture or video: it is text."),
        (b"<!DOCTYPE html><html><body>404</body></html>", "It is not a supported picture or video: it is a web page."),
        (b"%PDF-1.7 ...", "It is not a supported picture or video: it is a PDF document."),
        (b"\0" * 5000, "It is not a supported picture or video: it contains only zero bytes."),
        (b"\x01\x02\x03\x04" * 99, "It is not a supported picture or video: it has an unknown format."),
        (b"OggS" + b"\0" * 24 + b"\x01vorbis", "It is not a supported picture or video: it is sound."),
        (b"#EXTM3U\nhttp://example.com/a.ts\n", "It is not a supported picture or video: it is text."),
    ],
)
def test_what_is_no_picture_is_refused_with_what_it_is_like(tmp_path: Path, content: bytes, sentence: str) -> None:
    (tmp_path / "x.jpg").write_bytes(content)
    assert refusal(tmp_path / "x.jpg") == sentence


@pytest.mark.parametrize(
    ("gamma", "level"), [(45455, 128), (100000, 188), (55556, 147), (30000, 89), (22727, 62), (0, 128)]
)
def test_a_png_is_shown_by_the_gamma_that_it_tells(tmp_path: Path, gamma: int, level: int) -> None:
    """The levels are Chromium's, to within one."""
    png = with_chunk(encoded(Image.new("RGB", (8, 8), (128, 128, 128)), form="PNG"), chunk(b"gAMA", gamma.to_bytes(4)))
    for data, expected in ((png, level), (with_chunk(png, chunk(b"sRGB", b"\0")), 128)):
        (tmp_path / "x.png").write_bytes(data)
        assert near(decoded(tmp_path / "x.png").pictures[0].getpixel((3, 3)), (expected,) * 3, within=1)


@pytest.mark.parametrize("ending", ["png", "jpg", "webp", "bmp", "gif"])
@pytest.mark.parametrize("share", [0.5, 0.9])
def test_a_file_cut_short_is_shown_as_far_as_it_is_there(tmp_path: Path, ending: str, share: float) -> None:
    noise = np.random.default_rng(1).integers(0, 256, (80, 80, 3), np.uint8)
    options = {"interlace": 0} if ending == "gif" else {}
    Image.fromarray(noise).save(tmp_path / f"whole.{ending}", **options)
    whole = (tmp_path / f"whole.{ending}").read_bytes()
    (tmp_path / f"x.{ending}").write_bytes(whole[: int(len(whole) * share)])
    sound, seen = decoded(tmp_path / f"whole.{ending}"), decoded(tmp_path / f"x.{ending}")
    assert sound.damage == "" and sound.share_decoded == 1.0
    assert (seen.width, seen.height, seen.codec) == (80, 80, sound.codec)
    assert seen.share_decoded == pytest.approx(share, abs=0.12)
    assert seen.damage == f"Its end is missing: {100 * seen.share_decoded:.0f} % is there."
    there = np.asarray(seen.pictures[0]) == np.asarray(sound.pictures[0])
    rows = slice(-30, None) if ending == "bmp" else slice(0, 30)  # the last row of a bitmap comes first
    assert there[rows].all() and not there.all()


@pytest.mark.parametrize(("ending", "share"), [("jpg", 0.02), ("png", 0.002), ("webp", 0.005), ("avif", 0.9)])
def test_a_file_of_which_nothing_is_there_is_refused(tmp_path: Path, ending: str, share: float) -> None:
    noise = np.random.default_rng(1).integers(0, 256, (80, 80, 3), np.uint8)
    Image.fromarray(noise).save(tmp_path / f"whole.{ending}")
    whole = (tmp_path / f"whole.{ending}").read_bytes()
    (tmp_path / f"x.{ending}").write_bytes(whole[: int(len(whole) * share)])
    assert refusal(tmp_path / f"x.{ending}").startswith("It is ")


@pytest.mark.parametrize("wrong", [0.2, 0.5, 0.8])
@pytest.mark.parametrize("is_flat", [True, False])
def test_a_png_with_a_wrong_bit_is_shown_down_to_it(tmp_path: Path, wrong: float, *, is_flat: bool) -> None:
    """As browsers do; a flat picture unpacks to much more than it takes."""
    noise = np.random.default_rng(1).integers(0, 256, (120, 80, 3), np.uint8)
    picture = flag((900, 900)) if is_flat else Image.fromarray(noise)
    picture.save(tmp_path / "whole.png")
    whole = bytearray((tmp_path / "whole.png").read_bytes())
    start = whole.index(b"IDAT") + 4
    place = start + int(wrong * (len(whole) - 16 - start))
    whole[place] ^= 0x41
    (tmp_path / "x.png").write_bytes(whole)
    seen, sound = decoded(tmp_path / "x.png"), decoded(tmp_path / "whole.png")
    assert (seen.width, seen.height) == picture.size
    assert "is damaged" in seen.damage and "end" not in seen.damage
    there = (np.asarray(seen.pictures[0]) == np.asarray(sound.pictures[0])).all((1, 2))
    if not is_flat:
        assert there[: int(len(there) * (wrong - 0.1))].all() and not there.all()


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
@pytest.mark.parametrize("wrong", [0.5, 0.7, 0.9])
def test_a_lossy_webp_with_a_wrong_bit_is_shown_down_to_it(tmp_path: Path, wrong: float, mode: str) -> None:
    """As browsers do; libwebp refuses it whole."""
    noise = np.random.default_rng(1).integers(0, 256, (120, 80, 3), np.uint8)
    soft = Image.fromarray(noise[:20, :20]).resize((320, 320), Image.Resampling.BICUBIC)
    soft.convert(mode).save(tmp_path / "whole.webp")
    whole = bytearray((tmp_path / "whole.webp").read_bytes())
    whole[int(wrong * len(whole))] ^= 0x41
    (tmp_path / "x.webp").write_bytes(whole)
    seen, sound = decoded(tmp_path / "x.webp"), decoded(tmp_path / "whole.webp")
    assert (seen.width, seen.height) == (320, 320)
    assert seen.damage == "A part of it is damaged: it is shown with errors."
    first = [np.asarray(one.pictures[0], np.int16)[:32] for one in (seen, sound)]
    assert np.abs(first[0] - first[1]).mean() < 6


@pytest.mark.parametrize("colors", [2, 256])
def test_a_gif_is_shown_wherever_it_is_cut_behind_its_first_pixels(tmp_path: Path, colors: int) -> None:
    frames = [flag((40, 30)).rotate(turn).quantize(colors) for turn in (0, 90, 180)]
    frames[0].save(tmp_path / "whole.gif", save_all=True, append_images=frames[1:], duration=100)
    whole = (tmp_path / "whole.gif").read_bytes()
    first = whole.index(b"\x2c\0\0\0\0") + 40 + 3 * colors
    refused = []
    for size in range(first, len(whole), 7):
        (tmp_path / "x.gif").write_bytes(whole[:size])
        try:
            assert decoded(tmp_path / "x.gif").width == 40
        except UnreadableFile as error:
            refused.append((size, str(error)))
    assert refused == []


def test_frames_of_an_animation_before_a_missing_one_are_shown(tmp_path: Path) -> None:
    (tmp_path / "x.gif").write_bytes(animated("GIF")[:-2000])
    seen = decoded(tmp_path / "x.gif")
    assert (seen.frames, len(seen.pictures), seen.damage) == (2, 2, "Its later frames are damaged: 2 of 3 are there.")


def test_a_mistake_of_ours_is_no_fault_of_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    flag().save(tmp_path / "x.png")
    monkeypatch.setattr("indexer.media.decode_file.decode_small", lambda: None)  # takes no picture
    with pytest.raises(TypeError):
        decoded(tmp_path / "x.png")


def test_a_dark_or_blank_first_frame_is_not_the_thumbnail() -> None:
    black, drawing = Image.new("RGB", (60, 40)), flag()
    assert telling_picture([black, drawing, black]) is drawing
    assert telling_frames([black, drawing, black]) == [drawing] and telling_frames([black, black]) == [black, black]
    assert telling_picture([drawing, flag((30, 20))]) is drawing
    assert telling_picture([black, Image.new("RGB", (60, 40), WHITE)]) is black


def test_a_folder_a_pipe_and_a_missing_file_are_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    assert refusal(tmp_path / "pipe.png") == "It is not a regular file."
    assert refusal(tmp_path) == "It is not a regular file."
    assert refusal(tmp_path / "gone.png") == "It cannot be read: No such file or directory."


@pytest.mark.parametrize(
    "ending", ["png", "jpg", "webp", "avif", "bmp", "gif", "moving.gif", "moving.png", "moving.webp"]
)
def test_no_broken_byte_raises_anything_but_an_unreadable_file(tmp_path: Path, ending: str) -> None:
    picture = Image.fromarray(np.random.default_rng(2).integers(0, 256, (24, 24, 3), np.uint8))
    others = [picture.rotate(90), picture.rotate(180)] if ending.startswith("moving") else []
    picture.save(tmp_path / f"whole.{ending}", **({"save_all": True, "append_images": others} if others else {}))
    whole = (tmp_path / f"whole.{ending}").read_bytes()
    random = Random(3)
    broken = tmp_path / f"x.{ending}"
    for _ in range(40 if "avif" in ending else 150):
        content = bytearray(whole)
        for _ in range(random.randint(1, 6)):
            content[random.randrange(len(content) if random.random() < 0.5 else min(80, len(content)))] = (
                random.randrange(256)
            )
        broken.write_bytes(content)
        try:
            seen = decoded(broken, max_pixels=1_000_000)
        except UnreadableFile as error:
            assert error.message.startswith("It ")
            assert error.message.endswith(".")
            assert error.hint
        else:
            assert all(picture.mode == "RGB" for picture in seen.pictures)


def test_decoding_leaves_no_file_open_and_nothing_changed(tmp_path: Path) -> None:
    frames = [Image.new("L", (8, 8), number) for number in range(9)]
    frames[0].save(tmp_path / "moving.gif", save_all=True, append_images=frames[1:])
    flag().save(tmp_path / "x.jpg")
    flag().save(tmp_path / "x.webp")
    (tmp_path / "broken.png").write_bytes(png_header(10, 10))
    (tmp_path / "bomb.png").write_bytes(png_header(20_000, 20_000))
    files = sorted(tmp_path.iterdir())
    before = [(hashlib.sha256(file.read_bytes()).digest(), file.stat().st_mtime_ns) for file in files]
    opened = len(os.listdir("/proc/self/fd")) if Path("/proc/self/fd").exists() else None  # noqa: PTH208
    for _ in range(20):
        for file in files:
            if file.name.startswith("b"):
                refusal(file)
            else:
                decoded(file)
    if opened is not None:
        assert len(os.listdir("/proc/self/fd")) == opened  # noqa: PTH208
    assert [(hashlib.sha256(file.read_bytes()).digest(), file.stat().st_mtime_ns) for file in files] == before
    assert sorted(tmp_path.iterdir()) == files


def test_threads_see_what_one_thread_sees(tmp_path: Path) -> None:
    random = np.random.default_rng(4)
    files = []
    for number in range(24):
        file = tmp_path / f"{number}.{('png', 'jpg', 'webp', 'gif')[number % 4]}"
        Image.fromarray(random.integers(0, 256, (90, 70, 3), np.uint8)).save(file)
        files.append(file)
    alone = [decoded(file).pictures[0].tobytes() for file in files]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda file: decoded(file).pictures[0].tobytes(), files * 3)) == alone * 3


def test_a_thumbnail_fits_keeps_its_shape_and_carries_no_metadata(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x010E] = "secret place"
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    flag((900, 600)).save(tmp_path / "x.jpg", exif=exif.tobytes(), icc_profile=profile, comment=b"secret too")
    (picture,) = decoded(tmp_path / "x.jpg").pictures
    assert picture.info == {}
    made = thumbnail(picture, 480)
    assert b"secret" not in made
    small = Image.open(io.BytesIO(made))
    assert (small.format, small.size) == ("WEBP", (480, 320))
    assert not {"exif", "icc_profile", "xmp"} & set(small.info)
    assert near(small.convert("RGB").getpixel((100, 100)), RED)
    # Metadata that a picture from elsewhere carries does not pass either.
    picture.info = {"exif": exif.tobytes(), "icc_profile": profile}
    assert thumbnail(picture, 480) == made


def test_a_thumbnail_never_enlarges() -> None:
    assert Image.open(io.BytesIO(thumbnail(flag(), 480))).size == (60, 40)


def test_a_placeholder_is_short_and_shows_where_the_colors_are() -> None:
    noise = Image.fromarray(np.random.default_rng(5).integers(0, 256, (400, 400, 3), np.uint8))
    for picture in (noise, flag(), flag((2000, 20)), flag((20, 2000))):
        assert len(placeholder(picture)) < 200
    tiny = Image.open(io.BytesIO(base64.b64decode(placeholder(flag((900, 600))).partition(",")[2]))).convert("RGB")
    assert tiny.size == (16, 11)
    assert near(tiny.getpixel((2, 5)), RED, within=40)
    assert near(tiny.getpixel((13, 5)), BLUE, within=40)


def test_two_letters_of_text_do_not_make_a_bmp() -> None:
    assert file_type(b"BM" + b"a" * 60) is None

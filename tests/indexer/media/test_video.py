"""Videos shown by a few frames, turned and shaped as a player would, and refused with why when they are broken."""

from __future__ import annotations

import struct
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from indexer.media.decode_file import decode_file
from indexer.media.decoded import DecodedMedia
from search.errors import UnreadableFile
from search.meme import MediaType

CODECS = {"mp4": "libx264", "m4v": "libx264", "mov": "mpeg4", "webm": "libvpx-vp9"}


def film(
    file: Path,
    *,
    codec: str = "libx264",
    frames: int = 50,
    size: tuple[int, int] = (96, 64),
    rate: int = 10,
    every: int = 250,
    options: dict[str, str] | None = None,
    sound: bool = False,
    aspect: Fraction | None = None,
    split: bool = False,
    gray_of: int = 4,
) -> Path:
    """Write a video whose frame n is grey of `gray_of` n, or red left of blue, with a key frame `every` so many."""
    with av.open(str(file), "w", options=options or {}) as container:
        stream = container.add_stream(codec, rate=rate, options={"cpu-used": "8"} if "vp9" in codec else {})
        stream.width, stream.height = size
        stream.pix_fmt = "yuv420p"
        stream.gop_size = every
        if aspect:
            stream.codec_context.sample_aspect_ratio = aspect
        if sound:
            track = container.add_stream("aac" if file.suffix != ".webm" else "libopus", rate=48000)
        for number in range(frames):
            if split:
                picture = Image.new("RGB", size, (220, 30, 30))
                picture.paste((30, 60, 220), (size[0] // 2, 0, *size))
            else:
                picture = Image.new("RGB", size, (number * gray_of,) * 3)
            container.mux(stream.encode(av.VideoFrame.from_image(picture)))
        container.mux(stream.encode())
        if sound:
            silence = av.AudioFrame.from_ndarray(np.zeros((1, 960), np.float32), format="fltp", layout="mono")
            silence.sample_rate = 48000
            container.mux(track.encode(silence))
            container.mux(track.encode())
    return file


def decoded(file: Path, *, max_pixels: int = 100_000_000) -> DecodedMedia:
    return decode_file(file, max_pixels=max_pixels, max_bytes=10**9)


def grays(seen: DecodedMedia) -> list[int]:
    return [picture.getpixel((picture.width // 2, picture.height // 2))[0] for picture in seen.pictures]


def refusal(file: Path, *, max_pixels: int = 100_000_000) -> str:
    with pytest.raises(UnreadableFile) as caught:
        decoded(file, max_pixels=max_pixels)
    assert caught.value.hint
    return caught.value.message


@pytest.mark.parametrize("ending", CODECS)
def test_every_kind_of_video_shows_five_frames_spread_over_its_time(tmp_path: Path, ending: str) -> None:
    seen = decoded(film(tmp_path / f"x.{ending}", codec=CODECS[ending]))
    assert (seen.type, seen.width, seen.height) == (MediaType.VIDEO, 96, 64)
    assert seen.frames == 50
    assert seen.seconds == pytest.approx(5, abs=0.15)
    assert grays(seen) == pytest.approx([0, 40, 80, 120, 160], abs=14)


def test_sound_beside_the_pictures_does_not_matter(tmp_path: Path) -> None:
    assert len(decoded(film(tmp_path / "x.mp4", sound=True)).pictures) == 5


def test_a_video_without_change_shows_one_picture(tmp_path: Path) -> None:
    seen = decoded(film(tmp_path / "x.mp4", gray_of=0))
    assert len(seen.pictures) == 1
    assert seen.frames == 50


@pytest.mark.parametrize("ending", ["mp4", "webm"])
def test_of_a_long_video_little_more_than_key_frames_is_decoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ending: str
) -> None:
    film(tmp_path / f"x.{ending}", codec=CODECS[ending], frames=250, every=10, gray_of=1)
    monkeypatch.setattr("indexer.media.video.DECODED_PIXELS", 20 * 96 * 64)  # twenty frames of two hundred and fifty
    assert grays(decoded(tmp_path / f"x.{ending}")) == pytest.approx([0, 50, 100, 150, 200], abs=14)


def test_decoding_stops_where_it_becomes_dear_and_shows_what_it_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    film(tmp_path / "x.mp4", frames=100, every=1000, gray_of=2)
    monkeypatch.setattr("indexer.media.video.DECODED_PIXELS", 30 * 96 * 64)
    seen = grays(decoded(tmp_path / "x.mp4"))
    assert seen[0] == pytest.approx(0, abs=8)
    assert 2 <= len(seen) < 5


def test_a_stream_that_never_says_how_long_it_lasts_is_seen_whole(tmp_path: Path) -> None:
    film(tmp_path / "x.webm", codec="libvpx", options={"live": "1"})
    with av.open(str(tmp_path / "x.webm")) as container:
        assert container.duration is None
    seen = decoded(tmp_path / "x.webm")
    assert seen.seconds == pytest.approx(5, abs=0.15)
    assert grays(seen)[0] == pytest.approx(0, abs=8)
    assert len(seen.pictures) >= 2


@pytest.mark.parametrize(
    ("degrees", "matrix", "left"),
    [
        # ISO/IEC 14496-12, 8.3.2: a point (x, y) is shown at (ax + cy, bx + dy).
        (90, (0, 1, -1, 0), "top"),
        (180, (-1, 0, 0, -1), "right"),
        (270, (0, -1, 1, 0), "bottom"),
    ],
)
def test_a_film_from_a_turned_telephone_is_shown_upright(
    tmp_path: Path, degrees: int, matrix: tuple[int, int, int, int], left: str
) -> None:
    film(tmp_path / "flat.mp4", split=True)
    content = bytearray((tmp_path / "flat.mp4").read_bytes())
    at = content.index(b"tkhd") + 4 + 40  # the matrix of a track header of version 0
    assert content[at : at + 4] == struct.pack(">i", 1 << 16)
    a, b, c, d = (value << 16 for value in matrix)
    content[at : at + 36] = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
    (tmp_path / "x.mp4").write_bytes(content)
    seen = decoded(tmp_path / "x.mp4")
    picture = seen.pictures[0]
    assert (seen.width, seen.height) == picture.size == ((96, 64) if degrees == 180 else (64, 96))
    width, height = picture.size
    places = {"top": (width // 2, 8), "right": (width - 8, height // 2), "bottom": (width // 2, height - 8)}
    red, _, blue = picture.getpixel(places[left])
    assert red > 180 > 80 > blue


def test_pixels_that_are_not_square_are_shown_in_their_true_shape(tmp_path: Path) -> None:
    seen = decoded(film(tmp_path / "x.mp4", aspect=Fraction(2)))
    assert (seen.width, seen.height) == seen.pictures[0].size == (192, 64)


def test_a_film_larger_than_the_setting_allows_is_refused_by_its_header(tmp_path: Path) -> None:
    film(tmp_path / "x.mp4")
    assert refusal(tmp_path / "x.mp4", max_pixels=6000).startswith("It has 96 × 64 pixels; at most 6,000")


@pytest.mark.parametrize("share", [0.3, 0.7, 0.95])
def test_a_film_cut_short_is_shown_as_far_as_it_is_there(tmp_path: Path, share: float) -> None:
    late, early = film(tmp_path / "late.mp4"), film(tmp_path / "early.mp4", options={"movflags": "faststart"})
    for file in (late, early):
        whole = file.read_bytes()
        file.write_bytes(whole[: int(len(whole) * share)])
    assert "cut short" in refusal(late)  # what players need first comes last in it
    if share < 0.9:
        return  # hardly more than the head of so small a film
    seen = decoded(early)
    assert seen.pictures and 0 < seen.share_decoded < 1
    assert seen.damage == f"Its end is missing: {100 * seen.share_decoded:.0f} % is there."


def test_an_argument_that_pyav_has_dropped_is_no_fault_of_the_film(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    film(tmp_path / "x.mp4", frames=3)
    monkeypatch.setattr("indexer.media.video._TEXTS", {"dropped": "argument"})
    with pytest.raises(TypeError):
        decoded(tmp_path / "x.mp4")


def test_the_codec_of_a_film_is_known(tmp_path: Path) -> None:
    seen = decoded(film(tmp_path / "x.mov", codec="mpeg4", frames=3))
    assert (seen.codec, seen.content_type) == ("mpeg4", "video/mp4")
    assert decoded(film(tmp_path / "x.mp4", frames=3)).codec == "h264"


def test_sound_alone_is_no_meme(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "x.mp4"), "w") as container:
        track = container.add_stream("aac", rate=48000)
        silence = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        silence.sample_rate = 48000
        container.mux(track.encode(silence))
        container.mux(track.encode())
    assert refusal(tmp_path / "x.mp4") == "It holds no pictures, only sound."


@pytest.mark.parametrize("ending", ["mp4", "webm"])
def test_no_broken_byte_raises_anything_but_an_unreadable_file(tmp_path: Path, ending: str) -> None:
    codec = "libx264" if ending == "mp4" else "libvpx"
    whole = film(tmp_path / f"whole.{ending}", codec=codec, frames=6, size=(32, 32)).read_bytes()
    random = np.random.default_rng(6)
    broken = tmp_path / f"x.{ending}"
    for _ in range(60):
        content = bytearray(whole)
        for at in random.integers(0, len(content), 8):
            content[at] = random.integers(256)
        broken.write_bytes(content)
        try:
            seen = decoded(broken, max_pixels=10_000_000)
        except UnreadableFile as error:
            assert error.message.endswith(".")
        else:
            assert seen.pictures

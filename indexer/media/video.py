"""Decode a few frames of a video, evenly spaced in time, by FFmpeg's libraries."""

from __future__ import annotations

import io
import math
import struct
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from PIL import Image

from indexer.media.decoder_errors import DamagedFile
from indexer.media.formats.coded_colors import ColorCoding, as_plain_colors
from indexer.media.raster import FRAMES, WORKING_PIXELS, check_pixels, shrunk
from indexer.media.signatures import FileType
from search.errors import UnreadableFile
from search.evidence import percent

# Decoding stops after this many pixels: about 500 frames of full HD, some seconds of one core.
DECODED_PIXELS = 1_000_000_000
# Texts in a file need not be valid UTF-8. PyAV 19 replaces what is not, and has dropped the argument.
_TEXTS: dict[str, Any] = {"metadata_errors": "replace"} if int(av.__version__.split(".")[0]) < 19 else {}
_CODECS = {"libdav1d": "av1", "libaom-av1": "av1", "libvpx-vp9": "vp9", "libvpx": "vp8"}  # by the decoder's name
_LEAST_SHARE = 0.01
# By the signs of a display matrix: x is to the right of a·x + c·y, y below b·x + d·y (ISO/IEC 14496-12, 6.2.2).
_TURNS = {
    (-1, 0, 0, 1): Image.Transpose.FLIP_LEFT_RIGHT,
    (1, 0, 0, -1): Image.Transpose.FLIP_TOP_BOTTOM,
    (-1, 0, 0, -1): Image.Transpose.ROTATE_180,
    (0, 1, -1, 0): Image.Transpose.ROTATE_270,
    (0, -1, 1, 0): Image.Transpose.ROTATE_90,
    (0, 1, 1, 0): Image.Transpose.TRANSPOSE,
    (0, -1, -1, 0): Image.Transpose.TRANSVERSE,
}
_SIDEWAYS = tuple(_TURNS.values())[3:]
_UNTOLD, _UNTELLING, _ROWS_OF_BT709 = 2, ("vp8", "libvpx"), 720  # of a film's matrix of colors
_MOST_ASPECT = 16  # of a pixel's sides
_DEFAULT_RATE = Fraction(25)  # frames a second of a file that names no rate


@dataclass(frozen=True)
class DecodedVideo:
    """A decoded video: width and height in pixels as shown, and RGB pictures in the order of time."""

    width: int
    height: int
    frames: int
    seconds: float
    pictures: tuple[Image.Image, ...]
    codec: str  # FFmpeg's name: "h264", "hevc", "vp9"
    share: float  # of the video that is there
    damage: str = ""


# FFmpeg's names of the containers. Naming one keeps it from reading a file as a playlist of other files.
_CONTAINERS = {
    FileType.MP4: "mov",
    FileType.WEBM: "matroska",
    FileType.MATROSKA: "matroska",
    FileType.AVI: "avi",
    FileType.ASF: "asf",
    FileType.FLV: "flv",
    FileType.MPEG: "mpeg",
    FileType.MPEG_TS: "mpegts",
    FileType.OGG: "ogg",
}


def decode_video(file: Path, kind: FileType, *, max_pixels: int, effort: float = 1.0) -> DecodedVideo:
    """Return up to FRAMES different pictures of a video; raise UnreadableFile when it is damaged or too large.

    An `effort` below 1 decodes that share of the frames of a long video.
    """
    try:
        with file.open("rb") as opened, av.open(opened, "r", format=_CONTAINERS[kind], **_TEXTS) as film:
            return _film(film, size=file.stat().st_size, max_pixels=max_pixels, effort=effort)
    except av.error.EOFError as error:
        raise UnreadableFile("The video is cut short: it ends early.", hint="Copy or save it again.") from error
    except (av.error.FFmpegError, ArithmeticError, OSError, UnicodeError) as error:
        said = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise UnreadableFile(f"The video is broken or cut short: {said}.", hint="Save it again.") from error


def decode_damaged_webp(data: bytes, *, max_pixels: int) -> Image.Image:
    """Return a lossy WebP with wrong bits as FFmpeg's VP8 decoder shows it; raise DamagedFile where it cannot.

    Raises UnreadableFile when it is too large.
    """
    try:
        with av.open(io.BytesIO(data), "r", format="webp_pipe", **_TEXTS) as opened:
            stream = opened.streams.video[0]
            if not stream.width * stream.height:
                raise DamagedFile("It is damaged.", hint="Copy or save it again.")
            check_pixels(stream.width, stream.height, max_pixels=max_pixels)
            stream.codec_context.thread_count = 1
            stream.codec_context.options = {"max_pixels": str(max_pixels)}
            frame = next(opened.decode(stream), None)
    except (av.error.FFmpegError, ArithmeticError, OSError, UnicodeError) as error:
        raise DamagedFile("It is damaged.", hint="Copy or save it again.") from error
    if frame is None:
        raise DamagedFile("It is damaged.", hint="Copy or save it again.")
    has_alpha = frame.format.name.startswith("yuva")
    return Image.fromarray(frame.to_ndarray(format="rgba" if has_alpha else "rgb24"))


def _film(film: InputContainer, *, size: int, max_pixels: int, effort: float) -> DecodedVideo:
    if not film.streams.video:
        raise UnreadableFile("It holds no pictures, only sound.", hint="Move it out of the library.")
    stream = film.streams.video[0]
    if stream.codec_context is None:
        raise UnreadableFile("The video is broken, or written in a way that is not known.", hint="Save it as MP4.")
    check_pixels(stream.width, stream.height, max_pixels=max_pixels)
    stream.codec_context.thread_count = 1  # files are decoded side by side already
    stream.codec_context.options = {"max_pixels": str(max_pixels)}  # for pictures larger than the header says
    share = _share_there(stream, size)
    rate = stream.average_rate or stream.guessed_rate or _DEFAULT_RATE
    seconds = _seconds(film, stream, rate)
    frames: list[VideoFrame] = []
    corrupt = False
    damage = f"Its end is missing: {percent(share)} is there." if share < 1 else ""
    try:
        for frame, is_corrupt in _spread_frames(film, stream, share * seconds, pixels=effort * DECODED_PIXELS):
            frames.append(frame)  # those before an error are kept
            corrupt = corrupt or is_corrupt
    except av.error.FFmpegError:
        if not frames:
            raise
        corrupt = True
    if corrupt:
        damage = damage or "A part of the video is damaged."
    if not frames:
        if share < 1:
            raise UnreadableFile("The video is cut short: no picture of it is there.", hint="Copy or save it again.")
        raise UnreadableFile("The video holds no picture that can be decoded.", hint="Save it again.")
    turn = _turn(frames[0])
    width, height = _shape(frames[0], stream)
    pictures: list[Image.Image] = []
    coding = ColorCoding(int(stream.codec_context.color_primaries), int(stream.codec_context.color_trc))
    for frame in frames:
        picture = as_plain_colors(shrunk(_in_colors(frame, stream), WORKING_PIXELS), coding)
        if (width, height) != (frame.width, frame.height):
            scale = min(1.0, math.sqrt(WORKING_PIXELS / (width * height)))
            picture = picture.resize((max(1, round(scale * width)), max(1, round(scale * height))))
        if turn is not None:
            picture = picture.transpose(turn)
        picture.info = {}
        if not pictures or picture.tobytes() != pictures[-1].tobytes():
            pictures.append(picture)
    if turn in _SIDEWAYS:
        width, height = height, width
    count = stream.frames or max(len(pictures), round(seconds * rate))
    codec = _CODECS.get(stream.codec_context.name, stream.codec_context.name)
    return DecodedVideo(width, height, count, seconds, tuple(pictures), codec, share, damage)


def _share_there(stream: VideoStream, size: int) -> float:
    """Return the share of a video that is there: below 1 when its index refers to bytes beyond the file's end."""
    entries = stream.index_entries
    ends = entries[-1].pos + entries[-1].size if len(entries) else 0
    return max(_LEAST_SHARE, size / ends) if ends > size else 1.0


def _seconds(film: InputContainer, stream: VideoStream, rate: Fraction) -> float:
    """Return a video's duration in seconds, from its headers or else from its packets."""
    if stream.duration and stream.time_base:
        return float(stream.duration * stream.time_base)
    if film.duration:
        return film.duration / av.time_base
    last = Fraction(0)
    for packet in film.demux(stream):
        if packet.pts is not None and packet.time_base:
            last = max(last, packet.pts * packet.time_base)
    film.seek(0)
    return float(last + 1 / rate)


def _shape(frame: VideoFrame, stream: VideoStream) -> tuple[int, int]:
    """Return a frame's width and height in square pixels: browsers enlarge the shorter side of a pixel."""
    aspect = stream.sample_aspect_ratio
    if not aspect or not 1 / _MOST_ASPECT < aspect < _MOST_ASPECT:
        return frame.width, frame.height
    if aspect < 1:
        return frame.width, max(1, round(frame.height / aspect))
    return max(1, round(frame.width * aspect)), frame.height


def _in_colors(frame: VideoFrame, stream: VideoStream) -> Image.Image:
    """Return a frame as RGB; one whose matrix is not told has that of BT.709 from 720 rows on, as browsers guess."""
    untold = frame.colorspace == _UNTOLD or stream.codec_context.name in _UNTELLING
    if untold and frame.height >= _ROWS_OF_BT709:
        return frame.to_image(src_colorspace="ITU709", dst_colorspace="default")
    return frame.to_image()


def _turn(frame: VideoFrame) -> Image.Transpose | None:
    """Return how a frame is turned or mirrored to be upright; None where it is, or where it leans by another angle."""
    told = frame.side_data.get("DISPLAYMATRIX")
    if told is None:
        return None
    a, b, _, c, d = struct.unpack("=5i", memoryview(told)[:20])  # type: ignore[arg-type]
    return _TURNS.get(tuple((each > 0) - (each < 0) for each in (a, b, c, d)))


def _spread_frames(
    film: InputContainer, stream: VideoStream, seconds: float, *, pixels: float
) -> Iterator[tuple[VideoFrame, bool]]:
    """Yield the first frame and, where they can be decoded, the frames nearest to evenly spaced times.

    Each comes with whether it, or one decoded since the frame before it, shows errors.
    """
    base = stream.time_base or Fraction(1, 1)
    start = float((stream.start_time or 0) * base)
    step = seconds / FRAMES
    with suppress(av.error.FFmpegError):
        film.seek(int(start / base), stream=stream)  # WebM's index is read at the first seek only
    keys = [float(entry.timestamp * base) for entry in stream.index_entries if entry.is_keyframe]
    left = pixels
    shown = start
    frames = film.decode(stream)
    for number in range(FRAMES):
        target = start + number * step
        # Seeking to a key frame between the last frame and the target saves decoding the frames before it. If it is far
        # enough from the last frame, it is used itself: of a long video, mostly key frames are decoded.
        leap = next((key for key in reversed(keys) if shown < key <= target), None)
        if leap is not None:
            film.seek(int(leap / base), stream=stream)
            frames = film.decode(stream)
            if leap >= shown + step / 2:
                target = leap
        chosen, corrupt = None, False
        for frame in frames:
            corrupt = corrupt or frame.is_corrupt
            left -= frame.width * frame.height
            chosen = frame
            if frame.time is None or frame.time >= target or left < 0:
                break
        if chosen is None:
            return
        shown = target if chosen.time is None else chosen.time
        yield chosen, corrupt
        if left < 0 or not step:
            return

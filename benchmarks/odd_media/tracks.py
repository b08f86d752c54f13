"""Films whose tracks or boxes are odd: turned, without pictures, begun late or black, in fragments, of rare colors."""

from __future__ import annotations

import struct
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

import av
import numpy as np
from PIL import Image

from benchmarks.odd_media.scenes import OddFile, scene

_SPEEDS = {
    "libx264": {"preset": "veryfast"},
    "libvpx": {"cpu-used": "8"},
    "libvpx-vp9": {"cpu-used": "8"},
    "libsvtav1": {"preset": "10"},
}
# The matrices of a track that is turned to the right by so many degrees, or mirrored.
_ONE = 1 << 16
_TURNS = {
    "90°": (0, _ONE, -_ONE, 0),
    "180°": (-_ONE, 0, 0, -_ONE),
    "270°": (0, -_ONE, _ONE, 0),
    "a mirror": (-_ONE, 0, 0, _ONE),
    "a mirror below": (_ONE, 0, 0, -_ONE),
    "90° and a mirror": (0, _ONE, _ONE, 0),
    "270° and a mirror": (0, -_ONE, -_ONE, 0),
    "45°": (46341, 46341, -46341, 46341),
}


def film(
    random: Random,
    *,
    container: str = "mp4",
    codec: str = "libx264",
    size: tuple[int, int] = (160, 96),
    frames: int = 18,
    black: int = 0,
    start: int = 0,
    form: str = "yuv420p",
    aspect: Fraction | None = None,
    colors: dict[str, int] | None = None,
    options: dict[str, str] | None = None,
    tracks: int = 1,
    sound: bool = False,
    scale: float = 1.0,
    gray: int | None = None,
    levels: tuple[int, int, int] | None = None,
) -> bytes:
    """Return a film of 12 frames a second, the first of them black, beginning `start` frames late, dimmed by `scale`.

    With `gray`, it is nothing else; with `levels`, all of its luminance and chroma (8 bits, 4:2:0) are these.
    """
    with TemporaryDirectory() as folder:
        out = Path(folder) / "film"
        with av.open(str(out), "w", format=container, options=options or {}) as opened:
            streams: list[Any] = []
            for _ in range(tracks):
                stream: Any = opened.add_stream(codec, rate=12, options=_SPEEDS.get(codec, {}))
                stream.width, stream.height, stream.pix_fmt, stream.gop_size = *size, form, 9
                stream.codec_context.max_b_frames = 0
                if aspect is not None:
                    stream.codec_context.sample_aspect_ratio = aspect
                for name, value in (colors or {}).items():
                    setattr(stream.codec_context, name, value)
                streams.append(stream)
            heard: Any = opened.add_stream("aac" if container == "mp4" else "libopus", rate=48000) if sound else None
            for stream in streams:
                low, high = (
                    scene(random).resize(side).convert("RGB").point(lambda level: round(scale * level))
                    for side in (size, (40, 40))
                )
                for number in range(frames):
                    shown = Image.new("RGB", size) if number < black else low.copy()
                    if number >= black:
                        shown.paste(high, (3 * number, 10))
                    if gray is not None:
                        shown = Image.new("RGB", size, (gray,) * 3)
                    frame = av.VideoFrame.from_image(shown) if levels is None else _flat(size, levels)
                    frame.pts, frame.time_base = number + start, Fraction(1, 12)
                    opened.mux(stream.encode(frame))
                opened.mux(stream.encode())
            if heard is not None:
                _sound(opened, heard)
        return out.read_bytes()


def _flat(size: tuple[int, int], levels: tuple[int, int, int]) -> av.VideoFrame:
    frame = av.VideoFrame(*size, "yuv420p")
    for plane, level in zip(frame.planes, levels, strict=True):
        plane.update(bytes([level]) * plane.buffer_size)
    return frame


def _sound(opened: Any, stream: Any) -> None:
    for number in range(24):
        tone = (0.2 * np.sin(np.arange(960) / 20)).astype(np.float32)[None].repeat(2, 0)
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(tone), format="fltp", layout="stereo")
        frame.sample_rate, frame.pts, frame.time_base = 48000, 960 * number, Fraction(1, 48000)
        opened.mux(stream.encode(frame))
    opened.mux(stream.encode())


def _turned(random: Random, name: str) -> bytes:
    data = film(random)
    at = data.index(b"tkhd") + 44
    a, b, c, d = _TURNS[name]
    matrix = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
    return data[:at] + matrix + data[at + 36 :]


def _cut(random: Random, data: bytes) -> bytes:
    return data[: int(len(data) * random.uniform(0.3, 0.97))]


def _colors(primaries: int, transfer: int, matrix: int) -> dict[str, int]:
    return {"color_primaries": primaries, "color_trc": transfer, "colorspace": matrix}


_LIVE = {"live": "1"}  # without cues
_FRAGMENTS = {"movflags": "frag_keyframe+empty_moov+default_base_moof"}
_FRONT = {"movflags": "faststart"}
_WAYS: dict[str, tuple[str, Callable[[Random], bytes]]] = {
    **{f"turned by {name}": ("mp4", lambda r, name=name: _turned(r, name)) for name in _TURNS},  # type: ignore[misc]
    "black for a second": ("mp4", lambda r: film(r, black=12)),
    "WebM, black for a second": ("webm", lambda r: film(r, container="webm", codec="libvpx", black=12)),
    "begins late": ("mp4", lambda r: film(r, start=9)),
    "WebM that begins late": ("webm", lambda r: film(r, container="webm", codec="libvpx", start=9)),
    "sound alone": ("mp4", lambda r: film(r, tracks=0, sound=True)),
    "WebM of sound alone": ("webm", lambda r: film(r, container="webm", tracks=0, sound=True)),
    "with sound": ("mp4", lambda r: film(r, sound=True)),
    "two tracks of pictures": ("mp4", lambda r: film(r, tracks=2)),
    "one frame": ("mp4", lambda r: film(r, frames=1)),
    "WebM of one frame": ("webm", lambda r: film(r, container="webm", codec="libvpx-vp9", frames=1)),
    "odd sides": ("webm", lambda r: film(r, container="webm", codec="libvpx", size=(101, 67))),
    "wide pixels": ("mp4", lambda r: film(r, aspect=Fraction(4, 3))),
    "narrow pixels": ("mp4", lambda r: film(r, aspect=Fraction(8, 9))),
    "very wide pixels": ("mp4", lambda r: film(r, aspect=Fraction(9, 1))),
    "full range": ("mp4", lambda r: film(r, form="yuvj420p")),
    "BT.709": ("mp4", lambda r: film(r, colors=_colors(1, 1, 1))),
    "BT.601": ("mp4", lambda r: film(r, colors=_colors(6, 6, 6))),
    "large, without its colors told": ("mp4", lambda r: film(r, size=(1280, 720), frames=3)),
    "WebM, large": ("webm", lambda r: film(r, container="webm", codec="libvpx", size=(1280, 720), frames=2)),
    "4:4:4": ("mp4", lambda r: film(r, form="yuv444p")),
    "10 bits": ("mp4", lambda r: film(r, form="yuv420p10le")),
    "WebM, VP9 4:4:4": ("webm", lambda r: film(r, container="webm", codec="libvpx-vp9", form="yuv444p")),
    "AV1, 10 bits": ("mp4", lambda r: film(r, codec="libsvtav1", form="yuv420p10le")),
    "AV1, BT.2020": ("mp4", lambda r: film(r, codec="libsvtav1", form="yuv420p10le", colors=_colors(9, 14, 9))),
    "AV1, PQ": ("mp4", lambda r: film(r, codec="libsvtav1", form="yuv420p10le", colors=_colors(9, 16, 9), scale=0.7)),
    "AV1, HLG": ("mp4", lambda r: film(r, codec="libsvtav1", form="yuv420p10le", colors=_colors(9, 18, 9))),
    "WebM without cues": ("webm", lambda r: film(r, container="webm", codec="libvpx", options=_LIVE)),
    "WebM without cues, cut": ("webm", lambda r: _cut(r, film(r, container="webm", codec="libvpx", options=_LIVE))),
    "in fragments": ("mp4", lambda r: film(r, options=_FRAGMENTS)),
    "in fragments, cut": ("mp4", lambda r: _cut(r, film(r, options=_FRAGMENTS))),
    "index at the front, cut": ("mp4", lambda r: _cut(r, film(r, options=_FRONT))),
    "index at the end, cut": ("mp4", lambda r: _cut(r, film(r))),
    "QuickTime": ("mp4", lambda r: film(r, container="mov")),
    "without its first box": ("mp4", lambda r: (data := film(r, options=_FRONT))[int.from_bytes(data[:4], "big") :]),
    "bytes before the start": ("mp4", lambda r: b"\0\1" + film(r)),
    "bytes behind the end": ("mp4", lambda r: film(r) + b"appended" * 90),
    "a length of 0": ("mp4", lambda r: _with_length(film(r), 0)),
    "Matroska": ("webm", lambda r: film(r, container="matroska", codec="libvpx")),
    "Matroska of H.264": ("mp4", lambda r: film(r, container="matroska")),
}


def _with_length(data: bytes, length: int) -> bytes:
    """Return an MP4 whose header tells another duration."""
    at = data.index(b"mvhd") + 4 + 16
    return data[:at] + struct.pack(">I", length) + data[at + 4 :]


def odd_tracks(random: Random) -> OddFile:
    """Return a film with odd tracks."""
    what = random.choice(tuple(_WAYS))
    container, drawn = _WAYS[what]
    return OddFile(f"film, {what}", f"video/{container}", drawn(random))

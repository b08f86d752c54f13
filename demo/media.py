"""Files of the demo's memes: still pictures, animations, videos, copies with a change, and broken ones."""

from __future__ import annotations

import io
import os
from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from random import Random
from typing import cast

import av
from av.video.stream import VideoStream
from PIL import Image, ImageOps

from demo.drawing import rendered, scaled
from demo.forms import draw_joke
from demo.plan import Planned
from demo.svg_text import svg_file
from demo.truth import Change

_FRAME_MS = 90
# Containers, and encoders with a fixed quality: rate control calculates in floats, whose rounding depends on
# what else a process has loaded.
_VIDEOS: Mapping[str, tuple[str, Mapping[str, Mapping[str, str]]]] = {
    ".mp4": ("mp4", {"libx264": {"qp": "25"}, "mpeg4": {"qmin": "4", "qmax": "4"}}),
    ".webm": ("webm", {"libvpx-vp9": {"crf": "30", "b": "0"}, "libvpx": {"crf": "12", "b": "2M"}}),
}


def write_meme(planned: Planned, file: Path) -> None:
    """Draw a planned meme and write its file, in the format of its suffix."""
    ending = file.suffix
    if ending == ".svg":
        title = planned.meme.caption.replace("\n", " ")
        file.write_text(svg_file(draw_joke(planned.joke), title=title), "utf-8")
    elif planned.meme.frames == 1:
        file.write_bytes(_coded(rendered(draw_joke(planned.joke)), ending, planned.quality))
    else:
        count = planned.meme.frames
        frames = [rendered(scaled(draw_joke(planned.joke, phase=k / count), planned.share)) for k in range(count)]
        if ending in _VIDEOS:
            _write_video(frames, file)
        else:
            file.write_bytes(_animated(frames, ending))


def write_duplicate(original: Path, copy: Path, change: Change) -> None:
    """Write a copy of a meme with a change."""
    if change is Change.COPIED:
        copy.write_bytes(original.read_bytes())
        return
    with Image.open(original) as opened:
        picture = opened.convert("RGB")
    wide, tall = picture.size
    quality = 88
    if change is Change.REENCODED:
        quality = 22
    elif change is Change.RESIZED:
        picture = picture.resize((round(wide * 0.55), round(tall * 0.55)), Image.Resampling.LANCZOS)
    elif change is Change.CROPPED:
        picture = picture.crop((round(wide * 0.04), round(tall * 0.04), round(wide * 0.96), round(tall * 0.96)))
    elif change is Change.MIRRORED:
        picture = ImageOps.mirror(picture)
    elif change is Change.GRAYED:
        picture = ImageOps.grayscale(picture).convert("RGB")
    else:
        picture = ImageOps.expand(picture, border=round(wide * 0.06), fill="#101018")
    copy.write_bytes(_coded(picture, copy.suffix, quality))


def broken_bytes(name: str, whole: bytes) -> bytes:
    """Return the content of a broken file of this name; `whole` is a valid JPEG."""
    if name == "half of it.jpg":
        return whole[:300]  # more of it would be shown as far as it is there
    if name == "empty.png":
        return b""
    if name.endswith(".webp"):
        return (
            b"<!DOCTYPE html>\n<html><head><title>404</title></head><body><p>There is no such"
            b" picture.</p></body></html>\n"
        )
    return b"This was meant to be a picture. It is a text, and it is sorry.\n"


def sample_jpeg() -> bytes:
    """Return a JPEG so large that its first part alone cannot be decoded."""
    picture = Image.frombytes("RGB", (160, 120), Random(1).randbytes(160 * 120 * 3))
    return _coded(picture, ".jpg", 90)


def _coded(picture: Image.Image, ending: str, quality: int) -> bytes:
    out = io.BytesIO()
    if ending in (".jpg", ".jpeg", ".jfif"):
        picture.save(out, "JPEG", quality=quality, optimize=True)
    elif ending == ".webp":
        picture.save(out, "WEBP", quality=quality)
    elif ending == ".avif":
        picture.save(out, "AVIF", quality=min(80, quality), max_threads=1)
    elif ending == ".bmp":
        picture.save(out, "BMP")
    else:
        # In 256 colours flat drawings look the same and are half as large.
        picture.quantize(256, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE).save(out, "PNG", optimize=True)
    return out.getvalue()


def _animated(frames: Sequence[Image.Image], ending: str) -> bytes:
    out = io.BytesIO()
    if ending == ".webp":
        frames[0].save(
            out, "WEBP", save_all=True, append_images=list(frames[1:]), duration=_FRAME_MS, loop=0, quality=80
        )
        return out.getvalue()
    # One palette for all frames: colours that change from frame to frame would look like noise.
    together = Image.new("RGB", (frames[0].width, frames[0].height * 3))
    for k, one in enumerate((frames[0], frames[len(frames) // 3], frames[2 * len(frames) // 3])):
        together.paste(one, (0, k * one.height))
    palette = together.quantize(128, Image.Quantize.MEDIANCUT)
    flat = [frame.quantize(palette=palette, dither=Image.Dither.NONE) for frame in frames]
    flat[0].save(out, "GIF", save_all=True, append_images=flat[1:], duration=_FRAME_MS, loop=0, optimize=False)
    return out.getvalue()


def _write_video(frames: Sequence[Image.Image], file: Path) -> None:
    container, encoders = _VIDEOS[file.suffix]
    encoder = next(one for one in encoders if one in av.codecs_available)
    # Without "bitexact" FFmpeg writes the time and a random number into the file.
    with av.open(file, "w", format=container, options={"fflags": "+bitexact"}) as film:
        stream = cast(VideoStream, film.add_stream(encoder, rate=Fraction(1000, _FRAME_MS)))
        stream.width, stream.height, stream.pix_fmt = *frames[0].size, "yuv420p"
        stream.options = dict(encoders[encoder])
        stream.thread_count = 1
        stream.codec_context.flags |= av.codec.context.Flags.bitexact
        for picture in [*frames, *frames]:
            for packet in stream.encode(av.VideoFrame.from_image(picture)):
                film.mux(packet)
        for packet in stream.encode():
            film.mux(packet)


def touch(file: Path, seconds: float) -> None:
    """Set a file's time of access and modification, in seconds since 1970."""
    os.utime(file, (seconds, seconds))

"""Any picture, GIF, SVG or video, as frames that everything else can use. What a file is, its content says, not its name."""

from __future__ import annotations

import base64
import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import av
from PIL import Image, ImageFile, ImageOps, UnidentifiedImageError

from indexer.svg import is_svg, render_svg
from search.errors import UnreadableFile
from search.meme import MediaType

FRAMES = 5  # shown of what moves
WORKING_SIDE = 2048  # pixels: nothing that we do gains from more
MOVIE_SECONDS = 3600.0
_BACKGROUND = (255, 255, 255)  # shows through transparent pictures


@dataclass(frozen=True)
class Decoded:
    """A decoded file. Width and height in pixels as shown; `pictures` are RGB, one of a still, up to five of what moves."""

    type: MediaType
    width: int
    height: int
    frames: int
    seconds: float | None
    pictures: tuple[Image.Image, ...]


def decode(file: Path, *, max_pixels: int, max_bytes: int) -> Decoded:
    """Return a file's pictures; raise UnreadableFile when it is broken, too large, or no picture or video."""
    try:
        size = file.stat().st_size
        with file.open("rb") as opened:
            head = opened.read(4096)
    except OSError as error:
        raise UnreadableFile(f"It cannot be read: {error.strerror}.", hint="Check that it is there.") from error
    if size == 0:
        raise UnreadableFile("It is empty: no bytes at all.", hint="Save it again.")
    if size > max_bytes:
        raise UnreadableFile(
            f"It has {size:,} bytes; at most {max_bytes:,} are read.", hint="Raise the setting max_bytes."
        )
    if is_svg(head):
        return _decode_svg(file, max_pixels=max_pixels)
    if _is_video(head):
        return _decode_video(file, max_pixels=max_pixels)
    return _decode_picture(file, head, max_pixels=max_pixels)


def _is_video(head: bytes) -> bool:
    """Return whether a file begins as MP4, MOV or WebM do; AVIF begins like MP4 and is a picture."""
    if head[4:8] == b"ftyp":
        return head[8:12] not in (b"avif", b"avis", b"mif1", b"msf1", b"heic", b"heix")
    return head[4:8] in (b"moov", b"mdat", b"wide", b"free") or head.startswith(b"\x1a\x45\xdf\xa3")


def _decode_picture(file: Path, head: bytes, *, max_pixels: int) -> Decoded:
    with _no_pixel_limit_of_pillow():
        try:
            picture = Image.open(file)
        except UnidentifiedImageError as error:
            raise UnreadableFile(_what_it_is(head), hint="Remove it or save it again as a picture.") from error
        except Exception as error:  # decoders raise anything at all on hostile bytes
            raise UnreadableFile(f"It is broken: {error}.", hint="Save it again.") from error
    with picture:
        width, height = picture.size
        _check_pixels(width, height, max_pixels=max_pixels)
        try:
            return _frames_of(picture, width, height)
        except UnreadableFile:
            raise
        except Exception as error:  # as above: struct.error, SyntaxError, OSError, ValueError, …
            said = str(error).rstrip(".") or type(error).__name__
            broken = "It is truncated" if "truncated" in said or "not processed" in said else "It is broken"
            raise UnreadableFile(f"{broken}: {said}.", hint="Save it again.") from error


def _frames_of(picture: ImageFile.ImageFile | Image.Image, width: int, height: int) -> Decoded:
    frames = getattr(picture, "n_frames", 1)
    if frames > 1 and picture.format != "MPO":
        chosen = []
        milliseconds = 0.0
        wanted = set(_spread(frames))
        for at in range(frames):
            picture.seek(at)
            milliseconds += float(picture.info.get("duration") or 100)
            if at in wanted:
                chosen.append(_rgb(picture))
        return Decoded(MediaType.GIF, width, height, frames, milliseconds / 1000, tuple(chosen))
    if isinstance(picture, Image.Image) and picture.format == "JPEG":
        picture.draft("RGB", (WORKING_SIDE, WORKING_SIDE))  # lets libjpeg decode a large photograph small
    turned = picture.getexif().get(0x0112) in (5, 6, 7, 8)
    shown = ImageOps.exif_transpose(picture)
    return Decoded(
        MediaType.IMAGE, height if turned else width, width if turned else height, 1, None, (_rgb(shown or picture),)
    )


def _spread(frames: int) -> list[int]:
    """Return the numbers of up to FRAMES frames, first and last among them, evenly spread."""
    if frames <= FRAMES:
        return list(range(frames))
    return [round(step * (frames - 1) / (FRAMES - 1)) for step in range(FRAMES)]


def _rgb(picture: Image.Image) -> Image.Image:
    """Return a picture as RGB of at most WORKING_SIDE pixels a side, transparent parts over white, without metadata."""
    if picture.mode in ("I;16", "I;16B", "I;16L", "I"):
        picture = picture.point(lambda value: value / 257).convert("L")
    if "A" in picture.getbands() or "transparency" in picture.info:
        with_alpha = picture.convert("RGBA")
        shown = Image.new("RGB", picture.size, _BACKGROUND)
        shown.paste(with_alpha, mask=with_alpha.getchannel("A"))
    else:
        shown = picture.convert("RGB")
    if max(shown.size) > WORKING_SIDE:
        shown.thumbnail((WORKING_SIDE, WORKING_SIDE), Image.Resampling.BOX)
    clean = shown.copy()
    clean.info = {}
    return clean


def _decode_svg(file: Path, *, max_pixels: int) -> Decoded:
    picture, width, height = render_svg(file.read_bytes(), side=WORKING_SIDE // 2, max_pixels=max_pixels)
    return Decoded(MediaType.IMAGE, width, height, 1, None, (_rgb(picture),))


def _decode_video(file: Path, *, max_pixels: int) -> Decoded:
    try:
        with av.open(str(file), timeout=(10, 30)) as container:
            if not container.streams.video:
                raise UnreadableFile("It holds no pictures, only sound.", hint="Remove it.")
            stream = container.streams.video[0]
            stream.thread_count = 1
            _check_pixels(stream.width, stream.height, max_pixels=max_pixels)
            seconds = _seconds(container, stream)
            if seconds > MOVIE_SECONDS:
                raise UnreadableFile(f"It lasts {seconds / 60:.0f} minutes: too long for a meme.", hint="Shorten it.")
            pictures, turned = _video_frames(container, stream, seconds)
            rate = float(stream.average_rate or stream.guessed_rate or 25)
            frames = stream.frames or max(1, round(seconds * rate))
            width, height = (stream.height, stream.width) if turned else (stream.width, stream.height)
            return Decoded(MediaType.VIDEO, width, height, frames, seconds, tuple(pictures))
    except (av.error.FFmpegError, ValueError, OverflowError) as error:
        raise UnreadableFile(f"The video cannot be decoded: {error}.", hint="Save it again.") from error


def _seconds(container: av.container.InputContainer, stream: av.video.stream.VideoStream) -> float:
    if container.duration:
        return float(container.duration / av.time_base)
    return float(stream.duration * stream.time_base) if stream.duration and stream.time_base else 0.0


def _video_frames(
    container: av.container.InputContainer, stream: av.video.stream.VideoStream, seconds: float
) -> tuple[list[Image.Image], bool]:
    """Return up to FRAMES pictures spread over a video, turned as it is shown, and whether width and height swap."""
    pictures: list[Image.Image] = []
    turned = False
    for share in (step / FRAMES for step in range(FRAMES)):
        if share and seconds:
            container.seek(int(share * seconds * av.time_base))
        frame = next(iter(container.decode(stream)), None)
        if frame is None:
            break
        rotation = round(getattr(frame, "rotation", 0) or 0) % 360
        turned = rotation in (90, 270)
        shown = frame.to_image().rotate(rotation, expand=True)
        if not pictures or shown.tobytes() != pictures[-1].tobytes():
            pictures.append(_rgb(shown))
    if not pictures:
        raise UnreadableFile("The video holds no frame that can be decoded.", hint="Save it again.")
    return pictures, turned


def _check_pixels(width: int, height: int, *, max_pixels: int) -> None:
    if width * height > max_pixels:
        raise UnreadableFile(
            f"It has {width:,} × {height:,} pixels; at most {max_pixels:,} are decoded.",
            hint="Make it smaller or raise the setting max_pixels.",
        )


def _what_it_is(head: bytes) -> str:
    text = head[:200]
    if text.lstrip()[:1] == b"<":
        return "It is no picture: it begins like a web page."
    if all(byte >= 32 or byte in b"\t\n\r\f" for byte in text):
        return "It is no picture: it begins like a text."
    return "It is no picture of a kind that is known."


@contextmanager
def _no_pixel_limit_of_pillow() -> Iterator[None]:
    """Keep Pillow's own guess at a bomb quiet: the size is checked right after, against the setting."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        yield


def thumbnail(picture: Image.Image, side: int) -> bytes:
    """Return a WebP of at most `side` pixels a side."""
    small = picture.copy()
    small.thumbnail((side, side), Image.Resampling.LANCZOS)
    out = io.BytesIO()
    small.save(out, "WEBP", quality=78, method=3)
    return out.getvalue()


def placeholder(picture: Image.Image) -> str:
    """Return a data: URI of a very small WebP, to be shown enlarged and blurred until the thumbnail is there."""
    tiny = picture.copy()
    tiny.thumbnail((10, 10), Image.Resampling.BOX)
    out = io.BytesIO()
    tiny.save(out, "WEBP", quality=25, method=4)
    return "data:image/webp;base64," + base64.b64encode(out.getvalue()).decode("ascii")

"""Decode a file in this process. What hostile files cost is limited by `indexer.media.decode`, which calls this."""

from __future__ import annotations

import math
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageFile

from indexer.media.raster import (
    DECODER_ERRORS,
    WORKING_PIXELS,
    brands,
    decode_small,
    open_picture,
    orientation,
    picture_opener,
    spread,
    working_picture,
)
from indexer.media.svg import MAX_SVG_BYTES, is_svg, render_svg, svg_size
from indexer.media.video import decode_video, video_container
from search.errors import UnreadableFile
from search.meme import MediaType

ANIMATED_PIXELS = 500_000_000  # the most that is decoded of an animation: of 500 × 500 pixels, up to 2,000 frames
ANIMATED_FRAMES = 2_000
SVG_SIDE = 1024  # pixels of the longest side of a drawing

MEMORY_MESSAGE = "Decoding it takes more memory than is allowed."
MEMORY_HINT = "Save it again with fewer pixels or frames."

_HEAD = 4096  # bytes that identify a file's type
_KINDS = (
    (b"%PDF", "a PDF document"),
    (b"PK\x03\x04", "a ZIP archive or a document"),
    (b"\x1f\x8b", "compressed by gzip"),
    (b"II*\0", "a TIFF picture, which is not supported"),
    (b"MM\0*", "a TIFF picture, which is not supported"),
    (b"8BPS", "a Photoshop document"),
    (b"\0\0\0\x0cJXL ", "a JPEG XL picture, which is not supported"),
    (b"\xff\x0a", "a JPEG XL picture, which is not supported"),
    (b"\0\0\1\0", "an icon"),
    (b"ID3", "sound"),
    (b"OggS", "an Ogg file, which is not supported"),
    (b"version https://git-lfs", "a pointer of Git LFS, not the file that it stands for"),
)


@dataclass(frozen=True)
class DecodedMedia:
    """A decoded file: width and height in pixels as shown, and RGB pictures without metadata.

    A still has one picture, an animation or video up to five in the order of time, each of at most WORKING_PIXELS.
    """

    type: MediaType
    width: int
    height: int
    frames: int
    seconds: float | None
    pictures: tuple[Image.Image, ...]


def decode_file(file: Path, *, max_pixels: int, max_bytes: int, effort: float = 1.0) -> DecodedMedia:
    """Return a decoded file; raise UnreadableFile when it is damaged, incomplete, too large or of an unknown type.

    An `effort` below 1 decodes that share of the frames of long animations and videos.

    >>> Image.new("RGB", (30, 20), "red").save("red.png")
    >>> decoded = decode_file(Path("red.png"), max_pixels=1000, max_bytes=1000)
    >>> decoded.type.value, decoded.width, decoded.height, len(decoded.pictures)
    ('image', 30, 20, 1)
    """
    head = _head(file, max_bytes=max_bytes)
    if picture_opener(head) is not None:
        return _decode_picture(file, head, max_pixels=max_pixels, effort=effort)
    if is_svg(head):
        return _decode_svg(file)
    container = video_container(head)
    if container is None or b"heic" in brands(head) or b"mif1" in brands(head):
        raise UnreadableFile(
            f"It is not a supported picture or video: it {_describe_head(head)}.", hint="Save it again as PNG or MP4."
        )
    film = decode_video(file, container=container, max_pixels=max_pixels, effort=effort)
    return DecodedMedia(MediaType.VIDEO, film.width, film.height, film.frames, film.seconds, film.pictures)


def _head(file: Path, *, max_bytes: int) -> bytes:
    """Return a file's first bytes; raise UnreadableFile when it is missing, empty, too large or not a regular file."""
    try:
        status = file.stat()
        if not stat.S_ISREG(status.st_mode):
            raise UnreadableFile("It is not a regular file.", hint="Remove it.")
        with file.open("rb") as opened:
            head = opened.read(_HEAD)
    except OSError as error:
        raise UnreadableFile(
            f"It cannot be read: {error.strerror}.", hint="Check that it exists, and its permissions."
        ) from error
    if not head:
        raise UnreadableFile("It is empty (0 bytes).", hint="Copy or save it again.")
    if status.st_size > max_bytes:
        raise UnreadableFile(
            f"It has {status.st_size:,} bytes; the setting max_bytes allows {max_bytes:,}.",
            hint="Make it smaller, or raise max_bytes.",
        )
    return head


def _describe_head(head: bytes) -> str:
    """Return a description of a file that is neither picture nor video, to end a sentence."""
    if {b"heic", b"heix", b"mif1"} & brands(head):
        return "is a HEIC picture, which is not supported"
    for magic, words in _KINDS:
        if head.startswith(magic):
            return f"is {words}"
    if not head.strip(b"\0"):
        return "contains only zero bytes"
    start = head[:512].decode("utf-8", "replace")
    if start.lstrip("\ufeff \t\r\n").lower().startswith(("<!doctype html", "<html", "<head", "<body")):
        return "is a web page"
    if (
        all(character.isprintable() or character in "\t\r\n\f" for character in start[:-4])
        and "\ufffd" not in start[:-4]
    ):
        return "is text"
    return "has an unknown format"


@contextmanager
def _decoder_errors_as_unreadable() -> Iterator[None]:
    """Raise the errors of decoders as UnreadableFile."""
    try:
        yield
    except MemoryError as error:
        raise UnreadableFile(MEMORY_MESSAGE, hint=MEMORY_HINT) from error
    except DECODER_ERRORS as error:
        reason = str(error).strip().rstrip(".") or type(error).__name__
        cut = any(word in reason.lower() for word in ("truncated", "not processed", "unexpected end", "eof"))
        how = "It is incomplete or damaged at its end" if cut else "It is damaged"
        raise UnreadableFile(f"{how}: {reason}.", hint="Copy or save it again.") from error


def _decode_picture(file: Path, head: bytes, *, max_pixels: int, effort: float) -> DecodedMedia:
    with _decoder_errors_as_unreadable(), file.open("rb") as opened:
        picture = open_picture(opened, head, max_pixels=max_pixels)
        if getattr(picture, "is_animated", False) and picture.format != "MPO":
            return _animation(picture, max_pixels=max_pixels, effort=effort)
        width, height = picture.size
        decode_small(picture)
        picture.load()
        turn = orientation(picture)
        if turn in (5, 6, 7, 8):
            width, height = height, width
        return DecodedMedia(MediaType.IMAGE, width, height, 1, None, (working_picture(picture, turn=turn),))


def _animation(picture: ImageFile.ImageFile, *, max_pixels: int, effort: float) -> DecodedMedia:
    width, height = picture.size
    count = int(getattr(picture, "n_frames", 1))
    affordable = max(1, min(ANIMATED_FRAMES, int(effort * ANIMATED_PIXELS) // (width * height)))
    wanted = set(spread(min(count, affordable)))
    pictures = []
    milliseconds = 0.0
    for number in range(min(count, affordable)):
        picture.seek(number)
        picture.load()
        if picture.width * picture.height > max_pixels:
            raise UnreadableFile(f"Its frames grow beyond {max_pixels:,} pixels.", hint="Save it again.")
        # Browsers show a frame with a duration of 10 ms or less for 100 ms.
        lasts = float(picture.info.get("duration") or 0)
        milliseconds += lasts if lasts > 10 else 100
        if number in wanted:
            pictures.append(working_picture(picture))
    seconds = milliseconds / 1000 * count / min(count, affordable)
    return DecodedMedia(MediaType.GIF, width, height, count, round(seconds, 3), tuple(pictures))


def _decode_svg(file: Path) -> DecodedMedia:
    with file.open("rb") as opened:
        data = opened.read(MAX_SVG_BYTES + 1)
    width, height = svg_size(data)
    side = min(SVG_SIDE, math.isqrt(WORKING_PIXELS))
    return DecodedMedia(MediaType.IMAGE, width, height, 1, None, (working_picture(render_svg(data, side=side)),))

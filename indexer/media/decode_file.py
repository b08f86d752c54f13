"""Decode a file in this process. What hostile files cost is limited by `indexer.media.decode`, which calls this."""

from __future__ import annotations

import io
import math
import stat
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import IO

import numpy as np
from PIL import Image, ImageFile

from indexer.media.damage.damaged_webp import show_damaged_webp
from indexer.media.damage.missing import LESS_DETAIL, show_what_is_there
from indexer.media.damage.repair import Repaired, repaired
from indexer.media.decoded import DecodedMedia
from indexer.media.decoder_errors import DamagedFile, decoder_errors_as_unreadable
from indexer.media.formats.orientation import orientation
from indexer.media.jpeg_coding import jpeg_grid, jpeg_tables
from indexer.media.raster import (
    WORKING_PIXELS,
    decode_small,
    is_raster,
    is_transparent,
    open_picture,
    spread,
    transparency,
    working_picture,
)
from indexer.media.signatures import NO_PICTURES, FileType, describe_head, file_type
from indexer.media.svg import HEAD_BYTES, MAX_SVG_BYTES, is_svg, render_svg, svg_size
from indexer.media.video import decode_video
from search.errors import UnreadableFile
from search.evidence import percent
from search.images.webp_quantizers import webp_quantizers
from search.meme import MediaType

ANIMATED_PIXELS = 500_000_000  # the most that is decoded of an animation: of 500 × 500 pixels, up to 2,000 frames
ANIMATED_FRAMES = 2_000
SVG_SIDE = 1024  # pixels of the longest side of a drawing

# Several pictures in these are previews, pages or bursts and no animation: the first or main one is shown.
_STILLS = {FileType.JPEG, FileType.HEIF, FileType.TIFF, FileType.JXL}
_LEAST_SHARE = 0.01  # of a picture's pixels, without which nothing of it can be made out
# Decoders make something up where they understood nothing, all of one color.
_MADE_UP = {FileType.JPEG, FileType.GIF}


def decode_file(
    file: Path, *, max_pixels: int, max_bytes: int, effort: float = 1.0, least_side: int | None = None
) -> DecodedMedia:
    """Return a decoded file; raise UnreadableFile when it is damaged, incomplete, too large or of an unknown type.

    An `effort` below 1 decodes that share of the frames of long animations and videos. With `least_side`, pictures
    come at a whole fraction of their size, their shorter side not below that.

    >>> Image.new("RGB", (30, 20), "red").save("red.png")
    >>> decoded = decode_file(Path("red.png"), max_pixels=1000, max_bytes=1000)
    >>> decoded.type.value, decoded.width, decoded.height, len(decoded.pictures)
    ('image', 30, 20, 1)
    """
    head = _head(file, max_bytes=max_bytes)
    kind = file_type(head)
    if kind is None:
        if is_svg(head):
            return _decode_svg(file)
        what = describe_head(head)
        hint = "Save the picture itself." if what in NO_PICTURES else "Save it again as PNG or MP4."
        raise UnreadableFile(f"It is not a supported picture or video: it {what}.", hint=hint)
    if is_raster(kind):
        found = _decode_picture(file, kind, max_pixels=max_pixels, effort=effort, least_side=least_side)
    else:
        found = _decode_film(file, kind, max_pixels=max_pixels, effort=effort)
    return found if least_side is None else _scaled_down(found, least_side)


def _decode_film(file: Path, kind: FileType, *, max_pixels: int, effort: float) -> DecodedMedia:
    film = decode_video(file, kind, max_pixels=max_pixels, effort=effort)
    return DecodedMedia(
        MediaType.VIDEO,
        film.width,
        film.height,
        film.frames,
        film.seconds,
        film.pictures,
        content_type=kind.value,
        codec=film.codec,
        share_decoded=film.share,
        damage=film.damage,
    )


def _scaled_down(found: DecodedMedia, least_side: int) -> DecodedMedia:
    """Return a decoded file with its pictures at a whole fraction of their size, none's shorter side below that."""
    pictures = []
    for picture in found.pictures:
        times = min(picture.size) // least_side
        pictures.append(picture.reduce(times) if times > 1 else picture)
    alpha = None if found.alpha is None else found.alpha.resize(pictures[0].size, Image.Resampling.BOX)
    return replace(found, pictures=tuple(pictures), alpha=alpha)


def _head(file: Path, *, max_bytes: int) -> bytes:
    """Return a file's first bytes; raise UnreadableFile when it is missing, empty, too large or not a regular file."""
    try:
        status = file.stat()
        if not stat.S_ISREG(status.st_mode):
            raise UnreadableFile("It is not a regular file.", hint="Remove it.")
        with file.open("rb") as opened:
            head = opened.read(HEAD_BYTES)
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


def _decode_picture(
    file: Path, kind: FileType, *, max_pixels: int, effort: float, least_side: int | None
) -> DecodedMedia:
    """Decode a raster picture; one that is damaged as far as it is there, as browsers do."""
    try:
        with file.open("rb") as opened:
            return _decode_stream(opened, kind, max_pixels=max_pixels, effort=effort, least_side=least_side)
    except DamagedFile as error:
        damaged = error
    data = file.read_bytes()
    for still in (False, True):
        mended = repaired(data, still=still)
        try:
            with _LENIENT, _truncation_allowed():
                found = _decode_stream(
                    io.BytesIO(mended.data), kind, max_pixels=max_pixels, effort=effort, least_side=None, mended=mended
                )
        except DamagedFile:
            continue
        share = found.share_decoded
        if mended.share is not None and share != LESS_DETAIL:
            share = min(share, mended.share)
        if share < _LEAST_SHARE or (kind in _MADE_UP and not mended.is_cut and _is_flat(found)):
            break
        return found if found.damage else _with_damage(found, kind, share, mended)
    if kind is FileType.WEBP:
        return _damaged_webp(data, damaged, max_pixels=max_pixels)
    raise damaged


def _damaged_webp(data: bytes, error: DamagedFile, *, max_pixels: int) -> DecodedMedia:
    """Decode a WebP with wrong bits as `show_damaged_webp` does; raise the error of libwebp where nothing is shown."""
    try:
        shown = show_damaged_webp(data, max_pixels=max_pixels)
    except DamagedFile:
        raise error from None
    picture = working_picture(shown)
    return DecodedMedia(
        MediaType.IMAGE,
        shown.width,
        shown.height,
        1,
        None,
        (picture,),
        content_type=FileType.WEBP.value,
        codec="webp",
        transparent=is_transparent(shown),
        damage="A part of it is damaged: it is shown with errors.",
        alpha=transparency(shown, like=picture),
    )


_LENIENT = threading.Lock()  # Pillow's switch is one for the whole process


@contextmanager
def _truncation_allowed() -> Iterator[None]:
    """Let Pillow decode pictures whose end is missing."""
    ImageFile.LOAD_TRUNCATED_IMAGES = True
    try:
        yield
    finally:
        ImageFile.LOAD_TRUNCATED_IMAGES = False


def _is_flat(found: DecodedMedia) -> bool:
    """Return whether a still shows nothing but one colour: what a decoder makes up where it understood nothing."""
    return all(low == high for low, high in np.reshape(found.pictures[0].getextrema(), (-1, 2)))


def _with_missing_rows(found: DecodedMedia, share: float) -> DecodedMedia:
    """Return a still WebP whose missing rows are white, as transparent areas are, in place of what libwebp fills in."""
    if found.alpha or len(found.pictures) > 1:
        return found
    picture = found.pictures[0].copy()
    picture.paste((255, 255, 255), (0, round(share * picture.height), *picture.size))
    return replace(found, pictures=(picture,))


def _with_damage(found: DecodedMedia, kind: FileType, share: float, mended: Repaired) -> DecodedMedia:
    """Return a decoded file with a sentence about what is damaged, and the share of it that is there."""
    if kind is FileType.WEBP and mended.is_cut:
        found = _with_missing_rows(found, share)
    if share == LESS_DETAIL:
        return replace(found, damage="Its end is missing: it is shown with less detail.")
    if mended.is_whole or not mended.is_cut:
        if share < 1:
            share = min(0.99, max(0.01, share))
            return replace(found, share_decoded=share, damage=f"A part of it is damaged: {percent(share)} is shown.")
        if mended.has_errors:
            return replace(found, damage="A part of it is damaged: it is shown with errors.")
        return replace(found, damage="A note or a checksum in it is damaged; the picture is there.")
    if share >= 0.995:
        return replace(found, share_decoded=1.0, damage="Its last bytes are missing; all of the picture is there.")
    share = max(0.01, share)
    return replace(found, share_decoded=share, damage=f"Its end is missing: {percent(share)} is there.")


def _decode_stream(
    stream: IO[bytes],
    kind: FileType,
    *,
    max_pixels: int,
    effort: float,
    least_side: int | None,
    mended: Repaired | None = None,
) -> DecodedMedia:
    """Decode a raster picture, one that was mended without the pixels that are missing."""
    with decoder_errors_as_unreadable():
        picture = open_picture(stream, kind, max_pixels=max_pixels)
        codec = _codec(stream, kind)
        if getattr(picture, "is_animated", False) and kind not in _STILLS:
            return _animation(picture, kind, codec, max_pixels=max_pixels, effort=effort, is_mended=mended is not None)
        width, height = picture.size
        decode_small(picture, least_side=least_side)
        picture.load()
        whole: Image.Image = picture
        share = 1.0
        if mended is not None:
            whole, share = show_what_is_there(picture, mended.data, kind, reopen=partial(_reopened, kind))
        turn = orientation(picture)
        if turn in (5, 6, 7, 8):
            width, height = height, width
        shown = working_picture(whole, turn=turn)
        at_full_size = shown.size == (width, height)
        steps, corner = jpeg_grid(picture, turn=turn) if at_full_size else ((), (0, 0))
        tables, subsampling = jpeg_tables(picture) if at_full_size and turn == 1 else ((), -1)
        quantizers = _webp_quantizers(stream) if codec == "webp" and at_full_size else ()
        return DecodedMedia(
            MediaType.IMAGE,
            width,
            height,
            1,
            None,
            (shown,),
            content_type=kind.value,
            codec=codec,
            transparent=is_transparent(whole),
            share_decoded=share,
            steps=steps,
            corner=corner,
            tables=tables,
            subsampling=subsampling,
            quantizers=quantizers,
            alpha=transparency(whole, like=shown, turn=turn),
        )


def _reopened(kind: FileType, data: bytes) -> ImageFile.ImageFile:
    """Return a picture whose size was checked, opened again."""
    picture = open_picture(io.BytesIO(data), kind, max_pixels=sys.maxsize)
    decode_small(picture)
    return picture


def _codec(stream: IO[bytes], kind: FileType) -> str:
    """Return the codec of a raster picture; the stream's position is kept."""
    name = kind.value.partition("/")[2]
    if kind is not FileType.WEBP:
        return name
    at = stream.tell()
    stream.seek(0)
    lossless = b"VP8L" in stream.read(256)
    stream.seek(at)
    return "webp-lossless" if lossless else name


def _webp_quantizers(stream: IO[bytes]) -> tuple[int, ...]:
    stream.seek(0)
    return webp_quantizers(stream.read())


def _animation(
    picture: ImageFile.ImageFile, kind: FileType, codec: str, *, max_pixels: int, effort: float, is_mended: bool
) -> DecodedMedia:
    width, height = picture.size
    # A default picture of an animated PNG that is no frame of it: browsers show the animation.
    first = int(bool(kind is FileType.PNG and picture.info.get("default_image")))
    count = int(getattr(picture, "n_frames", 1)) - first
    affordable = max(1, min(ANIMATED_FRAMES, int(effort * ANIMATED_PIXELS) // (width * height)))
    wanted = set(spread(min(count, affordable)))
    pictures: list[Image.Image] = []
    milliseconds = 0.0
    transparent = False
    shown = 0
    damage = ""
    for number in range(min(count, affordable)):
        try:
            with decoder_errors_as_unreadable():
                picture.seek(first + number)
                picture.load()
        except DamagedFile:
            # A PNG is mended first: a frame without pixels is left out.
            if not number or (kind is FileType.PNG and not is_mended):
                raise
            damage = f"Its later frames are damaged: {number} of {count} are there."
            break
        if picture.width * picture.height > max_pixels:
            raise UnreadableFile(f"Its frames grow beyond {max_pixels:,} pixels.", hint="Save it again.")
        # Browsers show a frame with a duration of 10 ms or less for 100 ms.
        lasts = float(picture.info.get("duration") or 0)
        milliseconds += lasts if lasts > 10 else 100
        shown += 1
        if number in wanted:
            transparent = transparent or is_transparent(picture)
            pictures.append(working_picture(picture))
    seconds = milliseconds / 1000 * (1 if damage else count / shown)
    return DecodedMedia(
        MediaType.GIF,
        width,
        height,
        shown if damage else count,
        round(seconds, 3),
        tuple(pictures),
        content_type=kind.value,
        codec=codec,
        transparent=transparent,
        share_decoded=shown / count if damage else 1.0,
        damage=damage,
    )


def _decode_svg(file: Path) -> DecodedMedia:
    with file.open("rb") as opened:
        data = opened.read(MAX_SVG_BYTES + 1)
    width, height = svg_size(data)
    side = min(SVG_SIDE, math.isqrt(WORKING_PIXELS))
    return DecodedMedia(
        MediaType.IMAGE, width, height, 1, None, (working_picture(render_svg(data, side=side)),), "image/svg+xml", "svg"
    )

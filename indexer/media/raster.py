"""Open raster pictures by their content, check them before decoding, and normalize them to RGB."""

from __future__ import annotations

import io
import math
import re
from collections.abc import Sequence
from typing import IO

import numpy as np
from PIL import (
    AvifImagePlugin,
    Image,
    ImageCms,
    ImageFile,
    JpegImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)

from indexer.media.backgrounds import background as _ground
from indexer.media.decoder_errors import is_about_the_file
from indexer.media.formats.coded_colors import as_plain_colors, color_coding
from indexer.media.formats.frames import GifFile, PngFile
from indexer.media.formats.old_windows import BmpFile, IconFile
from indexer.media.signatures import FileType
from search.errors import UnreadableFile

WORKING_PIXELS = 2048 * 2048  # more does not help any stage, and text in long strips stays readable
MAX_SCANS = 100  # of a progressive JPEG
FRAMES = 5  # pictures of an animation or video

_SCAN = b"\xff\xda"
# A marker between or behind a JPEG's scans: neither a stuffed byte nor a restart. Fill bytes may come before it.
_MARKER = re.compile(rb"\xff([^\x00\xd0-\xd7\xff])", re.DOTALL)
_STRIP_PIXELS = 4_000_000  # of a large picture that is converted, at a time

_CODING = "color_coding"  # in a picture's info
_CODING_BYTES = 1 << 16  # of a file's begin, in which its colors are told
_SRGB_GAMMA, _SAME_GAMMA = 0.45455, 0.01  # of sRGB in a PNG's gAMA, and the share of it that makes no other
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


_OPENERS: dict[FileType, type[ImageFile.ImageFile]] = {
    FileType.JPEG: JpegImagePlugin.JpegImageFile,
    FileType.PNG: PngFile,
    FileType.GIF: GifFile,
    FileType.WEBP: WebPImagePlugin.WebPImageFile,
    FileType.AVIF: AvifImagePlugin.AvifImageFile,
    FileType.BMP: BmpFile,
    FileType.ICON: IconFile,
    FileType.TIFF: TiffImagePlugin.TiffImageFile,
}
_PACKAGES = {FileType.HEIF: "pillow-heif", FileType.JXL: "pillow-jxl-plugin"}
# TIFF's tags of a raw photograph: its first picture is a small preview, or it is an Adobe DNG.
_SUBFILE_TYPE, _REDUCED, _DNG_VERSION = 254, 1, 50706


def is_raster(kind: FileType | None) -> bool:
    """Return whether a file of this type is a raster picture, or an animation of such."""
    return kind in _OPENERS or kind in _PACKAGES


def _opener(kind: FileType) -> type[ImageFile.ImageFile]:
    """Return the class that opens a type; raise UnreadableFile where its package is not installed.

    HEIF and JPEG XL have packages of their own, imported for the first such file: only few libraries have one, and each
    process that decodes would be 20 MB larger.
    """
    if kind in _OPENERS:
        return _OPENERS[kind]
    try:
        if kind is FileType.HEIF:
            import pillow_heif

            pillow_heif.options.DECODE_THREADS = 1  # files are decoded side by side already
            return pillow_heif.HeifImageFile
        from pillow_jxl import JpegXLImagePlugin
    except ImportError as error:
        raise UnreadableFile(
            f"It is a {kind.name} picture, and the package {_PACKAGES[kind]} is not installed.",
            hint=f"Run `pip install {_PACKAGES[kind]}`, then `memetica retry media`.",
        ) from error
    JpegXLImagePlugin.DECODE_THREADS = 0
    return JpegXLImagePlugin.JXLImageFile


def open_picture(stream: IO[bytes], kind: FileType | None, *, max_pixels: int) -> ImageFile.ImageFile:
    """Return a raster picture whose pixels are not decoded yet; raises UnreadableFile and what Pillow raises.

    Its class is called directly, because `Image.open` has a pixel limit that is global to the process; the size is
    checked against the setting instead.
    """
    if kind is None or not is_raster(kind):
        raise UnreadableFile("It is not a picture of a known type.", hint="Save it again as PNG or JPEG.")
    picture = _opener(kind)(stream)
    check_pixels(*picture.size, max_pixels=max_pixels)
    if isinstance(picture, TiffImagePlugin.TiffImageFile) and _is_raw(picture):
        raise UnreadableFile("It is a raw photograph of a camera, which is not developed.", hint="Save it as JPEG.")
    if kind is FileType.JPEG:
        _check_scans(stream)
    if kind is FileType.PNG:
        _scale_transparency(picture)
    if kind in (FileType.PNG, FileType.AVIF) and "icc_profile" not in picture.info:
        at = stream.tell()
        stream.seek(0)
        picture.info[_CODING] = color_coding(stream.read(_CODING_BYTES))
        stream.seek(at)
    return picture


def _is_raw(picture: TiffImagePlugin.TiffImageFile) -> bool:
    tags = picture.tag_v2
    return _DNG_VERSION in tags or tags.get(_SUBFILE_TYPE) == _REDUCED


def _check_scans(stream: IO[bytes]) -> None:
    """Raise UnreadableFile when a JPEG has more than MAX_SCANS scans; the stream's position is kept.

    A scan of a hundred bytes walks over the whole picture. Encoders write about ten.
    """
    at = stream.tell()
    stream.seek(0)
    data = stream.read()
    stream.seek(at)
    if data.count(_SCAN) <= MAX_SCANS:
        return
    # Markers in metadata, or behind the end where phones append a video, are no scans of this picture.
    scans, place = 0, 2
    while scans <= MAX_SCANS and (found := _MARKER.search(data, place)) and found[1] != b"\xd9":
        place = found.end()
        if found[1] == b"\xda":
            scans += 1
        if found[1] != b"\x01":
            place += int.from_bytes(data[place : place + 2], "big")
    if scans > MAX_SCANS:
        raise UnreadableFile(
            f"The JPEG has more than {MAX_SCANS} scans, each over the whole picture.", hint="Save it again."
        )


def check_pixels(width: int, height: int, *, max_pixels: int) -> None:
    """Raise UnreadableFile when a picture has no pixels or more than the setting allows."""
    if width * height > max_pixels:
        raise UnreadableFile(
            f"It has {width:,} × {height:,} pixels; at most {max_pixels:,} are decoded.",
            hint="Make it smaller. The setting max_pixels is the limit in the library.",
        )
    if min(width, height) < 1:
        raise UnreadableFile(f"It has {width} × {height} pixels and is empty.", hint="Save it again.")


def decode_small(picture: ImageFile.ImageFile, *, least_side: int | None = None) -> None:
    """Let libjpeg decode a large JPEG at 1/2, 1/4 or 1/8 of its size, never below WORKING_PIXELS.

    With `least_side`, also a smaller one, its shorter side never below that.
    """
    if picture.format in ("JPEG", "MPO"):
        scale = math.sqrt(WORKING_PIXELS / (picture.width * picture.height))
        if least_side is not None:
            scale = min(scale, least_side / min(picture.size))
        if scale < 1:
            picture.draft(None, (math.ceil(picture.width * scale), math.ceil(picture.height * scale)))


def is_transparent(picture: Image.Image) -> bool:
    """Return whether some pixels of a decoded picture are transparent, not whether they could be."""
    if picture.mode in ("RGBA", "LA", "PA"):
        return int(np.asarray(picture.getchannel("A")).min(initial=255)) < 255
    return "transparency" in picture.info


def working_picture(picture: Image.Image, *, turn: int = 1) -> Image.Image:
    """Return a decoded picture as upright sRGB of at most WORKING_PIXELS, without metadata.

    Transparent areas become white, or dark where the visible ones are nearly white.
    """
    profile = picture.info.get("icc_profile")
    coding = picture.info.get(_CODING)
    small = eight_bits(_reduced(picture))
    if coding is not None and not coding.is_plain and small.mode in ("RGB", "RGBA"):
        small = as_plain_colors(small, coding)
    if small.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in small.info:
        small = _over_background(small.convert("RGBA"))
    plain = _as_srgb(small, profile)
    gamma = None if profile or coding or "srgb" in picture.info else picture.info.get("gamma")
    if gamma and abs(gamma / _SRGB_GAMMA - 1) > _SAME_GAMMA:
        plain = plain.point(_gamma_table(gamma) * 3)
    plain = shrunk(plain, WORKING_PIXELS)
    if turn in _TURNS:
        plain = plain.transpose(_TURNS[turn])
    if plain is picture:
        plain = plain.copy()
    plain.info = {}
    return plain


def transparency(picture: Image.Image, *, like: Image.Image, turn: int = 1) -> Image.Image | None:
    """Return a decoded picture's alpha plane (L) at the size of its working picture; None if nothing is transparent."""
    if not is_transparent(picture):
        return None
    alpha = eight_bits(_reduced(picture)).convert("RGBA").getchannel("A")
    if turn in _TURNS:
        alpha = alpha.transpose(_TURNS[turn])
    return alpha if alpha.size == like.size else alpha.resize(like.size, Image.Resampling.BOX)


def shrunk(picture: Image.Image, pixels: int) -> Image.Image:
    """Return a picture with at most about this many pixels, its aspect ratio unchanged."""
    scale = math.sqrt(pixels / (picture.width * picture.height))
    if scale >= 1:
        return picture
    size = max(1, round(picture.width * scale)), max(1, round(picture.height * scale))
    return picture.resize(size, Image.Resampling.BICUBIC, reducing_gap=2.0)


def spread(frames: int) -> list[int]:
    """Return the numbers of up to FRAMES evenly spaced frames from the first one on, at the times of a film's.

    >>> spread(9), spread(13)
    ([0, 2, 4, 6, 8], [0, 3, 6, 8, 11])
    """
    if frames <= FRAMES:
        return list(range(frames))
    return [-(-step * frames // FRAMES) for step in range(FRAMES)]


_FLAT = 6.0  # standard deviation of brightness, of 255, below which a frame shows nothing


def telling_picture(pictures: Sequence[Image.Image]) -> Image.Image:
    """Return the frame that shows what an animation or a video is about: the first one unless it is nearly flat.

    A black or blank frame says nothing. Where all are nearly flat, the most varied one is returned.

    >>> telling_picture([Image.new("L", (8, 8)), Image.linear_gradient("L")]).size
    (256, 256)
    """
    varied = [_variation(one) for one in pictures]
    told = next((number for number, spread in enumerate(varied) if spread > _FLAT), int(np.argmax(varied)))
    return pictures[told]


def telling_frames(pictures: Sequence[Image.Image]) -> list[Image.Image]:
    """Return the frames that are not nearly flat, in their order; all where all are.

    >>> len(telling_frames([Image.new("L", (8, 8)), Image.linear_gradient("L")]))
    1
    """
    return [one for one in pictures if _variation(one) > _FLAT] or list(pictures)


def _variation(picture: Image.Image) -> float:
    """Return the standard deviation of a picture's brightness, of 255."""
    return float(np.asarray(picture.convert("L").resize((64, 64), Image.Resampling.BOX)).std())


def eight_bits(picture: Image.Image) -> Image.Image:
    """Return a 16-bit grey picture scaled to 8 bits, LA if one level is transparent; others as they are.

    Pillow would clip the values instead.

    >>> eight_bits(Image.new("I;16", (2, 2), 65535)).getpixel((0, 0))
    255
    """
    if not picture.mode.startswith("I"):
        return picture
    deep = np.asarray(picture)
    if deep.dtype != np.uint16:
        deep = np.clip(deep, 0, 65535).astype(np.uint16)
    plain = Image.fromarray((deep // 257).astype(np.uint8))
    hidden = picture.info.get("transparency")
    return (
        plain
        if hidden is None
        else Image.merge("LA", (plain, Image.fromarray(255 * (deep != hidden).astype(np.uint8))))
    )


# What a transparent level of a PNG is multiplied by as Pillow does its pixels, by the way in which they are stored.
_LEVELS = {"L;2": 85, "L;4": 17, "RGB;16B": 1 / 257}


def _scale_transparency(picture: ImageFile.ImageFile) -> None:
    """Give the transparent color of a PNG that is not decoded yet the depth of its pixels, as Pillow does not."""
    hidden = picture.info.get("transparency")
    scale = _LEVELS.get(str(picture.tile[0].args)) if picture.tile else None
    if scale is None or hidden is None:
        return
    scaled = tuple(int(level * scale) for level in (hidden if isinstance(hidden, tuple) else (hidden,)))
    picture.info["transparency"] = scaled if isinstance(hidden, tuple) else scaled[0]


def _reduced(picture: Image.Image) -> Image.Image:
    """Return a far too large picture reduced by a whole factor; no full-size copy is made, whatever its mode."""
    times = math.isqrt(picture.width * picture.height // WORKING_PIXELS)
    if times < 2:
        return picture
    if picture.mode in ("L", "RGB", "CMYK") and "transparency" not in picture.info:
        return picture.reduce(times)
    mode = "L" if picture.mode.startswith("I") else "RGB"
    if picture.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in picture.info:
        mode = "RGBA"
    whole = Image.new(mode, (-(-picture.width // times), -(-picture.height // times)))
    lines = times * max(1, _STRIP_PIXELS // (picture.width * times))
    for top in range(0, picture.height, lines):
        strip = picture.crop((0, top, picture.width, min(top + lines, picture.height)))
        whole.paste(eight_bits(strip).convert(mode).reduce(times), (0, top // times))
    return whole


def _over_background(picture: Image.Image) -> Image.Image:
    """Return an RGBA picture over white, or over dark or middle grey where white would hide a part of it."""
    shown = Image.new("RGB", picture.size, _ground(picture))
    shown.paste(picture, mask=picture.getchannel("A"))
    return shown


def _gamma_table(gamma: float) -> list[int]:
    """Return the level of sRGB (0 to 255) for each level of a PNG whose gAMA chunk tells this gamma, as browsers do."""
    light = (np.arange(256) / 255) ** (1 / gamma)
    levels = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    return [int(level) for level in (255 * levels).round()]


def _as_srgb(picture: Image.Image, profile: bytes | None) -> Image.Image:
    """Return a picture as RGB, converted from its colour profile where that is valid."""
    if profile and picture.mode in ("RGB", "CMYK"):
        try:
            given = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            name = ImageCms.getProfileDescription(given)
            if given.profile.xcolor_space.strip() == picture.mode and "srgb" not in name.lower():
                converted = ImageCms.profileToProfile(
                    picture, given, ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")), outputMode="RGB"
                )
                if converted is not None:
                    return converted
        except Exception as error:
            if not is_about_the_file(error):
                raise
            # a damaged profile is no reason to refuse the picture
    return picture if picture.mode == "RGB" else picture.convert("RGB")

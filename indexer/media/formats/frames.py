"""GIFs and animated PNGs whose frames are laid over each other as browsers do: over nothing, not over a color."""

from __future__ import annotations

import io
import struct
from typing import IO

from PIL import GifImagePlugin, Image, ImagePalette, PngImagePlugin

_BLACK = bytes(768)  # a table of colors
_PNG_HEAD, _PALETTE = b"\x89PNG\r\n\x1a\n", 3  # of a PNG: its first bytes, and a type of color
_FIRST_COUNTS = (b"eXIf", b"tRNS")  # of two such chunks browsers read the first; behind the pixels none
_MOST_BYTES = 20_000_000  # of a chunk before the pixels
# Ways of disposal: to the background, and to what was before a frame, for which browsers read two numbers.
_BACKGROUND, _PREVIOUS, _ALSO_PREVIOUS = 2, 3, 4
_REMOVED = (_BACKGROUND, _PREVIOUS)
_TRANSPARENT = (0, 0, 0, 0)
_WHITE = {"L": 255, "RGB": (255, 255, 255)}


class GifFile(GifImagePlugin.GifImageFile):
    """A GIF whose canvas is transparent where no frame was drawn yet, and where one was removed.

    Pillow fills both with a color of the palette, shows the places of colors where there is no table of them, enlarges
    the canvas for later frames, and lets a frame that names no way of disposal inherit that of the one before it.
    """

    def __init__(self, stream: IO[bytes]) -> None:
        super().__init__(_with_table(stream))

    def load_end(self) -> None:
        before = self._prev_im
        if self.tell() and before and before.size != self.size:
            # Pillow would lose its transparency.
            self._prev_im = Image.core.fill(before.mode, self.size, 0)
            self._prev_im.paste(before, (0, 0, *before.size))
        super().load_end()
        if not self.tell():
            self._canvas = self.size
        elif self.size != self._canvas:
            self.im, self._size = self._crop(self.im, (0, 0, *self._canvas)), self._canvas
        if self.tell() or self.mode not in ("P", "L") or "transparency" in self.info:
            return
        uncovered = self.dispose_extent is not None and not _covers(self.dispose_extent, self.size)
        if not uncovered and self.disposal_method not in _REMOVED:
            return
        shown = Image.new("RGBA", self.size)
        extent = self.dispose_extent or (0, 0, *self.size)
        plain = Image.Image._new(self, self.im).convert("RGBA")  # with this frame's palette
        shown.paste(plain.crop(extent), extent[:2])
        self.im, self._mode = shown.im, "RGBA"
        self._remove_later()

    def _seek(self, frame: int, update_image: bool = True) -> None:
        self.disposal_method = 0
        super()._seek(frame, update_image)
        if self.disposal_method == _ALSO_PREVIOUS:
            self.disposal_method = _PREVIOUS
        elif self.disposal_method > _ALSO_PREVIOUS:
            self.disposal_method, self.dispose = 0, None
        if frame and update_image and self.disposal_method == _BACKGROUND and self.mode in ("RGB", "RGBA"):
            if self.mode == "RGB":
                self.im, self._mode = self.im.convert("RGBA"), "RGBA"
            self._remove_later()

    def _remove_later(self) -> None:
        """Let the next frame find nothing where this one is, if it is to be removed."""
        if self.dispose_extent and (
            self.disposal_method == _BACKGROUND or (self.disposal_method == _PREVIOUS and not self.tell())
        ):
            left, top, right, bottom = self.dispose_extent
            self.dispose = Image.core.fill("RGBA", (right - left, bottom - top), _TRANSPARENT)


class PngFile(PngImagePlugin.PngImageFile):
    """A PNG whose animation begins on an empty canvas, whatever its default picture is.

    Pillow lays the first frame over a default picture that is none of the frames, lets transparent frames make what is
    below them transparent, and believes what stands twice, too early or behind the pixels.
    """

    def __init__(self, stream: IO[bytes]) -> None:
        super().__init__(_with_plain_order(stream))

    def _open(self) -> None:
        super()._open()
        if self.png is not None and self.png.im_palette:
            way, colors = self.png.im_palette
            # Places beyond the table have its last color.
            self.palette = ImagePalette.raw(way, colors + colors[-3:] * (256 - len(colors) // 3))

    def load_end(self) -> None:
        told = {name: self.info.get(name) for name in ("exif", "transparency")}
        below, over = (self._prev_im if self.is_animated else None), None
        if below and self.mode == "RGBA" and self.blend_op == PngImagePlugin.Blend.OP_OVER:
            below, over = below.copy(), self._crop(self.im, self.dispose_extent)
        super().load_end()
        if over is not None and below is not None:
            shown = self._new(below)
            shown.alpha_composite(self._new(over), dest=(int(self.dispose_extent[0]), int(self.dispose_extent[1])))
            self.im = self._prev_im = shown.im
        for name, value in told.items():
            self.info.pop(name, None)
            if value is not None:
                self.info[name] = value

    def _seek(self, frame: int, rewind: bool = False) -> None:
        super()._seek(frame, rewind)
        if not frame:
            return  # the size is not checked yet
        if frame == 1 and self.default_image:
            self.im, self._prev_im = self._blank(), self._blank()
            if self.dispose_op == PngImagePlugin.Disposal.OP_PREVIOUS:
                self.dispose_op = PngImagePlugin.Disposal.OP_BACKGROUND  # nothing was before it
        if self.dispose is not None and self.dispose_op == PngImagePlugin.Disposal.OP_BACKGROUND:
            self.dispose = self._crop(self._blank(), self.dispose_extent)

    def _blank(self) -> Image.core.ImagingCore:
        return Image.core.fill(self.mode, self.size, _WHITE.get(self.mode, 0))


def _covers(extent: tuple[int, int, int, int], size: tuple[int, int]) -> bool:
    left, top, right, bottom = extent
    return left <= 0 and top <= 0 and right >= size[0] and bottom >= size[1]


def _with_table(stream: IO[bytes]) -> IO[bytes]:
    """Return a GIF with a table of colors for all frames, black where it has none; others as they are."""
    start = stream.tell()
    head = stream.read(13)
    if len(head) < 13 or head[10] & 0x80:
        stream.seek(start)
        return stream
    return io.BytesIO(head[:10] + bytes([head[10] | 0x87]) + head[11:] + _BLACK + stream.read())


def _with_plain_order(stream: IO[bytes]) -> IO[bytes]:
    """Return a PNG without the chunks before its pixels that browsers do not read; others as they are."""
    start = stream.tell()
    kept, seen, dropped = [stream.read(len(_PNG_HEAD))], set[bytes](), False
    color = None
    while len(head := stream.read(8)) == 8 and head[4:] not in (b"IDAT", b"IEND"):
        length, name = struct.unpack(">I4s", head)
        if length > _MOST_BYTES:
            break
        body = stream.read(length + 4)
        if name == b"IHDR":
            color = body[9:10]
        early = name == b"tRNS" and color == bytes([_PALETTE]) and b"PLTE" not in seen
        if early or (name in _FIRST_COUNTS and name in seen):
            dropped = True
            continue
        seen.add(name)
        kept.append(head + body)
    if not dropped:
        stream.seek(start)
        return stream
    return io.BytesIO(b"".join(kept) + head + stream.read())

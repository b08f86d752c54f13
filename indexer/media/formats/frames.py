"""GIFs and animated PNGs whose frames are laid over each other as browsers do: over nothing, not over a color."""

from __future__ import annotations

from PIL import GifImagePlugin, Image, PngImagePlugin

_REMOVED = (2, 3)  # ways of disposal of a first frame: to the background, and to what was before it
_TRANSPARENT = (0, 0, 0, 0)
_WHITE = {"L": 255, "RGB": (255, 255, 255)}


class GifFile(GifImagePlugin.GifImageFile):
    """A GIF whose canvas is transparent where no frame was drawn yet, and where one was removed.

    Pillow fills both with a color of the palette.
    """

    def load_end(self) -> None:
        super().load_end()
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
        super()._seek(frame, update_image)
        if frame and update_image and self.disposal_method == 2 and self.mode in ("RGB", "RGBA"):
            if self.mode == "RGB":
                self.im, self._mode = self.im.convert("RGBA"), "RGBA"
            self._remove_later()

    def _remove_later(self) -> None:
        """Let the next frame find nothing where this one is, if it is to be removed."""
        if self.dispose_extent and (self.disposal_method == 2 or (self.disposal_method == 3 and not self.tell())):
            left, top, right, bottom = self.dispose_extent
            self.dispose = Image.core.fill("RGBA", (right - left, bottom - top), _TRANSPARENT)


class PngFile(PngImagePlugin.PngImageFile):
    """A PNG whose animation begins on an empty canvas, whatever its default picture is.

    Pillow lays the first frame over a default picture that is none of the frames.
    """

    def _seek(self, frame: int, rewind: bool = False) -> None:
        super()._seek(frame, rewind)
        if not frame:
            return  # the size is not checked yet
        if frame == 1 and self.default_image:
            self.im, self._prev_im = self._blank(), self._blank()
        if self.dispose is not None and self.dispose_op == PngImagePlugin.Disposal.OP_BACKGROUND:
            self.dispose = self._crop(self._blank(), self.dispose_extent)

    def _blank(self) -> Image.core.ImagingCore:
        return Image.core.fill(self.mode, self.size, _WHITE.get(self.mode, 0))


def _covers(extent: tuple[int, int, int, int], size: tuple[int, int]) -> bool:
    left, top, right, bottom = extent
    return left <= 0 and top <= 0 and right >= size[0] and bottom >= size[1]

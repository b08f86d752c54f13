"""What decoding a file gives; importing it imports no decoder, which only the processes that decode need."""

from __future__ import annotations

from dataclasses import dataclass

from PIL import Image

from search.meme import MediaType

# The attributes of DecodedMedia that are plain values.
FACTS = (
    *("width", "height", "frames", "seconds"),
    *("content_type", "codec", "transparent", "share_decoded", "damage", "steps", "corner"),
    *("tables", "subsampling", "quantizers"),
)
LISTS = ("steps", "corner", "tables", "quantizers")  # those that are tuples


@dataclass(frozen=True)
class DecodedMedia:
    """A decoded file: width and height in pixels as shown, and RGB pictures without metadata.

    A still has one picture, an animation or video up to five in the order of time, each of at most WORKING_PIXELS.
    `content_type`, `codec`, `transparent`, `share_decoded` and `damage` are as in `search.catalogue.PictureRecord`.
    `steps` are the 64 quantization steps of a JPEG's luminance, row by row as the picture is shown, and `corner` (x, y)
    is where its first whole block begins; empty for other files and where the picture is smaller than its file's.
    `tables` are all of a JPEG's quantization tables, 64 steps each, and `subsampling` is that of its colors, as Pillow
    has them; empty also where the picture is turned. `quantizers` are those of a lossy WebP's segments.
    """

    type: MediaType
    width: int
    height: int
    frames: int
    seconds: float | None
    pictures: tuple[Image.Image, ...]
    content_type: str = ""
    codec: str = ""
    transparent: bool = False
    share_decoded: float = 1.0
    damage: str = ""
    steps: tuple[int, ...] = ()
    corner: tuple[int, int] = (0, 0)
    tables: tuple[int, ...] = ()
    subsampling: int = -1
    quantizers: tuple[int, ...] = ()
    alpha: Image.Image | None = None  # of a still with transparent areas (L), at the size of its picture

    @property
    def comparable(self) -> tuple[Image.Image, ...]:
        """The pictures as `search.duplicates` compares them: a still with transparent areas is RGBA."""
        if self.alpha is None:
            return self.pictures
        shown = self.pictures[0].copy()
        shown.putalpha(self.alpha)
        return (shown,)

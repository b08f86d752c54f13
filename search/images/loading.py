"""Images to search with: from a file that Pillow reads, or from memory."""

from __future__ import annotations

from pathlib import Path

from PIL import Image, ImageOps

from search.errors import UnreadableFile, WrongUse


def load_image(image: Image.Image | Path | str, *, max_pixels: int) -> Image.Image:
    """Return the image to search with, upright; raise UnreadableFile for a file that is not an image or too large."""
    if isinstance(image, Image.Image):
        return image
    if not isinstance(image, str | Path):
        raise WrongUse(
            f"An image is a path or an image of Pillow, not a {type(image).__name__}.",
            hint="`PIL.Image.fromarray(array)` makes one of an array, `PIL.Image.open(io.BytesIO(raw))` of bytes.",
        )
    try:
        with Image.open(image) as file:
            if file.width * file.height > max_pixels:
                raise UnreadableFile(f"{image} has {file.width} × {file.height} pixels; the limit is {max_pixels:,}.")
            return ImageOps.exif_transpose(file).convert("RGB")
    except (OSError, ValueError, Image.DecompressionBombError) as error:
        raise UnreadableFile(f"{image} cannot be read as an image: {error}.") from error

"""Preprocessing for CLIP models, equal to open_clip's own: a picture becomes an array, a text becomes tokens."""

from __future__ import annotations

import html
import string
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps
from tokenizers import Tokenizer

_RESAMPLING = {
    "bicubic": Image.Resampling.BICUBIC,
    "bilinear": Image.Resampling.BILINEAR,
    "nearest": Image.Resampling.NEAREST,
}


@dataclass(frozen=True)
class ImagePreprocessing:
    """How a picture becomes a model's input: `size` is (height, width) in pixels, the rest as in open_clip."""

    size: tuple[int, int]
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    interpolation: str
    resize_mode: str  # "shortest", "longest" or "squash"
    fill: int

    def __call__(self, picture: Image.Image) -> NDArray[np.float32]:
        """Return the model input for a picture, [3, height, width] float32."""
        height, width = self.size
        picture = self._resized(picture).convert("RGB")
        if picture.size != (width, height):
            # Padded where it is too small and cropped where it is too large, as open_clip's CenterCropOrPad does.
            short = (max(0, width - picture.width), max(0, height - picture.height))
            if any(short):
                border = (short[0] // 2, short[1] // 2, (short[0] + 1) // 2, (short[1] + 1) // 2)
                picture = ImageOps.expand(picture, border, fill=(self.fill,) * 3)
            left, top = round((picture.width - width) / 2.0), round((picture.height - height) / 2.0)
            picture = picture.crop((left, top, left + width, top + height))
        found = np.empty((3, height, width), np.float32)
        # Channel by channel: over three numbers that lie side by side, the same arithmetic takes twice as long.
        for plane, channel, mean, std in zip(found, picture.split(), self.mean, self.std, strict=True):
            np.divide(np.asarray(channel), np.float32(255), out=plane, dtype=np.float32)
            plane -= np.float32(mean)
            plane /= np.float32(std)
        return found

    def _resized(self, picture: Image.Image) -> Image.Image:
        height, width = self.size
        if self.resize_mode == "squash":
            wanted = (width, height)
        elif self.resize_mode == "shortest" and height == width:
            # As torchvision does: the longer side is rounded down.
            short, long = sorted(picture.size)
            longer = int(height * long / short)
            wanted = (height, longer) if picture.width <= picture.height else (longer, height)
        else:
            ratios = (picture.height / height, picture.width / width)
            ratio = max(ratios) if self.resize_mode == "longest" else min(ratios)
            wanted = (round(picture.width / ratio), round(picture.height / ratio))
        return picture if picture.size == wanted else picture.resize(wanted, _RESAMPLING[self.interpolation])


@dataclass(frozen=True)
class TextPreprocessing:
    """How a text becomes tokens: how it is cleaned, how many tokens a row has, and the token that pads it."""

    clean: str  # "lower", "canonicalize" or "whitespace"
    context: int
    pad: int
    left: bool = False  # whether the padding is on the left
    blanked: int | None = None  # a token that is replaced by 0

    def __call__(self, tokenizer: Tokenizer, texts: Sequence[str]) -> NDArray[np.int64]:
        """Return the tokens of texts, [n, context] int64."""
        rows = np.full((len(texts), self.context), self.pad, np.int64)
        for row, found in zip(rows, tokenizer.encode_batch([cleaned(text, self.clean) for text in texts]), strict=True):
            ids = found.ids[: self.context]
            if self.left:
                row[self.context - len(ids) :] = ids
            else:
                row[: len(ids)] = ids
        if self.blanked is not None:
            rows[rows == self.blanked] = 0
        return rows


def cleaned(text: str, how: str) -> str:
    """Return a text cleaned as open_clip does before it tokenizes; `how` is "lower", "canonicalize" or "whitespace"."""
    import ftfy  # not above: it takes .1 s, and a search by words alone does without

    # The tokenizer refuses lone surrogates, which JSON can contain.
    text = ftfy.fix_text(text.encode("utf-8", "replace").decode("utf-8"))
    text = html.unescape(html.unescape(text)).strip()
    if how == "canonicalize":
        return " ".join(text.replace("_", " ").translate(_NO_PUNCTUATION).lower().split())
    text = " ".join(text.split())
    return text.lower() if how == "lower" else text


_NO_PUNCTUATION = str.maketrans("", "", string.punctuation)

"""Scale a picture for comparison, and derive its smoothed luminance, colours and keypoints."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import cv2 as _typed
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from search.duplicates.keypoints import Grey, Keypoints, detect_keypoints, mirrored_keypoints

cv2: Any = _typed  # OpenCV's type stubs have no element types

SIDE = 480  # pixels of the longest side
_SMOOTHING = 1.2  # sigma in pixels: sharpening, blur and JPEG change only finer detail
_SMALL = 48  # pixels of the longest side at which colours are compared
_TILES = (30, 30)  # grid in which a picture is compared with its own mirror image
_SYMMETRIC = 12.0  # grey levels: largest difference of the median tile

Colours = NDArray[np.uint8]  # [height, width, 3], sRGB
Chroma = NDArray[np.float32]  # [height, width, 2], a and b of CIELAB


@dataclass(frozen=True)
class ScaledPicture:
    """A picture for comparison, at most SIDE pixels a side. Everything derived from it is computed once."""

    colours: Colours
    known_keypoints: Keypoints | None = None  # stored by an earlier run

    @cached_property
    def grey(self) -> Grey:
        """The picture's luminance."""
        return cv2.cvtColor(self.colours, cv2.COLOR_RGB2GRAY)

    @cached_property
    def smooth(self) -> Grey:
        """The smoothed luminance, which comparisons use."""
        return smoothed(self.grey)

    @cached_property
    def chroma(self) -> Chroma:
        """The a and b channels of CIELAB, at most _SMALL pixels a side."""
        width, height = self.size
        scale = _SMALL / max(width, height)
        return chroma_of(self.colours, (max(1, round(width * scale)), max(1, round(height * scale))))

    @cached_property
    def keypoints(self) -> Keypoints:
        """The picture's keypoints."""
        return detect_keypoints(self.grey) if self.known_keypoints is None else self.known_keypoints

    @cached_property
    def mirrored(self) -> ScaledPicture:
        """The picture mirrored left to right."""
        return ScaledPicture(np.ascontiguousarray(self.colours[:, ::-1]))

    @cached_property
    def mirrored_keypoints(self) -> Keypoints:
        """The keypoints of the mirrored picture."""
        return mirrored_keypoints(self.keypoints, self.grey)

    @cached_property
    def is_symmetric(self) -> bool:
        """Whether the median tile has about the same brightness as its mirror image."""
        small = cv2.resize(self.grey, _TILES, interpolation=cv2.INTER_AREA).astype(np.int16)
        return bool(np.median(np.abs(small - small[:, ::-1])) <= _SYMMETRIC)

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        return self.colours.shape[1], self.colours.shape[0]


def scale_picture(picture: Image.Image, *, keypoints: Keypoints | None = None) -> ScaledPicture:
    """Return a picture scaled down to at most SIDE pixels a side; pass its keypoints if they are stored.

    >>> scale_picture(Image.new("RGB", (960, 480))).size
    (480, 240)
    """
    scale = SIDE / max(picture.size)
    picture = picture if picture.mode == "RGB" else picture.convert("RGB")
    if scale < 1:
        size = max(1, round(picture.width * scale)), max(1, round(picture.height * scale))
        picture = picture.resize(size, Image.Resampling.HAMMING)
    return ScaledPicture(np.array(picture, np.uint8), keypoints)


def smoothed(plane: Grey) -> Grey:
    """Return a plane smoothed with the sigma that comparisons use."""
    return cv2.GaussianBlur(plane, (0, 0), _SMOOTHING)


def chroma_of(colours: Colours, size: tuple[int, int]) -> Chroma:
    """Return the a and b channels of CIELAB at another size (width and height)."""
    small = cv2.resize(colours, size, interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    return np.ascontiguousarray(cv2.cvtColor(small, cv2.COLOR_RGB2LAB)[..., 1:])


def disable_opencv_threads() -> None:
    """Make OpenCV run in the calling thread: its internal threads slow down the parallel processing of pictures."""
    cv2.setNumThreads(1)

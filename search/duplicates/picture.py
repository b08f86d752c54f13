"""A picture as it is compared: at most SIDE pixels a side, its light smoothed, its colours, its corners."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import cv2 as _typed
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from search.duplicates.keypoints import Corners, Grey, corners_of, mirrored_corners

cv2: Any = _typed  # its type stubs know no element types

SIDE = 480  # pixels of the longest side
_SMOOTHING = 1.2  # sigma in pixels: what sharpening, blur and JPEG change is below it
_SMALL = 48  # pixels of the longest side, where colours are compared
_TILES = (30, 30)  # in which a picture is compared with its own mirror image
_SYMMETRIC = 12.0  # grey levels, the median tile's

Colours = NDArray[np.uint8]  # [height, width, 3], sRGB
Chroma = NDArray[np.float32]  # [height, width, 2], a and b of CIELAB


@dataclass(frozen=True)
class View:
    """A picture as it is compared: at most SIDE pixels a side."""

    colours: Colours
    known_corners: Corners | None = None  # where they were found before

    @cached_property
    def grey(self) -> Grey:
        """The picture's luminance."""
        return cv2.cvtColor(self.colours, cv2.COLOR_RGB2GRAY)

    @cached_property
    def smooth(self) -> Grey:
        """The picture's luminance, smoothed as it is before anything is compared."""
        return smoothed(self.grey)

    @cached_property
    def chroma(self) -> Chroma:
        """The picture's colours without their lightness, at most _SMALL pixels a side."""
        width, height = self.size
        scale = _SMALL / max(width, height)
        return chroma_of(self.colours, (max(1, round(width * scale)), max(1, round(height * scale))))

    @cached_property
    def corners(self) -> Corners:
        """The picture's corners."""
        return corners_of(self.grey) if self.known_corners is None else self.known_corners

    @cached_property
    def mirrored(self) -> View:
        """The picture mirrored left to right."""
        return View(np.ascontiguousarray(self.colours[:, ::-1]))

    @cached_property
    def mirrored_corners(self) -> Corners:
        """The corners of the mirrored picture."""
        return mirrored_corners(self.corners, self.grey)

    @cached_property
    def is_symmetric(self) -> bool:
        """Whether most of the picture is about as dark as its mirror image."""
        small = cv2.resize(self.grey, _TILES, interpolation=cv2.INTER_AREA).astype(np.int16)
        return bool(np.median(np.abs(small - small[:, ::-1])) <= _SYMMETRIC)

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        return self.colours.shape[1], self.colours.shape[0]


def view_of(picture: Image.Image, *, corners: Corners | None = None) -> View:
    """Return a picture as it is compared; its corners can be given where they are known."""
    scale = SIDE / max(picture.size)
    picture = picture if picture.mode == "RGB" else picture.convert("RGB")
    if scale < 1:
        size = max(1, round(picture.width * scale)), max(1, round(picture.height * scale))
        picture = picture.resize(size, Image.Resampling.HAMMING)
    return View(np.array(picture, np.uint8), corners)


def smoothed(plane: Grey) -> Grey:
    """Return a plane as it is before anything is compared."""
    return cv2.GaussianBlur(plane, (0, 0), _SMOOTHING)


def chroma_of(colours: Colours, size: tuple[int, int]) -> Chroma:
    """Return colours without their lightness, at another size (width and height)."""
    small = cv2.resize(colours, size, interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    return np.ascontiguousarray(cv2.cvtColor(small, cv2.COLOR_RGB2LAB)[..., 1:])


def one_thread_a_picture() -> None:
    """Let OpenCV work in the thread that calls it: where several pictures are looked at, its own are in their way."""
    cv2.setNumThreads(1)

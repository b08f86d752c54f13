"""Scale a picture for comparison, and derive its smoothed luminance, colours and keypoints."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from search.duplicates.keypoints.orb import Gray, Keypoints, detect_keypoints, mirrored_keypoints
from search.duplicates.trim import content_box
from search.images.fingerprints import View
from search.system.lazy_module import LazyModule

cv2: Any = LazyModule("cv2")

SIDE = 480  # pixels of the longest side
_SMOOTHING = 1.2  # sigma in pixels: sharpening, blur and JPEG change only finer detail
_SMALL = 48  # pixels of the longest side at which colours are compared
_TILES = (30, 30)  # grid in which a picture is compared with its own mirror image
_CELLS = (32, 32)  # grid in which a picture is looked at for anything but one colour
_PLAIN = 4.0  # levels: largest difference of a cell of a plain picture from its mean
_GROUND = 12.0  # levels: largest difference of a ground's pixel from its usual colour; JPEG changes less
_SYMMETRIC = 12.0  # grey levels: largest difference of the median tile

Colors = NDArray[np.uint8]  # [height, width, 3], sRGB
Chroma = NDArray[np.float32]  # [height, width, 2], a and b of CIELAB


@dataclass(frozen=True)
class ScaledPicture:
    """A picture for comparison, at most SIDE pixels a side. Everything derived from it is computed once."""

    colors: Colors
    known_keypoints: Keypoints | None = None  # stored by an earlier run
    alpha: Gray | None = None  # of a picture with transparent areas, which `colors` shows over a plain ground
    mirror_of: ScaledPicture | None = None
    _views: dict[View, ScaledPicture] = field(default_factory=dict, compare=False, repr=False)

    @cached_property
    def gray(self) -> Gray:
        """The picture's luminance."""
        return cv2.cvtColor(self.colors, cv2.COLOR_RGB2GRAY)

    @cached_property
    def smooth(self) -> Gray:
        """The smoothed luminance, which comparisons use."""
        return smoothed(self.gray)

    @cached_property
    def chroma(self) -> Chroma:
        """The a and b channels of CIELAB, at most _SMALL pixels a side."""
        width, height = self.size
        scale = _SMALL / max(width, height)
        return chroma_of(self.colors, (max(1, round(width * scale)), max(1, round(height * scale))))

    @cached_property
    def keypoints(self) -> Keypoints:
        """The picture's keypoints."""
        if self.known_keypoints is not None:
            return self.known_keypoints
        if self.mirror_of is not None:
            return mirrored_keypoints(self.mirror_of.keypoints, self.mirror_of.gray)
        return detect_keypoints(self.gray)

    def seen(self, view: View) -> ScaledPicture:
        """Return the picture as a view shows it."""
        if view == View():
            return self
        if view not in self._views:
            colors = np.rot90(self.colors[:, ::-1] if view.mirrored else self.colors, view.turns)
            mirror_of = self if view == View(mirrored=True) else None
            self._views[view] = ScaledPicture(np.ascontiguousarray(colors), mirror_of=mirror_of)
        return self._views[view]

    def over(self, ground: NDArray[np.float32]) -> ScaledPicture:
        """Return a transparent picture over a ground of another colour ([3], sRGB)."""
        assert self.alpha is not None
        through = 1 - self.alpha[..., None].astype(np.float32) / 255
        seen = self.colors + through * (ground - self.shown_ground)
        return ScaledPicture(np.clip(seen, 0, 255).round().astype(np.uint8))

    @cached_property
    def is_symmetric(self) -> bool:
        """Whether the median tile has about the same brightness as its mirror image."""
        small = cv2.resize(self.gray, _TILES, interpolation=cv2.INTER_AREA).astype(np.int16)
        return bool(np.median(np.abs(small - small[:, ::-1])) <= _SYMMETRIC)

    @cached_property
    def plain_color(self) -> NDArray[np.float32] | None:
        """The colour ([3], sRGB) of a picture that has no other; None if it shows anything."""
        small = cv2.resize(self.colors, _CELLS, interpolation=cv2.INTER_AREA).reshape(-1, 3).astype(np.float32)
        mean = small.mean(axis=0)
        return mean if np.abs(small - mean).max() <= _PLAIN else None

    @cached_property
    def content(self) -> tuple[int, int, int, int]:
        """The box (left, top, right, bottom in pixels) of what the picture shows inside plain surroundings."""
        return content_box(Image.fromarray(self.gray))

    @cached_property
    def ground(self) -> NDArray[np.float32] | None:
        """The colour ([3], sRGB) of most of the picture's edge; None if that has no common colour."""
        rows, columns = self.colors[[0, -1]].reshape(-1, 3), self.colors[:, [0, -1]].reshape(-1, 3)
        edge = np.concatenate([rows, columns]).astype(np.float32)
        middle = np.median(edge, axis=0)
        return middle if (np.abs(edge - middle).max(axis=1) <= _GROUND).mean() >= 0.6 else None

    @property
    def shown_ground(self) -> NDArray[np.float32]:
        """The colour ([3], sRGB) that a transparent picture's transparent areas have in `colors`."""
        assert self.alpha is not None
        shown: NDArray[np.float32] = np.median(self.colors[self.alpha <= self.alpha.min()], axis=0).astype(np.float32)
        return shown

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        return self.colors.shape[1], self.colors.shape[0]


def scale_picture(picture: Image.Image, *, keypoints: Keypoints | None = None) -> ScaledPicture:
    """Return a picture scaled down to at most SIDE pixels a side; pass its keypoints if they are stored.

    An RGBA picture has the colours that are shown, over a plain ground, and the transparency that was there.

    >>> scale_picture(Image.new("RGB", (960, 480))).size
    (480, 240)
    """
    scale = SIDE / max(picture.size)
    alpha = picture.getchannel("A") if picture.mode == "RGBA" else None
    picture = picture if picture.mode == "RGB" else picture.convert("RGB")
    if scale < 1:
        size = max(1, round(picture.width * scale)), max(1, round(picture.height * scale))
        picture = picture.resize(size, Image.Resampling.HAMMING)
        alpha = None if alpha is None else alpha.resize(size, Image.Resampling.HAMMING)
    return ScaledPicture(np.array(picture, np.uint8), keypoints, None if alpha is None else np.asarray(alpha, np.uint8))


def smoothed(plane: Gray) -> Gray:
    """Return a plane smoothed with the sigma that comparisons use."""
    return cv2.GaussianBlur(plane, (0, 0), _SMOOTHING)


def chroma_of(colors: Colors, size: tuple[int, int]) -> Chroma:
    """Return the a and b channels of CIELAB at another size (width and height)."""
    small = cv2.resize(colors, size, interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    return np.ascontiguousarray(cv2.cvtColor(small, cv2.COLOR_RGB2LAB)[..., 1:])


def disable_opencv_threads() -> None:
    """Make OpenCV run in the calling thread: its internal threads slow down the parallel processing of pictures."""
    cv2.setNumThreads(1)

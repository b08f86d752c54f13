"""Detect the ORB keypoints of a picture and of its mirror image.

ORB: Rublee et al., "ORB: an efficient alternative to SIFT or SURF", 2011.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from search.system.lazy_module import LazyModule

cv2: Any = LazyModule("cv2")

FEATURES = 400  # keypoints of a picture, at most
OCTAVES = 8
OCTAVE_SCALE = 1.2

_PATCH = 15  # pixels: no keypoints are detected closer to the picture's edge
_PATCH_SIZE = 31  # pixels of a patch's side, at its own octave
_FAST_THRESHOLD = 8  # grey levels: drawings and dark pictures have no stronger corners

Gray = NDArray[np.uint8]  # [height, width], luminance


@dataclass(frozen=True)
class Keypoints:
    """A picture's keypoints, strongest first within each octave.

    `points` ([n, 2] float32, pixels), `octaves` ([n] uint8), `angles` in 256ths of a turn ([n] uint8) and `descriptors`
    ([n, 32] uint8).
    """

    points: NDArray[np.float32]
    octaves: NDArray[np.uint8]
    angles: NDArray[np.uint8]
    descriptors: NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.points)


def detect_keypoints(gray: Gray) -> Keypoints:
    """Return a picture's keypoints; a picture without contrast has none.

    >>> len(detect_keypoints(np.zeros((100, 100), np.uint8)))
    0
    """
    if min(gray.shape) <= 2 * _PATCH:
        return _no_keypoints()
    return _keypoints(*_detector().detectAndCompute(gray, None))


def mirrored_keypoints(keypoints: Keypoints, gray: Gray) -> Keypoints:
    """Return the keypoints of a picture's mirror image: at the mirrored positions, with new descriptors."""
    if not len(keypoints):
        return keypoints
    right = gray.shape[1] - 1
    rows = zip(keypoints.points.tolist(), keypoints.octaves.tolist(), keypoints.angles.tolist(), strict=True)
    points = [
        cv2.KeyPoint(right - x, y, _PATCH_SIZE * OCTAVE_SCALE**octave, (128 - angle) % 256 * 360 / 256, -place, octave)
        for place, ((x, y), octave, angle) in enumerate(rows)
    ]
    return _keypoints(*_detector().compute(np.ascontiguousarray(gray[:, ::-1]), points))


def _detector() -> Any:
    return cv2.ORB_create(
        FEATURES, scaleFactor=OCTAVE_SCALE, nlevels=OCTAVES, edgeThreshold=_PATCH, fastThreshold=_FAST_THRESHOLD
    )


def _keypoints(found: Any, descriptors: NDArray[np.uint8] | None) -> Keypoints:
    if descriptors is None:
        return _no_keypoints()
    order = sorted(range(len(found)), key=lambda index: (found[index].octave, -found[index].response))
    return Keypoints(
        np.array([found[index].pt for index in order], np.float32),
        np.array([found[index].octave for index in order], np.uint8),
        np.array([round(found[index].angle / 360 * 256) % 256 for index in order], np.uint8),
        np.ascontiguousarray(descriptors[order]),
    )


def _no_keypoints() -> Keypoints:
    empty = np.zeros(0, np.uint8)
    return Keypoints(np.zeros((0, 2), np.float32), empty, empty, np.zeros((0, 32), np.uint8))

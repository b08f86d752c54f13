"""Aligning two pictures by keypoints."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from search.duplicates.alignment import estimate_affine
from search.duplicates.keypoints import Keypoints

COUNT = 12


def descriptors_at(bits: int, rows: NDArray[np.uint8], random: np.random.Generator) -> NDArray[np.uint8]:
    """Return descriptors of which each differs from its row in this many bits."""
    flipped = np.unpackbits(rows, axis=1)
    for row in flipped:
        row[random.permutation(256)[:bits]] ^= 1
    return np.packbits(flipped, axis=1)


def keypoints(points: NDArray[np.float32], angle: int, descriptors: NDArray[np.uint8]) -> Keypoints:
    return Keypoints(points, np.zeros(len(points), np.uint8), np.full(len(points), angle, np.uint8), descriptors)


@pytest.mark.parametrize(("second", "is_found"), [(40, True), (26, True), (25, True), (22, False), (20, False)])
def test_a_turned_picture_is_aligned_by_keypoints_that_are_clearly_nearest(second: int, is_found: bool) -> None:
    """Each has its own at 20 bits, and another one elsewhere at `second`: 20 of 25 is clear, 20 of 22 is not."""
    random = np.random.default_rng(3)
    points = random.uniform(20, 400, (COUNT, 2)).astype(np.float32)
    rows = random.integers(0, 256, (COUNT, 32), np.uint8)
    turned = np.column_stack([500 - points[:, 1], points[:, 0]]).astype(np.float32)
    elsewhere = random.uniform(20, 400, (COUNT, 2)).astype(np.float32) + 600
    one = keypoints(points, 0, rows)
    other = keypoints(
        np.concatenate([turned, elsewhere]),
        64,
        np.concatenate([descriptors_at(20, rows, random), descriptors_at(second, rows, random)]),
    )
    found = estimate_affine(one, other)
    assert (found is not None) == is_found
    if found is not None:
        affine, inliers = found
        np.testing.assert_allclose(affine, [[0, -1, 500], [1, 0, 0]], atol=0.01)
        assert inliers == COUNT

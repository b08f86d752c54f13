"""Aligning two pictures by keypoints."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from search.duplicates.alignment.affine import estimate_affine
from search.duplicates.keypoints.orb import Keypoints

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


@pytest.mark.parametrize("degrees", [0.5, 1.0, 2.0])
def test_a_picture_that_is_a_little_tilted_is_aligned_with_its_tilt(degrees: float) -> None:
    random = np.random.default_rng(5)
    points = random.uniform(0, 500, (60, 2)).astype(np.float32)
    rows = random.integers(0, 256, (60, 32), np.uint8)
    sine, cosine = np.sin(np.deg2rad(degrees)), np.cos(np.deg2rad(degrees))
    turn = np.array([[cosine, -sine], [sine, cosine]])
    tilted = ((points - 250) @ turn.T + 250).astype(np.float32)
    found = estimate_affine(keypoints(points, 0, rows), keypoints(tilted, 1, rows))
    assert found is not None
    np.testing.assert_allclose(found[0][:, :2], turn, atol=1e-3)
    assert found[1] == 60


def test_a_level_picture_is_aligned_without_a_tilt() -> None:
    """Points that are a pixel off by chance are nearer to some tilted transform, but not by much."""
    random = np.random.default_rng(5)
    points = random.uniform(0, 500, (60, 2)).astype(np.float32)
    rows = random.integers(0, 256, (60, 32), np.uint8)
    moved = (0.8 * points + random.normal(0, 0.5, points.shape)).astype(np.float32)
    found = estimate_affine(keypoints(points, 0, rows), keypoints(moved, 0, rows))
    assert found is not None
    assert found[0][0, 1] == found[0][1, 0] == 0

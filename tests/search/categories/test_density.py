"""The density of categories' pictures: compared with a sum over pairs, and what it does to a suggestion."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from search.categories import density
from search.categories.density import SHARPNESS, PictureDensity, nearest_pictures


def drawn(count: int, *, seed: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    rng = np.random.default_rng(seed)
    rows = rng.standard_normal((count, 5)).astype(np.float32) + 3
    rows[1] = 0  # a picture that no encoder has seen
    return rows, np.arange(count) % 3


def by_pairs(
    known: NDArray[np.float32], truth: NDArray[np.int64], asked: NDArray[np.float32], among: NDArray[np.bool_]
) -> list[float]:
    """Return the scores of four categories for one picture, pair by pair; no picture is of the last one."""
    seen = [at for at in range(len(known)) if known[at].any()]
    mean = np.mean([known[at] for at in seen], axis=0)
    kernels = {}
    for at in seen:
        one, other = known[at] - mean, asked - mean
        cosine = float(one @ other) / (math.hypot(*one) * math.hypot(*other))
        if among[at]:
            kernels[at] = math.exp(SHARPNESS * cosine)
    every = math.log(math.fsum(kernels.values()) / len(kernels))
    own = [[value for at, value in kernels.items() if truth[at] == one] for one in range(4)]
    return [math.log(math.fsum(one) / len(one)) if one else every for one in own]


def test_the_density_is_the_mean_of_the_kernel_over_a_categorys_pictures() -> None:
    known, truth = drawn(30, seed=1)
    asked, _ = drawn(6, seed=2)
    among = np.arange(30) % 4 != 0
    found = PictureDensity(known, truth, count=4)
    for mask in (np.ones(30, np.bool_), among):
        scores = found.scores(asked, among=mask)
        for at in (0, 2, 3, 4, 5):
            assert scores[at] == pytest.approx(by_pairs(known, truth, asked[at], mask), abs=1e-4)
        assert (scores[1] == 0).all()


def test_a_library_that_no_encoder_has_seen_prefers_no_category() -> None:
    for width in (0, 5):
        blind = PictureDensity(np.zeros((4, width), np.float32), np.array([0, 1, 1, 0]), count=2)
        assert (blind.scores(np.ones((3, width), np.float32)) == 0).all()


def test_a_sample_of_many_pictures_gives_nearly_the_same_density(monkeypatch: pytest.MonkeyPatch) -> None:
    known, truth = drawn(4000, seed=3)
    asked, _ = drawn(50, seed=4)
    whole = PictureDensity(known, truth, count=3).scores(asked)
    monkeypatch.setattr(density, "MOST", 2000)
    sampled = PictureDensity(known, truth, count=3).scores(asked)
    assert not np.array_equal(sampled, whole)
    assert sampled == pytest.approx(whole, abs=0.35)


def test_the_nearest_picture_is_the_largest_cosine_of_centred_rows() -> None:
    known, _ = drawn(30, seed=1)
    asked, _ = drawn(6, seed=2)
    found = nearest_pictures(asked, known)
    seen = [at for at in range(30) if known[at].any()]
    mean = np.mean([known[at] for at in seen], axis=0)
    for at in (0, 2, 3, 4, 5):
        one = asked[at] - mean
        cosines = [
            float(one @ other) / (math.hypot(*one) * math.hypot(*other)) for other in (known[of] - mean for of in seen)
        ]
        assert found[at] == pytest.approx(max(cosines), abs=1e-4)
    assert found[1] == -1


def test_nothing_is_near_where_no_encoder_has_seen_or_all_pictures_are_the_same() -> None:
    asked = np.ones((2, 5), np.float32)
    assert nearest_pictures(asked, np.zeros((4, 5), np.float32)).tolist() == [-1, -1]
    assert nearest_pictures(asked, np.zeros((0, 5), np.float32)).tolist() == [-1, -1]
    assert (nearest_pictures(asked * 2, np.tile(asked, (3, 1))) < 0.5).all()

"""The map of pictures: what is alike lies together, in the same places each time, however many rows are placed."""

from __future__ import annotations

import numpy as np
import pytest

from search.categories import projection
from search.categories.projection import project


def clusters(count: int, *, of: int = 3, dimensions: int = 40) -> tuple[np.ndarray, np.ndarray]:
    """Return rows around a few centers, and the center of each."""
    random = np.random.default_rng(5)
    centers = random.normal(0, 1, (of, dimensions))
    labels = np.arange(count) % of
    return (centers[labels] + random.normal(0, 0.2, (count, dimensions))).astype(np.float32), labels


@pytest.mark.parametrize("most", [200, 60])
def test_rows_of_a_cluster_lie_together_whether_tsne_places_them_or_not(
    most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(projection, "MAX_PLACED", most)
    rows, labels = clusters(150)
    places = project(rows)
    distances = np.linalg.norm(places[:, None] - places[None], axis=2)
    np.fill_diagonal(distances, np.inf)
    assert (labels[distances.argmin(axis=1)] == labels).all()
    assert places.min() >= 0 and places.max() <= 1 and np.ptp(places, axis=0).max() == pytest.approx(1)
    assert np.array_equal(project(rows), places)


@pytest.mark.parametrize("count", [0, 1, 2, 5, 8, 9])
def test_few_rows_and_equal_rows_have_places(count: int) -> None:
    for rows in (clusters(count)[0], np.ones((count, 7), np.float32), np.ones((count, 1), np.float32)):
        places = project(rows)
        assert places.shape == (count, 2) and np.isfinite(places).all() and places.dtype == np.float32

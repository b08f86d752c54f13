"""The quality of suggested categories on planted features: accuracy, precision of sure ones, calibration."""

from __future__ import annotations

import numpy as np
import pytest

from tests.quality.categories import CATEGORY_LIMITS, calibration_error, suggestions
from tests.quality.frozen import read_pins


@pytest.fixture(scope="module")
def found() -> list[tuple[float, bool, bool]]:
    """What is suggested for each meme that was not learnt."""
    return suggestions()


@pytest.mark.parametrize("name", CATEGORY_LIMITS)
def test_issues_templates_mixes_and_thresholds_change_at_the_pinned_step(name: str) -> None:
    assert CATEGORY_LIMITS[name]() == read_pins("category limits")[name]


def test_accuracy_precision_and_calibration_stay_at_their_floors(found: list[tuple[float, bool, bool]]) -> None:
    probability = np.array([one for one, _, _ in found])
    right = np.array([one for _, one, _ in found])
    sure = np.array([one for _, _, one in found])
    # Measured: .64, .887, .355 and .075. The folds' seed is fixed, so that every run gives these; other seeds gave an
    # accuracy of .63 to .65 and change a probability by up to .07. The floors belong to this seed, and claim nothing of
    # the quality of suggestions.
    assert right.mean() >= 0.625
    assert right[sure].mean() >= 0.87
    assert sure.mean() >= 0.34
    assert calibration_error(probability, right) <= 0.085


def test_probabilities_are_as_pinned(found: list[tuple[float, bool, bool]]) -> None:
    assert [probability for probability, _, _ in found[::5]] == pytest.approx(read_pins("categories"), abs=0.01)

"""Labels that are probably wrong: as cleanlab finds them, whose results are recorded here."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from search.categories.confident_learning import find_label_issues


def drawn(classes: int, examples: int, *, wrong: float, sure: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return labels of which a share is wrong, and predictions that favour the right ones."""
    random = np.random.default_rng(seed)
    labels = np.concatenate([np.arange(classes), random.integers(0, classes, examples - classes)])
    true = np.where(random.random(examples) < wrong, random.integers(0, classes, examples), labels)
    scores = random.normal(size=(examples, classes))
    scores[np.arange(examples), true] += sure
    probabilities = np.exp(scores)
    return labels, probabilities / probabilities.sum(axis=1, keepdims=True)


# Recorded from cleanlab 2.9.0's `find_label_issues(labels, p, return_indices_ranked_by="self_confidence")`.
@pytest.mark.parametrize(
    ("case", "count", "digest"),
    [
        ((2, 60, 0.1, 2.0), 1, "535fa30d7e25"),
        ((4, 80, 0.2, 1.5), 23, "e035969eafea"),
        ((12, 400, 0.1, 3.0), 29, "83bc541bc877"),
        ((30, 900, 0.05, 2.5), 125, "802d48b43487"),
        ((9, 27, 0.3, 1.0), 13, "c32b4783907b"),
        ((25, 300, 0.0, 4.0), 0, "e3b0c44298fc"),
    ],
)
def test_the_labels_that_cleanlab_finds_are_found_in_its_order(
    case: tuple[int, int, float, float], count: int, digest: str
) -> None:
    classes, examples, wrong, sure = case
    found = find_label_issues(*drawn(classes, examples, wrong=wrong, sure=sure, seed=7))
    assert len(found) == count
    assert hashlib.sha256(" ".join(map(str, found)).encode()).hexdigest()[:12] == digest


def test_a_class_keeps_its_only_example_and_right_labels_are_left_alone() -> None:
    labels = np.array([0, 1, 1, 1])
    probabilities = np.array([[0.1, 0.9], [0.2, 0.8], [0.1, 0.9], [0.3, 0.7]])
    assert find_label_issues(labels, probabilities).tolist() == []

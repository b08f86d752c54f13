"""Find examples whose label is probably wrong (Northcutt, Jiang and Chuang, Confident Learning, 2021).

What cleanlab's `find_label_issues` does by default ("prune by noise rate"), without cleanlab and the pandas that it
brings: docs/decisions/0027-small-dependencies.md.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import confusion_matrix

LOWEST_THRESHOLD = 1e-2  # of a class's mean probability
SLACK = 1e-6  # probabilities that come this near to a threshold reach it

Matrix = NDArray[np.float64]
Counts = NDArray[np.int64]


def find_label_issues(labels: NDArray[np.int64], probabilities: Matrix) -> NDArray[np.int64]:
    """Return the positions of labels that are probably wrong, those with the least probability first.

    `labels` ([n]) are columns of `probabilities` ([n, classes]), which must be predictions for examples that the model
    was not trained with, each row with the sum 1.

    >>> given = np.array([0, 0, 0, 0, 1, 1, 1, 1])
    >>> sure = np.array([0.9, 0.8, 0.9, 0.05, 0.1, 0.2, 0.1, 0.2])
    >>> find_label_issues(given, np.column_stack([sure, 1 - sure])).tolist()
    [3]
    """
    noise = _noise_counts(_confident_joint(labels, probabilities))
    wrong = np.zeros(len(labels), bool)
    for given in range(probabilities.shape[1]):
        members = np.flatnonzero(labels == given)
        if len(members) <= 1:  # a class keeps an example
            continue
        for true in np.flatnonzero(noise[given] > 0):
            margin = probabilities[members, true] - probabilities[members, given]
            wrong[members[np.argsort(-margin)[: noise[given, true]]]] = True
    # What the model itself predicts is no issue, whatever the counts say.
    wrong &= probabilities.argmax(axis=1) != labels
    found = np.flatnonzero(wrong)
    order: NDArray[np.int64] = found[np.argsort(probabilities[found, labels[found]])]
    return order


def _confident_joint(labels: NDArray[np.int64], probabilities: Matrix) -> Counts:
    """Return estimated counts of examples by given label (rows) and true label; rows sum to the labels' counts."""
    classes = probabilities.shape[1]
    sizes = np.bincount(labels, minlength=classes)
    # A class's threshold is the mean probability of the class among its examples: no row reaches that of an empty one.
    thresholds = np.array(
        [max(float(probabilities[labels == one, one].mean()), LOWEST_THRESHOLD) if sizes[one] else 2.0
         for one in range(classes)]
    )  # fmt: skip
    reached = probabilities >= thresholds - SLACK
    guess = np.where(reached.sum(axis=1) > 1, probabilities.argmax(axis=1), reached.argmax(axis=1))
    sure = reached.any(axis=1)
    joint = np.zeros((classes, classes)).T
    if sure.any():
        joint += confusion_matrix(labels[sure], guess[sure], labels=range(classes))
    np.fill_diagonal(joint, joint.diagonal().clip(min=1))
    # Transposed in memory, as in cleanlab: the order of adding decides how halves are rounded.
    calibrated = (joint.T / joint.sum(axis=1) * sizes).T
    return _rounded(calibrated / calibrated.sum() * sizes.sum())


def _noise_counts(joint: Counts) -> Counts:
    """Return, by given label (rows) and true label, how many examples to take for wrong: each class keeps one."""
    counts = joint.T
    kept = np.maximum(counts.diagonal(), 1)
    spread = (kept - counts.diagonal()) / np.maximum(np.count_nonzero(counts, axis=0) - 1.0, 1.0)
    noise = np.maximum(counts - spread, 0)
    np.fill_diagonal(noise, kept)
    by_given: Counts = noise.astype(np.int64).T
    np.fill_diagonal(by_given, 0)
    return by_given


def _rounded(table: Matrix) -> Counts:
    """Return whole numbers near the table's whose rows have the same sums."""
    whole = table.round()
    for numbers, row in zip(whole, table, strict=True):
        while lacking := round(float(row.sum())) - int(numbers.sum()):
            step = 1 if lacking > 0 else -1
            for at in np.argsort(row - numbers)[::-step][: min(abs(lacking), len(row))]:
                numbers[at] += step
    return whole.astype(np.int64)

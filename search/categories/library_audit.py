"""Audit a library's categories: find misfiled memes, confused pairs of categories, tiny ones, and groups within one.

Everything is derived from out-of-fold predictions on features of the picture and
its OCR text, not on descriptions: those were written by a model that knew the category.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import combinations

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import HDBSCAN

from search.categories.confident_learning import find_label_issues
from search.categories.features import Examples, Places
from search.categories.issues import Issue, IssueKind
from search.categories.training import OutOfFold
from search.evidence import percent
from search.meme import CATEGORY_SEPARATOR, Meme

LEAST_SURE = 0.6  # least probability of the other category for a misfiled meme
LEAST_CONFUSED = 3  # memes of either category that are predicted as the other
CONFUSED_SHARE = 0.1  # least share of the smaller category's memes
NEAR_EMPTY = 3  # memes, at most
GROUP = 8  # memes: smallest group that could be a category
GROUP_SHARE = 0.5  # of its category; a larger group is the category itself
INSIDE = 0.5  # least membership strength in HDBSCAN
LARGEST = 2_000  # memes of a category that are clustered, at most
MOST = 200  # issues of a kind, at most
SHOWN = 8  # memes that illustrate an issue


def audit(
    features: Examples, held_out: OutOfFold, memes: Mapping[int, Meme], *, duplicates: Places | None = None
) -> list[Issue]:
    """Return the issues of a library's categories, the most certain first within each kind.

    `held_out` are predictions for the same examples; `memes` are by id; `duplicates` ([n]) is each example's
    group of duplicates, each of which counts once.

    >>> from search.categories.features import library_examples
    >>> from search.categories.training import fit
    >>> examples = library_examples(workspace.catalogue, encoder=encoder.name)
    >>> each = np.arange(len(examples))
    >>> _, held_out = fit(examples, names={}, duplicates=each, variants=each)
    >>> memes = {meme.id: meme for meme in workspace.catalogue.memes.everything()}
    >>> {issue.kind for issue in audit(examples, held_out, memes)} <= set(IssueKind)
    True
    """
    if not len(features) or len(held_out.categories) < 2:
        return []
    truth = np.searchsorted(np.array(held_out.categories), np.array(features.categories))
    return [
        *find_misfiled(features, held_out, truth),
        *find_confused(features, held_out, truth),
        *find_near_empty(features, held_out, truth),
        *find_groups_within(features, memes, duplicates=np.arange(len(features)) if duplicates is None else duplicates),
    ]


def find_misfiled(examples: Examples, held_out: OutOfFold, truth: Places) -> list[Issue]:
    """Return memes that probably belong in another category (Northcutt et al., Confident Learning, 2021)."""
    probabilities = np.clip(held_out.probabilities, 1e-9, 1).astype(np.float64)
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    found = []
    for position in find_label_issues(truth, probabilities):
        target = int(probabilities[position].argmax())
        probability = float(probabilities[position, target])
        # A prediction for an unknown template is not reliable enough to contradict its category.
        if target == truth[position] or probability < LEAST_SURE or not held_out.known_template[position]:
            continue
        near = _nearest(examples, int(position), np.flatnonzero(truth == target))
        found.append(
            Issue(
                IssueKind.MISFILED,
                held_out.categories[truth[position]],
                held_out.categories[target],
                (examples.contents[position],),
                f"Its picture and text look {percent(probability)} like {held_out.categories[target]}, "
                f"{percent(probabilities[position, truth[position]])} like {held_out.categories[truth[position]]}.",
                probability,
                tuple(examples.contents[place] for place in near),
            )
        )
    return sorted(found, key=lambda issue: (-issue.score, issue.memes))[:MOST]


def find_confused(examples: Examples, held_out: OutOfFold, truth: Places) -> list[Issue]:
    """Return pairs of categories whose memes are often predicted as the other."""
    predicted = held_out.probabilities.argmax(axis=1)
    table = np.zeros((len(held_out.categories), len(held_out.categories)), np.int64)
    np.add.at(table, (truth[held_out.known_template], predicted[held_out.known_template]), 1)
    sizes = np.bincount(truth, minlength=len(held_out.categories))
    found = []
    for one, other in combinations(range(len(held_out.categories)), 2):
        count = int(table[one, other] + table[other, one])
        small, large = sorted((one, other), key=lambda position: (sizes[position], held_out.categories[position]))
        if count < LEAST_CONFUSED or count < CONFUSED_SHARE * sizes[small]:
            continue
        as_large = np.flatnonzero((truth == small) & (predicted == large) & held_out.known_template)
        as_small = np.flatnonzero((truth == large) & (predicted == small) & held_out.known_template)
        found.append(
            Issue(
                IssueKind.CONFUSED,
                held_out.categories[small],
                held_out.categories[large],
                tuple(examples.contents[position] for position in np.flatnonzero(truth == small)),
                f"{len(as_large)} of {sizes[small]:,} in {held_out.categories[small]} look like "
                f"{held_out.categories[large]}, {len(as_small)} of {sizes[large]:,} the other way round.",
                count / float(sizes[small]),
                tuple(examples.contents[position] for position in (*as_large, *as_small)[:SHOWN]),
            )
        )
    return sorted(found, key=lambda issue: (-issue.score, issue.category, issue.target))[:MOST]


def find_near_empty(examples: Examples, held_out: OutOfFold, truth: Places) -> list[Issue]:
    """Return categories with at most NEAR_EMPTY memes, and the category that fits them best."""
    sizes = np.bincount(truth, minlength=len(held_out.categories))
    found = []
    for small in np.flatnonzero((sizes > 0) & (sizes <= NEAR_EMPTY)):
        members = np.flatnonzero(truth == small)
        probabilities = held_out.probabilities[members].mean(axis=0)
        probabilities[small] = -1
        # A category's parent is the best target for its memes.
        parent = held_out.categories[small].rpartition(CATEGORY_SEPARATOR)[0]
        target = held_out.categories.index(parent) if parent in held_out.categories else int(probabilities.argmax())
        count = int(sizes[small])
        found.append(
            Issue(
                IssueKind.NEAR_EMPTY,
                held_out.categories[small],
                held_out.categories[target],
                tuple(examples.contents[position] for position in members),
                f"It holds {count} {'meme' if count == 1 else 'memes'}.",
                1 / count,
                tuple(
                    examples.contents[position]
                    for position in _nearest(examples, int(members[0]), np.flatnonzero(truth == target))
                ),
            )
        )
    return sorted(found, key=lambda issue: (-issue.score, issue.category))[:MOST]


def find_groups_within(examples: Examples, memes: Mapping[int, Meme], *, duplicates: Places) -> list[Issue]:
    """Return clusters of similar memes within a large category, each of which could become a category.

    HDBSCAN (Campello et al., 2013) on their features; duplicates count once.
    """
    once = np.sort(np.unique(duplicates, return_index=True)[1])
    found = []
    for category in sorted(set(examples.categories)):
        members = np.array(
            [position for position in once if examples.categories[position] == category][:LARGEST], np.int64
        )
        if len(members) < GROUP / GROUP_SHARE:
            continue
        rows = examples.features.rows[members].astype(np.float64)
        clustered = HDBSCAN(min_cluster_size=GROUP, min_samples=3, cluster_selection_method="leaf", copy=True).fit(rows)
        # Exclude memes at the edge of a cluster.
        labels = np.where(clustered.probabilities_ >= INSIDE, clustered.labels_, -1)
        for label in range(labels.max() + 1):
            cluster = members[labels == label]
            if len(cluster) < GROUP or len(cluster) > GROUP_SHARE * len(members):
                continue
            middle = rows[labels == label].mean(axis=0)
            closeness = float(np.linalg.norm(middle) / np.linalg.norm(rows[labels == label], axis=1).mean())
            words = _words_in_common([memes[int(examples.ids[position])] for position in cluster], category)
            found.append(
                Issue(
                    IssueKind.GROUP,
                    category,
                    f"{category}{CATEGORY_SEPARATOR}{words}" if words else "",
                    tuple(examples.contents[position] for position in cluster),
                    f"{len(cluster)} of the {len(members):,} different memes in {category} are very similar"
                    + (f"; most of their file names contain “{words}”." if words else "."),
                    closeness * len(cluster) / len(members),
                    tuple(examples.contents[position] for position in cluster[:SHOWN]),
                )
            )
    return sorted(found, key=lambda issue: (-issue.score, issue.category, issue.memes))[:MOST]


def _nearest(examples: Examples, position: int, among: Places, *, count: int = 3) -> NDArray[np.int64]:
    others = among[among != position]
    alike = examples.features.rows[others] @ examples.features.rows[position]
    found: NDArray[np.int64] = others[np.argsort(-alike, kind="stable")[:count]]
    return found


def _words_in_common(memes: Sequence[Meme], category: str) -> str:
    """Return the words that most of the memes' names contain, in the order of the first name with all of them."""
    named = [[word for word in re.findall(r"[^\W\d_]{3,}", meme.name.rpartition(".")[0])] for meme in memes]
    counts = Counter(word.casefold() for words in named for word in {word.casefold(): word for word in words}.values())
    without = {word.casefold() for word in re.findall(r"[^\W\d_]+", category)}
    common = {word for word, count in counts.items() if 2 * count > len(memes) and word not in without}
    best = max(named, key=lambda words: sum(word.casefold() in common for word in words), default=[])
    return " ".join(dict.fromkeys(word for word in best if word.casefold() in common))[:60]

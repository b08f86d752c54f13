"""Audit the categories of a library: misfiled memes, confused pairs of categories, small ones, and groups within one.

The only module that uses cleanlab. Everything is derived from out-of-fold predictions on features of the picture and
its OCR text; descriptions were written by a model that knew the category.
"""

from __future__ import annotations

import re
import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import combinations

import numpy as np
from cleanlab.filter import find_label_issues
from numpy.typing import NDArray
from sklearn.cluster import HDBSCAN

from search.categories.features import Examples, Places
from search.categories.issues import Issue, IssueKind
from search.categories.training import OutOfFold
from search.meme import CATEGORY_SEPARATOR, Meme

LEAST_SURE = 0.6  # probability of the other category
LEAST_CONFUSED = 3  # memes of either category that are predicted as the other
CONFUSED_SHARE = 0.1  # of the smaller category
NEAR_EMPTY = 3  # memes
GROUP = 8  # memes: smallest group that could be a category
GROUP_SHARE = 0.5  # of its category; a larger group is the category itself
INSIDE = 0.5  # least membership strength in HDBSCAN
LARGEST = 2_000  # memes of a category that are clustered
MOST = 200  # issues of a kind
SHOWN = 8  # memes that illustrate an issue


def audit(
    features: Examples, held_out: OutOfFold, memes: Mapping[int, Meme], *, duplicates: Places | None = None
) -> list[Issue]:
    """Return the issues of a library's categories, the most certain first within each kind.

    `held_out` are predictions for the same examples, `memes` are by id, and `duplicates` ([n]) gives each example's
    group of duplicates, which count once.

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
    """Return memes that look as if they belonged in another category (Northcutt et al., Confident Learning, 2021)."""
    chances = np.clip(held_out.probabilities, 1e-9, 1).astype(np.float64)
    chances /= chances.sum(axis=1, keepdims=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # it warns of categories with few memes
        ranked = find_label_issues(truth, chances, return_indices_ranked_by="self_confidence", n_jobs=1)
    found = []
    for at in ranked:
        target = int(chances[at].argmax())
        sure = float(chances[at, target])
        # The prediction for an unknown template is no evidence against its category.
        if target == truth[at] or sure < LEAST_SURE or not held_out.known_template[at]:
            continue
        near = _nearest(examples, int(at), np.flatnonzero(truth == target))
        found.append(
            Issue(
                IssueKind.MISFILED,
                held_out.categories[truth[at]],
                held_out.categories[target],
                (examples.contents[at],),
                f"Its picture and text look {_percent(sure)} like {held_out.categories[target]}, "
                f"{_percent(chances[at, truth[at]])} like {held_out.categories[truth[at]]}.",
                sure,
                tuple(examples.contents[place] for place in near),
            )
        )
    return sorted(found, key=lambda one: (-one.score, one.memes))[:MOST]


def find_confused(examples: Examples, held_out: OutOfFold, truth: Places) -> list[Issue]:
    """Return pairs of categories whose memes are often predicted as the other."""
    predicted = held_out.probabilities.argmax(axis=1)
    table = np.zeros((len(held_out.categories), len(held_out.categories)), np.int64)
    np.add.at(table, (truth[held_out.known_template], predicted[held_out.known_template]), 1)
    sizes = np.bincount(truth, minlength=len(held_out.categories))
    found = []
    for one, other in combinations(range(len(held_out.categories)), 2):
        count = int(table[one, other] + table[other, one])
        small, large = sorted((one, other), key=lambda at: (sizes[at], held_out.categories[at]))
        if count < LEAST_CONFUSED or count < CONFUSED_SHARE * sizes[small]:
            continue
        taken = np.flatnonzero((truth == small) & (predicted == large) & held_out.known_template)
        there = np.flatnonzero((truth == large) & (predicted == small) & held_out.known_template)
        found.append(
            Issue(
                IssueKind.CONFUSED,
                held_out.categories[small],
                held_out.categories[large],
                tuple(examples.contents[at] for at in np.flatnonzero(truth == small)),
                f"{len(taken)} of {sizes[small]:,} in {held_out.categories[small]} look like "
                f"{held_out.categories[large]}, {len(there)} of {sizes[large]:,} the other way round.",
                count / float(sizes[small]),
                tuple(examples.contents[at] for at in (*taken, *there)[:SHOWN]),
            )
        )
    return sorted(found, key=lambda one: (-one.score, one.category, one.target))[:MOST]


def find_near_empty(examples: Examples, held_out: OutOfFold, truth: Places) -> list[Issue]:
    """Return categories with at most NEAR_EMPTY memes, and the category that fits them best."""
    sizes = np.bincount(truth, minlength=len(held_out.categories))
    found = []
    for small in np.flatnonzero((sizes > 0) & (sizes <= NEAR_EMPTY)):
        own = np.flatnonzero(truth == small)
        chances = held_out.probabilities[own].mean(axis=0)
        chances[small] = -1
        # A category's own parent fits its memes best.
        parent = held_out.categories[small].rpartition(CATEGORY_SEPARATOR)[0]
        target = held_out.categories.index(parent) if parent in held_out.categories else int(chances.argmax())
        count = int(sizes[small])
        found.append(
            Issue(
                IssueKind.NEAR_EMPTY,
                held_out.categories[small],
                held_out.categories[target],
                tuple(examples.contents[at] for at in own),
                f"It holds {count} {'meme' if count == 1 else 'memes'}.",
                1 / count,
                tuple(examples.contents[at] for at in _nearest(examples, int(own[0]), np.flatnonzero(truth == target))),
            )
        )
    return sorted(found, key=lambda one: (-one.score, one.category))[:MOST]


def find_groups_within(examples: Examples, memes: Mapping[int, Meme], *, duplicates: Places) -> list[Issue]:
    """Return clusters of similar memes within a large category, each of which could be a category of its own.

    HDBSCAN (Campello et al., 2013) on their features; duplicates count once.
    """
    once = np.sort(np.unique(duplicates, return_index=True)[1])
    found = []
    for category in sorted(set(examples.categories)):
        own = np.array([at for at in once if examples.categories[at] == category][:LARGEST], np.int64)
        if len(own) < GROUP / GROUP_SHARE:
            continue
        rows = examples.features.rows[own].astype(np.float64)
        clustered = HDBSCAN(min_cluster_size=GROUP, min_samples=3, cluster_selection_method="leaf", copy=True).fit(rows)
        # Leave out memes at a cluster's edge.
        labels = np.where(clustered.probabilities_ >= INSIDE, clustered.labels_, -1)
        for label in range(labels.max() + 1):
            members = own[labels == label]
            if len(members) < GROUP or len(members) > GROUP_SHARE * len(own):
                continue
            middle = rows[labels == label].mean(axis=0)
            closeness = float(np.linalg.norm(middle) / np.linalg.norm(rows[labels == label], axis=1).mean())
            words = _words_in_common([memes[int(examples.ids[at])] for at in members], category)
            found.append(
                Issue(
                    IssueKind.GROUP,
                    category,
                    f"{category}{CATEGORY_SEPARATOR}{words}" if words else "",
                    tuple(examples.contents[at] for at in members),
                    f"{len(members)} of the {len(own):,} different memes in {category} are very similar"
                    + (f"; most of their file names contain “{words}”." if words else "."),
                    closeness * len(members) / len(own),
                    tuple(examples.contents[at] for at in members[:SHOWN]),
                )
            )
    return sorted(found, key=lambda one: (-one.score, one.category, one.memes))[:MOST]


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def _nearest(examples: Examples, at: int, among: Places, *, count: int = 3) -> NDArray[np.int64]:
    others = among[among != at]
    alike = examples.features.rows[others] @ examples.features.rows[at]
    found: NDArray[np.int64] = others[np.argsort(-alike, kind="stable")[:count]]
    return found


def _words_in_common(memes: Sequence[Meme], category: str) -> str:
    """Return the words that most of the memes' names contain, in the order of the first name with all of them."""
    named = [[word for word in re.findall(r"[^\W\d_]{3,}", meme.name.rpartition(".")[0])] for meme in memes]
    counts = Counter(word.casefold() for words in named for word in {one.casefold(): one for one in words}.values())
    without = {word.casefold() for word in re.findall(r"[^\W\d_]+", category)}
    common = {word for word, count in counts.items() if 2 * count > len(memes) and word not in without}
    best = max(named, key=lambda words: sum(word.casefold() in common for word in words), default=[])
    return " ".join(dict.fromkeys(word for word in best if word.casefold() in common))[:60]

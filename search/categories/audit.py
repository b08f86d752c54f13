"""What looks wrong in the categories of a library: memes, pairs of categories, small ones, and groups within one.

The only home of cleanlab. Everything is said from predictions for memes that the model had not seen, and by what a new
upload has: a description was written by a model that had been told the category.
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

from search.categories.features import Known, Places
from search.categories.issues import Ailment, Finding
from search.categories.model import PARENT
from search.categories.training import OutOfFold
from search.meme import Meme

LEAST_SURE = 0.6  # of where a meme belongs instead, to be worth a look
LEAST_CONFUSED = 3  # memes of either category that look like the other's
CONFUSED_SHARE = 0.1  # of the smaller category
NEAR_EMPTY = 3  # memes
GROUP = 8  # memes that could be a category
GROUP_SHARE = 0.5  # of its category; a larger group is what the category is about
INSIDE = 0.5  # HDBSCAN's strength of membership
LARGEST = 2_000  # memes of a category in which groups are looked for
MOST = 200  # findings of a kind
SHOWN = 8  # memes that stand for a finding


def findings(known: Known, held: OutOfFold, memes: Mapping[int, Meme], *, groups: Places) -> list[Finding]:
    """Return what looks wrong, the surest first within each kind; `memes` are by id, `groups` those of duplicates."""
    if not len(known) or len(held.categories) < 2:
        return []
    of = np.searchsorted(np.array(held.categories), np.array(known.categories))
    return [
        *misfiled(known, held, of),
        *confused(known, held, of),
        *near_empty(known, held, of),
        *groups_within(known, memes, groups=groups),
    ]


def misfiled(known: Known, held: OutOfFold, of: Places) -> list[Finding]:
    """Return memes that look as if they belonged in another category (Northcutt et al., Confident Learning, 2021)."""
    chances = np.clip(held.probabilities, 1e-9, 1).astype(np.float64)
    chances /= chances.sum(axis=1, keepdims=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # that nothing is said of categories with few memes
        ranked = find_label_issues(of, chances, return_indices_ranked_by="self_confidence", n_jobs=1)
    found = []
    for at in ranked:
        target = int(chances[at].argmax())
        sure = float(chances[at, target])
        # What looks like nothing in the library says nothing about where it is.
        if target == of[at] or sure < LEAST_SURE or not held.kin[at]:
            continue
        near = _nearest(known, int(at), np.flatnonzero(of == target))
        found.append(
            Finding(
                Ailment.MISFILED,
                held.categories[of[at]],
                held.categories[target],
                (known.contents[at],),
                f"By its picture and its words it is {_percent(sure)} {held.categories[target]}, "
                f"{_percent(chances[at, of[at]])} {held.categories[of[at]]}.",
                sure,
                tuple(known.contents[place] for place in near),
            )
        )
    return sorted(found, key=lambda one: (-one.score, one.memes))[:MOST]


def confused(known: Known, held: OutOfFold, of: Places) -> list[Finding]:
    """Return pairs of categories whose memes are often taken for each other's."""
    guessed = held.probabilities.argmax(axis=1)
    table = np.zeros((len(held.categories), len(held.categories)), np.int64)
    np.add.at(table, (of[held.kin], guessed[held.kin]), 1)
    sizes = np.bincount(of, minlength=len(held.categories))
    found = []
    for one, other in combinations(range(len(held.categories)), 2):
        count = int(table[one, other] + table[other, one])
        small, large = sorted((one, other), key=lambda at: (sizes[at], held.categories[at]))
        if count < LEAST_CONFUSED or count < CONFUSED_SHARE * sizes[small]:
            continue
        taken = np.flatnonzero((of == small) & (guessed == large) & held.kin)
        there = np.flatnonzero((of == large) & (guessed == small) & held.kin)
        found.append(
            Finding(
                Ailment.CONFUSED,
                held.categories[small],
                held.categories[large],
                tuple(known.contents[at] for at in np.flatnonzero(of == small)),
                f"{len(taken)} of {sizes[small]:,} in {held.categories[small]} were taken for "
                f"{held.categories[large]}, {len(there)} of {sizes[large]:,} the other way round.",
                count / float(sizes[small]),
                tuple(known.contents[at] for at in (*taken, *there)[:SHOWN]),
            )
        )
    return sorted(found, key=lambda one: (-one.score, one.category, one.target))[:MOST]


def near_empty(known: Known, held: OutOfFold, of: Places) -> list[Finding]:
    """Return categories with hardly a meme, and where those would go."""
    sizes = np.bincount(of, minlength=len(held.categories))
    found = []
    for small in np.flatnonzero((sizes > 0) & (sizes <= NEAR_EMPTY)):
        own = np.flatnonzero(of == small)
        chances = held.probabilities[own].mean(axis=0)
        chances[small] = -1
        # A category's own parent is the nearest home that its memes have.
        parent = held.categories[small].rpartition(PARENT)[0]
        target = held.categories.index(parent) if parent in held.categories else int(chances.argmax())
        count = int(sizes[small])
        found.append(
            Finding(
                Ailment.NEAR_EMPTY,
                held.categories[small],
                held.categories[target],
                tuple(known.contents[at] for at in own),
                f"It holds {count} {'meme' if count == 1 else 'memes'}.",
                1 / count,
                tuple(known.contents[at] for at in _nearest(known, int(own[0]), np.flatnonzero(of == target))),
            )
        )
    return sorted(found, key=lambda one: (-one.score, one.category))[:MOST]


def groups_within(known: Known, memes: Mapping[int, Meme], *, groups: Places) -> list[Finding]:
    """Return groups of memes that are much alike within a large category: each could be one of its own.

    HDBSCAN (Campello et al., 2013) on their traits; duplicates count once.
    """
    once = np.sort(np.unique(groups, return_index=True)[1])
    found = []
    for category in sorted(set(known.categories)):
        own = np.array([at for at in once if known.categories[at] == category][:LARGEST], np.int64)
        if len(own) < GROUP / GROUP_SHARE:
            continue
        rows = known.traits.rows[own].astype(np.float64)
        clustered = HDBSCAN(min_cluster_size=GROUP, min_samples=3, cluster_selection_method="leaf", copy=True).fit(rows)
        # What hangs on at a cluster's edge would not be missed.
        labels = np.where(clustered.probabilities_ >= INSIDE, clustered.labels_, -1)
        for label in range(labels.max() + 1):
            those = own[labels == label]
            if len(those) < GROUP or len(those) > GROUP_SHARE * len(own):
                continue
            middle = rows[labels == label].mean(axis=0)
            closeness = float(np.linalg.norm(middle) / np.linalg.norm(rows[labels == label], axis=1).mean())
            words = _words_in_common([memes[int(known.ids[at])] for at in those], category)
            found.append(
                Finding(
                    Ailment.GROUP,
                    category,
                    f"{category}{PARENT}{words}" if words else "",
                    tuple(known.contents[at] for at in those),
                    f"{len(those)} of the {len(own):,} different memes in {category} are much alike"
                    + (f"; most of their names say “{words}”." if words else "."),
                    closeness * len(those) / len(own),
                    tuple(known.contents[at] for at in those[:SHOWN]),
                )
            )
    return sorted(found, key=lambda one: (-one.score, one.category, one.memes))[:MOST]


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def _nearest(known: Known, at: int, among: Places, *, count: int = 3) -> NDArray[np.int64]:
    others = among[among != at]
    alike = known.traits.rows[others] @ known.traits.rows[at]
    found: NDArray[np.int64] = others[np.argsort(-alike, kind="stable")[:count]]
    return found


def _words_in_common(memes: Sequence[Meme], category: str) -> str:
    """Return the words that most of the memes' names have, in the order of the first that has them all, or nothing."""
    named = [[word for word in re.findall(r"[^\W\d_]{3,}", meme.name.rpartition(".")[0])] for meme in memes]
    counts = Counter(word.casefold() for words in named for word in {one.casefold(): one for one in words}.values())
    without = {word.casefold() for word in re.findall(r"[^\W\d_]+", category)}
    common = {word for word, count in counts.items() if 2 * count > len(memes) and word not in without}
    best = max(named, key=lambda words: sum(word.casefold() in common for word in words), default=[])
    return " ".join(dict.fromkeys(word for word in best if word.casefold() in common))[:60]

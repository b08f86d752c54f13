"""Facets: how many memes of an answer are of each category, year and type."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from search.index.columns import TYPES, Ids, MemeColumns, union

MAX_VALUES = 12  # of a facet: the categories with the most memes, the newest years

Facets = Mapping[str, Mapping[str, int]]


def count_facets(
    columns: MemeColumns, ids: Ids, *, collapse: bool = False, tagged: Mapping[str, Sequence[int]] | None = None
) -> Facets:
    """Return the counts of `category` (parents hold their children), `year` (newest first) and `type` over memes.

    With `tagged`, the memes of each tag, `tag` is counted too where a meme has one.

    With `collapse`, variants within one value count once: as many as a search for that value alone would show.

    >>> count_facets(searcher.index.columns, searcher.index.columns.ids)["type"]
    {'image': 9}
    """
    rows = columns.rows(ids)
    # Only memes with variants can be one of a group: all others are counted as they are.
    is_grouped = columns.has_variants[rows] if collapse else np.zeros(len(rows), np.bool_)
    alone, grouped = rows[~is_grouped], rows[is_grouped]
    groups = columns.rows(columns.variant_of[grouped])
    types = _counted(columns.type[alone], columns.type[grouped], groups)
    years = _counted(columns.years[alone], columns.years[grouped], groups)
    # Those alone are counted by category, of which there are few, and each category's count goes to its branches.
    by_category = np.bincount(columns.category[alone], minlength=len(columns.categories))
    inside = columns.branch_places >= 0
    per_branch = np.bincount(
        columns.branch_places[inside],
        np.broadcast_to(by_category[:, None], inside.shape)[inside],
        minlength=len(columns.branch_names),
    )
    places = columns.branch_places[columns.category[grouped]]
    is_in = places >= 0
    in_groups = _counted(np.empty(0, np.int64), places[is_in], np.broadcast_to(groups[:, None], places.shape)[is_in])
    for place, memes in in_groups.items():
        per_branch[place] += memes
    branches = {int(place): int(per_branch[place]) for place in np.flatnonzero(per_branch)}
    named = {columns.branch_names[place]: memes for place, memes in branches.items()}
    ranked = sorted(named.items(), key=lambda one: (-one[1], one[0]))
    found = {
        "category": dict(ranked[:MAX_VALUES]),
        "year": {str(year): years[year] for year in sorted(years, reverse=True)[:MAX_VALUES]},
        "type": {TYPES[place].value: memes for place, memes in types.items()},
    }
    tags = _count_tags(columns, ids, tagged or {}, collapse=collapse)
    return found | {"tag": tags} if tags else found


def _count_tags(
    columns: MemeColumns, ids: Ids, tagged: Mapping[str, Sequence[int]], *, collapse: bool
) -> Mapping[str, int]:
    """Return how many of the memes have each tag, the most frequent first."""
    counts = {}
    for tag, of_tag in tagged.items():
        have = np.intersect1d(ids, np.array(of_tag, np.int64))
        # Of a group of variants that have the tag one is counted.
        counts[tag] = len(union(columns.variant_of[columns.rows(have)])) if collapse else len(have)
    ranked = sorted(((tag, memes) for tag, memes in counts.items() if memes), key=lambda one: (-one[1], one[0]))
    return dict(ranked[:MAX_VALUES])


def _counted(alone: NDArray[np.integer], grouped: NDArray[np.integer], groups: NDArray[np.int64]) -> dict[int, int]:
    """Return by key how many memes have it: one for each key in `alone`, one for each group of the keys `grouped`."""
    counts = np.bincount(alone) if len(alone) else np.zeros(0, np.int64)
    found = {key: memes for key, memes in enumerate(counts.tolist()) if memes}
    if not len(grouped):
        return found
    size = int(groups.max(initial=0)) + 1
    pairs = union(grouped.astype(np.int64) * size + groups)
    for key in (pairs // size).tolist():
        found[key] = found.get(key, 0) + 1
    return dict(sorted(found.items()))

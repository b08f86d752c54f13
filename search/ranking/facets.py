"""Facets: how many memes of an answer are of each category, year and type."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from search.index.columns import TYPES, Ids, MemeColumns

MAX_VALUES = 12  # of a facet: the categories with the most memes, the newest years

Facets = Mapping[str, Mapping[str, int]]


def count_facets(columns: MemeColumns, ids: Ids, *, collapse: bool = False) -> Facets:
    """Return the counts of `category` (parents hold their children), `year` (newest first) and `type` over memes.

    With `collapse`, variants within one value count once: as many as a search for that value alone would show.

    >>> count_facets(searcher.index.columns, searcher.index.columns.ids)["type"]
    {'image': 9}
    """
    rows = columns.rows(ids)
    groups = columns.rows(columns.variant_of[rows])
    # Only memes with variants can be one of a group: all others are counted as they are.
    grouped = columns.has_variants[rows] if collapse else np.zeros(len(rows), np.bool_)
    types = _counted(columns.type[rows].astype(np.int64), groups, grouped)
    years = _counted(columns.years[rows], groups, grouped)
    places = columns.branch_places[columns.category[rows]]
    inside = places >= 0
    shape = places.shape
    branches = _counted(
        places[inside],
        np.broadcast_to(groups[:, None], shape)[inside],
        np.broadcast_to(grouped[:, None], shape)[inside],
    )
    named = {columns.branch_names[place]: memes for place, memes in branches.items()}
    ranked = sorted(named.items(), key=lambda one: (-one[1], one[0]))
    return {
        "category": dict(ranked[:MAX_VALUES]),
        "year": {str(year): years[year] for year in sorted(years, reverse=True)[:MAX_VALUES]},
        "type": {TYPES[place].value: memes for place, memes in types.items()},
    }


def _counted(keys: NDArray[np.int64], groups: NDArray[np.int64], grouped: NDArray[np.bool_]) -> dict[int, int]:
    """Return by key how many it has, members of a group as one where they are `grouped`; all arrays are [n]."""
    size = int(groups.max(initial=0)) + 1
    pairs = np.sort(keys[grouped] * size + groups[grouped])
    once = pairs[np.diff(pairs, prepend=-1) != 0] // size
    counts = np.bincount(np.concatenate([keys[~grouped], once]))
    return {key: int(counts[key]) for key in np.flatnonzero(counts).tolist()}

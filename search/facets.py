"""How many memes of an answer are of each category, year and type: what could narrow it further."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from search.table import TYPES, Ids, MemeTable

SHOWN = 12  # of a facet, those with the most memes

Facets = Mapping[str, Mapping[str, int]]


def facets_of(table: MemeTable, ids: Ids) -> Facets:
    """Return the counts of `category` (parents hold their children), `year` (newest first) and `type` over memes."""
    rows = table.rows(ids)
    types = np.bincount(table.type[rows], minlength=len(TYPES))
    years, memes = np.unique(table.years[rows], return_counts=True)
    return {
        "category": _categories(table, rows),
        "year": {str(year): int(count) for year, count in zip(years[::-1][:SHOWN], memes[::-1][:SHOWN], strict=True)},
        "type": {kind.value: int(count) for kind, count in zip(TYPES, types, strict=True) if count},
    }


def _categories(table: MemeTable, rows: np.ndarray) -> Mapping[str, int]:
    own = np.bincount(table.category[rows], minlength=len(table.categories))
    counts = {}
    # Only branches of categories that are there: a library has hundreds, an answer a few.
    for name in {branch for code in np.flatnonzero(own).tolist() for branch in table.branches_above[code]}:
        counts[name] = int(own[table.branches[name.casefold()][1]].sum())
    ranked = sorted(counts.items(), key=lambda one: (-one[1], one[0]))
    return dict(ranked[:SHOWN])

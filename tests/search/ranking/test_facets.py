"""Facets against counting by hand."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from search.index.columns import TYPES, MemeColumns
from search.meme import MediaType
from search.ranking.facets import MAX_VALUES, count_facets

CATEGORIES = ("Films", "Films - Horror", "Films - Horror - Old", "Sport", "Zebras")
MEMES = 400


@pytest.fixture(scope="module")
def table() -> MemeColumns:
    draw = np.random.default_rng(3)
    ids = np.arange(MEMES, dtype=np.int64) * 5 + 2
    begin = datetime(2008, 1, 1, tzinfo=UTC)
    seen = [begin + timedelta(days=float(days)) for days in draw.random(MEMES) * 365 * 17]
    groups = draw.integers(0, MEMES // 3, MEMES)
    standing = {group: int(ids[groups == group].min()) for group in set(groups.tolist())}
    return MemeColumns(
        ids=ids,
        first_seen=np.array([int(one.timestamp()) for one in seen], np.int64),
        category=draw.integers(0, len(CATEGORIES), MEMES).astype(np.int32),
        type=draw.integers(0, len(TYPES), MEMES).astype(np.int8),
        has={},
        categories=CATEGORIES,
        variant_of=np.array([standing[group] for group in groups.tolist()], np.int64),
    )


def by_hand(table: MemeColumns, ids: set[int], *, collapse: bool) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, set[int]]] = {"category": {}, "year": {}, "type": {}}
    counted = {name: defaultdict(set) for name in found}
    for row, id in enumerate(table.ids.tolist()):
        if id not in ids:
            continue
        one = int(table.variant_of[row]) if collapse else id
        parts = CATEGORIES[table.category[row]].split(" - ")
        for depth in range(len(parts)):
            counted["category"][" - ".join(parts[: depth + 1])].add(one)
        counted["year"][str(datetime.fromtimestamp(int(table.first_seen[row]), UTC).year)].add(one)
        counted["type"][TYPES[table.type[row]].value].add(one)
    return {name: {value: len(memes) for value, memes in values.items()} for name, values in counted.items()}


@pytest.mark.parametrize("collapse", [False, True])
@pytest.mark.parametrize("share", [0.02, 0.4, 1.0])
def test_counts_are_those_made_by_hand(table: MemeColumns, share: float, collapse: bool) -> None:
    ids = np.sort(np.random.default_rng(8).choice(table.ids, int(share * MEMES), replace=False))
    expected = by_hand(table, set(ids.tolist()), collapse=collapse)
    facets = count_facets(table, ids, collapse=collapse)
    assert facets["category"] == expected["category"] and facets["type"] == expected["type"]
    newest = sorted(expected["year"], reverse=True)[:MAX_VALUES]
    assert list(facets["year"].items()) == [(year, expected["year"][year]) for year in newest]


def test_categories_with_most_memes_come_first(table: MemeColumns) -> None:
    counts = list(count_facets(table, table.ids)["category"].values())
    assert counts == sorted(counts, reverse=True)


def test_nothing_has_no_facets(table: MemeColumns) -> None:
    facets = count_facets(table, np.empty(0, np.int64))
    assert facets == {"category": {}, "year": {}, "type": {}} and MediaType.GIF in TYPES

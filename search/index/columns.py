"""The columns of an index (doc values), in memory: each meme's values for filters, facets and sorting."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from search.errors import IndexUnusable
from search.index.generations import COLUMNS
from search.meme import CATEGORY_SEPARATOR, Field, MediaType, Meme, name_key

TYPES = tuple(MediaType)
_IDS_PER_ROW = 8  # up to which rows are looked up in a table of all ids
_FEW = 1 / 32  # of the rows: so many are sorted in the time of a pass over all rows

Ids = NDArray[np.int64]  # [n] meme ids
Rows = NDArray[np.int64]  # [n] positions in the columns


@dataclass(frozen=True)
class MemeColumns:
    """The columns of an index, one row for each meme, by rising id."""

    ids: Ids
    first_seen: NDArray[np.int64]  # [n] seconds since 1970, UTC
    category: NDArray[np.int32]  # [n] positions in `categories`
    type: NDArray[np.int8]  # [n] positions in TYPES
    has: Mapping[Field, NDArray[np.bool_]]  # [n] each: whether the meme has data in the field
    categories: tuple[str, ...]
    variant_of: Ids  # [n] the id of the representative of its variants; its own id without variants

    def __len__(self) -> int:
        return len(self.ids)

    @cached_property
    def newest(self) -> Ids:
        """All ids ([n]), newest first; within the same second, higher ids first."""
        return self.ids[self._newest_rows]

    @cached_property
    def _newest_rows(self) -> Rows:
        # Of one second the higher id, which is the later row. Sorting by both takes four times as long.
        return np.argsort(self.first_seen, kind="stable")[::-1].astype(np.int64)

    def newest_of(self, ids: Ids) -> Ids:
        """Return some of the ids, newest first."""
        if len(ids) <= _FEW * len(self):
            return ids[np.lexsort((-ids, -self.first_seen[self.rows(ids)]))]
        return self.newest[self.mask(ids)[self._newest_rows]]

    def mask(self, ids: Ids) -> NDArray[np.bool_]:
        """Return for each row ([n]) whether its meme is among `ids`, all of which must be in the columns."""
        found = np.zeros(len(self), np.bool_)
        found[self.rows(ids)] = True
        return found

    def ids_with(self, field: Field, *, without: Sequence[Field]) -> Ids:
        """Return the ascending ids of the memes that have data in `field` and in none of the fields `without`."""
        # Every query asks for the same ones; in a library of a million memes, it took 8 ms.
        known = self._ids_with.get((field, *without))
        if known is None:
            wanted = self.has[field].copy()
            for other in without:
                wanted &= ~self.has[other]
            known = self._ids_with[(field, *without)] = self.ids[wanted]
        return known

    @cached_property
    def _ids_with(self) -> dict[tuple[Field, ...], Ids]:
        return {}

    def union(self, *parts: Ids) -> Ids:
        """Return the rising ids in any of the parts, all of which must be in the columns."""
        if sum(map(len, parts)) <= _FEW * len(self):
            return union(*parts)
        return self.ids[self.mask(np.concatenate(parts))]

    def rows(self, ids: Ids) -> Rows:
        """Return the positions of ids, all of which must be in the columns."""
        # To look 30,000 ids up takes a tenth of the time of searching for them.
        found: Rows = np.searchsorted(self.ids, ids) if self._row_of is None else self._row_of[ids]
        return found.astype(np.int64, copy=False)

    def positions(self, ids: Ids) -> Rows:
        """Return the positions of those of some ids that are in the columns."""
        places = np.searchsorted(self.ids, ids)
        return places[are_among(ids, self.ids)].astype(np.int64, copy=False)

    @cached_property
    def _row_of(self) -> Rows | None:
        """The row of each id up to the highest; None where most of them are of no meme."""
        size = int(self.ids.max(initial=0)) + 1
        if size > _IDS_PER_ROW * len(self) + 1024:
            return None
        found = np.zeros(size, np.int64)
        found[self.ids] = np.arange(len(self))
        return found

    @cached_property
    def has_variants(self) -> NDArray[np.bool_]:
        """Whether each meme ([n]) has variants."""
        rows = self.rows(self.variant_of)
        return np.bincount(rows, minlength=len(self))[rows] > 1

    def in_category(self, name: str) -> Ids | None:
        """Return the ascending ids of the memes in a category and its subcategories; None for an unknown category.

        Case and the form of Unicode do not matter; `TV` includes `TV - Star Trek` even when no meme is in `TV` itself.
        """
        branch = self.branches.get(name_key(name.strip()))
        return None if branch is None else self.ids[np.isin(self.category, branch[1])]

    @cached_property
    def branches(self) -> Mapping[str, tuple[str, list[int]]]:
        """Each category and parent by the key of its name: its name, and the positions of those below it."""
        found: dict[str, tuple[str, list[int]]] = {}
        for code, names in enumerate(self.branches_above):
            for name in names:
                found.setdefault(name_key(name), (name, []))[1].append(code)
        return found

    @cached_property
    def branches_above(self) -> Sequence[tuple[str, ...]]:
        """For each category its parents' names and its own, outermost first."""
        found = []
        for category in self.categories:
            parts = category.split(CATEGORY_SEPARATOR)
            found.append(tuple(CATEGORY_SEPARATOR.join(parts[:end]) for end in range(1, len(parts) + 1)))
        return found

    @cached_property
    def branch_names(self) -> Sequence[str]:
        """The names of categories and parents, in the order of `branches`."""
        return [name for name, _ in self.branches.values()]

    @cached_property
    def branch_places(self) -> NDArray[np.int64]:
        """For each category ([c, depth]) the positions in `branch_names` of its parents and itself, then -1."""
        places = {name: place for place, name in enumerate(self.branches)}
        depth = max(map(len, self.branches_above), default=1)
        found = np.full((len(self.categories), depth), -1, np.int64)
        for code, names in enumerate(self.branches_above):
            found[code, : len(names)] = [places[name_key(name)] for name in names]
        return found

    @cached_property
    def years(self) -> NDArray[np.int64]:
        """The year ([n], UTC) in which each meme was first seen."""
        return self.first_seen.astype("datetime64[s]").astype("datetime64[Y]").astype(np.int64) + 1970

    def variants(self, id: int) -> Ids:
        """Return the ascending ids of a meme and its variants; none of a meme that is newer than the columns."""
        place = int(np.searchsorted(self.ids, id))
        if place == len(self) or self.ids[place] != id:
            return self.ids[:0]
        order, groups = self._by_group
        own = self.variant_of[place]
        return self.ids[order[np.searchsorted(groups, own, "left") : np.searchsorted(groups, own, "right")]]

    def only(self, ids: Ids) -> MemeColumns:
        """Return the columns of some memes ([n] rising ids), all of which must be in them."""
        rows = self.rows(ids)
        used, category = np.unique(self.category[rows], return_inverse=True)
        return MemeColumns(
            ids=ids,
            first_seen=self.first_seen[rows],
            category=category.astype(np.int32),
            type=self.type[rows],
            has={field: column[rows] for field, column in self.has.items()},
            categories=tuple(self.categories[code] for code in used.tolist()),
            variant_of=self.variant_of[rows],
        )

    def representatives(self, *, without: Ids) -> Ids:
        """Return the ascending ids of the memes that represent their variants, or have none, except some."""
        found = self.variant_of == self.ids
        found[self.positions(without)] = False
        return self.ids[found]

    @cached_property
    def _by_group(self) -> tuple[Rows, Ids]:
        """The rows ([n]) in the order of their groups of variants, and the group of each."""
        order = np.argsort(self.variant_of, kind="stable")
        return order, self.variant_of[order]


def are_among(ids: Ids, rising: Ids) -> NDArray[np.bool_]:
    """Return which of some ids ([n]) are among others, which rise. For some hundred, `np.isin` takes ten times as long.

    >>> are_among(np.array([5, 1, 3]), np.array([1, 2, 3])).tolist()
    [False, True, True]
    """
    if not len(rising):
        return np.zeros(len(ids), np.bool_)
    found: NDArray[np.bool_] = rising[np.minimum(np.searchsorted(rising, ids), len(rising) - 1)] == ids
    return found


def union(*parts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the rising numbers that are in any of the parts, each once.

    Parts that rise are merged. `np.unique` hashes numbers: for 30,000 of them it takes sixty times as long.

    >>> union(np.array([1, 3]), np.array([1, 2])).tolist()
    [1, 2, 3]
    """
    found = np.sort(np.concatenate(parts), kind="stable")
    is_first = np.ones(len(found), np.bool_)
    is_first[1:] = found[1:] != found[:-1]
    return found[is_first]


def make_columns(
    memes: Sequence[Meme], *, fields: Mapping[Field, Ids], representatives: Mapping[int, int] | None = None
) -> MemeColumns:
    """Return the columns of memes, which are ordered by id; `fields` gives the ids of those with data in each field.

    `representatives` gives, by a meme's id, the id of the meme that represents it among its variants.
    """
    categories = tuple(sorted({meme.category for meme in memes}))
    codes = {category: code for code, category in enumerate(categories)}
    ids = np.array([meme.id for meme in memes], np.int64)
    return MemeColumns(
        ids=ids,
        first_seen=np.array([int(meme.first_seen.timestamp()) for meme in memes], np.int64),
        category=np.array([codes[meme.category] for meme in memes], np.int32),
        type=np.array([TYPES.index(meme.type) for meme in memes], np.int8),
        has={field: np.isin(ids, owners) for field, owners in fields.items()},
        categories=categories,
        variant_of=np.array([(representatives or {}).get(meme.id, meme.id) for meme in memes], np.int64),
    )


def update_columns(columns: MemeColumns, added: MemeColumns, *, without: Ids) -> MemeColumns:
    """Return the columns without the memes in `without` and with the `added` ones, of which none may be left.

    When the representative of variants is gone, the first of the remaining variants represents them.
    """
    gone = columns.positions(np.unique(without))
    pieces = list(_pieces(len(columns), gone, np.searchsorted(columns.ids, added.ids)))

    def joined(column: NDArray, more: NDArray) -> NDArray:
        return np.concatenate([(more if is_added else column)[rows] for is_added, rows in pieces])

    ids, variant_of = joined(columns.ids, added.ids), joined(columns.variant_of, added.variant_of)
    orphaned = without[~are_among(without, added.ids)]
    orphans = np.flatnonzero(np.isin(variant_of, orphaned)) if len(orphaned) else orphaned
    _, first, group = np.unique(variant_of[orphans], return_index=True, return_inverse=True)
    variant_of[orphans] = ids[orphans[first]][group]
    categories, codes = _joined_categories(columns, added, joined)
    empty = {len(one): np.zeros(len(one), np.bool_) for one in (columns, added)}
    fields = [*columns.has, *(field for field in added.has if field not in columns.has)]
    return MemeColumns(
        ids=ids,
        first_seen=joined(columns.first_seen, added.first_seen),
        category=codes,
        type=joined(columns.type, added.type),
        has={
            field: joined(columns.has.get(field, empty[len(columns)]), added.has.get(field, empty[len(added)]))
            for field in fields
        },
        categories=categories,
        variant_of=variant_of,
    )


def columns_without(columns: MemeColumns, gone: Ids) -> MemeColumns:
    """Return the columns without some memes ([n] rising), whose variants another meme represents then.

    >>> columns_without(searcher.index.columns, np.array([4])).ids.tolist()
    [1, 2, 3, 5, 6, 7, 8, 9]
    """
    if not are_among(gone, columns.ids).any():
        return columns
    return update_columns(columns, columns.only(gone[:0]), without=gone)


def _pieces(count: int, gone: Rows, at: Rows) -> Iterator[tuple[bool, slice]]:
    """Yield what columns of `count` rows without those `gone` and with others before the rows `at` consist of.

    Each piece is a run of the rows, or of the others.
    """
    ends = np.unique(np.concatenate([gone, at, [count]])).tolist()
    lost, begun, taken = set(gone.tolist()), 0, 0
    for end in ends:
        yield False, slice(begun, end)
        more = int(np.searchsorted(at, end, "right"))
        yield True, slice(taken, more)
        begun, taken = end + (end in lost), more


def _joined_categories(
    columns: MemeColumns, added: MemeColumns, joined: Callable[[NDArray, NDArray], NDArray]
) -> tuple[tuple[str, ...], NDArray[np.int32]]:
    """Return the categories that are left, sorted, and the position of each meme's among them."""
    names = tuple(sorted({*columns.categories, *added.categories}))
    place_of = {name: place for place, name in enumerate(names)}
    before, after = (np.array([place_of[name] for name in one.categories], np.int32) for one in (columns, added))
    own = columns.category if names == columns.categories else before[columns.category]
    codes = joined(own, after[added.category])
    is_used = np.bincount(codes, minlength=len(names)) > 0
    if is_used.all():
        return names, codes
    kept = tuple(name for name, used in zip(names, is_used.tolist(), strict=True) if used)
    return kept, (np.cumsum(is_used) - 1).astype(np.int32)[codes]


def write_columns(path: Path | BinaryIO, columns: MemeColumns) -> None:
    """Write columns to one file, given by its path or open."""
    has = {f"has_{field}": column for field, column in columns.has.items()}
    np.savez(
        path,
        ids=columns.ids,
        first_seen=columns.first_seen,
        category=columns.category,
        type=columns.type,
        categories=np.array(columns.categories, np.str_),
        variant_of=columns.variant_of,
        **has,  # type: ignore[arg-type]
    )


def read_columns(path: Path | BinaryIO) -> MemeColumns:
    """Return the columns in a file, given by its path or open; raise IndexUnusable when it is missing or damaged."""
    try:
        with np.load(path, allow_pickle=False) as columns:
            return MemeColumns(
                ids=columns["ids"],
                first_seen=columns["first_seen"],
                category=columns["category"],
                type=columns["type"],
                has={Field(name[4:]): columns[name] for name in columns.files if name.startswith("has_")},
                categories=tuple(str(name) for name in columns["categories"]),
                variant_of=columns["variant_of"],
            )
    except Exception as error:  # zipfile and numpy raise many types for one cause
        raise IndexUnusable(f"{COLUMNS} of the index is damaged: {error}.", hint="Run `memetica index`.") from error

"""What filters and sorting need to know of every meme, as columns in memory: written with the index, read with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from search.errors import IndexUnusable
from search.meme import CATEGORY_SEPARATOR, Field, MediaType, Meme

TYPES = tuple(MediaType)

Ids = NDArray[np.int64]  # [n] meme ids
Rows = NDArray[np.int64]  # [n] places in the table


@dataclass(frozen=True)
class MemeColumns:
    """A row for each meme, by rising id."""

    ids: Ids
    first_seen: NDArray[np.int64]  # [n] seconds since 1970, UTC
    category: NDArray[np.int32]  # [n] places in `categories`
    type: NDArray[np.int8]  # [n] places in TYPES
    has: Mapping[Field, NDArray[np.bool_]]  # [n] each: whether the meme has anything in the field
    categories: tuple[str, ...]
    variant_of: Ids  # [n] the id of the meme that stands for it among its variants; its own when it has none

    def __len__(self) -> int:
        return len(self.ids)

    @cached_property
    def newest(self) -> Ids:
        """The ids ([n]), newest first, the higher id first where two are of one second."""
        return self.ids[np.lexsort((-self.ids, -self.first_seen))]

    def newest_of(self, ids: Ids) -> Ids:
        """Return some of the table's ids, newest first."""
        return self.newest[np.isin(self.newest, ids)]

    def ids_with(self, field: Field, *, without: Sequence[Field]) -> Ids:
        """Return the rising ids of the memes that have something in a field and nothing in the others."""
        wanted = self.has[field].copy()
        for other in without:
            wanted &= ~self.has[other]
        return self.ids[wanted]

    def rows(self, ids: Ids) -> Rows:
        """Return the places of ids that are in the table."""
        found: Rows = np.searchsorted(self.ids, ids).astype(np.int64)
        return found

    def in_category(self, name: str) -> Ids | None:
        """Return the rising ids of a category and of its children; None when there is no such category.

        Upper and lower case are the same; `TV` holds `TV - Star Trek` even when nothing is filed in `TV` itself.
        """
        branch = self.branches.get(name.strip().casefold())
        return None if branch is None else self.ids[np.isin(self.category, branch[1])]

    @cached_property
    def branches(self) -> Mapping[str, tuple[str, list[int]]]:
        """Each category and parent by its name in lower case: its name, and the places of all below it."""
        found: dict[str, tuple[str, list[int]]] = {}
        for code, names in enumerate(self.branches_above):
            for name in names:
                found.setdefault(name.casefold(), (name, []))[1].append(code)
        return found

    @cached_property
    def branches_above(self) -> Sequence[tuple[str, ...]]:
        """The names of each category and of its parents, outermost first."""
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
        """For each category ([c, depth]) the places in `branch_names` of itself and its parents, -1 beyond."""
        places = {name: place for place, name in enumerate(self.branches)}
        depth = max(map(len, self.branches_above), default=1)
        found = np.full((len(self.categories), depth), -1, np.int64)
        for code, names in enumerate(self.branches_above):
            found[code, : len(names)] = [places[name.casefold()] for name in names]
        return found

    @cached_property
    def years(self) -> NDArray[np.int64]:
        """The years ([n]) in which the memes were first seen, UTC."""
        return self.first_seen.astype("datetime64[s]").astype("datetime64[Y]").astype(np.int64) + 1970

    def variants(self, id: int) -> Ids:
        """Return the rising ids of a meme and of its variants."""
        own = self.variant_of[self.rows(np.array([id]))]
        return self.ids[self.variant_of == own]


def make_columns(
    memes: Sequence[Meme], *, fields: Mapping[Field, Ids], representatives: Mapping[int, int] | None = None
) -> MemeColumns:
    """Return the table of memes in order of id; `fields` gives the ids of those that have something in a field.

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


def update_columns(table: MemeColumns, added: MemeColumns, *, without: Ids) -> MemeColumns:
    """Return a table with more memes, and without some; the ids of those that come must be among these.

    Memes whose variants' representative went are represented by the first of them.
    """
    kept = ~np.isin(table.ids, without)
    ids = np.concatenate([table.ids[kept], added.ids])
    order = np.argsort(ids, kind="stable")
    ids = ids[order]

    def joined(column: NDArray, more: NDArray) -> NDArray:
        return np.concatenate([column[kept], more])[order]

    names = np.array([*table.categories, *added.categories], np.str_)
    named = joined(table.category, added.category + np.int32(len(table.categories)))
    categories, category = np.unique(names[named], return_inverse=True)
    variant_of = joined(table.variant_of, added.variant_of)
    for gone in np.setdiff1d(variant_of, ids):
        variant_of[variant_of == gone] = ids[variant_of == gone][0]
    nothing = {len(one): np.zeros(len(one), np.bool_) for one in (table, added)}
    fields = [*table.has, *(field for field in added.has if field not in table.has)]
    return MemeColumns(
        ids=ids,
        first_seen=joined(table.first_seen, added.first_seen),
        category=category.astype(np.int32),
        type=joined(table.type, added.type),
        has={
            field: joined(table.has.get(field, nothing[len(table)]), added.has.get(field, nothing[len(added)]))
            for field in fields
        },
        categories=tuple(categories.tolist()),
        variant_of=variant_of,
    )


def write_columns(path: Path, table: MemeColumns) -> None:
    """Write a table to one file."""
    has = {f"has_{field}": column for field, column in table.has.items()}
    np.savez(
        path,
        ids=table.ids,
        first_seen=table.first_seen,
        category=table.category,
        type=table.type,
        categories=np.array(table.categories, np.str_),
        variant_of=table.variant_of,
        **has,  # type: ignore[arg-type]
    )


def read_columns(path: Path) -> MemeColumns:
    """Return the table in a file; raise IndexUnusable when it is missing or damaged."""
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
    except Exception as error:  # zipfile and numpy raise many kinds for one cause
        raise IndexUnusable(f"{path.name} of the index is damaged: {error}.", hint="Run `memetica index`.") from error

"""Dense indexes: rows of length 1, several a meme, searched by cosine and answered by meme.

Rows are stored in half precision, the precision of the catalogue. A search of a few thousand scans them all. In a
larger index codes propose rows (see `codes`), which are then compared in half precision: a score is always exact. The
codes are asked for more rows until one that they left out is unlikely to belong to the answer.
An index that was extended may have a second, small part beside the main one; `dense_writer` writes both.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from search.errors import IndexUnusable
from search.index.columns import are_among
from search.index.vectors.owners import REBUILD_HINT, Ids, Owners, Similarities, best_per_owner, damaged
from search.index.vectors.row_part import Places, RowPart, Rows, half_precision, places_of

ADDED = "added"  # the folder of the second part
REMOVED_FILE = "removed.npy"  # the memes whose rows in the main part are no longer theirs
# Rows that the codes propose at first: so many for each meme wanted, or this share of all. To scan the codes again for
# more of them takes longer than to compare a few more rows.
_PROPOSED, _PROPOSED_SHARE = 12, 1 / 350
# By how many standard deviations of the estimates' errors a row that was not proposed must miss the answer.
_DEVIATIONS = 4
_ERRORS = 512  # are looked at, at most
_CODED_SHARE = 1 / 8  # of the rows: scanning the codes of all takes as long as scanning this many rows themselves
_COMPARED_SHARE = 1 / 12  # likewise: picking out and comparing this many rows, less a scan of the codes
_LEAST_STEP, _MOST_GROWTH = 1e-6, 20.0  # where estimates are equal, or far above what is needed
_SPARE = 1.3  # times the rows that the codes are asked for at last, over the number that is expected to do
_COPIED_SHARE = 0.03  # up to this share of the rows, copying the allowed ones is faster than skipping the others
_untyped: Any = faiss  # faiss's type stubs have no keyword arguments and arrays

# Places are the positions of rows: those of the main part, then those of the second.


@dataclass(frozen=True)
class PartSelection:
    """Some rows of a part: how many, and their bits, None for all.

    A selector does not copy the bits, so whoever searches keeps this.
    """

    count: int
    bits: NDArray[np.uint8] | None

    @classmethod
    def of(cls, places: Places, *, rows: int) -> PartSelection:
        """Return the selection of rows by their places in a part of `rows` rows."""
        if len(places) == rows:
            return cls(rows, None)
        selected = np.zeros(rows, bool)
        selected[places] = True
        return cls(len(places), np.packbits(selected, bitorder="little"))

    @classmethod
    def without(cls, places: Places, *, rows: int) -> PartSelection:
        """Return the selection of all rows of a part but some."""
        if not len(places):
            return cls(rows, None)
        bits = np.full((rows + 7) // 8, 255, np.uint8)
        np.bitwise_and.at(bits, places >> 3, ~np.left_shift(1, places & 7).astype(np.uint8))
        return cls(rows - len(places), bits)

    @cached_property
    def selector(self) -> Any:
        """The selector for faiss, None for all rows."""
        return None if self.bits is None else _untyped.IDSelectorBitmap(self.bits)

    def has(self, places: Places) -> NDArray[np.bool_]:
        """Return which rows are selected ([n] bool)."""
        if self.bits is None:
            return np.ones(len(places), np.bool_)
        return (self.bits[places >> 3] >> (places & 7) & 1).astype(np.bool_)


@dataclass(frozen=True)
class RowSelection:
    """Some rows of an index, prepared for searches among them alone; `places` are all of them."""

    places: Places
    main: PartSelection
    added: PartSelection


@dataclass(frozen=True)
class DenseIndex:
    """An opened, immutable index; any thread may search it."""

    main: RowPart
    added: RowPart | None = None
    removed: Ids = field(default_factory=lambda: np.empty(0, np.int64))

    @classmethod
    def open(cls, folder: Path, *, dimensions: int) -> DenseIndex:
        """Return the index in a folder; raise IndexUnusable when it is missing, damaged or of other dimensions."""
        main = RowPart.open(folder, dimensions=dimensions)
        if not (folder / ADDED).is_dir():
            return cls(main)
        try:
            removed = np.load(folder / REMOVED_FILE)
        except (OSError, ValueError, EOFError) as error:
            raise damaged(folder, error) from error
        return cls(main, RowPart.open(folder / ADDED, dimensions=dimensions), removed)

    def __len__(self) -> int:
        return len(self.main.owners) - len(self._gone) + (0 if self.added is None else len(self.added.owners))

    @property
    def dimensions(self) -> int:
        """The number of dimensions of a row."""
        return int(self.main.index.d)

    @cached_property
    def owners(self) -> Owners:
        """The meme of each row ([n] int64), rising."""
        return self.main.owners if self._order is None else self._owners_at(self._order)

    @cached_property
    def _gone(self) -> Places:
        """The rising places of the rows in the main part that are no longer their memes'."""
        return places_of(*self.main.runs(self.removed))

    @cached_property
    def _order(self) -> Places | None:
        """The place of each row in the order of the owners; None for an index of one part, which is in this order."""
        if self.added is None:
            return None
        live = np.delete(np.arange(len(self.main.owners)), self._gone)
        added = len(self.main.owners) + np.arange(len(self.added.owners))
        return np.insert(live, np.searchsorted(self.main.owners[live], self.added.owners), added)

    @cached_property
    def _every(self) -> RowSelection:
        """All rows; their places are not listed."""
        added = 0 if self.added is None else len(self.added.owners)
        main = PartSelection.without(self._gone, rows=len(self.main.owners))
        return RowSelection(np.empty(0, np.int64), main, PartSelection(added, None))

    def all_rows(self) -> Rows:
        """Return all rows ([n, d]) in the order of the owners: the index's own memory where it has one part."""
        return self.main.rows if self._order is None else self._rows_at(self._order)

    def sample(self, step: int) -> Rows:
        """Return every `step`-th row, [m, d]."""
        return self.main.rows[::step] if self._order is None else self._rows_at(self._order[::step])

    def search(
        self, query: NDArray[np.float32], k: int, *, allowed: Ids | RowSelection | None = None
    ) -> tuple[Ids, Similarities]:
        """Return the ids of the k memes with the nearest row to a query ([d] float32), and the cosines of these rows.

        [≤ k] int64 and float32, best first, ties by id. With `allowed` ([m] int64, rising, or a selection that `select`
        made of them) only these memes are considered. Raises IndexUnusable when the query has other dimensions.
        """
        query = self._checked(query)
        if allowed is None:
            selection = self._every
        else:
            selection = allowed if isinstance(allowed, RowSelection) else self.select(allowed)
            if len(selection.places) <= max(_COPIED_SHARE * len(self), k):
                owners = self._owners_at(selection.places)
                return best_per_owner(owners, _similarities(query, self._rows_at(selection.places)), k)
        ids, best = _nearest(self.main, query, k, selection.main)
        if self.added is None or not selection.added.count:
            return ids, best
        others, near = _nearest(self.added, query, k, selection.added)
        return best_per_owner(np.concatenate([ids, others]), np.concatenate([best, near]), k)

    def scores(self, query: NDArray[np.float32], *, ids: Ids, best: int = 1) -> Similarities:
        """Return for each meme ([n] float32) the mean cosine of its `best` nearest rows, of all where it has fewer.

        NaN for a meme without rows. `ids` may be in any order. Raises IndexUnusable when the query has other
        dimensions.
        """
        query = self._checked(query)
        places, counts = self._places(ids)
        found = np.full(len(ids), np.nan, np.float32)
        has = counts > 0
        if not has.any():
            return found
        similarities = _similarities(query, self._rows_at(places))
        starts = (np.cumsum(counts) - counts)[has]
        if best == 1:
            found[has] = np.maximum.reduceat(similarities, starts)
            return found
        group = np.repeat(np.arange(len(ids)), counts)
        similarities = similarities[np.lexsort((-similarities, group))]
        rank = np.arange(len(places)) - np.repeat(np.cumsum(counts) - counts, counts)
        sums = np.add.reduceat(np.where(rank < best, similarities, 0), starts)
        found[has] = sums / np.minimum(counts[has], best)
        return found

    def rows_of(self, id: int) -> NDArray[np.float32]:
        """Return a meme's rows, [m, d] float32; m is 0 for a meme without rows."""
        return np.asarray(self._rows_at(self._places(np.array([id]))[0]), np.float32)

    def select(self, ids: Ids) -> RowSelection:
        """Return the rows of memes ([m] rising ids), for several searches among them."""
        places = self._places(ids)[0]
        rows = len(self.main.owners)
        added = 0 if self.added is None else len(self.added.owners)
        is_in_main = places < rows
        return RowSelection(
            places,
            PartSelection.of(places[is_in_main], rows=rows),
            PartSelection.of(places[~is_in_main] - rows, rows=added),
        )

    def count_rows(self, ids: Ids) -> int:
        """Return how many rows some memes have."""
        return int(self._runs(ids)[1].sum())

    def _places(self, ids: Ids) -> tuple[Places, NDArray[np.int64]]:
        """Return the places of the rows of memes, meme after meme, and the number of each meme's rows ([n])."""
        first, counts = self._runs(ids)
        return places_of(first, counts), counts

    def _runs(self, ids: Ids) -> tuple[Places, NDArray[np.int64]]:
        """Return the place of the first row and the number of rows of each of some memes ([n] both)."""
        first, counts = self.main.runs(ids)
        if self.added is None:
            return first, counts
        counts = np.where(are_among(ids, self.removed), 0, counts)
        own, of_added = self.added.runs(ids)
        return np.where(of_added > 0, len(self.main.owners) + own, first), counts + of_added

    def _owners_at(self, places: Places) -> Owners:
        """Return the memes of the rows at some places ([m])."""
        is_added = places >= len(self.main.owners)
        if self.added is None or not is_added.any():
            return self.main.owners[places]
        found = np.empty(len(places), np.int64)
        found[~is_added] = self.main.owners[places[~is_added]]
        found[is_added] = self.added.owners[places[is_added] - len(self.main.owners)]
        return found

    def _rows_at(self, places: Places) -> Rows:
        """Return the rows at some places ([m, d])."""
        is_added = places >= len(self.main.owners)
        if self.added is None or not is_added.any():
            return self.main.rows[places]
        found = np.empty((len(places), self.dimensions), np.float16)
        found[~is_added] = self.main.rows[places[~is_added]]
        found[is_added] = self.added.rows[places[is_added] - len(self.main.owners)]
        return found

    def _checked(self, query: NDArray[np.float32]) -> NDArray[np.float32]:
        if query.shape != (self.dimensions,):
            raise IndexUnusable(
                f"A query of shape {query.shape} does not fit an index of {self.dimensions} dimensions.",
                hint=REBUILD_HINT,
            )
        return np.ascontiguousarray(query, np.float32)[None]


def _nearest(part: RowPart, query: NDArray[np.float32], k: int, among: PartSelection) -> tuple[Ids, Similarities]:
    """Return the best k memes of a part: of the rows that its codes propose, or of all of them."""
    every = len(part.owners)
    wanted = max(_PROPOSED * k, int(_PROPOSED_SHARE * every)) if k > 0 else 0
    if part.codes is None or among.count < _CODED_SHARE * every:
        return _scan(part, query, k, among)
    for _ in range(2):
        if not 0 < wanted <= _COMPARED_SHARE * every:
            break
        proposed, estimates = part.codes.propose(query, wanted)
        selected = np.flatnonzero(among.has(proposed))
        places = proposed[selected]
        ids, best = np.empty(0, np.int64), np.empty(0, np.float32)
        for most in (2 * k, len(places)):  # to order all of them takes longer than to compare them
            similarities, order = _compared(query, part.rows[places], most)
            ids, best = best_per_owner(part.owners[places[order]], similarities, k)
            if len(ids) == k and best[-1] > similarities[-1]:
                break
        if len(ids) < k:
            wanted *= 1 + k // max(len(ids), 1)
            continue
        some = selected[:: len(selected) // _ERRORS + 1]
        errors = _similarities(query, part.rows[proposed[some]]) - estimates[some]
        least = best[-1] - np.mean(errors) - _DEVIATIONS * np.std(errors)
        if least > estimates[-1]:
            return ids, best
        # The number of rows with at least an estimate falls exponentially with it.
        rate = np.log(2) / max(estimates[len(estimates) // 2] - estimates[-1], _LEAST_STEP)
        wanted = int(min(_SPARE * wanted * np.exp(min(rate * (estimates[-1] - least), _MOST_GROWTH)), every))
    return _scan(part, query, k, among)


def _scan(part: RowPart, query: NDArray[np.float32], k: int, among: PartSelection) -> tuple[Ids, Similarities]:
    """Return the best k memes of a part, fetching more rows until these have k memes and all their ties."""
    wanted = min(2 * k, among.count)
    while k > 0 and wanted > 0:
        parameters = _untyped.SearchParameters(sel=among.selector) if among.bits is not None else None
        index: Any = part.index
        scores, rows = index.search(query, wanted, params=parameters)
        there = rows[0] >= 0  # faiss pads short answers with −1
        ids, best = best_per_owner(part.owners[rows[0][there]], scores[0][there], k)
        # A row after the last one may tie with the k-th meme and belong to a meme with a lower id.
        if wanted == among.count or (len(ids) == k and best[-1] > scores[0][-1]):
            return ids, best
        wanted = min(4 * wanted, among.count)
    return np.empty(0, np.int64), np.empty(0, np.float32)


def _similarities(query: NDArray[np.float32], rows: Rows) -> Similarities:
    """Return the cosines of some rows, equal to the last bit to those that a search of all rows gives."""
    found = np.empty(len(rows), np.float32)
    similarities, order = _compared(query, rows, len(rows))
    found[order] = similarities
    return found


def _compared(query: NDArray[np.float32], rows: Rows, most: int) -> tuple[Similarities, Places]:
    """Return the highest cosines of some rows, falling, at most so many, and the positions of these rows."""
    most = min(most, len(rows))
    if not most:
        return np.empty(0, np.float32), np.empty(0, np.int64)
    some = half_precision(rows.shape[1])
    some.add_sa_codes(rows.view(np.uint8))
    similarities, order = some.search(query, most)
    return similarities[0], order[0]

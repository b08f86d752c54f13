"""The index in this process: the opened files of one generation, and the folder that keeps the generations."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from search.catalogue import Catalogue
from search.errors import IndexUnusable
from search.index.checksums import FileWatch
from search.index.columns import Ids, MemeColumns
from search.index.conditions import Begins, Holds, InText, Says, Where, select_ids
from search.index.contract import Ask, IndexStore, Making, Near, RawScores, Within, Words, resolved
from search.index.generations import TEXT_FIELDS, Manifest, live_name, read_live
from search.index.lexical.index import LexicalIndex
from search.index.lexical.schema import ALL_TEXT
from search.index.parts import (
    COLUMNS_PART,
    FINGERPRINTS_PART,
    LEXICAL_PART,
    LOOKS_PART,
    WhiteningPart,
    dense_part,
)
from search.index.reader import REBUILD_HINT, damaged_index, open_pictures, verify_files
from search.index.vectors.binary import BinaryIndex
from search.index.vectors.dense import DenseIndex, RowSelection
from search.index.vectors.threads import set_index_threads
from search.index.vectors.whitening import Whitening
from search.index.writer import build_generation, extend_generation
from search.meme import Field

ATTEMPTS = 3  # to open the live generation while another process builds one after another
_SELECTED = 32  # conditions whose memes an open index remembers: each step of a query asks for the same ones
_COMPARED = 32  # sets of fingerprints likewise

Answer = TypeVar("Answer")


@dataclass(frozen=True)
class LocalIndex:
    """The opened files of one generation, immutable; a request uses one generation from start to end."""

    manifest: Manifest
    columns: MemeColumns
    lexical: LexicalIndex
    dense: Mapping[Field, DenseIndex]  # whitened; empty when no text of the library has been embedded
    whitening: Whitening | None
    looks: DenseIndex
    fingerprints: BinaryIndex
    pictures: DenseIndex | None = None  # the image encoder's; None without one
    watch: FileWatch | None = field(default=None, repr=False, compare=False)

    @classmethod
    def open(cls, index: Path) -> LocalIndex:
        """Return the live generation in an index folder, opened; raise IndexUnusable when it is missing or damaged.

        The checksum of every file is compared first, unless that was done within a day and the file has not changed.

        >>> from search.index import LocalIndex
        >>> index = LocalIndex.open(workspace.index)
        >>> len(index.columns), len(index.looks), index.looks.dimensions
        (9, 9, 704)
        """
        for _ in range(ATTEMPTS - 1):
            name = live_name(index)
            try:
                return _opened(*read_live(index))
            except IndexUnusable:
                # Two builds may have ended since the name was read and removed the folder: then there is a new name.
                if live_name(index) == name:
                    raise
        return _opened(*read_live(index))

    def check_unchanged(self) -> None:
        """Raise IndexUnusable when a file was written to since it was opened and is damaged now."""
        found = self.watch.damaged() if self.watch is not None else []
        if found:
            raise damaged_index(self.watch.folder if self.watch else Path(), found)

    @property
    def name(self) -> str:
        """The generation's name, and the beginning of its checksum."""
        return self.manifest.name

    def frequencies(self, terms: Sequence[str]) -> Mapping[str, int]:
        """Return in how many memes each of some terms is."""
        return {term: self.lexical.document_frequency(term) for term in terms}

    def propose(
        self, asks: Sequence[Ask], k: int, where: Where | None = None, *, pool: Executor | None = None
    ) -> list[Ids]:
        """Return, for each ask, the ids of its best k memes among those that a condition selects."""
        allowed = None if where is None else self.select(where)
        return _answers(asks, lambda ask: self._best(ask, k, allowed), pool=pool)

    def judge(self, asks: Sequence[Ask], ids: Ids) -> list[RawScores]:
        """Return, for each ask, the score of each meme ([n]), NaN where there is nothing to compare."""
        # Most of it holds the interpreter's lock: with a second thread it takes as long, and more of the processor.
        return _one_by_one(asks, lambda ask: self._scores(ask, ids))

    def select(self, where: Where) -> Ids:
        """Return the rising ids of all memes that a condition selects."""
        return self._selected(where)

    def newest(self, where: Where | None = None) -> Ids:
        """Return the ids of all memes that a condition selects, newest first."""
        return self.columns.newest if where is None else self.columns.newest_of(self.select(where))

    def count_rows(self, field: Field) -> int:
        """Return how many embeddings of a field there are; 0 where a field has none."""
        rows = self._rows(field)
        return 0 if rows is None else len(rows)

    def rows_of(self, id: int, field: Field) -> NDArray[np.float32]:
        """Return a meme's embeddings of a field ([m, d])."""
        rows = self._rows(field)
        return np.empty((0, 0), np.float32) if rows is None else rows.rows_of(id)

    def sample(self, field: Field, rows: int) -> NDArray[np.floating]:
        """Return about `rows` embeddings of a field ([m, d]), spread over all memes."""
        own = self._rows(field)
        return np.empty((0, 0), np.float32) if own is None else own.sample(max(1, len(own) // rows))

    def _rows(self, field: Field) -> DenseIndex | None:
        if field is Field.LOOK:
            return self.looks
        return self.pictures if field is Field.PICTURE else self.dense.get(field)

    def _best(self, ask: Ask, k: int, allowed: Ids | None) -> Ids:
        if isinstance(ask, Words):
            return self.lexical.search(ask.terms, ask.field, k=k, allowed=allowed)[0]
        if isinstance(ask, Within):
            related = self._related(ask)
            near = np.array(sorted(related, key=lambda id: (-related[id], id)), np.int64)
            return near[:k] if allowed is None else near[np.isin(near, allowed)][:k]
        rows = self._rows(ask.field)
        if rows is None:
            return np.empty(0, np.int64)
        among: Ids | RowSelection | None = allowed
        if ask.unless and allowed is None:
            among = self._rows_without(ask.field, ask.unless)
        elif ask.unless and allowed is not None:
            own = self.columns.ids_with(ask.field, without=ask.unless)
            among = np.intersect1d(own, allowed, assume_unique=True)
        return rows.search(resolved(ask.direction), k, allowed=among)[0]

    def _scores(self, ask: Ask, ids: Ids) -> RawScores:
        if isinstance(ask, Words):
            found = self.lexical.scores(ask.terms, ask.field, ids=ids).astype(np.float64)
            has = None if ask.field == ALL_TEXT else self.columns.has.get(Field(ask.field))
            if has is not None:
                found[~has[self.columns.rows(ids)]] = np.nan
            return found
        if isinstance(ask, Within):
            related = self._related(ask)
            return np.array([related.get(id, np.nan) for id in ids.tolist()], np.float64)
        rows = self._rows(ask.field)
        if rows is None:
            return np.full(len(ids), np.nan)
        return rows.scores(resolved(ask.direction), ids=ids, best=ask.best).astype(np.float64)

    @cached_property
    def _related(self) -> Callable[[Within], dict[int, float]]:
        """Returns, by id, the share of bits in which a meme's fingerprint agrees with one of those asked for."""

        def related(ask: Within) -> dict[int, float]:
            found: dict[int, float] = {}
            for one in ask.fingerprints:
                for id, distance in zip(*self.fingerprints.within(one, ask.radius), strict=True):
                    share = 1 - float(distance) / (8 * len(one))
                    found[int(id)] = max(found.get(int(id), 0.0), share)
            return found

        return lru_cache(_COMPARED)(related)

    @cached_property
    def _selected(self) -> Callable[[Where], Ids]:
        return lru_cache(_SELECTED)(lambda where: select_ids(where, self.columns, in_text=self._in_text))

    def _in_text(self, where: InText) -> Ids:
        if isinstance(where, Holds):
            return self.lexical.having_all(where.groups)
        if isinstance(where, Says):
            return self.lexical.saying(where.sequences)
        if isinstance(where, Begins):
            found = self.lexical.beginning(where.letters)
            return self.columns.ids if found is None else found
        return self.lexical.written(where.words)

    def _rows_without(self, field: Field, others: Sequence[Field]) -> RowSelection:
        """Return the rows of a text field of the memes that have nothing in the other fields."""
        found = self._known_without.get((field, *others))
        if found is None:
            found = self.dense[field].select(self.columns.ids_with(field, without=others))
            self._known_without[(field, *others)] = found
        return found

    @cached_property
    def _known_without(self) -> dict[tuple[Field, ...], RowSelection]:
        return {}


@dataclass(frozen=True)
class LocalStore(IndexStore):
    """The generations in a folder of this machine."""

    folder: Path

    def live(self) -> str | None:
        """Return the name of the live generation; None when there is none."""
        return live_name(self.folder)

    def open(self) -> LocalIndex:
        """Return the live generation, opened and verified; raise IndexUnusable when it is missing or damaged."""
        return LocalIndex.open(self.folder)

    def build(self, catalogue: Catalogue, making: Making, *, on_part: Callable[[], None] = lambda: None) -> Manifest:
        """Make a generation of all present memes, and then the live one at once; a failure changes nothing."""
        return build_generation(
            self.folder,
            catalogue,
            text_encoder=making.text_encoder,
            image_encoder=making.image_encoder,
            splitter=making.splitter,
            least_weight=making.least_weight,
            on_part=on_part,
        )

    def put(self, catalogue: Catalogue, ids: Collection[int], *, least_weight: float = 0.0) -> Manifest:
        """Make these memes in the live generation as they are in the catalogue, in a generation of its own."""
        return extend_generation(self.folder, catalogue, ids, least_weight=least_weight)

    def drop(self, catalogue: Catalogue, ids: Collection[int]) -> Manifest:
        """Remove memes from the live generation, in a generation of its own."""
        return extend_generation(self.folder, catalogue, (), removed=ids)


def _answers(asks: Sequence[Ask], answer: Callable[[Ask], Answer], *, pool: Executor | None) -> list[Answer]:
    """Return the answer to each ask; with a pool, a thread of it compares half of the embeddings beside this one.

    A text's direction may still be computed: its words are looked up in the meantime. To hand each ask to a thread
    takes as long as to answer it, so that thread gets all of its half at once.
    """
    dense = [at for at, ask in enumerate(asks) if _is_parallel(ask)]
    if pool is None or len(dense) < 2:
        return _one_by_one(asks, answer)
    beside = dense[::2]
    here = sorted(set(range(len(asks))).difference(beside), key=lambda at: (at in dense, at))
    waiting = pool.submit(_one_by_one, [asks[at] for at in beside], answer)
    found = dict(zip(here, _one_by_one([asks[at] for at in here], answer), strict=True))
    found |= dict(zip(beside, waiting.result(), strict=True))
    return [found[at] for at in range(len(asks))]


def _one_by_one(asks: Sequence[Ask], answer: Callable[[Ask], Answer]) -> list[Answer]:
    if not all(isinstance(ask, Words) for ask in asks):
        # More faiss threads do not pay for one query, and OpenMP stores the number per calling thread.
        set_index_threads(1)
    return [answer(ask) for ask in asks]


def _is_parallel(ask: Ask) -> bool:
    return isinstance(ask, Near) and ask.field is not Field.LOOK


def _opened(folder: Path, manifest: Manifest) -> LocalIndex:
    watch = FileWatch.begin(folder, manifest.files)
    verify_files(folder, manifest, to_search=True)
    dimensions = manifest.encoders.get(manifest.text_encoder, 0)
    dense = {field: dense_part(field, dimensions=dimensions).open(folder) for field in TEXT_FIELDS if dimensions}
    found = LocalIndex(
        manifest=manifest,
        columns=COLUMNS_PART.open(folder),
        lexical=LEXICAL_PART.open(folder),
        dense=dense,
        whitening=WhiteningPart(dimensions).open(folder) if dimensions else None,
        looks=LOOKS_PART.open(folder),
        fingerprints=FINGERPRINTS_PART.open(folder),
        pictures=open_pictures(folder, manifest),
        watch=watch,
    )
    if len(found.columns) != manifest.memes:
        raise IndexUnusable(
            f"The index in {folder} is damaged: it has {len(found.columns)} memes, its manifest {manifest.memes}.",
            hint=REBUILD_HINT,
        )
    return found

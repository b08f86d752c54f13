"""Write term vectors: of all memes into a new folder, or of a few beside those that another index has."""

from __future__ import annotations

import shutil
from array import array
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import chain
from pathlib import Path
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from search.index.lexical.analyzer import analyzer, without_points
from search.index.lexical.bm25 import LENGTHS, coded_lengths
from search.index.lexical.schema import FIELDS
from search.index.lexical.term_vectors import (
    ADDED,
    FIELD_BITS,
    FREQUENT_FILE,
    HASH_BITS,
    HOLDERS_FILE,
    IDS_FILE,
    LENGTH_FIELDS,
    LENGTHS_FILE,
    LOW_BITS,
    LOW_FILE,
    MOST_COUNTED,
    REST_FILE,
    SPANS_FILE,
    VectorFiles,
    hash_of,
)
from search.index.vectors.owners import Ids
from search.meme import Field

_KNOWN = 1 << 17  # words whose terms' hashes are kept while many texts are written
_AT_ONCE = 1 << 16  # entries that are written to the file together
_COUNT_AT = HASH_BITS + FIELD_BITS  # the first bit of a count
FREQUENT_SHARE = 1 / 64  # of the memes, from which a term is frequent; to find the memes of others takes milliseconds
FREQUENT_FROM = 1000  # memes: in a smaller library tantivy finds all of them as fast
_SAMPLED = 16_384  # memes, whose terms are counted to find out which may be frequent
_SAMPLED_SHARE = 0.8  # of the share from which a term is frequent: it may be rarer in the sample
_MEMES_AT_ONCE = 4096  # of which bits are set together, a multiple of 8

Passages = Mapping[Field, Sequence[Sequence[str]]]  # the words of each passage, by field


class TermVectorWriter:
    """Writes the term vectors of memes into a new folder as they come; they are complete when it is closed.

    >>> from search.index.lexical.term_vectors import TermVectors
    >>> with TermVectorWriter(folder / "vectors") as writer:
    ...     writer.add(3, {Field.OCR: [["Two", "dogs"], ["a", "dog"]]})
    >>> terms, ids = ["dog", "cat"], np.array([3])
    >>> TermVectors.open(folder / "vectors").counts(terms, ids).of(Field.OCR, terms, ids).tolist()
    [[2.0], [0.0]]
    """

    def __init__(self, folder: Path, *, frequent: NDArray[np.int64] | None = None) -> None:
        """Write into a new folder.

        `frequent` are the hashes ([f], rising) of the terms that get bits; without, those of every 64th meme or more.
        """
        folder.mkdir(parents=True)
        self._folder = folder
        self._frequent = frequent
        self._low, self._rest = (folder / LOW_FILE).open("wb"), (folder / REST_FILE).open("wb")
        self._ids, self._ends, self._lengths = array("q"), array("q", [0]), array("q")
        self._waiting = array("Q")
        self._hashes = _WordHashes()

    def add(self, id: int, passages: Passages) -> None:
        """Add a meme, by the words of its passages."""
        known = len(self._waiting)
        lengths = []
        for place, field in enumerate(FIELDS):
            words = chain.from_iterable(passages.get(field, ()))
            counts: dict[int, int] = Counter(chain.from_iterable(map(self._hashes.__getitem__, words)))
            lengths.append(sum(counts.values()))
            bits = place << HASH_BITS
            while counts:
                more = {hashed: count - MOST_COUNTED for hashed, count in counts.items() if count > MOST_COUNTED}
                for hashed in more:
                    counts[hashed] = MOST_COUNTED
                self._waiting.extend([hashed | bits | count << _COUNT_AT for hashed, count in counts.items()])
                counts = more
        self._know(id, len(self._waiting) - known, [*lengths, sum(lengths)])
        if len(self._waiting) > _AT_ONCE:
            self._write()

    def copy(self, known: VectorFiles, *, without: Ids) -> None:
        """Add the memes of other files, but for some."""
        self._write()
        for at in np.flatnonzero(~np.isin(known.ids, without)).tolist():
            start, end = known.spans[at].tolist()
            self._low.write(known.low[start:end].tobytes())
            self._rest.write(known.rest[start:end].tobytes())
            self._know(int(known.ids[at]), end - start, LENGTHS[known.lengths[at]].tolist())

    def _know(self, id: int, entries: int, lengths: list[int]) -> None:
        self._ids.append(id)
        self._ends.append(self._ends[-1] + entries)
        self._lengths.extend(lengths)

    def _write(self) -> None:
        entries = np.array(self._waiting, np.uint64)
        self._low.write(entries.astype("<u2").tobytes())
        self._rest.write((entries >> LOW_BITS).astype("<u4").tobytes())
        del self._waiting[:]

    def __enter__(self) -> TermVectorWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._low, self._rest:
            if error is not None:
                return
            self._write()
        ids, ends = np.array(self._ids, np.int64), np.array(self._ends, np.int64)
        lengths = coded_lengths(np.array(self._lengths, np.int64)).reshape(-1, len(LENGTH_FIELDS))
        order = np.argsort(ids)
        np.save(self._folder / IDS_FILE, ids[order])
        np.save(self._folder / SPANS_FILE, np.column_stack([ends[:-1], ends[1:]])[order])
        np.save(self._folder / LENGTHS_FILE, lengths[order])
        found = VectorFiles.open(self._folder)
        frequent = _may_be_frequent(found) if self._frequent is None else self._frequent
        holders = _holders(found, frequent)
        if self._frequent is None:
            kept = np.bitwise_count(holders).sum(axis=1) >= FREQUENT_SHARE * len(found.ids)
            frequent, holders = frequent[kept], holders[kept]
        np.save(self._folder / FREQUENT_FILE, frequent)
        np.save(self._folder / HOLDERS_FILE, holders)


def _may_be_frequent(files: VectorFiles) -> NDArray[np.int64]:
    """Return the rising hashes of terms that may be frequent, by a sample of the memes."""
    if len(files.ids) < FREQUENT_FROM:
        return np.empty(0, np.int64)
    places = np.arange(0, len(files.ids), max(1, len(files.ids) // _SAMPLED))
    per_meme = [np.unique(files.hashes_at(place)) for place in places.tolist()]
    hashes, counts = np.unique(np.concatenate(per_meme), return_counts=True)
    return hashes[counts >= _SAMPLED_SHARE * FREQUENT_SHARE * len(places)]


def _holders(files: VectorFiles, frequent: NDArray[np.int64]) -> NDArray[np.uint8]:
    """Return for each of some terms, by rising hashes, and each meme a bit that says whether it has the term."""
    count = len(files.ids)
    found = np.zeros((len(frequent), -(-count // 8)), np.uint8)
    for start in range(0, count if len(frequent) else 0, _MEMES_AT_ONCE):
        places = np.arange(start, min(start + _MEMES_AT_ONCE, count))
        memes, terms, _, _ = files.matches(places, frequent)
        has = np.zeros((len(frequent), len(places)), np.bool_)
        has[terms, memes] = True
        found[:, start // 8 : start // 8 + -(-len(places) // 8)] = np.packbits(has, axis=1)
    return found


class _WordHashes(dict[str, tuple[int, ...]]):
    """By word in normal form, the hashes of its terms as they are indexed: one, or none of a word that is too long."""

    def __missing__(self, word: str) -> tuple[int, ...]:
        if len(self) >= _KNOWN:
            self.clear()
        # A ligature may stand for several words.
        found = self[word] = tuple(map(hash_of, analyzer().analyze(without_points(word))))
        return found


def extend_term_vectors(folder: Path, documents: Mapping[int, Passages], *, without: Ids) -> None:
    """Add memes to the term vectors in a folder, whose files are another index's by hard links, and remove others.

    `documents` has the words of the memes by id; their ids are in `without`, as are those of memes that are removed.
    """
    added, fresh = folder / ADDED, folder / f"{ADDED}-new"
    with TermVectorWriter(fresh, frequent=VectorFiles.open(folder).frequent) as writer:
        if added.is_dir():
            writer.copy(VectorFiles.open(added), without=without)
            shutil.rmtree(added)  # these names of the files; the other index has its own
        for id in without.tolist():
            writer.add(id, documents.get(id, {}))  # a meme without text hides what the first set has of it
    fresh.rename(added)

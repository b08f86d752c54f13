"""The term vectors of memes: which terms each has, how often in which field, and how long its fields are.

An inverted index finds the memes of a term; to find the terms of some hundred memes in it takes longer than all else
that scores them. Terms are known by a hash of 40 bits: that a term of a meme has that of another one which a query
asks for happens once in a million queries, and then changes one score. `term_vector_writer` writes the files. An index
that was extended has a second, small set of them for the memes that were added, changed or removed.
"""

from __future__ import annotations

import math
import mmap
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from hashlib import blake2b
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from search.index.columns import are_among, union
from search.index.lexical.schema import ALL_TEXT, FIELDS
from search.index.opened import OpenedFiles
from search.index.vectors.owners import Ids, damaged
from search.meme import Field

IDS_FILE, SPANS_FILE, LENGTHS_FILE = "ids.npy", "spans.npy", "lengths.npy"
# The terms that many memes have, by their hashes, and the memes that have each, a bit for each meme.
FREQUENT_FILE, HOLDERS_FILE = "frequent.npy", "holders.npy"
# An entry is a term in a field of a meme. Most are no term of a query by the lowest bits of their hashes: these are
# apart, so that a third of the bytes is read.
LOW_FILE, REST_FILE = "low.bin", "rest.bin"
ADDED = "added"  # the folder of the second set
LOW_BITS, HIGH_BITS, FIELD_BITS, COUNT_BITS = 16, 24, 3, 5  # of an entry: of its hash, the field, and the count
HASH_BITS = LOW_BITS + HIGH_BITS
MOST_COUNTED = (1 << COUNT_BITS) - 1  # a term that is more frequent in a field has several entries there
LENGTH_FIELDS = (*FIELDS, ALL_TEXT)  # the columns of the lengths
_KEPT = 8  # counts: a search asks about the same memes and the best of them
_MOST_KEPT = 1024  # memes whose counts are kept, half a megabyte at most
_HASHED = 4096  # terms of queries


@lru_cache(maxsize=_HASHED)
def hash_of(term: str) -> int:
    """Return the hash of a term, of HASH_BITS.

    >>> hash_of("dog") == hash_of("dog") != hash_of("cat"), hash_of("dog") < 1 << HASH_BITS
    (True, True)
    """
    return int.from_bytes(blake2b(term.encode(), digest_size=HASH_BITS // 8).digest(), "little")


@dataclass(frozen=True, eq=False)
class TermCounts:
    """How often some terms are in some memes, by the places of terms and memes: an entry for each that is there.

    `lengths` are the memes' ([memes, len(LENGTH_FIELDS)] uint8), as tantivy codes them, 0 for a meme without text.
    """

    rows: Mapping[str, int]  # of the terms
    ids: Ids  # of the memes, rising
    terms: NDArray[np.int64]
    memes: NDArray[np.int64]
    fields: NDArray[np.int64]  # places in FIELDS
    counts: NDArray[np.float32]
    lengths: NDArray[np.uint8]

    def covers(self, terms: Collection[str], ids: Ids) -> bool:
        """Return whether some terms and memes are among these."""
        return self.rows.keys() >= {*terms} and bool(are_among(ids, self.ids).all())

    def of(self, field: Field | str, terms: Sequence[str], ids: Ids) -> NDArray[np.float32]:
        """Return how often each of some terms is in each of some memes ([t, n]) in a field, or in all text."""
        found = self._in_all_text if field == ALL_TEXT else self._by_field[FIELDS.index(Field(field))]
        rows = np.array([self.rows[term] for term in terms], np.int64)
        return found[rows[:, None], self.ids.searchsorted(ids)]

    def lengths_of(self, field: Field | str, ids: Ids) -> NDArray[np.uint8]:
        """Return the coded lengths of some memes ([n] uint8) in a field, or of all their text."""
        return self.lengths[self.ids.searchsorted(ids), LENGTH_FIELDS.index(field)]

    @cached_property
    def _by_field(self) -> NDArray[np.float32]:
        """How often each term is in each meme, by field: [fields, terms, memes]."""
        shape = len(FIELDS), len(self.rows), len(self.ids)
        places = (self.fields * shape[1] + self.terms) * shape[2] + self.memes
        counts = np.bincount(places, self.counts, minlength=math.prod(shape))
        return counts.astype(np.float32).reshape(shape)

    @cached_property
    def _in_all_text(self) -> NDArray[np.float32]:
        return self._by_field.sum(axis=0)


@dataclass(frozen=True)
class VectorFiles:
    """One set of files: memes by rising id, where the entries of each begin and end, and the entries, mapped."""

    ids: Ids
    spans: NDArray[np.int64]  # [n, 2]
    lengths: NDArray[np.uint8]  # [n, len(LENGTH_FIELDS)]
    low: NDArray[np.uint16]  # [entries]
    rest: NDArray[np.uint32]  # [entries]
    frequent: NDArray[np.int64]  # [f] hashes of frequent terms, rising; none in an index of an earlier format
    holders: NDArray[np.uint8]  # [f, n / 8 rounded up] which memes have them, a bit for each

    @classmethod
    def open(cls, folder: Path) -> VectorFiles:
        """Return the files in a folder, opened; raise IndexUnusable when one is missing or damaged."""
        names = (IDS_FILE, SPANS_FILE, LENGTHS_FILE, LOW_FILE, REST_FILE, FREQUENT_FILE, HOLDERS_FILE)
        return _opened.get([folder / name for name in names], lambda: cls._read(folder))

    @classmethod
    def _read(cls, folder: Path) -> VectorFiles:
        try:
            found = cls(
                np.load(folder / IDS_FILE),
                np.load(folder / SPANS_FILE),
                np.load(folder / LENGTHS_FILE),
                _mapped(folder / LOW_FILE, np.dtype("<u2")),
                _mapped(folder / REST_FILE, np.dtype("<u4")),
                *_frequent_in(folder),
            )
            is_whole = found.spans.max(initial=0) <= len(found.low) == len(found.rest)
            if found.spans.shape != (len(found.ids), 2) or not is_whole:
                raise ValueError("the terms of the memes do not fit the memes")
            if found.lengths.shape != (len(found.ids), len(LENGTH_FIELDS)):
                raise ValueError("the lengths of the texts do not fit the memes")
            if len(found.frequent) and found.holders.shape != (len(found.frequent), -(-len(found.ids) // 8)):
                raise ValueError("the memes of frequent terms do not fit the memes")
        except (OSError, ValueError, EOFError) as error:
            raise damaged(folder, error) from error
        return found

    def places(self, ids: Ids) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return which of some memes are there, by their places in `ids` and in the files ([m] each)."""
        places = np.searchsorted(self.ids, ids)
        has = np.flatnonzero(places < len(self.ids))
        has = has[self.ids[places[has]] == ids[has]]
        return has, places[has]

    def hashes_at(self, place: int) -> NDArray[np.int64]:
        """Return the hashes of the entries of a meme, by its place."""
        start, end = self.spans[place].tolist()
        return self.low[start:end] | (self.rest[start:end].astype(np.int64) & (1 << HIGH_BITS) - 1) << LOW_BITS

    def matches(self, places: NDArray[np.int64], hashes: NDArray[np.int64]) -> tuple[NDArray[np.int64], ...]:
        """Return the entries of the memes at some places that have any of some rising hashes.

        The position of each entry's meme among `places`, of its hash among `hashes`, of its field, and its count.
        """
        spans = self.spans[places]
        sizes = spans[:, 1] - spans[:, 0]
        ends = np.cumsum(sizes)
        may_be = np.zeros(1 << LOW_BITS, np.bool_)
        may_be[hashes & (1 << LOW_BITS) - 1] = True
        low = np.concatenate([self.low[start:end] for start, end in zip(*spans.T.tolist(), strict=True)])
        found = np.flatnonzero(np.take(may_be, low))
        memes = np.searchsorted(ends, found, "right")
        rest = self.rest[found + (spans[:, 1] - ends)[memes]].astype(np.int64)
        known = low[found] | (rest & (1 << HIGH_BITS) - 1) << LOW_BITS
        at = np.searchsorted(hashes, known)
        at[at == len(hashes)] = 0
        kept = hashes[at] == known if len(hashes) else at > 0
        rest = rest[kept] >> HIGH_BITS
        return memes[kept], at[kept], rest & (1 << FIELD_BITS) - 1, rest >> FIELD_BITS

    @cached_property
    def frequent_rows(self) -> Mapping[int, int]:
        """The row of `holders` of each frequent term, by its hash."""
        return {hashed: row for row, hashed in enumerate(self.frequent.tolist())}

    def bits_of(self, groups: Sequence[Sequence[int]]) -> NDArray[np.uint8]:
        """Return a bit for each meme ([n / 8 rounded up]): whether it has a frequent term of each group, by hashes."""
        bits = np.full(self.holders.shape[1], 255, np.uint8)
        for group in groups:
            rows = [self.holders[self.frequent_rows[hashed]] for hashed in group]
            bits &= rows[0] if len(rows) == 1 else np.bitwise_or.reduce(rows)
        return bits


_opened = OpenedFiles[VectorFiles]()


class TermVectors:
    """The opened term vectors of a generation; any thread may ask."""

    def __init__(self, sets: Sequence[VectorFiles]) -> None:
        """Open them over some sets of files: a meme's terms are in the first one that has it."""
        self._sets = sets
        self._expected: tuple[frozenset[str], ...] = ()
        self._counted: tuple[TermCounts, ...] = ()  # the last one first

    @classmethod
    def open(cls, folder: Path) -> TermVectors:
        """Return the term vectors in a folder; raise IndexUnusable when they are missing or damaged."""
        added = folder / ADDED
        return cls([VectorFiles.open(one) for one in (*([added] if added.is_dir() else []), folder)])

    def expect(self, terms: Sequence[str]) -> None:
        """Count these terms together, once any of them are asked about: a search asks about some, and then others."""
        self._expected = (frozenset(terms), *self._expected[: _KEPT - 1])

    def counts(self, terms: Sequence[str], ids: Ids) -> TermCounts:
        """Return how often each of some terms is in each of some memes, and maybe others."""
        wanted = frozenset(terms)
        for known in self._counted:
            if known.covers(wanted, ids):
                return known
        together = next((own for own in self._expected if wanted <= own), wanted)
        if len(ids) > _MOST_KEPT:  # those of many memes, asked for once
            return self._count(sorted(wanted, key=hash_of), union(ids))
        found = self._count(sorted(together, key=hash_of), union(ids))
        self._counted = (found, *self._counted[: _KEPT - 1])
        return found

    def is_frequent(self, term: str) -> bool:
        """Return whether so many memes have a term that their bits say which."""
        return all(hash_of(term) in one.frequent_rows for one in self._sets)

    def having_all(self, groups: Sequence[Sequence[str]], *, among: Ids | None = None) -> Ids:
        """Return the rising ids of the memes, all or those `among`, with a term of each group; all are frequent ones.

        tantivy hands each meme out as an object, and reads the postings of all terms: that takes up to a hundred times
        as long.
        """
        hashes = [[hash_of(term) for term in group] for group in groups]
        found = []
        left = among
        hidden = np.empty(0, np.int64)
        for one in self._sets:
            bits = one.bits_of(hashes)
            if left is None:
                own = one.ids[np.flatnonzero(np.unpackbits(bits, count=len(one.ids)))]
                found.append(own[~are_among(own, hidden)])
                hidden = one.ids  # there are two sets at most
            else:
                has, places = one.places(left)
                found.append(left[has][(bits[places >> 3] << (places & 7) & 128) > 0])
                left = np.delete(left, has)
        return found[0] if len(found) == 1 else np.sort(np.concatenate(found))

    def _count(self, terms: Sequence[str], ids: Ids) -> TermCounts:
        """Return the counts of terms by rising hashes in memes by rising id."""
        lengths = np.zeros((len(ids), len(LENGTH_FIELDS)), np.uint8)
        hashes = np.array([*map(hash_of, terms)], np.int64)
        found = [np.zeros((4, 0), np.int64)]
        left = np.arange(len(ids))
        for one in self._sets:
            has, places = one.places(ids[left])
            if len(has):
                lengths[left[has]] = one.lengths[places]
                memes, *rest = one.matches(places, hashes)
                found.append(np.stack([left[has][memes], *rest]))
                left = np.delete(left, has)
        memes, at, fields, counts = np.concatenate(found, axis=1)
        rows = {term: row for row, term in enumerate(terms)}
        return TermCounts(rows, ids, at, memes, fields, counts.astype(np.float32), lengths)


def _frequent_in(folder: Path) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
    """Return the frequent terms in a folder of files and their memes; none in one of an earlier format."""
    if not any((folder / file).exists() for file in (FREQUENT_FILE, HOLDERS_FILE)):
        return np.empty(0, np.int64), np.empty((0, 0), np.uint8)
    return np.load(folder / FREQUENT_FILE), np.load(folder / HOLDERS_FILE, mmap_mode="r").view(np.ndarray)


def _mapped(file: Path, kind: np.dtype) -> NDArray:
    with file.open("rb") as opened:
        if not file.stat().st_size:
            return np.empty(0, kind)
        content = mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ)
    if hasattr(mmap, "MADV_RANDOM"):
        # A query looks at some hundred memes: what lies beside them would be read for nothing.
        content.madvise(mmap.MADV_RANDOM)
    return np.frombuffer(content, kind)

"""The words of a library that a Qdrant server keeps: counted in this process, looked up by filters there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray
from qdrant_client import models

from search.index.columns import Ids
from search.index.conditions import Alternatives, Begins, Holds, InText, Says, Written
from search.index.generations import TEXT_FIELDS
from search.index.lexical.file_names import MIN_PREFIX, NamedMemes, asked_keys, code_parts, exact_key
from search.index.lexical.index import CATEGORY_WORDS
from search.index.lexical.schema import ALL_TEXT, OF_CATEGORY, WORD_START
from search.index.lexical.vocabulary import WordIndex
from search.index.lexical.word_table import Vocabulary, WordTable
from search.index.qdrant.connection import Connection
from search.index.qdrant.points import TERM_FIELDS, WRITTEN, TermsOf, row_key, token_of
from search.meme import Field

MOST_ROWS = 32  # ways to say a phrase that are asked for; of more, the memes with its words are looked through
_SELECTED = 64  # sets of memes that are remembered: each step of a query asks for the same ones
_ROWS = tuple(row_key(one.value) for one in TEXT_FIELDS)


@dataclass
class WordCounts:
    """In how many memes each term of each field is, each word as spelled, and which Korean words there are."""

    frequencies: dict[str, Counter[str]] = field(default_factory=dict)  # by field, ALL_TEXT included
    spelled: Counter[str] = field(default_factory=Counter)
    starts: Counter[str] = field(default_factory=Counter)
    memes: int = 0  # with text

    def add(self, other: WordCounts, *, times: int = 1) -> None:
        """Add other counts, or take them away."""
        for name, counts in other.frequencies.items():
            _add(self.frequencies.setdefault(name, Counter()), counts, times)
        _add(self.spelled, other.spelled, times)
        _add(self.starts, other.starts, times)
        self.memes += times * other.memes

    @classmethod
    def of_terms(cls, terms: TermsOf) -> WordCounts:
        """Return the counts of one meme: 1 for each term and word that it has."""
        frequencies = {
            field: Counter({term: 1 for passage in terms.of(field) for term in passage}) for field in TERM_FIELDS
        }
        starts = Counter({word: 1 for word in terms.written if word.startswith(WORD_START)})
        return cls(frequencies, Counter(dict.fromkeys(terms.spelled, 1)), starts, 1)

    def as_json(self) -> dict[str, Any]:
        """Return the counts as they are kept."""
        return {
            "frequencies": self.frequencies,
            "spelled": self.spelled,
            "starts": self.starts,
            "memes": self.memes,
        }

    @classmethod
    def of_json(cls, stored: Mapping[str, Any]) -> WordCounts:
        """Return counts that were kept."""
        frequencies = {name: Counter(counts) for name, counts in stored["frequencies"].items()}
        return cls(frequencies, Counter(stored["spelled"]), Counter(stored["starts"]), stored["memes"])


def _add(counts: Counter[str], others: Mapping[str, int], times: int) -> None:
    for key, count in others.items():
        counts[key] += times * count
        if not counts[key]:
            del counts[key]


Judge = Callable[[Sequence[str], Ids], NDArray[np.bool_]]
Best = Callable[[Sequence[str], str, int, models.Filter], tuple[Ids, NDArray[np.float32]]]


class QdrantWords(WordIndex):
    """The words of one collection, of the memes `known` (rising). `held` and `best` score memes by their words."""

    def __init__(
        self, connection: Connection, collection: str, counts: WordCounts, *, known: Ids, held: Judge, best: Best
    ) -> None:
        self._connection = connection
        self._collection = collection
        self.counts = counts
        self._known = known
        self._held, self._best = held, best
        self._found = lru_cache(_SELECTED)(self._find)

    def __len__(self) -> int:
        return self.counts.memes

    @cached_property
    def vocabulary(self) -> Vocabulary:
        """The words of all texts in lower case, sorted, each with the number of memes that have it."""
        return WordTable.of(self.counts.spelled)

    def document_frequency(self, term: str, field: str = ALL_TEXT) -> int:
        """Return the number of memes with a term, in a field or in any."""
        counts = self.counts.frequencies.get(field)
        return counts[term] if counts is not None else 0

    def having_all(self, groups: Sequence[Sequence[Sequence[str]]]) -> Ids:
        """Return the rising ids of all memes that have every group: at least one of its sequences, in a row."""
        return self.find(Holds(tuple(tuple(tuple(sequence) for sequence in group) for group in groups)))

    def saying(self, sequences: Iterable[Sequence[Alternatives]]) -> Ids:
        """Return the rising ids of all memes with any of the sequences: a word of each place in a row."""
        return self.find(Says(tuple(tuple(sequence) for sequence in sequences)))

    def written(self, words: Iterable[str]) -> Ids:
        """Return the rising ids of all memes with any of these words as written."""
        return self.find(Written(tuple(words)))

    def beginning(self, letters: str) -> Ids | None:
        """Return the rising ids of all memes with a Korean word that begins with some letters; None without any."""
        return self.find(Begins(letters)) if self.counts.starts else None

    def held(self, terms: Sequence[str], ids: Ids) -> NDArray[np.bool_]:
        """Return for each term and each of some memes ([t, n]) whether the meme has the term."""
        return self._held(terms, ids)

    def phrase(self, words: Sequence[str], field: Field, *, k: int) -> tuple[Ids, NDArray[np.float32]]:
        """Return the best k memes with these terms one after another in one field: ids and scores by all terms."""
        if not all(self.document_frequency(word, field.value) for word in words):
            return np.empty(0, np.int64), np.empty(0, np.float32)
        return self._best(words, field.value, k, _row(words, [row_key(field.value)]))

    def named(self, typed: str) -> NamedMemes:
        """Return the memes that `typed` is the file name of."""
        verbatim, forms = exact_key(typed), list(asked_keys(typed))
        own: dict[str, list[int]] = {}
        keys = [key for form in forms for key in form]
        for point in self._points(_any("file", keys), ["file"]) if keys else ():
            for key in point.payload["file"]:
                own.setdefault(key, []).append(point.id)
        for form in forms:
            known = [key for key in form if key in own]
            if known:
                ids = np.unique(np.array([id for key in known for id in own[key]], np.int64))
                return NamedMemes(ids, True, any(key.partition(":")[2] == verbatim for key in known))
        parts = code_parts(typed)
        if not parts:
            return NamedMemes()
        is_prefix = [len(part) >= MIN_PREFIX and any(one.isdecimal() for one in part) for part in parts]
        wanted: list[Any] = [
            _is("prefixes" if starts else "parts", part) for part, starts in zip(parts, is_prefix, strict=True)
        ]
        return NamedMemes(self._ids(models.Filter(must=wanted)))

    def find(self, where: InText) -> Ids:
        """Return the rising ids of all memes that a condition on words selects."""
        return self._found(where)

    def filter_of(self, where: InText) -> models.Filter:
        """Return the filter that selects what a condition on words selects."""
        if isinstance(where, Holds):
            return models.Filter(
                must=[models.Filter(should=[self._holds(terms) for terms in group]) for group in where.groups]
            )
        if isinstance(where, Says):
            return models.Filter(must=[models.HasIdCondition(has_id=self.find(where).tolist())])
        if isinstance(where, Begins):
            if not self.counts.starts:  # nobody knows where words begin: all memes may have one
                return models.Filter()
            begin = WORD_START + where.letters
            words = [word for word in self.counts.starts if word.startswith(begin)]
            return _any(WRITTEN, words) if words else _nothing()
        return _any(WRITTEN, list(where.words)) if where.words else _nothing()

    def _find(self, where: InText) -> Ids:
        if isinstance(where, Says):
            found = [np.empty(0, np.int64), *map(self._said, where.sequences)]
            found += self._named(where.sequences[0]) if where.sequences else []
            return np.unique(np.concatenate(found))
        if isinstance(where, Begins) and not self.counts.starts:
            return self._known
        if isinstance(where, Holds) and not all(
            any(all(map(self.document_frequency, terms)) for terms in group) for group in where.groups
        ):
            return np.empty(0, np.int64)
        return self._ids(self.filter_of(where))

    def _holds(self, terms: Sequence[str]) -> models.Filter:
        return models.Filter(must=[_is("terms", token_of(terms[0]))]) if len(terms) == 1 else _row(terms, _ROWS)

    def _said(self, sequence: Sequence[Alternatives]) -> Ids:
        return self._in_a_row([[word for word, _ in place] for place in sequence])

    def _named(self, sequence: Sequence[Alternatives]) -> Iterator[Ids]:
        """Yield the memes whose category ends with the beginning of a sequence, and whose name begins with the rest."""
        words = [[word for word, _ in place] for place in sequence]
        for count in range(1, min(len(sequence) - 1, CATEGORY_WORDS) + 1):
            yield self._in_a_row([*([OF_CATEGORY + word for word in one] for one in words[:count]), *words[count:]])

    def _in_a_row(self, words: Sequence[Sequence[str]]) -> Ids:
        """Return the memes with a word of each place, as written, in a row."""
        places = [[word for word in place if not word.startswith(OF_CATEGORY)] for place in words]
        must: list[Any] = [_any(WRITTEN, place) for place in places if place]
        if np.prod([len(place) for place in words], dtype=float) <= MOST_ROWS:
            return self._ids(models.Filter(must=[*must, models.Filter(should=list(map(_said_row, product(*words))))]))
        wanted = [{token_of(word) for word in place} for place in words]
        key = row_key(WRITTEN)
        points = self._points(models.Filter(must=must), [key])
        return np.array(sorted(point.id for point in points if _says(point.payload[key], wanted)), np.int64)

    def _ids(self, where: models.Filter) -> Ids:
        return np.array(sorted(point.id for point in self._points(where)), np.int64)

    def _points(self, where: models.Filter, payload: Sequence[str] = ()) -> Iterator[Any]:
        """Yield the points that pass a filter, of memes that were there when the collection was opened."""
        for point in self._connection.scroll(self._collection, where, payload=list(payload) or False):
            at = int(np.searchsorted(self._known, int(str(point.id))))
            if at < len(self._known) and self._known[at] == point.id:
                yield point


def _says(row: str, wanted: Sequence[set[str]]) -> bool:
    """Whether the row of a meme has a token of each place, one after another."""
    own = row.split(" ")
    return any(
        all(token in place for token, place in zip(own[at:], wanted, strict=False))
        for at in range(len(own) - len(wanted) + 1)
    )


def _said_row(words: Sequence[str]) -> models.FieldCondition:
    phrase = " ".join(map(token_of, words))
    return models.FieldCondition(key=row_key(WRITTEN), match=models.MatchPhrase(phrase=phrase))


def _is(key: str, value: str) -> models.FieldCondition:
    return models.FieldCondition(key=key, match=models.MatchValue(value=value))


def _any(key: str, values: Sequence[str]) -> models.Filter:
    return models.Filter(must=[models.FieldCondition(key=key, match=models.MatchAny(any=list(values)))])


def _row(terms: Sequence[str], keys: Sequence[str]) -> models.Filter:
    """Return the filter for terms in a row in one of some fields; a term alone may be anywhere in it."""
    phrase = " ".join(map(token_of, terms))
    return models.Filter(
        must=[_is("terms", token_of(term)) for term in dict.fromkeys(terms)],
        should=[models.FieldCondition(key=key, match=models.MatchPhrase(phrase=phrase)) for key in keys],
    )


def _nothing() -> models.Filter:
    return models.Filter(must=[models.HasIdCondition(has_id=[])])

"""The words of a lexical index with the number of memes that have each, in files beside it, and what is told by them.

To read them from the term dictionary takes a second for a million words. An extended index has the words of the whole
build, whose file it shares by a hard link, and in a second, small file those that memes changed since.
"""

from __future__ import annotations

import json
from abc import abstractmethod
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from itertools import chain, islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from search.errors import IndexUnusable
from search.index.generations import link_file
from search.index.lexical.analyzer import term_of, unaccented
from search.index.lexical.near_words import NearWords
from search.index.opened import OpenedFiles

WORDS_FILE, COUNTS_FILE = "vocabulary.txt", "vocabulary.npy"  # the words, sorted, a line each; the memes with each
CHANGED_FILE = "vocabulary-changed.json"  # by word: the memes with it now
FILES = (WORDS_FILE, COUNTS_FILE, CHANGED_FILE)
READ_UP_TO = 20_000  # words: to read them all from the term dictionary takes no longer than a second file
MERGED_SHARE = 0.2  # of the words, changed ones, from which all are read again


class SpellingTables:
    """Finds words by how they are spelled, among some; each table is made when it is first asked for."""

    def __init__(self, words: Iterable[str]) -> None:
        self._words = words

    @cached_property
    def near(self) -> NearWords:
        """Finds the words within a few edits of another."""
        return NearWords.of(self._words)

    @cached_property
    def accented(self) -> Mapping[str, list[str]]:
        """The words with accents, by what they are without."""
        found: dict[str, list[str]] = {}
        for word in self._words:
            if not word.isascii() and (plain := unaccented(word)) != word:
                found.setdefault(plain, []).append(word)
        return found

    @cached_property
    def accented_terms(self) -> frozenset[str]:
        """The terms of the words with accents."""
        return frozenset(term_of(word) for words in self.accented.values() for word in words)

    @cached_property
    def by_accented_term(self) -> Mapping[str, list[str]]:
        """The words by term, for the terms that a word with accents has."""
        return self.by_term(self.accented_terms)

    def by_term(self, terms: Iterable[str]) -> Mapping[str, list[str]]:
        """Return the words of some terms, by term."""
        # Stemming changes no first letter, and takes far longer than to look at it.
        wanted = frozenset(terms)
        letters = frozenset(term[:1] for term in wanted)
        found: dict[str, list[str]] = {}
        for word in self._words if wanted else ():
            if (word[:1] in letters or not word.isascii()) and (term := term_of(word)) in wanted:
                found.setdefault(term, []).append(word)
        return found


class Vocabulary(Mapping[str, int]):
    """The words of all texts in lower case, sorted, each with the number of memes that have it."""

    @property
    @abstractmethod
    def tables(self) -> Sequence[SpellingTables]:
        """What finds words by their spelling: several that each know some of the words, and may share words."""

    @abstractmethod
    def some(self, least: int) -> list[str]:
        """Return at least so many words, evenly chosen; all of them where there are fewer than twice as many.

        >>> len(searcher.index.lexical.vocabulary.some(5000)) == len(searcher.index.lexical.vocabulary)
        True
        """


class WordTable(Vocabulary):
    """A vocabulary in one piece; immutable."""

    def __init__(self, text: bytes, counts: NDArray[np.uint32]) -> None:
        self._text = text
        self._counts = counts
        self._some: dict[int, list[str]] = {}

    @classmethod
    def of(cls, words: Mapping[str, int]) -> WordTable:
        """Return the table of some words.

        >>> list(WordTable.of({"b": 1, "a": 2}).items())
        [('a', 2), ('b', 1)]
        """
        order = sorted(words)
        return cls("\n".join(order).encode(), np.array([words[word] for word in order], np.uint32))

    @classmethod
    def open(cls, folder: Path) -> WordTable:
        """Return the table in a folder; raise IndexUnusable when it is damaged."""
        return _opened.get([folder / WORDS_FILE, folder / COUNTS_FILE], lambda: cls._read(folder))

    @classmethod
    def _read(cls, folder: Path) -> WordTable:
        try:
            found = cls((folder / WORDS_FILE).read_bytes(), np.load(folder / COUNTS_FILE))
        except (OSError, ValueError, EOFError) as error:
            raise _damaged(folder, error) from error
        if found._counts.shape != (found._text.count(b"\n") + bool(found._text),):
            raise _damaged(folder, "its words and their counts do not fit")
        return found

    def write(self, folder: Path) -> None:
        """Write the table into a folder."""
        (folder / WORDS_FILE).write_bytes(self._text)
        np.save(folder / COUNTS_FILE, self._counts)

    def __len__(self) -> int:
        return len(self._counts)

    def __iter__(self) -> Iterator[str]:
        return iter(self._text.decode().split("\n") if self._text else ())

    def __getitem__(self, word: str) -> int:
        return self._count_of[word]

    @cached_property
    def _count_of(self) -> dict[str, int]:
        return dict(zip(self, self._counts.tolist(), strict=True))

    @cached_property
    def tables(self) -> Sequence[SpellingTables]:
        return [SpellingTables(self)]

    def some(self, least: int) -> list[str]:
        found = self._some.get(least)
        if found is None:
            step = max(1, len(self) // least)
            found = self._some[least] = [self._at(place) for place in range(0, len(self), step)]
        return found

    def has(self, word: str) -> bool:
        """Return whether a word is in the table, without a table in memory for many such questions."""
        place = bisect_left(range(len(self)), word, key=self._at)
        return place < len(self) and self._at(place) == word

    def _at(self, place: int) -> str:
        return self._text[self._starts[place] : self._starts[place + 1] - 1].decode()

    @cached_property
    def _starts(self) -> NDArray[np.int64]:
        ends = np.flatnonzero(np.frombuffer(self._text, np.uint8) == ord("\n"))
        return np.concatenate([[0], ends + 1, [len(self._text) + 1]])


_opened = OpenedFiles[WordTable]()


class ChangedWords(Vocabulary):
    """The vocabulary of a table in which some words have other counts or are new; immutable."""

    def __init__(self, table: WordTable, changed: Mapping[str, int]) -> None:
        self.table = table
        self.changed = dict(sorted(changed.items()))

    @cached_property
    def _new(self) -> list[str]:
        return [word for word in self.changed if not self.table.has(word)]

    def __len__(self) -> int:
        return len(self.table) + len(self._new)

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(chain(self.table, self._new)))

    def __getitem__(self, word: str) -> int:
        found = self.changed.get(word)
        return self.table[word] if found is None else found

    @cached_property
    def tables(self) -> Sequence[SpellingTables]:
        return [*self.table.tables, SpellingTables(self.changed)]

    def some(self, least: int) -> list[str]:
        step = max(1, len(self.table) // least)
        return [*self.table.some(least), *islice(self.changed, 0, None, step)]


def write_words(folder: Path, *, read_all: Callable[[], Mapping[str, int]]) -> None:
    """Write the words of a lexical index into its folder: `read_all` reads them from the term dictionary."""
    for name in FILES:
        (folder / name).unlink(missing_ok=True)
    WordTable.of(read_all()).write(folder)


def extend_words(
    source: Path,
    folder: Path,
    words: Iterable[str],
    *,
    memes_with: Callable[[str], int],
    read_all: Callable[[], Mapping[str, int]],
) -> None:
    """Write the words of an index that has new memes with some `words`, into its folder, beside those of the source.

    `memes_with` returns how many memes have a word.
    """
    known = open_words(source)
    table = known.table if isinstance(known, ChangedWords) else known
    assert table is None or isinstance(table, WordTable)
    before = known.changed if isinstance(known, ChangedWords) else {}
    changed = {word: count for word in {*before, *words} if (count := memes_with(word))}
    if table is None or len(table) <= READ_UP_TO or len(changed) > MERGED_SHARE * len(table):
        write_words(folder, read_all=read_all)
        return
    for name in (WORDS_FILE, COUNTS_FILE):
        link_file(source / name, folder / name)
    (folder / CHANGED_FILE).write_text(json.dumps(changed, ensure_ascii=False), "utf-8")


def open_words(folder: Path) -> Vocabulary | None:
    """Return the words of the index in a folder; None for one of an earlier format. Raises IndexUnusable as `open`."""
    if not (folder / WORDS_FILE).exists():
        return None
    table = WordTable.open(folder)
    try:
        return ChangedWords(table, json.loads((folder / CHANGED_FILE).read_text("utf-8")))
    except FileNotFoundError:
        return table
    except (OSError, ValueError, AttributeError) as error:
        raise _damaged(folder, error) from error


def _damaged(folder: Path, reason: object) -> IndexUnusable:
    return IndexUnusable(f"The words in {folder} are damaged: {reason}.", hint="Run `memetica index`.")

"""The words of a library: its vocabulary, and which memes hold some words, whoever keeps the index of them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from search.index.columns import Ids
from search.index.conditions import Alternatives
from search.index.lexical.analyzer import accents_agree, normalize_word, term_of, unaccented
from search.index.lexical.file_names import NamedMemes
from search.index.lexical.word_table import Vocabulary
from search.meme import Field


@dataclass(frozen=True)
class Spelling:
    """A word of the library in lower case, the number of memes with it, and its edit distance from the query's word."""

    word: str
    memes: int
    edits: int


class WordIndex(ABC):
    """What a query is read by: words of the library, how frequent they are, and the memes that hold them."""

    @abstractmethod
    def __len__(self) -> int:
        """The number of memes with text."""

    @property
    @abstractmethod
    def vocabulary(self) -> Vocabulary:
        """The words of all texts in lower case, sorted, each with the number of memes that have it."""

    @abstractmethod
    def document_frequency(self, term: str) -> int:
        """Return the number of memes with a term."""

    @abstractmethod
    def having_all(self, groups: Sequence[Sequence[Sequence[str]]]) -> Ids:
        """Return the rising ids of all memes that have every group: at least one of its sequences of terms, in a row.

        >>> searcher.index.lexical.having_all([[("dog",)], [("burn", "room"), ("medal",)]]).tolist()
        [4, 5]
        """

    @abstractmethod
    def saying(self, sequences: Iterable[Sequence[Alternatives]]) -> Ids:
        """Return the rising ids of all memes with any of the sequences: a word of each place in a row.

        They are looked for in each text about the meme and in its file's name. The first sequence may also begin in the
        category and end in the name; in the category alone it is not looked for.
        """

    @abstractmethod
    def written(self, words: Iterable[str]) -> Ids:
        """Return the rising ids of all memes with any of these words as written: in lower case, with their accents."""

    @abstractmethod
    def beginning(self, letters: str) -> Ids | None:
        """Return the rising ids of all memes with a Korean word that begins with some letters, in normal form.

        None where the index does not know where Korean words begin.
        """

    @abstractmethod
    def named(self, typed: str) -> NamedMemes:
        """Return the memes that `typed` is the file name of.

        A whole name, with or without its ending and its folder, counts before parts of names; parts count only if they
        are codes, as in names by cameras.

        >>> searcher.index.lexical.named("FINE.PNG").ids.tolist()
        [4]
        """

    @abstractmethod
    def held(self, terms: Sequence[str], ids: Ids) -> NDArray[np.bool_]:
        """Return for each term and each of some memes ([t, n]) whether the meme has the term."""

    def prepare(self, terms: Sequence[str]) -> None:
        """Say which terms a query will ask about; an index to which it makes no difference does nothing.

        >>> searcher.index.lexical.prepare(["dog"])
        """
        return None

    @abstractmethod
    def phrase(self, words: Sequence[str], field: Field, *, k: int) -> tuple[Ids, NDArray[np.float32]]:
        """Return the best k memes with these terms one after another in one field: ids and scores, best first."""

    def forms(self, word: str, *, bare: bool = True) -> Sequence[str] | None:
        """Return the words of the library that a word as written with accents may stand for; None for all of its term.

        They have its accents, or none if `bare`, and any ending; None where the library has no others with its term.
        """
        others = self._by_accented_term.get(term_of(word), ())
        known = [one for one in others if accents_agree(word, one) and (bare or unaccented(one) != one)]
        return None if len(known) == len(others) else known

    @cached_property
    def _by_accented_term(self) -> Mapping[str, Sequence[str]]:
        """The words of the vocabulary by term, for the terms that a word with accents has."""
        first, *others = self.vocabulary.tables
        if not others:
            return first.by_accented_term
        terms = frozenset[str]().union(*(one.accented_terms for one in self.vocabulary.tables))
        found: dict[str, set[str]] = {}
        for one in self.vocabulary.tables:
            for term, words in (*one.by_accented_term.items(), *one.by_term(terms - one.accented_terms).items()):
                found.setdefault(term, set()).update(words)
        return {term: sorted(words) for term, words in found.items()}

    def accented(self, word: str) -> Sequence[str]:
        """Return the words of the library that differ from a word as written by accents alone."""
        plain = unaccented(word)
        found = sorted({other for one in self.vocabulary.tables for other in one.accented.get(plain, ())})
        return [plain, *found] if found and plain in self.vocabulary else found

    def similar_words(self, word: str, *, edits: int = 2, k: int = 10) -> list[Spelling]:
        """Return the k words of the library nearest to a word: fewest edits first (at most `edits`), then most memes.

        An edit inserts, deletes or replaces a letter or swaps two neighbours. The word itself has 0 edits.
        """
        typed = normalize_word(word).lower()
        near = {other: far for one in self.vocabulary.tables for other, far in one.near.within(typed, edits)}
        found = [Spelling(other, self.vocabulary[other], far) for other, far in near.items()]
        return sorted(found, key=lambda spelling: (spelling.edits, -spelling.memes, spelling.word))[:k]

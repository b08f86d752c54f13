"""Correct the spelling of a query's words that are in no meme."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product

from search.index.lexical.analyzer import query_terms, stop_word_languages, tokenize, word_as_written
from search.index.lexical.vocabulary import WordIndex
from search.query.language import (
    all_english_words,
    english_words,
    is_contraction,
    is_english_word,
    reads_as_english,
    sounds_foreign,
)
from search.query.parser import Query
from search.query.words import COMMON

MIN_LETTERS = 4  # of a word that is corrected; shorter ones are near to too many others
LONG = 8  # letters from which two edits are allowed
MAX_READINGS = 3  # of one misspelled word
MAX_CORRECTED = 4  # words of a query; more unknown ones are another language, not misspelled
MAX_REPEATED = 4  # letters of a word that are repeated for effect
_REPEATED = re.compile(r"(\w)\1{2,}")


@dataclass(frozen=True)
class Correction:
    """A corrected query, and for each corrected word as typed, its corrections."""

    query: Query
    corrections: Mapping[str, tuple[str, ...]]


def correct_spelling(query: Query, index: WordIndex) -> Correction:
    """Return the query with corrections of the words that are in no meme and an edit or two from a word of the library.

    The corrected text has the most likely correction in place of the word; the terms include the word and all
    corrections. Words of the library, common English words, contractions, words with any other apostrophe ("c'est") and
    words that cannot be English are not corrected, and nothing is in a library or a query in another language: a word's
    other forms are as near to it as a slip. A letter that is repeated for effect ("nooooo") is a slip in any language.

    >>> from search.query.parser import parse
    >>> correct_spelling(parse("burnin room"), searcher.index.lexical).query.text
    'burning room'
    """
    corrections: dict[str, tuple[str, ...]] = {}
    parts: list[str] = []
    at = 0
    tokens = tokenize(query.text)
    words = [query.text[token.start : token.end] for token in tokens]
    if sounds_foreign(words):
        return Correction(query, {})
    for token, word in zip(tokens, words, strict=True):
        if len(corrections) == MAX_CORRECTED or word in corrections or len(word) < MIN_LETTERS:
            continue
        if not is_english_word(word) or index.document_frequency(token.term) or _is_known(word):
            continue
        found = _without_repetition(word, index)
        if not found and not reads_as_english(index):
            continue
        if found := found or _near(word, index):
            corrections[word] = found
            parts += [query.text[at : token.start], corrections[word][0]]
            at = token.end
    if not corrections or _are_strange(words, corrections, index):
        return Correction(query, {})
    text = "".join([*parts, query.text[at:]])
    others = query_terms(" ".join(word for found in corrections.values() for word in found))
    return Correction(replace(query, text=text, terms=tuple(dict.fromkeys((*query.terms, *others)))), corrections)


def _without_repetition(word: str, index: WordIndex) -> tuple[str, ...]:
    """Return the words of the library that a word with a letter three times or more in a row says, as "nooooo"."""
    pieces = _REPEATED.split(word_as_written(word))  # letters that are repeated at the odd places
    if not 1 < len(pieces) <= 2 * MAX_REPEATED + 1:
        return ()
    choices = [[piece * times for times in (1, 2, 3)] if at % 2 else [piece] for at, piece in enumerate(pieces)]
    known = [one for one in map("".join, product(*choices)) if one in index.vocabulary]
    return tuple(sorted(known, key=lambda one: -index.vocabulary[one])[:MAX_READINGS])


def _near(word: str, index: WordIndex) -> tuple[str, ...]:
    """Return the English words of the library that are fewest edits from a word."""
    near = index.similar_words(word, edits=2 if len(word) >= LONG else 1, k=MAX_READINGS)
    near = [one for one in near if is_english_word(one.word)]
    return tuple(one.word for one in near if one.edits == near[0].edits)


def _are_strange(words: Sequence[str], corrections: Collection[str], index: WordIndex) -> bool:
    """Return whether words are of another language: most are unknown, and not all of these are near to known ones."""
    letters = {word.lower() for word in words if word.isalpha()}
    unknown = {word for word in letters if _is_foreign(word, index) or not _is_usual(word, index)}
    near = {word.lower() for word in corrections}
    return 1 < len(letters) < 2 * len(unknown) and any(
        _is_foreign(word, index) or (len(word) >= MIN_LETTERS and word not in near) for word in unknown
    )


def _is_usual(word: str, index: WordIndex) -> bool:
    return word in all_english_words() or is_contraction(word) or word_as_written(word) in index.vocabulary


def _is_foreign(word: str, index: WordIndex) -> bool:
    """Return whether a word is a stop word of another language and neither English nor usual here, as in "y u no"."""
    if word in english_words() or index.vocabulary.get(word_as_written(word), 0) >= COMMON:
        return False
    return bool(stop_word_languages(word))


def _is_known(word: str) -> bool:
    return "'" in word or word.lower() in english_words() or is_contraction(word.lower())

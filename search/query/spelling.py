"""Correct the spelling of a query's words that are in no meme."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from search.index.lexical.analyzer import query_terms, tokenize
from search.index.lexical.vocabulary import WordIndex
from search.query.language import english_words, is_contraction, is_english_word, reads_as_english, sounds_foreign
from search.query.parser import Query

MIN_LETTERS = 4  # of a word that is corrected; shorter ones are near to too many others
LONG = 8  # letters from which two edits are allowed
MAX_READINGS = 3  # of one misspelled word
MAX_CORRECTED = 4  # words of a query; more unknown ones are another language, not misspelled


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
    other forms are as near to it as a slip.

    >>> from search.query.parser import parse
    >>> correct_spelling(parse("burnin room"), searcher.index.lexical).query.text
    'burning room'
    """
    corrections: dict[str, tuple[str, ...]] = {}
    parts: list[str] = []
    at = 0
    tokens = tokenize(query.text)
    if sounds_foreign([query.text[token.start : token.end] for token in tokens]):
        return Correction(query, {})
    for token in tokens:
        word = query.text[token.start : token.end]
        if len(corrections) == MAX_CORRECTED or word in corrections or len(word) < MIN_LETTERS:
            continue
        if not is_english_word(word) or index.document_frequency(token.term) or _is_known(word):
            continue
        if not reads_as_english(index):
            break
        near = index.similar_words(word, edits=2 if len(word) >= LONG else 1, k=MAX_READINGS)
        near = [one for one in near if is_english_word(one.word)]
        if near:
            corrections[word] = tuple(one.word for one in near if one.edits == near[0].edits)
            parts += [query.text[at : token.start], corrections[word][0]]
            at = token.end
    if not corrections:
        return Correction(query, {})
    text = "".join([*parts, query.text[at:]])
    others = query_terms(" ".join(word for found in corrections.values() for word in found))
    return Correction(replace(query, text=text, terms=tuple(dict.fromkeys((*query.terms, *others)))), corrections)


def _is_known(word: str) -> bool:
    return "'" in word or word.lower() in english_words() or is_contraction(word.lower())

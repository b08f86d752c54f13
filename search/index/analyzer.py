"""The text analyzer: splits a text into words, and turns each word into the term that is indexed."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import regex
import tantivy

MAX_TERMS = 64  # of a query; further terms are ignored


ANALYZER = "memetica-2"  # change the name when a word's term changes, so that older indexes are built again


LONGEST = 64  # bytes of a word; longer ones are not indexed


# Scripts without spaces between words (and Korean, which attaches particles to them): each letter is a word, and
# neighbours form phrases. In other scripts a word may contain apostrophes, which are ignored ("don't" is "dont").
_LETTERWISE = r"\p{Han}\p{Hiragana}\p{Katakana}\u30fc\uff70\p{Hangul}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}"


_LETTER = rf"[[\p{{L}}\p{{N}}]--[{_LETTERWISE}]]"


_PART = rf"[[\p{{L}}\p{{N}}\p{{M}}]--[{_LETTERWISE}]]"


_WORD = regex.compile(
    rf"[[{_LETTERWISE}]&&[\p{{L}}\p{{N}}]]\p{{M}}*|{_LETTER}{_PART}*(?:['’]{_PART}+)*|[\p{{Emoji_Presentation}}]",
    regex.V1,
)


_ASCII_WORD = re.compile(r"[A-Za-z0-9]+(?:'[A-Za-z0-9]+)*")  # equal to _WORD for ASCII, five times as fast


LETTERWISE_WORD = regex.compile(rf"[{_LETTERWISE}]\p{{M}}*", regex.V1)


@dataclass(frozen=True)
class Token:
    """A word of a text: its start and end position, and its term."""

    start: int
    end: int
    term: str


@lru_cache(maxsize=1)
def analyzer() -> tantivy.TextAnalyzer:
    filters = (
        tantivy.Filter.remove_long(LONGEST),
        tantivy.Filter.lowercase(),
        tantivy.Filter.ascii_fold(),
        tantivy.Filter.stemmer("english"),
    )
    builder = tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.whitespace())
    for one in filters:
        builder = builder.filter(one)
    return builder.build()


@lru_cache(maxsize=1)
def spelling_analyzer() -> tantivy.TextAnalyzer:
    return tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.whitespace()).build()


@lru_cache(maxsize=1)
def _folding_analyzer() -> tantivy.TextAnalyzer:
    return tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.whitespace()).filter(tantivy.Filter.ascii_fold()).build()


@lru_cache(maxsize=1)
def _stop_word_analyzer() -> tantivy.TextAnalyzer:
    builder = tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.whitespace()).filter(tantivy.Filter.lowercase())
    return builder.filter(tantivy.Filter.stopword("english")).build()


def is_stop_word(word: str) -> bool:
    """Return whether a word is one of Lucene's 33 English stop words, which tantivy comes with.

    >>> is_stop_word("The"), is_stop_word("you")
    (True, False)
    """
    return not _stop_word_analyzer().analyze(word)


@lru_cache(maxsize=65536)
def term_of(word: str) -> str:
    """Return the term of a word in normal form; "" for one that is too long to be indexed.

    >>> term_of("dances")
    'danc'
    """
    found = analyzer().analyze(word)
    return found[0] if found else ""


@lru_cache(maxsize=65536)
def unaccented(word: str) -> str:
    """Return a word without accents, as terms are.

    >>> unaccented("déjà")
    'deja'
    """
    if word.isascii():
        return word
    found = _folding_analyzer().analyze(word)
    return found[0] if found else word


def tokenize(text: str) -> list[Token]:
    """Return the words of a text with positions and terms; a word that is too long has the term "".

    >>> [(token.start, token.term) for token in tokenize("Cats don't dance")]
    [(0, 'cat'), (5, 'dont'), (11, 'danc')]
    """
    return [
        Token(match.start(), match.end(), term_of(normalize_word(match[0]))) for match in _pattern(text).finditer(text)
    ]


def query_terms(text: str) -> list[str]:
    """Return the distinct terms of a query in order of appearance, at most MAX_TERMS.

    >>> query_terms("the cat and the cats")
    ['the', 'cat', 'and']
    """
    found: dict[str, None] = {}
    for match in _pattern(text).finditer(text):
        if term := term_of(normalize_word(match[0])):
            found[term] = None
        if len(found) == MAX_TERMS:
            break
    return list(found)


def _pattern(text: str) -> Any:
    return _ASCII_WORD if text.isascii() else _WORD


def normalize_word(word: str) -> str:
    """Return a word without apostrophes, in Unicode normal form NFKC.

    >>> normalize_word("ｃａｆｅ’s")
    'cafes'
    """
    if not word.isascii():
        word = "".join(unicodedata.normalize("NFKC", word).split())
    return word.replace("'", "").replace("’", "")


def word_as_written(word: str) -> str:
    """Return a word as the vocabulary has it: in lower case, without apostrophes, with its ending.

    >>> word_as_written("Don't"), word_as_written("Dogs")
    ('dont', 'dogs')
    """
    return normalize_word(word).lower()


def split_words(text: str) -> list[str]:
    words = _pattern(text).findall(text)
    return words if text.isascii() and "'" not in text else [normalize_word(word) for word in words]

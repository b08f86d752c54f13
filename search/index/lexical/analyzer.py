"""The text analyzer: splits a text into words, and turns each word into the term that is indexed."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Any

import regex
import tantivy

from search.encoders.emoji import EMOJI

MAX_TERMS = 64  # of a query; further terms are ignored

ANALYZER = "memetica-4"  # change the name when a word's term changes, so that older indexes are built again
READABLE_ANALYZERS = ("memetica-2", "memetica-3", ANALYZER)  # 2 differs in words beyond ASCII, 3 in emoji

STOP_WORD_LANGUAGES = (
    "danish",
    "dutch",
    "finnish",
    "french",
    "german",
    "hungarian",
    "italian",
    "norwegian",
    "portuguese",
    "spanish",
    "swedish",
)

_REMEMBERED = 1000  # letters of a text whose tokens are kept for a while
LONGEST = 64  # bytes of a word; longer ones are not indexed
LONGEST_KOREAN = 20  # syllables of a word, of three bytes each

# Scripts without spaces between words (and Korean, which attaches particles to them): each letter is a word, and
# neighbours form phrases. In other scripts a word may contain apostrophes, which are ignored ("don't" is "dont").
_LETTERWISE = (
    r"\p{Han}\p{Hiragana}\p{Katakana}\u30fc\uff70\p{Bopomofo}\p{Yi}\p{Hangul}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}"
    r"\p{Tai_Le}\p{New_Tai_Lue}\p{Tai_Tham}\p{Tai_Viet}\p{Javanese}\p{Balinese}"
)

# Marks of a letter: besides the combining ones, the vowels AM of Thai and Lao and the voicing marks of narrow kana.
_MARKS = r"\p{M}\u0e33\u0eb3\uff9e\uff9f\u200c\u200d"

# Within a word they are not read: the hyphen of a line's end, joiners, marks of direction, and the Arabic tatweel.
_UNREAD = "\u00ad\u200c\u200d\u200e\u200f\u2060\u2066\u2067\u2068\u2069\ufeff\u0640"

# A Korean syllable that is written in its parts, as file names of macOS are.
_JAMO = r"[\u1100-\u115f\ua960-\ua97c][\u1160-\u11a7\ud7b0-\ud7c6][\u11a8-\u11ff\ud7cb-\ud7fb]?"

_LETTER = rf"[[\p{{L}}\p{{N}}]--[{_LETTERWISE}]]"

_PART = rf"[[\p{{L}}\p{{N}}\p{{M}}{_UNREAD}]--[{_LETTERWISE}]]"

_WORD = regex.compile(
    rf"{_JAMO}|[[{_LETTERWISE}]&&[\p{{L}}\p{{N}}]][{_MARKS}]*"
    rf"|{EMOJI}|{_LETTER}{_PART}*(?:['’]{_PART}+)*",
    regex.V1,
)

_ASCII_WORD = re.compile(r"[A-Za-z0-9]+(?:'[A-Za-z0-9]+)*")  # equal to _WORD for ASCII, five times as fast

LETTERWISE_WORD = regex.compile(rf"[{_LETTERWISE}][{_MARKS}]*", regex.V1)

_KOREAN_WORD = regex.compile(rf"(?:{_JAMO}|[\p{{Hangul}}&&\p{{L}}][{_MARKS}]*)+", regex.V1)

# Nor are the skin tones of emoji, and the sign that one is in color.
_UNREAD_LETTERS = str.maketrans(dict.fromkeys(f"{_UNREAD}\ufe0f🏻🏼🏽🏾🏿", ""))

# Letters that are written in two ways in Arabic and Persian texts, for terms.
_ARABIC_LETTERS = str.maketrans("ىیکةأإآٱ", "ييكهاااا")

_FOLDED_SCRIPTS = regex.compile(r"[\p{Greek}\p{Cyrillic}\p{Arabic}\p{Hebrew}]")

# Vowel points of Hebrew and Arabic, the accents of Greek, and stress in Cyrillic (not the breve of й, nor the dots of
# ї, which make other letters).
_POINTS = regex.compile(
    r"(?<=\p{Greek}\p{M}*)\p{M}|[\u0591-\u05bd\u05bf-\u05c7\u064b-\u065f\u0670\u06d6-\u06ed]"
    r"|(?<=\p{Cyrillic})[\u0300\u0301]|(?<=е)\u0308"
)


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


@lru_cache(maxsize=1)
def _stop_words_by_language() -> dict[str, tantivy.TextAnalyzer]:
    def of(language: str) -> tantivy.TextAnalyzer:
        builder = tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.whitespace()).filter(tantivy.Filter.lowercase())
        return builder.filter(tantivy.Filter.stopword(language)).build()

    return {language: of(language) for language in STOP_WORD_LANGUAGES}


@lru_cache(maxsize=4096)
def stop_word_languages(word: str) -> tuple[str, ...]:
    """Return the languages other than English that a word is a stop word of, of those that tantivy has lists of.

    >>> stop_word_languages("nicht"), stop_word_languages("walk")
    (('german',), ())
    """
    return tuple(language for language, words in _stop_words_by_language().items() if not words.analyze(word))


@lru_cache(maxsize=65536)
def term_of(word: str) -> str:
    """Return the term of a word in normal form; "" for one that is too long to be indexed.

    >>> term_of("dances")
    'danc'
    """
    found = analyzer().analyze(without_points(word))
    return found[0] if found else ""


@lru_cache(maxsize=65536)
def unaccented(word: str) -> str:
    """Return a word without accents, as terms are.

    >>> unaccented("déjà")
    'deja'
    """
    if word.isascii():
        return word
    found = _folding_analyzer().analyze(without_points(word))
    return found[0] if found else word


def accents_agree(typed: str, other: str) -> bool:
    """Whether a word has no accents, or those of a typed one as far as both have the same letters.

    >>> accents_agree("máy", "may"), accents_agree("máy", "mây"), accents_agree("élève", "élèves")
    (True, False, True)
    """
    if unaccented(other) == other:
        return True
    same = next(
        (at for at, (one, two) in enumerate(zip(typed, other, strict=False)) if unaccented(one) != unaccented(two)),
        min(len(typed), len(other)),
    )
    return typed[:same] == other[:same]


def without_points(word: str) -> str:
    """Return a word in normal form without the accents of Greek, the points of Hebrew and Arabic, and Cyrillic stress.

    tantivy removes the accents of Latin letters itself. Vowel signs of Indic scripts and of Thai are letters.

    >>> without_points("γάτα"), without_points("ёлка"), without_points("йога")
    ('γατα', 'елка', 'йога')
    """
    if word.isascii() or not _FOLDED_SCRIPTS.search(word):
        return word
    bare = _POINTS.sub("", unicodedata.normalize("NFD", word.translate(_ARABIC_LETTERS)))
    return unicodedata.normalize("NFC", bare)


def tokenize(text: str) -> list[Token]:
    """Return the words of a text with positions and terms; a word that is too long has the term "".

    >>> [(token.start, token.term) for token in tokenize("Cats don't dance")]
    [(0, 'cat'), (5, 'dont'), (11, 'danc')]
    """
    return [*_tokens(text)] if len(text) <= _REMEMBERED else _read_tokens(text)


def _read_tokens(text: str) -> list[Token]:
    return [
        Token(match.start(), match.end(), term_of(normalize_word(match[0]))) for match in _pattern(text).finditer(text)
    ]


@lru_cache(maxsize=256)
def _tokens(text: str) -> tuple[Token, ...]:
    """Return the tokens of a short text: each part of a search splits the query anew."""
    return tuple(_read_tokens(text))


def query_terms(text: str) -> list[str]:
    """Return the distinct terms of a query in order of appearance, at most MAX_TERMS.

    >>> query_terms("the cat and the cats")
    ['the', 'cat', 'and']
    """
    return [*_terms(text)] if len(text) <= _REMEMBERED else _read_terms(text)


@lru_cache(maxsize=1024)
def _terms(text: str) -> tuple[str, ...]:
    """Return the terms of a short text, such as a word of a query, which is asked about more than once."""
    return tuple(_read_terms(text))


def _read_terms(text: str) -> list[str]:
    found: dict[str, None] = {}
    for match in _pattern(text).finditer(text):
        if term := term_of(normalize_word(match[0])):
            found[term] = None
        if len(found) == MAX_TERMS:
            break
    return list(found)


def is_letterwise(part: Sequence[str]) -> bool:
    """Return whether a part of a query, a sequence of terms, is of letters of a script without spaces.

    >>> is_letterwise(("黑", "猫")), is_letterwise(("cat",))
    (True, False)
    """
    return not part[0].isascii() and LETTERWISE_WORD.fullmatch(part[0]) is not None


def korean_words(text: str) -> list[str]:
    """Return the words of Hangul in a text, between spaces and other letters, in normal form.

    Their particles are part of them. A word of more than 20 syllables is left out: spaces were lost.

    >>> korean_words("고양이는 meme을 본다")
    ['고양이는', '을', '본다']
    """
    if text.isascii():
        return []
    found = (normalize_word(match[0]) for match in _KOREAN_WORD.finditer(text))
    return [word for word in found if len(word) <= LONGEST_KOREAN]


def query_parts(text: str) -> list[tuple[str, ...]]:
    """Return the distinct parts of a query, as sequences of terms: its words, and where words have no spaces, pairs.

    A letter of such a script matches much; two in a row seldom stand in a text by chance. More letters in a row are a
    part too: a text may have all pairs, each in another place.

    >>> query_parts("a 黑猫咪")
    [('a',), ('黑', '猫'), ('猫', '咪'), ('黑', '猫', '咪')]
    """
    found: dict[tuple[str, ...], None] = {}
    run: list[str] = []
    end = -1
    for token in [*tokenize(text)[: 4 * MAX_TERMS], Token(-1, -1, " ")]:
        is_letter = bool(LETTERWISE_WORD.fullmatch(token.term))
        if run and not (is_letter and token.start == end):
            found |= dict.fromkeys(pairwise(run) if len(run) > 1 else [(run[0],)])
            found[tuple(run)] = None
            run = []
        if is_letter:
            run.append(token.term)
            end = token.end
        elif token.term.strip():
            found[(token.term,)] = None
    return list(found)[:MAX_TERMS]


def _pattern(text: str) -> Any:
    return _ASCII_WORD if text.isascii() else _WORD


def normalize_word(word: str) -> str:
    """Return a word without apostrophes; beyond ASCII in Unicode normal form NFKC, in one case, without joiners.

    Case is folded in full: the Turkish İ is an i, the German ß is ss, and the Greek ς is a σ.

    >>> normalize_word("ｃａｆｅ’s"), normalize_word("İZMİR"), normalize_word("ΓΆΤΑΣ") == normalize_word("γάτας")
    ('cafes', 'izmir', True)
    """
    if not word.isascii():
        folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", word).casefold())
        whole = "".join(folded.translate(_UNREAD_LETTERS).split()).replace("i\u0307", "i")
        # NFKC takes the vowels AM of Thai and Lao apart, which are one letter to everybody.
        word = whole.replace("\u0e4d\u0e32", "\u0e33").replace("\u0ecd\u0eb2", "\u0eb3")
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

"""Quoted phrases: which memes say one, allowing for the damage that OCR does and for slips of the finger.

A meme says a phrase if one of its texts has the same words in a row. A word counts as the same if it

- is written the same, whatever its case and apostrophes ("dogs" is not "dog"), with the same accents or none; a word
  that is typed without accents in a phrase without any may have any,
- is no word in the text, and differs by letters that OCR takes for each other (0 and o, rn and m), or is long and
  differs by a letter or two: the text has "mondavs" for "mondays",
- is a word in the text, near to a typed one that is in no meme and no word: the phrase was typed with a slip,
- is run together with its neighbours, or split in two: spaces get lost on tight capitals.

Two words that both exist are never the same: "walk" is not "talk". Damage and slips can be told from other words in
English alone: words with letters beyond ASCII, and all words of a library in another language, are as they are written.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import reduce
from itertools import permutations

import numpy as np
from rapidfuzz import process
from rapidfuzz.distance import OSA

from search.index.columns import Ids
from search.index.conditions import All, Alternatives, Begins, Says, Where
from search.index.lexical.analyzer import (
    LONGEST,
    MAX_TERMS,
    Token,
    korean_words,
    normalize_word,
    query_terms,
    term_of,
    tokenize,
    unaccented,
    word_as_written,
)
from search.index.lexical.vocabulary import WordIndex
from search.query.language import english_words, is_contraction, is_english_word, reads_as_english
from search.query.parser import PartKind, Query
from search.query.spelling import LONG, MIN_LETTERS
from search.query.words import COMMON, MAX_SHORT, is_word_of_its_own, memes_beginning, types_accents

MAX_VARIANTS = 12  # of a word
MAX_JOINED = 4  # words that are looked for as one
MIN_SPLIT = 3  # letters of each part of a word that is looked for in two parts
MIN_DAMAGED = 6  # letters of a word that may differ by any letter
LONG_DAMAGED = 10  # letters of a word that may differ by any two
MIN_NEIGHBORS = 3  # words of a phrase from which a slip in a short word is put right
MIN_LOSS = 4  # words of a phrase in which OCR may lose one of a single letter
# Letters that OCR takes for each other, in both directions.
CONFUSED = (
    "o 0",
    "l 1",
    "i 1",
    "i l",
    "s 5",
    "b 8",
    "z 2",
    "g 9",
    "m rn",
    "w vv",
    "d cl",
    "u v",
    "c e",
    "q g",
    "h n",
    "t f",
)

_AT_ONCE = 500  # words that are compared with all others in one step: 15 MB

Sequence = tuple[Alternatives, ...]


@dataclass(frozen=True)
class Quote:
    """A quoted phrase and the sequences of words that count as saying it, the phrase as it is written first."""

    text: str
    sequences: tuple[Sequence, ...]

    @property
    def terms(self) -> frozenset[str]:
        """The terms of the phrase's words, damaged ones included."""
        return frozenset(term for sequence in self.sequences for place in sequence for _, term in place)

    def find(self, text: str) -> list[tuple[int, int]]:
        """Return the start and end of each place of a text that says the phrase, in order and without overlaps.

        >>> from search.query.quotes import make_quote
        >>> make_quote("so good", searcher.index.lexical).find("It is SO\\ngood!")
        [(6, 13)]
        """
        whole = word_as_written(text)
        if not any(all(any(word in whole for word, _ in place) for place in one) for one in self.sequences):
            return []  # a quick look at the letters: most texts do not have them
        tokens = tokenize(text)
        written = [word_as_written(text[token.start : token.end]) for token in tokens]
        found: list[tuple[int, int]] = []
        korean = korean_words(self.text)
        starts_anywhere = not korean or sum(map(len, korean)) > MAX_SHORT
        at = 0
        while at < len(tokens):
            is_open = starts_anywhere or not at or not _are_one_word(text, tokens[at - 1], tokens[at])
            length = max((len(one) for one in self.sequences if is_open and _fits(one, tokens, written, at)), default=0)
            if length:
                found.append((tokens[at].start, tokens[at + length - 1].end))
            at += max(length, 1)
        return found


def _are_one_word(text: str, token: Token, following: Token) -> bool:
    """Whether two syllables belong to one Korean word."""
    both = text[token.start : following.end]
    return token.end == following.start and korean_words(both) == [normalize_word(both)]


def _fits(sequence: Sequence, tokens: list[Token], written: list[str], at: int) -> bool:
    return at + len(sequence) <= len(tokens) and all(
        any(word == written[at + place] for word, _ in alternatives) for place, alternatives in enumerate(sequence)
    )


def make_quote(text: str, index: WordIndex, *, verbatim: bool = False) -> Quote:
    """Return a quoted phrase with the ways in which this library's texts may have it; no sequences without a word.

    With `verbatim`, the phrase is taken to be typed without a slip.

    >>> from search.query.quotes import make_quote
    >>> [word for word, _ in make_quote("this is fine", searcher.index.lexical).sequences[0][2]]
    ['fine']
    """
    words = [(word_as_written(text[token.start : token.end]), token.term) for token in tokenize(text) if token.term][
        :MAX_TERMS
    ]
    if not words:
        return Quote(text, ())
    # Its neighbours tell which word a slip stands for; a word alone must be long enough to tell by itself.
    shortest = math.inf if verbatim else MIN_LETTERS if len(words) < MIN_NEIGHBORS else 2
    # Who types accents types all of them: of Vietnamese words most differ by accents alone.
    has_accents = types_accents([word for word, _ in words], index)
    # A letter alone is not taken for another one.
    least = 1 if len(words) >= MIN_NEIGHBORS else 2
    places = tuple(
        _alternatives(word, index, shortest=shortest, has_accents=has_accents, is_damaged=len(word) >= least)
        for word, _ in words
    )
    found = [places, *_joined(words, places, index), *_split(words, places, index), *_lost(words, places)]
    return Quote(text, tuple(dict.fromkeys(found)))


def memes_saying(quote: Quote, index: WordIndex) -> Ids:
    """Return the rising ids of all memes that say a phrase.

    >>> from search.query.quotes import make_quote, memes_saying
    >>> lexical = searcher.index.lexical
    >>> memes_saying(make_quote("this is fine", lexical), lexical).tolist()
    [4]
    """
    if not quote.sequences:
        return np.empty(0, np.int64)
    return memes_beginning(quote.text, index.saying(quote.sequences), index)


def saying_condition(quote: Quote) -> Where:
    """Return the condition of saying a phrase that has a word, which selects what `memes_saying` returns.

    >>> from search.query.quotes import make_quote, saying_condition
    >>> searcher.index.select(saying_condition(make_quote("this is fine", searcher.index.lexical))).tolist()
    [4]
    """
    words = korean_words(quote.text)
    begins = words if sum(map(len, words)) <= MAX_SHORT else []
    found = Says(quote.sequences)
    return All((found, *map(Begins, begins))) if begins else found


def memes_saying_all(quotes: Iterable[Quote], index: WordIndex) -> Ids | None:
    """Return the rising ids of the memes that say all phrases, or have them as the file's name; None without a word.

    >>> lexical = searcher.index.lexical
    >>> memes_saying_all([make_quote("this is fine", lexical)], lexical).tolist(), memes_saying_all([], lexical)
    ([4], None)
    """
    found = [np.union1d(memes_saying(one, index), _named_whole(one.text, index)) for one in quotes if one.sequences]
    return reduce(np.intersect1d, found) if found else None


def damaged_words(index: WordIndex) -> dict[str, list[str]]:
    """Return for each word of the library that may be damage the words that it may be, as quoted phrases take it.

    For those who cannot ask for the damaged forms of a phrase's words, as a browser with files; it takes seconds where
    ten thousands of words are damaged.

    >>> from search.query.quotes import damaged_words
    >>> damaged_words(searcher.index.lexical)["glares"]
    ['flares']
    """
    if not reads_as_english(index):
        return {}
    damaged = [word for word in index.vocabulary if is_english_word(word) and not is_word(word, index)]
    words = {word for word in index.vocabulary if is_english_word(word) and is_word(word, index)} | english_words()
    found = {word: [other for other in dict.fromkeys(_confused(word)) if other in words] for word in damaged}
    for least, most, edits in ((MIN_DAMAGED, LONG_DAMAGED - 1, 1), (LONG_DAMAGED, LONGEST, 2)):
        whole = sorted(word for word in words if least <= len(word) <= most)
        near = sorted(one for one in damaged if least - edits <= len(one) <= most + edits and not one.isdecimal())
        for at in range(0, len(near) if whole else 0, _AT_ONCE):
            some = near[at : at + _AT_ONCE]
            edited = process.cdist(some, whole, scorer=OSA.distance, score_cutoff=edits, dtype=np.uint8)
            for row, column in np.argwhere(edited <= edits):
                found[some[row]].append(whole[column])
    return {word: list(dict.fromkeys(others))[:MAX_VARIANTS] for word, others in found.items() if others}


def is_word(word: str, index: WordIndex) -> bool:
    """Whether a word is no damage: an English word, or one that several memes have.

    >>> is_word("flares", searcher.index.lexical), is_word("glares", searcher.index.lexical)
    (True, False)
    """
    return word in english_words() or index.vocabulary.get(word, 0) >= COMMON or is_contraction(word)


def words_beside_quotes(query: Query) -> str:
    """Return the words of a query that are not in quotation marks; all of them where no quote has a word.

    >>> from search.query.parser import parse
    >>> words_beside_quotes(parse('"this is fine" dog')), words_beside_quotes(parse('"!" dog'))
    ('dog', '! dog')
    """
    others = [part.value for part in query.parts if part.is_text and part.kind is not PartKind.PHRASE]
    has_words = any(query_terms(part.value) for part in query.phrases)
    return " ".join(others) if has_words else query.text


def _named_whole(text: str, index: WordIndex) -> Ids:
    named = index.named(text)
    return named.ids if named.is_whole else np.empty(0, np.int64)


def _alternatives(word: str, index: WordIndex, *, shortest: float, has_accents: bool, is_damaged: bool) -> Alternatives:
    """Return a word as written and, if it may be damaged, its damaged forms in the library.

    A word of at least `shortest` letters that is none also stands for the nearest words of the library.
    """
    found = [word, *_accented(word, index, has_accents=has_accents)]
    if not is_english_word(word) or not reads_as_english(index):
        return tuple((one, term_of(one)) for one in found[:MAX_VARIANTS])
    if len(word) >= shortest and word not in index.vocabulary and not is_word(word, index):
        near = index.similar_words(word, edits=2 if len(word) >= LONG else 1, k=MAX_VARIANTS)
        near = [one for one in near if is_english_word(one.word)]
        found += [one.word for one in near if one.edits == near[0].edits]
    for one in tuple(found) if is_damaged else ():
        found += _damaged(one, index)
    return tuple((one, term_of(one)) for one in list(dict.fromkeys(found))[:MAX_VARIANTS])


def _accented(word: str, index: WordIndex, *, has_accents: bool) -> list[str]:
    """Return the words of the library that are this one with other accents.

    In a phrase without accents they are all; in one that has some, this word without: capitals often lack accents.
    """
    plain = unaccented(word)
    bare = [plain] if plain != word and plain in index.vocabulary and not is_word_of_its_own(plain, index) else []
    return bare if has_accents else [*bare, *index.accented(word)]


def _damaged(word: str, index: WordIndex) -> list[str]:
    """Return the words of the library that are no words and may be this one, damaged by OCR."""
    found = [other for other in _confused(word) if other in index.vocabulary and not is_word(other, index)]
    if len(word) >= MIN_DAMAGED:
        near = index.similar_words(word, edits=2 if len(word) >= LONG_DAMAGED else 1, k=4 * MAX_VARIANTS)
        found += [one.word for one in near if is_english_word(one.word) and not is_word(one.word, index)]
    return found


def _confused(word: str) -> Iterator[str]:
    """Yield a word with one letter, or all letters of a kind, as OCR may take it."""
    for pair in CONFUSED:
        for one, other in permutations(pair.split()):
            start = word.find(one)
            while start >= 0:
                yield word[:start] + other + word[start + len(one) :]
                start = word.find(one, start + 1)
            if word.count(one) > 1:
                yield word.replace(one, other)


def _joined(words: list[tuple[str, str]], places: Sequence, index: WordIndex) -> Iterator[Sequence]:
    """Yield the phrase with some neighbours run together, where the library has the longer word."""
    for first in range(len(words)):
        for last in range(first + 2, min(first + MAX_JOINED, len(words)) + 1):
            one = "".join(word for word, _ in words[first:last])
            known = [one] if one in index.vocabulary else []
            known += [other for other in _confused(one) if other in index.vocabulary and not is_word(other, index)]
            if known:
                alternatives = tuple((other, term_of(other)) for other in dict.fromkeys(known))
                yield (*places[:first], alternatives, *places[last:])


def _split(words: list[tuple[str, str]], places: Sequence, index: WordIndex) -> Iterator[Sequence]:
    """Yield the phrase with a word in two parts, where the library has both."""
    for at, (word, _) in enumerate(words):
        for cut in range(MIN_SPLIT, len(word) - MIN_SPLIT + 1):
            parts = word[:cut], word[cut:]
            if all(part in index.vocabulary for part in parts):
                yield (*places[:at], *(((part, term_of(part)),) for part in parts), *places[at + 1 :])


def _lost(words: list[tuple[str, str]], places: Sequence) -> Iterator[Sequence]:
    """Yield a longer phrase without one of its words of a single letter."""
    if len(words) >= MIN_LOSS:
        for at, (word, _) in enumerate(words):
            if len(word) == 1 and word.isascii():
                yield (*places[:at], *places[at + 1 :])

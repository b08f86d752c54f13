"""Whether words are English, as far as corrections, stop words and damaged words need to know.

They act on English alone: in other languages a word that is not in the list is a word all the same, and two words that
differ by a letter are as a rule two forms of one ("kobieta", "kobiety").
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from importlib import resources

import regex

from search.encoders.coverage import Coverage
from search.index.analyzer import word_as_written
from search.index.lexical import LexicalIndex

ENGLISH = 30_000  # words, the most frequent, that are not corrected even where no meme holds them
MIN_WORDS = 30  # words of a library from which its language can be told
MIN_SHARE = 0.5  # of an English library's words that are in the list: CM50 .90, the demo .95, real_memes .9
MIN_LETTERS = 3  # of words that tell: shorter ones are in many languages
MIN_TOLD = 3  # words of a query whose language can be told
MAX_KNOWN = 1 / 3  # of the words of a query in another language are English or in the library, less than this share
_LETTERS = regex.compile(r"\p{L}")


@lru_cache(maxsize=1)
def english_words() -> frozenset[str]:
    """Return the most frequent words of English, by the list that comes with symspellpy.

    >>> "walk" in english_words(), "walkz" in english_words()
    (True, False)
    """
    return frozenset(_listed()[:ENGLISH])


@lru_cache(maxsize=1)
def _listed() -> list[str]:
    with (resources.files("symspellpy") / "frequency_dictionary_en_82_765.txt").open(encoding="utf-8-sig") as lines:
        return [line.split(" ", 1)[0] for line in lines]


@lru_cache(maxsize=1)
def _all_english_words() -> frozenset[str]:
    return frozenset(_listed())


def is_english_word(word: str) -> bool:
    """Return whether a word, in lower case, may be English: it has no letter beyond ASCII.

    >>> is_english_word("walkz"), is_english_word("żółw")
    (True, False)
    """
    return word.isascii()


@lru_cache(maxsize=4)  # the index in use, and those that it replaced
def reads_as_english(index: LexicalIndex) -> bool:
    """Return whether a library's words in Latin letters are English; True where they are too few to tell.

    >>> reads_as_english(searcher.index.lexical)
    True
    """
    known = total = 0
    for word in index.vocabulary:
        if len(word) < MIN_LETTERS or not regex.match(r"\p{Latin}+$", word):
            continue
        total += 1
        known += word in _all_english_words()
    return total < MIN_WORDS or known >= MIN_SHARE * total


def is_another_language(words: Sequence[str], index: LexicalIndex) -> bool:
    """Return whether words in Latin letters are of another language than an English library.

    Fewer than MIN_TOLD words do not tell: they may be names.

    >>> is_another_language("eine katze schläft nicht".split(), searcher.index.lexical)
    True
    >>> is_another_language("the cat sleeps".split(), searcher.index.lexical)
    False
    """
    told = [word_as_written(word) for word in words if len(word) >= MIN_LETTERS and word.isalpha()]
    if len(told) < MIN_TOLD or not reads_as_english(index):
        return False
    known = sum(word in _all_english_words() or word in index.vocabulary for word in told)
    return known < MAX_KNOWN * len(told)


@lru_cache(maxsize=4)
def share_unread(index: LexicalIndex, coverage: Coverage) -> float:
    """Return the share of a library's words that an encoder cannot read, each as often as memes have it; 0 to 1.

    >>> from search.encoders.coverage import Coverage
    >>> 0 < share_unread(searcher.index.lexical, Coverage(frozenset({"Latin"}))) < 0.2
    True
    """
    unread = sum(memes for word, memes in index.vocabulary.items() if not coverage.readable(word))
    return unread / max(1, sum(index.vocabulary.values()))

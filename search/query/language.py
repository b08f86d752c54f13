"""Whether words are English, as far as corrections, damaged words and the text encoder need to know.

They act on English alone: in other languages a word that is not in the list is a word all the same, and two words that
differ by a letter are as a rule two forms of one ("kobieta", "kobiety").
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from functools import lru_cache
from importlib import resources

import regex

from search.encoders.base import ImageEncoder, TextEncoder
from search.encoders.clip_models import display_name, spec_of
from search.encoders.coverage import (
    EVERYTHING,
    Coverage,
    coverage_for,
    languages_of,
    readable_share,
    reads_english_alone,
)
from search.encoders.text_models import MULTILINGUAL_TEXT
from search.index.lexical.analyzer import is_stop_word, stop_word_languages, tokenize, unaccented, word_as_written
from search.index.lexical.vocabulary import WordIndex

ENGLISH = 30_000  # words, the most frequent, that are not corrected even where no meme holds them
SAMPLE = 5_000  # of the words of a library, from which shares are told: within .02 where they are a half
MIN_WORDS = 30  # words of a library from which its language can be told
MIN_SHARE = 0.5  # of an English library's words that are in the list: CM50 .90, the demo .95, real_memes .9
# Of words, more than this share have accents where accents tell words apart: of the captions of `benchmarks.scripts` in
# Vietnamese .84, in Polish .38, in German .09.
MIN_ACCENTED = 0.5
MIN_LETTERS = 3  # of words that tell: shorter ones are in many languages
MIN_TOLD = 3  # words of a query whose language can be told
MIN_READ = 0.5  # share of a query's letters that an encoder reads, from which it reads the query
MIN_SIGNS = 2  # stop words of a language, and words with accents, from which a query is in it
MAX_KNOWN = 1 / 3  # of the words of a query in another language are English or in the library, less than this share
_LETTERS = regex.compile(r"\p{L}")
_LATIN = regex.compile(r"\p{Latin}+$")
_LATIN_WITH_MARKS = regex.compile(r"\p{Latin}[\p{Latin}\p{M}]*$")

# Contractions as the vocabulary has them, without apostrophes; the list of English words has few of them.
_CONTRACTION = re.compile(
    r"(?:do|does|did|is|are|was|were|ca|wo|could|would|should|has|have|had|must|might|need|ai)nt"
    r"|(?:i|you|we|they|yall)(?:ve|d|ll|re|m)|(?:he|she|it|that|who|what|there|here|where|how|when|why|let)(?:s|d|ll)"
)


@lru_cache(maxsize=1)
def english_words() -> frozenset[str]:
    """Return the most frequent words of English.

    >>> "walk" in english_words(), "walkz" in english_words()
    (True, False)
    """
    return frozenset(_listed_words()[:ENGLISH])


@lru_cache(maxsize=1)
def all_english_words() -> frozenset[str]:
    """Return 82,765 words of English, the rare ones too.

    >>> "zebu" in all_english_words(), "zebu" in english_words()
    (True, False)
    """
    return frozenset(_listed_words())


@lru_cache(maxsize=1)
def english_frequencies() -> dict[str, int]:
    """Return how often each of 82,765 English words occurs in books, the most frequent first: the list of SymSpell.

    >>> english_frequencies()["walk"] > english_frequencies()["waltz"]
    True
    """
    listed = _frequency_list()
    return dict(zip(listed[::2], map(int, listed[1::2]), strict=True))


@lru_cache(maxsize=1)
def _listed_words() -> tuple[str, ...]:
    return tuple(_frequency_list()[::2])


def _frequency_list() -> list[str]:
    """Return the list as it is written: a word, how often it occurs, the next word."""
    return (resources.files("search.query") / "english_frequencies.txt").read_text("utf-8").split()


def is_english_word(word: str) -> bool:
    """Return whether a word, in lower case, may be English: it has no letter beyond ASCII.

    >>> is_english_word("walkz"), is_english_word("żółw")
    (True, False)
    """
    return word.isascii()


def is_contraction(word: str) -> bool:
    """Return whether a word, as the vocabulary has it, is an English contraction, which the list of words lacks.

    >>> is_contraction("dont"), is_contraction("dog")
    (True, False)
    """
    return _CONTRACTION.fullmatch(word) is not None


@lru_cache(maxsize=4)  # the index in use, and those that it replaced
def reads_as_english(index: WordIndex) -> bool:
    """Return whether a library's words in Latin letters are English; True where they are too few to tell.

    >>> reads_as_english(searcher.index.lexical)
    True
    """
    known = total = 0
    for word in index.vocabulary.some(SAMPLE):
        if len(word) < MIN_LETTERS or not _LATIN.match(word):
            continue
        total += 1
        known += word in all_english_words()
    return total < MIN_WORDS or known >= MIN_SHARE * total


@lru_cache(maxsize=4)
def accents_tell_apart(index: WordIndex) -> bool:
    """Return whether most of a library's words in Latin letters have accents, as in Vietnamese: each is another word.

    >>> accents_tell_apart(searcher.index.lexical)
    False
    """
    total = accented = 0
    for word in index.vocabulary.some(SAMPLE):
        if _LATIN_WITH_MARKS.match(word):
            total += 1
            accented += unaccented(word) != word
    return total >= MIN_WORDS and accented > MIN_ACCENTED * total


def is_another_language(words: Sequence[str], index: WordIndex) -> bool:
    """Return whether words in Latin letters are of another language than an English library.

    Fewer than MIN_TOLD words do not tell: they may be names.

    >>> is_another_language("eine katze schläft nicht".split(), searcher.index.lexical)
    True
    >>> is_another_language("the cat sleeps".split(), searcher.index.lexical)
    False
    """
    if sounds_foreign(words) and reads_as_english(index):
        return True
    told = [word_as_written(word) for word in words if len(word) >= MIN_LETTERS and word.isalpha()]
    if len(told) < MIN_TOLD or not reads_as_english(index):
        return False
    known = sum(word in all_english_words() or word in index.vocabulary for word in told)
    return known < MAX_KNOWN * len(told)


def sounds_foreign(words: Sequence[str]) -> bool:
    """Return whether a query's words, three or more, are told to be of another language than English.

    Told by stop words of one language, more than there are English ones, of which at least one is no English word, and
    by letters with accents. Words that are merely unknown do not tell: they may be misspelt.

    >>> sounds_foreign("ein hund im brennenden zimmer".split()), sounds_foreign("teh cta sleping".split())
    (True, False)
    """
    written = list(dict.fromkeys(word.lower() for word in words))
    if len(written) < MIN_TOLD:
        return False
    accented = sum(not word.isascii() for word in written)
    english = sum(is_stop_word(word) for word in written)
    stop_words = Counter(language for word in written for language in stop_word_languages(word))
    likely = {language for language, count in stop_words.items() if count + accented >= MIN_SIGNS and count > english}
    # The list of English words is read for few queries: it takes hundredths of a second, once in a process.
    return bool(likely) and any(
        not likely.isdisjoint(stop_word_languages(word)) for word in written if word not in all_english_words()
    )


@lru_cache(maxsize=4)
def share_unread(index: WordIndex, coverage: Coverage) -> float:
    """Return the share of a library's words that an encoder cannot read, each as often as memes have it; 0 to 1.

    >>> from search.encoders.coverage import Coverage
    >>> 0 < share_unread(searcher.index.lexical, Coverage(frozenset({"Latin"}))) < 0.2
    True
    """
    unread = sum(memes for word, memes in index.vocabulary.items() if not coverage.readable(word))
    return unread / max(1, sum(index.vocabulary.values()))


def unread_notice(
    text: str,
    index: WordIndex,
    text_encoder: TextEncoder,
    image_encoder: Callable[[], ImageEncoder | None],
    *,
    found: bool,
) -> str:
    """Return a sentence for a query in another language than the library, which the text encoder cannot read.

    "" for all others, and where the text encoder reads the query. Where the library's own texts are of that kind, words
    are `found`: then nothing is amiss.

    >>> unread_notice("a cat", searcher.index.lexical, encoder, lambda: None, found=True)
    ''
    """
    if not _LETTERS.search(text):
        return ""  # signs, digits and emoji are of no language
    words = [text[token.start : token.end] for token in tokenize(text)]
    # Asked first, because to find out what an encoder reads takes hundredths of a second, once in a process.
    if text.isascii() and (found or not is_another_language(words, index)):
        return ""
    if coverage_for(text_encoder) is EVERYTHING:
        return ""
    if readable_share(text_encoder, text) >= MIN_READ:
        if not reads_english_alone(text_encoder) or found or not is_another_language(words, index):
            return ""
    elif found and share_unread(index, coverage_for(text_encoder)) > MIN_READ:
        return ""
    encoder = image_encoder()
    if encoder is not None and readable_share(encoder, text) >= MIN_READ:
        return ""
    name, languages = display_name(spec_of(text_encoder.name)), languages_of(text_encoder)
    return (
        f"The text encoder {name} reads {languages}: this query finds memes by its words, not by its meaning. "
        f"`memetica models --use {MULTILINGUAL_TEXT}` chooses one that reads a hundred languages."
    )

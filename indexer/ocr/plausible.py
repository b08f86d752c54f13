"""The share of a reading's letters that are in plausible words, each judged in its own script and language.

English has a dictionary: a word is known or not. Of other languages there is none, and what is no English word is not
read badly. There only what no script writes tells: letters of several scripts in one word, rows of single letters,
replacement characters, and in Latin letters words with digits in them, without a vowel, or with capitals inside.
"""

from __future__ import annotations

import itertools
import unicodedata
from collections import Counter
from collections.abc import Sequence

import regex

from indexer.ocr.word_spacing import is_known
from search.index.lexical.analyzer import is_stop_word, stop_word_languages

# Runs of one kind of writing: letters that may stand in one word. Chinese, Japanese and Korean are written together.
_RUNS = regex.compile(
    r"(?P<latin>\p{Latin}[\p{Latin}\p{M}'’\d]*)"
    r"|(?P<spaceless>[[\p{Han}\p{Hiragana}\p{Katakana}\u30fc\p{Bopomofo}\p{Hangul}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}"
    r"\p{Yi}\p{Tibetan}]&&[\p{L}\p{M}]]+)"
    r"|(?P<other>[\p{L}--\p{Latin}][[\p{L}\p{M}\u200c\u200d'’]--\p{Latin}]*)"
    r"|(?P<lost>\ufffd+)",
    regex.V1,
)
_SPACED_SCRIPTS = regex.compile(
    r"(?P<greek>\p{Greek})|(?P<cyrillic>\p{Cyrillic})|(?P<armenian>\p{Armenian})|(?P<hebrew>\p{Hebrew})"
    r"|(?P<arabic>\p{Arabic})|(?P<georgian>\p{Georgian})|(?P<devanagari>\p{Devanagari})|(?P<bengali>\p{Bengali})"
    r"|(?P<tamil>\p{Tamil})|(?P<telugu>\p{Telugu})|(?P<ethiopic>\p{Ethiopic})"
)
_LATIN = regex.compile(r"\p{Latin}")
_SPACELESS = regex.compile(r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Hangul}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}]")
_LETTERS = regex.compile(r"\p{L}")
_ACCENTED = regex.compile(r"[[\p{Latin}&&\p{L}]--[A-Za-z]]|(?<=\p{Latin})\p{M}", regex.V1)
# A word as languages in Latin letters have them: with a vowel, in one case but for the first letter, and without
# digits. Vowels are told by their base letters.
_BASE_VOWEL = regex.compile(r"[aeiouyæøœəıw]")
ENGLISH_SHARE = 0.5  # of the letters of a text in English words: above it, the text is English
MIN_ACCENTED = 2  # words with letters beyond ASCII, that make a text another language's, or half of a shorter text …
ACCENTED_SHARE = 0.12  # … and at least this share
STOP_WORD_SHARE = 0.15  # of the words are stop words of one language, …
MIN_STOP_WORDS = 2  # … this many different ones …
MIN_LETTERS = 3  # … of so many letters


def plausible_share(lines: Sequence[str], *, language_unknown: bool = False) -> float:
    """Return the share of the letters of lines that are in plausible words, 0 to 1; 0 without letters.

    With `language_unknown`, words in Latin letters need not be English where the text does not show another language.

    >>> from indexer.ocr.plausible import plausible_share
    >>> plausible_share(["this is fine"]), plausible_share(["xqzrt vbnmk"]), plausible_share(["我喜欢猫"])
    (1.0, 0.0, 1.0)
    """
    words = [word for line in lines for word in line.split()]
    is_foreign = language_unknown or _is_foreign([found for word in words for found in _latin_words(word)])
    whole = "".join(words)
    # Lone ideographs in a text of Latin letters are drawings that an engine took for letters.
    is_latin = len(_LATIN.findall(whole)) > len(_SPACELESS.findall(whole))
    good = total = 0
    alone = 0  # single letters in a row
    for word in words:
        if word.isascii() and not is_foreign:
            bare = "".join(letter for letter in word if letter.isalpha() or letter == "'")
            if any(map(str.isalpha, word)):
                total += len(bare)
                good += len(bare) if is_known(bare) else 0
            alone = 0
            continue
        runs = list(_RUNS.finditer(word))
        alone = alone + 1 if len(runs) == 1 and len(_LETTERS.findall(word)) == 1 else 0
        is_mixed = _mixes_scripts(word, runs)
        for run in runs:
            count = len(_LETTERS.findall(run[0])) or len(run[0])
            total += count
            if is_mixed or run.lastgroup == "lost":
                continue
            if run.lastgroup == "latin":
                good += count if _is_good_latin(run[0], is_foreign=is_foreign) else 0
            elif run.lastgroup == "spaceless":
                good += count if not is_latin or len(set(run[0])) > 1 else 0
            elif alone < 2:
                good += count
    return good / total if total else 0.0


def _latin_words(word: str) -> list[str]:
    return [run[0] for run in _RUNS.finditer(word) if run.lastgroup == "latin"]


def _is_good_latin(word: str, *, is_foreign: bool) -> bool:
    if is_known(word):
        return True
    if not is_foreign or any(letter.isdigit() for letter in word):
        return False
    bare = word.strip("'’")
    if not (bare.islower() or bare.isupper() or bare[1:].islower() or "'" in bare or "’" in bare):
        return False
    return _BASE_VOWEL.search(_without_marks(bare)) is not None


def _without_marks(word: str) -> str:
    return regex.sub(r"\p{M}", "", unicodedata.normalize("NFD", word.lower()))


def _is_foreign(words: Sequence[str]) -> bool:
    """Whether words in Latin letters are of another language than English."""
    letters = sum(map(len, words))
    if not words or sum(len(word) for word in words if is_known(word)) > ENGLISH_SHARE * letters:
        return False
    accented = sum(_ACCENTED.search(word) is not None for word in words)
    if accented >= max(min(MIN_ACCENTED, len(words) / 2), ACCENTED_SHARE * len(words)):
        return True
    # Rows of short words are what is made of a picture that cannot be read.
    long = [word.lower() for word in words if len(word) >= MIN_LETTERS]
    english = sum(is_stop_word(word) for word in long)
    hits = Counter(language for word in long for language in stop_word_languages(word))
    distinct = Counter(language for word in set(long) for language in stop_word_languages(word))
    return any(
        count > english and count >= STOP_WORD_SHARE * len(words) and distinct[language] >= MIN_STOP_WORDS
        for language, count in hits.items()
    )


def _mixes_scripts(word: str, runs: Sequence[regex.Match[str]]) -> bool:
    """Whether a word has letters of several scripts that are never written together, such as Latin and Cyrillic."""
    scripts = {found.lastgroup for found in _SPACED_SCRIPTS.finditer(word)}
    touching = any(
        one.end() == other.start() and {one.lastgroup, other.lastgroup} == {"latin", "other"}
        for one, other in itertools.pairwise(runs)
    )
    return len(scripts) > 1 or touching

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
from search.index.analyzer import is_stop_word, stop_word_languages

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
_LETTERS = regex.compile(r"\p{L}")
_ACCENTED = regex.compile(r"[[\p{Latin}&&\p{L}]--[A-Za-z]]|(?<=\p{Latin})\p{M}", regex.V1)
# A word as languages in Latin letters have them: with a vowel, in one case but for the first letter, and without
# digits. Vowels are told by their base letters.
_BASE_VOWEL = regex.compile(r"[aeiouyæøœəıw]")
MIN_WORDS = 3  # of a text whose language is told
ACCENTED_SHARE = 0.12  # of the words of a text that is not English have letters beyond ASCII, at least …
STOP_WORD_SHARE = 0.2  # … or this share are stop words of one language, two different ones at least
MIN_STOP_WORDS = 2


def plausible_share(lines: Sequence[str]) -> float:
    """Return the share of the letters of lines that are in plausible words, 0 to 1; 0 without letters.

    >>> from indexer.ocr.plausible import plausible_share
    >>> plausible_share(["this is fine"]), plausible_share(["xqzrt vbnmk"]), plausible_share(["我喜欢猫"])
    (1.0, 0.0, 1.0)
    """
    words = [word for line in lines for word in line.split()]
    is_foreign = _is_foreign([found for word in words for found in _latin_words(word)])
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
            elif run.lastgroup == "spaceless" or alone < 2:
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
    if not words:
        return False
    accented = sum(_ACCENTED.search(word) is not None for word in words)
    if len(words) >= MIN_WORDS - 1 and accented >= ACCENTED_SHARE * len(words):
        return True
    if len(words) < MIN_WORDS:
        return False
    lowered = [word.lower() for word in words]
    english = sum(is_stop_word(word) for word in lowered)
    hits = Counter(language for word in lowered for language in stop_word_languages(word))
    distinct = Counter(language for word in set(lowered) for language in stop_word_languages(word))
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

"""The memes that hold the words of a query: all of them, exactly."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from search.index.analyzer import (
    LETTERWISE_WORD,
    MAX_TERMS,
    is_stop_word,
    query_terms,
    tokenize,
    unaccented,
    word_as_written,
)
from search.index.columns import Ids
from search.index.lexical import LexicalIndex
from search.query.language import reads_as_english


def memes_holding(text: str, corrections: Mapping[str, Sequence[str]], index: LexicalIndex) -> Ids:
    """Return the rising ids of all memes that hold every word of a text, anywhere in their texts and in any form.

    English stop words count only where there are no others, unless the query or the library is not English. A
    misspelled word stands for any of its corrections. A word with accents stands for those with the same ones or none.
    Letters of a script without spaces must follow one another as they do in the text.

    >>> from search.query.words import memes_holding
    >>> len(memes_holding("the robot and a toaster", {}, searcher.index.lexical))
    1
    """
    groups = _groups(text, corrections, ignores=text.isascii() and reads_as_english(index))
    found = index.having_all(groups) if groups else np.empty(0, np.int64)
    for forms in accented_forms(text, index).values():
        found = np.intersect1d(found, index.written(forms), assume_unique=True)
    return found


def accented_forms(text: str, index: LexicalIndex) -> dict[str, tuple[str, ...]]:
    """Return, by term, the words of the library that words with accents stand for, where others have the term too.

    Who types accents means the words that have them, or that lost all: most Vietnamese words differ by accents alone.

    >>> from search.query.words import accented_forms
    >>> accented_forms("a cat at the café", searcher.index.lexical)
    {}
    """
    if text.isascii():
        return {}
    found: dict[str, tuple[str, ...]] = {}
    for token in tokenize(text)[: 4 * MAX_TERMS]:
        word = word_as_written(text[token.start : token.end])
        if token.term and not LETTERWISE_WORD.fullmatch(token.term) and unaccented(word) != word:
            forms = index.forms(word)
            if forms is not None:
                found[token.term] = (*found.get(token.term, ()), *forms)
    return found


def _groups(text: str, corrections: Mapping[str, Sequence[str]], *, ignores: bool) -> list[list[tuple[str, ...]]]:
    """Return, for each word of a text, the sequences of terms that stand for it; with `ignores`, no stop words."""
    groups: list[list[tuple[str, ...]]] = []
    stop_words: list[list[tuple[str, ...]]] = []
    end = -1  # of the letters without spaces that the last group has
    for token in tokenize(text)[: 4 * MAX_TERMS]:
        word = text[token.start : token.end]
        if not token.term:
            continue
        if LETTERWISE_WORD.fullmatch(token.term):
            if token.start == end:
                groups[-1] = [(*groups[-1][0], token.term)]
            else:
                groups.append([(token.term,)])
            end = token.end
            continue
        own = [(term,) for other in (word, *corrections.get(word, ())) for term in query_terms(other)]
        (stop_words if ignores and is_stop_word(word) else groups).append(list(dict.fromkeys(own)))
    return [list(group) for group in dict.fromkeys(map(tuple, groups or stop_words))][:MAX_TERMS]

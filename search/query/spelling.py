"""What a visitor meant by words that no meme holds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from importlib import resources

from search.index.analyzer import query_terms, tokenize
from search.index.lexical import LexicalIndex
from search.query.parser import Query

SHORTEST = 4  # letters of a word that can be a slip of another; shorter ones are near to too many
LONG = 8  # letters from which two slips are believed
MEANT = 3  # words that one slip may stand for
ENGLISH = 30_000  # words, the most frequent, that are no slips of others even where no meme holds them
MOST = 4  # words of a query that are looked at; more unknown ones are another language, not slips


@dataclass(frozen=True)
class Spelt:
    """A query with its slips put right, and by the word as asked, the library's words that it may stand for."""

    query: Query
    meant: Mapping[str, tuple[str, ...]]


def spelt(query: Query, words: LexicalIndex) -> Spelt:
    """Return the query with each word that no meme holds joined by those it is a slip or two away from.

    The text has the likeliest word in place of the slip; the terms have all of them beside it. Words that memes hold
    are left as they are, and so are common English ones.
    """
    meant: dict[str, tuple[str, ...]] = {}
    parts: list[str] = []
    at = 0
    for token in tokenize(query.text):
        word = query.text[token.start : token.end]
        if len(meant) == MOST or word in meant or len(word) < SHORTEST or words.document_frequency(token.term):
            continue
        if word.lower() in _english():
            continue
        near = words.similar_words(word, edits=2 if len(word) >= LONG else 1, k=MEANT)
        if near:
            meant[word] = tuple(one.word for one in near if one.edits == near[0].edits)
            parts += [query.text[at : token.start], meant[word][0]]
            at = token.end
    if not meant:
        return Spelt(query, {})
    text = "".join([*parts, query.text[at:]])
    others = query_terms(" ".join(word for found in meant.values() for word in found))
    return Spelt(replace(query, text=text, terms=tuple(dict.fromkeys((*query.terms, *others)))), meant)


@lru_cache(maxsize=1)
def _english() -> frozenset[str]:
    """Return the most frequent words of English, by the list that comes with symspellpy, most frequent first."""
    with (resources.files("symspellpy") / "frequency_dictionary_en_82_765.txt").open(encoding="utf-8-sig") as lines:
        return frozenset(line.split(" ", 1)[0] for line, _ in zip(lines, range(ENGLISH), strict=False))

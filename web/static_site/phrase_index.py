"""The index that a browser asks who says a quoted phrase: the places of every pair of neighbouring words.

A phrase is said where its pairs follow one another, so that a query fetches a part or two for each of its words, and
finds what the served site finds: words as written, damaged ones under the words that they may be
(`search.query.quotes`). A filter tells which words there are, so that the browser asks for words that are run together
or in two parts where they may be. Where one of a phrase is in no meme, the words themselves are fetched for its slip,
not the filter. Neither is needed for what says a phrase exactly, which a page shows first.
"""

from __future__ import annotations

import base64
from array import array
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain, pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from search.index.lexical.analyzer import LONGEST, korean_words, split_words, tokenize
from search.index.lexical.file_names import name_words
from search.index.lexical.index import CATEGORY_WORDS
from search.index.lexical.schema import WORD_START
from search.index.lexical.vocabulary import WordIndex
from search.index.lexical.writer import Document
from search.meme import Field
from search.query.language import accents_tell_apart, english_words, is_english_word, reads_as_english
from search.query.quotes import damaged_words, is_word
from search.query.words import COMMON, MAX_SHORT
from web.static_site.index_files import Parts, as_text, fold, front_coded, shortest_after

SHARD_BYTES = 16_000  # of a shard before compression, about a third after it
LONG = 3_000  # places of a pair from which it has a file of its own, so that others need not fetch it
NAME_AT = CATEGORY_WORDS  # the place of the first word of a file's name, behind the last words of its category
FILTER_BITS, FILTER_HASHES = 8, 5  # of a word in the filter
MOST_SPELLED = 60_000  # words of the library that slips are put right by
DAMAGE = "~"  # before a word that is none, and may be another one that OCR has damaged
_AT_ONCE = 500_000  # words whose pairs are sorted in one step

Numbers = NDArray[np.int64]


def build_phrase_index(
    documents: Iterable[Document], lexical: WordIndex
) -> tuple[dict[str, Any], Iterator[tuple[str, bytes]]]:
    """Return the table of the index of documents, which come by rising id, and its files by path.

    >>> from search.index.lexical.writer import Document
    >>> documents = [Document(1, {Field.OCR: "This is fine"}, "Dogs/fine dog.png")]
    >>> table, files = build_phrase_index(documents, searcher.index.lexical)
    >>> table["keys"], len(dict(files))
    ('d', 3)
    """
    damaged = damaged_words(lexical)
    of_words = Parts("phrases/")
    of_words.add(word_filter(_known_words(lexical)))
    of_words.add(_spelled(lexical))
    occurrences = _occurrences(documents, {word for others in damaged.values() for word in others})
    shards, long = Parts("phrases/"), Parts("phrases/")
    keys: list[str] = []
    last = ""
    for first, end, content in _shards(_entries(occurrences, _Readings(damaged, occurrences.names), long)):
        keys.append(shortest_after(last, first))
        shards.add(content)
        last = end
    table = {
        "shards": shards.name(),
        "long": long.name(),
        "of_words": of_words.name(),
        "english": reads_as_english(lexical),
        "keys": "\n".join(keys),
        "name_at": NAME_AT,
        "start": WORD_START,
        "short": MAX_SHORT,
        "common": COMMON,
        "accented": accents_tell_apart(lexical),
    }
    return table, chain(of_words.files(), shards.files(), long.files())


def word_filter(words: Collection[str]) -> dict[str, Any]:
    """Return a Bloom filter of words: FILTER_BITS bits for each, of which FILTER_HASHES are set.

    `WordFilter` in slips.js asks it; of words that are not in it, one in fifty seems to be.

    >>> word_filter(["cat"])["size"], word_filter([])["bits"]
    (64, 'AAAAAAAAAAA=')
    """
    size = max(64, FILTER_BITS * len(words))
    bits = np.zeros(size, np.bool_)
    for word in words:
        one, other = _hash(word, 0x811C9DC5), _hash(word, 0x1234567) | 1
        bits[[(one + at * other) % size for at in range(FILTER_HASHES)]] = True
    packed = np.packbits(bits, bitorder="little").tobytes()
    return {"size": size, "hashes": FILTER_HASHES, "bits": base64.b64encode(packed).decode("ascii")}


def _hash(word: str, start: int) -> int:
    """Return 32 bits of the FNV-1a hash of a word's UTF-16 units, which scripts of browsers have at hand."""
    found = start
    raw = word.encode("utf-16-le", "surrogatepass")
    for low, high in zip(raw[::2], raw[1::2], strict=True):
        found = ((found ^ (high << 8 | low)) * 0x01000193) & 0xFFFFFFFF
    return found


def _known_words(lexical: WordIndex) -> list[str]:
    """Return the words of all texts; those that may be damage once more with DAMAGE before them."""
    return [*lexical.vocabulary, *(DAMAGE + word for word in lexical.vocabulary if not is_word(word, lexical))]


def _spelled(lexical: WordIndex) -> dict[str, Any]:
    """Return what a slip is put right by: words of the library, the most frequent ones, and other English words.

    Each has a number: 0 for a word of no meme, else twice the number of its memes, and 1 more where it may be damage.
    `is_whole` says that all words of the library that may be English are there.
    """
    if not reads_as_english(lexical):
        return {"words": "", "memes": "", "is_whole": False}
    own = [word for word in lexical.vocabulary if is_english_word(word)]
    kept = sorted(own, key=lambda word: (-lexical.vocabulary[word], word))[:MOST_SPELLED]
    memes = dict.fromkeys(english_words() - lexical.vocabulary.keys(), 0)
    memes |= {word: 2 * lexical.vocabulary[word] + (not is_word(word, lexical)) for word in kept}
    words = sorted(memes)
    return {
        "words": front_coded(words),
        "memes": as_text(memes[word] for word in words),
        "is_whole": len(kept) == len(own),
    }


@dataclass(frozen=True)
class _Occurrences:
    """Words of all texts in order ([n]): their numbers, memes and places, and whether the next one follows in the text.

    `names` are the words by number, in the order of `keys`, the folded words. The number 0 stands beside a word alone.
    """

    words: Numbers
    memes: Numbers
    places: Numbers
    follows: NDArray[np.bool_]
    names: list[str]
    keys: list[str]


def _occurrences(documents: Iterable[Document], others: Collection[str]) -> _Occurrences:
    """Return the words of documents; `others` are words that have numbers too."""
    numbers: dict[str, int] = {"": 0}
    words, memes, places = array("q"), array("q"), array("q")
    starts: list[tuple[int, int, int]] = []
    for document in documents:
        for word, place, begins in _places(document):
            words.append(numbers.setdefault(word, len(numbers)))
            memes.append(document.id)
            places.append(place)
            if begins:
                starts.append((numbers.setdefault(WORD_START + word, len(numbers)), document.id, place))
    for word in others:
        numbers.setdefault(word, len(numbers))
    ordered = sorted((fold(word), word) for word in numbers)
    ranks = np.empty(len(ordered), np.int64)
    ranks[[numbers[word] for _, word in ordered]] = np.arange(len(ordered))
    columns = np.stack([np.asarray(column, np.int64) for column in (words, memes, places)])
    follows = (columns[1, 1:] == columns[1, :-1]) & (columns[2, 1:] == columns[2, :-1] + 1)
    columns = np.hstack([columns, np.array(starts, np.int64).reshape(-1, 3).T])
    return _Occurrences(
        ranks[columns[0]],
        columns[1],
        columns[2],
        np.concatenate([follows, np.zeros(columns.shape[1] - len(follows), np.bool_)]),
        [word for _, word in ordered],
        [key for key, _ in ordered],
    )


def _places(document: Document) -> Iterator[tuple[str, int, bool]]:
    """Yield the words of a document as written, their places, and whether each begins a Korean word.

    Between two texts a place is free, so that no phrase goes from one to the next. Places before NAME_AT are in the
    category, where a phrase may begin but not end.
    """
    category = split_words(document.path.rpartition("/")[0])[-CATEGORY_WORDS:]
    yield from ((word.lower(), NAME_AT - len(category) + at, False) for at, word in enumerate(category))
    lines = [line for field, text in document.texts.items() if field is not Field.NAME for line in text.split("\n")]
    place = NAME_AT
    for text in (name_words(document.path), *lines):
        words, starts = split_words(text), _korean_starts(text)
        for at, word in enumerate(words):
            if len(word.encode()) <= LONGEST:
                yield word.lower(), place + at, at in starts
        place += len(words) + 1


def _korean_starts(text: str) -> frozenset[int]:
    """Return which words of a text, by number, begin a Korean word."""
    if text.isascii():
        return frozenset()
    tokens = tokenize(text)
    is_korean = [bool(korean_words(text[token.start : token.end])) for token in tokens]
    return frozenset(
        at
        for at, token in enumerate(tokens)
        if is_korean[at] and (not at or not is_korean[at - 1] or tokens[at - 1].end != token.start)
    )


class _Readings:
    """What damaged words may be: the numbers of these, for some words by number."""

    def __init__(self, damaged: Mapping[str, list[str]], names: list[str]) -> None:
        numbers = {name: number for number, name in enumerate(names)}
        own = [[numbers[other] for other in damaged.get(name, ())] for name in names]
        self._counts = np.array([len(one) for one in own], np.int64)
        self._ends = np.cumsum(self._counts)
        self._flat = np.array([one for others in own for one in others], np.int64)

    def of(self, words: Numbers) -> tuple[Numbers, Numbers]:
        """Return words ([n]) and after them what they may be, and which of the [n] each of these is or may be."""
        counts = self._counts[words]
        which = np.repeat(np.arange(len(words)), counts)
        offsets = np.arange(len(which)) - np.repeat(np.cumsum(counts) - counts, counts)
        others = self._flat[np.repeat(self._ends[words] - counts, counts) + offsets]
        return np.concatenate([words, others]), np.concatenate([np.arange(len(words)), which])


Entry = tuple[str, str, str, Any]  # the folded pair, its words as written, and its places


def _entries(found: _Occurrences, readings: _Readings, long: Parts) -> Iterator[Entry]:
    """Yield the pairs in the order of their folded words; places of many memes are added to `long`.

    The places of a pair are ids of memes, each as the difference to the one before it, and after each the place of the
    pair's first word. A word alone has ids alone, and with WORD_START places too.
    """
    folds = np.cumsum([key != before for key, before in zip(found.keys, ["", *found.keys], strict=False)])
    words, which = readings.of(found.words)
    order = np.argsort(folds[words], kind="stable")
    words, which = words[order], which[order]
    firsts = folds[words]
    is_start = np.array([name.startswith(WORD_START) for name in found.names])
    at = 0
    while at < len(words):
        # A whole number of folded words, so that what is equal when folded is sorted in one step.
        end = max(int(np.searchsorted(firsts, firsts[min(at + _AT_ONCE, len(words)) - 1], "right")), at + 1)
        own, its = words[at:end], which[at:end]
        follows = found.follows[its]
        seconds, of = readings.of(found.words[its[follows] + 1])
        alone = found.places[its] >= NAME_AT
        first = np.concatenate([own[alone], own[follows][of]])
        second = np.concatenate([np.zeros(np.count_nonzero(alone), np.int64), seconds])
        source = np.concatenate([its[alone], its[follows][of]])
        memes, places = found.memes[source], found.places[source]
        sort = np.lexsort((places, memes, second, first, folds[second], folds[first]))
        first, second, memes, places = first[sort], second[sort], memes[sort], places[sort]
        begins = (np.diff(first, prepend=-1) != 0) | (np.diff(second, prepend=-1) != 0)
        # A word alone needs each meme once.
        is_alone = (second == 0) & ~is_start[first]
        kept = ~is_alone | begins | (np.diff(memes, prepend=-1) != 0)
        first, second, memes, places, begins = first[kept], second[kept], memes[kept], places[kept], begins[kept]
        steps = np.where(begins, memes, np.diff(memes, prepend=0))
        flat = np.stack([steps, places], axis=1).ravel().tolist()
        edges = np.flatnonzero(begins).tolist()
        for begin, stop in pairwise([*edges, len(first)]):
            one, other = int(first[begin]), int(second[begin])
            content: Any = flat[2 * begin : 2 * stop]
            if not other and not is_start[one]:
                content = content[::2]
            if len(content) > LONG:
                content = f"{long.add(content)} {len(content)}"
            yield f"{found.keys[one]} {found.keys[other]}", found.names[one], found.names[other], content
        at = end


def _shards(entries: Iterable[Entry]) -> Iterator[tuple[str, str, dict[str, dict[str, Any]]]]:
    """Yield the first and the last folded pair of each shard, and its places by first and second word as written."""
    shard: dict[str, dict[str, Any]] = {}
    first = last = ""
    size = 0
    for key, one, other, content in entries:
        if size > SHARD_BYTES and key != last:
            yield first, last, shard
            shard, size = {}, 0
        first = key if not shard else first
        shard.setdefault(one, {})[other] = content
        size += len(one) + len(other) + 6 + (4 * len(content) if isinstance(content, list) else 16)
        last = key
    if shard:
        yield first, last, shard

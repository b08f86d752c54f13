"""The index that a browser searches by words: shards of the lexical index, each a small compressed file.

The scores are those of the served site's lexical index over all texts (the signal `lexical.all`), in steps. A query
fetches the table of the index and for each word one shard; facts about all memes only where results are filtered.
"""

from __future__ import annotations

import bisect
import hashlib
import json
import math
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from search.index.conditions import Has
from search.index.lexical.analyzer import is_stop_word, term_of
from search.index.lexical.index import LexicalIndex
from search.index.lexical.schema import ALL_TEXT
from search.index.lexical.writer import Document
from search.index.local import LocalIndex
from search.meme import Meme
from search.query.filters import HAS
from web.static_site.index_files import Parts, as_text, fold, front_coded, packed, shortest_after
from web.static_site.phrase_index import build_phrase_index

VERSION = 4  # of the index: scripts of another one, of a page that was open while the site was updated, do not read it
CARDS_PER_FILE = 4  # memes by id: a page of results fetches up to 30 files, each of about 2 kB
SHARD_BYTES = 7_000  # of a shard before compression, about half after it
LONG = 2_000  # bytes of a term's ids from which a term has a file of its own, so that others need not fetch it
MAX_SHARE = 0.5  # of the memes: a more frequent term says nothing, as on the served site
SMALL = 2_000  # memes up to which such terms are kept all the same
MIN_SPELLED = 2  # memes with a word that misspelled words are compared with, in libraries beyond SMALL
_BM25_BOUND = 2.2  # k1 + 1: the highest score of a term with an inverse document frequency of 1
_LEVELS = 127  # of the rarest term
_LEAST_LEVELS = 9


@dataclass(frozen=True)
class SearchIndex:
    """The files of an index, by path below its folder: those named by their content, and the table that names them."""

    parts: Mapping[str, bytes]
    table: bytes


@dataclass(frozen=True)
class Marks:
    """What operators ask for: by name of `has:` and by tag the ids of memes, and the ids of each group of variants."""

    has: Mapping[str, Collection[int]] = field(default_factory=dict)
    tags: Mapping[str, Collection[int]] = field(default_factory=dict)
    variants: Sequence[Sequence[int]] = ()


def marks_of(index: LocalIndex, tags: Mapping[str, Sequence[int]]) -> Marks:
    """Return the marks of the memes of an index, which have these tags.

    >>> marks_of(searcher.index, {}).has["ocr"][:3]
    [1, 2, 4]
    """
    groups: dict[int, list[int]] = {}
    for id, representative in zip(index.columns.ids.tolist(), index.columns.variant_of.tolist(), strict=True):
        groups.setdefault(representative, []).append(id)
    return Marks(
        {name: index.select(Has(fields)).tolist() for name, fields in HAS.items()},
        tags,
        [group for group in groups.values() if len(group) > 1],
    )


def build_search_index(
    lexical: LexicalIndex,
    memes: Sequence[Meme],
    documents: Iterable[Document],
    *,
    marks: Marks | None = None,
    meaning: Mapping[str, Any] | None = None,
) -> SearchIndex:
    """Return the index of memes for the browser.

    `documents` are the texts that the lexical index was made of, by rising id. `marks` are what operators ask for,
    besides categories, days and types. `meaning` names the table of the vectors, and what they need.

    >>> built = build_search_index(searcher.index.lexical, workspace.catalogue.memes.freshest(9), [])
    >>> json.loads(built.table)["memes"], len(built.parts)
    (9, 6)
    """
    files: dict[str, bytes] = {}

    def keep(content: Any) -> str:
        raw = packed(content)
        name = f"{hashlib.sha256(raw).hexdigest()[:16]}.dat"
        files[name] = raw
        return name

    known = {meme.id for meme in memes}
    total = len(lexical)
    terms_of: dict[str, set[str]] = {}
    frequency: dict[str, int] = {}
    for word, count in lexical.vocabulary.items():
        key = fold(word)
        terms_of.setdefault(key, set()).add(term_of(word))
        frequency[key] = frequency.get(key, 0) + count
    postings = {
        term: _postings(lexical, term, known, total=total) for term in sorted(set().union(*terms_of.values())) if term
    }
    # A word in so many memes that it has no list needs no shard either: the table has its frequency and term.
    everywhere = {
        key: max((postings[term][0], term) for term in own & postings.keys())
        for key, own in terms_of.items()
        if own & postings.keys() and not any(postings[term][1] for term in own & postings.keys())
    }
    terms_of = {key: own for key, own in terms_of.items() if key not in everywhere}
    shards, long = Parts(), Parts()
    numbers = {term: long.add(found) for term, found in postings.items() if len(found[1]) > LONG}
    size = {term: 30 if term in numbers else 12 + len(found[1]) + len(found[2]) for term, found in postings.items()}
    keys: list[str] = []
    last = ""
    for own in _cut(terms_of, size):
        words = {key: sorted(terms_of[key] & postings.keys()) for key in own}
        shards.add(
            {
                "words": words,
                "terms": {term: numbers.get(term, postings[term]) for all in words.values() for term in all},
            }
        )
        keys.append(shortest_after(last, own[0]))
        last = own[-1]
    files |= dict(shards.files()) | dict(long.files())
    phrases, phrase_files = build_phrase_index(documents, lexical)
    files |= dict(phrase_files)
    least = MIN_SPELLED if total > SMALL else 1
    spelled = [key for key in sorted(frequency) if frequency[key] >= least and len(key) > 2]
    table = {
        "version": VERSION,
        "memes": total,
        "shards": shards.name(),
        "long": long.name(),
        "keys": "\n".join(keys),
        "everywhere": everywhere,
        "facts": keep(_facts(memes, marks or Marks())),
        "words": keep(front_coded(spelled)),
        "phrases": keep(phrases),
        "stop": [key for key in sorted(terms_of) if is_stop_word(key)],
        "cards": CARDS_PER_FILE,
        "meaning": meaning,
    }
    return SearchIndex(files, json.dumps(table, ensure_ascii=False, separators=(",", ":")).encode())


def card_files(cards: Iterable[tuple[int, str]]) -> Iterator[tuple[str, bytes]]:
    """Yield the path and the content of each file of cards; `cards` are ids, rising, with the HTML of their cards."""
    current = -1
    found: dict[int, str] = {}
    for id, html in cards:
        if id // CARDS_PER_FILE != current and found:
            yield f"cards/{current}.dat", packed(found)
            found = {}
        current = id // CARDS_PER_FILE
        found[id] = html
    if found:
        yield f"cards/{current}.dat", packed(found)


def _postings(lexical: LexicalIndex, term: str, known: set[int], *, total: int) -> tuple[int, str, str]:
    """Return the number of memes with a term; as texts, their ids as differences, and their scores in steps."""
    frequency = lexical.document_frequency(term)
    if total > SMALL and frequency > MAX_SHARE * total:
        return frequency, "", ""
    ids, scores = lexical.search([term], ALL_TEXT, k=max(frequency, 1))
    bound = _BM25_BOUND * _information(frequency, total)
    levels = _levels(frequency, total)
    found = sorted(zip(ids.tolist(), scores.tolist(), strict=True))
    found = [(id, score) for id, score in found if id in known]
    return (
        frequency,
        as_text(id - before for (id, _), before in zip(found, [0, *(id for id, _ in found)], strict=False)),
        as_text(max(1, min(levels, round(levels * score / bound))) for _, score in found),
    )


def _information(frequency: int, total: int) -> float:
    return math.log(1 + (total - frequency + 0.5) / (frequency + 0.5))


def _levels(frequency: int, total: int) -> int:
    """Return in how many steps the scores of a term are kept: of one height for all terms, as they are added."""
    return max(_LEAST_LEVELS, round(_LEVELS * _information(frequency, total) / _information(1, total)))


def _cut(terms_of: Mapping[str, set[str]], size: Mapping[str, int]) -> Iterator[list[str]]:
    """Yield the words in order, in runs whose terms have about SHARD_BYTES."""
    run: list[str] = []
    held: set[str] = set()
    bytes_ = 0
    for key in sorted(terms_of):
        new = {term for term in terms_of[key] if term in size} - held
        added = len(key.encode()) + 12 + sum(size[term] for term in new)
        if run and bytes_ + added > SHARD_BYTES:
            yield run
            run, held, bytes_ = [], set(), 0
            added += sum(size[term] for term in terms_of[key] if term in size and term not in new)
        run.append(key)
        held |= new
        bytes_ += added
    if run:
        yield run


def _facts(memes: Sequence[Meme], marks: Marks) -> dict[str, Any]:
    """Return what results are filtered and sorted by: of each meme by rising id, its category, day and type.

    What a meme has is a number, the sum of 1 for the first name of `has:`, 2 for the second.
    """
    ordered = sorted(memes, key=lambda meme: meme.id)
    categories = sorted({meme.category for meme in ordered})
    types = ["image", "gif", "video"]
    has = [set(marks.has.get(name, ())) for name in HAS]
    known = {meme.id for meme in ordered}
    days = [meme.first_seen.toordinal() for meme in ordered]
    return {
        "ids": [meme.id - before for meme, before in zip(ordered, [0, *(meme.id for meme in ordered)], strict=False)],
        "categories": categories,
        "category": [bisect.bisect_left(categories, meme.category) for meme in ordered],
        "types": types,
        "type": "".join(str(types.index(meme.type.value)) for meme in ordered),
        "day": days,
        "has": "".join(str(sum((meme.id in ids) << at for at, ids in enumerate(has))) for meme in ordered),
        "tags": {name: sorted(known.intersection(ids)) for name, ids in sorted(marks.tags.items())},
        "variants": [own for group in marks.variants if len(own := sorted(known.intersection(group))) > 1],
    }

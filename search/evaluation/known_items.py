"""Judged queries that a library makes of itself: words quoted from a meme should find it, and words about it, too.

A quote is asked as it stands, with a slip of the finger, and damaged as OCR damages words. Where several models
described a meme, one of them describes it and the others must be enough to find it: what the asking model wrote of that
meme is left out of the index that is asked.
"""

from __future__ import annotations

import hashlib
import random
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from search.catalogue import Catalogue
from search.errors import IndexUnusable
from search.evaluation.metrics import Judged
from search.index.analyzer import tokenize
from search.index.dense import DenseIndex, build_dense
from search.index.generations import DENSE, LEXICAL, TEXT_FIELDS
from search.index.lexical import LexicalIndex, build_lexical, documents_of
from search.index.reader import Index
from search.meme import Field, Passage
from search.texts.agreement import LEAST_WEIGHT

QUOTE = "quote"
SLIP = "quote with a slip"
DAMAGED = "damaged quote"
QUOTES = frozenset({QUOTE, SLIP, DAMAGED})
DESCRIBED = "another model's description"

LENGTHS = (3, 6)  # words of a quote
SHARED = 5  # memes that may say a quote; one that more say is a set phrase
SHORTEST_SLIPPED = 4  # letters of a word that a finger slips on
MOST_WORDS = 40  # of a description that is asked: nobody types more
WITNESSES = (Field.DESCRIPTION, Field.VISUAL)
_QUOTED = re.compile(r"[\"“”][^\"“”]*[\"“”]")
_CONFUSED = {"o": "0", "l": "1", "i": "l", "e": "c", "s": "5", "b": "8", "m": "rn", "t": "f"}


@dataclass(frozen=True)
class Witnessed:
    """A query in one model's words, and the meme and the model whose words must not answer it."""

    judged: Judged
    meme_id: int
    source: str


def quotes(catalogue: Catalogue, index: Index, *, sample: int) -> list[Judged]:
    """Return, for up to `sample` memes, words quoted from each: clean, with a slip, and damaged.

    All memes that say the words are right. The same library gives the same queries.
    """
    paths = {meme.id: meme.path for meme in catalogue.memes.everything()}
    found: list[Judged] = []
    asked = 0
    for id in _drawn(paths):
        if asked == sample:
            break
        texts = [row.passage.body for row in catalogue.texts.passages_of([id], fields=[Field.OCR])]
        chance = random.Random(_number(paths[id]))
        quote = _quote(texts[0], chance) if texts else None
        if quote is None:
            continue
        saying, _ = index.lexical.phrase([one.term for one in tokenize(quote)], Field.OCR, k=SHARED + 1)
        relevant = {paths[int(one)]: 1 for one in saying if int(one) in paths}
        if paths[id] not in relevant or len(relevant) > SHARED:
            continue
        asked += 1
        found += [
            Judged(quote, relevant, QUOTE),
            Judged(slipped(quote, chance), relevant, SLIP),
            Judged(damaged(quote, chance), relevant, DAMAGED),
        ]
    return found


def _quote(text: str, chance: random.Random) -> str | None:
    words = tokenize(text)
    count = min(chance.randint(*LENGTHS), len(words))
    if count < LENGTHS[0]:
        return None
    first = chance.randrange(len(words) - count + 1)
    return text[words[first].start : words[first + count - 1].end].lower()


def slipped(text: str, chance: random.Random) -> str:
    """Return a text with two letters swapped, or one dropped or doubled, in one of its longer words."""
    words = [match.span() for match in re.finditer(rf"[^\W\d_]{{{SHORTEST_SLIPPED},}}", text)]
    if not words:
        return text
    start, end = chance.choice(words)
    at = chance.randrange(start + 1, end - 1)  # the first letter is the one that people get right
    match chance.randrange(3):
        case 0 if text[at] != text[at + 1]:
            return text[:at] + text[at + 1] + text[at] + text[at + 2 :]
        case 1:
            return text[:at] + text[at + 1 :]
        case _:
            return text[:at] + text[at] + text[at:]


def damaged(text: str, chance: random.Random) -> str:
    """Return a text as OCR might have read it: a letter taken for another, and two words run together."""
    places = [at for at, letter in enumerate(text) if letter in _CONFUSED]
    if places:
        at = chance.choice(places)
        text = text[:at] + _CONFUSED[text[at]] + text[at + 1 :]
    gaps = [at for at, letter in enumerate(text) if letter == " "]
    if len(gaps) > 1:
        at = chance.choice(gaps)
        text = text[:at] + text[at + 1 :]
    return text


def witnessed(catalogue: Catalogue, *, sample: int) -> list[Witnessed]:
    """Return, for up to `sample` memes that several models described, what one of them sees, without what it quotes."""
    paths = {meme.id: meme.path for meme in catalogue.memes.everything()}
    spoken: dict[int, dict[str, Passage]] = {}
    for field in WITNESSES:
        for row in catalogue.texts.passages(field, least_weight=LEAST_WEIGHT):
            spoken.setdefault(row.meme_id, {}).setdefault(row.passage.source, row.passage)
    found: list[Witnessed] = []
    for id in _drawn(paths):
        if len(found) == sample:
            break
        sources = spoken.get(id, {})
        if len(sources) < 2:
            continue
        source = sorted(sources)[_number(paths[id]) % len(sources)]
        words = _QUOTED.sub(" ", sources[source].body).split()[:MOST_WORDS]
        if len(words) >= LENGTHS[0]:
            found.append(Witnessed(Judged(" ".join(words), {paths[id]: 1}, DESCRIBED), id, source))
    return found


def index_without(catalogue: Catalogue, index: Index, asked: Sequence[Witnessed], *, folder: Path) -> Index:
    """Return the index without what each asking model wrote of its meme; its files are written into an empty folder.

    Raises IndexUnusable when the index is older than the catalogue.
    """
    hidden = {(one.meme_id, one.source) for one in asked}
    if index.manifest.revision != catalogue.revision():
        raise IndexUnusable("The index is older than the catalogue.", hint="Run `memetica index`.")

    def rows() -> Iterator[tuple[int, Field, str]]:
        for row in catalogue.texts.passages(least_weight=LEAST_WEIGHT):
            if row.passage.field in TEXT_FIELDS and not _is_hidden(row.meme_id, row.passage, hidden):
                yield row.meme_id, row.passage.field, row.passage.body

    build_lexical(folder / LEXICAL, documents_of(rows()))
    dense: dict[Field, DenseIndex] = {}
    has = dict(index.columns.has)
    for field in TEXT_FIELDS:
        rows_of_field = list(catalogue.texts.passages(field, least_weight=LEAST_WEIGHT))
        owners = [row.meme_id for row in rows_of_field]
        shown = [not _is_hidden(row.meme_id, row.passage, hidden) for row in rows_of_field]
        has[field] = np.isin(index.columns.ids, [id for id, one in zip(owners, shown, strict=True) if one])
        if field not in index.dense:
            continue
        whole = index.dense[field]
        if owners != whole.owners.tolist():
            raise IndexUnusable("Not every text is embedded.", hint="Run `memetica index`.")
        kept = np.array(shown, bool)
        target = folder / DENSE / field.value
        build_dense(target, np.asarray(whole.rows)[kept], owners=whole.owners[kept])
        dense[field] = DenseIndex.open(target, dimensions=whole.rows.shape[1])
    words = LexicalIndex.open(folder / LEXICAL)
    return replace(index, lexical=words, dense=dense, columns=replace(index.columns, has=has))


def _is_hidden(meme_id: int, passage: Passage, hidden: set[tuple[int, str]]) -> bool:
    return passage.field not in (Field.OCR, Field.NAME) and (meme_id, passage.source) in hidden


def _drawn(paths: Mapping[int, str]) -> list[int]:
    """Return all ids in an order that has nothing to do with the library's."""
    return sorted(paths, key=lambda id: _number(paths[id]))


def _number(path: str) -> int:
    return int(hashlib.sha256(path.encode()).hexdigest()[:12], 16)

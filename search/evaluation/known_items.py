"""Known-item queries: generate judged queries from a library's texts, so that it needs no relevance judgements.

A quote of a meme's text should find the meme: unchanged, with a typing error, and with typical OCR errors. If several
models described a meme, one model's description should find it by the others' descriptions: for such a query, the
description that it was made from is removed from the index.
"""

from __future__ import annotations

import hashlib
import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from search.catalogue import Catalogue
from search.errors import IndexUnusable
from search.evaluation.metrics import JudgedQuery
from search.index.contents import joined_texts
from search.index.contract import Index
from search.index.generations import DENSE, LEXICAL, TEXT_FIELDS
from search.index.lexical.analyzer import tokenize
from search.index.lexical.index import LexicalIndex
from search.index.lexical.writer import build_lexical, documents_of
from search.index.local import LocalIndex
from search.index.vectors.dense import DenseIndex
from search.index.vectors.dense_writer import build_dense
from search.meme import Field, Passage
from search.texts.agreement import LEAST_WEIGHT

QUOTE = "quote"
SLIP = "quote with a slip"
DAMAGED = "damaged quote"
QUOTES = frozenset({QUOTE, SLIP, DAMAGED})
DESCRIBED = "another model's description"

QUOTE_WORDS = (3, 6)  # fewest and most words of a quote
MAX_SHARED = 5  # memes that contain a quote, at most; in more memes it is a set phrase
MIN_TYPO_LETTERS = 4  # of a word that gets a typing error
MAX_WORDS = 40  # of a description used as a query
DESCRIBED_FIELDS = (Field.DESCRIPTION, Field.VISUAL)
_QUOTED = re.compile(r"[\"“”][^\"“”]*[\"“”]")
_CONFUSED = {"o": "0", "l": "1", "i": "l", "e": "c", "s": "5", "b": "8", "m": "rn", "t": "f"}


@dataclass(frozen=True)
class DescribedQuery:
    """A query made from one model's description, with the meme and the model whose description is hidden from it."""

    query: JudgedQuery
    meme_id: int
    source: str


def quote_queries(catalogue: Catalogue, index: Index, *, sample: int) -> list[JudgedQuery]:
    """Return quotes of up to `sample` memes as queries: unchanged, with a typing error, and with OCR errors.

    All memes with these words in sequence are relevant. The same library gives the same queries.

    >>> queries = quote_queries(workspace.catalogue, searcher.index, sample=9)
    >>> "i hate mondays" in {one.query for one in queries if one.kind == QUOTE}
    True
    """
    paths = {meme.id: meme.path for meme in catalogue.memes.everything()}
    found: list[JudgedQuery] = []
    quoted = 0
    for id in _shuffled(paths):
        if quoted == sample:
            break
        texts = [row.passage.body for row in catalogue.texts.passages_of([id], fields=[Field.OCR])]
        generator = random.Random(_number(paths[id]))
        quote = _quote(texts[0], generator) if texts else None
        if quote is None:
            continue
        containing, _ = index.lexical.phrase([one.term for one in tokenize(quote)], Field.OCR, k=MAX_SHARED + 1)
        relevant = {paths[int(one)]: 1 for one in containing if int(one) in paths}
        if paths[id] not in relevant or len(relevant) > MAX_SHARED:
            continue
        quoted += 1
        found += [
            JudgedQuery(quote, relevant, QUOTE),
            JudgedQuery(with_typo(quote, generator), relevant, SLIP),
            JudgedQuery(with_ocr_errors(quote, generator), relevant, DAMAGED),
        ]
    return found


def _quote(text: str, generator: random.Random) -> str | None:
    words = tokenize(text)
    count = min(generator.randint(*QUOTE_WORDS), len(words))
    if count < QUOTE_WORDS[0]:
        return None
    first = generator.randrange(len(words) - count + 1)
    return text[words[first].start : words[first + count - 1].end].lower()


def with_typo(text: str, generator: random.Random) -> str:
    """Return a text with two letters swapped, or one dropped or doubled, in one of its longer words.

    >>> with_typo("a long sentence", random.Random(1)) != "a long sentence"
    True
    """
    words = [match.span() for match in re.finditer(rf"[^\W\d_]{{{MIN_TYPO_LETTERS},}}", text)]
    if not words:
        return text
    start, end = generator.choice(words)
    at = generator.randrange(start + 1, end - 1)  # typing errors are seldom in the first letter
    match generator.randrange(3):
        case 0 if text[at] != text[at + 1]:
            return text[:at] + text[at + 1] + text[at] + text[at + 2 :]
        case 1:
            return text[:at] + text[at + 1 :]
        case _:
            return text[:at] + text[at] + text[at:]


def with_ocr_errors(text: str, generator: random.Random) -> str:
    """Return a text with typical OCR errors: a letter replaced by a similar one, and two words run together.

    >>> with_ocr_errors("om zzz", random.Random(1)) in {"0m zzz", "orn zzz"}
    True
    """
    places = [at for at, letter in enumerate(text) if letter in _CONFUSED]
    if places:
        at = generator.choice(places)
        text = text[:at] + _CONFUSED[text[at]] + text[at + 1 :]
    gaps = [at for at, letter in enumerate(text) if letter == " "]
    if len(gaps) > 1:
        at = generator.choice(gaps)
        text = text[:at] + text[at + 1 :]
    return text


def description_queries(catalogue: Catalogue, *, sample: int) -> list[DescribedQuery]:
    """Return the description of one model, without quoted text, for up to `sample` memes that several models described.

    >>> description_queries(workspace.catalogue, sample=9)
    []
    """
    paths = {meme.id: meme.path for meme in catalogue.memes.everything()}
    by_source: dict[int, dict[str, Passage]] = {}
    for field in DESCRIBED_FIELDS:
        for row in catalogue.texts.passages(field, least_weight=LEAST_WEIGHT):
            by_source.setdefault(row.meme_id, {}).setdefault(row.passage.source, row.passage)
    found: list[DescribedQuery] = []
    for id in _shuffled(paths):
        if len(found) == sample:
            break
        sources = by_source.get(id, {})
        if len(sources) < 2:
            continue
        source = sorted(sources)[_number(paths[id]) % len(sources)]
        words = _QUOTED.sub(" ", sources[source].body).split()[:MAX_WORDS]
        if len(words) >= QUOTE_WORDS[0]:
            found.append(DescribedQuery(JudgedQuery(" ".join(words), {paths[id]: 1}, DESCRIBED), id, source))
    return found


def index_without(
    catalogue: Catalogue, index: LocalIndex, queries: Sequence[DescribedQuery], *, folder: Path
) -> LocalIndex:
    """Return the index without the hidden description of each query, with its files in the empty folder `folder`.

    Raises IndexUnusable when the index is older than the catalogue.

    >>> len(index_without(workspace.catalogue, searcher.index, [], folder=folder).lexical)
    9
    """
    hidden = {(query.meme_id, query.source) for query in queries}
    if index.manifest.revision != catalogue.revision():
        raise IndexUnusable("The index is older than the catalogue.", hint="Run `memetica index`.")

    rows = catalogue.texts.passages(least_weight=LEAST_WEIGHT)
    shown_texts = joined_texts(row for row in rows if not _is_hidden(row.meme_id, row.passage, hidden))
    paths = {meme.id: meme.path for meme in catalogue.memes.everything()}
    build_lexical(folder / LEXICAL, documents_of(shown_texts, paths=paths))
    dense: dict[Field, DenseIndex] = {}
    has = dict(index.columns.has)
    for field in TEXT_FIELDS:
        rows_of_field = list(catalogue.texts.passages(field, least_weight=LEAST_WEIGHT))
        owners = [row.meme_id for row in rows_of_field]
        shown = [not _is_hidden(row.meme_id, row.passage, hidden) for row in rows_of_field]
        has[field] = np.isin(index.columns.ids, [id for id, is_shown in zip(owners, shown, strict=True) if is_shown])
        if field not in index.dense:
            continue
        whole = index.dense[field]
        if owners != whole.owners.tolist():
            raise IndexUnusable("Not every text is embedded.", hint="Run `memetica index`.")
        kept = np.array(shown, bool)
        target = folder / DENSE / field.value
        build_dense(target, np.asarray(whole.all_rows())[kept], owners=whole.owners[kept])
        dense[field] = DenseIndex.open(target, dimensions=whole.dimensions)
    words = LexicalIndex.open(folder / LEXICAL)
    return replace(index, lexical=words, dense=dense, columns=replace(index.columns, has=has))


def _is_hidden(meme_id: int, passage: Passage, hidden: set[tuple[int, str]]) -> bool:
    return passage.field not in (Field.OCR, Field.NAME) and (meme_id, passage.source) in hidden


def _shuffled(paths: Mapping[int, str]) -> list[int]:
    """Return all ids in an order independent of the library's."""
    return sorted(paths, key=lambda id: _number(paths[id]))


def _number(path: str) -> int:
    return int(hashlib.sha256(path.encode()).hexdigest()[:12], 16)

"""The lexical index: BM25 over each field of a meme by itself and over all of them together. The only tantivy."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import tantivy
from numpy.typing import NDArray

from search.errors import IndexUnusable
from search.meme import Field

ALL_TEXT = "everything"  # the field that joins the others
FIELDS = (Field.NAME, Field.OCR, Field.DESCRIPTION, Field.VISUAL, Field.ANALYSIS)
MAX_TERMS = 64  # of a query; a pasted essay is cut there
_ANALYSER = "memetica"
_HEAP_BYTES = 128_000_000

# A word may hold apostrophes, which count for nothing ("don't", "dont"); a Chinese or Japanese character is a word.
_CJK = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_WORD = re.compile(rf"[{_CJK}]|[^\W_{_CJK}]+(?:['’][^\W_{_CJK}]+)*")

Ids = NDArray[np.int64]  # [n] meme ids
WordScores = NDArray[np.float32]  # [n], BM25, higher is better, 0 where no word matches


@dataclass(frozen=True)
class Document:
    """A meme's texts by field."""

    id: int
    texts: Mapping[Field, str]


@dataclass(frozen=True)
class Token:
    """A word of a text: where it stands, and the term under which it is found."""

    start: int
    end: int
    term: str


@lru_cache(maxsize=1)
def _analyser() -> tantivy.TextAnalyzer:
    filters = (
        tantivy.Filter.remove_long(64),
        tantivy.Filter.lowercase(),
        tantivy.Filter.ascii_fold(),
        tantivy.Filter.stemmer("english"),
    )
    builder = tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.whitespace())
    for one in filters:
        builder = builder.filter(one)
    return builder.build()


@lru_cache(maxsize=65536)
def _term(word: str) -> str:
    found = _analyser().analyze(word)
    return found[0] if found else ""


def tokens(text: str) -> list[Token]:
    """Return the words of a text with their places and terms, as the index sees them."""
    return [Token(*match.span(), _term(_plain(match[0]))) for match in _WORD.finditer(text)]


def terms(text: str) -> list[str]:
    """Return the distinct terms of a query in order of appearance, at most MAX_TERMS."""
    return list(dict.fromkeys(token.term for token in tokens(text) if token.term))[:MAX_TERMS]


def _plain(word: str) -> str:
    return word.replace("'", "").replace("’", "")


def _prepared(text: str) -> str:
    return " ".join(_plain(match[0]) for match in _WORD.finditer(text))


@lru_cache(maxsize=1)
def _schema() -> tantivy.Schema:
    builder = tantivy.SchemaBuilder()
    builder.add_integer_field("id", stored=False, indexed=True, fast=True)
    for name in (*FIELDS, ALL_TEXT):
        builder.add_text_field(str(name), stored=False, tokenizer_name=_ANALYSER, index_option="position")
    return builder.build()


def build_words(folder: Path, documents: Iterable[Document]) -> int:
    """Write a lexical index of the documents into a new folder; return how many there were."""
    folder.mkdir(parents=True)
    index = tantivy.Index(_schema(), path=str(folder))
    index.register_tokenizer(_ANALYSER, _analyser())
    # One thread makes one segment at a time, so that the same documents give the same scores.
    writer = index.writer(_HEAP_BYTES, 1)
    count = 0
    for document in documents:
        entry = tantivy.Document()
        entry.add_integer("id", document.id)
        texts = {field: _prepared(text) for field, text in document.texts.items() if text}
        for field, text in texts.items():
            entry.add_text(str(field), text)
        entry.add_text(ALL_TEXT, " ".join(texts.values()))
        writer.add_document(entry)
        count += 1
    writer.commit()
    writer.wait_merging_threads()
    for lock in folder.glob(".tantivy-*.lock"):
        lock.unlink(missing_ok=True)
    return count


class WordIndex:
    """An opened lexical index. It never changes; any thread may search it."""

    def __init__(self, index: tantivy.Index) -> None:
        self._schema = index.schema
        self._searcher = index.searcher()

    @classmethod
    def open(cls, folder: Path) -> WordIndex:
        """Return the index in a folder; raise IndexUnusable when it is missing or damaged."""
        try:
            index = tantivy.Index.open(str(folder))
            index.register_tokenizer(_ANALYSER, _analyser())
            return cls(index)
        except (ValueError, OSError) as error:
            raise IndexUnusable(
                f"The word index in {folder} is damaged: {error}.", hint="Run `memetica index`."
            ) from error

    def __len__(self) -> int:
        return int(self._searcher.num_docs)

    def search(self, wanted: Sequence[str], field: Field | str = ALL_TEXT, *, k: int) -> tuple[Ids, WordScores]:
        """Return the ids and BM25 scores of the k memes that match these terms best, best first, ties by id."""
        return self._run(self._any_of(wanted, field), k)

    def scores(self, wanted: Sequence[str], field: Field | str = ALL_TEXT, *, ids: Ids) -> WordScores:
        """Return the BM25 scores ([n]) of given memes; 0 where no term matches."""
        if not len(ids) or not wanted:
            return np.zeros(len(ids), np.float32)
        among = tantivy.Query.term_set_query(self._schema, "id", [int(id) for id in ids])
        query = tantivy.Query.boolean_query(
            [
                (tantivy.Occur.Must, tantivy.Query.const_score_query(among, 0.0)),
                (tantivy.Occur.Should, self._any_of(wanted, field)),
            ]
        )
        found, scores = self._run(query, len(ids))
        known = dict(zip(found.tolist(), scores.tolist(), strict=True))
        return np.array([known.get(int(id), 0.0) for id in ids], np.float32)

    def phrase(
        self, words: Sequence[str], field: Field | str = ALL_TEXT, *, k: int, slop: int = 0
    ) -> tuple[Ids, WordScores]:
        """Return the memes that hold these terms one after another, with up to `slop` words between."""
        if len(words) < 2:
            return self.search(words, field, k=k)
        return self._run(tantivy.Query.phrase_query(self._schema, str(field), list(words), slop), k)

    def document_frequency(self, term: str, field: Field | str = ALL_TEXT) -> int:
        """Return how many memes hold a term."""
        return int(self._searcher.doc_freq(str(field), term))

    def similar_terms(self, term: str, *, k: int, distance: int = 1) -> tuple[Ids, WordScores]:
        """Return memes that hold a term within this many edits (1 or 2) of the one given."""
        return self._run(tantivy.Query.fuzzy_term_query(self._schema, ALL_TEXT, term, distance), k)

    def _any_of(self, wanted: Sequence[str], field: Field | str) -> tantivy.Query:
        queries = [tantivy.Query.term_query(self._schema, str(field), term) for term in wanted[:MAX_TERMS]]
        if not queries:
            return tantivy.Query.empty_query()
        return tantivy.Query.boolean_query([(tantivy.Occur.Should, query) for query in queries])

    def _run(self, query: tantivy.Query, k: int) -> tuple[Ids, WordScores]:
        if k <= 0 or not len(self):
            return np.empty(0, np.int64), np.empty(0, np.float32)
        hits = self._searcher.search(query, limit=k, count=False).hits
        ids = np.array(self._searcher.fast_field_values("id", [address for _, address in hits]), np.int64)
        scores = np.array([score for score, _ in hits], np.float32)
        order = np.lexsort((ids, -scores))
        return ids[order], scores[order]


def documents_of(rows: Iterable[tuple[int, Field, str]]) -> Iterator[Document]:
    """Yield a document for each meme from (id, field, text) rows that are ordered by id."""
    current: int | None = None
    gathered: dict[Field, list[str]] = {}
    for id, field, text in rows:
        if id != current:
            if current is not None:
                yield Document(current, {name: "\n".join(parts) for name, parts in gathered.items()})
            current, gathered = id, {}
        gathered.setdefault(field, []).append(text)
    if current is not None:
        yield Document(current, {name: "\n".join(parts) for name, parts in gathered.items()})

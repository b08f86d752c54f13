"""The lexical index: BM25 over each text field and over all fields together, by tantivy.

tantivy was chosen over SQLite's FTS5 by measurement (the benchmark of words). The analyzer turns texts into terms; a
query is a list of terms, so nothing that a visitor types is parsed as tantivy's query language.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import cached_property, lru_cache, partial
from operator import itemgetter
from pathlib import Path

import numpy as np
import tantivy
from numpy.typing import NDArray

from search.errors import IndexUnusable
from search.index.conditions import Alternatives
from search.index.lexical.analyzer import MAX_TERMS, READABLE_ANALYZERS, term_of
from search.index.lexical.bm25 import Bm25, read_model
from search.index.lexical.file_names import (
    MAX_NAME_BYTES,
    MIN_PREFIX,
    NamedMemes,
    asked_keys,
    code_parts,
    exact_key,
    no_ids,
)
from search.index.lexical.links import linked
from search.index.lexical.schema import (
    ALL_TEXT,
    FIELDS,
    FILE_FIELD,
    FILE_PARTS_FIELD,
    FILE_WORDS_FIELD,
    HINT,
    OF_CATEGORY,
    SPELLING_FIELD,
    VECTORS,
    WORD_START,
    WRITTEN_FIELD,
    index_errors,
    read_words,
    register_tokenizers,
)
from search.index.lexical.scores import Ids, LexicalScores, adding, any_id, any_of, scored_parts
from search.index.lexical.term_vectors import TermVectors
from search.index.lexical.vocabulary import WordIndex
from search.index.lexical.word_table import Vocabulary, WordTable, open_words
from search.meme import Field

_CACHED_FREQUENCIES = 65_536  # document frequencies: a query reads those of its terms many times
_CACHED_WEIGHTS = 64  # of queries' terms, by field
CATEGORY_WORDS = 8  # of a category, the last ones, with which a quote may begin
_CACHED_ID_QUERIES = 8
_COUNTED = 16_384  # memes among which a search compares all
_CACHED_SETS = 32  # sets of memes that an open index caches: those of a query are asked for by each of its pages


class LexicalIndex(WordIndex):
    """An opened, immutable lexical index, memory-mapped from its files; any thread may search it."""

    def __init__(self, index: tantivy.Index, folder: Path) -> None:
        self._folder = folder
        self._words = open_words(folder)
        self._vectors = TermVectors.open(folder / VECTORS) if (folder / VECTORS).is_dir() else None
        self._models: dict[str, Bm25] = {}
        self._schema = index.schema
        self._searcher = index.searcher()
        self._frequency = lru_cache(maxsize=_CACHED_FREQUENCIES)(self._read_frequency)
        self._weights_of = lru_cache(maxsize=_CACHED_WEIGHTS)(self._read_weights)
        self._any_id_of = lru_cache(maxsize=_CACHED_ID_QUERIES)(partial(any_id, self._schema))
        self._all_of = lru_cache(maxsize=_CACHED_SETS)(self._read_all_of)
        for field in (*FIELDS, ALL_TEXT, SPELLING_FIELD):
            self._searcher.doc_freq(str(field), "")  # raises ValueError for a field that is missing
        # Indexes of earlier formats are searched until the next build.
        self._has_names = all(map(self._has_field, (WRITTEN_FIELD, FILE_FIELD, FILE_PARTS_FIELD)))
        self._has_places = self._has_names and not self._has_field(FILE_WORDS_FIELD)

    @classmethod
    def open(cls, folder: Path) -> LexicalIndex:
        """Return the index in a folder, which may be read-only; raise IndexUnusable when it is missing or damaged."""
        try:
            meta = (folder / "meta.json").read_text("utf-8")
            if not any(f'"{name}"' in meta for name in READABLE_ANALYZERS):
                raise IndexUnusable(f"The word index in {folder} was made by another version.", hint=HINT)
            with linked(folder) as links, index_errors(folder):
                index = tantivy.Index.open(links)
                register_tokenizers(index)
                index.config_reader("manual", 0)
                return cls(index, folder)
        except (ValueError, OSError) as error:
            raise IndexUnusable(f"The word index in {folder} is missing or damaged: {error}.", hint=HINT) from error

    def __len__(self) -> int:
        return int(self._searcher.num_docs)

    def search(
        self, wanted: Sequence[str], field: Field | str = ALL_TEXT, *, k: int, allowed: Ids | None = None
    ) -> tuple[Ids, LexicalScores]:
        """Return the ids and BM25 scores of the k memes that match these terms best.

        [≤ k] int64 and float32, best first, ties by id. With `allowed` ([m] int64, rising) only these memes are
        considered.
        """
        parts = scored_parts(wanted)
        if allowed is not None and self._is_narrow(parts, k, allowed):
            scores = self.scores(wanted, field, ids=allowed)
            order = np.lexsort((allowed, -scores))[: max(k, 0)]
            order = order[scores[order] > 0]
            return allowed[order], scores[order]
        return self._among(any_of([self._query(part, field) for part in parts]), k, allowed)

    def scores(self, wanted: Sequence[str], field: Field | str = ALL_TEXT, *, ids: Ids) -> LexicalScores:
        """Return the BM25 scores ([n] float32) of memes in any order; 0 where no term matches."""
        parts = scored_parts(wanted)
        if self._vectors is None:
            return self._summed((self._query(part, field) for part in parts), ids)
        terms = [part[0] for part in parts if len(part) == 1]
        scores = self._term_scores(terms, field, ids)
        if len(terms) < len(parts):
            scores += self._summed((self._query(part, field) for part in parts[len(terms) :]), ids)
        return scores

    def _term_scores(self, terms: Sequence[str], field: Field | str, ids: Ids) -> LexicalScores:
        """Return the BM25 scores of memes ([n]) by their term vectors."""
        assert self._vectors is not None
        known = self._weights_of(str(field), tuple(terms))
        if known is None:
            return np.zeros(len(ids), np.float32)
        model, weights = known
        found = self._vectors.counts(terms, ids)
        return model.scores(found.of(field, terms, ids), found.lengths_of(field, ids), weights)

    def _read_weights(self, field: str, terms: tuple[str, ...]) -> tuple[Bm25, NDArray[np.float32]] | None:
        """Return BM25 of a field with the weights of terms; None where no meme that is left has any."""
        frequencies = [self.document_frequency(term, field) for term in terms]
        models = (self._model(field, term) for term, own in zip(terms, frequencies, strict=True) if own)
        model = next((model for model in models if model is not None), None)
        return None if model is None else (model, model.weights(frequencies))

    def _model(self, field: str, term: str) -> Bm25 | None:
        """Return BM25 of a field, read from what tantivy says of a score by a term; None if no meme is left with it."""
        if field not in self._models:
            query = self._term(term, field)
            with index_errors(self._folder):
                hits = self._searcher.search(query, limit=1, count=False).hits
                if not hits:
                    return None
                self._models[field] = read_model(query.explain(self._searcher, hits[0][1]).to_json())
        return self._models[field]

    def phrase(
        self,
        words: Sequence[str],
        field: Field | str = ALL_TEXT,
        *,
        k: int,
        allowed: Ids | None = None,
    ) -> tuple[Ids, LexicalScores]:
        """Return the memes with these terms one after another in one field, best first; `allowed` is as in `search`."""
        if len(words) < 2:
            return self.search(words, field, k=k, allowed=allowed)
        query = tantivy.Query.phrase_query(self._schema, str(field), list(words[:MAX_TERMS]))
        return self._among(query, k, allowed)

    def held(self, terms: Sequence[str], ids: Ids) -> NDArray[np.bool_]:
        """Return for each term and each of some memes ([t, n]) whether the meme has the term."""
        if self._vectors is not None:
            return self._vectors.counts(terms, ids).of(ALL_TEXT, terms, ids) > 0
        found = np.zeros((len(terms), len(ids)), np.bool_)
        for at, term in enumerate(terms):
            found[at] = self._summed([self._term(term, ALL_TEXT)], ids) > 0
        return found

    def prepare(self, terms: Sequence[str]) -> None:
        """Look at these terms together, once any of them are asked about."""
        if self._vectors is not None:
            self._vectors.expect(terms)

    def _summed(self, queries: Iterable[tantivy.Query], ids: Ids) -> LexicalScores:
        """Return the sums of the scores that queries give some memes ([n]), each looked for among those of each."""
        return self._scored(adding(self._any_id_of(ids.astype(np.int64, copy=False).tobytes()), queries), ids)

    def _scored(self, query: tantivy.Query, ids: Ids) -> LexicalScores:
        """Return the score of each of some memes ([n]) by a query that finds no others; 0 for those not found."""
        with index_errors(self._folder):
            hits = self._searcher.search(query, limit=len(ids) or 1, count=False).hits
            found = self._searcher.fast_field_values("id", [address for _, address in hits])
        scores = dict(zip(found, (score for score, _ in hits), strict=True))
        return np.array([scores.get(id, 0.0) for id in ids.tolist()], np.float32)

    def having_all(self, groups: Sequence[Sequence[Sequence[str]]], field: Field | str = ALL_TEXT) -> Ids:
        """Return the rising ids of all memes that have every group: at least one of its sequences of terms, in a row.

        >>> searcher.index.lexical.having_all([[("dog",)], [("burn", "room"), ("medal",)]]).tolist()
        [4, 5]
        """
        wanted = tuple(tuple(tuple(sequence) for sequence in group) for group in groups[:MAX_TERMS])
        return self._all_of(wanted, str(field))

    def saying(self, sequences: Iterable[Sequence[Alternatives]]) -> Ids:
        """Return the rising ids of all memes with any of the sequences: a word of each place in a row.

        They are looked for in each text about the meme and in its file's name. The first sequence may also begin in the
        category and end in the name; in the category alone it is not looked for.
        """
        wanted = list(sequences)
        queries = [self._said(sequence) for sequence in wanted]
        if wanted and self._has_names:
            most = min(len(wanted[0]) - 1, CATEGORY_WORDS)
            queries += [self._said(wanted[0], of_category=count) for count in range(1, most + 1)]
        return self._set(any_of(queries)) if queries else np.empty(0, np.int64)

    def written(self, words: Iterable[str]) -> Ids:
        """Return the rising ids of all memes with any of these words as written: in lower case, with their accents."""
        field = WRITTEN_FIELD if self._has_names else SPELLING_FIELD
        return self._set(any_of([self._term(word, field) for word in words]))

    def beginning(self, letters: str) -> Ids | None:
        """Return the rising ids of all memes with a Korean word that begins with some letters, in normal form.

        None where the index does not know where Korean words begin.
        """
        if not self._has_word_starts:
            return None
        return self._set(tantivy.Query.regex_query(self._schema, WRITTEN_FIELD, f"{re.escape(WORD_START + letters)}.*"))

    @cached_property
    def _has_word_starts(self) -> bool:
        if not self._has_names:
            return False
        with index_errors(self._folder):
            return bool(self._searcher.terms_with_prefix(WRITTEN_FIELD, WORD_START, None, 1))

    def named(self, typed: str) -> NamedMemes:
        """Return the memes that `typed` is the file name of.

        A whole name, with or without its ending and its folder, counts before parts of names; parts count only if they
        are codes, as in names by cameras.

        >>> searcher.index.lexical.named("FINE.PNG").ids.tolist()
        [4]
        """
        if not self._has_names:
            return NamedMemes()
        verbatim = exact_key(typed)
        for keys in asked_keys(typed):
            known = [key for key in keys if self.document_frequency(key, FILE_FIELD)]
            if known:
                ids = self._set(any_of([self._term(key, FILE_FIELD) for key in known]))
                return NamedMemes(ids, True, any(key.partition(":")[2] == verbatim for key in known))
        queries = [self._part(part) for part in code_parts(typed)]
        if not queries:
            return NamedMemes()
        return NamedMemes(self._set(tantivy.Query.boolean_query([(tantivy.Occur.Must, query) for query in queries])))

    def document_frequency(self, term: str, field: Field | str = ALL_TEXT) -> int:
        """Return the number of memes with a term."""
        return self._frequency(str(field), term)

    def _read_frequency(self, field: str, term: str) -> int:
        with index_errors(self._folder):
            return int(self._searcher.doc_freq(field, term))

    @property
    def vocabulary(self) -> Vocabulary:
        """The words of all texts in lower case, sorted, each with the number of memes that have it."""
        if self._words is None:  # an index of an earlier format
            with index_errors(self._folder):
                self._words = WordTable.of(read_words(self._searcher))
        return self._words

    def _query(self, part: tuple[str, ...], field: Field | str) -> tantivy.Query:
        if len(part) == 1:
            return tantivy.Query.term_query(self._schema, str(field), part[0])
        return tantivy.Query.phrase_query(self._schema, str(field), list(part))

    def _term(self, term: str, field: Field | str) -> tantivy.Query:
        return tantivy.Query.term_query(self._schema, str(field), term)

    def _part(self, part: str) -> tantivy.Query:
        """Return the query for a part of a file's name; the beginning of a long code stands for the code."""
        # No file's name is longer than 255 bytes, and tantivy compiles no expression of about 1,000.
        is_prefix = len(part) >= MIN_PREFIX and len(part.encode()) <= MAX_NAME_BYTES
        if not is_prefix or not any(one.isdecimal() for one in part):
            return self._term(part, FILE_PARTS_FIELD)
        return tantivy.Query.regex_query(self._schema, FILE_PARTS_FIELD, f"{re.escape(part)}.*")

    def _said(self, sequence: Sequence[Alternatives], *, of_category: int = 0) -> tantivy.Query:
        """Return the query for words as written in a row, the first of them in the category, all others in the name."""
        words = [[word for word, _ in place] for place in sequence]
        words[:of_category] = [[OF_CATEGORY + word for word in place] for place in words[:of_category]]
        if self._has_places:
            return self._row(words, WRITTEN_FIELD)
        # An index of an earlier format: terms say where words stand, and words as written that the meme has them.
        terms = [list(dict.fromkeys(term for _, term in place)) for place in sequence]
        terms[:of_category] = [[term_of(word) for word in place] for place in words[:of_category]]
        texts = [] if of_category else [field.value for field in FIELDS if field is not Field.NAME]
        fields = [*texts, FILE_WORDS_FIELD] if self._has_names else texts
        field = WRITTEN_FIELD if self._has_names else SPELLING_FIELD
        written = [any_of([self._term(word, field) for word in place]) for place in words[of_category:]]
        in_a_row = any_of([self._row(terms, field) for field in fields])
        return tantivy.Query.boolean_query([(tantivy.Occur.Must, query) for query in (in_a_row, *written)])

    def _has_field(self, name: str) -> bool:
        try:
            self._searcher.doc_freq(name, "")
        except ValueError:
            return False
        return True

    def _row(self, terms: Sequence[Sequence[str]], field: str) -> tantivy.Query:
        """Return the query for terms in a row, any of those of each place."""
        if len(terms) == 1:
            return any_of([self._term(term, field) for term in terms[0]])
        if all(len(place) == 1 for place in terms):
            return tantivy.Query.phrase_query(self._schema, field, [place[0] for place in terms])
        patterns = ["|".join(f"({re.escape(term)})" for term in place) for place in terms]
        return tantivy.Query.regex_phrase_query(self._schema, field, [*patterns])

    def _read_all_of(self, groups: tuple[tuple[tuple[str, ...], ...], ...], field: str) -> Ids:
        frequent = [group for group in groups if field == ALL_TEXT and self._is_frequent(group)]
        rest = [group for group in groups if group not in frequent]
        queries = [any_of([self._query(sequence, field) for sequence in group]) for group in rest]
        found = (
            self._set(tantivy.Query.boolean_query([(tantivy.Occur.Must, query) for query in queries])) if rest else None
        )
        if self._vectors is None or not frequent:
            return no_ids() if found is None else found
        return self._vectors.having_all([[term for term, *_ in group] for group in frequent], among=found)

    def _is_frequent(self, group: Sequence[Sequence[str]]) -> bool:
        """Return whether a group is of frequent terms alone, so that the term vectors know who has one of them."""
        vectors = self._vectors
        return (
            vectors is not None and bool(group) and all(len(one) == 1 and vectors.is_frequent(one[0]) for one in group)
        )

    def _set(self, query: tantivy.Query) -> Ids:
        """Return the rising ids of all memes that a query finds."""
        return np.sort(self._ids(query))

    def _ids(self, query: tantivy.Query) -> Ids:
        """Return the ids of all memes that a query finds, in any order."""
        # Ordered by a column, tantivy hands out its values, and does not compute scores.
        with index_errors(self._folder):
            hits = self._searcher.search(query, limit=len(self) or 1, count=False, order_by_field="id").hits
        return np.fromiter(map(itemgetter(0), hits), np.int64, len(hits))

    def _only(self, query: tantivy.Query, ids: Ids) -> tantivy.Query:
        """Return the query restricted to some memes, with unchanged scores."""
        among = self._any_id_of(ids.astype(np.int64, copy=False).tobytes())
        return tantivy.Query.boolean_query([(tantivy.Occur.Must, among), (tantivy.Occur.Must, query)])

    def _depth(self, k: int, allowed: Ids) -> int:
        """Return how many of the best memes are fetched to find k among those allowed."""
        return 2 * k * len(self) // max(len(allowed), 1) + 16

    def _is_narrow(self, parts: Sequence[tuple[str, ...]], k: int, allowed: Ids) -> bool:
        """Return whether to score all memes allowed takes less time than to read the postings of the words."""
        has_vectors = self._vectors is not None and all(len(part) == 1 for part in parts)
        return has_vectors and len(allowed) <= min(_COUNTED, self._depth(k, allowed) // 2)

    def _among(self, query: tantivy.Query, k: int, allowed: Ids | None) -> tuple[Ids, LexicalScores]:
        if allowed is None:
            return self._run(query, k)
        # To fetch more results and filter them is ten times as fast as a query with thousands of ids, and exact where
        # enough are found. Narrow filters, and filters that exclude most results, go into the query.
        depth = self._depth(k, allowed)
        if depth < len(allowed):
            ids, scores = self._run(query, depth)
            places = np.minimum(np.searchsorted(allowed, ids), len(allowed) - 1)
            kept = allowed[places] == ids
            if np.count_nonzero(kept) >= k or len(ids) < depth:
                return ids[kept][:k], scores[kept][:k]
        return self._run(self._only(query, allowed), k)

    def _run(self, query: tantivy.Query, k: int) -> tuple[Ids, LexicalScores]:
        """Return the best k results of a query, ties by id."""
        k = min(k, len(self))
        if k <= 0:
            return np.empty(0, np.int64), np.empty(0, np.float32)
        # One segment returns equal scores by id. Several segments follow each other, so a lower id may come after a tie
        # at the end of the list: more results are fetched until the tie ends.
        one_segment = self._searcher.num_segments == 1
        depth = k if one_segment else k + 16
        with index_errors(self._folder):
            while True:
                hits = self._searcher.search(query, limit=depth, count=False).hits
                if one_segment or len(hits) < depth or hits[k - 1][0] > hits[-1][0]:
                    break
                depth *= 4
            ids = np.array(self._searcher.fast_field_values("id", [address for _, address in hits]), np.int64)
        scores = np.array([score for score, _ in hits], np.float32)
        order = np.lexsort((ids, -scores))[:k]
        return ids[order], scores[order]

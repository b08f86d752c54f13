"""An index that a Qdrant server keeps: a point a meme, asked by one request for all signals at once.

In this process are the columns (34 bytes a meme), how frequent words are, and the whitening; all else is asked for.
Scores are computed by the server from the same rows in half precision and the same BM25 as the local index, exactly,
for the memes that are judged; which memes are proposed is found by its graphs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from qdrant_client import models

from search.index.columns import Ids, MemeColumns
from search.index.conditions import (
    All,
    Among,
    AnyOf,
    Below,
    Has,
    Not,
    OfType,
    Seen,
    VariantOf,
    Where,
    select_ids,
)
from search.index.contract import Ask, Near, RawScores, Within, Words, resolved
from search.index.generations import Manifest
from search.index.lexical.schema import ALL_TEXT
from search.index.qdrant.connection import Connection
from search.index.qdrant.points import (
    FIELDS_WITH_ROWS,
    FINGERPRINT,
    ROWS,
    fingerprint_rows,
    query_vector,
    sparse_name,
    unpacked_rows,
)
from search.index.qdrant.state import StoredState
from search.index.qdrant.words import QdrantWords
from search.index.vectors.whitening import Whitening
from search.meme import Field, name_key

_SELECTED = 32  # conditions whose memes an open index remembers
_EXPLORED = 256  # candidates that a graph search keeps; more finds more of the nearest


class QdrantIndex:
    """One collection of a Qdrant server, in the state in which it was opened; any thread may ask it."""

    def __init__(self, connection: Connection, state: StoredState) -> None:
        self._connection = connection
        self._state = state
        self.lexical = QdrantWords(
            connection,
            state.collection,
            state.counts,
            known=state.columns.ids,
            held=self._held,
            best=self._best_with_phrase,
        )
        self._selected = lru_cache(_SELECTED)(self._select)

    @property
    def name(self) -> str:
        """The collection's name, and how often it was changed."""
        return self._state.name

    @property
    def manifest(self) -> Manifest:
        """What the collection was made of."""
        return self._state.manifest

    @property
    def columns(self) -> MemeColumns:
        """The values of all memes, in this process."""
        return self._state.columns

    @property
    def whitening(self) -> Whitening | None:
        """The whitening of text embeddings; None when no text has been embedded."""
        return self._state.whitening

    def frequencies(self, terms: Sequence[str]) -> Mapping[str, int]:
        """Return in how many memes each of some terms is."""
        return {term: self.lexical.document_frequency(term) for term in terms}

    def propose(
        self, asks: Sequence[Ask], k: int, where: Where | None = None, *, pool: Executor | None = None
    ) -> list[Ids]:
        """Return, for each ask, the ids of its best k memes among those that a condition selects, in one request."""
        chosen = self._filter(where) if where is not None else None
        requests = [self._requests(ask, chosen, limit=k, exact=False) for ask in asks]
        answers = iter(self._ask([one for own in requests for one in own]))
        found = []
        for ask, own in zip(asks, requests, strict=True):
            scores = _best_scores(ask, [next(answers) for _ in own])
            ranked = np.array(sorted(scores, key=lambda id: (-scores[id], id)), np.int64)
            # A meme may have come since the collection was opened.
            found.append(ranked[np.isin(ranked, self.columns.ids)][:k])
        return found

    def judge(self, asks: Sequence[Ask], ids: Ids) -> list[RawScores]:
        """Return, for each ask, the score of each meme ([n]), NaN where there is nothing to compare, in one request."""
        if not len(ids):
            return [np.empty(0) for _ in asks]
        among = models.Filter(must=[models.HasIdCondition(has_id=ids.tolist())])
        requests = [self._requests(ask, among, limit=len(ids), exact=True) for ask in asks]
        answers = iter(self._ask([one for own in requests for one in own]))
        return [self._scores(ask, [next(answers) for _ in own], ids) for ask, own in zip(asks, requests, strict=True)]

    def select(self, where: Where) -> Ids:
        """Return the rising ids of all memes that a condition selects; only words are asked of the server."""
        return self._selected(where)

    def newest(self, where: Where | None = None) -> Ids:
        """Return the ids of all memes that a condition selects, newest first."""
        return self.columns.newest if where is None else self.columns.newest_of(self.select(where))

    def count_rows(self, field: Field) -> int:
        """Return how many embeddings of a field there were when the collection was made; 0 without any."""
        return self.manifest.rows.get(vector_rows(field), 0)

    def rows_of(self, id: int, field: Field) -> NDArray[np.float32]:
        """Return a meme's embeddings of a field ([m, d])."""
        if not self.count_rows(field):
            return np.empty((0, 0), np.float32)
        found = self._connection.ask(
            self._connection.client.retrieve, self._state.collection, [id], with_vectors=[field.value]
        )
        rows = (found[0].vector or {}).get(field.value, []) if found else []
        return np.array(rows, np.float32).reshape(len(rows), -1 if len(rows) else 0)

    def sample(self, field: Field, rows: int) -> NDArray[np.floating]:
        """Return the embeddings of a field ([m, d]) that were set aside when the collection was made."""
        return self._state.samples.get(field, np.empty((0, 0), np.float32))

    def check_unchanged(self) -> None:
        """Do nothing: the server verifies what it keeps."""

    def _select(self, where: Where) -> Ids:
        return select_ids(where, self.columns, in_text=self.lexical.find)

    def _ask(self, requests: Sequence[models.QueryRequest]) -> list[list[Any]]:
        if not requests:
            return []
        found = self._connection.ask(
            self._connection.client.query_batch_points, self._state.collection, requests=list(requests)
        )
        return [one.points for one in found]

    def _requests(self, ask: Ask, where: models.Filter | None, *, limit: int, exact: bool) -> list[models.QueryRequest]:
        """Return what an ask asks for: nothing, one search, or one for each fingerprint."""
        parameters = models.SearchParams(exact=True) if exact else models.SearchParams(hnsw_ef=_EXPLORED)
        queries: list[Any]
        payload: list[str] | bool = False
        if isinstance(ask, Words):
            frequencies: Mapping[str, int] = self._state.counts.frequencies.get(ask.field, {})
            query = query_vector(ask.terms, frequencies, len(self.lexical))
            queries, using = [query] if query is not None else [], sparse_name(ask.field)
        elif isinstance(ask, Within):
            queries = [[row] for row in fingerprint_rows(ask.fingerprints).astype(float).tolist()]
            using = FINGERPRINT
        else:
            has_rows = self.count_rows(ask.field)
            queries, using = [[resolved(ask.direction).astype(float).tolist()]] if has_rows else [], ask.field.value
            if exact and ask.best > 1:
                assert ask.field in FIELDS_WITH_ROWS
                payload = [f"{ROWS}_{ask.field.value}"]
            if ask.unless and not exact:
                other = models.Filter(must_not=[_any_of("has", [field.value for field in ask.unless])])
                where = other if where is None else models.Filter(must=[where, other])
        return [
            models.QueryRequest(
                query=query, using=using, filter=where, limit=limit, params=parameters, with_payload=payload
            )
            for query in queries
        ]

    def _scores(self, ask: Ask, answers: Sequence[Sequence[Any]], ids: Ids) -> RawScores:
        if isinstance(ask, Near) and ask.best > 1:
            direction = resolved(ask.direction)
            known = {
                point.id: _mean_of_best(point.payload[f"{ROWS}_{ask.field.value}"], direction, ask.best)
                for points in answers
                for point in points
            }
        else:
            known = _best_scores(ask, answers)
        nothing = 0.0 if isinstance(ask, Words) else np.nan
        found = np.array([known.get(id, nothing) for id in ids.tolist()], np.float64)
        if isinstance(ask, Words) and ask.field != ALL_TEXT:
            has = self.columns.has.get(Field(ask.field))
            if has is not None:
                found[~has[self.columns.rows(ids)]] = np.nan
        return found

    def _held(self, terms: Sequence[str], ids: Ids) -> NDArray[np.bool_]:
        return np.array([own > 0 for own in self.judge([Words((term,)) for term in terms], ids)])

    def _best_with_phrase(
        self, terms: Sequence[str], field: str, k: int, where: models.Filter
    ) -> tuple[Ids, NDArray[np.float32]]:
        [points] = self._ask(self._requests(Words(tuple(terms), field), where, limit=k, exact=True)) or [[]]
        return np.array([one.id for one in points], np.int64), np.array([one.score for one in points], np.float32)

    def _filter(self, where: Where) -> models.Filter:
        """Return the filter that selects what a condition selects."""
        if isinstance(where, Not):
            return models.Filter(must_not=[self._filter(where.condition)])
        if isinstance(where, All):
            return models.Filter(must=[self._filter(one) for one in where.conditions])
        if isinstance(where, AnyOf):
            return models.Filter(should=[self._filter(one) for one in where.conditions])
        condition: Any
        if isinstance(where, Below):
            condition = _any_of("branches", [name_key(where.category.strip())])
        elif isinstance(where, Seen):
            condition = models.FieldCondition(key="seen", range=models.Range(gte=where.since, lt=where.before))
        elif isinstance(where, OfType):
            condition = _any_of("type", [one.value for one in where.types])
        elif isinstance(where, Has):
            condition = _any_of("has", [field.value for field in where.fields])
        elif isinstance(where, VariantOf):
            own = select_ids(where, self.columns, in_text=self.lexical.find)
            condition = models.HasIdCondition(has_id=own.tolist())
        elif isinstance(where, Among):
            condition = models.HasIdCondition(has_id=where.ids.tolist())
        else:
            return self.lexical.filter_of(where)
        return models.Filter(must=[condition])


def vector_rows(field: Field) -> str:
    """Return the name by which a manifest counts the embeddings of a field."""
    return {Field.LOOK: "looks", Field.PICTURE: "pictures"}.get(field, f"meanings.{field.value}")


def _best_scores(ask: Ask, answers: Sequence[Sequence[Any]]) -> dict[int, float]:
    """Return the score of each meme by one ask: of its best row, or of the nearest of several fingerprints."""
    found: dict[int, float] = {}
    for points in answers:
        for point in points:
            found[point.id] = max(found.get(point.id, -np.inf), float(point.score))
    if not isinstance(ask, Within):
        return found
    bits = 8 * ask.fingerprints.shape[1]
    differing = {id: round((1 - cosine) / 2 * bits) for id, cosine in found.items()}
    return {id: 1 - count / bits for id, count in differing.items() if count <= ask.radius}


def _mean_of_best(rows: str, direction: NDArray[np.float32], best: int) -> float:
    cosines = np.sort(unpacked_rows(rows, dimensions=len(direction)) @ direction)[::-1][:best]
    return float(cosines.mean())


def _any_of(key: str, values: Sequence[str]) -> models.FieldCondition:
    return models.FieldCondition(key=key, match=models.MatchAny(any=list(values)))

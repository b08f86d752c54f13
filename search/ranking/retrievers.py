"""Retrievers: each proposes memes by one signal and scores any meme by that signal, up to 1.

This module has the retrievers for text and the combination of several; those that compare images are in
`image_retrievers`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from search.index.analyzer import is_letterwise
from search.index.columns import Ids
from search.index.dense import DenseIndex, RowSelection
from search.index.lexical_schema import ALL_TEXT
from search.index.reader import Index
from search.index.threads import set_index_threads
from search.meme import Field
from search.ranking.fusion import ScoreArray, Scores, Weights
from search.signals import PARALLEL_KINDS, PHRASE_OCR, Signal, SignalKind, semantic

Direction = NDArray[np.float32]  # [d], of length 1, whitened
LazyDirection = Direction | Future[Direction]  # a Future while another thread computes it
Result = TypeVar("Result")

DEPTH = 60  # memes that each retriever proposes; every retriever then scores all of them exactly
BEST_PASSAGES = {Field.ANALYSIS: 3}  # passages whose mean scores an analysis; other texts are scored by the best one
MAX_DOCUMENT_SHARE = 0.5  # of all memes; more frequent terms are ignored if the query has others
MIN_PHRASE = 3  # least words of a query that is also searched for as a phrase
# Most passages belong to analyses, and searching them all would take most of the time. A field on the left scores every
# candidate but proposes only memes without the fields on the right.
COVERED_BY = {
    Field.VISUAL: (Field.DESCRIPTION,),
    Field.ANALYSIS: (Field.DESCRIPTION, Field.VISUAL),
    Field.NAME: (Field.OCR, Field.DESCRIPTION),
}
# A BM25 score is at most (k1 + 1) times the sum of the terms' inverse document frequencies; k1 is tantivy's 1.2.
_BM25_BOUND = 2.2


class Retriever(Protocol):
    """Finds and scores memes by one signal of one query."""

    @property
    def signal(self) -> Signal:
        """The signal that the scores belong to."""
        ...

    def retrieve(self, k: int, allowed: Ids | None = None) -> Ids:
        """Return the ids of up to about `k` best memes by the signal, among `allowed` (ascending) or all."""
        ...

    def score(self, ids: Ids) -> ScoreArray:
        """Return a score for each meme ([n]): 0 or below for nothing found, 1 at most, NaN for nothing to compare."""
        ...


@dataclass(frozen=True)
class LexicalRetriever:
    """BM25 scores of a query's terms in a field, divided by the highest score that the terms can have."""

    signal: Signal
    index: Index
    terms: Sequence[str]
    bound: float

    @property
    def _field(self) -> str:
        return self.signal.field.value if self.signal.field is not None else ALL_TEXT

    def retrieve(self, k: int, allowed: Ids | None = None) -> Ids:
        return self.index.lexical.search(self.terms, self._field, k=k, allowed=allowed)[0]

    def score(self, ids: Ids) -> ScoreArray:
        found = self.index.lexical.scores(self.terms, self._field, ids=ids).astype(np.float64) / self.bound
        has = self.index.columns.has.get(self.signal.field) if self.signal.field is not None else None
        if has is not None:
            found[~has[self.index.columns.rows(ids)]] = np.nan
        return found


def lexical_retrievers(index: Index, terms: Sequence[str], signals: Iterable[Signal]) -> list[LexicalRetriever]:
    """Return a retriever for each lexical signal among `signals`; none when no meme has any of the terms."""
    most = MAX_DOCUMENT_SHARE * len(index.lexical)
    # A frequent word is the slowest to score and the least informative: the ranking is as good without it.
    # Letters of a script without spaces are kept, so that those beside them are not taken for neighbours.
    kept = [term for term in terms if index.lexical.document_frequency(term) <= most or is_letterwise((term,))]
    terms = kept or terms
    total = sum(_idf(index, term) for term in terms)
    if not total:
        return []
    bound = _BM25_BOUND * total
    return [LexicalRetriever(one, index, terms, bound) for one in signals if one.kind is SignalKind.LEXICAL]


def _idf(index: Index, term: str) -> float:
    """Return a term's inverse document frequency as in BM25; 0 for a term in no meme."""
    frequency = index.lexical.document_frequency(term)
    return math.log(1 + (len(index.lexical) - frequency + 0.5) / (frequency + 0.5)) if frequency else 0.0


@dataclass(frozen=True)
class PhraseRetriever:
    """Scores 1 for memes whose OCR text has a query's terms in sequence, 0 for others, NaN without OCR text."""

    index: Index
    matches: Ids  # rising
    signal: Signal = PHRASE_OCR

    def retrieve(self, k: int, allowed: Ids | None = None) -> Ids:
        return self.matches if allowed is None else np.intersect1d(self.matches, allowed, assume_unique=True)

    def score(self, ids: Ids) -> ScoreArray:
        found = np.isin(ids, self.matches).astype(np.float64)
        found[~self.index.columns.has[Field.OCR][self.index.columns.rows(ids)]] = np.nan
        return found


def phrase_retrievers(index: Index, sequence: Sequence[str], *, least: int = MIN_PHRASE) -> list[PhraseRetriever]:
    """Return the retriever of a phrase; none below `least` terms, or when no meme has the phrase."""
    if len(sequence) < least:
        return []
    matches = np.sort(index.lexical.phrase(sequence, Field.OCR, k=DEPTH)[0])
    return [PhraseRetriever(index, matches)] if len(matches) else []


@dataclass(frozen=True)
class SemanticRetriever:
    """Cosine similarity of a field's passages with a whitened text embedding."""

    signal: Signal
    index: Index
    passages: DenseIndex
    direction: LazyDirection

    def retrieve(self, k: int, allowed: Ids | None = None) -> Ids:
        covered_by = COVERED_BY.get(self._field)
        among: Ids | RowSelection | None = allowed
        if covered_by is not None and allowed is None:
            among = self.index.rows_without(self._field, covered_by)
        elif covered_by is not None and allowed is not None:
            own = self.index.columns.ids_with(self._field, without=covered_by)
            among = np.intersect1d(own, allowed, assume_unique=True)
        return self.passages.search(resolved(self.direction), k, allowed=among)[0]

    def score(self, ids: Ids) -> ScoreArray:
        best = BEST_PASSAGES.get(self._field, 1)
        return self.passages.scores(resolved(self.direction), ids=ids, best=best).astype(np.float64)

    @property
    def _field(self) -> Field:
        assert self.signal.field is not None
        return self.signal.field


def semantic_retrievers(index: Index, directions: Mapping[Field, LazyDirection]) -> list[SemanticRetriever]:
    """Return a retriever for each field with embeddings; `directions` are by field, [d] each."""
    return [
        SemanticRetriever(semantic(field), index, index.dense[field], direction)
        for field, direction in directions.items()
        if len(index.dense.get(field, ()))
    ]


def resolved(direction: LazyDirection) -> Direction:
    """Return a direction, waiting for the thread that computes it."""
    return direction.result() if isinstance(direction, Future) else direction


@dataclass(frozen=True)
class CombinedRetriever:
    """Several retrievers of one signal: it proposes the union of their memes and scores by their weighted mean.

    A retriever without a score for a meme (NaN) does not count for it.
    """

    members: tuple[tuple[Retriever, float], ...]

    @property
    def signal(self) -> Signal:
        return self.members[0][0].signal

    def retrieve(self, k: int, allowed: Ids | None = None) -> Ids:
        return np.unique(np.concatenate([member.retrieve(k, allowed) for member, _ in self.members]))

    def score(self, ids: Ids) -> ScoreArray:
        table = np.stack([member.score(ids) for member, _ in self.members])
        weights = np.array([weight for _, weight in self.members])[:, None] * ~np.isnan(table)
        total = weights.sum(axis=0)
        found: ScoreArray = (np.nan_to_num(table) * weights).sum(axis=0) / np.maximum(total, 1e-9)
        found[total == 0] = np.nan
        return found


WeightedRetrievers = Sequence[tuple[Retriever, float]]  # each with the weight of its part of the query


def combine(weighted: WeightedRetrievers) -> tuple[list[Retriever], dict[Signal, float]]:
    """Return one retriever for each signal, and by signal the largest weight of its retrievers."""
    by_signal: dict[Signal, list[tuple[Retriever, float]]] = {}
    for retriever, weight in weighted:
        by_signal.setdefault(retriever.signal, []).append((retriever, weight))
    retrievers = [own[0][0] if len(own) == 1 else CombinedRetriever(tuple(own)) for own in by_signal.values()]
    return retrievers, {signal: max(weight for _, weight in own) for signal, own in by_signal.items()}


def score_candidates(
    retrievers: Sequence[Retriever],
    weights: Weights,
    *,
    boosts: Weights | None = None,
    has_fixed_weights: bool = False,
    pool: Executor | None = None,
    allowed: Ids | None = None,
    excluded: int | None = None,
    depth: int = DEPTH,
    others: Ids | None = None,
) -> Scores:
    """Return every retriever's scores of the memes that any retriever proposes, `depth` each, and of `others`.

    Only memes in `allowed` (ascending ids, or all) and never the meme `excluded` are considered. With a pool,
    retrievers by embeddings run in its threads while the others run in this one.
    """
    proposed = _run_all(retrievers, lambda one: one.retrieve(depth, allowed), pool=pool) if depth else []
    ids = np.unique(np.concatenate([*proposed, np.empty(0, np.int64) if others is None else others]))
    if excluded is not None:
        ids = ids[ids != excluded]
    scores = _run_all(retrievers, lambda one: one.score(ids), pool=pool)
    return Scores(
        ids=ids,
        by_signal={one.signal: own for one, own in zip(retrievers, scores, strict=True)},
        retrieved={
            one.signal: np.isin(ids, proposed[at]) if proposed else np.zeros(len(ids), np.bool_)
            for at, one in enumerate(retrievers)
        },
        weights=weights,
        asked_for=None if others is None else np.isin(ids, others),
        boosts=boosts or {},
        has_fixed_weights=has_fixed_weights,
    )


def _run_all(
    retrievers: Sequence[Retriever], work: Callable[[Retriever], Result], *, pool: Executor | None
) -> list[Result]:
    """Return each retriever's result, in their order."""

    def on_one_thread(retriever: Retriever) -> Result:
        # More faiss threads do not pay for one query, and OpenMP stores the number per calling thread.
        set_index_threads(1)
        return work(retriever)

    if pool is None:
        return [on_one_thread(one) for one in retrievers]
    waiting = {at: pool.submit(on_one_thread, one) for at, one in enumerate(retrievers) if _is_parallel(one)}
    here = {at: on_one_thread(one) for at, one in enumerate(retrievers) if at not in waiting}
    return [here[at] if at in here else waiting[at].result() for at in range(len(retrievers))]


def _is_parallel(retriever: Retriever) -> bool:
    return retriever.signal.kind in PARALLEL_KINDS

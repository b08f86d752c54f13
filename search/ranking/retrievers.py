"""Retrievers: each proposes memes by one signal and scores any meme by that signal, up to 1.

This module has the retrievers for text and the combination of several; those that compare images are in
`image_retrievers`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from search.index.columns import Ids, are_among, union
from search.index.conditions import Where
from search.index.contract import Ask, Index, LazyDirection, Near, RawScores, Words
from search.index.lexical.analyzer import is_letterwise
from search.index.lexical.file_names import no_ids
from search.index.lexical.schema import ALL_TEXT
from search.meme import Field
from search.ranking.fusion import ScoreArray, Scores, Weights
from search.signals import PHRASE_OCR, Signal, SignalKind, semantic

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
    """Finds and scores memes by one signal of one query: what it asks of the index, and what the answers mean."""

    @property
    def signal(self) -> Signal:
        """The signal that the scores belong to."""
        ...

    @property
    def asks(self) -> Sequence[Ask]:
        """What the index is asked: the best memes by each are candidates."""
        ...

    @property
    def known(self) -> Ids:
        """The rising ids of memes that are candidates without asking."""
        ...

    def score(self, ids: Ids, answers: Sequence[RawScores]) -> ScoreArray:
        """Return a score for each meme ([n]) from the raw scores ([n] each) of what was asked.

        0 or below stands for nothing found, 1 is the most, NaN means nothing to compare.
        """
        ...


@dataclass(frozen=True)
class LexicalRetriever:
    """BM25 scores of a query's terms in a field, divided by the highest score that the terms can have."""

    signal: Signal
    terms: Sequence[str]
    bound: float
    known: Ids = field(default_factory=no_ids)

    @property
    def asks(self) -> Sequence[Ask]:
        return [Words(tuple(self.terms), ALL_TEXT if self.signal.field is None else self.signal.field.value)]

    def score(self, ids: Ids, answers: Sequence[RawScores]) -> ScoreArray:
        return answers[0] / self.bound


def lexical_retrievers(index: Index, terms: Sequence[str], signals: Iterable[Signal]) -> list[LexicalRetriever]:
    """Return a retriever for each lexical signal among `signals`; none when no meme has any of the terms."""
    most = MAX_DOCUMENT_SHARE * len(index.lexical)
    # A frequent word is the slowest to score and the least informative: the ranking is as good without it.
    # Letters of a script without spaces are kept, so that those beside them are not taken for neighbours.
    frequencies = index.frequencies(terms)
    kept = [term for term in terms if frequencies[term] <= most or is_letterwise((term,))]
    terms = kept or terms
    total = sum(_idf(len(index.lexical), frequencies[term]) for term in terms)
    if not total:
        return []
    bound = _BM25_BOUND * total
    return [LexicalRetriever(one, terms, bound) for one in signals if one.kind is SignalKind.LEXICAL]


def _idf(memes: int, frequency: int) -> float:
    """Return a term's inverse document frequency as in BM25; 0 for a term in no meme."""
    return math.log(1 + (memes - frequency + 0.5) / (frequency + 0.5)) if frequency else 0.0


@dataclass(frozen=True)
class PhraseRetriever:
    """Scores 1 for memes whose OCR text has a query's terms in sequence, 0 for others, NaN without OCR text."""

    index: Index
    known: Ids  # that have the phrase, rising
    signal: Signal = PHRASE_OCR
    asks: Sequence[Ask] = ()

    def score(self, ids: Ids, answers: Sequence[RawScores]) -> ScoreArray:
        found = are_among(ids, self.known).astype(np.float64)
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
    asks: Sequence[Near]
    known: Ids = field(default_factory=no_ids)

    def score(self, ids: Ids, answers: Sequence[RawScores]) -> ScoreArray:
        return answers[0]


def semantic_retrievers(index: Index, directions: Mapping[Field, LazyDirection]) -> list[SemanticRetriever]:
    """Return a retriever for each field with embeddings; `directions` are by field, [d] each."""
    return [
        SemanticRetriever(
            semantic(field), [Near(field, direction, BEST_PASSAGES.get(field, 1), COVERED_BY.get(field, ()))]
        )
        for field, direction in directions.items()
        if index.count_rows(field)
    ]


@dataclass(frozen=True)
class CombinedRetriever:
    """Several retrievers of one signal: it proposes the union of their memes and scores by their weighted mean.

    A retriever without a score for a meme (NaN) does not count for it.
    """

    members: tuple[tuple[Retriever, float], ...]

    @property
    def signal(self) -> Signal:
        return self.members[0][0].signal

    @property
    def asks(self) -> Sequence[Ask]:
        return [ask for member, _ in self.members for ask in member.asks]

    @property
    def known(self) -> Ids:
        return union(*(member.known for member, _ in self.members))

    def score(self, ids: Ids, answers: Sequence[RawScores]) -> ScoreArray:
        own = iter(answers)
        table = np.stack([member.score(ids, [next(own) for _ in member.asks]) for member, _ in self.members])
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
    index: Index,
    retrievers: Sequence[Retriever],
    weights: Weights,
    *,
    boosts: Weights | None = None,
    has_fixed_weights: bool = False,
    pool: Executor | None = None,
    where: Where | None = None,
    excluded: int | None = None,
    depth: int = DEPTH,
    others: Ids | None = None,
) -> Scores:
    """Return every retriever's scores of the memes that any retriever proposes, `depth` each, and of `others`.

    Only memes that `where` selects and never the meme `excluded` are considered. The index is asked twice: for the best
    memes by all retrievers, and for all their scores. With a pool, an index in this process uses its threads.
    """
    asks = [ask for one in retrievers for ask in one.asks]
    proposed = _proposed(index, retrievers, index.propose(asks, depth, where, pool=pool), where) if depth else []
    ids = union(*proposed, no_ids() if others is None else others)
    if excluded is not None:
        ids = ids[ids != excluded]
    answers = iter(index.judge(asks, ids))
    scores = [one.score(ids, [next(answers) for _ in one.asks]) for one in retrievers]
    return Scores(
        ids=ids,
        by_signal={one.signal: own for one, own in zip(retrievers, scores, strict=True)},
        retrieved={
            one.signal: are_among(ids, np.sort(proposed[at])) if proposed else np.zeros(len(ids), np.bool_)
            for at, one in enumerate(retrievers)
        },
        weights=weights,
        asked_for=None if others is None else are_among(ids, np.sort(others)),
        boosts=boosts or {},
        has_fixed_weights=has_fixed_weights,
    )


def _proposed(index: Index, retrievers: Sequence[Retriever], best: Sequence[Ids], where: Where | None) -> list[Ids]:
    """Return what each retriever proposes: the best memes by what it asks, and those that it knows."""
    answers, found = iter(best), []
    for one in retrievers:
        known = one.known
        if len(known) and where is not None:
            known = np.intersect1d(known, index.select(where), assume_unique=True)
        found.append(np.concatenate([known, *(next(answers) for _ in one.asks)]))
    return found

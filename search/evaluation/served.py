"""Judged queries as search answers them, by any weights: with the matches first, as filters and quotes demand.

Tuning ranks each query a hundred times. What differs between two weights is how scores are added and cut off; the
retrievers' own scores do not, and are computed once.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from search.index.columns import Ids
from search.index.conditions import Where
from search.index.contract import Ask, Index, RawScores
from search.index.lexical.file_names import no_ids
from search.pipeline import QueryPipeline
from search.ranking.fusion import ScoreArray, Scores, Weights
from search.ranking.query_plan import QueryPlan
from search.ranking.relevance import Features, RelevanceModel, relevance_features
from search.signals import Signal


class RememberedIndex:
    """An index that answers each ask of one query once, for each list and each meme; all else is the index's own."""

    def __init__(self, of: Index) -> None:
        self._of = of
        self._proposed: dict[tuple[Ask, int, Where | None], Ids] = {}
        self._judged: dict[Ask, tuple[Ids, RawScores]] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._of, name)

    def propose(
        self, asks: Sequence[Ask], k: int, where: Where | None = None, *, pool: Executor | None = None
    ) -> list[Ids]:
        """Return what the index proposes."""
        new = [ask for ask in asks if (ask, k, where) not in self._proposed]
        for ask, ids in zip(new, self._of.propose(new, k, where, pool=pool) if new else (), strict=True):
            self._proposed[ask, k, where] = ids
        return [self._proposed[ask, k, where] for ask in asks]

    def judge(self, asks: Sequence[Ask], ids: Ids) -> list[RawScores]:
        """Return the scores that the index gives."""
        nothing = no_ids(), np.empty(0)
        new = {ask: np.setdiff1d(ids, self._judged.get(ask, nothing)[0]) for ask in asks}
        for ask, missing in new.items():
            if len(missing):
                known, scores = self._judged.get(ask, nothing)
                together = np.concatenate([known, missing])
                order = np.argsort(together)
                own = np.concatenate([scores, self._of.judge([ask], missing)[0]])
                self._judged[ask] = together[order], own[order]
        found = [self._judged.get(ask, nothing) for ask in asks]
        return [scores[np.searchsorted(known, ids)] for known, scores in found]


@dataclass(frozen=True)
class FoundHits:
    """The hits of a query, best first, and what decides which of them match.

    `is_exact` ([n]) are those that match whatever the relevance model says: they hold all words, say the quotes or have
    the name. `features` ([n, len(FEATURES)]) are what the model judges the others by; None where it is not asked.
    `may_match` ([n]) are the hits that can match at all; None for all of them.
    """

    ids: Ids
    is_exact: NDArray[np.bool_]
    features: Features | None
    may_match: NDArray[np.bool_] | None = None

    def log_odds(self, model: RelevanceModel) -> ScoreArray:
        """Return the log-odds of each hit ([n]): infinite for exact ones, minus infinity where no other can match."""
        if self.features is None:
            return np.where(self.is_exact, np.inf, -np.inf)
        found = model.cutoff(self.features).log_odds
        if self.may_match is not None:
            found = np.where(self.may_match, found, -np.inf)
        return np.where(self.is_exact, np.inf, found)


@dataclass(frozen=True)
class ServedQuery:
    """A query's plan over a pipeline, to be answered by other weights than the pipeline's.

    >>> from search.evaluation.served import serve_query
    >>> from search.pipeline import QueryPipeline
    >>> pipeline = QueryPipeline(workspace.catalogue, searcher.index, encoder, weights=workspace.settings.weights)
    >>> served = serve_query(pipeline, "dog in a burning room")
    >>> served.rank() == [hit.meme.id for hit in searcher.search("dog in a burning room")]
    True
    """

    pipeline: QueryPipeline
    plan: QueryPlan
    signals: frozenset[Signal]  # that score its hits
    _ranked: dict[tuple[object, ...], list[int]] = field(default_factory=dict, repr=False)

    def rank(self, weights: Weights | None = None, *, k: int | None = None) -> list[int]:
        """Return the ids of the (first `k`) hits that a search with these weights finds, best first."""
        plan = self._by(weights)
        # A weight that scores none of its hits changes nothing.
        key = k, *sorted((one, weight) for one, weight in plan.weights.items() if one in self.signals and weight)
        if key not in self._ranked:
            self._ranked[key] = self.pipeline.find(plan).ids[:k].tolist()
        return self._ranked[key]

    def scores(self) -> Scores:
        """Return the score of every candidate by each signal."""
        return self.pipeline.scores(self.plan)

    def found(self, weights: Weights | None = None) -> FoundHits:
        """Return the hits that a search with these weights looks at, with the features that tell which match."""
        plan = self._by(weights)
        if plan.listing is not None:
            return FoundHits(plan.listing, np.ones(len(plan.listing), np.bool_), None)
        exact = self.pipeline.exact_matches(plan)
        ranking = self.pipeline.candidates(plan)
        ids = ranking.ids[ranking.order]
        features = None
        if (plan.saying is None or plan.asks_more) and plan.stats is not None and plan.stats.terms:
            features = relevance_features(ranking, plan.stats)
        kept = (
            np.ones(len(ids), np.bool_) if plan.where is None else np.isin(ids, self.pipeline.index.select(plan.where))
        )
        return FoundHits(
            ids[kept],
            np.isin(ids, exact)[kept],
            features[kept] if features is not None else None,
            np.isin(ids, plan.saying)[kept] if plan.saying is not None else None,
        )

    def _by(self, weights: Weights | None) -> QueryPlan:
        return self.plan if weights is None or self.plan.has_fixed_weights else replace(self.plan, weights=weights)


def serve_query(pipeline: QueryPipeline, text: str) -> ServedQuery:
    """Return a query to be answered by many weights; it has a retriever for every signal of the index.

    >>> from search.evaluation.served import serve_query
    >>> from search.pipeline import QueryPipeline
    >>> pipeline = QueryPipeline(workspace.catalogue, searcher.index, encoder, weights=workspace.settings.weights)
    >>> len(serve_query(pipeline, "robot").rank(k=3))
    3
    """
    plan = pipeline.plan(text, all_signals=True)
    remembering = replace(pipeline, index=RememberedIndex(pipeline.index))
    return ServedQuery(remembering, plan, frozenset(one.signal for one in plan.retrievers))

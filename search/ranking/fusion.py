"""Fuse the scores of all retrievers into one: a convex combination on scales that are comparable between queries.

A weighted sum of scores beats reciprocal rank fusion and needs few judged queries to tune. Normalizing a score by its
theoretical bounds works as well as by each query's best and worst score, and keeps the scores of a query without
answers low (Bruch, Gai and Ingber, "An Analysis of Fusion Functions for Hybrid Retrieval", arXiv 2210.11934).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from search.index.columns import Ids
from search.signals import Signal

# [n], one for each candidate: 0 for no match, 1 for the highest possible score, NaN for a candidate without such text
# or image
ScoreArray = NDArray[np.float64]
Weights = Mapping[Signal, float]

# A share of the total weight that every meme gets with a score of 0, so that a meme with little data ranks slightly
# below one with much data.
SMOOTHING = 0.1


@dataclass(frozen=True)
class FusedRanking:
    """Candidates with their fused scores and each signal's contribution to them.

    `ids`, `scores` (0 to 1) and each of `contributions` are [n], in the order of the input; `order` ([n]) has their
    positions, best first. The contributions to a candidate add up to its score. `by_signal` are the scores ([n], 0 to
    1, 0 also where there is nothing to compare) that were fused.
    """

    ids: Ids
    order: NDArray[np.int64]
    scores: ScoreArray
    contributions: Mapping[Signal, ScoreArray]
    by_signal: Mapping[Signal, ScoreArray] = field(default_factory=dict)

    @property
    def ranked_ids(self) -> Ids:
        """The ids of the candidates that scored above 0, best first."""
        return self.ids[self.order[self.scores[self.order] > 0]]


def fuse(scores: Mapping[Signal, ScoreArray], weights: Weights, *, ids: Sequence[int] | Ids) -> FusedRanking:
    """Return the candidates by the weighted mean of their scores; ties go to the lower id.

    A signal without a score for a candidate (NaN) does not count against it: its weight goes to the others. Scores
    below 0 count as 0. Signals without weight are ignored. Raises ValueError when a signal does not have one score for
    each candidate.

    >>> ocr, name = Signal.parse("lexical.ocr"), Signal.parse("lexical.name")
    >>> ranking = fuse({ocr: np.array([0.2, 0.8]), name: np.array([0.6, 0.4])}, {ocr: 3, name: 1}, ids=[7, 9])
    >>> ranking.ranked_ids.tolist(), ranking.scores.round(2).tolist()
    ([9, 7], [0.3, 0.7])
    """
    # In one order, because sums of floats depend on it.
    signals = sorted(signal for signal in scores if weights.get(signal, 0) > 0)
    candidates = np.asarray(ids, np.int64)
    count = len(candidates)
    if any(scores[signal].shape != (count,) for signal in signals):
        raise ValueError(f"every signal needs {count} scores")
    if not signals or not count:
        return FusedRanking(candidates, np.argsort(candidates, kind="stable"), np.zeros(count), {})
    table = np.stack([scores[signal] for signal in signals])
    column = np.array([weights[signal] for signal in signals])[:, None]
    known = ~np.isnan(table)
    total = column.sum()
    present = (column * known).sum(axis=0)
    lift = (1 + SMOOTHING) / (present + SMOOTHING * total)
    clipped = np.clip(np.where(known, table, 0.0), 0.0, 1.0)
    contributions = clipped * column * lift
    fused = contributions.sum(axis=0)
    order = np.lexsort((candidates, -fused)).astype(np.int64)
    return FusedRanking(
        candidates,
        order,
        fused,
        dict(zip(signals, contributions, strict=True)),
        dict(zip(signals, clipped, strict=True)),
    )


@dataclass(frozen=True)
class Scores:
    """Every retriever's score for every candidate of a query, and the weights that a search fuses them by.

    `retrieved` says which candidates each retriever proposed: a ranking that gives a signal no weight has no
    candidates that this signal alone proposed. `asked_for` says which ones nobody had to propose: every ranking has
    them, also one without retrievers. `boosts` are the factors that the query itself gives to signals.
    """

    ids: Ids  # [n], rising; newest first when nothing in the query ranks
    by_signal: Mapping[Signal, ScoreArray]  # [n] each
    retrieved: Mapping[Signal, NDArray[np.bool_]]  # [n] each
    weights: Weights
    asked_for: NDArray[np.bool_] | None = None  # [n]; None for none
    boosts: Weights = field(default_factory=dict)
    has_fixed_weights: bool = False  # a query by `like:` alone: it is not ranked by the weights of the settings
    is_listing: bool = False  # nothing in the query ranks: `ids` are the answer, in order

    def fuse(self, weights: Weights | None = None) -> FusedRanking:
        """Return the ranking that a search with these weights gives; with those of the settings by default."""
        chosen = self.weights if weights is None or self.has_fixed_weights else weights
        boosted = {signal: weight * self.boosts.get(signal, 1.0) for signal, weight in chosen.items()}
        return self._fused(boosted)

    def rank(self, weights: Weights | None = None) -> list[int]:
        """Return the ids that a search with these weights finds, best first.

        >>> searcher.scores("dog in a burning room").rank()[0] == searcher.search("dog in a burning room")[0].meme.id
        True
        """
        if self.is_listing:
            return [int(id) for id in self.ids]
        return [int(id) for id in self.fuse(weights).ranked_ids]

    def rank_by(self, signal: Signal) -> list[int]:
        """Return the ids that one signal alone finds, best first."""
        return [int(id) for id in self._fused({signal: 1.0}).ranked_ids]

    def _fused(self, weights: Weights) -> FusedRanking:
        used = [signal for signal in self.by_signal if weights.get(signal, 0) > 0]
        proposed = np.zeros(len(self.ids), np.bool_) if self.asked_for is None else self.asked_for.copy()
        for signal in used:
            proposed |= self.retrieved[signal]
        if proposed.all():
            return fuse({signal: self.by_signal[signal] for signal in used}, weights, ids=self.ids)
        return fuse({signal: self.by_signal[signal][proposed] for signal in used}, weights, ids=self.ids[proposed])

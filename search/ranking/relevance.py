"""The relevance cut-off: how many hits of a ranking answer its query, and whether any does.

A fixed threshold on the score does not work: the best hit of a short query scores below the worst of a long one. A
logistic regression uses features of a hit and its ranking instead: how much of the score comes from words and from
embeddings, how far it is above the other candidates, and how much of the query is not in the library.
`python -m benchmarks.no_match` fits it and measures its errors.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from search.index.lexical import LexicalIndex
from search.ranking.fusion import FusedRanking
from search.signals import SignalKind

Features = NDArray[np.float64]  # [n, len(FEATURES)], a row for each candidate, best first

PAGE = 10  # hits of a page; the candidates after them are the background
BACKGROUND = 40  # candidates of it that are averaged
PATIENCE = 3  # a hit is relevant if it or one of the next 2 is: one low value does not end an answer
FEATURES = (
    "score",
    "words",
    "meaning",
    "quoted",
    "above the background",
    "above the next",
    "unknown",
    "length",
    "quoted times length",
    "root of above the background",
    "length squared",
)
# The feature to which each kind of signal contributes.
_FEATURE_OF = {
    SignalKind.LEXICAL: "words",
    SignalKind.SEMANTIC: "meaning",
    SignalKind.IMAGE_TEXT: "meaning",
    SignalKind.PHRASE: "quoted",
}


@dataclass(frozen=True)
class QueryStats:
    """The summed inverse document frequencies of a query's terms that are in memes, and of those in no meme.

    `terms` is the number of all terms.
    """

    known_idf: float
    unknown_idf: float
    terms: int


@dataclass(frozen=True)
class Cutoff:
    """The number of relevant hits, and the log-odds that one of the first PATIENCE hits is relevant."""

    relevant: int
    log_odds: float


@dataclass(frozen=True)
class RelevanceModel:
    """A logistic regression: a weight for each of FEATURES and a bias. A hit with log-odds above 0 is relevant.

    >>> by_score = RelevanceModel((1.0, *[0.0] * 10), -0.5)
    >>> features = np.zeros((5, len(FEATURES)))
    >>> features[:, 0] = 0.9, 0.8, 0.2, 0.1, 0.1
    >>> by_score.cutoff(features)
    Cutoff(relevant=2, log_odds=0.4)
    """

    weights: tuple[float, ...]
    bias: float

    def cutoff(self, features: Features) -> Cutoff:
        """Return the cut-off of candidates with these features, best first."""
        if not len(features):
            return Cutoff(0, -math.inf)
        log_odds = features @ np.array(self.weights) + self.bias
        highest = np.array([log_odds[at : at + PATIENCE].max() for at in range(len(log_odds))])
        below = np.flatnonzero(highest <= 0)
        return Cutoff(int(below[0]) if len(below) else len(log_odds), float(highest[0]))


# Fitted by `python -m benchmarks.no_match … --fit` on 2026-11-23 to the tuned halves of CM50 and real_memes, so that
# one page in twenty that answers is doubted.
RELEVANCE_MODEL = RelevanceModel(
    (6.696, 7.057, 7.69, 19.67, -13.003, 7.736, -2.234, -4.454, 4.979, 8.059, 0.966), 0.784
)


def query_stats(index: LexicalIndex, terms: Collection[str]) -> QueryStats:
    """Return how rare a query's distinct terms are among the memes; terms in no meme are the rarest.

    >>> query_stats(searcher.index.lexical, ["robot", "xylophone"]).terms
    2
    """
    known = unknown = 0.0
    for term in terms:
        frequency = index.document_frequency(term)
        idf = math.log(1 + (len(index) - frequency + 0.5) / (frequency + 0.5))
        if frequency:
            known += idf
        else:
            unknown += idf
    return QueryStats(known, unknown, len(terms))


def relevance_cutoff(ranking: FusedRanking, stats: QueryStats, *, model: RelevanceModel = RELEVANCE_MODEL) -> Cutoff:
    """Return the number of relevant hits of a ranking.

    >>> relevance_cutoff(searcher.scores("xylophone").fuse(), QueryStats(0.0, 3.0, 1)).relevant
    0
    """
    return model.cutoff(relevance_features(ranking, stats))


def relevance_features(ranking: FusedRanking, stats: QueryStats) -> Features:
    """Return the features of each candidate of a ranking ([n, len(FEATURES)]), best first.

    >>> relevance_features(searcher.scores("robot").fuse(), QueryStats(1.0, 0.0, 1)).shape[1] == len(FEATURES)
    True
    """
    order = ranking.order
    scores = ranking.scores[order]
    parts = {name: np.zeros(len(order)) for name in ("words", "meaning", "quoted")}
    for signal, contribution in ranking.contributions.items():
        name = _FEATURE_OF.get(signal.kind)
        if name is not None:
            parts[name] += contribution[order]
    background = scores[PAGE : PAGE + BACKGROUND]
    level = float(background.mean()) if len(background) else 0.0
    above = scores - level
    next_scores = np.append(scores[1:], level)
    # A short query reaches a high score easily; long queries seldom match with all words.
    length = np.full(len(order), math.log1p(stats.terms))
    return np.column_stack(
        [
            scores,
            parts["words"],
            parts["meaning"],
            parts["quoted"],
            above,
            np.maximum(scores - next_scores, 0.0),
            np.full(len(order), stats.unknown_idf / max(stats.known_idf + stats.unknown_idf, 1e-9)),
            length,
            parts["quoted"] * length,
            np.sqrt(np.maximum(above, 0.0)),
            length**2,
        ]
    )

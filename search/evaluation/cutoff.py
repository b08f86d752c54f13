"""Fit the relevance cut-off to judged queries: the log-odds that a hit matches, and the line that they must exceed.

What matches by its words, by quotes or by its name matches whatever is fitted here: the line is drawn so that all that
is said to match is right often enough.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from search.evaluation.metrics import JudgedQuery
from search.evaluation.served import FoundHits
from search.evaluation.tuning import tuned_and_held_out
from search.ranking.fusion import ScoreArray
from search.ranking.relevance import FEATURES, OF_QUERY, Features, RelevanceModel
from search.settings import save_setting

PRECISION = 0.9  # of what is said to match, at which the line is drawn
DEPTH = 60  # hits of a query that the odds are fitted to
FAR = 0.1  # weight of a hit far below a query's answers, of one near them
# Of the squared differences from the odds in use, of features divided by their deviation. .001 to .1 gave the same on
# CM50, the demo and real_memes, with 45 to 90 queries on a half.
PENALTY = 0.1


@dataclass(frozen=True)
class JudgedHits:
    """The hits of a judged query, and which of them are judged relevant ([n])."""

    found: FoundHits
    is_relevant: NDArray[np.bool_]


@dataclass(frozen=True)
class Cutoff:
    """The log-odds that a hit matches, and the line that they must exceed."""

    model: RelevanceModel
    line: float


@dataclass(frozen=True)
class CutoffFit:
    """A cut-off, and precision and recall of what it says to match on the held-out half.

    The precision is the mean over the queries of which some hit matches; NaN without such a query.
    """

    cutoff: Cutoff
    precision: float
    recall: float

    def is_better_than(self, other: CutoffFit) -> bool:
        """Whether this one comes nearer to PRECISION, or finds more at that precision."""
        if np.isnan(self.precision):
            return False
        if np.isnan(other.precision) or self.precision >= PRECISION <= other.precision:
            return self.recall > other.recall
        return min(self.precision, PRECISION) > min(other.precision, PRECISION)


@dataclass(frozen=True)
class CutoffTuning:
    """The cut-off in use, with another line, and with other odds and their line, each on the held-out half."""

    before: CutoffFit
    by_line: CutoffFit
    by_odds: CutoffFit
    queries: int  # of the held-out half

    @property
    def best(self) -> CutoffFit:
        """The last of the three that is better than those before it."""
        found = self.before
        for one in (self.by_line, self.by_odds):
            found = one if one.is_better_than(found) else found
        return found


def fit_cutoff(queries: Sequence[JudgedQuery], hits: Sequence[JudgedHits], before: Cutoff) -> CutoffTuning:
    """Return the cut-off fitted to the tuned half in two ways, and what each does on the held-out half.

    The line is the lowest log-odds above which the tuned half reaches PRECISION; where none does, it is that of
    `before`. Raises WrongUse when a half has too few queries.

    >>> from search.evaluation.cutoff import Cutoff, fit_cutoff
    >>> from search.ranking.relevance import RELEVANCE_MODEL
    >>> fit_cutoff([], [], Cutoff(RELEVANCE_MODEL, 0.0))
    Traceback (most recent call last):
    search.errors.WrongUse: 0 judged queries are too few to draw a line: each half of the memes needs 20.
    """
    tuned, held_out = tuned_and_held_out(queries, hits, purpose="draw a line")
    fitted = _fitted_model([one for _, one in tuned], before.model)
    cutoffs = (before, _with_line(tuned, before.model, before.line), _with_line(tuned, fitted, before.line))
    in_use, by_line, by_odds = (CutoffFit(one, *_measure(held_out, one)) for one in cutoffs)
    return CutoffTuning(in_use, by_line, by_odds, queries=len(held_out))


def fit_odds(
    features: Features, is_relevant: NDArray[np.bool_], shares: ScoreArray, *, near: RelevanceModel, penalty: float
) -> RelevanceModel:
    """Return the logistic regression of relevance on features ([n, len(FEATURES)]), near to another one.

    `shares` ([n]) are the weights of the hits, `penalty` that of the squared differences from `near`. No weight of a
    hit's feature is negative, so that no hit matches more for being weaker.

    >>> from search.evaluation.cutoff import fit_odds
    >>> nothing = RelevanceModel((0.0,) * len(FEATURES), 0.0)
    >>> features = np.zeros((4, len(FEATURES)))
    >>> features[:2, 0] = 1.0
    >>> right = np.array([True, True, False, False])
    >>> fit_odds(features, right, np.full(4, 0.25), near=nothing, penalty=0.01).weights[0] > 1
    True
    """
    spread = features.std(axis=0) + 1e-9
    scaled = features / spread
    middle = np.array(near.weights) * spread

    def loss(chosen: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        odds, moved = scaled @ chosen[:-1] + chosen[-1], chosen[:-1] - middle
        error = shares * (1 / (1 + np.exp(-odds)) - is_relevant)
        value = (shares * (np.logaddexp(0, odds) - is_relevant * odds)).sum() + penalty * (moved**2).sum()
        return float(value), np.append(scaled.T @ error + 2 * penalty * moved, error.sum())

    bounds = [(None, None) if name in OF_QUERY else (0, None) for name in FEATURES] + [(None, None)]
    best = minimize(loss, np.append(middle, near.bias), jac=True, bounds=bounds, method="L-BFGS-B").x
    return RelevanceModel(tuple(round(float(weight), 3) for weight in best[:-1] / spread), round(float(best[-1]), 3))


def hit_shares(is_relevant: NDArray[np.bool_]) -> ScoreArray:
    """Return the weights of a query's hits ([n], best first) in a fit, 1 in all: far below the answers they are less.

    >>> from search.evaluation.cutoff import hit_shares
    >>> shares = hit_shares(np.array([True, False, False, False, False, False]))
    >>> bool(shares[0] > shares[5]), round(float(shares.sum()), 6)
    (True, 1.0)
    """
    near = np.arange(len(is_relevant)) < max(2 * int(is_relevant.sum()), 5)
    shares = np.where(near, 1.0, FAR)
    return shares / max(shares.sum(), 1e-9)


def save_cutoff(data: Path, cutoff: Cutoff, *, before: Cutoff, encoder: str) -> Path:
    """Write what differs from `before`, and the text encoder that it was fitted with, into the data folder's settings.

    Returns the file.

    >>> from search.evaluation.cutoff import Cutoff, save_cutoff
    >>> from search.ranking.relevance import RELEVANCE_MODEL
    >>> before, fitted = Cutoff(RELEVANCE_MODEL, 0.0), Cutoff(RELEVANCE_MODEL, 0.25)
    >>> save_cutoff(folder, fitted, before=before, encoder=encoder.name).name
    'settings.json'
    """
    if cutoff.model != before.model:
        named = cutoff.model.by_name().items()
        save_setting(data, "certain_odds", ",".join(f"{name}={weight:g}" for name, weight in named))
    save_setting(data, "certain_for", encoder)
    return save_setting(data, "certain_above", f"{cutoff.line:g}")


def _fitted_model(tuned: Sequence[JudgedHits], before: RelevanceModel) -> RelevanceModel:
    """Return the model fitted to the hits that do not match anyway; `before` where there are none."""
    features, is_relevant, shares = [], [], []
    for one in tuned:
        if one.found.features is None:
            continue
        open_hits = ~one.found.is_exact[:DEPTH]
        features.append(one.found.features[:DEPTH][open_hits])
        is_relevant.append(one.is_relevant[:DEPTH][open_hits])
        shares.append(hit_shares(one.is_relevant[:DEPTH])[open_hits] / len(tuned))
    if not sum(map(len, features)):
        return before
    return fit_odds(
        np.concatenate(features), np.concatenate(is_relevant), np.concatenate(shares), near=before, penalty=PENALTY
    )


def _with_line(half: Sequence[tuple[JudgedQuery, JudgedHits]], model: RelevanceModel, line: float) -> Cutoff:
    """Return a model with the lowest line at which a half reaches PRECISION; with `line` where none does."""
    every = np.concatenate([one.found.log_odds(model) for _, one in half])
    every = every[np.isfinite(every)]
    tried = np.unique(np.round(np.quantile(every, np.linspace(0.5, 1, 200)), 3)) if len(every) else every
    cutoffs = (Cutoff(model, float(one)) for one in tried)
    return next((one for one in cutoffs if _measure(half, one)[0] >= PRECISION), Cutoff(model, line))


def _measure(half: Sequence[tuple[JudgedQuery, JudgedHits]], cutoff: Cutoff) -> tuple[float, float]:
    """Return the mean precision of what is said to match, and its mean recall."""
    precision, recall = [], []
    for query, one in half:
        right = one.is_relevant[one.found.log_odds(cutoff.model) > cutoff.line]
        if len(right):
            precision.append(right.mean())
        recall.append(right.sum() / len(query.relevant))
    return float(np.mean(precision)) if precision else float("nan"), float(np.mean(recall))

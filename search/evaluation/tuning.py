"""Tune the signals' weights to judged queries on one half of the memes, and test them on the other half."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from search.errors import WrongUse
from search.evaluation.metrics import Comparison, JudgedQuery, compare_rankings, measure
from search.ranking.fusion import Scores, Weights
from search.settings import save_setting
from search.signals import DESCRIPTOR, Signal

MEASURE = "ndcg@10"  # the measure that tuning maximizes
DEPTH = 10  # hits of a ranking that the measure needs
FACTORS = ((0.0, 0.5, 2.0), (0.7, 1.4), (0.85, 1.2))  # the factors that each round tries on every weight
MIN_TRIED = 0.03  # a weight of 0 is tried as this times a factor
MIN_GAIN = 5e-4  # on the tuned half; less is noise
MIN_HELD_OUT_GAIN = 0.005  # on the held-out half, in the mean of the kinds
MAX_LOSS = 0.01  # of any kind of query on the held-out half
MIN_QUERIES = 20  # on each half
PRECISION = 0.9  # of what is said to match, at which the line of the relevance cut-off is drawn


@dataclass(frozen=True)
class Tuning:
    """Weights before and after tuning, and the measure of both on the held-out half, by kind; "" is the kinds' mean."""

    before: Weights
    after: Weights
    held_out_before: Mapping[str, float]
    held_out_after: Mapping[str, float]
    comparisons: tuple[Comparison, ...]  # of after with before, on the held-out half
    queries: int  # of the held-out half

    @property
    def is_better(self) -> bool:
        """Whether the held-out half gains enough, and no kind of query loses much."""
        kinds = [kind for kind in self.held_out_before if kind]
        loss = max(self.held_out_before[kind] - self.held_out_after[kind] for kind in kinds)
        return self.held_out_after[""] - self.held_out_before[""] >= MIN_HELD_OUT_GAIN and loss <= MAX_LOSS


@dataclass(frozen=True)
class LineFit:
    """The line of the relevance cut-off before and after fitting, and its precision and recall on the held-out half.

    A precision is the mean over the queries of which some hit matches; NaN without such a query.
    """

    before: float
    after: float
    held_out_before: tuple[float, float]
    held_out_after: tuple[float, float]
    queries: int  # of the held-out half

    @property
    def is_better(self) -> bool:
        """Whether the held-out half comes nearer to PRECISION, or finds more at that precision."""
        (precision, recall), (new_precision, new_recall) = self.held_out_before, self.held_out_after
        if np.isnan(new_precision):
            return False
        if np.isnan(precision) or new_precision >= PRECISION <= precision:
            return new_recall > recall
        return min(new_precision, PRECISION) > min(precision, PRECISION)


def fit_line(queries: Sequence[JudgedQuery], found: Sequence[Judged], *, before: float) -> LineFit:
    """Return the lowest line above which the hits of the tuned half reach PRECISION.

    `found` are the hits of each query. The line is one of their log-odds, or `before` when none reaches PRECISION or no
    hit is judged at all. Raises WrongUse when a half has too few queries.

    >>> fit_line([JudgedQuery("this is fine", {"Dogs/fine.png": 1})], [Judged(np.zeros(1), np.ones(1, bool))], before=0)
    Traceback (most recent call last):
    search.errors.WrongUse: 1 judged queries are too few to draw a line: each half of the memes needs 20.
    """
    halves: dict[bool, list[tuple[JudgedQuery, Judged]]] = {False: [], True: []}
    for one in zip(queries, found, strict=True):
        halves[is_held_out(one[0])].append(one)
    if min(map(len, halves.values())) < MIN_QUERIES:
        raise WrongUse(
            f"{len(queries)} judged queries are too few to draw a line: each half of the memes needs {MIN_QUERIES}.",
            hint="Judge more queries, or index more memes.",
        )
    every = np.concatenate([one.log_odds for _, one in halves[False]])
    every = every[np.isfinite(every)]
    tried = np.unique(np.round(np.quantile(every, np.linspace(0.5, 1, 200)), 3)) if len(every) else every
    after = next((float(line) for line in tried if _at_line(halves[False], line)[0] >= PRECISION), before)
    return LineFit(
        before, after, _at_line(halves[True], before), _at_line(halves[True], after), queries=len(halves[True])
    )


@dataclass(frozen=True)
class Judged:
    """The log-odds of a query's hits, best first and never rising, and which of them are judged relevant ([n] each)."""

    log_odds: NDArray[np.float64]
    is_relevant: NDArray[np.bool_]


def _at_line(half: Sequence[tuple[JudgedQuery, Judged]], line: float) -> tuple[float, float]:
    """Return the mean precision of what is above a line, and its mean recall."""
    precision, recall = [], []
    for query, one in half:
        right = one.is_relevant[one.log_odds > line]
        if len(right):
            precision.append(right.mean())
        recall.append(right.sum() / len(query.relevant))
    return float(np.mean(precision)) if precision else float("nan"), float(np.mean(recall))


def is_held_out(query: JudgedQuery) -> bool:
    """Return whether a query is on the held-out half; all queries for one meme are on the same half.

    >>> is_held_out(JudgedQuery("a", {"Cats/1.jpg": 1})) == is_held_out(JudgedQuery("b", {"Cats/1.jpg": 1}))
    True
    """
    return int(hashlib.sha256(min(query.relevant).encode()).hexdigest(), 16) % 2 == 1


def tune(
    queries: Sequence[JudgedQuery],
    scores: Sequence[Scores],
    weights: Weights,
    *,
    paths: Mapping[int, str],
    on_step: Callable[[int], None] = lambda done: None,
) -> Tuning:
    """Return the weights that rank the tuned half best, starting from `weights`, with their results on the other half.

    One weight at a time is increased and decreased, in ever smaller steps, for each signal with scores except the image
    descriptor; the mean of nDCG@10 over kinds decides. `on_step` is called after each trial. Raises WrongUse when a
    half has too few queries.

    >>> queries = [JudgedQuery("this is fine", {"Dogs/fine.png": 1})]
    >>> tune(queries, [searcher.scores("this is fine")], {}, paths={})
    Traceback (most recent call last):
    search.errors.WrongUse: 1 judged queries are too few to tune weights: each half of the memes needs 20.
    """
    halves: dict[bool, list[tuple[JudgedQuery, Scores]]] = {False: [], True: []}
    for one in zip(queries, scores, strict=True):
        halves[is_held_out(one[0])].append(one)
    if min(map(len, halves.values())) < MIN_QUERIES:
        raise WrongUse(
            f"{len(queries)} judged queries are too few to tune weights: each half of the memes needs {MIN_QUERIES}.",
            hint="Judge more queries, or index more memes.",
        )
    signals = set(weights).union(*(one.by_signal for one in scores)) - {DESCRIPTOR}
    best: dict[Signal, float] = dict(weights)
    gain = _means(_values(halves[False], best, paths))[""]
    for factors in FACTORS:
        for signal in sorted(signals):
            for factor in factors:
                tried = best | {signal: round(max(best.get(signal, 0.0), MIN_TRIED) * factor, 4)}
                value = _means(_values(halves[False], tried, paths))[""]
                on_step(1)
                if value > gain + MIN_GAIN:
                    best, gain = tried, value
    before, after = (_values(halves[True], one, paths) for one in (weights, best))
    return Tuning(
        before=dict(weights),
        after=best,
        held_out_before=_means(before),
        held_out_after=_means(after),
        comparisons=tuple(compare_rankings({kind: {"before": before[kind]} for kind in before}, after)),
        queries=len(halves[True]),
    )


def _values(
    half: Sequence[tuple[JudgedQuery, Scores]], weights: Weights, paths: Mapping[int, str]
) -> dict[str, list[float]]:
    """Return, by kind, the measure of each query's ranking."""
    kinds: dict[str, list[tuple[JudgedQuery, Scores]]] = {}
    for one in half:
        kinds.setdefault(one[0].kind, []).append(one)
    return {
        kind: measure(
            [query.relevant for query, _ in own],
            [[paths[id] for id in scores.rank(weights)[:DEPTH] if id in paths] for _, scores in own],
            measures=(MEASURE,),
        )[MEASURE]
        for kind, own in kinds.items()
    }


def _means(values: Mapping[str, Sequence[float]]) -> dict[str, float]:
    found = {kind: float(np.mean(own)) for kind, own in values.items()}
    return found | {"": float(np.mean(list(found.values())))}


def save_weights(data: Path, weights: Weights) -> Path:
    """Write the weights into the data folder's settings and return the file; raises what `save_setting` raises.

    >>> save_weights(folder, {Signal.parse("lexical.all"): 0.5}).read_text()
    '{\\n "weights": "lexical.all=0.5"\\n}\\n'
    """
    return save_setting(data, "weights", ",".join(f"{signal}={weight:g}" for signal, weight in weights.items()))


def save_line(data: Path, line: float) -> Path:
    """Write the line of the relevance cut-off into the data folder's settings and return the file.

    >>> save_line(folder, 0.25).name
    'settings.json'
    """
    return save_setting(data, "certain_above", f"{line:g}")

"""Tune the signals' weights to judged queries on one half of the memes, and test them on the other half."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np

from search.errors import WrongUse
from search.evaluation.metrics import Comparison, JudgedQuery, compare_rankings, measure
from search.ranking.fusion import Weights
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

Of = TypeVar("Of")
Ranked = Callable[[Weights], Sequence[int]]  # the ids of a query's hits by some weights, best first


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


def is_held_out(query: JudgedQuery) -> bool:
    """Return whether a query is on the held-out half; all queries for one meme are on the same half.

    >>> is_held_out(JudgedQuery("a", {"Cats/1.jpg": 1})) == is_held_out(JudgedQuery("b", {"Cats/1.jpg": 1}))
    True
    """
    return int(hashlib.sha256(min(query.relevant).encode()).hexdigest(), 16) % 2 == 1


def tuned_and_held_out(
    queries: Sequence[JudgedQuery], of_queries: Sequence[Of], *, purpose: str
) -> tuple[list[tuple[JudgedQuery, Of]], list[tuple[JudgedQuery, Of]]]:
    """Return the tuned and the held-out queries, each with what belongs to it; raise WrongUse for too few.

    >>> tuned_and_held_out([], [], purpose="tune weights")
    Traceback (most recent call last):
    search.errors.WrongUse: 0 judged queries are too few to tune weights: each half of the memes needs 20.
    """
    halves: dict[bool, list[tuple[JudgedQuery, Of]]] = {False: [], True: []}
    for one in zip(queries, of_queries, strict=True):
        halves[is_held_out(one[0])].append(one)
    if min(map(len, halves.values())) < MIN_QUERIES:
        raise WrongUse(
            f"{len(queries)} judged queries are too few to {purpose}: each half of the memes needs {MIN_QUERIES}.",
            hint="Judge more queries, or index more memes.",
        )
    return halves[False], halves[True]


def tune(
    queries: Sequence[JudgedQuery],
    rankings: Sequence[Ranked],
    weights: Weights,
    *,
    signals: Collection[Signal],
    paths: Mapping[int, str],
    on_step: Callable[[int], None] = lambda done: None,
) -> Tuning:
    """Return the weights that rank the tuned half best, starting from `weights`, with their results on the other half.

    `rankings` return the ids of a query's hits by some weights. One weight at a time is increased and decreased, in
    ever smaller steps, for each of `signals`, those that score some query's hits, except the image descriptor; the mean
    of nDCG@10 over kinds decides. `on_step` is called after each trial. Raises WrongUse when a half has too few
    queries.

    >>> queries = [JudgedQuery("this is fine", {"Dogs/fine.png": 1})]
    >>> tune(queries, [searcher.scores("this is fine").rank], {}, signals=(), paths={})
    Traceback (most recent call last):
    search.errors.WrongUse: 1 judged queries are too few to tune weights: each half of the memes needs 20.
    """
    tuned, held_out = tuned_and_held_out(queries, rankings, purpose="tune weights")
    best: dict[Signal, float] = dict(weights)
    gain = _means(_values(tuned, best, paths))[""]
    for factors in FACTORS:
        for signal in sorted(set(signals) - {DESCRIPTOR}):
            for factor in factors:
                tried = best | {signal: round(max(best.get(signal, 0.0), MIN_TRIED) * factor, 4)}
                value = _means(_values(tuned, tried, paths))[""]
                on_step(1)
                if value > gain + MIN_GAIN:
                    best, gain = tried, value
    before, after = (_values(held_out, one, paths) for one in (weights, best))
    return Tuning(
        before=dict(weights),
        after=best,
        held_out_before=_means(before),
        held_out_after=_means(after),
        comparisons=tuple(compare_rankings({kind: {"before": before[kind]} for kind in before}, after)),
        queries=len(held_out),
    )


def _values(
    half: Sequence[tuple[JudgedQuery, Ranked]], weights: Weights, paths: Mapping[int, str]
) -> dict[str, list[float]]:
    """Return, by kind, the measure of each query's ranking."""
    kinds: dict[str, list[tuple[JudgedQuery, Ranked]]] = {}
    for one in half:
        kinds.setdefault(one[0].kind, []).append(one)
    return {
        kind: measure(
            [query.relevant for query, _ in own],
            [[paths[id] for id in rank(weights)[:DEPTH] if id in paths] for _, rank in own],
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

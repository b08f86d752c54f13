"""Several voters of one name made one: the parts of a query vote with their weights, each field with one voice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from search.fusion import Scores
from search.table import Ids
from search.voters import Voter

Weighed = Sequence[tuple[Voter, float]]


def joined(weighed: Weighed) -> list[Voter]:
    """Return one voter for each name: its scores are the weighted mean of those that have something to judge."""
    by_name: dict[str, list[tuple[Voter, float]]] = {}
    for voter, weight in weighed:
        by_name.setdefault(voter.name, []).append((voter, weight))
    return [own[0][0] if len(own) == 1 else _joined(name, own) for name, own in by_name.items()]


def heard(weights: Mapping[str, float], weighed: Weighed) -> dict[str, float]:
    """Return the weights of the joined voters: each name's own, by the most that a part of the query gives it."""
    most: dict[str, float] = {}
    for voter, weight in weighed:
        most[voter.name] = max(most.get(voter.name, 0.0), weight)
    return {name: weight * most.get(name, 1.0) for name, weight in weights.items()}


def _joined(name: str, own: Weighed) -> Voter:
    def best(k: int, allowed: Ids | None) -> Ids:
        return np.unique(np.concatenate([voter.best(k, allowed) for voter, _ in own]))

    def scores(ids: Ids) -> Scores:
        table = np.stack([voter.scores(ids) for voter, _ in own])
        weights = np.array([weight for _, weight in own])[:, None] * ~np.isnan(table)
        total = weights.sum(axis=0)
        found = (np.nan_to_num(table) * weights).sum(axis=0) / np.maximum(total, 1e-9)
        found[total == 0] = np.nan
        return found

    return Voter(name, best, scores)

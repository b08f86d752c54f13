"""From the scores of the voters to one: a convex combination of scores that keep their scale from query to query.

A weighted sum of scores beats sums of reciprocal ranks and needs few judged queries to tune; a score's own bounds serve
as well as the best and worst of each query, and keep a query that nothing answers from looking like one that much
answers (Bruch, Gai and Ingber, "An Analysis of Fusion Functions for Hybrid Retrieval", arXiv 2210.11934).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# [n], one for each candidate; NaN where a candidate has nothing that the voter could judge
Scores = NDArray[np.float64]

# A share of all weight that is counted as present in every meme, and silent: what little is known of a meme is
# trusted a little less than much.
SILENT = 0.1


@dataclass(frozen=True)
class Vote:
    """One voter's scores of the candidates, 0 for nothing found and 1 for the most there can be, and its weight."""

    name: str
    scores: Scores
    weight: float


@dataclass(frozen=True)
class Fused:
    """Candidates' places in the input, best first; their scores, 0 to 1; and each vote's part of them.

    `scores` and `parts` ([n] each) are in the order of the input; the parts add up to the score.
    """

    order: tuple[int, ...]
    scores: Scores
    parts: Mapping[str, Scores]


def fuse(votes: Sequence[Vote], *, ids: Sequence[int]) -> Fused:
    """Return the candidates by the weighted mean of the votes on what they have; ties go to the lower id.

    A voter with nothing to judge does not count against a candidate: its weight goes to the others. Scores below 0
    count as 0. Raises ValueError when a vote does not have one score for each candidate.
    """
    # In one order, because sums of floats depend on it.
    votes = sorted((vote for vote in votes if vote.weight > 0), key=lambda vote: vote.name)
    count = len(ids)
    if any(vote.scores.shape != (count,) for vote in votes):
        raise ValueError(f"every vote needs {count} scores")
    if not votes or not count:
        return Fused(tuple(sorted(range(count), key=ids.__getitem__)), np.zeros(count), {})
    table = np.stack([vote.scores for vote in votes])
    weights = np.array([vote.weight for vote in votes])[:, None]
    judged = ~np.isnan(table)
    total = weights.sum()
    present = (weights * judged).sum(axis=0)
    lift = (1 + SILENT) / (present + SILENT * total)
    parts = np.clip(np.where(judged, table, 0.0), 0.0, 1.0) * weights * lift
    scores = parts.sum(axis=0)
    order = np.lexsort((np.asarray(ids), -scores))
    return Fused(tuple(order.tolist()), scores, {vote.name: part for vote, part in zip(votes, parts, strict=True)})

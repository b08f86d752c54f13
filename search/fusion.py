"""From the rankings of the fields to one: a convex combination of normalised scores.

A weighted sum of scores beats sums of reciprocal ranks and needs few judged queries to tune (Bruch, Gai and Ingber, "An
Analysis of Fusion Functions for Hybrid Retrieval", arXiv 2210.11934). Each voter's scores are scaled by the best and the
typical score of the query, so that a voter for whom all memes are alike has little to say.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Scores = NDArray[np.float64]  # [n], one for each candidate; NaN where a candidate lacks the field


@dataclass(frozen=True)
class Vote:
    """One field's scores of the candidates, how much it weighs, and the score that means nothing is found."""

    name: str
    scores: Scores
    weight: float
    floor: float


@dataclass(frozen=True)
class Fused:
    """Candidates best first: their places in the input, their scores in 0 to 1, and each vote's part of each score."""

    order: tuple[int, ...]
    scores: Scores  # [n], in the order of the input
    parts: Mapping[str, Scores]  # by vote, [n] each, in the order of the input; they add up to the score


def fuse(votes: Sequence[Vote], *, ids: Sequence[int]) -> Fused:
    """Return the candidates by the weighted mean of the votes; ties go to the lower id.

    A candidate that lacks a field is given, for the field's weight, what the other fields say of it, drawn half-way to
    nothing: missing evidence neither sinks a meme nor lifts it.
    """
    count = len(ids)
    scaled = [_scaled(vote) for vote in votes]
    parts: dict[str, Scores] = {}
    total = math.fsum(vote.weight for vote in votes) or 1.0
    if not votes or not count:
        return Fused(tuple(range(count)), np.zeros(count), parts)
    table = np.stack(scaled)  # [votes, n]
    weights = np.array([vote.weight for vote in votes])[:, None] * ~np.isnan(table)
    present = weights.sum(axis=0)
    said = np.where(np.isnan(table), 0.0, table) * weights
    # What is missing of the weight votes as the rest does, at MISSING_TRUST of its strength.
    lift = np.where(present > 0, 1 + MISSING_TRUST * (total - present) / np.maximum(present, 1e-12), 0.0)
    contributions = said * lift / total
    for vote, contribution in zip(votes, contributions, strict=True):
        parts[vote.name] = contribution
    scores = np.array([math.fsum(column) for column in contributions.T])
    order = sorted(range(count), key=lambda at: (-scores[at], ids[at]))
    return Fused(tuple(order), scores, parts)


MISSING_TRUST = 0.5


def _scaled(vote: Vote) -> Scores:
    """Return a vote's scores between its floor, as 0, and its best, as 1; missing ones stay NaN."""
    known = vote.scores[~np.isnan(vote.scores)]
    if not len(known):
        return vote.scores
    span = float(known.max()) - vote.floor
    if span <= 0:
        return np.where(np.isnan(vote.scores), np.nan, 0.0)
    scaled: Scores = np.clip((vote.scores - vote.floor) / span, 0.0, 1.0)
    return scaled

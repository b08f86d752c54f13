"""Helpers for scores by words: queries joined, results by id, scores added."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import tantivy
from numpy.typing import NDArray

Ids = NDArray[np.int64]  # [n] meme ids
LexicalScores = NDArray[np.float32]  # [n], BM25, higher is better, 0 where no word matches


def any_of(queries: Sequence[tantivy.Query]) -> tantivy.Query:
    """Return the query that finds what any of some queries find; it finds nothing where there are none."""
    if not queries:
        return tantivy.Query.empty_query()
    return tantivy.Query.boolean_query([(tantivy.Occur.Should, query) for query in queries])


def by_id(ids: Ids, scores: LexicalScores) -> tuple[Ids, LexicalScores]:
    """Return ids and their scores by rising id."""
    order = np.argsort(ids)
    return ids[order], scores[order]


def add_scores(scores: LexicalScores, ids: Ids, known: Ids, addends: LexicalScores) -> None:
    """Add to the scores of `ids` the `addends` of the `known` ids, which rise.

    >>> scores = np.ones(3, np.float32)
    >>> add_scores(scores, np.array([5, 3, 4]), np.array([3, 5]), np.array([0.25, 0.5], np.float32))
    >>> scores.tolist()
    [1.5, 1.25, 1.0]
    """
    if len(known):
        places = np.minimum(np.searchsorted(known, ids), len(known) - 1)
        scores += np.where(known[places] == ids, addends[places], np.float32(0))

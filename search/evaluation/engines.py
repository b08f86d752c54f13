"""Two indexes of one library compared: what each finds for the same queries, in which order, and how long it takes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from time import perf_counter

import numpy as np

from search.catalogue import Catalogue
from search.encoders.base import TextEncoder
from search.index.contract import Index
from search.pipeline import QueryPipeline
from search.ranking.fusion import Weights

AT = 10  # hits that are compared


@dataclass(frozen=True)
class EngineComparison:
    """How two indexes answer the same queries.

    `overlap` is the mean share of the first ten hits that both have, `same_first` and `same_order` the shares of
    queries whose first hit, or first ten in their order, are the same. `milliseconds` are each index's medians.
    """

    queries: int
    overlap: float
    same_first: float
    same_order: float
    milliseconds: tuple[float, float]
    different: tuple[str, ...]  # queries whose first ten hits are not the same


def compare_engines(
    catalogue: Catalogue,
    indexes: tuple[Index, Index],
    encoder: TextEncoder,
    queries: Sequence[str],
    *,
    weights: Weights,
) -> EngineComparison:
    """Return how two indexes answer the same queries, which they are asked in turns; raise ValueError without any.

    >>> from search.evaluation.engines import compare_engines
    >>> both = searcher.index, searcher.index
    >>> found = compare_engines(workspace.catalogue, both, encoder, ["robot"], weights=workspace.settings.weights)
    >>> found.overlap, found.same_order
    (1.0, 1.0)
    """
    if not queries:
        raise ValueError("there are no queries to compare by")
    pipelines = [QueryPipeline(catalogue, index, encoder, weights=weights) for index in indexes]
    overlaps, firsts, different = [], [], []
    took: tuple[list[float], list[float]] = ([], [])
    for number, query in enumerate(queries):
        found: list[list[int]] = [[], []]
        for at in (0, 1) if number % 2 else (1, 0):  # so that neither always finds what the other has warmed
            started = perf_counter()
            found[at] = pipelines[at].find(pipelines[at].plan(query)).ids[:AT].tolist()
            took[at].append(1000 * (perf_counter() - started))
        one, other = found
        overlaps.append(len({*one} & {*other}) / max(len(one), len(other), 1) if one or other else 1.0)
        firsts.append(one[:1] == other[:1])
        if one != other:
            different.append(query)
    return EngineComparison(
        len(queries),
        float(np.mean(overlaps)),
        float(np.mean(firsts)),
        1 - len(different) / len(queries),
        (float(np.median(took[0])), float(np.median(took[1]))),
        tuple(different),
    )

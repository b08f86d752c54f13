"""From ranked memes to a page of hits: in the order asked for, variants as one, what answers told from what is near."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from time import perf_counter

import numpy as np

from search.catalogue import Catalogue
from search.index.columns import Ids
from search.index.reader import Index
from search.index.variants import first_of_each_group
from search.meme import Sort
from search.ranking.explain import explained, telling
from search.ranking.facets import facets_of
from search.ranking.retrievers import Ballot
from search.results import Answer, Hit, Understood

CERTAIN = 0.1  # of a score that a picture or a meme gave: below, as many are beside the point as to it


@dataclass(frozen=True)
class Page:
    """Which hits of an answer are wanted, in which order, and when they were asked for (`perf_counter`)."""

    k: int
    offset: int
    sort: Sort
    collapse: bool
    begun: float
    thumbnails: Path


def ranked(
    catalogue: Catalogue,
    index: Index,
    ballot: Ballot,
    *,
    wanted: Sequence[str],
    understood: Understood,
    page: Page,
    believed: int | None = None,
) -> Answer:
    """Return a page of a ranking, each hit with its reasons; `wanted` terms are marked in its texts.

    The first `believed` of the ranking answer, the others come near; by their scores when nobody judged.
    """
    scores = ballot.fused.scores
    order = np.array(ballot.fused.order, np.int64)
    certain = order[:believed] if believed is not None else order[scores[order] >= CERTAIN]
    order = order[scores[order] > 0]
    order = order[np.isin(ballot.ids[order], present(catalogue, index, ballot.ids[order]))]
    every = ballot.ids[order]
    if page.collapse:
        order = order[first_of_each_group(index.columns.variant_of[index.columns.rows(ballot.ids[order])])]
    understood = replace(understood, certain=int(np.count_nonzero(np.isin(order, certain))))
    if page.sort is Sort.NEWEST:
        first_seen = index.columns.first_seen[index.columns.rows(ballot.ids[order])]
        order = order[np.lexsort((-ballot.ids[order], -first_seen))]
    ids = ballot.ids[order]
    memes = catalogue.memes.many(ids[page.offset : page.offset + page.k].tolist())
    answering = frozenset(ballot.ids[certain].tolist())
    hits = explained(catalogue, index, ballot, memes=memes, terms=telling(index, wanted), certain=answering)
    return _answer(catalogue, index, hits, total=len(ids), every=every, understood=understood, page=page)


def listed(catalogue: Catalogue, index: Index, ids: Ids, *, understood: Understood, page: Page) -> Answer:
    """Return a page of memes in an order that no words gave them."""
    every = ids = present(catalogue, index, ids)
    if page.collapse:
        ids = ids[first_of_each_group(index.columns.variant_of[index.columns.rows(ids)])]
    memes = catalogue.memes.many(ids[page.offset : page.offset + page.k].tolist())
    hits = [Hit(meme, 0.0) for meme in memes]
    return _answer(catalogue, index, hits, total=len(ids), every=every, understood=understood, page=page)


def present(catalogue: Catalogue, index: Index, ids: Ids) -> Ids:
    """Return the ids, in their order, without memes that have vanished since the index was built."""
    if index.manifest.revision == catalogue.revision():
        return ids
    return ids[~np.isin(ids, catalogue.memes.vanished_ids())]


def _answer(
    catalogue: Catalogue,
    index: Index,
    hits: Sequence[Hit],
    *,
    total: int,
    every: Ids,
    understood: Understood,
    page: Page,
) -> Answer:
    """Return the answer with what is counted over all of its memes, and each hit's variants."""
    if page.collapse:
        hits = [_with_variants(catalogue, index, hit) for hit in hits]
    took = round((perf_counter() - page.begun) * 1000, 2)
    facets = facets_of(index.columns, every, collapse=page.collapse)
    return Answer(tuple(hits), total, understood, took, facets, page.thumbnails)


def _with_variants(catalogue: Catalogue, index: Index, hit: Hit) -> Hit:
    others = present(catalogue, index, index.columns.variants(hit.meme.id))
    ids = tuple(id for id in others.tolist() if id != hit.meme.id)
    return replace(hit, variants=len(ids), variant_ids=ids) if ids else hit

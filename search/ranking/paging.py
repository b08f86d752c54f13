"""Paging: a page of hits from a ranking, in the requested order, with variants collapsed and facets counted."""

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
from search.ranking.explain import explain, informative_terms
from search.ranking.facets import count_facets
from search.ranking.fusion import FusedRanking
from search.results import Answer, Hit, Understood

MIN_CERTAIN = 0.1  # least score of a certain hit for an image or a meme; at it, half of the hits are wrong


@dataclass(frozen=True)
class PageRequest:
    """The hits of an answer to return, and their order; `started` is the time of the request (`perf_counter`)."""

    k: int
    offset: int
    sort: Sort
    collapse: bool
    started: float
    thumbnails: Path


def ranked_page(
    catalogue: Catalogue,
    index: Index,
    ranking: FusedRanking,
    *,
    terms: Sequence[str],
    understood: Understood,
    page: PageRequest,
    relevant: int | None = None,
) -> Answer:
    """Return a page of a ranking, each hit with its explanation; `terms` are highlighted in the snippets.

    The first `relevant` hits are certain; if it is None, those with scores of at least MIN_CERTAIN.
    """
    scores = ranking.scores
    order = ranking.order
    certain = order[:relevant] if relevant is not None else order[scores[order] >= MIN_CERTAIN]
    order = order[scores[order] > 0]
    order = order[np.isin(ranking.ids[order], without_vanished(catalogue, index, ranking.ids[order]))]
    every = ranking.ids[order]
    if page.collapse:
        order = order[first_of_each_group(index.columns.variant_of[index.columns.rows(ranking.ids[order])])]
    understood = replace(understood, certain=int(np.count_nonzero(np.isin(order, certain))))
    if page.sort is Sort.NEWEST:
        first_seen = index.columns.first_seen[index.columns.rows(ranking.ids[order])]
        order = order[np.lexsort((-ranking.ids[order], -first_seen))]
    ids = ranking.ids[order]
    memes = catalogue.memes.many(ids[page.offset : page.offset + page.k].tolist())
    answering = frozenset(ranking.ids[certain].tolist())
    hits = explain(catalogue, index, ranking, memes=memes, terms=informative_terms(index, terms), certain=answering)
    return _answer(catalogue, index, hits, total=len(ids), every=every, understood=understood, page=page)


def listed_page(catalogue: Catalogue, index: Index, ids: Ids, *, understood: Understood, page: PageRequest) -> Answer:
    """Return a page of memes in the given order, without scores."""
    every = ids = without_vanished(catalogue, index, ids)
    if page.collapse:
        ids = ids[first_of_each_group(index.columns.variant_of[index.columns.rows(ids)])]
    memes = catalogue.memes.many(ids[page.offset : page.offset + page.k].tolist())
    hits = [Hit(meme, 0.0) for meme in memes]
    return _answer(catalogue, index, hits, total=len(ids), every=every, understood=understood, page=page)


def without_vanished(catalogue: Catalogue, index: Index, ids: Ids) -> Ids:
    """Return the ids, in their order, without memes whose files have vanished since the index was built."""
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
    page: PageRequest,
) -> Answer:
    """Return the answer with the facets of all its memes and each hit's variants."""
    if page.collapse:
        hits = [_with_variants(catalogue, index, hit) for hit in hits]
    took = round((perf_counter() - page.started) * 1000, 2)
    facets = count_facets(index.columns, every, collapse=page.collapse)
    return Answer(tuple(hits), total, understood, took, facets, page.thumbnails)


def _with_variants(catalogue: Catalogue, index: Index, hit: Hit) -> Hit:
    others = without_vanished(catalogue, index, index.columns.variants(hit.meme.id))
    ids = tuple(id for id in others.tolist() if id != hit.meme.id)
    return replace(hit, variants=len(ids), variant_ids=ids) if ids else hit

"""Paging: a page of hits from a ranking, in the requested order, with variants collapsed and facets counted."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from numbers import Integral
from pathlib import Path
from time import perf_counter

import numpy as np

from search.catalogue import Catalogue
from search.errors import WrongUse
from search.index.columns import Ids, are_among
from search.index.contract import Index
from search.index.variants import first_of_each_group
from search.meme import Sort
from search.query.quotes import Quote
from search.ranking.explain import explain, informative_terms
from search.ranking.facets import count_facets
from search.ranking.matching import HitList
from search.results import Answer, Hit, Understood


@dataclass(frozen=True)
class PageRequest:
    """The hits of an answer to return, and their order; `started` is the time of the request (`perf_counter`)."""

    k: int
    offset: int
    sort: Sort
    collapse: bool
    started: float
    thumbnails: Path


def checked_page(k: int, offset: int, sort: Sort) -> Sort:
    """Return the order of a page; raise WrongUse where there can be no such page or order."""
    if not (isinstance(k, Integral) and isinstance(offset, Integral)) or k < 1 or offset < 0:
        raise WrongUse(
            f"A page cannot have k={k!r} hits from offset={offset!r}.",
            hint="k must be a whole number from 1 on, offset one from 0 on.",
        )
    if sort not in set(Sort):
        raise WrongUse(f"Hits cannot be sorted by {sort!r}.", hint=f"Choose {' or '.join(Sort)}.")
    return Sort(sort)


def answer_page(
    catalogue: Catalogue,
    index: Index,
    found: HitList,
    *,
    terms: Sequence[str],
    understood: Understood,
    page: PageRequest,
    quotes: Sequence[Quote] = (),
    named: Collection[int] = (),
) -> Answer:
    """Return a page of all hits, each with its explanation by `hits_of`."""
    gone = _vanished(catalogue, index)
    found = _without(gone, found)
    matching = found.ids[: found.matches]
    if page.sort is Sort.NEWEST and found.score is not None:
        found = found.newest_first(index.columns)
    # In that order: of variants, the newest one stands for the others among the newest.
    if page.collapse:
        rows = index.columns.rows(found.ids)
        kept = ~index.columns.has_variants[rows]
        grouped = np.flatnonzero(~kept)
        kept[grouped[first_of_each_group(index.columns.variant_of[rows[grouped]])]] = True
        found = found.keep(kept)
    shown = found.ids[page.offset : page.offset + page.k]
    if found.score is not None:
        understood = replace(understood, certain=found.matches)
    certain = found.ids[page.offset : min(page.offset + page.k, found.matches)]
    hits = hits_of(catalogue, index, found, shown, certain=certain, terms=terms, quotes=quotes, named=named)
    if page.collapse:
        rows = index.columns.rows(np.array([hit.meme.id for hit in hits], np.int64))
        grouped = index.columns.has_variants[rows].tolist()
        hits = [_with_variants(index, hit, gone=gone) if own else hit for hit, own in zip(hits, grouped, strict=True)]
    return Answer(
        hits=tuple(hits),
        total=found.matches,
        weaker=len(found.ids) - found.matches,
        is_exact=found.is_exact,
        understood=understood,
        took_ms=round((perf_counter() - page.started) * 1000, 2),
        facets=count_facets(index.columns, matching, collapse=page.collapse, tagged=catalogue.tags.ids()),
        thumbnails=page.thumbnails,
    )


def hits_of(
    catalogue: Catalogue,
    index: Index,
    found: HitList,
    ids: Ids,
    *,
    certain: Ids,
    terms: Sequence[str],
    quotes: Sequence[Quote] = (),
    named: Collection[int] = (),
) -> list[Hit]:
    """Return some of all hits in the order of `ids`, each with its explanation; `certain` are the ids that match.

    `terms` and `quotes` are highlighted in the snippets; `named` are the ids of memes that were asked for by name.
    """
    memes = catalogue.memes.many(ids.tolist())
    if found.score is None:
        return [Hit(meme, 0.0) for meme in memes]
    return explain(
        catalogue,
        index,
        found.score(np.sort(ids)),
        memes=memes,
        terms=informative_terms(index, terms),
        certain=frozenset(certain.tolist()),
        quotes=quotes,
        named=named,
    )


def without_vanished(catalogue: Catalogue, index: Index, found: HitList) -> HitList:
    """Return hits without the memes whose files have vanished since the index was built."""
    return _without(_vanished(catalogue, index), found)


def _vanished(catalogue: Catalogue, index: Index) -> Ids | None:
    """Return the rising ids of memes whose files have vanished; None when nothing changed since the index was built."""
    return None if index.manifest.revision == catalogue.revision() else catalogue.memes.vanished_ids()


def _without(gone: Ids | None, found: HitList) -> HitList:
    return found if gone is None else found.keep(~are_among(found.ids, gone))


def _with_variants(index: Index, hit: Hit, *, gone: Ids | None) -> Hit:
    found = index.columns.variants(hit.meme.id)
    kept = found != hit.meme.id
    if gone is not None:
        kept &= ~are_among(found, gone)
    ids = tuple(found[kept].tolist())
    return replace(hit, variants=len(ids), variant_ids=ids) if ids else hit

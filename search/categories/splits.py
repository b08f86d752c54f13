"""Which memes belong together when a library is parted into what is learnt from and what is asked."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from search.categories.features import LOOKS, Known, Places
from search.images.fingerprints import PDQ_SAME
from search.index.variants import group_variants


def groups_of(known: Known, alike: Iterable[tuple[str, str]] = ()) -> tuple[Places, Places]:
    """Return for each meme ([n]) the number of its group of duplicates, and of its group of variants.

    Duplicates are the same bytes, fingerprints that nearly agree, and the pairs of content hashes that are named; a
    group of variants holds whole groups of duplicates. Where it is not sure they are put together: that costs nothing.
    """
    looks = known.traits.looks / np.float32(LOOKS)
    bits = np.packbits(known.traits.bits > 0, axis=1)
    same = group_variants(known.ids, looks, bits, near=PDQ_SAME)
    variants = group_variants(known.ids, looks, bits)
    place = {content: at for at, content in enumerate(known.contents)}
    named = [(place[one], place[other]) for one, other in alike if one in place and other in place]
    named += [(at, place[content]) for at, content in enumerate(known.contents)]
    duplicates = _components(len(known), [*named, *_pairs(known.ids, same)])
    first: dict[int, int] = {}
    held = [(at, first.setdefault(int(group), at)) for at, group in enumerate(duplicates)]
    return duplicates, _components(len(known), [*held, *_pairs(known.ids, variants)])


def _pairs(ids: Places, standing: Places) -> list[tuple[int, int]]:
    place = {id: at for at, id in enumerate(ids.tolist())}
    return [(at, place[id]) for at, id in enumerate(standing.tolist())]


def _components(count: int, pairs: list[tuple[int, int]]) -> Places:
    if not count:
        return np.empty(0, np.int64)
    one, other = np.array(pairs, np.int64).reshape(-1, 2).T
    graph = coo_array((np.ones(len(one), np.bool_), (one, other)), shape=(count, count))
    labels: Places = connected_components(graph, directed=False)[1].astype(np.int64)
    return labels

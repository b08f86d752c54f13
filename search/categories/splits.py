"""Group the memes that a train/test split must not separate: duplicates, and variants of a template."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from search.categories.features import DESCRIPTOR_WEIGHT, Examples, Places, Rows, unit
from search.images.fingerprints import PDQ_SAME
from search.index.variants import group_variants
from search.system.lazy_module import LazyModule

sparse: Any = LazyModule("scipy.sparse")
csgraph: Any = LazyModule("scipy.sparse.csgraph")
BLOCK = 512  # pictures compared at a time


def split_groups(examples: Examples, duplicate_pairs: Iterable[tuple[str, str]] = ()) -> tuple[Places, Places]:
    """Return for each meme ([n]) the number of its group of duplicates, and of its group of variants.

    Duplicates have the same bytes, nearly equal fingerprints, or are one of `duplicate_pairs` (content hashes); a group
    of variants contains whole groups of duplicates. Doubtful pairs are grouped, which does no harm in a split.
    """
    descriptors = examples.features.descriptors / np.float32(DESCRIPTOR_WEIGHT)
    bits = np.packbits(examples.features.bits > 0, axis=1)
    same = group_variants(examples.ids, descriptors, bits, near=PDQ_SAME)
    variants = group_variants(examples.ids, descriptors, bits)
    place = {content: at for at, content in enumerate(examples.contents)}
    pairs = [(place[one], place[other]) for one, other in duplicate_pairs if one in place and other in place]
    pairs += [(at, place[content]) for at, content in enumerate(examples.contents)]
    duplicates = _components(len(examples), [*pairs, *_pairs(examples.ids, same)])
    first: dict[int, int] = {}
    grouped = [(at, first.setdefault(int(group), at)) for at, group in enumerate(duplicates)]
    return duplicates, _components(len(examples), [*grouped, *_pairs(examples.ids, variants)])


def join_near_pictures(groups: Places, pictures: Rows, *, least: float) -> Places:
    """Return groups ([n]) joined where pictures' centred rows ([n, p]) have a cosine of `least` or more.

    Looks alone leave memes of one template in several groups, of other crops or frames; a split between them would
    test a model on pictures that it was trained on.

    >>> rows = np.array([[1.0, 0.0], [0.9, 0.1], [0.0, 1.0]])
    >>> join_near_pictures(np.arange(3), rows, least=0.7).tolist()
    [0, 0, 1]
    """
    seen = np.flatnonzero(pictures.any(axis=1))
    if not len(seen):
        return groups
    rows = unit(pictures[seen] - pictures[seen].mean(axis=0))
    _, first, of = np.unique(groups, return_index=True, return_inverse=True)
    pairs = [np.column_stack([np.arange(len(groups)), first[of]])]
    for start in range(0, len(seen), BLOCK):
        one, other = np.nonzero(rows[start : start + BLOCK] @ rows.T >= least)
        pairs.append(np.column_stack([seen[start + one], seen[other]]))
    return _components(len(groups), np.concatenate(pairs))


def _pairs(ids: Places, representatives: Places) -> list[tuple[int, int]]:
    place = {id: at for at, id in enumerate(ids.tolist())}
    return [(at, place[id]) for at, id in enumerate(representatives.tolist())]


def _components(count: int, pairs: list[tuple[int, int]] | Places) -> Places:
    if not count:
        return np.empty(0, np.int64)
    one, other = np.array(pairs, np.int64).reshape(-1, 2).T
    graph = sparse.coo_array((np.ones(len(one), np.bool_), (one, other)), shape=(count, count))
    labels: Places = csgraph.connected_components(graph, directed=False)[1].astype(np.int64)
    return labels
